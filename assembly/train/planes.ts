/** Planes moved about: borders of zeros, samples to lanes and back, channels side by side, enlargement. Planes as in gather.ts: 32 bytes a value. */
import { Border, Resize } from "./descriptors";
import { sumInto } from "./pointwise";

const VALUE_BYTES: usize = 32;

/** Copies planes into wider ones; what is around them is left as it is. */
export function addBorder(border: Border, wide: usize, x: usize, planes: i32): void {
  const height = border.height;
  const rowBytes = <usize>border.width * VALUE_BYTES;
  const wideBytes = <usize>border.wideWidth * VALUE_BYTES;
  const planeBytes = <usize>border.wideHeight * wideBytes;
  wide += <usize>border.top * wideBytes + <usize>border.left * VALUE_BYTES;
  for (let plane = 0; plane < planes; plane++) {
    let to = wide;
    for (let row = 0; row < height; row++) {
      memory.copy(to, x, rowBytes);
      to += wideBytes;
      x += rowBytes;
    }
    wide += planeBytes;
  }
}

/** The inverse of addBorder. @param adds to what x holds */
export function dropBorder(border: Border, x: usize, wide: usize, planes: i32, adds: bool): void {
  const height = border.height;
  const rowBytes = <usize>border.width * VALUE_BYTES;
  const wideBytes = <usize>border.wideWidth * VALUE_BYTES;
  const planeBytes = <usize>border.wideHeight * wideBytes;
  wide += <usize>border.top * wideBytes + <usize>border.left * VALUE_BYTES;
  for (let plane = 0; plane < planes; plane++) {
    let from = wide;
    for (let row = 0; row < height; row++) {
      if (adds) sumInto(x, from, rowBytes, 1, true);
      else memory.copy(x, from, rowBytes);
      from += wideBytes;
      x += rowBytes;
    }
    wide += planeBytes;
  }
}

/** Sets bytes to 0. */
export function clear(from: usize, bytes: usize): void {
  memory.fill(from, 0, bytes);
}

/** Writes one image of `count` bytes to lane 0 .. 7 of a block: pixel / 255. */
export function loadPixels(block: usize, lane: i32, pixels: usize, count: i32): void {
  let to = block + ((<usize>lane) << 2);
  for (let i = 0; i < count; i++) {
    store<f32>(to, <f32>load<u8>(pixels + <usize>i) / <f32>255);
    to += VALUE_BYTES;
  }
}

/** Numbers of `kind`. */
const BYTES: i32 = 0;
const INT8: i32 = 1;

/** Writes `count` numbers of a sample to lane 0 .. 7 of a block: number × scale + offset. @param kind 0: bytes, 1: int8, 2: float32 */
export function loadNumbers(
  block: usize,
  lane: i32,
  kind: i32,
  numbers: usize,
  count: i32,
  scale: f32,
  offset: f32,
): void {
  let to = block + ((<usize>lane) << 2);
  for (let i = 0; i < count; i++) {
    let number: f32;
    if (kind == BYTES) number = <f32>load<u8>(numbers + <usize>i);
    else if (kind == INT8) number = <f32>load<i8>(numbers + <usize>i);
    else number = load<f32>(numbers + ((<usize>i) << 2));
    store<f32>(to, number * scale + offset);
    to += VALUE_BYTES;
  }
}

/** to = from × factor, or to + from × factor, for `bytes` of each block: channels that stand in a tensor of more of them. */
export function sumBlocks(
  to: usize,
  toBlock: usize,
  from: usize,
  fromBlock: usize,
  bytes: usize,
  blocks: i32,
  factor: f32,
  adds: bool,
): void {
  for (let b = 0; b < blocks; b++) {
    sumInto(to, from, bytes, factor, adds);
    to += toBlock;
    from += fromBlock;
  }
}

/** Each value of x becomes factorY × factorX of y. */
export function resize(d: Resize, y: usize, x: usize, planes: i32): void {
  const height = d.height;
  const width = d.width;
  const factorY = d.factorY;
  const factorX = d.factorX;
  const rowBytes = <usize>(width * factorX) * VALUE_BYTES;
  for (let row = 0; row < planes * height; row++) {
    const first = y;
    for (let i = 0; i < width; i++) {
      const x0 = v128.load(x);
      const x1 = v128.load(x, 16);
      for (let k = 0; k < factorX; k++) {
        v128.store(y, x0);
        v128.store(y, x1, 16);
        y += VALUE_BYTES;
      }
      x += VALUE_BYTES;
    }
    for (let k = 1; k < factorY; k++) {
      memory.copy(y, first, rowBytes);
      y += rowBytes;
    }
  }
}

/** Adds to dx the sum of what each value became. */
export function resizeGradient(d: Resize, dx: usize, dy: usize, planes: i32): void {
  const height = d.height;
  const width = d.width;
  const factorY = d.factorY;
  const factorX = d.factorX;
  for (let row = 0; row < planes * height; row++) {
    for (let k = 0; k < factorY; k++) {
      for (let i = 0; i < width; i++) {
        const to = dx + <usize>i * VALUE_BYTES;
        let sum0 = v128.load(to);
        let sum1 = v128.load(to, 16);
        for (let j = 0; j < factorX; j++) {
          sum0 = f32x4.add(sum0, v128.load(dy));
          sum1 = f32x4.add(sum1, v128.load(dy, 16));
          dy += VALUE_BYTES;
        }
        v128.store(to, sum0);
        v128.store(to, sum1, 16);
      }
    }
    dx += <usize>width * VALUE_BYTES;
  }
}
