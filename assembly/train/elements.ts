/** Samples as they are stored, and as floats in the data's own units. */
import { normal } from "./random";

/** Types of elements, as host/train/augmenter.ts numbers them. */
export const U8: i32 = 0;
export const I8: i32 = 1;

/** Element `index` of a sample. */
// @ts-ignore: decorator
@inline
export function element<T>(sample: usize, index: i32): f32 {
  return <f32>load<T>(sample + <usize>index * sizeof<T>());
}

/** Copies `count` elements to floats. */
export function toFloats<T>(floats: usize, sample: usize, count: i32): void {
  for (let i = 0; i < count; i++) store<f32>(floats + ((<usize>i) << 2), element<T>(sample, i));
}

/** Copies `count` floats to elements; integers are rounded, and clipped to their range. */
export function fromFloats(sample: usize, floats: usize, count: i32, type: i32): void {
  if (type == U8) {
    for (let i = 0; i < count; i++) {
      const value = load<f32>(floats + ((<usize>i) << 2));
      store<u8>(sample + <usize>i, <u8>(min(max(value, <f32>0), <f32>255) + 0.5));
    }
  } else if (type == I8) {
    for (let i = 0; i < count; i++) {
      const value = floor(load<f32>(floats + ((<usize>i) << 2)) + 0.5);
      store<i8>(sample + <usize>i, <i8>min(max(value, <f32>-128), <f32>127));
    }
  } else {
    memory.copy(sample, floats, (<usize>count) << 2);
  }
}

/** Mean of `count` floats. */
export function meanOf(floats: usize, count: i32): f32 {
  let sum: f64 = 0;
  for (let i = 0; i < count; i++) sum += load<f32>(floats + ((<usize>i) << 2));
  return <f32>(sum / <f64>max(count, 1));
}

/** Adds noise of mean 0 and the given standard deviation. */
export function addNoise(floats: usize, count: i32, deviation: f32): void {
  for (let i = 0; i < count; i++) {
    const at = floats + ((<usize>i) << 2);
    store<f32>(at, load<f32>(at) + deviation * normal());
  }
}
