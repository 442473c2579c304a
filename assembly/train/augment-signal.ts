/**
 * Changed copies of what has a time axis: series of measurements, and spectrograms, whose other axis is the frequency (masks: Park et al.
 * 2019, SpecAugment). All planes change alike.
 */
import { SignalChanges } from "./changes";
import { addNoise, element, fromFloats, I8, meanOf, U8 } from "./elements";
import { seedRandom, symmetric, uniform, whole } from "./random";

/** Nodes of the time warp, the outermost at both ends. */
const NODES: i32 = 5;
const NODES_BYTES: usize = 256;

/**
 * Changes one sample. Before its first and behind its last step a signal stays as it is there.
 * @param to another buffer than `from`
 * @param type as of augmentImage
 * @param planes of `steps` × `others` elements each, `stepStride` and `otherStride` elements apart
 * @param seedLow, seedHigh decide the change, together with nothing else
 * @param scratch of the calling thread's own: 256 bytes, and a float for each value
 */
export function augmentSignal(
  to: usize,
  from: usize,
  type: i32,
  planes: i32,
  steps: i32,
  others: i32,
  stepStride: i32,
  otherStride: i32,
  seedLow: u32,
  seedHigh: u32,
  changes: SignalChanges,
  scratch: usize,
): void {
  const plane = steps * others;
  const count = planes * plane;
  const signal = scratch + NODES_BYTES;
  seedRandom(seedLow, seedHigh);
  const most = <i32>changes.shift;
  const shift = whole(2 * most) - most;
  for (let n = 0; n < NODES; n++) store<f32>(scratch + ((<usize>n) << 2), symmetric() * changes.warp);
  const gain = <f32>Math.exp(symmetric() * changes.logScale);
  const cell = <f32>(NODES - 1) / <f32>max(steps - 1, 1);
  for (let step = 0; step < steps; step++) {
    const place = <f32>step * cell;
    const node = min(<i32>place, NODES - 2);
    const t = place - <f32>node;
    const left = load<f32>(scratch + ((<usize>node) << 2));
    const right = load<f32>(scratch + ((<usize>node) << 2), 4);
    const warped = <f32>(step - shift) + left + (right - left) * t * t * (3 - 2 * t);
    const source = min(max(warped, <f32>0), <f32>(steps - 1));
    const before = <i32>source;
    const after = min(before + 1, steps - 1);
    const part = source - <f32>before;
    for (let p = 0; p < planes; p++) {
      for (let other = 0; other < others; other++) {
        const line = p * plane + other * otherStride;
        const a = valueAt(from, type, line + before * stepStride);
        const b = valueAt(from, type, line + after * stepStride);
        store<f32>(signal + ((<usize>(line + step * stepStride)) << 2), (a + (b - a) * part) * gain);
      }
    }
  }
  const mean = meanOf(signal, count);
  mask(signal, planes, plane, steps, stepStride, others, otherStride, <i32>changes.timeMask, mean);
  mask(signal, planes, plane, others, otherStride, steps, stepStride, <i32>changes.otherMask, mean);
  const noise = uniform() * changes.noise;
  if (noise > 0) addNoise(signal, count, noise);
  fromFloats(to, signal, count, type);
}

// @ts-ignore: decorator
@inline
function valueAt(sample: usize, type: i32, index: i32): f32 {
  if (type == U8) return element<u8>(sample, index);
  if (type == I8) return element<i8>(sample, index);
  return element<f32>(sample, index);
}

/** Sets a stretch of up to `most` of `length` places to `value`, across all of the other axis. */
function mask(
  signal: usize,
  planes: i32,
  plane: i32,
  length: i32,
  stride: i32,
  across: i32,
  acrossStride: i32,
  most: i32,
  value: f32,
): void {
  const width = whole(min(most, length));
  const first = whole(length - width);
  for (let p = 0; p < planes; p++) {
    for (let at = first; at < first + width; at++) {
      for (let other = 0; other < across; other++) {
        store<f32>(signal + ((<usize>(p * plane + at * stride + other * acrossStride)) << 2), value);
      }
    }
  }
}
