import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { bake, specialize } from "../../host/node/module/bake.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { writeContainer } from "../../host/container/write.js";
import { MODEL_NAMES } from "../../host/node/firmware/models.js";
import { packageRoot } from "../../host/node/paths.js";
import { EXTREME, HOSTILE } from "../fuzz/hostile-modules.js";
import { hostileModule, moduleSeeds, passes } from "../fuzz/modules.js";
import { syntheticModels } from "../support/models.js";
import { aotCore, buildNative, coreFile, missing, named, put, runNative } from "./support/native.js";

const MODULES = 6000;
const BATCH = 2000;
const BUILD_MS = 240_000;

const container = writeContainer(syntheticModels().find(({ name }) => name === "tiny")!.model);

// Once with the library's heap, and once with blocks of malloc's, whose ends AddressSanitizer guards one from another.
describe.skipIf(missing.length > 0).each([
  ["the library's heap", undefined],
  ["guarded blocks", "guarded-heap.c"],
])(named("modules in the C library, under the sanitizers, with %s", missing), (_, heap) => {
  let program: string;
  const variant = heap === undefined ? "modules" : "modules-guarded";
  beforeAll(async () => {
    program = await buildNative("modules-test", await aotCore(), variant, undefined, { heap });
  }, BUILD_MS);

  /** What the program says of each, a letter: see modules-test.c. */
  async function letters(modules: readonly Uint8Array[]): Promise<string[]> {
    const parts = modules.flatMap((wasm) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(wasm.length);
      return [length, wasm];
    });
    const batch = put(`${variant}/batch`, Buffer.concat(parts));
    const { stdout } = await runNative(program, [put("tiny.mote", container), batch]);
    expect(stdout).toMatch(/^[-erw]*\n0 checks failed\n$/);
    return [...stdout.split("\n")[0]];
  }

  it("are refused one step beyond each rule, and pass as far as the rules go", async () => {
    const all = await letters([...HOSTILE.map(({ wasm }) => wasm), ...EXTREME.map(([, wasm]) => wasm)]);
    const answers = [...HOSTILE.map(({ name }) => name), ...EXTREME.map(([name]) => name)].map((name, i) => [
      name,
      all[i],
    ]);
    expect(answers).toEqual([...HOSTILE.map(({ name }) => [name, "-"]), ...EXTREME.map(([name]) => [name, "e"])]);
  });

  it("pass as mote pack makes them", async () => {
    const shipped = MODEL_NAMES.flatMap((name) => {
      const model = readFileSync(join(packageRoot, "models", `${name}.mote`));
      return [specialize(model), bake(model), fastModule(model, "speed"), fastModule(model, "sram")];
    });
    const core = readFileSync(coreFile());
    // The core runs the container beside it, fast modules their own; what is packed or specialised for a large model gets as far as it can.
    const all = await letters([core, ...shipped]);
    expect(all[0]).toBe("r");
    expect(all.filter((_answer, i) => i % 4 === 3 || (i % 4 === 0 && i > 0))).toEqual(Array(8).fill("r"));
    expect(all).not.toContain("-");
  });

  it(`${MODULES} hostile ones do no harm, and are judged as by the host`, { timeout: 300_000 }, async () => {
    const seeds = moduleSeeds();
    const tally: Record<string, number> = {};
    for (let first = 0; first < MODULES; first += BATCH) {
      const modules = Array.from({ length: BATCH }, (_module, i) => hostileModule(seeds, 1, first + i).wasm);
      const all = await letters(modules);
      modules.forEach((wasm, i) => {
        tally[all[i]] = (tally[all[i]] ?? 0) + 1;
        const isRefused = all[i] === "-";
        // The library leaves to V8 what does wasm3 no harm, such as names that are not UTF-8, and no more than that.
        const isRight = WebAssembly.validate(wasm as Uint8Array<ArrayBuffer>);
        if (isRight && passes(wasm) === isRefused) expect.fail(`module ${first + i} is judged differently`);
      });
    }
    expect(Math.min(tally["-"], tally.r, tally.e)).toBeGreaterThan(100);
  });
});
