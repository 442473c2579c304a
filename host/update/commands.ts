/**
 * What a patch says: the new file as pieces of the old one and bits that are new, found by the cheapest way through the new file. Bits, not bytes: behind
 * a weight that has changed, the codes of those after it are the same at another bit.
 */

/** Copy from where the old file's cursor is, insert, then move the cursor on by `inserted + move`. */
export interface Command {
  /** Bits. */
  readonly copied: number;
  readonly inserted: number;
  /** 0 where the bits that are inserted stand for as many old ones. */
  readonly move: number;
}

/** A piece that is copied: bits of both files that are equal. */
interface Copy {
  readonly from: number;
  readonly to: number;
  readonly bits: number;
}

/** How far beside the last piece the next one is looked for, in bits. */
const NEAR = 40;
/** Fewer equal bits are not worth a command. */
const LEAST_COPY = 10;
/** Bits that a piece is found by that is anywhere. */
const SEED_BITS = 32;
/** Between two calls that say how far it is. */
const PROGRESS_BITS = 1 << 14;
/** Cost of a new bit, in bits: its own, with what its number takes. */
const LITERAL_COST = 1.02;

/** The bits of a file, least significant first in each byte. */
class Bits {
  readonly length: number;
  readonly #words: DataView;

  constructor(bytes: Uint8Array) {
    this.length = 8 * bytes.length;
    const padded = new Uint8Array(bytes.length + 8);
    padded.set(bytes);
    this.#words = new DataView(padded.buffer);
  }

  /** 32 bits from a place on, zeros behind the end. */
  at(bit: number): number {
    const byte = bit >>> 3;
    const shift = bit & 7;
    const low = this.#words.getUint32(byte, true);
    return shift === 0 ? low : ((low >>> shift) | (this.#words.getUint8(byte + 4) << (32 - shift))) >>> 0;
  }
}

/** Bits that are equal from two places on. */
function equalBits(old: Bits, from: number, made: Bits, to: number): number {
  const most = Math.min(old.length - from, made.length - to);
  let count = 0;
  while (count < most) {
    const other = (old.at(from + count) ^ made.at(to + count)) >>> 0;
    if (other !== 0) return Math.min(most, count + 31 - Math.clz32(other & -other));
    count += 32;
  }
  return most;
}

/** Where 32 bits of the old file are: the last of the places. */
class Seeds {
  readonly #places: Int32Array;
  readonly #shift: number;

  constructor(readonly old: Bits) {
    const log = Math.max(8, Math.ceil(Math.log2(old.length + 1)));
    this.#shift = 32 - log;
    this.#places = new Int32Array(2 ** log).fill(-1);
    for (let at = 0; at + SEED_BITS <= old.length; at++) this.#places[this.#slot(old.at(at))] = at;
  }

  find(word: number): number | undefined {
    const at = this.#places[this.#slot(word)];
    return at >= 0 && this.old.at(at) === word ? at : undefined;
  }

  #slot(word: number): number {
    return Math.imul(word, 0x9e3779b1) >>> this.#shift;
  }
}

/** What a copied piece costs, about. */
function copyCost(bits: number, move: number): number {
  const length = 3 + Math.log2(bits + 1);
  if (move === 0) return length + 3;
  return length + 4 + (Math.abs(move) <= NEAR ? 1.2 : 2) * Math.log2(Math.abs(move) + 1);
}

/** The cheapest way through the new file. */
function findCopies(old: Bits, made: Bits, onProgress?: (share: number) => void): Copy[] {
  const seeds = new Seeds(old);
  const { length } = made;
  const cost = new Float64Array(length + 1).fill(Infinity);
  /** Bits of the copy that ends there on the cheapest way; 0: a new bit. */
  const copied = new Int32Array(length + 1);
  /** How far the old file was ahead of the new one where the last copy was. */
  const ahead = new Int32Array(length + 1);
  cost[0] = 0;
  /** The copy that reaches farthest, and its cost: what lies below it and costs more leads nowhere. */
  let farthest = 0;
  const tryCopy = (to: number, shift: number): void => {
    const from = to + shift;
    if (from < 0 || from >= old.length) return;
    const difference = (old.at(from) ^ made.at(to)) & (2 ** LEAST_COPY - 1);
    if (difference !== 0) return;
    const bits = equalBits(old, from, made, to);
    if (bits < LEAST_COPY) return;
    const end = to + bits;
    const total = cost[to] + copyCost(bits, shift - ahead[to]);
    if (total >= cost[end]) return;
    cost[end] = total;
    copied[end] = bits;
    ahead[end] = shift;
    if (end > farthest) farthest = end;
  };
  for (let to = 0; to < length; to++) {
    if (to % PROGRESS_BITS === 0) onProgress?.(to / length);
    const isDominated = farthest > to && cost[farthest] <= cost[to];
    if (!isDominated) {
      const last = ahead[to];
      for (let move = -NEAR; move <= NEAR; move++) tryCopy(to, last + move);
      const place = to + SEED_BITS <= length ? seeds.find(made.at(to)) : undefined;
      if (place !== undefined && Math.abs(place - to - last) > NEAR) tryCopy(to, place - to);
    }
    if (cost[to] + LITERAL_COST < cost[to + 1]) {
      cost[to + 1] = cost[to] + LITERAL_COST;
      copied[to + 1] = 0;
      ahead[to + 1] = ahead[to];
    }
  }
  const copies: Copy[] = [];
  for (let at = length; at > 0;) {
    const bits = copied[at];
    const to = at - Math.max(bits, 1);
    if (bits > 0) copies.push({ from: to + ahead[at], to, bits });
    at = to;
  }
  return copies.reverse();
}

/**
 * @param onProgress is told what share of the new file has been looked at
 * @returns commands that make `made` of `old`; each but the first copies something
 */
export function commandsOf(old: Uint8Array, made: Uint8Array, onProgress?: (share: number) => void): Command[] {
  const length = 8 * made.length;
  const commands: Command[] = [];
  let [at, cursor] = [0, 0];
  let copied = 0;
  const command = (inserted: number, from: number): void => {
    commands.push({ copied, inserted, move: from - (cursor + inserted) });
    at += inserted;
    cursor = from;
  };
  for (const copy of findCopies(new Bits(old), new Bits(made), onProgress)) {
    // A command that only moves the cursor is not allowed: the first bit is inserted.
    const skipped = copy.to === 0 && copy.from > 0 ? 1 : 0;
    const [from, to, bits] = [copy.from + skipped, copy.to + skipped, copy.bits - skipped];
    if (to > 0 || from > 0) command(to - at, from);
    copied = bits;
    at += bits;
    cursor += bits;
  }
  command(length - at, cursor + length - at);
  return commands;
}
