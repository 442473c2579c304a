import { describe, expect, test } from "vitest";
import { requireLabels, shareSamples, sliceSamples, type Samples } from "../../host/data/samples.js";

/** Three samples of two values, with everything that samples can have. */
const full: Samples = {
  count: 3,
  images: Float32Array.of(0.5, -1, 2, 3.25, 4, 5),
  reading: { scale: [2], offset: [-1] },
  labels: Uint16Array.of(7, 300, 9),
  targets: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9),
  logits: Float32Array.of(10, 11, 12),
  features: Float32Array.of(20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31),
};

describe("slices", () => {
  test("have each array's part, without copying, and the reading of the whole", () => {
    const slice = sliceSamples(full, 1, 2);
    expect(slice).toEqual({
      count: 1,
      images: Float32Array.of(2, 3.25),
      reading: full.reading,
      labels: Uint16Array.of(300),
      targets: Float32Array.of(4, 5, 6),
      logits: Float32Array.of(11),
      features: Float32Array.of(24, 25, 26, 27),
    });
    expect(slice.images.buffer).toBe(full.images.buffer);
  });

  test("have no fields that the whole does not have; none of none are none", () => {
    const bare: Samples = { count: 2, images: Uint8Array.of(1, 2) };
    expect(sliceSamples(bare, 0, 1)).toEqual({ count: 1, images: Uint8Array.of(1) });
    expect(sliceSamples({ count: 0, images: new Int8Array(0) }, 0, 0)).toEqual({ count: 0, images: new Int8Array(0) });
    expect(() => sliceSamples(bare, 1, 3)).toThrow("range 1 .. 3 is not within 0 .. 2");
  });
});

test("shared samples are the same, of the same kinds, and shared arrays are no copies", () => {
  const shared = shareSamples(full);
  expect(shared).toEqual(full);
  for (const key of ["images", "labels", "targets", "logits", "features"] as const) {
    expect(shared[key]!.buffer, key).toBeInstanceOf(SharedArrayBuffer);
    expect(shareSamples(shared)[key], key).toBe(shared[key]);
  }
});

test("what training wants of them", () => {
  expect(requireLabels(full, "training")).toBe(full.labels);
  expect(() => requireLabels({ count: 1, images: Uint8Array.of(1) }, "training")).toThrow(/^training: no labels/);
  expect(() => requireLabels({ ...full, count: 4 }, "validation")).toThrow("validation: 3 labels for 4 samples");
});
