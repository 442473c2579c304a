/**
 * Codec 2: whether there is a weight at each position of a live column, its sign and its magnitude, range coded with probabilities that follow
 * what has been coded before. Smaller than codec 1, and slower to decode: each position is a step, not each weight.
 */
import { CODEC_ARITHMETIC } from "../../assembly/format.js";
import { ArithmeticModel, type ArithmeticHead, type CodeBit, type MatrixShape } from "./arithmetic-model.js";
import type { BitReader } from "./bit-reader.js";
import type { BitWriter } from "./bit-writer.js";
import type { Codec, Coding, DecodedWeights, Kernel, StreamSink, StreamSource } from "./codec.js";
import { fixedWidth } from "./fixed-width.js";
import { RangeDecoder, RangeEncoder } from "./range-coder.js";
import type { WeightStatistics } from "./statistics.js";

export const arithmetic: Codec = {
  number: CODEC_ARITHMETIC,
  name: "arithmetic",
  candidates,
  read,
  readStream,
  fixedWidth,
};

const [LARGEST_BITS, RARITY_BITS, MAP_BITS] = [7, 5, 1];
const HEAD_BITS = LARGEST_BITS + RARITY_BITS + MAP_BITS;
const MOST_RARITY = 31;

/** Core instructions of a position, and of a bit of a sign or a magnitude: about. */
const [POSITION_INSTRUCTIONS, BIT_INSTRUCTIONS] = [85, 60];

/** Bytes of what the core decodes by: logits by neighbours and contexts of signs, alphabet and map; entries of the alphabet; logits of columns, two lines of a filter. */
function tableBytes(values: number, { columns, kernel }: MatrixShape): number {
  return 136 + 8 * (values + 4) + 2 * (columns + 2 * (kernel[1] + 2));
}

function candidates(weights: Int8Array, statistics: WeightStatistics): Coding[] {
  const { columns, liveCount } = statistics;
  const codings = [encode(weights, statistics, false)];
  if (liveCount > 0 && liveCount < columns) codings.push(encode(weights, statistics, true));
  return codings.filter((coding) => coding !== null);
}

/** @returns null where the model's numbers do not bear the weights, which no net's have done */
function encode(weights: Int8Array, statistics: WeightStatistics, hasColumnMap: boolean): Coding | null {
  const { rows, columns, kernel, nonZeros, fullestRow, weightCounts, liveColumns, liveCount } = statistics;
  const shape: MatrixShape = { rows, columns, kernel };
  const isUsed = (value: number): boolean => value < 128 && weightCounts[value + 128] > 0;
  let largest = 128;
  while (largest > 1 && !isUsed(largest) && !isUsed(-largest)) largest--;
  const positions = rows * (hasColumnMap ? liveCount : columns);
  const quarters = nonZeros === 0 ? MOST_RARITY : Math.round(-4 * Math.log2(nonZeros / positions));
  const head = { largest, rarity: Math.min(MOST_RARITY, quarters), hasColumnMap };

  const encoder = new RangeEncoder();
  const coded = codeMatrix(head, shape, isUsed, liveColumns, weights, (bit, probability) => {
    encoder.encode(bit, probability);
    return bit;
  });
  if (coded === null) return null;
  const { values, steps } = coded;
  const stream = encoder.finish();
  const writeHead = (writer: Pick<BitWriter, "write">): void => {
    writer.write(largest - 1, LARGEST_BITS);
    writer.write(head.rarity, RARITY_BITS);
    writer.write(hasColumnMap ? 1 : 0, MAP_BITS);
  };
  const write = (writer: BitWriter): void => {
    writeHead(writer);
    for (const byte of stream) writer.write(byte, 8);
  };
  const writeStream = (sink: StreamSink): void => {
    writeHead(sink);
    codeMatrix(head, shape, isUsed, liveColumns, weights, (bit, probability) => {
      sink.encode(bit, probability);
      return bit;
    });
  };
  return {
    codec: CODEC_ARITHMETIC,
    bits: HEAD_BITS + 8 * stream.length,
    instructions: positions * POSITION_INSTRUCTIONS + steps * BIT_INSTRUCTIONS,
    tableBytes: tableBytes(values, shape),
    liveColumns: hasColumnMap ? liveCount : columns,
    fullestRow,
    write,
    writeStream,
  };
}

/** Codes all of it. @returns how many values the alphabet has, and how many bits tell signs and magnitudes; null where the model's numbers do not bear the weights */
function codeMatrix(
  head: ArithmeticHead,
  shape: MatrixShape,
  isUsed: (value: number) => boolean,
  liveColumns: Uint8Array,
  weights: Int8Array,
  code: CodeBit,
): { readonly values: number; readonly steps: number } | null {
  const model = new ArithmeticModel(head, shape, code);
  const values = model.codeAlphabet(isUsed).length;
  const live = liveColumns.slice();
  model.codeColumns(live);
  let steps = 0;
  const isValid = model.codeWeights(
    live,
    weights.slice(),
    (_row, distance) => (steps += 1 + distance),
    () => {},
  );
  return isValid ? { values, steps } : null;
}

function readHead(reader: Pick<StreamSource, "read">): ArithmeticHead {
  return {
    largest: reader.read(LARGEST_BITS, "largest") + 1,
    rarity: reader.read(RARITY_BITS, "rarity"),
    hasColumnMap: reader.read(MAP_BITS, "hasColumnMap") === 1,
  };
}

function read(reader: BitReader, rows: number, columns: number, kernel: Kernel): DecodedWeights {
  const head = readHead(reader);
  const start = reader.position;
  const stream = reader.ahead();
  const decoder = new RangeDecoder(stream);
  const fail = (problem: string): never => reader.fail(problem);
  const total = (): number => {
    if (decoder.consumed < stream.length) {
      fail(`has ${stream.length} bytes of weights, expected no more than the ${decoder.consumed} that they take`);
    }
    reader.skip(8 * stream.length, "weights");
    return reader.position - start;
  };
  return readMatrix(head, { rows, columns, kernel }, (probability) => decoder.decode(probability), fail, total);
}

function readStream(source: StreamSource, rows: number, columns: number, kernel: Kernel): DecodedWeights {
  const head = readHead(source);
  const start = source.position;
  return readMatrix(
    head,
    { rows, columns, kernel },
    (probability) => source.decode(probability),
    (problem) => source.fail("the weights' stream", `one that ${problem}`),
    () => source.position - start,
  );
}

/** @param end is called behind the last bit. @returns how many bits were read, which the purposes add up to */
function readMatrix(
  head: ArithmeticHead,
  shape: MatrixShape,
  decode: (probabilityOf1: number) => 0 | 1,
  fail: (problem: string) => never,
  end: () => number,
): DecodedWeights {
  const { rows, columns } = shape;
  let spent = 0;
  const model = new ArithmeticModel(head, shape, (_bit, probability) => {
    const bit = decode(probability);
    spent += COST[(bit === 1 ? probability : 65536 - probability) >>> 4];
    return bit;
  });

  const values = model.codeAlphabet(() => false);
  if (values.at(-1) === 128) fail("has the value 128 in its alphabet, expected at most 127");
  const alphabetBits = spent;
  const live = new Uint8Array(columns);
  model.codeColumns(live);
  const liveCount = live.reduce((sum, isLive) => sum + isLive, 0);
  if (liveCount === 0) fail("has a column map without a live column, expected at least one");
  const mapBits = spent - alphabetBits;

  const weights = new Int8Array(rows * columns);
  const records = new Uint32Array(rows);
  let [weightBits, lookUps] = [0, rows * liveCount];
  const isValid = model.codeWeights(
    live,
    weights,
    (row, distance) => {
      records[row]++;
      lookUps += 1 + distance;
    },
    (isWeight) => (weightBits += isWeight ? -spent : spent),
  );
  if (!isValid) fail("has a live column whose logit is -32768 where a row begins");

  // What the bits tell is no whole number of them; the purposes add up to those that there are.
  const total = end();
  const scale = spent === 0 ? 0 : total / spent;
  const map = Math.round(mapBits * scale);
  const alphabet = Math.round(alphabetBits * scale);
  const ofWeights = Math.round(weightBits * scale);
  let nonZeros = 0;
  for (const w of weights) if (w !== 0) nonZeros++;
  return {
    weights,
    nonZeros,
    fullestRow: records.reduce((most, count) => Math.max(most, count), 0),
    liveColumns: liveCount,
    tableBytes: tableBytes(values.length, shape),
    bits: {
      map: map + MAP_BITS,
      alphabet: alphabet + LARGEST_BITS,
      lengths: RARITY_BITS,
      gaps: total - map - alphabet - ofWeights,
      weights: ofWeights,
    },
    description: { alphabet: "values", gapSymbols: 0, fillers: 0, longestCodes: [0, 0], lookUps },
  };
}

/** Bits that a probability in 1/4,096 tells, by its middle. */
const COST = Float64Array.from({ length: 4097 }, (_, share) => -Math.log2((share + 0.5) / 4096));
