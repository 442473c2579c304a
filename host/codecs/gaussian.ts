/**
 * Codec 4: weights as samples of a normal distribution around 0, of which a layer states the width alone. For layers of a few dozen weights that nobody
 * pruned: what codec 2 learns about them takes more bits there than it saves.
 */
import { CODEC_GAUSSIAN, GAUSSIAN_MAGNITUDES, GAUSSIAN_SPREAD_BITS } from "../../assembly/format.js";
import type { BitReader } from "./bit-reader.js";
import type { BitWriter } from "./bit-writer.js";
import type { Codec, Coding, DecodedWeights, StreamSink, StreamSource } from "./codec.js";
import { fixedWidth } from "./fixed-width.js";
import { RangeDecoder, RangeEncoder } from "./range-coder.js";
import type { WeightStatistics } from "./statistics.js";

export const gaussian: Codec = {
  number: CODEC_GAUSSIAN,
  name: "gaussian",
  candidates,
  read,
  readStream,
  fixedWidth,
};

/** Core instructions to make the table, and of a bit: about. */
const [TABLE_INSTRUCTIONS, BIT_INSTRUCTIONS] = [5000, 60];
/** What the core decodes by: of each magnitude a probability. */
const TABLE_BYTES = 2 * GAUSSIAN_MAGNITUDES;
/** Of a sign. */
const EVEN = 1 << 15;

/**
 * How likely a magnitude is larger than each, once it is as large, in 1/65,536; 0 for the largest there is.
 * @param spread 0 … 31: the standard deviation is about 0.3 × 2^(spread / 4)
 */
export function magnitudeProbabilities(spread: number): Uint16Array {
  const curve = Math.floor((spread % 2 === 0 ? 524288 : 370727) / 2 ** (spread >> 1));
  const table = new Uint16Array(GAUSSIAN_MAGNITUDES);
  let sum = 0;
  for (let magnitude = GAUSSIAN_MAGNITUDES - 1; magnitude >= 0; magnitude--) {
    const exponent = magnitude * magnitude * curve;
    const share = exponent < 13 * 65536 ? (65536 - ((exponent & 65535) >> 1)) >> (4 + (exponent >> 16)) : 0;
    const beyond = magnitude === 0 ? 2 * sum : sum;
    sum = beyond + share;
    if (beyond > 0) table[magnitude] = Math.max(64, Math.floor((beyond * 2048) / sum) * 32);
  }
  return table;
}

const TABLES = Array.from({ length: 2 ** GAUSSIAN_SPREAD_BITS }, (_, spread) => magnitudeProbabilities(spread));

/** Codes a weight. @param encode takes a bit and the probability of a 1 in 1/65,536 */
function codeWeight(weight: number, table: Uint16Array, encode: (bit: 0 | 1, probabilityOf1: number) => void): void {
  const magnitude = Math.abs(weight);
  for (let k = 0; k <= magnitude && table[k] > 0; k++) {
    encode(magnitude > k ? 1 : 0, table[k]);
    if (k === 0 && weight !== 0) encode(weight > 0 ? 1 : 0, EVEN);
  }
}

/** @returns bits of all weights of a layer, about; Infinity where the distribution does not have them all */
function cost(counts: Float64Array, table: Uint16Array): number {
  let bits = 0;
  counts.forEach((count, index) => {
    const weight = index - 128;
    if (count === 0) return;
    if (weight !== 0 && !(table[Math.abs(weight) - 1] > 0)) bits = Infinity;
    codeWeight(weight, table, (bit, p) => (bits -= count * Math.log2((bit === 1 ? p : 65536 - p) / 65536)));
  });
  return bits;
}

function candidates(
  weights: Int8Array,
  { columns, fullestRow, weightCounts, nonZeros }: WeightStatistics,
): readonly Coding[] {
  const counts = weightCounts.slice();
  counts[128] = weights.length - nonZeros;
  const costs = TABLES.map((table) => cost(counts, table));
  const spread = costs.indexOf(Math.min(...costs));
  if (costs[spread] === Infinity) return [];
  const encodeTo = (encode: (bit: 0 | 1, probabilityOf1: number) => void): void => {
    for (const weight of weights) codeWeight(weight, TABLES[spread], encode);
  };
  const encoder = new RangeEncoder();
  let steps = 0;
  encodeTo((bit, probability) => {
    encoder.encode(bit, probability);
    steps++;
  });
  const stream = encoder.finish();
  return [
    {
      codec: CODEC_GAUSSIAN,
      bits: GAUSSIAN_SPREAD_BITS + 8 * stream.length,
      instructions: TABLE_INSTRUCTIONS + steps * BIT_INSTRUCTIONS,
      tableBytes: TABLE_BYTES,
      liveColumns: columns,
      fullestRow,
      write: (writer: BitWriter) => {
        writer.write(spread, GAUSSIAN_SPREAD_BITS);
        for (const byte of stream) writer.write(byte, 8);
      },
      writeStream: (sink: StreamSink) => {
        sink.write(spread, GAUSSIAN_SPREAD_BITS);
        encodeTo((bit, probability) => sink.encode(bit, probability));
      },
    },
  ];
}

function read(reader: BitReader, rows: number, columns: number): DecodedWeights {
  const start = reader.position;
  const spread = reader.read(GAUSSIAN_SPREAD_BITS, "spread");
  const stream = reader.ahead();
  const decoder = new RangeDecoder(stream);
  const matrix = readMatrix(spread, rows, columns, (probability) => decoder.decode(probability));
  if (decoder.consumed < stream.length) {
    reader.fail(`has ${stream.length} bytes of weights, expected no more than the ${decoder.consumed} that they take`);
  }
  reader.skip(8 * stream.length, "weights");
  return described(matrix, reader.position - start);
}

function readStream(source: StreamSource, rows: number, columns: number): DecodedWeights {
  const start = source.position;
  const spread = source.read(GAUSSIAN_SPREAD_BITS, "spread");
  const matrix = readMatrix(spread, rows, columns, (probability) => source.decode(probability));
  return described(matrix, source.position - start);
}

type Matrix = Pick<DecodedWeights, "weights" | "nonZeros" | "fullestRow" | "liveColumns"> & { readonly steps: number };

function readMatrix(spread: number, rows: number, columns: number, decode: (probabilityOf1: number) => 0 | 1): Matrix {
  const table = TABLES[spread];
  const weights = new Int8Array(rows * columns);
  let steps = 0;
  const next = (probability: number): boolean => {
    steps++;
    return decode(probability) === 1;
  };
  let [nonZeros, fullestRow] = [0, 0];
  for (let row = 0, at = 0; row < rows; row++) {
    const before = nonZeros;
    for (let column = 0; column < columns; column++, at++) {
      if (!next(table[0])) continue;
      const sign = next(EVEN) ? 1 : -1;
      let magnitude = 1;
      while (table[magnitude] > 0 && next(table[magnitude])) magnitude++;
      weights[at] = sign * magnitude;
      nonZeros++;
    }
    fullestRow = Math.max(fullestRow, nonZeros - before);
  }
  return { weights, nonZeros, fullestRow, liveColumns: columns, steps };
}

/** @param bits of all of part 3 */
function described({ steps, ...matrix }: Matrix, bits: number): DecodedWeights {
  return {
    ...matrix,
    tableBytes: TABLE_BYTES,
    bits: { map: 0, alphabet: 0, lengths: GAUSSIAN_SPREAD_BITS, gaps: 0, weights: bits - GAUSSIAN_SPREAD_BITS },
    description: { alphabet: "int8", gapSymbols: 0, fillers: 0, longestCodes: [0, 0], lookUps: steps },
  };
}
