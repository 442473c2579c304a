/** Codec 2 on every engine: filters with groups and pads, negative weights mostly, dead columns, all of int8, and a shipped model; and the bounds on its work. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import * as abi from "../../assembly/abi.js";
import { CODEC_ARITHMETIC, CRC_START } from "../../assembly/format.js";
import { crc32 } from "../../host/container/crc32.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import type { QModel } from "../../host/model/model.js";
import { specialize } from "../../host/node/module/bake.js";
import { packageRoot } from "../../host/node/paths.js";
import { expectBounds, expectParity, normal, withWeights } from "../support/codec-parity.js";
import { buildModel } from "../support/models.js";

const conv = { op: "conv2d", kernel: [3, 3], weights: "grid", density: 0.3 } as const;
const dense = { op: "dense", weights: "grid", density: 0.2 } as const;

const models: readonly (readonly [name: string, model: QModel])[] = [
  [
    "groups and pads, weights mostly negative",
    withWeights(
      buildModel(
        1,
        [4, 11, 9],
        [
          { ...conv, out: 16, groups: 2, pad: 1, pool: { size: 2, stride: 2 } },
          { ...conv, out: 16, groups: 16, kernel: [2, 3], density: 0.7, pad: 1, perChannel: true },
          { ...dense, out: 9 },
        ],
      ),
      (_weight, random) => -Math.abs(normal(random, 4)) + (random.integer(9) === 0 ? 12 : 0) || -1,
    ),
  ],
  ["dead columns", buildModel(2, [3, 12, 10], [{ ...dense, out: 30, deadColumns: 0.6 }])],
  [
    "all of int8",
    withWeights(
      buildModel(
        3,
        [2, 9, 9],
        [
          { ...conv, out: 24, density: 1 },
          { ...dense, out: 20, density: 1 },
        ],
      ),
      (_weight, random) => normal(random, 25),
    ),
  ],
  ["one sign alone", buildModel(4, [1, 20, 20], [{ ...dense, weights: "single", out: 12 }])],
  ["lenet5", readContainer(new Uint8Array(readFileSync(join(packageRoot, "models/lenet5.mote")))).model],
];

describe.each(models)("%s", (_name, model) => expectParity(model, "arithmetic", CODEC_ARITHMETIC));

test("lenet5 takes 2,767 bytes", () => {
  expect(writeContainer(models.at(-1)![1], { codec: "auto" }).length).toBe(2767);
});

test("a core for a model of this codec has no other, and one for another model has not this", () => {
  const [, model] = models[1];
  const sizes = (["huffman", "arithmetic"] as const).map(
    (codec) => specialize(writeContainer(model, { codec })).length,
  );
  expect(Math.abs(sizes[0] - sizes[1])).toBeLessThan(300);
});

describe("a live column's logit that becomes -32768, that of dead ones", () => {
  // Many positions without a weight make one improbable, so that the last column's logit climbs with each row's, until it wraps: these numbers let it meet -32768.
  const [columns, rows] = [2024, 131];
  const modelOf = (out: number): QModel => {
    const model = buildModel(6, [columns, 1, 1], [{ ...dense, out }]);
    const [layer] = model.layers;
    if (!("weights" in layer)) throw new Error("a dense layer has weights");
    layer.bias.fill(0);
    layer.weights.forEach((_, i) => (layer.weights[i] = i < columns || i % columns === columns - 1 ? 1 : 0));
    return model;
  };

  test("is none that is asked for again, behind the last row", () => {
    const file = writeContainer(modelOf(rows), { codec: "arithmetic" });
    const { layers, model } = readContainer(file);
    expect(layers[0].section!.codec).toBe(CODEC_ARITHMETIC);
    expect(model.layers).toEqual(modelOf(rows).layers);
    expect(expectBounds(file)).toBe(abi.STATUS_DONE);
  });

  test("is not written with a further row", () => {
    const { layers } = readContainer(writeContainer(modelOf(rows + 1), { codec: "arithmetic" }));
    expect(layers[0].section!.codec).not.toBe(CODEC_ARITHMETIC);
  });

  test("is refused with one", () => {
    const file = Buffer.from(writeContainer(modelOf(rows), { codec: "arithmetic" }));
    const channels = file.indexOf(Uint8Array.of(0x83, 1), readContainer(file).tensorsOffset);
    file[channels]++;
    file.writeUInt32LE(crc32(file.subarray(CRC_START)), CRC_START - 4);
    expect(() => readContainer(file)).toThrow("has a live column whose logit is -32768 where a row begins");
    expect(expectBounds(file)).toBe(abi.STATUS_RANGE);
  });
});
