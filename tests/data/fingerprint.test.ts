import { describe, expect, test } from "vitest";
import { countShared, fingerprints, isSketch, seenIn, sketchOf } from "../../host/data/fingerprint.js";
import type { Samples } from "../../host/data/samples.js";
import { Random } from "../../host/rng.js";

/** Noise of `size` bytes each. */
function noise(count: number, seed: number, size = 100): Samples {
  const random = new Random(seed);
  return { count, images: Uint8Array.from({ length: count * size }, () => random.integer(256)) };
}

describe("fingerprints", () => {
  test("are those of the picture, not of its file", () => {
    const bytes = noise(50, 1);
    const prints = fingerprints(bytes, 1);
    expect(new Set(prints).size).toBe(50);
    const unit: Samples = { count: 50, images: Float32Array.from(bytes.images, (byte) => byte / 255) };
    const around: Samples = { ...bytes, reading: { scale: [1 / 127.5], offset: [-1] } };
    expect(fingerprints(unit, 1)).toEqual(prints);
    expect(fingerprints(around, 1)).toEqual(prints);
    const other = { ...bytes, images: bytes.images.slice() };
    other.images[4999] ^= 1;
    expect(countShared(fingerprints(other as Samples, 1), prints)).toBe(49);
  });

  test("of a few values tell all of them apart", () => {
    const small: Samples = { count: 4, images: Float32Array.of(1, 2, 2, 4, 1, 2, 1.0000001, 2) };
    const prints = fingerprints(small, 1);
    expect(prints[0]).toBe(prints[2]);
    expect(new Set(prints).size).toBe(3);
    const bytes: Samples = { count: 1, images: Uint8Array.of(255, 51) };
    expect(fingerprints(bytes, 1)).toEqual(fingerprints({ count: 1, images: Float32Array.of(1, 0.2) }, 1));
  });

  test("of none are none", () => {
    expect(fingerprints({ count: 0, images: new Uint8Array(0) }, 1)).toHaveLength(0);
    expect(seenIn(sketchOf(new Float64Array(0)), Float64Array.of(1))).toEqual({ checked: 1, seen: 0 });
  });
});

describe("a sketch", () => {
  test("of few samples knows them all", () => {
    const [a, b] = [fingerprints(noise(300, 1), 1), fingerprints(noise(200, 2), 1)];
    const sketch = sketchOf(a);
    expect(isSketch(sketch)).toBe(true);
    expect(seenIn(sketch, a)).toEqual({ checked: 300, seen: 300 });
    expect(seenIn(sketch, b)).toEqual({ checked: 200, seen: 0 });
    expect(seenIn(sketch, Float64Array.of(...b, ...a.subarray(0, 7)))).toEqual({ checked: 207, seen: 7 });
  });

  test("of many tells the share", () => {
    const all = fingerprints(noise(20_000, 3, 70), 1);
    const sketch = sketchOf(all.subarray(0, 10_000));
    expect(sketch).toHaveLength(2048 * 12);
    const { checked, seen } = seenIn(sketch, all.subarray(5_000, 15_000));
    expect(checked).toBeGreaterThan(1800);
    expect(seen / checked).toBeCloseTo(0.5, 1);
  });

  test.each(["x", "0", "0123456789AB", "0".repeat(12 * 2049)])("is not %.20s", (text) => {
    expect(isSketch(text)).toBe(false);
  });
});
