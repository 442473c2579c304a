/** mote_self_test: what a certificate says of a model's outputs, held by each engine of the C library. */
import { beforeAll, describe, expect, it } from "vitest";
import { writeMetadata } from "../../host/container/metadata.js";
import { readContainer } from "../../host/container/read.js";
import { withMetadata, writeContainer } from "../../host/container/write.js";
import { fastProgram } from "../../host/fast/memory.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { bake } from "../../host/node/module/bake.js";
import type { QModel } from "../../host/model/model.js";
import { certified, makeCertificate } from "../../tools/certificate.js";
import { syntheticModels } from "../support/models.js";
import { buildNative, coreFile, missing, named, put, runNative } from "./support/native.js";

/** Statuses of mote.h. */
const [DONE, ARGUMENT, SELF_TEST, RANGE, TRUNCATED] = [0, -104, -108, -8, -2];

const modelOf = (name: string): QModel => syntheticModels().find((one) => one.name === name)!.model;

async function certify(model: QModel, change: { outputsCrc?: number } = {}): Promise<Uint8Array> {
  const file = writeContainer(model);
  const container = readContainer(file);
  return certified(file, container, { ...(await makeCertificate(file, container, 3)), ...change });
}

/** A container with these bytes for a certificate, or behind its last layer. */
function withContent(content: readonly number[]): Uint8Array {
  const file = writeContainer(modelOf("tiny"));
  const container = readContainer(file);
  const metadata = writeMetadata({ ...container.model, certificate: Uint8Array.from(content) });
  return withMetadata(file, container, metadata);
}

describe.skipIf(missing.length > 0)(named("mote_self_test", missing), () => {
  let program: string;
  beforeAll(async () => {
    program = await buildNative("certificate-test", {}, "certificate");
  }, 240_000);

  const check = async (
    files: readonly (readonly [kind: string, file: Uint8Array, status: number])[],
  ): Promise<void> => {
    const args = files.flatMap(([kind, file, status], index) => [
      kind,
      put(`certificate-${index}.${kind === "core" ? "mote" : "wasm"}`, file),
      String(status),
    ]);
    const { stdout } = await runNative(program, [coreFile(), ...args]);
    expect(stdout).toMatch(/^\d+ checks passed, 0 failed$/m);
    expect(Number.parseInt(stdout)).toBeGreaterThanOrEqual(8 * files.length);
  };

  // Borders; several inputs and outputs, and states; a scale for each row.
  it.each(["padded", "streaming", "per channel"])("holds %s to its outputs, by each engine", async (name) => {
    const file = await certify(modelOf(name));
    await check([
      ["core", file, DONE],
      ["module", bake(file), DONE],
      ["module", fastModule(file), DONE],
      ["data", fastModule(file), DONE],
    ]);
  });

  it("gives an input by rows", async () => {
    const file = await certify(modelOf("padded"));
    const rows = fastModule(fastProgram(readContainer(file), { inputRows: true }));
    await check([
      ["module", rows, DONE],
      ["data", rows, DONE],
    ]);
  });

  it("says where outputs are others, and what is wrong with a certificate", async () => {
    const model = modelOf("tiny");
    const wrong = await certify(model, { outputsCrc: 1 });
    const words = Array.from({ length: 16 }, () => 0);
    await check([
      ["core", wrong, SELF_TEST],
      ["module", bake(wrong), SELF_TEST],
      ["data", fastModule(wrong), SELF_TEST],
      ["core", writeContainer(model), ARGUMENT],
      ["core", withContent([]), TRUNCATED],
      ["core", withContent([3]), TRUNCATED],
      ["core", withContent([0, ...words]), RANGE],
      ["core", withContent([0xe9, 7, ...words]), RANGE],
      ["core", withContent([3, ...words, 0]), RANGE],
      ["core", withContent([3, ...words.slice(1)]), RANGE],
    ]);
  });
});
