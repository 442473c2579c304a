/** `"activationBits": 16` of a calibrate stage: kept in the checkpoint, and a model that every engine for it runs alike. */
import { expect, test } from "vitest";
import { integerEvaluation } from "../../host/compress/integer-errors.js";
import { measureIntegers, packed } from "../../host/node/compress/integer-model.js";
import { runStage } from "../../host/compress/stages.js";
import { readContainer } from "../../host/container/read.js";
import { activationBits } from "../../host/model/elements.js";
import { openEngine } from "../../host/node/engines/open.js";
import { parseCompression } from "../../host/train/metadata.js";
import { barSamples, smallNet, startedNet, stageContext } from "../train/support.js";

const samples = barSamples(160, 1);
const context = stageContext(samples);

test("a compressed net gets int16 activations, and its file says so", async () => {
  const start = await startedNet(smallNet, samples, 30);
  const step = { conv: 0.05, fc1: 0.05, fc2: 0.05 };
  const grid = { kind: "grid", epochs: 2, lr: 0.002, lrEnd: 0, step, parts: 2, limit: 127, scales: "layer" } as const;
  const trained = await runStage(start, grid, context, samples);
  const stage = { kind: "calibrate", samples: 96, range: "error", activationBits: 16 } as const;
  const { compression, ...net } = await runStage(trained, stage, context, samples);
  expect(parseCompression(JSON.stringify(compression), "net")).toEqual(compression);
  expect(compression!.activationBits).toBe(16);
  const container = packed({ ...net, compression: compression! });
  expect(activationBits(readContainer(container).model)).toBe(16);
  const found = (["reference", "v8", "wasm3"] as const).map((name) => {
    const engine = openEngine(name, container);
    const { errors } = integerEvaluation(engine, samples);
    engine.close();
    return errors;
  });
  expect(new Set(found).size).toBe(1);
  expect(measureIntegers(container, samples, undefined).errors).toBe(found[0]);
  expect(found[0]).toBeLessThan(0.15 * samples.count);
});
