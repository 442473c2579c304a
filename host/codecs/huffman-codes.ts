/**
 * Canonical Huffman codes (RFC 1951, 3.2.2) of limited length. Lengths come from package-merge (Larmore and Hirschberg 1990),
 * which is optimal for its limit; a decoder needs the lengths only.
 */
import { MAX_CODE_LENGTH } from "../../assembly/format.js";
import type { BitReader } from "./bit-reader.js";

/** An alphabet's code lengths, 0 for a symbol that is not used, and the sum of the codes they give. */
export interface CodeLengths {
  readonly lengths: Uint8Array;
  /** Σ count × length; 0 when one symbol alone is used, since it takes no bits. */
  readonly bits: number;
}

/**
 * @param counts how often each symbol occurs; at least one is positive
 * @param limit longest code, 1 .. 12, with 2^limit at least the number of used symbols
 * @returns lengths of least total bits; ties go to the smaller symbol having the longer code
 */
export function codeLengths(counts: ArrayLike<number>, limit: number): CodeLengths {
  const lengths = new Uint8Array(counts.length);
  const used: number[] = [];
  for (let symbol = 0; symbol < counts.length; symbol++) if (counts[symbol] > 0) used.push(symbol);
  const n = used.length;
  if (n === 0) throw new RangeError("codeLengths: expected at least one symbol with a positive count, got none");
  if (limit < 1 || limit > MAX_CODE_LENGTH || 2 ** limit < n) {
    throw new RangeError(
      `codeLengths: ${n} symbols need a limit of ${minimumLimit(counts)} .. ${MAX_CODE_LENGTH}, got ${limit}`,
    );
  }
  if (n === 1) {
    lengths[used[0]] = 1;
    return { lengths, bits: 0 };
  }
  used.sort((a, b) => counts[a] - counts[b] || a - b);

  // Level by level, the packages (pairs) of the level before are merged into the sorted items. Only whether each place of the
  // merged list holds an item or a package has to be kept, to find at the end how many items of each level were taken.
  const isItem: Uint8Array[] = [];
  let packages = new Float64Array(0);
  for (let level = 0; level < limit; level++) {
    const merged = new Float64Array(n + packages.length);
    const flags = new Uint8Array(merged.length);
    for (let place = 0, item = 0, pack = 0; place < merged.length; place++) {
      const takeItem = pack === packages.length || (item < n && counts[used[item]] <= packages[pack]);
      flags[place] = takeItem ? 1 : 0;
      merged[place] = takeItem ? counts[used[item++]] : packages[pack++];
    }
    isItem.push(flags);
    packages = new Float64Array(merged.length >> 1);
    for (let i = 0; i < packages.length; i++) packages[i] = merged[2 * i] + merged[2 * i + 1];
  }
  let bits = 0;
  for (let level = limit - 1, take = 2 * n - 2; level >= 0 && take > 0; level--) {
    let items = 0;
    for (let place = 0; place < take; place++) items += isItem[level][place];
    for (let item = 0; item < items; item++) {
      lengths[used[item]]++;
      bits += counts[used[item]];
    }
    take = 2 * (take - items);
  }
  return { lengths, bits };
}

/** The smallest limit that `codeLengths` can keep for these counts. */
export function minimumLimit(counts: ArrayLike<number>): number {
  let used = 0;
  for (let symbol = 0; symbol < counts.length; symbol++) if (counts[symbol] > 0) used++;
  return Math.max(1, Math.ceil(Math.log2(Math.max(1, used))));
}

/** Bits of the longest code, which a decoding table is made for. */
export function longestCode(lengths: Uint8Array): number {
  return lengths.reduce((a, b) => Math.max(a, b), 0);
}

/** The code of each symbol, its first bit the most significant, as RFC 1951 gives them. Unused symbols have code 0. */
export function canonicalCodes(lengths: Uint8Array): Uint16Array {
  const perLength = new Uint32Array(MAX_CODE_LENGTH + 2);
  for (const length of lengths) if (length > 0) perLength[length]++;
  const next = new Uint32Array(MAX_CODE_LENGTH + 2);
  for (let length = 1; length <= MAX_CODE_LENGTH; length++) {
    next[length + 1] = (next[length] + perLength[length]) << 1;
  }
  return Uint16Array.from(lengths, (length) => (length > 0 ? next[length]++ : 0));
}

/** The same codes with their bits in the order they are written in: the first bit the least significant. */
export function writtenCodes(lengths: Uint8Array): Uint16Array {
  return canonicalCodes(lengths).map((code, symbol) => {
    let reversed = 0;
    for (let bit = 0; bit < lengths[symbol]; bit++) reversed |= ((code >>> bit) & 1) << (lengths[symbol] - 1 - bit);
    return reversed;
  });
}

/** One table look-up a symbol: table[next `tableBits` bits] = symbol << 4 | length. */
export class HuffmanDecoder {
  readonly longest: number;
  readonly #table: Uint16Array;

  /**
   * @param lengths read from `reader`, each 0 .. 15
   * @param what names the code in errors
   * @throws MoteError FORMAT for a code that is empty, over-subscribed or incomplete, or a length above 12
   */
  constructor(
    lengths: Uint8Array,
    readonly reader: BitReader,
    readonly what: string,
  ) {
    const longest = longestCode(lengths);
    if (longest > MAX_CODE_LENGTH)
      reader.fail(`${what} has a code of ${longest} bits, at most ${MAX_CODE_LENGTH} are allowed`);
    let used = 0;
    let kraft = 0;
    for (const length of lengths) {
      if (length > 0) used++;
      if (length > 0) kraft += 2 ** (MAX_CODE_LENGTH - length);
    }
    const whole = 2 ** MAX_CODE_LENGTH;
    if (used === 0) reader.fail(`${what} has no used symbol`);
    if (used === 1) {
      if (longest !== 1) reader.fail(`${what} has one symbol of length ${longest}, expected 1`);
      this.#table = Uint16Array.of(lengths.indexOf(1) << 4);
      this.longest = 1;
      return;
    }
    if (kraft > whole) reader.fail(`${what} is over-subscribed: its Kraft sum is ${kraft} / ${whole}`);
    if (kraft < whole) reader.fail(`${what} is incomplete: its Kraft sum is ${kraft} / ${whole}`);
    this.longest = longest;
    this.#table = new Uint16Array(2 ** longest);
    const codes = writtenCodes(lengths);
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      if (lengths[symbol] === 0) continue;
      const step = 2 ** lengths[symbol];
      for (let at = codes[symbol]; at < this.#table.length; at += step)
        this.#table[at] = (symbol << 4) | lengths[symbol];
    }
  }

  /** Whether it has one symbol, which takes no bits. */
  get isLone(): boolean {
    return this.#table.length === 1;
  }

  /** As many symbols as `to` has elements, each as `values` has it. */
  fill(to: Int8Array, values: Int8Array): void {
    const { reader } = this;
    const table = this.#table;
    if (this.isLone) {
      to.fill(values[table[0] >>> 4]);
      return;
    }
    const { bytes } = reader;
    const mask = table.length - 1;
    let position = reader.position;
    // Where a code of the longest may still be within the section, none has to be checked.
    const last = position + reader.remaining - this.longest;
    let i = 0;
    for (; i < to.length && position <= last; i++) {
      const at = position >>> 3;
      const word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
      const entry = table[(word >>> (position & 7)) & mask];
      position += entry & 15;
      to[i] = values[entry >>> 4];
    }
    reader.skip(position - reader.position, this.what);
    for (; i < to.length; i++) to[i] = values[this.next()];
  }

  next(): number {
    const entry = this.#table[this.isLone ? 0 : this.reader.peek(this.longest)];
    this.reader.skip(entry & 15, this.what);
    return entry >>> 4;
  }
}
