/** What the rest of the host may know of a codec: a way to write a layer's weights, which is part 3 of a section (SPEC.md, "Section"). */
import type { BitReader } from "./bit-reader.js";
import type { BitWriter } from "./bit-writer.js";
import type { WeightStatistics } from "./statistics.js";

/** Height and width of the part of a row that reads one channel: a filter's kernel, or of a dense layer its input's size. */
export type Kernel = readonly [height: number, width: number];

export interface Codec {
  /** In the form byte of a layer. */
  readonly number: number;
  /** For people, and in `--json`; and of the file of assembly/core/codecs that decodes it, whose index asks them in the order of their numbers. */
  readonly name: string;
  /**
   * Ways to code a layer, which differ in bits and memory; of two that are equal the one to be preferred comes first.
   * @param weights row-major [rows, columns], 0 = pruned
   * @param statistics of these weights
   */
  candidates(weights: Int8Array, statistics: WeightStatistics): readonly Coding[];
  /**
   * Reads part 3 back: strict, with every bit accounted for.
   * @throws MoteError FORMAT with the byte where the section breaks a rule of SPEC.md
   */
  read(reader: BitReader, rows: number, columns: number, kernel: Kernel): DecodedWeights;
  /** The same from the stream of a small container. A codec that lacks this has no place there. */
  readStream?(source: StreamSource, rows: number, columns: number, kernel: Kernel): DecodedWeights;
  /** The layer with this codec's entries at a fixed width. */
  fixedWidth(weights: Int8Array, rows: number, columns: number): FixedWidth;
}

/** A stream that a layer's weights are a part of: fields of bits as a section has them, and bits with a probability. */
export interface StreamSink {
  write(value: number, bits: number): void;
  /** @param probabilityOf1 in 1/65,536: 1 … 65,535 */
  encode(bit: 0 | 1, probabilityOf1: number): void;
}

/** The same to read from. */
export interface StreamSource {
  read(bits: number, field: string): number;
  decode(probabilityOf1: number): 0 | 1;
  /** Bits that have been taken, about. */
  readonly position: number;
  fail(field: string, found: string): never;
}

/** What the core needs of a layer's weights: the memory plan follows from it. */
export interface CodedSize {
  /** Bytes of what the codec decodes by. */
  readonly tableBytes: number;
  /** Columns that the core keeps an offset for. */
  readonly liveColumns: number;
  /** Records of the fullest row, which a convolution keeps. */
  readonly fullestRow: number;
}

/** A way to code one layer's weights. */
export interface Coding extends CodedSize {
  /** The codec's number. */
  readonly codec: number;
  /** Exactly what `write` will write. */
  readonly bits: number;
  /** Of the core, to decode the layer once: about. */
  readonly instructions: number;
  write(writer: BitWriter): void;
  /** The same to the stream of a small container. */
  writeStream?(sink: StreamSink): void;
}

/**
 * What bits of coded weights are for: `map` of live columns, values of the `alphabet`, code `lengths` or what else probabilities begin with, where
 * weights are (`gaps`), `weights`.
 */
export const PURPOSES = ["map", "alphabet", "lengths", "gaps", "weights"] as const;
export type WeightBits = Readonly<Record<(typeof PURPOSES)[number], number>>;

export interface DecodedWeights extends CodedSize {
  readonly weights: Int8Array;
  readonly nonZeros: number;
  /** They add up to part 3 of the section. */
  readonly bits: WeightBits;
  readonly description: Description;
}

/** How a layer was coded, for people. What a codec does not have is 0. */
export interface Description {
  readonly alphabet: "int8" | "grid" | "codebook" | "values";
  readonly gapSymbols: number;
  /** How often the filler of long gaps occurs. */
  readonly fillers: number;
  /** Bits of the longest codes. */
  readonly longestCodes: readonly [weight: number, gap: number];
  /** Symbols that are looked up in a table, or bits that are range decoded, when the layer is decoded. */
  readonly lookUps: number;
}

/** A layer without entropy codes, as Deep Compression's (P+Q) stores it: index and weight of fixed width, filler zeros. */
export interface FixedWidth {
  readonly weightBits: number;
  readonly indexBits: number;
  /** Weights that are stored, fillers among them. */
  readonly entries: number;
  /** Entries and codebook. */
  readonly bits: number;
}
