/** Every allocation, read, call of an engine, row, program and erase fails once: the C library says so, and the next try is right. */
import { beforeAll, describe, expect, it } from "vitest";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { modelInputs } from "../../host/model/edges.js";
import { fastProgram } from "../../host/fast/memory.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { ed25519Folder } from "../../host/node/firmware/ed25519.js";
import { bake } from "../../host/node/module/bake.js";
import { certified, makeCertificate } from "../../tools/certificate.js";
import { syntheticModels } from "../support/models.js";
import { aotCore, buildNative, caseFiles, coreFile, missing, named, put, runNative } from "./support/native.js";
import { slotsFiles } from "./support/slots.js";

const BUILD_MS = 240_000;
const RUN_MS = 240_000;

describe.skipIf(missing.length > 0)(named("faults in the C library, under the sanitizers", missing), () => {
  let program: string;
  beforeAll(async () => {
    program = await buildNative("faults-test", await aotCore(), "faults", undefined, { heap: "guarded-heap.c" });
  }, BUILD_MS);

  // Several inputs and outputs, and states; an input that comes by rows.
  it.each(["streaming", "average pool"])(
    "of memory, sources, engines and rows of %s are told, and the next try is right",
    async (name) => {
      const { model } = syntheticModels().find((one) => one.name === name)!;
      const ends = [...modelInputs(model), ...model.outputs];
      const named = { ...model, names: ends.map((_, end) => `end ${end}`) };
      const file = writeContainer(named);
      const container = readContainer(file);
      const whole = certified(file, container, await makeCertificate(file, container, 1));
      const rows = name === "streaming" ? [] : [fastProgram(readContainer(whole), { inputRows: true })];
      const { stdout } = await runNative(program, [
        caseFiles({ name: `faults ${name}`, model: named }).cases,
        coreFile(),
        put("faults-certified.mote", whole),
        put("faults-packed.wasm", bake(whole)),
        ...[whole, ...rows].map((of, i) => put(`faults-fast-${i}.wasm`, fastModule(of))),
      ]);
      expect(stdout).toMatch(/^\d{4,} checks passed, 0 failed$/m);
      expect(stdout).toMatch(/^wasm3: \d{2,} allocations, \d+ reads, \d{2,} calls, \d+ rows failed$/m);
      expect(stdout.match(/^(fast|native|data): /gm)).toHaveLength(3 * (1 + rows.length));
    },
    RUN_MS,
  );

  const folder = ed25519Folder();
  it.skipIf(folder === undefined)(
    named("of the flash leave the old model or the new one", folder === undefined ? ["ed25519-supercop"] : []),
    async () => {
      const { folder: files, header } = slotsFiles();
      const program = await buildNative("slots-faults-test", {}, "slots-faults", undefined, {
        headers: { "key.h": header },
        ed25519: folder!,
      });
      const { stdout } = await runNative(program, [files]);
      expect(stdout).toMatch(/^\d{4,} checks passed, 0 failed$/m);
      expect(stdout.match(/^(new|patch)\.signed, (reads|programs|erases): [1-9]\d* failed$/gm)).toHaveLength(6);
    },
    BUILD_MS + RUN_MS,
  );
});
