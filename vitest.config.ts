import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** From a minute each to ten seconds: begun first, so that none is left alone with one core at the end. */
const LONGEST = [
  "cli/figures",
  "fast/dense",
  "firmware/library",
  "firmware/boards",
  "firmware/examples",
  "firmware/data",
  "firmware/modules",
  "fuzz/fuzz",
  "fuzz/native",
  "firmware/faults",
  "firmware/selftest",
  "chip/parity",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number =>
      [...LONGEST, ""].findIndex((name) => name === "" || moduleId.endsWith(`/${name}.test.ts`));
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}

/**
 * Rooms whose files follow each other in one process, where all is loaded and compiled already. What a test there changes of it, it puts back; modules
 * are mocked in other rooms, since they have been loaded here.
 */
const TOGETHER = [
  "bake",
  "bench",
  "compress",
  "container",
  "core",
  "data",
  "encode",
  "fast",
  "golden",
  "import",
  "model",
  "parity",
  "qr",
  "reference",
  "report",
  "runtime",
  "synth",
  "train",
].map((room) => `tests/${room}/**/*.test.ts`);

const BUILT = `${import.meta.dirname}/dist/`.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: "together", include: TOGETHER, isolate: false } },
      { extends: true, test: { name: "alone", include: ["tests/**/*.test.ts"], exclude: TOGETHER } },
    ],
    // Of a machine that does other things too.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    pool: "forks",
    // Two on two cores, too: many tests wait for compilers, emulators and browsers.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    sequence: { sequencer: LongestFirst },
    // The command as it was built, which tests call in their process.
    server: { deps: { external: [new RegExp(`^(file://)?${BUILT}`)] } },
  },
});
