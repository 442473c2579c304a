/** Reads a layer's weights back: the decoder beside `weights.ts`, strict, with every bit accounted for. */
import { CODEC_DENSE, CODEC_HUFFMAN, MIN_GAP_SYMBOLS } from "../../assembly/format.js";
import type { BitReader } from "./bit-reader.js";
import { HuffmanDecoder } from "./huffman.js";

/** Where the bits of a layer's weights are. The parts add up to part 3 of the section. */
export interface WeightBits {
  /** hasColumnMap and the map. */
  readonly map: number;
  /** isCodebook and the alphabet's values. */
  readonly alphabet: number;
  /** Code lengths of both alphabets, and the number of gap symbols. */
  readonly lengths: number;
  readonly gaps: number;
  readonly weights: number;
}

/** How codec 1 coded a layer. */
export interface HuffmanInfo {
  readonly hasColumnMap: boolean;
  readonly isCodebook: boolean;
  readonly alphabet: Int8Array;
  readonly weightLengths: Uint8Array;
  readonly gapLengths: Uint8Array;
  /** How often the filler occurs. */
  readonly fillers: number;
}

export interface DecodedWeights {
  readonly weights: Int8Array;
  readonly bits: WeightBits;
  readonly nonZeros: number;
  /** Weight symbols of the fullest row: the records a convolution keeps. */
  readonly fullestRow: number;
  /** Columns that the core keeps an offset for. */
  readonly liveColumns: number;
  /** Bytes of the two decoding tables. */
  readonly tableBytes: number;
  readonly huffman?: HuffmanInfo;
}

/**
 * @param codec 0 or 1
 * @throws MoteError FORMAT with the byte where the section breaks a rule of SPEC.md
 */
export function readWeights(reader: BitReader, rows: number, columns: number, codec: number): DecodedWeights {
  if (codec === CODEC_DENSE) return readDense(reader, rows, columns);
  if (codec === CODEC_HUFFMAN) return readHuffman(reader, rows, columns);
  throw new RangeError(`readWeights: expected codec 0 or 1, got ${codec}`);
}

function readDense(reader: BitReader, rows: number, columns: number): DecodedWeights {
  const total = rows * columns;
  if (total * 8 > reader.remaining) {
    reader.fail(`ends within dense weights: ${total * 8} bits wanted, ${reader.remaining} are left`);
  }
  const weights = new Int8Array(total);
  let nonZeros = 0;
  let fullestRow = 0;
  for (let row = 0, at = 0; row < rows; row++) {
    let inRow = 0;
    for (let column = 0; column < columns; column++, at++) {
      weights[at] = reader.read(8, "dense weights");
      if (weights[at] !== 0) inRow++;
    }
    nonZeros += inRow;
    fullestRow = Math.max(fullestRow, inRow);
  }
  const bits = { map: 0, alphabet: 0, lengths: 0, gaps: 0, weights: total * 8 };
  return { weights, bits, nonZeros, fullestRow, liveColumns: columns, tableBytes: 0 };
}

function readHuffman(reader: BitReader, rows: number, columns: number): DecodedWeights {
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
  const total = rows * live;
  const filler = gapSymbols - 1;
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
  const symbolBits = since();
  return {
    weights,
    bits: { map: mapBits, alphabet: alphabetBits, lengths: lengthBits, gaps: gapBits, weights: symbolBits - gapBits },
    nonZeros,
    fullestRow,
    liveColumns: live,
    tableBytes: 2 * (2 ** weightCode.longest + 2 ** gapCode.longest),
    huffman: { hasColumnMap, isCodebook, alphabet, weightLengths, gapLengths, fillers },
  };
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
