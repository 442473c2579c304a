/**
 * Codec 3: DeepCABAC as published, every weight in the order of rows. Positions, signs and magnitudes are bins of contexts that adapt to
 * them; see cabac-contexts.ts.
 */
import { CODEC_CABAC, MAX_CABAC_ENTRIES } from "../../assembly/format.js";
import type { BitReader } from "./bit-reader.js";
import type { BitWriter } from "./bit-writer.js";
import {
  binarize,
  contextCount,
  Contexts,
  debinarize,
  isSignificance,
  type Bins,
  type CabacSettings,
} from "./cabac-contexts.js";
import type { Codec, Coding, DecodedWeights } from "./codec.js";
import { fixedWidth } from "./fixed-width.js";
import { RangeDecoder, RangeEncoder } from "./range-coder.js";
import type { WeightStatistics } from "./statistics.js";

export const cabac: Codec = { number: CODEC_CABAC, name: "cabac", candidates, read, fixedWidth };

/** Of flags, the two shifts, and whether there is a codebook; then of a codebook's two counts. */
const SETTING_BITS = 4 + 3 + 3 + 1;
const COUNT_BITS = 8 + 8;

/** Core instructions of a regular bin: about. */
const BIN_INSTRUCTIONS = 75;

/** Weights that settings are chosen by: they are alike in all of a layer. */
const TRIED_WEIGHTS = 2 ** 17;

/** What is coded: the weights themselves, or their places among the values that occur. */
interface Levels {
  readonly levels: Int16Array;
  /** Values of the levels below and above 0, both ascending; null where each level is its own. */
  readonly codebook: { readonly below: readonly number[]; readonly above: readonly number[] } | null;
}

function candidates(weights: Int8Array, { columns, fullestRow }: WeightStatistics): Coding[] {
  const [direct, coded] = [ownLevels(weights), codebookLevels(weights)];
  const tried = (coded === null ? [direct] : [direct, coded]).map((levels) => ({ levels, ...bestSettings(levels) }));
  const { levels, settings } = tried.reduce((best, other) => (other.bits < best.bits ? other : best));
  const { stream, bins } = encode(levels.levels, settings);
  const entries = entriesOf(levels);
  return [
    {
      codec: CODEC_CABAC,
      bits: SETTING_BITS + sideBits(levels) + 8 * stream.length,
      instructions: bins * BIN_INSTRUCTIONS,
      tableBytes: tableBytes(settings.flags, entries),
      liveColumns: columns,
      fullestRow,
      write: (writer) => write(writer, levels, settings, stream),
    },
  ];
}

const ownLevels = (weights: Int8Array): Levels => ({ levels: Int16Array.from(weights), codebook: null });

/** @returns null where there are too many values, or a codebook would make no level nearer to 0 */
function codebookLevels(weights: Int8Array): Levels | null {
  const values = [...new Set(weights)].filter((w) => w !== 0).toSorted((a, b) => a - b);
  const below = values.filter((w) => w < 0);
  const above = values.filter((w) => w > 0);
  if (
    values.length + 1 > MAX_CABAC_ENTRIES ||
    (above.length === (above.at(-1) ?? 0) && below.length === -(below[0] ?? 0))
  )
    return null;
  const levelOf = new Map([
    [0, 0],
    ...below.map((w, i) => [w, i - below.length] as const),
    ...above.map((w, i) => [w, i + 1] as const),
  ]);
  return { levels: Int16Array.from(weights, (w) => levelOf.get(w)!), codebook: { below, above } };
}

const sideBits = ({ codebook }: Levels): number =>
  codebook === null ? 0 : COUNT_BITS + 8 * (codebook.below.length + codebook.above.length);

/** Of a codebook in the core: one a level, 0 among them. */
const entriesOf = ({ codebook }: Levels): number =>
  codebook === null ? 0 : codebook.below.length + 1 + codebook.above.length;

/** Two estimates of two bytes for each context, and the codebook. */
const tableBytes = (flags: number, entries: number): number => 4 * contextCount(flags) + entries;

/** Numbers of flags first, then the shifts, each a step at a time as long as that saves bits. */
function bestSettings(levels: Levels): { readonly settings: CabacSettings; readonly bits: number } {
  const part = levels.levels.subarray(0, TRIED_WEIGHTS);
  const measure = (settings: CabacSettings): { settings: CabacSettings; bits: number } => {
    return { settings, bits: streamBits(part, settings) };
  };
  const numbers = [0, 1, 2, 3, 4, 6, 8, 10, 15];
  let best = numbers
    .map((flags) => measure({ flags, fastShift: 4, slowShift: 7 }))
    .reduce((a, b) => (b.bits < a.bits ? b : a));
  const steps = [
    [1, 1],
    [-1, -1],
    [0, 1],
    [0, -1],
    [1, 0],
    [-1, 0],
  ] as const;
  for (let step = 0; step < steps.length;) {
    const { flags, fastShift, slowShift } = best.settings;
    const [fast, slow] = [fastShift + steps[step][0], slowShift + steps[step][1]];
    const isAllowed = fast >= 1 && fast <= 8 && slow >= fast && slow <= fast + 7;
    const next = isAllowed ? measure({ flags, fastShift: fast, slowShift: slow }) : best;
    step = next.bits < best.bits ? 0 : step + 1;
    if (next.bits < best.bits) best = next;
  }
  return { settings: best.settings, bits: best.bits * (levels.levels.length / part.length) + sideBits(levels) };
}

/** Bits that levels take, but for the rounding of the range coder. */
export function streamBits(levels: ArrayLike<number>, settings: CabacSettings): number {
  const contexts = new Contexts(settings);
  let bits = 0;
  eachBin(levels, settings, {
    regular: (context, bin) => {
      bits += contexts.cost(context, bin);
      contexts.adapt(context, bin);
    },
    bypass: () => bits++,
  });
  return bits;
}

function encode(levels: Int16Array, settings: CabacSettings): { readonly stream: Uint8Array; readonly bins: number } {
  const contexts = new Contexts(settings);
  const coder = new RangeEncoder();
  let bins = 0;
  eachBin(levels, settings, {
    regular: (context, bin) => {
      bins++;
      coder.encode(bin, contexts.probability(context));
      contexts.adapt(context, bin);
    },
    bypass: (bin) => coder.encode(bin, BYPASS),
  });
  return { stream: coder.finish(), bins };
}

/** Of a bypass bin: one half. */
const BYPASS = 1 << 15;

function eachBin(levels: ArrayLike<number>, { flags }: CabacSettings, bins: Bins): void {
  for (let at = 0, previous = 0; at < levels.length; at++) {
    binarize(levels[at], previous, flags, bins);
    previous = levels[at];
  }
}

function write(
  writer: BitWriter,
  { codebook }: Levels,
  { flags, fastShift, slowShift }: CabacSettings,
  stream: Uint8Array,
): void {
  writer.write(flags, 4);
  writer.write(fastShift - 1, 3);
  writer.write(slowShift - fastShift, 3);
  writer.write(codebook === null ? 0 : 1, 1);
  if (codebook !== null) {
    writer.write(codebook.below.length, 8);
    writer.write(codebook.above.length, 8);
    for (const value of [...codebook.below, ...codebook.above]) writer.write(value, 8);
  }
  for (const byte of stream) writer.write(byte, 8);
}

function read(reader: BitReader, rows: number, columns: number): DecodedWeights {
  const start = reader.position;
  const flags = reader.read(4, "flags");
  const fastShift = reader.read(3, "fastShift") + 1;
  const slowShift = fastShift + reader.read(3, "slowShift");
  const hasCodebook = reader.read(1, "hasCodebook") === 1;
  const codebook = hasCodebook ? readCodebook(reader) : null;
  const { below, values } = codebook ?? { below: 128, values: null };
  const most = values === null ? 127 : values.length - 1 - below;
  const streamStart = reader.position;

  const bytes = Uint8Array.from({ length: reader.remaining >>> 3 }, () => reader.read(8, "weights"));
  const coder = new RangeDecoder(bytes);
  const contexts = new Contexts({ flags, fastShift, slowShift });
  let positionBits = 0;
  let lookUps = 0;
  const bins = {
    regular: (context: number): 0 | 1 => {
      const bin = coder.decode(contexts.probability(context));
      lookUps++;
      if (isSignificance(context)) positionBits += contexts.cost(context, bin);
      contexts.adapt(context, bin);
      return bin;
    },
    bypass: () => coder.decode(BYPASS),
  };
  const weights = new Int8Array(rows * columns);
  let nonZeros = 0;
  let fullestRow = 0;
  let previous = 0;
  for (let row = 0, at = 0; row < rows; row++) {
    const before = nonZeros;
    for (let column = 0; column < columns; column++, at++) {
      previous = debinarize(previous, flags, bins);
      if (previous === 0) continue;
      if (previous < -below || previous > most)
        reader.fail(`has level ${previous} in row ${row}, column ${column}, expected ${-below} … ${most}`);
      weights[at] = values === null ? previous : values[previous + below];
      if (weights[at] !== 0) nonZeros++;
    }
    fullestRow = Math.max(fullestRow, nonZeros - before);
  }
  const left = bytes.length - coder.consumed;
  if (left > 0) reader.fail(`runs over: ${left} bytes are left behind the last weight`);
  const streamBits = 8 * bytes.length;
  const gaps = Math.min(streamBits, Math.round(positionBits));
  return {
    weights,
    nonZeros,
    fullestRow,
    liveColumns: columns,
    tableBytes: tableBytes(flags, values?.length ?? 0),
    bits: { map: 0, alphabet: streamStart - start, lengths: 0, gaps, weights: streamBits - gaps },
    description: {
      alphabet: hasCodebook ? "codebook" : "int8",
      gapSymbols: 0,
      fillers: 0,
      longestCodes: [0, 0],
      lookUps,
    },
  };
}

/** @returns how many levels are below 0, and the values of all, that of 0 among them */
function readCodebook(reader: BitReader): { readonly below: number; readonly values: Int8Array } {
  const below = reader.read(8, "below");
  const entries = below + 1 + reader.read(8, "above");
  if (entries > MAX_CABAC_ENTRIES)
    reader.fail(`has a codebook of ${entries} values, 0 among them, expected at most ${MAX_CABAC_ENTRIES}`);
  const values = Int8Array.from({ length: entries }, (_, at) => (at === below ? 0 : reader.readSigned(8, "values")));
  return { below, values };
}
