/**
 * The one dense kernel behind convolution, its input gradient and the dense layer, forwards and backwards:
 *
 *   out[row][p][s] += sum over o, t of  w[row × wRow + o × wOuter + tap(p, t).w] · x[o × xOuter + position(p).x + tap(p, t).x][s]
 *
 * Samples lie innermost, eight to a block: a value of a plane is 32 bytes, one for each of eight samples. Every layer then
 * vectorises over samples, whatever its shape, without im2col or transposes. All offsets and strides are in bytes.
 *
 * A register tile is up to 5 rows × 8 samples: 10 accumulators, which with two vectors of x and one splat weight fit
 * the sixteen registers of SSE. LeNet's 20, 50, 500 and 10 rows divide by 5; other counts are split evenly.
 */
import { Gather } from "./descriptors";

/** A position: {u32 offset in out, u32 offset in x, u32 first tap, u32 number of taps}. */
const POSITION_BYTES: usize = 16;
/** A tap: {u32 offset in w, u32 offset in x}. */
const TAP_BYTES: usize = 8;
const ROWS_PER_TILE: i32 = 5;

/** Rows of the next tile so that all tiles of `left` rows are about equally high: a tile of one row is slow. */
// @ts-ignore: decorator
@inline
export function tileRows(left: i32): i32 {
  const tiles = (left + ROWS_PER_TILE - 1) / ROWS_PER_TILE;
  return (left + tiles - 1) / tiles;
}

/** `rows` is a constant at every call, so that each call becomes a kernel of its own without the unused accumulators. */
// @ts-ignore: decorator
@inline
function tile(
  rows: i32,
  out: usize,
  outRow: usize,
  w: usize,
  wRow: usize,
  wOuter: usize,
  x: usize,
  xOuter: usize,
  bias: usize,
  outer: i32,
  taps: usize,
  tapsEnd: usize,
): void {
  const out1 = out + outRow;
  const out2 = out1 + outRow;
  const out3 = out2 + outRow;
  const out4 = out3 + outRow;
  let a0 = i32x4.splat(0);
  let a1 = a0;
  let b0 = a0;
  let b1 = a0;
  let c0 = a0;
  let c1 = a0;
  let d0 = a0;
  let d1 = a0;
  let e0 = a0;
  let e1 = a0;
  if (bias != 0) {
    a0 = v128.load32_splat(bias);
    a1 = a0;
    if (rows > 1) {
      b0 = v128.load32_splat(bias, 4);
      b1 = b0;
    }
    if (rows > 2) {
      c0 = v128.load32_splat(bias, 8);
      c1 = c0;
    }
    if (rows > 3) {
      d0 = v128.load32_splat(bias, 12);
      d1 = d0;
    }
    if (rows > 4) {
      e0 = v128.load32_splat(bias, 16);
      e1 = e0;
    }
  } else {
    a0 = v128.load(out);
    a1 = v128.load(out, 16);
    if (rows > 1) {
      b0 = v128.load(out1);
      b1 = v128.load(out1, 16);
    }
    if (rows > 2) {
      c0 = v128.load(out2);
      c1 = v128.load(out2, 16);
    }
    if (rows > 3) {
      d0 = v128.load(out3);
      d1 = v128.load(out3, 16);
    }
    if (rows > 4) {
      e0 = v128.load(out4);
      e1 = v128.load(out4, 16);
    }
  }
  for (let o = 0; o < outer; o++) {
    for (let tap = taps; tap < tapsEnd; tap += TAP_BYTES) {
      const values = x + <usize>load<u32>(tap, 4);
      const x0 = v128.load(values);
      const x1 = v128.load(values, 16);
      let weight = w + <usize>load<u32>(tap);
      let s = v128.load32_splat(weight);
      a0 = f32x4.add(a0, f32x4.mul(s, x0));
      a1 = f32x4.add(a1, f32x4.mul(s, x1));
      if (rows > 1) {
        weight += wRow;
        s = v128.load32_splat(weight);
        b0 = f32x4.add(b0, f32x4.mul(s, x0));
        b1 = f32x4.add(b1, f32x4.mul(s, x1));
      }
      if (rows > 2) {
        weight += wRow;
        s = v128.load32_splat(weight);
        c0 = f32x4.add(c0, f32x4.mul(s, x0));
        c1 = f32x4.add(c1, f32x4.mul(s, x1));
      }
      if (rows > 3) {
        weight += wRow;
        s = v128.load32_splat(weight);
        d0 = f32x4.add(d0, f32x4.mul(s, x0));
        d1 = f32x4.add(d1, f32x4.mul(s, x1));
      }
      if (rows > 4) {
        weight += wRow;
        s = v128.load32_splat(weight);
        e0 = f32x4.add(e0, f32x4.mul(s, x0));
        e1 = f32x4.add(e1, f32x4.mul(s, x1));
      }
    }
    w += wOuter;
    x += xOuter;
  }
  v128.store(out, a0);
  v128.store(out, a1, 16);
  if (rows > 1) {
    v128.store(out1, b0);
    v128.store(out1, b1, 16);
  }
  if (rows > 2) {
    v128.store(out2, c0);
    v128.store(out2, c1, 16);
  }
  if (rows > 3) {
    v128.store(out3, d0);
    v128.store(out3, d1, 16);
  }
  if (rows > 4) {
    v128.store(out4, e0);
    v128.store(out4, e1, 16);
  }
}

/** @param bias one float a row to start from, or 0 to add to what out holds */
export function gather(d: Gather, out: usize, w: usize, x: usize, bias: usize, blocks: i32): void {
  const positions = d.positions;
  const positionsEnd = positions + <usize>d.positionCount * POSITION_BYTES;
  const taps = d.taps;
  const outRow = d.outRow;
  const wRow = d.wRow;
  const wOuter = d.wOuter;
  const xOuter = d.xOuter;
  const outer = d.outer;
  const outBlock = d.outBlock;
  const xBlock = d.xBlock;
  for (let group = 0; group < d.groups; group++) {
    let weight = w;
    let rows = d.rows;
    while (rows > 0) {
      const high = tileRows(rows);
      for (let b = 0; b < blocks; b++) {
        const blockOut = out + <usize>b * outBlock;
        const blockX = x + <usize>b * xBlock;
        for (let p = positions; p < positionsEnd; p += POSITION_BYTES) {
          const o = blockOut + <usize>load<u32>(p);
          const v = blockX + <usize>load<u32>(p, 4);
          const from = taps + <usize>load<u32>(p, 8) * TAP_BYTES;
          const to = from + <usize>load<u32>(p, 12) * TAP_BYTES;
          switch (high) {
            case 5: {
              tile(5, o, outRow, weight, wRow, wOuter, v, xOuter, bias, outer, from, to);
              break;
            }
            case 4: {
              tile(4, o, outRow, weight, wRow, wOuter, v, xOuter, bias, outer, from, to);
              break;
            }
            case 3: {
              tile(3, o, outRow, weight, wRow, wOuter, v, xOuter, bias, outer, from, to);
              break;
            }
            case 2: {
              tile(2, o, outRow, weight, wRow, wOuter, v, xOuter, bias, outer, from, to);
              break;
            }
            default: {
              tile(1, o, outRow, weight, wRow, wOuter, v, xOuter, bias, outer, from, to);
            }
          }
        }
      }
      rows -= high;
      out += <usize>high * outRow;
      weight += <usize>high * wRow;
      if (bias != 0) bias += <usize>high * 4;
    }
    w += d.wGroup;
    x += d.xGroup;
  }
}

// @ts-ignore: decorator
@inline
export function laneSum(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 2) + (f32x4.extract_lane(v, 1) + f32x4.extract_lane(v, 3));
}

/** Writes a float, or adds it to what is there. */
// @ts-ignore: decorator
@inline
export function storeSum(to: usize, sum: f32, adds: bool): void {
  store<f32>(to, adds ? load<f32>(to) + sum : sum);
}
