import { describe, expect, it } from "vitest";
import type { DataSet, Reading, Values } from "../../host/data/data-set.js";
import { inputFiller, pixelTable, realFiller } from "../../host/engines/fill-input.js";
import type { Preprocessing, Shape } from "../../host/model/model.js";

const filled = (
  shape: Shape,
  samples: readonly number[],
  images: Values,
  reading?: Reading,
  index = 0,
  [scale, zeroPoint] = [1, 0],
): number[] => {
  const size = shape[0] * shape[1] * shape[2];
  const set: DataSet = { count: images.length / size, shape: samples, images, ...(reading && { reading }) };
  const target = new Int8Array(size);
  inputFiller(set, { shape, scale, zeroPoint })(index, target);
  return [...target];
};
const numbers = (...values: number[]): Float32Array => Float32Array.from(values);
const upTo = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => i);

describe("what a net's input holds", () => {
  it("of pixels is what the table says, of the sample that is asked for", () => {
    const pixels = Uint8Array.from({ length: 512 }, (_, i) => i % 256);
    const input = { shape: [1, 16, 16] as const, scale: 0.003, zeroPoint: -120 };
    expect(filled(input.shape, [16, 16], pixels, undefined, 1, [0.003, -120])).toEqual([...pixelTable(input)]);
  });

  it("of real numbers is rounded half up, and saturates", () => {
    const values = numbers(0.25, -0.25, 0.75, 99, -99);
    expect(filled([5, 1, 1], [5], values, undefined, 0, [0.5, 3])).toEqual([4, 3, 5, 127, -128]);
  });

  it("of int8 is the sample itself, which cannot be normalized", () => {
    const values = Int8Array.of(-128, 0, 127);
    expect(filled([3, 1, 1], [3], values, undefined, 0, [0.1, 9])).toEqual([-128, 0, 127]);
    expect(() => filled([3, 1, 1], [3], values, { mean: [1] })).toThrow(/int8 samples are the input's own integers/);
  });

  it("is scaled, then less the mean, then divided", () => {
    expect(filled([2, 1, 1], [2], numbers(10, 10), { scale: 2, mean: [4, 0], std: [4, 2] })).toEqual([4, 10]);
    expect(filled([2, 1, 1], [2], Uint8Array.of(255, 51), { mean: [0.2], std: [0.1] })).toEqual([8, 0]);
    expect(filled([1, 1, 2], [2], Uint8Array.of(3, 250), { scale: 1, mean: [128] })).toEqual([-125, 122]);
    expect(() => filled([2, 1, 1], [2], numbers(1, 2), { mean: [1, 2, 3] })).toThrow(
      "mean: expected one, or one for each of 2 channels, got 3",
    );
  });
});

describe("how samples lie", () => {
  const planar = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
  const fromPixels = [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11];

  it.each<[string, readonly number[], Reading | undefined, readonly number[]]>([
    ["channels first", [2, 2, 3], undefined, planar],
    ["channels last", [2, 3, 2], undefined, fromPixels],
    ["flat", [12], undefined, planar],
    ["flat, channels last", [12], { layout: "nhwc" }, fromPixels],
    ["channels last, and said so", [2, 3, 2], { layout: "nhwc" }, fromPixels],
  ])("%s", (_, samples, reading, expected) => {
    expect(filled([2, 2, 3], samples, upTo(12), reading)).toEqual(expected);
  });

  it("does not matter for one channel, and dimensions of 1 do not count", () => {
    for (const samples of [[2, 3], [1, 2, 3], [2, 3, 1], [6]]) {
      for (const layout of ["nchw", "nhwc"] as const) {
        expect(filled([1, 2, 3], samples, upTo(6), { layout })).toEqual([0, 1, 2, 3, 4, 5]);
      }
    }
    expect(filled([4, 1, 1], [4], upTo(4))).toEqual([0, 1, 2, 3]);
    expect(filled([1, 1, 1], [], upTo(1))).toEqual([0]);
  });

  it("has to be said where both fit", () => {
    expect(() => filled([2, 2, 2], [2, 2, 2], upTo(8))).toThrow(
      "samples of [2, 2, 2] may have their channels first or last: expected a layout",
    );
    expect(filled([2, 2, 2], [2, 2, 2], upTo(8), { layout: "nhwc" })).toEqual([0, 2, 4, 6, 1, 3, 5, 7]);
  });

  it.each<[readonly number[], Reading | undefined, string]>([
    [[3, 2, 2], undefined, "the model takes images of [2, 2, 3] or [2, 3, 2], got [3, 2, 2]"],
    [[2, 2, 3], { layout: "nhwc" }, "the model takes images of [2, 3, 2], got [2, 2, 3]"],
    [[2, 3, 2], { layout: "nchw" }, "the model takes images of [2, 2, 3], got [2, 3, 2]"],
    [[13], undefined, "the model takes images of [2, 2, 3] or [2, 3, 2], got [13]"],
  ])("samples of %j with %j are refused", (samples, reading, message) => {
    expect(() => filled([2, 2, 3], samples, upTo(12), reading)).toThrow(message);
  });
});

describe("what a model says of its input", () => {
  const input = { shape: [3, 1, 2] as const, scale: 0.5, zeroPoint: 3 };
  const bgr: Preprocessing = { layout: "interleaved", colours: "bgr", mean: [10, 20, 30], std: [2, 4, 1] };
  const fill = (set: Omit<DataSet, "count">, preprocessing?: Preprocessing): number[] => {
    const target = new Int8Array(6);
    inputFiller({ count: 1, ...set }, { ...input, ...(preprocessing && { preprocessing }) })(0, target);
    return [...target];
  };
  const bytes = Uint8Array.of(10, 20, 30, 14, 28, 33);

  it("is where the channels of flat samples stand, and mean and std of bytes", () => {
    expect(fill({ shape: [6], images: bytes }, bgr)).toEqual([3, 7, 3, 7, 3, 9]);
    expect(fill({ shape: [6], images: bytes, reading: { layout: "nchw" } }, bgr)).toEqual([3, 13, 8, 0, -1, 9]);
  });

  it("gives way to a reading, and is nothing to real numbers", () => {
    expect(fill({ shape: [6], images: bytes, reading: { scale: 0.1 } }, bgr)).toEqual([5, 6, 7, 9, 9, 10]);
    const reals = Float32Array.of(1, 2, 3, 4, 5, 6);
    expect(fill({ shape: [1, 2, 3], images: reals }, bgr)).toEqual([5, 11, 7, 13, 9, 15]);
  });

  it("turns the colours of pictures, not of other samples", () => {
    const planes = { shape: [3, 1, 2], images: Uint8Array.of(30, 33, 20, 28, 10, 14), colours: "rgb" } as const;
    expect(fill(planes, bgr)).toEqual([3, 7, 3, 7, 3, 9]);
    expect(fill(planes, { ...bgr, colours: "rgb" })).not.toEqual([3, 7, 3, 7, 3, 9]);
    const { colours: _, ...unnamed } = planes;
    expect(fill(unnamed, bgr)).toEqual(fill(planes, { ...bgr, colours: "rgb" }));
  });

  it("holds for real numbers before they are quantized, too", () => {
    const target = new Float32Array(6);
    realFiller({ count: 1, shape: [6], images: bytes }, input.shape, bgr)(0, target);
    expect([...target]).toEqual([0, 2, 0, 2, 0, 3]);
  });
});
