/** Lines of elements: copied, filled, and looked at through the windows of pools. */
import {
  TENSOR_CHANNELS,
  TENSOR_HEIGHT,
  TENSOR_PITCH,
  TENSOR_PLANE,
  TENSOR_PTR,
  TENSOR_WIDTH,
  TENSOR_ZERO_POINT,
} from "../abi";
import { borderOf, tensorBytes } from "../core/tensor";

/** Copies a line, and not a byte more. */
export function copyLine(target: usize, source: usize, count: u32): void {
  if (count >= 16) {
    let last = count - 16;
    for (let at: u32 = 0; at < last; at += 16) v128.store(target + at, v128.load(source + at));
    v128.store(target + last, v128.load(source + last));
  } else if (count >= 8) {
    let first = load<u64>(source);
    let last = load<u64>(source + count - 8);
    store<u64>(target, first);
    store<u64>(target + count - 8, last);
  } else {
    for (let at: u32 = 0; at < count; at++) store<u8>(target + at, load<u8>(source + at));
  }
}

/** Fills a tensor's border with its zero point. */
export function fillBorders(entry: usize): void {
  let border = borderOf(entry);
  if (!border) return;
  let zeroPoint: u32 = load<u8>(entry, TENSOR_ZERO_POINT);
  let pitch = load<u32>(entry, TENSOR_PITCH);
  let width = load<u32>(entry, TENSOR_WIDTH);
  let height = load<u32>(entry, TENSOR_HEIGHT);
  let plane = load<u32>(entry, TENSOR_PLANE);
  let begin = load<usize>(entry, TENSOR_PTR) - border * (pitch + 1);
  let above = border * (pitch + 1);
  let isNarrow = border == 1;
  for (let end = begin + tensorBytes(entry); begin < end; begin += plane) {
    memory.fill(begin, <u8>zeroPoint, above);
    // What is right of a line and left of the next lies side by side.
    let at = begin + above + width;
    for (let y: u32 = 1; y < height; y++) {
      if (isNarrow) store<u16>(at, zeroPoint * 0x101);
      else memory.fill(at, <u8>zeroPoint, 2 * border);
      at += pitch;
    }
    memory.fill(at, <u8>zeroPoint, above);
  }
}

/** Gives a state its zero points. */
export function fillTensor(entry: usize): void {
  let border = borderOf(entry);
  let begin = load<usize>(entry, TENSOR_PTR) - border * (load<u32>(entry, TENSOR_PITCH) + 1);
  memory.fill(begin, load<u8>(entry, TENSOR_ZERO_POINT), tensorBytes(entry));
}

/** Copies the elements of a tensor to another one of its shape. */
export function copyTensor(entry: usize, source: usize): void {
  let channels = load<u32>(entry, TENSOR_CHANNELS);
  let height = load<u32>(entry, TENSOR_HEIGHT);
  let width = load<u32>(entry, TENSOR_WIDTH);
  for (let c: u32 = 0; c < channels; c++) {
    for (let y: u32 = 0; y < height; y++) copyLine(elementAt(entry, c, y), elementAt(source, c, y), width);
  }
}

/** Address of a line's first element. */
export function elementAt(entry: usize, channel: u32, y: u32): usize {
  return load<usize>(entry, TENSOR_PTR) + channel * load<u32>(entry, TENSOR_PLANE) + y * load<u32>(entry, TENSOR_PITCH);
}

/** The bytes of two vectors at even places. */

@inline
export function evens(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}

/**
 * Writes to `target` the largest element of each of `count` windows along a line.
 * @param line room for the `(count - 1) × step + width` largest elements of columns, and 64 bytes more; it is written
 */
export function maxLine(
  source: usize,
  pitch: u32,
  height: u32,
  width: u32,
  step: u32,
  count: u32,
  line: usize,
  target: usize,
): void {
  let span = (count - 1) * step + width;
  for (let x: u32 = 0; x < span; x += 16) {
    let at = source + x;
    let most = v128.load(at);
    for (let y: u32 = 1; y < height; y++) {
      at += pitch;
      most = i8x16.max_s(most, v128.load(at));
    }
    v128.store(line + x, most);
  }
  // In place: windows are read before their outputs are written over what stands there.
  if (step > 2) {
    for (let j: u32 = 0; j < count; j++) {
      let at = line + j * step;
      let most: i32 = load<i8>(at);
      for (let t: u32 = 1; t < width; t++) most = max(most, <i32>load<i8>(at + t));
      store<i8>(line + j, most);
    }
  } else {
    for (let j: u32 = 0; j < count; j += 16) {
      let at = line + j * step;
      let most = step == 1 ? v128.load(at) : evens(v128.load(at), v128.load(at, 16));
      for (let t: u32 = 1; t < width; t++) {
        at++;
        most = i8x16.max_s(most, step == 1 ? v128.load(at) : evens(v128.load(at), v128.load(at, 16)));
      }
      v128.store(line + j, most);
    }
  }
  copyLine(target, line, count);
}
