/** Patches: a file as what it has of another one, range-coded (spec/update.md, "Patch"). */
import { RangeDecoder, RangeEncoder } from "../codecs/range-coder.js";
import { MoteError } from "../errors.js";
import { commandsOf, type Command } from "./commands.js";

/** Probabilities are of 65,536. */
const HALF = 0x8000;
const RATE = 4;
/** Widths of a number, each but the last followed by a bit that says whether there are more. */
const WIDTHS = 32;
/** The first bit behind a number's width has a context up to this width. */
const FIRST_BITS = 16;

/** Probabilities of the bits of one of a command's numbers, which follow what has come before. */
class Contexts {
  readonly #probabilities = new Uint16Array(WIDTHS + FIRST_BITS).fill(HALF);

  /** @param code codes a bit, or reads one, by its probability */
  #bit(index: number, code: (probabilityOf1: number) => 0 | 1): 0 | 1 {
    const probability = this.#probabilities[index];
    const bit = code(probability);
    this.#probabilities[index] =
      bit === 1 ? probability + ((0x10000 - probability) >>> RATE) : probability - (probability >>> RATE);
    return bit;
  }

  /** @param value 0 … 2^31 */
  encode(encoder: RangeEncoder, value: number): void {
    const text = (value + 1).toString(2);
    const width = text.length - 1;
    const put =
      (bit: 0 | 1) =>
      (probability: number): 0 | 1 => {
        encoder.encode(bit, probability);
        return bit;
      };
    for (let i = 0; i < width; i++) this.#bit(i, put(1));
    this.#bit(width, put(0));
    for (let i = 1; i <= width; i++) {
      const bit = text[i] === "1" ? 1 : 0;
      if (i === 1 && width <= FIRST_BITS) this.#bit(WIDTHS + width - 1, put(bit));
      else encoder.encode(bit, HALF);
    }
  }

  decode(get: (probabilityOf1: number) => 0 | 1): number {
    let width = 0;
    while (this.#bit(width, get) === 1) {
      if (++width === WIDTHS) throw broken("a number of more than 31 bits");
    }
    let value = 1;
    for (let i = 1; i <= width; i++) {
      const hasContext = i === 1 && width <= FIRST_BITS;
      value = 2 * value + (hasContext ? this.#bit(WIDTHS + width - 1, get) : get(HALF));
    }
    return value - 1;
  }
}

/** Numbers of a command. */
const contexts = () => ({ copied: new Contexts(), inserted: new Contexts(), move: new Contexts() });

function broken(problem: string): MoteError {
  return new MoteError("FORMAT", `patch: ${problem}`);
}

/** Of either file of a patch: finding it takes some 200 times as much memory. */
export const MAX_PATCH_FILE = 2 ** 23;

/**
 * @returns what makes `made` of `old`, without a head: the same for the same files
 * @throws MoteError MEMORY for a file of more than MAX_PATCH_FILE bytes
 */
export function writePatch(old: Uint8Array, made: Uint8Array, onProgress?: (share: number) => void): Uint8Array {
  for (const { length } of [old, made]) {
    if (length <= MAX_PATCH_FILE) continue;
    throw new MoteError("MEMORY", `patch: of a file of ${length} bytes, expected at most ${MAX_PATCH_FILE}`);
  }
  return encodePatch(commandsOf(old, made, onProgress), made);
}

/** @param commands that make `made` of another file */
export function encodePatch(commands: readonly Command[], made: Uint8Array): Uint8Array {
  const encoder = new RangeEncoder();
  const { copied, inserted, move } = contexts();
  let at = 0;
  for (const command of commands) {
    copied.encode(encoder, command.copied);
    at += command.copied;
    if (at === 8 * made.length) break;
    inserted.encode(encoder, command.inserted);
    const end = at + command.inserted;
    if (end < 8 * made.length) move.encode(encoder, command.move < 0 ? -2 * command.move - 1 : 2 * command.move);
    for (; at < end; at++) encoder.encode(bitOf(made, at), HALF);
  }
  return encoder.finish(true);
}

/**
 * @param length of the new file, in bytes: 1 … 2^28
 * @throws MoteError FORMAT for a patch that breaks a rule
 */
export function applyPatch(old: Uint8Array, patch: Uint8Array, length: number): Uint8Array {
  const decoder = new RangeDecoder(patch);
  const get = (probability: number): 0 | 1 => {
    const bit = decoder.decode(probability);
    if (decoder.zeros > 0) throw broken("breaks off");
    return bit;
  };
  const { copied, inserted, move } = contexts();
  // What hostile bytes announce is not allocated before they have filled it.
  const made = new BitSink();
  const total = 8 * length;
  let cursor = 0;
  while (made.bits < total) {
    const copyBits = copied.decode(get);
    if (copyBits > total - made.bits) throw broken(`copies beyond the new file's ${length} bytes`);
    if (copyBits > 8 * old.length - cursor) {
      throw broken(`copies bits ${cursor} … ${cursor + copyBits - 1} of ${8 * old.length}`);
    }
    for (let i = 0; i < copyBits; i++) made.push(bitOf(old, cursor++));
    if (made.bits === total) break;
    const insertBits = inserted.decode(get);
    if (insertBits > total - made.bits) throw broken(`inserts beyond the new file's ${length} bytes`);
    if (copyBits === 0 && insertBits === 0) throw broken("a command that does nothing");
    if (insertBits < total - made.bits) {
      const moved = move.decode(get);
      cursor += insertBits + (moved % 2 === 1 ? -(moved + 1) / 2 : moved / 2);
      if (cursor < 0 || cursor > 8 * old.length) throw broken(`moves to bit ${cursor} of ${8 * old.length}`);
    }
    for (let i = 0; i < insertBits; i++) made.push(get(HALF));
  }
  if (decoder.consumed < patch.length) throw broken(`${patch.length - decoder.consumed} bytes behind its end`);
  return made.bytes();
}

function bitOf(bytes: Uint8Array, at: number): 0 | 1 {
  return ((bytes[at >>> 3] >>> (at & 7)) & 1) as 0 | 1;
}

/** Bits, least significant first, of a file that grows. */
class BitSink {
  bits = 0;
  #bytes = new Uint8Array(1024);

  push(bit: 0 | 1): void {
    const at = this.bits >>> 3;
    if (at === this.#bytes.length) {
      const larger = new Uint8Array(2 * at);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[at] |= bit << (this.bits & 7);
    this.bits++;
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.bits >>> 3);
  }
}
