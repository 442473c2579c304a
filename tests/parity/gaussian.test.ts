/** Codec 4 on every engine: depthwise and pointwise convolutions as small nets have them, weights far apart and near 0, none at all; elements of 16 bits; and its bounds. */
import { describe, expect, test } from "vitest";
import * as abi from "../../assembly/abi.js";
import { CODEC_DENSE, CODEC_GAUSSIAN, GAUSSIAN_MAGNITUDES, GAUSSIAN_SPREAD_BITS } from "../../assembly/format.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import type { QModel } from "../../host/model/model.js";
import { openReference } from "../../host/engines/reference.js";
import { openEngine } from "../../host/node/engines/open.js";
import { bake, specialize } from "../../host/node/module/bake.js";
import { Random } from "../../host/rng.js";
import { fixCrc } from "../fuzz/mutate.js";
import { expectBounds, expectParity, normal, withStream, withWeights } from "../support/codec-parity.js";
import { buildModel } from "../support/models.js";
import { widened, wideInputs } from "../support/wide.js";

const conv = { op: "conv2d", kernel: [3, 3], weights: "grid", density: 0.8 } as const;
const dense = { op: "dense", weights: "grid", density: 0.8 } as const;

/** Depthwise and pointwise layers of so wide a distribution of weights. */
const separable = (spread: number): QModel =>
  withWeights(
    buildModel(
      1,
      [1, 14, 14],
      [
        { ...conv, out: 6, pad: 1, pool: { size: 2, stride: 2 }, relu: true },
        { ...conv, out: 6, groups: 6, perChannel: true },
        { ...conv, out: 9, kernel: [1, 1], relu: true },
        { ...dense, out: 7 },
      ],
    ),
    (_weight, random) => Math.max(-127, normal(random, spread)),
  );

describe.each([2.1, 3.3, 60])("weights of a standard deviation of %d", (spread) =>
  expectParity(separable(spread), "gaussian", CODEC_GAUSSIAN),
);

test("a model of int16 elements runs in the core and packed as the reference does", () => {
  const model = widened(separable(2.1));
  for (const container of ["plain", "small"] as const) {
    const file = writeContainer(model, { codec: "gaussian", container });
    expect(readContainer(file).layers.map(({ section }) => section!.codec)).toContain(CODEC_GAUSSIAN);
    const inputs = wideInputs(model, 3);
    const expected = openReference(file, {}).run(inputs);
    for (const engine of [openEngine("v8", file), openEngine("wasm3", file), openEngine("wasm3", bake(file))]) {
      expect(engine.run(inputs)).toEqual(expected);
      engine.close();
    }
  }
});

test("a core for a model of this codec has no other", () => {
  const codeBytes = (codec: "gaussian" | "huffman"): number =>
    specialize(writeContainer(separable(2), { codec })).length;
  // It has a range decoder as codec 2 has, and neither contexts nor tables of codes.
  expect(codeBytes("gaussian")).toBeLessThan(codeBytes("huffman"));
});

describe("a hostile section", () => {
  const model = withWeights(buildModel(3, [60, 1, 1], [{ ...dense, out: 12 }]), (_weight, random) => normal(random, 2));
  const container = writeContainer(model, { codec: "gaussian", windowBytes: 128 });
  const random = new Random(1);

  test.each<[string, (at: number) => number]>([
    ["zeros", () => 0],
    ["ones", () => 255],
    ["random bytes", () => random.integer(256)],
  ])("of %s keeps to the bounds, however wide the distribution", (_name, fill) => {
    for (let spread = 0; spread < 32; spread++) {
      const file = withStream(container, CODEC_GAUSSIAN, [[spread, GAUSSIAN_SPREAD_BITS]], fill);
      expect([abi.STATUS_DONE, abi.STATUS_STREAM, abi.STATUS_PLAN]).toContain(expectBounds(file));
    }
  });

  test("needs its table in the plan", () => {
    const tiny = buildModel(3, [2, 1, 1], [{ ...dense, out: 4, density: 1 }]);
    const file = writeContainer(tiny, { codec: "dense", windowBytes: 128 });
    const { plan, layers } = readContainer(file);
    expect(plan.scratch).toBeLessThan(2 * GAUSSIAN_MAGNITUDES);
    const form = layers[0].offset + 2;
    expect([file[form], file[9]]).toEqual([CODEC_DENSE, 1 << CODEC_DENSE]);
    file[form] = CODEC_GAUSSIAN;
    file[9] = 1 << CODEC_GAUSSIAN;
    fixCrc(file);
    expect(expectBounds(file)).toBe(abi.STATUS_PLAN);
  });
});
