import { describe, expect, it } from "vitest";
import { aotSource } from "../../host/node/firmware/aot.js";
import { missingTools } from "../../host/node/firmware/tools.js";
import { syntheticModels } from "../support/models.js";
import { fastFiles } from "./support/fast-files.js";
import { hostileFiles } from "./support/hostile.js";
import { aotCore, buildNative, caseFiles, libraryArguments, named, POWERPC, runNative } from "./support/native.js";

const missing = missingTools(["powerpc-linux-gnu-gcc", "qemu-ppc", "wasm2c"]);
const BUILD_MS = 240_000;

describe.skipIf(missing.length > 0)(named("the C library on a big-endian CPU of 32 bits", missing), () => {
  it(
    "runs a container as the reference does",
    async () => {
      // Several reads a run.
      const model = syntheticModels().find(({ name }) => name === "codebook")!;
      const program = await buildNative("library-test", await aotCore(), "core", POWERPC);
      const { stdout } = await runNative(program, libraryArguments(model), POWERPC);
      expect(stdout).toMatch(/^\d{5,} checks passed, 0 failed$/m);
    },
    BUILD_MS,
  );

  it(
    "runs a fast module as the reference does",
    async () => {
      const model = syntheticModels().find(({ name }) => name === "padded")!;
      const { module, fast, short, refused } = fastFiles(model);
      const ahead = { fast: await aotSource(module, undefined, "fast") };
      const program = await buildNative("fast-test", ahead, "padded", POWERPC);
      const { stdout } = await runNative(program, [fast, caseFiles(model).cases, short, ...refused], POWERPC);
      expect(stdout).toMatch(/^\d{5,} checks passed, 0 failed$/m);
    },
    BUILD_MS,
  );

  it(
    "runs it as data, too",
    async () => {
      const program = await buildNative("data-test", {}, "data", POWERPC);
      for (const name of ["padded", "streaming", "resized"]) {
        const model = syntheticModels().find((one) => one.name === name)!;
        const { fast, short, refused, refusedAsData } = fastFiles(model);
        const { stdout } = await runNative(
          program,
          [fast, caseFiles(model).cases, short, ...refused, ...refusedAsData],
          POWERPC,
        );
        expect(stdout).toMatch(/^\d{4,} checks passed, 0 failed$/m);
      }
    },
    BUILD_MS,
  );

  it(
    "is not led astray by hostile modules",
    async () => {
      const { files, ahead } = await hostileFiles();
      const { stdout } = await runNative(await buildNative("hostile-test", ahead, "hostile", POWERPC), files, POWERPC);
      expect(stdout).toMatch(/^\d{3,} checks passed, 0 failed$/m);
    },
    BUILD_MS,
  );
});
