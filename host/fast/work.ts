/** How much work a run of a fast module is: what its kernels count, added up when packing (SPEC.md, "The fast module"). */
import * as layout from "../../assembly/fast/layout.js";
import { RECORD_BYTES } from "../../assembly/abi.js";
import type { Entry } from "./memory.js";

/** @returns units; 2^32 - 1 for as many or more */
export function fastWork(entries: readonly Entry[], stream: Uint8Array): number {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  let work = 0;
  let at = 0;
  for (const entry of entries) {
    const kind = entry.get(layout.LAYER_KIND)!;
    if (kind === layout.KIND_LUT) at += layout.LUT_BYTES;
    for (let row = entry.get(layout.LAYER_ROWS)!; row > 0; row--) {
      if (kind >= layout.KIND_LUT) {
        work += kind === layout.KIND_BORDER ? borderWork(entry) : linesWork(kind, entry);
        continue;
      }
      const count = Math.floor(view.getUint32(at + 12, true) / 256);
      at += layout.ROW_BYTES;
      work += rowWork(kind, entry, view, at, count);
      at += kind === layout.KIND_DENSE ? count * layout.PAIR_BYTES : count;
    }
  }
  return Math.min(work, 2 ** 32 - 1);
}

/** Of a channel's border. */
function borderWork(entry: Entry): number {
  const word = (offset: number): number => entry.get(offset)!;
  const height = word(layout.LAYER_OUTPUT_HEIGHT);
  const bytes = word(layout.LAYER_OUTPUT_PLANE) - height * word(layout.LAYER_OUTPUT_WIDTH);
  const pieces = Math.ceil(bytes / layout.PIECE_BORDER_BYTES);
  return layout.BORDER_WORK * pieces + layout.STRETCH_WORK * (height + 1) + layout.BYTE_WORK * bytes;
}

/** Of a channel that goes line by line. */
function linesWork(kind: number, entry: Entry): number {
  const [height, width] = [layout.LAYER_OUTPUT_HEIGHT, layout.LAYER_OUTPUT_WIDTH].map((offset) => entry.get(offset)!);
  const pieces = Math.ceil(width / layout.PIECE_LINE);
  return height * (layout.LINE_WORK * pieces + (WORK_OF_ELEMENT.get(kind) ?? layout.ELEMENT_WORK) * width);
}

const WORK_OF_ELEMENT: ReadonlyMap<number, number> = new Map([
  [layout.KIND_ADD, layout.SUM_WORK],
  [layout.KIND_MUL, layout.SUM_WORK],
  [layout.KIND_COPY, layout.BYTE_WORK],
]);

/** Of a row whose pairs or chunks begin at `at` of the stream. */
function rowWork(kind: number, entry: Entry, view: DataView, at: number, count: number): number {
  if (kind === layout.KIND_DENSE) return layout.ROW_WORK + layout.PAIR_WORK * count;
  const [height, width, pool] = [layout.LAYER_OUTPUT_HEIGHT, layout.LAYER_OUTPUT_WIDTH, layout.LAYER_POOL_WIDTH].map(
    (offset) => entry.get(offset)!,
  );
  /** Blocks or tiles of so many places, which are outputs times the pool's size. */
  const pieces = (down: number, across: number): number =>
    Math.ceil((height * pool) / down) * Math.ceil((width * pool) / across);
  switch (kind) {
    case layout.KIND_CONV_POOLED: {
      const records = (count / RECORD_BYTES) * layout.TILE_SIZE ** 2;
      return pieces(layout.TILE_SIZE, layout.TILE_SIZE) * (layout.TILE_WORK + records);
    }
    case layout.KIND_CONV_BLOCKS: {
      let work = layout.BLOCK_OUTPUT_WORK * (layout.BLOCK_WIDTH / pool) * (layout.BLOCK_HEIGHT / pool);
      for (const end = at + count; at < end;) {
        const records = view.getUint16(at, true);
        work += layout.CHUNK_WORK + records * layout.BLOCK_WIDTH * layout.BLOCK_HEIGHT;
        at += layout.CHUNK_HEAD_BYTES + RECORD_BYTES * records;
      }
      return pieces(layout.BLOCK_HEIGHT, layout.BLOCK_WIDTH) * work;
    }
    case layout.KIND_CONV_PLACES: {
      const records = (count - layout.CHUNK_HEAD_BYTES) / RECORD_BYTES;
      const places = entry.get(layout.LAYER_PLACES)!;
      const work = layout.PLACES_OUTPUT_WORK + layout.PLACE_WORK * (places - 1) + layout.RECORD_WORK * records * places;
      return height * width * work;
    }
    case layout.KIND_MAXPOOL:
    case layout.KIND_AVGPOOL: {
      const pieces = Math.ceil(pool / layout.PIECE_ELEMENTS);
      const line = layout.POOL_LINE_WORK * pieces + layout.ELEMENT_WORK * pool;
      return height * width * (layout.POOL_OUTPUT_WORK + entry.get(layout.LAYER_POOL_HEIGHT)! * line);
    }
    case layout.KIND_ADD:
    case layout.KIND_MUL:
      return layout.ROW_WORK + linesWork(kind, entry);
    default:
      throw new Error(`fastWork: kind ${kind} is no kernel's`);
  }
}
