/** Sizes and offsets of planar tensors, against the memory that a loop over channels, rows and borders lays out. */
import { expect, test } from "vitest";
import {
  borderBytes,
  extentOf,
  offsetOf,
  pitchAndPlane,
  placeOf,
  plainLayout,
  tensorBytes,
  valuesOf,
  windowsIn,
} from "../../host/model/geometry.js";
import type { Shape } from "../../host/model/model.js";

test.each<[Shape, number]>([
  [[1, 1, 1], 0],
  [[3, 4, 5], 0],
  [[3, 4, 5], 2],
  [[2, 1, 7], 15],
])("%j with a border of %i", (shape, border) => {
  const [channels, height, width] = shape;
  const places: number[] = [];
  let bytes = 0;
  for (let channel = 0; channel < channels; channel++) {
    for (let y = -border; y < height + border; y++) {
      for (let x = -border; x < width + border; x++, bytes++) {
        if (y >= 0 && y < height && x >= 0 && x < width) places.push(bytes);
      }
    }
  }
  const layout = pitchAndPlane({ shape, border });
  const first = borderBytes(layout, border);
  const elements = Array.from({ length: valuesOf(shape) }, (_, i) => placeOf(shape, i));
  expect(elements.map((place) => first + offsetOf(layout, ...place))).toEqual(places);
  expect(elements.map((place) => offsetOf(plainLayout(shape), ...place))).toEqual(elements.map((_, i) => i));
  expect(tensorBytes({ shape, border, nominalChannels: channels, scale: 1, zeroPoint: 0 })).toBe(bytes);
});

test.each([
  [10, 3, 1],
  [10, 3, 2],
  [10, 3, 4],
  [10, 10, 7],
])("windows along %i elements, each %i wide, %i apart", (extent, size, stride) => {
  let count = 0;
  while (count * stride + size <= extent) count++;
  expect(windowsIn(extent, size, stride)).toBe(count);
  expect(extentOf(count, size, stride)).toBe((count - 1) * stride + size);
  expect(extentOf(count + 1, size, stride)).toBeGreaterThan(extent);
});
