import { expect, test } from "vitest";
import { Random } from "../../host/rng.js";
import { placeRegions, type Region } from "../../host/train/arena.js";

test("a chain of gradients takes the room of two, at a cache line each", () => {
  const chain = Array.from({ length: 9 }, (_, i): Region => ({ bytes: 100, from: i, to: i + 1 }));
  const { offsets, bytes } = placeRegions(chain);
  expect(bytes).toBe(256);
  expect(new Set(offsets)).toEqual(new Set([0, 128]));
});

test("regions that are needed at the same time never overlap", () => {
  const random = new Random(2);
  const regions = Array.from({ length: 60 }, (): Region => {
    const from = random.integer(30);
    return { bytes: 1 + random.integer(1000), from, to: from + random.integer(8) };
  });
  const { offsets, bytes } = placeRegions(regions);
  regions.forEach((a, i) => {
    expect(offsets[i] % 64).toBe(0);
    expect(offsets[i] + a.bytes).toBeLessThanOrEqual(bytes);
    regions.forEach((b, j) => {
      if (i === j || a.from > b.to || b.from > a.to) return;
      expect(offsets[i] >= offsets[j] + b.bytes || offsets[j] >= offsets[i] + a.bytes).toBe(true);
    });
  });
  expect(bytes).toBeLessThan(regions.reduce((sum, region) => sum + region.bytes, 0) / 2);
});
