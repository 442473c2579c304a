/**
 * Containers within the format's rules that our writer does not make: another encoder may. Each is what the writer makes of a model, with
 * the weights of its layers coded anew.
 */
import { RECORD_BYTES } from "../../assembly/abi.js";
import { CODEC_HUFFMAN, CRC_START, FORM_PER_CHANNEL, MIN_GAP_SYMBOLS, PLAN_UNIT } from "../../assembly/format.js";
import { crc32 } from "../../host/container/crc32.js";
import { requirement, scratchBytes } from "../../host/container/plan.js";
import { readContainer, type SectionInfo } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { BitReader } from "../../host/codecs/bit-reader.js";
import { BitWriter } from "../../host/codecs/bit-writer.js";
import { writtenCodes } from "../../host/codecs/huffman-codes.js";
import { inputOf } from "../../host/model/edges.js";
import type { QConv2d, QDense, QModel, QTensor, Shape } from "../../host/model/model.js";
import { columnCount, isWeighted, rowCount } from "../../host/ops/index.js";
import { NO_POOL } from "../../host/ops/op.js";
import type { NamedModel } from "../support/models.js";

/** How codec 1 codes a layer: the section's part 3, before it is bits. */
interface Coding {
  /** 1 = live. Absent: no map. */
  readonly columnMap?: readonly number[];
  readonly alphabet: { readonly codebook: readonly number[] } | { readonly first: number; readonly count: number };
  readonly weightLengths: readonly number[];
  readonly gapLengths: readonly number[];
  /** Gap symbols; a second number is the weight symbol that follows. */
  readonly symbols: readonly (readonly [gap: number, weight?: number])[];
  /** Weight symbols of the fullest row. */
  readonly records: number;
}

export interface HandmadeModel extends NamedModel {
  readonly bytes: Uint8Array;
}

function writeCoding(bits: BitWriter, { columnMap, alphabet, weightLengths, gapLengths, symbols }: Coding): void {
  bits.write(columnMap === undefined ? 0 : 1, 1);
  for (const live of columnMap ?? []) bits.write(live, 1);
  const isCodebook = "codebook" in alphabet;
  bits.write(isCodebook ? 1 : 0, 1);
  if (!isCodebook) bits.write(alphabet.first, 8);
  bits.write((isCodebook ? alphabet.codebook.length : alphabet.count) - 1, 8);
  if (isCodebook) for (const value of alphabet.codebook) bits.write(value, 8);
  for (const length of weightLengths) bits.write(length, 4);
  bits.write(gapLengths.length - MIN_GAP_SYMBOLS, 10);
  for (const length of gapLengths) bits.write(length, 4);
  const writerOf = (lengths: readonly number[]): ((symbol: number) => void) => {
    const codes = writtenCodes(Uint8Array.from(lengths));
    const isLone = lengths.filter((length) => length > 0).length === 1;
    return (symbol) => bits.write(codes[symbol], isLone ? 0 : lengths[symbol]);
  };
  const writeGap = writerOf(gapLengths);
  const writeWeight = writerOf(weightLengths);
  for (const [gap, weight] of symbols) {
    writeGap(gap);
    if (weight !== undefined) writeWeight(weight);
  }
}

/** Multipliers, shifts and biases as they stand, then the weights by `coding`. */
function recodedSection(file: Uint8Array, section: SectionInfo, coding: Coding): Uint8Array {
  const end = section.offset + section.bytes;
  const old = new BitReader(file, section.offset, end, "section");
  const bits = new BitWriter();
  for (let left = section.requantizeBits + section.biasBitsTotal; left > 0; left--) bits.write(old.read(1, "head"), 1);
  writeCoding(bits, coding);
  return bits.finish().slice();
}

/** @param codings one a layer. All numbers of the file's head and the sections' lengths stay below 128, varints of one byte */
function recode(model: QModel, codings: readonly Coding[]): Uint8Array {
  const file = writeContainer(model, { windowBytes: 128 });
  const { layers, headBytes } = readContainer(file);
  const longest = (lengths: readonly number[]): number => {
    return lengths.filter((length) => length > 0).length === 1 ? 0 : Math.max(...lengths);
  };
  const scratch = model.layers.map((layer, index) => {
    const { columnMap, weightLengths, gapLengths, records } = codings[index];
    if (!isWeighted(layer)) throw new Error("expected layers with weights only");
    const coded = {
      tableBytes: 2 * (2 ** longest(weightLengths) + 2 ** longest(gapLengths)),
      liveColumns: columnMap?.reduce((sum, live) => sum + live, 0) ?? columnCount(model, layer),
      fullestRow: records,
    };
    const input = model.tensors[inputOf(layer)];
    const needed = requirement(input, layer, rowCount(model, layer), coded, layer.multiplier.length > 1);
    return scratchBytes({ ...needed, records: records * RECORD_BYTES });
  });
  const head = file.slice(0, headBytes);
  // ops, codecs, numbers of tensors and layers, window, scratch
  head[CRC_START + 1] = 1 << CODEC_HUFFMAN;
  head[CRC_START + 5] = Math.max(...scratch) / PLAN_UNIT;
  const parts: Uint8Array[] = [head];
  layers.forEach(({ offset, section }, index) => {
    if (section === undefined) throw new Error("expected layers with weights only");
    const fields = file.slice(offset, section.offset);
    const recoded = recodedSection(file, section, codings[index]);
    // form, sectionBytes
    fields[fields.length - 2] = CODEC_HUFFMAN | (section.perChannel ? FORM_PER_CHANNEL : 0);
    fields[fields.length - 1] = recoded.length;
    parts.push(fields, recoded);
  });
  const bytes = new Uint8Array(Buffer.concat(parts));
  new DataView(bytes.buffer).setUint32(CRC_START - 4, crc32(bytes.subarray(CRC_START)), true);
  return bytes;
}

/** Of the inside of a model. */
function tensor(shape: Shape, zeroPoint: number, border = 0): QTensor {
  return { shape, nominalChannels: shape[0], border, zeroPoint };
}

/** An input or output. */
const end = (shape: Shape, zeroPoint: number, border = 0): QTensor => ({ ...tensor(shape, zeroPoint, border), scale: 1 });

/** Outputs are accumulators divided by 16. */
function scaled(weights: readonly number[], bias: readonly number[]) {
  return {
    weights: Int8Array.from(weights),
    bias: Int32Array.from(bias),
    multiplier: Int32Array.of(2 ** 30),
    shift: Uint8Array.of(34),
    clamp: [-128, 127],
  } as const;
}

function dense(weights: readonly number[], bias: readonly number[]): QModel {
  const layer: QDense = { op: "dense", inputs: [0], output: 1, ...scaled(weights, bias) };
  return { tensors: [end([8, 1, 1], -128), end([bias.length, 1, 1], -7)], layers: [layer], outputs: [1] };
}

/** The first value has two symbols, both of which occur; nor do the values ascend. */
function equalValues(): HandmadeModel {
  const model = dense([3, 0, 0, -2, 0, 0, 0, 3, 0, 3, 0, 0, 0, 0, -2, 0], [0, 40]);
  const bytes = recode(model, [
    {
      alphabet: { codebook: [3, -2, 3] },
      weightLengths: [2, 1, 2],
      gapLengths: [2, 2, 2, 2], // gaps 0, 1, 2; the filler skips 3
      // The last gap leads beyond the end.
      symbols: [[0, 0], [2, 1], [3], [0, 2], [1, 0], [3], [1, 1], [2]],
      records: 3,
    },
  ]);
  return { name: "equal values", model, bytes };
}

/**
 * A convolution whose codebook has a 0, and a dense layer whose grid has: such a weight takes its symbol's bits and a record, and changes
 * nothing. The second layer's map says of a column without weights that it is live.
 */
function zeroValues(): HandmadeModel {
  const conv: QConv2d = {
    op: "conv2d",
    inputs: [0],
    output: 1,
    ...scaled([0, 5, 0, 0, -4, 0, 5, 0], [-30, 12]),
    kernel: [2, 2],
    stride: [1, 1],
    pad: [1, 1],
    groups: 1,
    pool: NO_POOL,
  };
  const full: QDense = {
    op: "dense",
    inputs: [1],
    output: 2,
    ...scaled(
      Array.from({ length: 18 }, (_, i) => (i === 2 ? 1 : i === 16 ? -1 : 0)),
      [3],
    ),
  };
  const model: QModel = {
    tensors: [end([1, 2, 2], -128, 1), tensor([2, 3, 3], 4), end([1, 1, 1], 0)],
    layers: [conv, full],
    outputs: [2],
  };
  const bytes = recode(model, [
    {
      alphabet: { codebook: [0, 5, -4] },
      weightLengths: [1, 2, 2],
      gapLengths: [1, 1], // gap 0; the filler skips 1
      // Row 0 is 0 5 0 ., row 1 is -4 . 5 0.
      symbols: [[0, 0], [0, 1], [0, 0], [1], [0, 2], [1], [0, 1], [0, 0]],
      records: 3,
    },
    {
      columnMap: Array.from({ length: 18 }, (_, column) => ([2, 5, 9, 16].includes(column) ? 1 : 0)),
      alphabet: { first: -1, count: 3 },
      weightLengths: [2, 1, 2],
      gapLengths: [1, 2, 2],
      symbols: [
        [0, 2],
        [1, 1],
        [0, 0],
      ],
      records: 3,
    },
  ]);
  return { name: "zero values", model, bytes };
}

/** Gap alphabets whose filler has no code: of several gaps, and of one, which then takes no bits. */
function unusedFiller(): HandmadeModel {
  const first: QDense = { op: "dense", inputs: [0], output: 1, ...scaled([7, 0, 9, 0, 0, 7, 0, 0, 9, 0, 7, 0], [1, -1]) };
  const second: QDense = { op: "dense", inputs: [1], output: 2, ...scaled([8, -8, -8, 8], [0, 16]) };
  const model: QModel = {
    tensors: [end([6, 1, 1], 0), tensor([2, 1, 1], 5), end([2, 1, 1], 0)],
    layers: [first, second],
    outputs: [2],
  };
  const bytes = recode(model, [
    {
      alphabet: { codebook: [7, 9] },
      weightLengths: [1, 1],
      gapLengths: [2, 2, 1, 0],
      symbols: [[0, 0], [1, 1], [2, 0], [2, 1], [1, 0], [1]],
      records: 3,
    },
    {
      alphabet: { codebook: [8, -8] },
      weightLengths: [1, 1],
      gapLengths: [1, 0],
      symbols: [
        [0, 0],
        [0, 1],
        [0, 1],
        [0, 0],
      ],
      records: 2,
    },
  ]);
  return { name: "unused filler", model, bytes };
}

export function handmadeModels(): HandmadeModel[] {
  return [equalValues(), zeroValues(), unusedFiller()];
}
