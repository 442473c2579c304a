/**
 * Kernels whose cost follows the surviving weights. The survivors of a layer are a table of entries, row by row:
 *
 *   rowStart: u32[rows + 1], the first entry of each row;  entry: {u32 byte offset of the weight, u32 byte offset in x}
 *
 * Positions come as runs of values that lie one after another in both planes, {u32 offset in the output plane, u32 offset
 * in x, u32 length, u32 0}: one row of the output at stride 1, single values otherwise. Planes as in gather.ts.
 */
import { Survivors } from "./descriptors";
import { laneSum, storeSum } from "./gather";

const ENTRY_BYTES: usize = 8;
const RUN_BYTES: usize = 16;
const VALUE_BYTES: usize = 32;

/** out = start + Σ weight · x for four values of x (32 bytes each), `xStep` apart, to places `outStep` apart. */
// @ts-ignore: decorator
@inline
function rowOfFour(
  o0: usize,
  outStep: usize,
  x0: usize,
  xStep: usize,
  w: usize,
  start: v128,
  from: usize,
  to: usize,
): void {
  const x1 = x0 + xStep;
  const x2 = x1 + xStep;
  const x3 = x2 + xStep;
  let a0 = start;
  let a1 = start;
  let b0 = start;
  let b1 = start;
  let c0 = start;
  let c1 = start;
  let d0 = start;
  let d1 = start;
  for (let entry = from; entry < to; entry += ENTRY_BYTES) {
    const s = v128.load32_splat(w + <usize>load<u32>(entry));
    const offset = <usize>load<u32>(entry, 4);
    a0 = f32x4.add(a0, f32x4.mul(s, v128.load(x0 + offset)));
    a1 = f32x4.add(a1, f32x4.mul(s, v128.load(x0 + offset, 16)));
    b0 = f32x4.add(b0, f32x4.mul(s, v128.load(x1 + offset)));
    b1 = f32x4.add(b1, f32x4.mul(s, v128.load(x1 + offset, 16)));
    c0 = f32x4.add(c0, f32x4.mul(s, v128.load(x2 + offset)));
    c1 = f32x4.add(c1, f32x4.mul(s, v128.load(x2 + offset, 16)));
    d0 = f32x4.add(d0, f32x4.mul(s, v128.load(x3 + offset)));
    d1 = f32x4.add(d1, f32x4.mul(s, v128.load(x3 + offset, 16)));
  }
  const o1 = o0 + outStep;
  const o2 = o1 + outStep;
  const o3 = o2 + outStep;
  v128.store(o0, a0);
  v128.store(o0, a1, 16);
  v128.store(o1, b0);
  v128.store(o1, b1, 16);
  v128.store(o2, c0);
  v128.store(o2, c1, 16);
  v128.store(o3, d0);
  v128.store(o3, d1, 16);
}

// @ts-ignore: decorator
@inline
function rowOfOne(o: usize, x: usize, w: usize, start: v128, from: usize, to: usize): void {
  let a0 = start;
  let a1 = start;
  for (let entry = from; entry < to; entry += ENTRY_BYTES) {
    const s = v128.load32_splat(w + <usize>load<u32>(entry));
    const offset = <usize>load<u32>(entry, 4);
    a0 = f32x4.add(a0, f32x4.mul(s, v128.load(x + offset)));
    a1 = f32x4.add(a1, f32x4.mul(s, v128.load(x + offset, 16)));
  }
  v128.store(o, a0);
  v128.store(o, a1, 16);
}

/** out[row][p][s] = bias[row] + Σ over the row's survivors. @param w the layer's first weight */
export function sparseForward(d: Survivors, out: usize, w: usize, bias: usize, x: usize, blocks: i32): void {
  const rows = d.rows;
  const outRow = d.outRow;
  const outBlock = d.outBlock;
  const xBlock = d.xBlock;
  const entries = d.entries;
  const runs = d.runs;
  let rowStart = d.rowStart;
  const runsEnd = runs + <usize>d.runCount * RUN_BYTES;
  for (let row = 0; row < rows; row++) {
    const from = entries + <usize>load<u32>(rowStart) * ENTRY_BYTES;
    const to = entries + <usize>load<u32>(rowStart, 4) * ENTRY_BYTES;
    const start = v128.load32_splat(bias);
    for (let run = runs; run < runsEnd; run += RUN_BYTES) {
      const o = out + <usize>load<u32>(run);
      const v = x + <usize>load<u32>(run, 4);
      const length = load<u32>(run, 8);
      if (length == 1) {
        let b = 0;
        for (; b + 3 < blocks; b += 4) {
          const bo = o + <usize>b * outBlock;
          const bx = v + <usize>b * xBlock;
          rowOfFour(bo, outBlock, bx, xBlock, w, start, from, to);
        }
        for (; b < blocks; b++) rowOfOne(o + <usize>b * outBlock, v + <usize>b * xBlock, w, start, from, to);
        continue;
      }
      for (let b = 0; b < blocks; b++) {
        let bo = o + <usize>b * outBlock;
        let bx = v + <usize>b * xBlock;
        const end = bo + <usize>length * VALUE_BYTES;
        for (; bo + 3 * VALUE_BYTES < end; bo += 4 * VALUE_BYTES) {
          rowOfFour(bo, VALUE_BYTES, bx, VALUE_BYTES, w, start, from, to);
          bx += 4 * VALUE_BYTES;
        }
        for (; bo < end; bo += VALUE_BYTES) {
          rowOfOne(bo, bx, w, start, from, to);
          bx += VALUE_BYTES;
        }
      }
    }
    rowStart += 4;
    bias += 4;
    out += outRow;
  }
}

/** Writes, or adds to, dw[entry] the sum over positions and samples of dout · x: one float an entry, in the order of the entries. */
export function sparseWeightGradient(d: Survivors, dw: usize, dout: usize, x: usize, blocks: i32, adds: bool): void {
  const rows = d.rows;
  const outRow = d.outRow;
  const outBlock = d.outBlock;
  const xBlock = d.xBlock;
  const entries = d.entries;
  const runs = d.runs;
  let rowStart = d.rowStart;
  const runsEnd = runs + <usize>d.runCount * RUN_BYTES;
  for (let row = 0; row < rows; row++) {
    let entry = entries + <usize>load<u32>(rowStart) * ENTRY_BYTES;
    const to = entries + <usize>load<u32>(rowStart, 4) * ENTRY_BYTES;
    while (entry < to) {
      // Four survivors share the loads of dout; past the row's end the last one is repeated and its sum not stored.
      const left = <i32>((to - entry) / ENTRY_BYTES);
      const off0 = <usize>load<u32>(entry, 4);
      const off1 = <usize>load<u32>(entry + (left > 1 ? ENTRY_BYTES : 0), 4);
      const off2 = <usize>load<u32>(entry + (left > 2 ? 2 * ENTRY_BYTES : 0), 4);
      const off3 = <usize>load<u32>(entry + (left > 3 ? 3 * ENTRY_BYTES : 0), 4);
      let a0 = f32x4.splat(0);
      let a1 = a0;
      let b0 = a0;
      let b1 = a0;
      let c0 = a0;
      let c1 = a0;
      let d0 = a0;
      let d1 = a0;
      for (let b = 0; b < blocks; b++) {
        for (let run = runs; run < runsEnd; run += RUN_BYTES) {
          let g = dout + <usize>b * outBlock + <usize>load<u32>(run);
          let v = x + <usize>b * xBlock + <usize>load<u32>(run, 4);
          const end = g + <usize>load<u32>(run, 8) * VALUE_BYTES;
          for (; g < end; g += VALUE_BYTES) {
            const g0 = v128.load(g);
            const g1 = v128.load(g, 16);
            a0 = f32x4.add(a0, f32x4.mul(g0, v128.load(v + off0)));
            a1 = f32x4.add(a1, f32x4.mul(g1, v128.load(v + off0, 16)));
            b0 = f32x4.add(b0, f32x4.mul(g0, v128.load(v + off1)));
            b1 = f32x4.add(b1, f32x4.mul(g1, v128.load(v + off1, 16)));
            c0 = f32x4.add(c0, f32x4.mul(g0, v128.load(v + off2)));
            c1 = f32x4.add(c1, f32x4.mul(g1, v128.load(v + off2, 16)));
            d0 = f32x4.add(d0, f32x4.mul(g0, v128.load(v + off3)));
            d1 = f32x4.add(d1, f32x4.mul(g1, v128.load(v + off3, 16)));
            v += VALUE_BYTES;
          }
        }
      }
      storeSum(dw, laneSum(f32x4.add(a0, a1)), adds);
      if (left > 1) storeSum(dw + 4, laneSum(f32x4.add(b0, b1)), adds);
      if (left > 2) storeSum(dw + 8, laneSum(f32x4.add(c0, c1)), adds);
      if (left > 3) storeSum(dw + 12, laneSum(f32x4.add(d0, d1)), adds);
      const done = <usize>min(left, 4);
      dw += done * 4;
      entry += done * ENTRY_BYTES;
    }
    rowStart += 4;
    dout += outRow;
  }
}

/** Adds weight · dout to dx wherever the weight read x in the forward pass. dx holds zeros, or what other groups added. */
export function sparseInputGradient(d: Survivors, dx: usize, dout: usize, w: usize, blocks: i32): void {
  const rows = d.rows;
  const outRow = d.outRow;
  const outBlock = d.outBlock;
  const xBlock = d.xBlock;
  const rowStart = d.rowStart;
  const entries = d.entries;
  const runs = d.runs;
  const runsEnd = runs + <usize>d.runCount * RUN_BYTES;
  for (let b = 0; b < blocks; b++) {
    const blockX = dx + <usize>b * xBlock;
    for (let row = 0; row < rows; row++) {
      const rowOut = dout + <usize>b * outBlock + <usize>row * outRow;
      const from = entries + <usize>load<u32>(rowStart + ((<usize>row) << 2)) * ENTRY_BYTES;
      const to = entries + <usize>load<u32>(rowStart + ((<usize>row) << 2), 4) * ENTRY_BYTES;
      for (let entry = from; entry < to; entry += ENTRY_BYTES) {
        const s = v128.load32_splat(w + <usize>load<u32>(entry));
        const offset = blockX + <usize>load<u32>(entry, 4);
        for (let run = runs; run < runsEnd; run += RUN_BYTES) {
          let g = rowOut + <usize>load<u32>(run);
          let v = offset + <usize>load<u32>(run, 4);
          const end = g + <usize>load<u32>(run, 8) * VALUE_BYTES;
          for (; g < end; g += VALUE_BYTES) {
            v128.store(v, f32x4.add(v128.load(v), f32x4.mul(s, v128.load(g))));
            v128.store(v, f32x4.add(v128.load(v, 16), f32x4.mul(s, v128.load(g, 16))), 16);
            v += VALUE_BYTES;
          }
        }
      }
    }
  }
}
