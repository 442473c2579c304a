/**
 * Codec 1: the non-zero weights and the runs of zeros between them, each by a canonical Huffman code of its own, over the columns that
 * have a weight.
 */
import { CODEC_HUFFMAN, MIN_GAP_SYMBOLS } from "../../assembly/format.js";
import type { BitReader } from "./bit-reader.js";
import type { BitWriter } from "./bit-writer.js";
import type { Codec, Coding, DecodedWeights } from "./codec.js";
import { fixedWidth } from "./fixed-width.js";
import { huffmanChoices, LENGTH_BITS, type HuffmanChoice } from "./huffman-candidates.js";
import { HuffmanDecoder, longestCode, writtenCodes } from "./huffman-codes.js";
import { columnRanks, type WeightStatistics } from "./statistics.js";

/** Core instructions to decode a weight with the gap in front of it, and to enter a symbol into a decoding table, which each run does anew: about. */
const [WEIGHT_INSTRUCTIONS, SYMBOL_INSTRUCTIONS] = [50, 250];

export const huffman: Codec = { number: CODEC_HUFFMAN, name: "huffman", candidates, read, fixedWidth };

function candidates(weights: Int8Array, statistics: WeightStatistics): (Coding & HuffmanChoice)[] {
  const { rows, columns, liveCount, nonZeros, fullestRow } = statistics;
  return huffmanChoices(weights, statistics).map((choice) => ({
    ...choice,
    codec: CODEC_HUFFMAN,
    instructions:
      (choice.isFull ? rows * (choice.hasColumnMap ? liveCount : columns) : nonZeros) * WEIGHT_INSTRUCTIONS +
      (choice.weightCodes.lengths.length + choice.gapCodes.lengths.length) * SYMBOL_INSTRUCTIONS,
    tableBytes: tableBytes(choice.weightCodes.lengths, choice.gapCodes.lengths),
    liveColumns: choice.hasColumnMap ? liveCount : columns,
    fullestRow: choice.isFull ? (choice.hasColumnMap ? liveCount : columns) : fullestRow,
    write: (writer) => write(writer, weights, statistics, choice),
  }));
}

/** Of the two decoding tables: two bytes for each pattern of as many bits as the longest code has. A lone symbol takes none. */
function tableBytes(...codes: readonly Uint8Array[]): number {
  const patternBits = (lengths: Uint8Array): number =>
    lengths.filter((length) => length > 0).length === 1 ? 0 : longestCode(lengths);
  return codes.reduce((sum, lengths) => sum + 2 * 2 ** patternBits(lengths), 0);
}

/** Linear in the weights. */
function write(writer: BitWriter, weights: Int8Array, statistics: WeightStatistics, choice: HuffmanChoice): void {
  const { hasColumnMap, isCodebook, alphabet } = choice;
  writer.write(hasColumnMap ? 1 : 0, 1);
  if (hasColumnMap) for (const live of statistics.liveColumns) writer.write(live, 1);
  writer.write(isCodebook ? 1 : 0, 1);
  if (!isCodebook) writer.write(alphabet[0], 8);
  writer.write(alphabet.length - 1, 8);
  if (isCodebook) for (const value of alphabet) writer.write(value, 8);
  for (const length of choice.weightCodes.lengths) writer.write(length, LENGTH_BITS);
  writer.write(choice.gaps.counts.length - MIN_GAP_SYMBOLS, 10);
  for (const length of choice.gapCodes.lengths) writer.write(length, LENGTH_BITS);
  writeSymbols(writer, weights, statistics, choice);
}

function writeSymbols(
  writer: BitWriter,
  weights: Int8Array,
  { rows, columns, liveColumns, liveCount }: WeightStatistics,
  choice: HuffmanChoice,
): void {
  const gapCodes = writtenCodes(choice.gapCodes.lengths);
  const gapBits = bitsToWrite(choice.gapCodes.lengths);
  const filler = gapBits.length - 1;
  const symbolCodes = writtenCodes(choice.weightCodes.lengths);
  const symbolBits = bitsToWrite(choice.weightCodes.lengths);
  const weightCode = new Uint16Array(256);
  const weightBits = new Uint8Array(256);
  for (let symbol = 0; symbol < choice.alphabet.length; symbol++) {
    weightCode[choice.alphabet[symbol] + 128] = symbolCodes[symbol];
    weightBits[choice.alphabet[symbol] + 128] = symbolBits[symbol];
  }
  if (choice.isFull) {
    const row = choice.hasColumnMap ? new Int8Array(liveCount) : null;
    for (let at = 0; at < weights.length; at += columns) {
      const values = weights.subarray(at, at + columns);
      writer.writeCodes(row === null ? values : livePart(values, liveColumns, row), weightCode, weightBits);
    }
    return;
  }
  const ranks = columnRanks(columns, choice.hasColumnMap ? liveColumns : null);
  const live = choice.hasColumnMap ? liveCount : columns;
  let next = 0;
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      const w = weights[at];
      if (w === 0) continue;
      const position = row * live + ranks[column];
      let gap = position - next;
      for (; gap >= filler; gap -= filler) writer.write(gapCodes[filler], gapBits[filler]);
      writer.write(gapCodes[gap], gapBits[gap]);
      writer.write(weightCode[w + 128], weightBits[w + 128]);
      next = position + 1;
    }
  }
  const { lastFillers, lastSymbol } = choice.gaps;
  if (lastSymbol < 0) return;
  for (let i = 0; i < lastFillers; i++) writer.write(gapCodes[filler], gapBits[filler]);
  writer.write(gapCodes[lastSymbol], gapBits[lastSymbol]);
}

/** @param to takes the values of live columns */
function livePart(values: Int8Array, liveColumns: Uint8Array, to: Int8Array): Int8Array {
  let at = 0;
  for (let column = 0; column < values.length; column++) if (liveColumns[column] !== 0) to[at++] = values[column];
  return to;
}

/** An alphabet with one used symbol takes no bits. */
function bitsToWrite(lengths: Uint8Array): Uint8Array {
  return lengths.filter((length) => length > 0).length === 1 ? new Uint8Array(lengths.length) : lengths;
}

function read(reader: BitReader, rows: number, columns: number): DecodedWeights {
  let mark = reader.position;
  const since = (): number => {
    const bits = reader.position - mark;
    mark = reader.position;
    return bits;
  };
  const hasColumnMap = reader.read(1, "hasColumnMap") === 1;
  const positions = hasColumnMap ? readColumnMap(reader, columns) : null;
  const live = positions === null ? columns : positions.length;
  const mapBits = since();
  const { isCodebook, alphabet } = readAlphabet(reader);
  const alphabetBits = since();
  const weightLengths = readLengths(reader, alphabet.length, "weight code lengths");
  const weightCode = new HuffmanDecoder(weightLengths, reader, "the weight code");
  const gapSymbols = reader.read(10, "gapSymbols") + MIN_GAP_SYMBOLS;
  const gapLengths = readLengths(reader, gapSymbols, "gap code lengths");
  const gapCode = new HuffmanDecoder(gapLengths, reader, "the gap code");
  const lengthBits = since();

  const weights = new Int8Array(rows * columns);
  const isFull = gapCode.isLone && gapLengths[0] > 0;
  const { gapBits, fillers, nonZeros, fullestRow } = isFull
    ? readFull(weights, columns, positions, weightCode, alphabet)
    : readGaps(weights, columns, positions, weightCode, alphabet, gapCode, gapSymbols - 1);
  const symbolBits = since();
  return {
    weights,
    bits: { map: mapBits, alphabet: alphabetBits, lengths: lengthBits, gaps: gapBits, weights: symbolBits - gapBits },
    nonZeros,
    fullestRow,
    liveColumns: live,
    tableBytes: tableBytes(weightLengths, gapLengths),
    description: {
      alphabet: isCodebook ? "codebook" : "grid",
      gapSymbols,
      fillers,
      longestCodes: [weightCode.longest, gapCode.longest],
      lookUps: 2 * nonZeros + fillers,
    },
  };
}

interface Counts {
  readonly gapBits: number;
  readonly fillers: number;
  readonly nonZeros: number;
  readonly fullestRow: number;
}

/** A weight at each live position. @param positions the live columns, null for all */
function readFull(
  weights: Int8Array,
  columns: number,
  positions: Uint32Array | null,
  weightCode: HuffmanDecoder,
  alphabet: Int8Array,
): Counts {
  const row = positions === null ? null : new Int8Array(positions.length);
  let nonZeros = 0;
  for (let at = 0; at < weights.length; at += columns) {
    const to = weights.subarray(at, at + columns);
    weightCode.fill(row ?? to, alphabet);
    row?.forEach((w, live) => (to[positions![live]] = w));
    for (let column = 0; column < columns; column++) if (to[column] !== 0) nonZeros++;
  }
  return { gapBits: 0, fillers: 0, nonZeros, fullestRow: positions === null ? columns : positions.length };
}

/** @param filler the gap symbol that is followed by no weight */
function readGaps(
  weights: Int8Array,
  columns: number,
  positions: Uint32Array | null,
  weightCode: HuffmanDecoder,
  alphabet: Int8Array,
  gapCode: HuffmanDecoder,
  filler: number,
): Counts {
  const { reader } = gapCode;
  const live = positions === null ? columns : positions.length;
  const total = (weights.length / columns) * live;
  let gapBits = 0;
  let nonZeros = 0;
  let fillers = 0;
  let fullestRow = 0;
  let row = 0;
  let inRow = 0;
  for (let position = 0; position < total;) {
    const before = reader.position;
    const gap = gapCode.next();
    gapBits += reader.position - before;
    position += gap;
    if (gap === filler) {
      fillers++;
      continue;
    }
    if (position >= total) break;
    const column = position % live;
    const rowHere = (position - column) / live;
    if (rowHere !== row) {
      row = rowHere;
      inRow = 0;
    }
    const w = alphabet[weightCode.next()];
    weights[row * columns + (positions === null ? column : positions[column])] = w;
    if (w !== 0) nonZeros++;
    fullestRow = Math.max(fullestRow, ++inRow);
    position++;
  }
  return { gapBits, fillers, nonZeros, fullestRow };
}

/** @returns the column of each live position */
function readColumnMap(reader: BitReader, columns: number): Uint32Array {
  if (columns > reader.remaining)
    reader.fail(`ends within columnMap: ${columns} bits wanted, ${reader.remaining} are left`);
  const positions = new Uint32Array(columns);
  let live = 0;
  for (let column = 0; column < columns; column++) if (reader.read(1, "columnMap") === 1) positions[live++] = column;
  if (live === 0) reader.fail("has a column map without a live column, expected at least one");
  return positions.slice(0, live);
}

function readAlphabet(reader: BitReader): { isCodebook: boolean; alphabet: Int8Array } {
  const isCodebook = reader.read(1, "isCodebook") === 1;
  const first = isCodebook ? 0 : reader.readSigned(8, "first");
  const count = reader.read(8, "count") + 1;
  if (isCodebook)
    return { isCodebook, alphabet: Int8Array.from({ length: count }, () => reader.readSigned(8, "values")) };
  if (first + count - 1 > 127)
    reader.fail(`has a grid ${first} … ${first + count - 1}, expected its end to be at most 127`);
  return { isCodebook, alphabet: Int8Array.from({ length: count }, (_, i) => first + i) };
}

function readLengths(reader: BitReader, count: number, field: string): Uint8Array {
  const lengths = new Uint8Array(count);
  for (let symbol = 0; symbol < count; symbol++) lengths[symbol] = reader.read(4, field);
  return lengths;
}
