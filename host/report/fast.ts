/** What a fast module holds, as numbers and lines: the figures behind `mote inspect`, layer by layer. */
import {
  CHUNK_HEAD_BYTES,
  GROUP_HEAD_BYTES,
  DENSE_ROWS,
  KIND_ADD,
  KIND_AVGPOOL,
  KIND_BITS,
  KIND_CONCAT,
  KIND_CONV_BLOCKS,
  KIND_CONV_GAPS,
  KIND_CONV_PLACES,
  KIND_CONV_POOLED,
  KIND_CONV_QUADS,
  KIND_DENSE,
  KIND_DENSE_ROWS,
  KIND_DENSE_VALUES,
  KIND_DEPTHWISE,
  KIND_LUT,
  KIND_MAXPOOL,
  KIND_MUL,
  KIND_RESIZE,
  LUT_BYTES,
  PAIR_BYTES,
  ROW_BYTES,
  WEIGHT_BIAS,
} from "../../assembly/fast/layout.js";
import { RECORD_BYTES, TENSOR_ENTRY_BYTES } from "../../assembly/abi.js";
import { borderBytes } from "../model/geometry.js";
import type { Shape } from "../model/model.js";
import type { FastParts, FastTensor } from "../fast/parts.js";
import { foreignModule } from "../module/module-outline.js";
import type { TensorLife } from "./lives.js";
import { planLine } from "../container/plan.js";

export interface FastLayerReport {
  readonly index: number;
  readonly kernel: string;
  readonly output: Shape;
  readonly rows: number;
  /** Records, pairs or weights of groups, those of weight zero among them: fillers of long gaps, and what a filter without weights has. */
  readonly records: number;
  readonly zeros: number;
  /** Of a convolution. */
  readonly chunks: number;
  readonly streamBytes: number;
}

const KERNELS: ReadonlyMap<number, string> = new Map([
  [KIND_CONV_POOLED, "conv2d by pooled tiles"],
  [KIND_CONV_BLOCKS, "conv2d by blocks"],
  [KIND_CONV_PLACES, "conv2d by places"],
  [KIND_CONV_QUADS, "conv2d by two filters"],
  [KIND_CONV_GAPS, "conv2d by gaps"],
  [KIND_DENSE_ROWS, "dense by six rows"],
  [KIND_DENSE_VALUES, "dense by values"],
  [KIND_BITS, "by bits"],
  [KIND_DEPTHWISE, "conv2d by channels"],
  [KIND_DENSE, "dense"],
  [KIND_MAXPOOL, "maxpool"],
  [KIND_AVGPOOL, "avgpool"],
  [KIND_ADD, "add"],
  [KIND_MUL, "mul"],
  [KIND_LUT, "lut"],
  [KIND_RESIZE, "resize"],
  [KIND_CONCAT, "concat"],
]);

/** As people read it. */
export const kernelName = (kind: number): string => KERNELS.get(kind)!;

/** @throws MoteError FORMAT for a stream that does not fit the layers */
export function reportFast({ stream, layers, tensors }: FastParts): FastLayerReport[] {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  let at = 0;
  const take = (bytes: number): number => {
    if (bytes > stream.length - at) throw foreignModule(`its stream ends too early (byte ${stream.length} of it)`);
    at += bytes;
    return at - bytes;
  };
  const report = layers.map(({ kind, output, reads, weights, filledWeights, groupBits }, index) => {
    const begin = at;
    const { shape } = tensors[output];
    let [records, zeros, chunks] = [0, 0, 0];
    if (kind === KIND_LUT) take(LUT_BYTES);
    const together = kind === KIND_CONV_QUADS ? 2 : DENSE_ROWS;
    // Heads stand before the weights or behind them.
    for (let row = 0; filledWeights > 0 && row < shape[0]; row += together) {
      const heads = together * ROW_BYTES;
      if (kind === KIND_CONV_QUADS) take(heads);
      records += together * filledWeights;
      for (let weight = 0; weight < together * filledWeights; weight++) {
        const byte = view.getUint8(take(1));
        const isFiller = weight >= together * weights || row + (weight % together) >= shape[0];
        if (isFiller || byte === (kind === KIND_DENSE_ROWS ? WEIGHT_BIAS : 0)) zeros++;
      }
      if (kind === KIND_DENSE_ROWS) take(heads);
    }
    for (let row = 0; kind < KIND_CONV_QUADS && row < shape[0]; row++) {
      const count = Math.floor(view.getUint32(take(ROW_BYTES) + 12, true) / 256);
      if (kind === KIND_DEPTHWISE) {
        for (let left = count; left > 0; left--) if (view.getUint8(take(1)) === 0) zeros++;
        records += count;
      } else if (kind === KIND_DENSE || kind === KIND_CONV_GAPS) {
        for (let left = count; left > 0; left--) if (view.getUint8(take(PAIR_BYTES) + 1) === 0) zeros++;
        records += count;
      } else if (kind === KIND_DENSE_VALUES) {
        for (const end = at + count; at < end;) {
          const head = take(GROUP_HEAD_BYTES);
          const gaps = view.getUint16(head + 1, true) % 2 ** groupBits;
          take(gaps);
          records += 1 + gaps;
          if (view.getInt8(head) === 0) zeros += 1 + gaps;
        }
      } else if (kind === KIND_BITS) {
        take(count);
        records += 8 * count;
        zeros += 8 * count - weights;
      } else if (kind > KIND_AVGPOOL) {
        take(count);
      } else {
        for (const end = at + count; at < end; chunks++) {
          const ofChunk = view.getUint16(take(CHUNK_HEAD_BYTES), true);
          for (let left = ofChunk; left > 0; left--) if (view.getUint8(take(RECORD_BYTES)) === 0) zeros++;
          records += ofChunk;
        }
      }
    }
    return {
      index,
      kernel: kind === KIND_CONCAT && reads.length > 0 ? "copy" : kernelName(kind),
      output: shape,
      rows: shape[0],
      records,
      zeros,
      chunks,
      streamBytes: at - begin,
    };
  });
  if (at !== stream.length) throw foreignModule(`${stream.length - at} bytes of its stream are left over`);
  return report;
}

/** Lines that a tensor keeps at a time, where they are not all. */
function linesOf({ shape, pitch, plane, comingLines }: FastTensor): number | undefined {
  return comingLines > 0 || plane < pitch * shape[1] ? plane / pitch : undefined;
}

/** Border included, which has no lines above those that a tensor keeps. */
function firstByte(tensor: FastTensor): number {
  const { ptr, pitch, border, comingLines } = tensor;
  const lines = linesOf(tensor);
  if (lines === undefined) return ptr - borderBytes(tensor, border);
  return ptr - border - (comingLines > 0 ? (lines - comingLines) * pitch : 0);
}

/** The tensors, and when they are in use, as far as the layer table tells: to the last layer that reads an address of theirs. */
export function fastLives({ tensors, layers, outputs }: FastParts): TensorLife[] {
  const given = tensors.length - layers.length;
  const lives = tensors.map((tensor, index) => {
    const { isByLines, isState } = tensor;
    const address = firstByte(tensor);
    const bytes = tensor.shape[0] * tensor.plane;
    const isLast = isState || outputs.includes(index);
    return { address, bytes, isByLines, first: index - given, last: isLast ? layers.length : index - given };
  });
  layers.forEach(({ kind, output, reads }, step) => {
    const written = lives.slice(0, output);
    for (const address of reads) {
      const read = written.findLast((one) => address >= one.address && address < one.address + one.bytes);
      if (read !== undefined) read.last = Math.max(read.last, step);
    }
    if (kind !== KIND_CONCAT) return;
    const { address, bytes } = lives[output];
    const parts = written.filter((one) => one.address >= address && one.address + one.bytes <= address + bytes);
    for (const part of parts.filter((one) => one.last === one.first)) part.last = step;
  });
  return lives;
}

/** Linear memory as lines for people: address, bytes and use of every byte, the arena tensor by tensor. */
export function describeFastMemory(parts: FastParts): string[] {
  const { tensors, statesPtr, windowPtr, windowBytes, memoryBytes } = parts;
  const tablesPtr = statesPtr - TENSOR_ENTRY_BYTES * tensors.length;
  const scratchPtr = windowPtr + windowBytes;
  return [
    "  address      bytes  use",
    planLine(0, tablesPtr, "control block and static data"),
    planLine(tablesPtr, statesPtr - tablesPtr, `tensor table: ${tensors.length} tensors`),
    planLine(
      statesPtr,
      windowPtr - statesPtr,
      `layer table: ${parts.layers.length} layers, borders, states, the end; scales; progress`,
    ),
    planLine(windowPtr, windowBytes, "window: a piece of the stream"),
    planLine(scratchPtr, memoryBytes - scratchPtr, "arena: tensors, and what kernels lay out"),
    ...tensors.map((tensor, index) => {
      const {
        shape: [channels, height, width],
        plane,
        border,
        comingLines,
      } = tensor;
      const padded = border > 0 ? `, border ${border}` : "";
      const lines = linesOf(tensor);
      const coming = comingLines > 0 ? `, ${comingLines} of them new: the host gives rows` : "";
      const kept = lines === undefined ? "" : `, ${lines} lines at a time${coming}`;
      const bytes = channels * plane;
      return planLine(
        firstByte(tensor),
        bytes,
        `  tensor ${index}: ${channels} × ${height} × ${width}${padded}${kept}`,
      );
    }),
    `           ${String(memoryBytes).padStart(9)}  in all`,
  ];
}
