/**
 * Gradients of the biases of a convolution or a dense layer, which are sums over its rows, and of its weights:
 *
 *   dw[row][column] += sum over positions p and samples s of  dout[row][p.out][s] · x[column + p.x][s]
 *
 * A column is a weight of the filter, given by its byte offset in x. Registers hold a tile of up to 5 rows × 2 columns of
 * vector sums; they are added up over their lanes once a tile.
 */
import { ParameterGradient } from "./descriptors";
import { laneSum, storeSum, tileRows } from "./gather";

const POSITION_BYTES: usize = 16;
const VALUE_BYTES: usize = 32;

// @ts-ignore: decorator
@inline
function addPair(dw: usize, sum0: v128, sum1: v128): void {
  const halves = f32x4.add(v128.shuffle<f32>(sum0, sum1, 0, 4, 1, 5), v128.shuffle<f32>(sum0, sum1, 2, 6, 3, 7));
  const pair = f32x4.add(halves, v128.shuffle<f32>(halves, halves, 2, 3, 2, 3));
  v128.store64_lane(dw, f32x4.add(v128.load64_zero(dw), pair), 0);
}

// @ts-ignore: decorator
@inline
function addOne(dw: usize, sum: v128): void {
  const halves = f32x4.add(sum, v128.shuffle<f32>(sum, sum, 2, 3, 2, 3));
  store<f32>(dw, load<f32>(dw) + (f32x4.extract_lane(halves, 0) + f32x4.extract_lane(halves, 1)));
}

/** `rows` and `pair` are constants at every call. What it needs of a descriptor is in locals by then: tiles are short. */
// @ts-ignore: decorator
@inline
function tile(
  rows: i32,
  pair: bool,
  dw: usize,
  dwRow: usize,
  dout: usize,
  outRow: usize,
  outBlock: usize,
  x: usize,
  y: usize,
  xBlock: usize,
  positions: usize,
  positionsEnd: usize,
  blocks: i32,
): void {
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let b0 = a0;
  let b1 = a0;
  let c0 = a0;
  let c1 = a0;
  let d0 = a0;
  let d1 = a0;
  let e0 = a0;
  let e1 = a0;
  for (let b = 0; b < blocks; b++) {
    for (let p = positions; p < positionsEnd; p += POSITION_BYTES) {
      const offset = <usize>load<u32>(p, 4);
      let row = dout + <usize>load<u32>(p);
      const px = x + offset;
      const py = y + offset;
      const x0 = v128.load(px);
      const x1 = v128.load(px, 16);
      const y0 = pair ? v128.load(py) : x0;
      const y1 = pair ? v128.load(py, 16) : x1;
      let g0 = v128.load(row);
      let g1 = v128.load(row, 16);
      a0 = f32x4.add(a0, f32x4.mul(g0, x0));
      if (pair) a1 = f32x4.add(a1, f32x4.mul(g0, y0));
      a0 = f32x4.add(a0, f32x4.mul(g1, x1));
      if (pair) a1 = f32x4.add(a1, f32x4.mul(g1, y1));
      if (rows > 1) {
        row += outRow;
        g0 = v128.load(row);
        g1 = v128.load(row, 16);
        b0 = f32x4.add(b0, f32x4.mul(g0, x0));
        if (pair) b1 = f32x4.add(b1, f32x4.mul(g0, y0));
        b0 = f32x4.add(b0, f32x4.mul(g1, x1));
        if (pair) b1 = f32x4.add(b1, f32x4.mul(g1, y1));
      }
      if (rows > 2) {
        row += outRow;
        g0 = v128.load(row);
        g1 = v128.load(row, 16);
        c0 = f32x4.add(c0, f32x4.mul(g0, x0));
        if (pair) c1 = f32x4.add(c1, f32x4.mul(g0, y0));
        c0 = f32x4.add(c0, f32x4.mul(g1, x1));
        if (pair) c1 = f32x4.add(c1, f32x4.mul(g1, y1));
      }
      if (rows > 3) {
        row += outRow;
        g0 = v128.load(row);
        g1 = v128.load(row, 16);
        d0 = f32x4.add(d0, f32x4.mul(g0, x0));
        if (pair) d1 = f32x4.add(d1, f32x4.mul(g0, y0));
        d0 = f32x4.add(d0, f32x4.mul(g1, x1));
        if (pair) d1 = f32x4.add(d1, f32x4.mul(g1, y1));
      }
      if (rows > 4) {
        row += outRow;
        g0 = v128.load(row);
        g1 = v128.load(row, 16);
        e0 = f32x4.add(e0, f32x4.mul(g0, x0));
        if (pair) e1 = f32x4.add(e1, f32x4.mul(g0, y0));
        e0 = f32x4.add(e0, f32x4.mul(g1, x1));
        if (pair) e1 = f32x4.add(e1, f32x4.mul(g1, y1));
      }
    }
    dout += outBlock;
    x += xBlock;
    y += xBlock;
  }
  if (pair) addPair(dw, a0, a1);
  else addOne(dw, a0);
  if (rows > 1) {
    dw += dwRow;
    if (pair) addPair(dw, b0, b1);
    else addOne(dw, b0);
  }
  if (rows > 2) {
    dw += dwRow;
    if (pair) addPair(dw, c0, c1);
    else addOne(dw, c0);
  }
  if (rows > 3) {
    dw += dwRow;
    if (pair) addPair(dw, d0, d1);
    else addOne(dw, d0);
  }
  if (rows > 4) {
    dw += dwRow;
    if (pair) addPair(dw, e0, e1);
    else addOne(dw, e0);
  }
}

// @ts-ignore: decorator
@inline
function columns(rows: i32, d: ParameterGradient, dw: usize, dout: usize, x: usize, blocks: i32): void {
  let offsets = d.columnOffsets;
  const count = d.columns;
  const dwRow = (<usize>count) << 2;
  const outRow = d.outRow;
  const outBlock = d.outBlock;
  const xBlock = d.xBlock;
  const positions = d.positions;
  const positionsEnd = positions + <usize>d.positionCount * POSITION_BYTES;
  let c = 0;
  for (; c + 1 < count; c += 2) {
    const x0 = x + <usize>load<u32>(offsets);
    const x1 = x + <usize>load<u32>(offsets, 4);
    tile(rows, true, dw, dwRow, dout, outRow, outBlock, x0, x1, xBlock, positions, positionsEnd, blocks);
    offsets += 8;
    dw += 8;
  }
  if (c < count) {
    const x0 = x + <usize>load<u32>(offsets);
    tile(rows, false, dw, dwRow, dout, outRow, outBlock, x0, x0, xBlock, positions, positionsEnd, blocks);
  }
}

/** Adds to dw, [groups × rows, columns]. */
export function weightGradient(d: ParameterGradient, dw: usize, dout: usize, x: usize, blocks: i32): void {
  const dwRow = (<usize>d.columns) << 2;
  const blocksPerPass = d.blocksPerPass;
  for (let group = 0; group < d.groups; group++) {
    let rows = d.rows;
    while (rows > 0) {
      const high = tileRows(rows);
      for (let b = 0; b < blocks; b += blocksPerPass) {
        const n = min(blocksPerPass, blocks - b);
        const g = dout + <usize>b * d.outBlock;
        const v = x + <usize>b * d.xBlock;
        switch (high) {
          case 5: {
            columns(5, d, dw, g, v, n);
            break;
          }
          case 4: {
            columns(4, d, dw, g, v, n);
            break;
          }
          case 3: {
            columns(3, d, dw, g, v, n);
            break;
          }
          case 2: {
            columns(2, d, dw, g, v, n);
            break;
          }
          default: {
            columns(1, d, dw, g, v, n);
          }
        }
      }
      rows -= high;
      dw += <usize>high * dwRow;
      dout += <usize>high * d.outRow;
    }
    x += d.xGroup;
  }
}

/** Writes, or adds, the sum of each row of dout over positions and samples. */
export function biasGradient(d: ParameterGradient, db: usize, dout: usize, blocks: i32, adds: bool): void {
  const rows = d.groups * d.rows;
  const outRow = d.outRow;
  const outBlock = d.outBlock;
  const rowBytes = <usize>d.positionCount * VALUE_BYTES;
  for (let r = 0; r < rows; r++) {
    let sum0 = f32x4.splat(0);
    let sum1 = sum0;
    for (let b = 0; b < blocks; b++) {
      const from = dout + <usize>r * outRow + <usize>b * outBlock;
      for (let g = from; g < from + rowBytes; g += VALUE_BYTES) {
        sum0 = f32x4.add(sum0, v128.load(g));
        sum1 = f32x4.add(sum1, v128.load(g, 16));
      }
    }
    storeSum(db + ((<usize>r) << 2), laneSum(f32x4.add(sum0, sum1)), adds);
  }
}
