/** Layers of weights ± 1 over elements 0 and 1, a bit each: at the edges of words, lines and lots, and what is no such layer. */
import { describe, expect, it } from "vitest";
import { BITS_LINE, BITS_LINES, BITS_PLACE_BYTES, BITS_WORD_BYTES, ROW_BYTES } from "../../assembly/fast/layout.js";
import type { QModel, QWeights, Shape } from "../../host/model/model.js";
import type { FastLayerReport } from "../../host/report/fast.js";
import { buildModel, randomInput, type LayerSpec } from "../support/models.js";
import { expectEqual } from "./expect-equal.js";

const signs = { weights: "signs", density: 1 } as const;
/** Makes elements 0 and 1 of the input. */
const step: LayerSpec = { op: "conv2d", kernel: [1, 1], out: 1, weights: "single", density: 1, step: true };

function reportOf(model: QModel): FastLayerReport[] {
  const [input] = model.tensors;
  const inputs = [1, 2].map((seed) => randomInput({ ...model, tensors: [input] }, seed));
  return expectEqual(model, [...inputs, inputs[0].slice().fill(-128), inputs[0].slice().fill(127)]);
}

/** Behind elements of this shape. */
const behind = (shape: Shape, ...specs: LayerSpec[]): QModel =>
  buildModel(specs.length + shape[0], shape, [{ ...step, out: shape[0] } as LayerSpec, ...specs]);

const bytesOf = (rows: number, weights: number): number =>
  rows * (ROW_BYTES + BITS_WORD_BYTES * Math.ceil(weights / 64));

describe("dense layers", () => {
  it.each([32, 63, 64, 65, 128, 500, BITS_LINE, BITS_LINE + 1, 8 * BITS_PLACE_BYTES])("of %i inputs", (inputs) => {
    const rows = Math.ceil(9000 / inputs);
    const [, report] = reportOf(behind([1, 1, inputs], { op: "dense", out: rows, ...signs }));
    expect(report).toMatchObject({ kernel: "by bits", streamBytes: bytesOf(rows, inputs) });
    expect(report.records - report.zeros).toBe(rows * inputs);
  });

  it("of more inputs have others", () => {
    const model = behind([1, 1, 8 * BITS_PLACE_BYTES + 1], { op: "dense", out: 3, ...signs });
    expect(reportOf(model)[1].kernel).not.toBe("by bits");
  });

  it("read across a border that another layer reads, and what pools, joins and enlarges bits", () => {
    const specs: LayerSpec[] = [
      { op: "maxpool", kernel: 3, stride: 1, pad: 1 },
      { op: "concat", from: [1, 2] },
      { op: "resize", factor: 2 },
      { op: "dense", out: 90, step: true, ...signs },
      { op: "conv2d", kernel: [3, 3], out: 40, pad: 1, from: 4, ...signs },
      { op: "dense", out: 200, from: 1, ...signs },
    ];
    const kernels = reportOf(behind([3, 7, 6], ...specs)).map(({ kernel }) => kernel);
    expect(kernels.slice(1)).toEqual(["maxpool", "concat", "resize", ...Array<string>(3).fill("by bits")]);
  });
});

describe("convolutions", () => {
  const conv = { op: "conv2d", ...signs } as const;
  it.each<[string, Shape, LayerSpec]>([
    ["of one place", [5, 3, 3], { ...conv, kernel: [3, 3], out: 300 }],
    ["of 1 × 1, and many channels", [200, 4, 5], { ...conv, kernel: [1, 1], out: 150 }],
    ["of lines as long as a word's bytes, and longer", [3, 9, 30], { ...conv, kernel: [2, 9], out: 20, pad: [1, 0] }],
    ["of a line", [1, 1, 400], { ...conv, kernel: [1, 200], out: 20 }],
    ["with strides", [4, 13, 11], { ...conv, kernel: [5, 3], stride: [3, 2], pad: [2, 1], out: 40 }],
    ["with a pool", [6, 12, 14], { ...conv, kernel: [5, 5], out: 30, pool: { size: 2, stride: 2 } }],
    [
      "with a pool that overlaps",
      [4, 12, 10],
      { ...conv, kernel: [3, 3], pad: 1, out: 50, pool: { size: 3, stride: 2 } },
    ],
    ["with a pool with gaps", [4, 12, 11], { ...conv, kernel: [3, 3], out: 50, pool: { size: 2, stride: 3 } }],
  ])("%s", (_, shape, spec) => {
    expect(reportOf(behind(shape, spec))[1].kernel).toBe("by bits");
  });

  it.each<[string, LayerSpec]>([
    ["in groups", { ...conv, kernel: [3, 3], out: 60, groups: 2 }],
    ["with a pool that is not square", { ...conv, kernel: [3, 3], out: 60, pool: { size: [1, 2], stride: [1, 2] } }],
    ["with a pool and a stride", { ...conv, kernel: [3, 3], out: 60, stride: 2, pool: { size: 2, stride: 2 } }],
    ["that lacks weights", { ...conv, kernel: [3, 3], out: 60, density: 0.9 }],
    ["of other weights", { ...conv, kernel: [3, 3], out: 60, weights: "single" }],
  ])("%s have others", (_, spec) => {
    expect(reportOf(behind([4, 9, 9], spec))[1].kernel).not.toBe("by bits");
  });
});

describe("elements", () => {
  const layers: LayerSpec[] = [{ op: "dense", out: 300, ...signs }];
  const of = (tensor: object, layer: Partial<QWeights>): string => {
    const model = behind([4, 6, 6], { op: "conv2d", kernel: [3, 3], pad: 1, out: 80, ...signs }, ...layers);
    const tensors = model.tensors.map((one, index) => (index === 1 ? { ...one, ...tensor } : one));
    const changed = [{ ...model.layers[0], ...layer }, ...model.layers.slice(1)] as QModel["layers"];
    return reportOf({ ...model, tensors, layers: changed })[1].kernel;
  };

  it("may have 1 for zero point, and stand for anything", () => expect(of({ zeroPoint: 1 }, {})).toBe("by bits"));
  it("of 2 have another kernel", () => expect(of({}, { clamp: [0, 2] })).not.toBe("by bits"));
  it("of -1 have another kernel", () => expect(of({}, { clamp: [-1, 1] })).not.toBe("by bits"));
  it("beside a border of something else have another kernel", () =>
    expect(of({ zeroPoint: -1 }, {})).not.toBe("by bits"));
});

it.each([
  [[0, 127], "by bits"],
  [[-128, 0], "by bits"],
  [[2, 127], "another"],
  [[-128, -1], "another"],
] as const)("elements picked from bits and cut to %j go %s way", (clamp, way) => {
  const model = behind([3, 6, 6], { op: "maxpool", kernel: 2, stride: 2 }, { op: "dense", out: 60, ...signs });
  const layers = model.layers.map((layer) => (layer.op === "maxpool" ? { ...layer, clamp } : layer));
  const { kernel } = reportOf({ ...model, layers: layers as QModel["layers"] })[2];
  expect(kernel === "by bits" ? kernel : "another").toBe(way);
});

it("a place of too many lines to be laid out at a stroke has another kernel", () => {
  const kernelOf = (channels: number): string =>
    reportOf(behind([channels, 1, 1], { op: "conv2d", kernel: [1, 1], out: 9, ...signs }))[1].kernel;
  expect(kernelOf(BITS_LINES)).toBe("by bits");
  expect(kernelOf(BITS_LINES + 1)).not.toBe("by bits");
});

describe("outputs of two values", () => {
  it.each<[string, LayerSpec, string]>([
    ["dense layers", { op: "dense", out: 90, ...signs, step: true }, "dense by six rows"],
    ["convolutions", { op: "conv2d", kernel: [5, 5], out: 90, ...signs, step: true }, "conv2d by two filters"],
  ])("of %s that read int8 need no scale that the kernel for most weights lacks", (_, spec, kernel) => {
    expect(reportOf(buildModel(3, [2, 9, 9], [spec]))[0].kernel).toBe(kernel);
  });
});
