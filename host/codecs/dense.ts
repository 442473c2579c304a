/** Codec 0: every weight a byte, zeros included. For layers that are not sparse, or too small for codes to pay. */
import { CODEC_DENSE } from "../../assembly/format.js";
import type { BitReader } from "./bit-reader.js";
import type { BitWriter } from "./bit-writer.js";
import type { Codec, Coding, DecodedWeights, FixedWidth, StreamSource } from "./codec.js";
import type { WeightStatistics } from "./statistics.js";

const WEIGHT_BITS = 8;
/** Core instructions to decode a weight, zeros included: about. */
const WEIGHT_INSTRUCTIONS = 50;

export const dense: Codec = { number: CODEC_DENSE, name: "dense", candidates, read, readStream, fixedWidth };

function candidates(weights: Int8Array, { columns, fullestRow }: WeightStatistics): Coding[] {
  const write = (writer: Pick<BitWriter, "write">): void => {
    for (const w of weights) writer.write(w, WEIGHT_BITS);
  };
  const bits = weights.length * WEIGHT_BITS;
  const instructions = weights.length * WEIGHT_INSTRUCTIONS;
  return [
    {
      codec: CODEC_DENSE,
      bits,
      instructions,
      tableBytes: 0,
      liveColumns: columns,
      fullestRow,
      write,
      writeStream: write,
    },
  ];
}

function read(reader: BitReader, rows: number, columns: number): DecodedWeights {
  const total = rows * columns;
  const bits = total * WEIGHT_BITS;
  if (bits > reader.remaining) {
    reader.fail(`ends within dense weights: ${bits} bits wanted, ${reader.remaining} are left`);
  }
  return readStream(reader, rows, columns);
}

function readStream(reader: Pick<StreamSource, "read">, rows: number, columns: number): DecodedWeights {
  const total = rows * columns;
  const weights = new Int8Array(total);
  let nonZeros = 0;
  let fullestRow = 0;
  for (let row = 0, at = 0; row < rows; row++) {
    let inRow = 0;
    for (let column = 0; column < columns; column++, at++) {
      weights[at] = reader.read(WEIGHT_BITS, "dense weights");
      if (weights[at] !== 0) inRow++;
    }
    nonZeros += inRow;
    fullestRow = Math.max(fullestRow, inRow);
  }
  return {
    weights,
    nonZeros,
    fullestRow,
    liveColumns: columns,
    tableBytes: 0,
    bits: { map: 0, alphabet: 0, lengths: 0, gaps: 0, weights: total * WEIGHT_BITS },
    description: { alphabet: "int8", gapSymbols: 0, fillers: 0, longestCodes: [0, 0], lookUps: 0 },
  };
}

function fixedWidth(weights: Int8Array): FixedWidth {
  return { weightBits: WEIGHT_BITS, indexBits: 0, entries: weights.length, bits: weights.length * WEIGHT_BITS };
}
