/** Codec 4 on every engine: depthwise and pointwise convolutions as small nets have them, weights far apart and near 0, none at all; elements of 16 bits; and its bounds. */
import { describe, expect, test } from "vitest";
import * as abi from "../../assembly/abi.js";
import { CODEC_DENSE, CODEC_GAUSSIAN, CRC_START, GAUSSIAN_RANKS } from "../../assembly/format.js";
import { crc32 } from "../../host/container/crc32.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import type { QModel } from "../../host/model/model.js";
import { openReference } from "../../host/engines/reference.js";
import { openEngine } from "../../host/node/engines/open.js";
import { bake, specialize } from "../../host/node/module/bake.js";
import { Random } from "../../host/rng.js";
import { expectParity, normal, withWeights } from "../support/codec-parity.js";
import { MeteredCore } from "../support/metered-core.js";
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
  const { offset, bytes, requantizeBits, biasBitsTotal } = readContainer(container).layers[0].section!;
  const random = new Random(1);

  test("is one of this codec before it is changed", () => {
    expect(readContainer(container).layers[0].section!.codec).toBe(CODEC_GAUSSIAN);
  });

  /** The first status that opening and running end with that is no success; every slice keeps to the bounds. */
  function statusOf(file: Uint8Array): number {
    const core = new MeteredCore(file);
    let work = 0;
    for (const begin of [() => core.open(), () => core.start()]) {
      let slice = begin();
      for (work = 0; slice.status === abi.STATUS_BUSY; work += slice.work) {
        slice = core.step(0);
        if (slice.work > 600 || slice.instructions > 32 * slice.work)
          expect.fail(`a slice of ${slice.work} units and ${slice.instructions} instructions`);
      }
      if (slice.status !== abi.STATUS_DONE) return slice.status;
    }
    expect(work).toBeLessThanOrEqual(core.word(abi.CONTROL_WORK));
    return abi.STATUS_DONE;
  }

  /** The file with other bits from its weights on. */
  function withStream(fill: (at: number) => number): Uint8Array {
    const file = container.slice();
    const first = 8 * offset + requantizeBits + biasBitsTotal;
    for (let bit = first; bit < 8 * (offset + bytes); bit++) {
      const value = (fill((bit - first) >> 3) >> ((bit - first) & 7)) & 1;
      file[bit >> 3] = (file[bit >> 3] & ~(1 << (bit & 7))) | (value << (bit & 7));
    }
    new DataView(file.buffer).setUint32(CRC_START - 4, crc32(file.subarray(CRC_START)), true);
    return file;
  }

  test.each<[string, (spread: number) => (at: number) => number]>([
    ["zeros", (spread) => (at) => (at === 0 ? spread : 0)],
    ["ones", (spread) => (at) => (at === 0 ? spread : 255)],
    ["random bytes", (spread) => (at) => (at === 0 ? spread : random.integer(256))],
  ])("of %s keeps to the bounds, however wide the distribution", (_name, fill) => {
    for (let spread = 0; spread < 32; spread++) {
      expect([abi.STATUS_DONE, abi.STATUS_STREAM, abi.STATUS_PLAN]).toContain(statusOf(withStream(fill(spread))));
    }
  });

  test("needs its table in the plan", () => {
    const tiny = buildModel(3, [2, 1, 1], [{ ...dense, out: 4, density: 1 }]);
    const file = writeContainer(tiny, { codec: "dense", windowBytes: 128 });
    const { plan, layers } = readContainer(file);
    expect(plan.scratch).toBeLessThan(2 * GAUSSIAN_RANKS);
    const form = layers[0].offset + 2;
    expect([file[form], file[9]]).toEqual([CODEC_DENSE, 1 << CODEC_DENSE]);
    file[form] = CODEC_GAUSSIAN;
    file[9] = 1 << CODEC_GAUSSIAN;
    new DataView(file.buffer).setUint32(CRC_START - 4, crc32(file.subarray(CRC_START)), true);
    expect(statusOf(file)).toBe(abi.STATUS_PLAN);
  });
});
