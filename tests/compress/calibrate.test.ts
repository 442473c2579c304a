import { describe, expect, test } from "vitest";
import {
  bestScale,
  calibrate,
  Histogram,
  INPUT_SCALE,
  inputScale,
  logitRange,
  scaleForRange,
  scaleGroups,
  squaredError,
} from "../../host/quantize/calibrate.js";
import { lenet5 } from "../../host/train/nets.js";

function histogramOf(values: Float32Array): Histogram {
  const histogram = new Histogram();
  histogram.bound(values);
  histogram.count(values);
  return histogram;
}

describe("scales", () => {
  test.each([
    [0, 25.5, 0.1, -128],
    [-12.8, 12.7, 0.1, 0],
    [-25.5, 0, 0.1, 127],
    [3, 25.5, 0.1, -128],
  ])("range %f .. %f", (low, high, scale, zeroPoint) => {
    const found = scaleForRange(low, high);
    expect(found.scale).toBeCloseTo(scale, 6);
    expect(found.zeroPoint).toBe(zeroPoint);
  });

  test("0 is exact in every range, and a range of nothing still has a scale", () => {
    for (const [low, high] of [
      [-1, 2.7],
      [-0.3, 0.001],
      [0, 0],
    ]) {
      const { scale, zeroPoint } = scaleForRange(low, high);
      expect(scale).toBeGreaterThan(0);
      expect(Number.isInteger(zeroPoint) && zeroPoint >= -128 && zeroPoint <= 127).toBe(true);
    }
  });

  test("the best range clips a lone outlier, and only then", () => {
    const even = Float32Array.from({ length: 10_000 }, (_, i) => i / 10_000);
    expect(bestScale(histogramOf(even), true).scale).toBeCloseTo(1 / 255, 3);
    const outlier = Float32Array.from({ length: 1_000_000 }, (_, i) => (i === 0 ? 1.3 : i / 1_000_000));
    const histogram = histogramOf(outlier);
    const best = bestScale(histogram, true);
    expect(best.scale).toBeLessThan(1.2 / 255);
    expect(squaredError(histogram, best)).toBeLessThan(squaredError(histogram, scaleForRange(0, 1.3)));
  });
});

describe("what is constant, or too large", () => {
  const constant = (value: number) => Float32Array.from({ length: 20 }, () => value);
  const digits: Record<string, Float32Array> = {
    image: constant(0.5),
    conv1: constant(1),
    pool1: constant(1),
    conv2: constant(-2),
    pool2: constant(-2),
    fc1: constant(-3),
    relu1: constant(0),
    logits: constant(0),
  };
  const scalesOf = (values: Record<string, Float32Array>, classes = 10) =>
    calibrate(
      lenet5,
      classes,
      async (visit) => {
        for (const [tensor, data] of Object.entries(values)) visit(tensor, data, 2);
      },
      "error",
      INPUT_SCALE,
    );

  test("a constant tensor's scale holds the constant, and one of nothing but 0 covers 0 .. 1", async () => {
    const scales = await scalesOf(digits);
    const real = (tensor: string, q: number) => scales[tensor].scale * (q - scales[tensor].zeroPoint);
    expect(real("conv1", 127)).toBeCloseTo(1);
    expect(real("conv2", -128)).toBeCloseTo(-2);
    expect(scales.relu1).toEqual({ scale: Math.fround(1 / 255), zeroPoint: -128 });
    expect(scales.logits).toEqual({ scale: Math.fround(1 / 255), zeroPoint: -128 });
  });

  test.each([-4, 0, 7.5])(
    "one class has no runner-up: the range is that of its own values, %f among them",
    async (value) => {
      const scales = await scalesOf({ ...digits, logits: constant(value) }, 1);
      const { scale, zeroPoint } = scales.logits;
      expect(Number.isFinite(scale) && scale > 0).toBe(true);
      const q = Math.round(value / scale) + zeroPoint;
      expect(q >= -128 && q <= 127).toBe(true);
      expect(Math.abs(scale * (q - zeroPoint) - value)).toBeLessThanOrEqual(scale);
    },
  );

  test.each([NaN, Infinity, -Infinity])("%f is refused, named by its tensor", async (value) => {
    for (const name of ["pool1", "fc1", "logits"]) {
      await expect(scalesOf({ ...digits, [name]: Float32Array.of(1, value) }, 1)).rejects.toMatchObject({
        code: "DIVERGED",
        message: expect.stringContaining(`tensor ${name}: is ${value} on a calibration digit`),
      });
    }
  });
});

test("logits: up to a tenth above the highest, down to the lowest percent of runners-up", () => {
  const n = 200;
  const logits = new Float32Array(3 * n);
  for (let i = 0; i < n; i++) {
    logits[i] = 20;
    logits[n + i] = -10 + i / 100;
    logits[2 * n + i] = -500;
  }
  const { low, high } = logitRange([logits.subarray(0)], 3);
  expect(high).toBeCloseTo(22);
  expect(low).toBeCloseTo(-9.98);
});

test("LeNet-5: pools and relu share the scale of what feeds them", () => {
  expect(scaleGroups(lenet5)).toEqual([
    { tensors: ["image"], deciders: ["image"], nonNegative: false, role: "input" },
    { tensors: ["conv1", "pool1"], deciders: ["pool1"], nonNegative: false, role: "hidden" },
    { tensors: ["conv2", "pool2"], deciders: ["pool2"], nonNegative: false, role: "hidden" },
    { tensors: ["fc1", "relu1"], deciders: ["relu1"], nonNegative: true, role: "hidden" },
    { tensors: ["logits"], deciders: ["logits"], nonNegative: false, role: "result" },
  ]);
});

test("calibrate gives every tensor a scale; the input's is fixed, relu's zero point is -128", async () => {
  const values: Record<string, Float32Array> = {
    image: Float32Array.of(0, 1),
    conv1: Float32Array.of(-90, 90),
    pool1: Float32Array.of(-1, 2),
    pool2: Float32Array.of(-3, 1),
    relu1: Float32Array.of(0, 4),
    logits: Float32Array.from({ length: 20 }, (_, i) => (i % 10) - 5),
  };
  const scales = await calibrate(
    lenet5,
    10,
    async (visit) => {
      for (const [tensor, data] of Object.entries(values)) visit(tensor, data, 2);
    },
    "full",
    INPUT_SCALE,
  );
  expect(Object.keys(scales).sort()).toEqual(["conv1", "conv2", "fc1", "image", "logits", "pool1", "pool2", "relu1"]);
  expect(scales.image).toBe(INPUT_SCALE);
  expect(scales.pool1.scale).toBeCloseTo(3 / 255);
  expect(scales.conv1).toEqual(scales.pool1);
  expect(scales.relu1.zeroPoint).toBe(-128);
  expect(scales.fc1).toEqual(scales.relu1);
});

describe("the input's scale", () => {
  const bytes = new Uint8Array(0);
  const reading = (scale: number[], offset: number[]) => ({ scale, offset });
  test.each([
    ["bytes", { images: bytes }, INPUT_SCALE],
    ["bytes less 128", { images: bytes, reading: reading([0.5, 0.5], [-64, -64]) }, { scale: 0.5, zeroPoint: 0 }],
    ["int8", { images: new Int8Array(0), reading: reading([0.25], [0]) }, { scale: 0.25, zeroPoint: 0 }],
    ["a mean for each channel", { images: bytes, reading: reading([1, 1], [-1, -2]) }, undefined],
    ["a mean between two bytes", { images: bytes, reading: reading([1], [-1.5]) }, undefined],
    ["a zero point beyond int8", { images: bytes, reading: reading([1], [1]) }, undefined],
    ["real numbers", { images: new Float32Array(0) }, undefined],
  ])("of %s", (_, samples, expected) => {
    expect(inputScale(samples)).toEqual(expected);
  });

  test("follows from the samples where it is not given, and so does a result's that are no logits", async () => {
    const values: Record<string, Float32Array> = {
      image: Float32Array.of(-1, 1.55),
      pool1: Float32Array.of(-1, 2),
      pool2: Float32Array.of(-3, 1),
      relu1: Float32Array.of(0, 4),
      logits: Float32Array.of(-50, 1),
    };
    const scales = await calibrate(
      lenet5,
      undefined,
      async (visit) => {
        for (const [tensor, data] of Object.entries(values)) visit(tensor, data, 2);
      },
      "full",
      undefined,
    );
    expect(scales.image.scale).toBeCloseTo(0.01);
    expect(scales.logits.scale).toBeCloseTo(0.2);
  });
});
