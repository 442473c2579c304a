/** Tables of the weights that survived pruning, and when they are worth using. See assembly/train/sparse.ts. */
import { writeDescriptor } from "./descriptors.js";
import type { SharedHeap } from "./heap.js";
import type { PlannedConvolution } from "./plan-convolution.js";
import type { Survivors } from "./plan-layers.js";

/**
 * Shares of surviving weights below which the sparse kernels are the faster ones. Measured on LeNet-5: conv2 breaks even near 0.65,
 * fc1 near 0.35, where a survivor's single position gives little to amortise its table entry over. Of a depthwise convolution the dense
 * kernels would have tiles of one row: there the sparse ones are always the faster, up to twice.
 */
const SPARSE_CONV_DENSITY = 0.6;
const SPARSE_DENSE_DENSITY = 0.35;

const ENTRY_WORDS = 2;

/**
 * Writes a layer's survivors, or gives null where the dense kernels are faster.
 * @param mask 0 = pruned, one byte a weight; null: all survive
 * @param old the layer's former table: its memory is used again when it is large enough
 */
export function planSurvivors(
  heap: SharedHeap,
  layer: PlannedConvolution,
  mask: Uint8Array | null,
  old: { readonly survivors: Survivors; readonly capacity: number } | null,
): { readonly survivors: Survivors; readonly capacity: number } | null {
  if (mask === null && !layer.isDepthwise) return null;
  const all = layer.groups * layer.groupRows * layer.columns;
  let count = mask === null ? all : 0;
  for (const kept of mask ?? []) if (kept !== 0) count++;
  const limit = layer.isDense ? SPARSE_DENSE_DENSITY : SPARSE_CONV_DENSITY;
  if (!layer.isDepthwise && count >= all * limit) return null;
  const rows = layer.groups * layer.groupRows;
  const capacity = old === null || old.capacity < count ? count : old.capacity;
  const reuse = old !== null && old.capacity >= count;
  const tables = reuse ? old.survivors : placeTables(heap, layer, rows, capacity);
  const rowStart = heap.u32(tables.rowStart, rows + 1);
  const entries = heap.u32(tables.entries, count * ENTRY_WORDS);
  const offsets = heap.u32(layer.columnOffsets, layer.columns);
  let entry = 0;
  for (let row = 0; row < rows; row++) {
    rowStart[row] = entry;
    const groupOffset = Math.floor(row / layer.groupRows) * layer.groupInputs * layer.xPlane;
    for (let column = 0; column < layer.columns; column++) {
      const weight = row * layer.columns + column;
      if (mask?.[weight] === 0) continue;
      entries[entry * ENTRY_WORDS] = weight * 4;
      entries[entry * ENTRY_WORDS + 1] = groupOffset + offsets[column];
      entry++;
    }
  }
  rowStart[rows] = entry;
  return { survivors: { ...tables, count }, capacity };
}

function placeTables(
  heap: SharedHeap,
  { outRow, outBlock, xBlock, runs }: PlannedConvolution,
  rows: number,
  capacity: number,
): Omit<Survivors, "count"> {
  const rowStart = heap.allocate((rows + 1) * 4);
  const entries = heap.allocate(capacity * ENTRY_WORDS * 4);
  const walk = { outRow, outBlock, xBlock, rowStart, entries, runs: runs.at, runCount: runs.count };
  return { descriptor: writeDescriptor(heap, "Survivors", { rows, ...walk }), rowStart, entries };
}
