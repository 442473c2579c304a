/** The self-test of an exported project: on this machine by both engines, and on an emulated board. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { contentsOf } from "../../host/module/contents.js";
import { randomRuns } from "../../host/node/data/runs.js";
import { makeVectors } from "../../host/node/data/vectors.js";
import type { Optimization } from "../../host/fast/optimization.js";
import type { FirmwareEngine } from "../../host/firmware/engines.js";
import { exportProject, modelSource } from "../../host/node/firmware/export.js";
import { firmwareImage } from "../../host/node/firmware/image.js";
import { missingTools, runTool } from "../../host/node/firmware/tools.js";
import { vectorsSource } from "../../host/node/firmware/vectors.js";
import { coreWith } from "../../host/node/module/bake.js";
import { packageRoot } from "../../host/node/paths.js";
import { syntheticModels } from "../support/models.js";
import { named } from "./support/native.js";

const COUNT = 3;
const BUILD_MS = 240_000;

const work = mkdtempSync(join(tmpdir(), "mote-selftest-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const containerOf = (wanted: string): Uint8Array =>
  writeContainer(syntheticModels().find(({ name }) => name === wanted)!.model);
const vectorsOf = (container: Uint8Array) => makeVectors(container, randomRuns(COUNT, 1), COUNT);

/** The exported project of a model, by default as a core and a container. */
async function exported(name: string, engine: FirmwareEngine, form: Optimization = "size"): Promise<string> {
  const folder = join(work, `${name}-${engine}`);
  const container = containerOf(name);
  await exportProject(folder, name, firmwareImage(container, form), engine, vectorsOf(container));
  return folder;
}

/** Builds it as its CMakeLists.txt has it, anew where something changed. @returns what it prints, and its exit code */
async function selftest(folder: string): Promise<{ text: string; code: number | null }> {
  const build = `${folder}-build`;
  await runTool("cmake", ["-S", folder, "-B", build]);
  await runTool("cmake", ["--build", build]);
  const { stdout, status } = spawnSync(join(build, "selftest"), { encoding: "utf8" });
  return { text: stdout, code: status };
}

/** Writes one of the project's files anew. */
function rewrite(folder: string, name: string, change: (text: string) => string): void {
  const path = join(folder, name);
  const text = readFileSync(path, "utf8");
  expect(change(text)).not.toBe(text);
  writeFileSync(path, change(text));
}

const lacking = missingTools(["gcc", "cmake", "wasm2c"]);
describe.skipIf(lacking.length > 0)(named("an exported project's self-test", lacking), () => {
  it(
    "by wasm3, with several inputs, outputs and states: all are equal, or the first that is not is told",
    async () => {
      const folder = await exported("streaming", "wasm3");
      expect(await selftest(folder)).toEqual({ text: `${COUNT} of ${COUNT} equal\n`, code: 0 });

      const alone = makeVectors(containerOf("streaming"), { ...randomRuns(COUNT, 1), perStream: 1 }, COUNT);
      const [together, apart] = [vectorsOf(containerOf("streaming")), alone].map((of) => vectorsSource("streams", of));
      rewrite(folder, "selftest/vectors.c", () => apart.source);
      expect((await selftest(folder)).text).toContain("1 of 3 equal\n");
      rewrite(folder, "selftest/vectors.h", () => apart.header);
      expect(await selftest(folder)).toEqual({ text: "3 of 3 equal\n", code: 0 });
      rewrite(folder, "selftest/vectors.c", () => together.source);
      rewrite(folder, "selftest/vectors.h", () => together.header);

      // The last element of the last vector.
      const { outputs } = vectorsOf(containerOf("streaming"));
      const size = outputs.reduce((sum, { elements }) => sum + elements.length, 0) / COUNT;
      const last = outputs.at(-1)!.elements.at(-1)!;
      rewrite(folder, "selftest/vectors.c", (text) =>
        text.replace(/(\d+),(\n};\n)$/, (_, byte: string, end: string) => `${Number(byte) ^ 1},${end}`),
      );
      const wrong = ((last ^ 1) << 24) >> 24;
      expect(await selftest(folder)).toEqual({
        text: `vector 2: element ${size - 1} of the outputs is ${last}, expected ${wrong}\n2 of 3 equal\n`,
        code: 1,
      });

      rewrite(folder, "selftest/vectors.c", () => vectorsSource("other", vectorsOf(containerOf("tiny"))).source);
      rewrite(folder, "selftest/vectors.h", () => vectorsSource("other", vectorsOf(containerOf("tiny"))).header);
      expect(await selftest(folder)).toEqual({ text: "the vectors are of another model\n", code: 1 });
    },
    BUILD_MS,
  );

  it(
    "ahead of time, with ops of a graph; a core without one of them is refused by its name",
    async () => {
      const folder = await exported("residual", "aot");
      expect(await selftest(folder)).toEqual({ text: `${COUNT} of ${COUNT} equal\n`, code: 0 });

      const container = containerOf("residual");
      const { ops, codecs } = contentsOf(readContainer(container));
      const module = coreWith({ ops: ops.filter((op) => op !== "add"), codecs });
      const poor = await modelSource("residual", { ...firmwareImage(container, "size"), module }, "aot");
      rewrite(folder, "model.c", () => poor.source);
      expect(await selftest(folder)).toEqual({ text: "an op this core does not have: add\n", code: 1 });
    },
    BUILD_MS,
  );

  it(
    "by rows, where the model takes its input so",
    async () => {
      const container = containerOf("average pool");
      const image = firmwareImage(container, "speed", { inputRows: true });
      expect(image.rowsAtOnce).toBeGreaterThan(0);
      const folder = join(work, "rows");
      await exportProject(folder, "average pool", image, "data", vectorsOf(container));
      expect(await selftest(folder)).toEqual({ text: `${COUNT} of ${COUNT} equal\n`, code: 0 });
    },
    BUILD_MS,
  );

  it(
    "as data, with the model's kernels alone; without one of them it is refused by its name",
    async () => {
      const folder = await exported("residual", "data", "speed");
      expect(await selftest(folder)).toEqual({ text: `${COUNT} of ${COUNT} equal\n`, code: 0 });
      rewrite(folder, "model.c", (text) => text.replace("MOTE_RUNS_ADD, ", ""));
      const refused = "a kind of layers this engine has no kernel for: add\n";
      expect(await selftest(folder)).toEqual({ text: refused, code: 1 });
    },
    BUILD_MS,
  );

  it("has no warnings as C99", async () => {
    const folder = await exported("tiny", "aot");
    const flags = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic", "-Werror", `-I${folder}`];
    for (const name of ["main.c", "vectors.c"]) {
      await runTool("gcc", [...flags, "-c", join(folder, "selftest", name), "-o", "/dev/null"]);
    }
  });
});

const noBoard = missingTools(["make", "arm-none-eabi-gcc", "qemu-system-arm"]);
describe.skipIf(noBoard.length > 0)(named("the self-test on an emulated board", noBoard), () => {
  it(
    "by wasm3 on lm3s6965evb",
    async () => {
      const folder = await exported("branches", "wasm3");
      const make = ["-s", "--no-print-directory", "-C", join(packageRoot, "firmware-examples", "cortex-m"), "selftest"];
      const { stdout, stderr } = await runTool("make", [...make, `MOTE=${folder}`, `BUILD=${folder}-board`]);
      expect(stdout + stderr).toContain(`${COUNT} of ${COUNT} equal\n`);
    },
    BUILD_MS,
  );
});
