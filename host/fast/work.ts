/** How much work a run of a fast module is: what its kernels count, added up when packing (SPEC.md, "The fast module"). */
import * as layout from "../../assembly/fast/layout.js";
import { RECORD_BYTES } from "../../assembly/abi.js";
import { extentOf } from "../model/geometry.js";
import { bytesOf } from "./depthwise.js";
import { turnOfLayer } from "./line-entries.js";
import type { Entry } from "./entry.js";

/** @returns units; 2^32 - 1 for as many or more */
export function fastWork(entries: readonly Entry[], stream: Uint8Array): number {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  const first = entries.findIndex((entry) => entry.get(layout.LAYER_KIND) === layout.KIND_LINES);
  let work = 0;
  let at = 0;
  let turn = 0;
  for (let index = 0; index < entries.length; index++) {
    const entry = entries[index];
    switch (entry.get(layout.LAYER_KIND)) {
      case layout.KIND_LINES: {
        const { height, rows, moved, filled, ...turned } = turnOfLayer(entry, entries[++index], turn);
        work += rows * (layout.LINES_WORK + layout.LINE_BYTE_WORK * (moved + filled));
        if (height > 0) work += entryWork(turned.entry, view, entry.get(layout.LINES_STREAM)!).work;
        break;
      }
      case layout.KIND_TURN:
        work += layout.LINES_WORK;
        if (++turn < entry.get(layout.TURN_COUNT)!) index = first - 1;
        at = entry.get(layout.LINES_STREAM)!;
        break;
      default: {
        const { streamBytes, ...layer } = entryWork(entry, view, at);
        work += layer.work;
        at += streamBytes;
      }
    }
  }
  return Math.min(work, 2 ** 32 - 1);
}

/** @param begin where its stream begins */
function entryWork(entry: Entry, view: DataView, begin: number): RowsWork {
  const kind = entry.get(layout.LAYER_KIND)!;
  if (kind === layout.KIND_CONV_QUADS) return quadWork(entry, view, begin);
  if (kind === layout.KIND_DENSE_ROWS) return denseRowsWork(entry);
  if (kind === layout.KIND_BITS) return bitsWork(entry);
  if (kind === layout.KIND_INPUT) return { work: layout.LINES_WORK, streamBytes: 0 };
  let at = begin + (kind === layout.KIND_LUT ? layout.LUT_BYTES : 0);
  let work = kind === layout.KIND_CONV_GAPS ? groupsOf(entry) * lotWork(entry) : 0;
  for (let row = entry.get(layout.LAYER_ROWS)!; row > 0; row--) {
    if (kind >= layout.KIND_LUT) {
      work += kind === layout.KIND_BORDER ? borderWork(entry) : linesWork(kind, entry);
      continue;
    }
    const count = Math.floor(view.getUint32(at + 12, true) / 256);
    at += layout.ROW_BYTES;
    work += rowWork(kind, entry, view, at, count);
    const isOfPairs = kind === layout.KIND_DENSE || kind === layout.KIND_CONV_GAPS;
    at += isOfPairs ? count * layout.PAIR_BYTES : count;
  }
  return { work, streamBytes: at - begin };
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

interface RowsWork {
  readonly work: number;
  readonly streamBytes: number;
}

/** Of a layer by groups of places: what filters look at, in all and in the innermost loop. */
function inputsOf(entry: Entry): { readonly inner: number; readonly runs: number } {
  const counts = entry.get(layout.LAYER_QUAD_COUNT_0)!;
  const outer = entry.get(layout.LAYER_QUAD_COUNT_2)! % 2 ** 16;
  return { inner: counts % 2 ** 16, runs: Math.floor(counts / 2 ** 16) * outer };
}

const groupsOf = (entry: Entry): number =>
  Math.ceil((entry.get(layout.LAYER_OUTPUT_HEIGHT)! * entry.get(layout.LAYER_OUTPUT_WIDTH)!) / layout.GROUP_PLACES);

/** Of laying out a group of places. */
function lotWork(entry: Entry): number {
  const { inner, runs } = inputsOf(entry);
  const inputs = inner * runs;
  let begun = runs;
  for (let at = layout.PIECE_INPUTS; at < inputs; at += layout.PIECE_INPUTS) if (at % inner > 0) begun++;
  return (
    layout.QUAD_PLACES_WORK * Math.ceil(inputs / layout.PIECE_INPUTS) +
    layout.QUAD_RUN_WORK * begun +
    layout.QUAD_LAYOUT_WORK * inputs
  );
}

/** Of all of a layer by two filters, whose rows begin at `at` of the stream. */
function quadWork(entry: Entry, view: DataView, at: number): RowsWork {
  const { inner, runs } = inputsOf(entry);
  const turns = Math.ceil((inner * runs) / layout.QUAD_TURN);
  const inputs = turns * layout.QUAD_TURN;
  const pairs = Math.ceil(entry.get(layout.LAYER_ROWS)! / 2);
  const pairBytes = 2 * (layout.ROW_BYTES + inputs);
  let work = lotWork(entry);
  for (let pair = 0; pair < pairs; pair++) {
    const stretch = Math.floor(view.getUint32(at + pair * pairBytes + 12, true) / 256);
    work += layout.QUAD_TURN_WORK * turns + layout.QUAD_STRETCH_WORK * Math.ceil(inputs / stretch);
    work += layout.QUAD_FINISH_WORK;
  }
  return { work: groupsOf(entry) * work, streamBytes: pairs * pairBytes };
}

/** Of all of a dense layer by six rows. */
function denseRowsWork(entry: Entry): RowsWork {
  const inputs = entry.get(layout.LAYER_DENSE_INPUTS)!;
  const turns = Math.ceil(inputs / layout.DENSE_TURN);
  const sixes = Math.ceil(entry.get(layout.LAYER_ROWS)! / layout.DENSE_ROWS);
  return {
    work: layout.DENSE_ELEMENT_WORK * inputs + sixes * (layout.DENSE_TURN_WORK * turns + layout.DENSE_FINISH_WORK),
    streamBytes: sixes * layout.DENSE_ROWS * (layout.DENSE_TURN * turns + layout.ROW_BYTES),
  };
}

/** Of all of a layer by bits. */
function bitsWork(entry: Entry): RowsWork {
  const word = (offset: number): number => entry.get(offset)!;
  const [width, height] = [
    word(layout.LAYER_BITS_WIDTH) % 2 ** 16,
    Math.floor(word(layout.LAYER_BITS_WIDTH) / 2 ** 16),
  ];
  const [channels, pool, lot] = [0, 16, 24].map((shift) => Math.floor(word(layout.LAYER_BITS_CHANNELS) / 2 ** shift));
  const lines = height * (channels % 2 ** 16);
  const words = Math.ceil((width * lines) / 64);
  const places = (pool % 256) ** 2;
  const rows = word(layout.LAYER_ROWS);
  const outputs = word(layout.LAYER_OUTPUT_HEIGHT) * word(layout.LAYER_OUTPUT_WIDTH);
  const place =
    layout.BITS_PLACE_WORK + lines * (layout.BITS_LINE_WORK + layout.BITS_EIGHT_WORK * Math.ceil(width / 8));
  const output = layout.BITS_OUTPUT_WORK + places * (layout.BITS_POOLED_WORK + layout.BITS_WORD_WORK * words);
  return {
    work: outputs * (places * place + rows * output) + Math.ceil(outputs / lot) * rows * layout.BITS_ROW_WORK,
    streamBytes: rows * (layout.ROW_BYTES + layout.BITS_WORD_BYTES * words),
  };
}

/** Of a channel. */
function depthwiseWork(entry: Entry, taps: number): number {
  const word = (offset: number): number => entry.get(offset)!;
  const [height, kernelWidth, strideY, strideX] = bytesOf(word(layout.LAYER_DEPTH_HEIGHT));
  const lines = word(layout.LAYER_DEPTH_LINES) % 2 ** 16;
  const isDown = (word(layout.LAYER_DEPTH_INPUT_WIDTH) & layout.DEPTH_IS_DOWN) !== 0;
  const [outputs, width] = [word(layout.LAYER_OUTPUT_HEIGHT), word(layout.LAYER_OUTPUT_WIDTH)];
  const words = extentOf(width, kernelWidth, strideX);
  const [minors, majors] = isDown ? [lines, width] : [width, lines];
  const blocks = majors * Math.ceil(minors / layout.DEPTH_BLOCK);
  const strips = Math.ceil(outputs / Math.min(2 * lines, outputs));
  const laidOut = extentOf(lines, height, strideY);
  return (
    strips *
    (laidOut * (layout.DEPTH_LINE_WORK + layout.DEPTH_WORD_WORK * words) +
      blocks * (layout.DEPTH_BLOCK_WORK + layout.DEPTH_TAP_WORK * taps) +
      layout.DEPTH_OUTPUT_WORK * lines * width)
  );
}

const WORK_OF_ELEMENT: ReadonlyMap<number, number> = new Map([
  [layout.KIND_ADD, layout.SUM_WORK],
  [layout.KIND_MUL, layout.SUM_WORK],
  [layout.KIND_COPY, layout.COPY_WORK],
]);

/** Of a row whose pairs or chunks begin at `at` of the stream. */
function rowWork(kind: number, entry: Entry, view: DataView, at: number, count: number): number {
  if (kind === layout.KIND_DENSE) return layout.ROW_WORK + layout.PAIR_WORK * count;
  if (kind === layout.KIND_DENSE_VALUES) return layout.ROW_WORK + layout.GROUP_BYTE_WORK * count;
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
    case layout.KIND_CONV_GAPS: {
      const stretches = Math.ceil(count / layout.LOT_STRETCH);
      const sums = layout.GAP_WORK * count + layout.GAP_STRETCH_WORK * stretches;
      return groupsOf(entry) * (sums + layout.GAP_FINISH_WORK);
    }
    case layout.KIND_DEPTHWISE:
      return depthwiseWork(entry, count);
    case layout.KIND_MAXPOOL:
    case layout.KIND_AVGPOOL: {
      const [across, down] = [pool % 2 ** 16, Math.floor(pool / 2 ** 16)];
      const pieces = Math.ceil(across / layout.PIECE_ELEMENTS);
      const line = layout.POOL_LINE_WORK * pieces + layout.ELEMENT_WORK * across;
      return height * width * (layout.POOL_OUTPUT_WORK + down * line);
    }
    case layout.KIND_ADD:
    case layout.KIND_MUL:
      return layout.ROW_WORK + linesWork(kind, entry);
    default:
      throw new Error(`fastWork: kind ${kind} is no kernel's`);
  }
}
