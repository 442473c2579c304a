import { MoteError } from "../errors.js";

/** Reads the bit fields that BitWriter writes, and never past its end. */
export class BitReader {
  #position: number;
  readonly #end: number;

  /**
   * @param start, end byte offsets within `bytes`
   * @param what names the section in errors
   */
  constructor(
    readonly bytes: Uint8Array,
    start: number,
    end: number,
    readonly what: string,
  ) {
    this.#position = start * 8;
    this.#end = end * 8;
  }

  /** Offset in bits from the beginning of `bytes`. */
  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#end - this.#position;
  }

  /** @param bits 0 .. 32 @returns the field, unsigned. @throws MoteError FORMAT where the section ends within it */
  read(bits: number, field: string): number {
    if (bits > this.remaining) this.fail(`ends within ${field}: ${bits} bits wanted, ${this.remaining} are left`);
    let value = 0;
    // Multiplied rather than shifted: a 32-bit field would become negative.
    for (let done = 0; done < bits;) {
      const offset = this.#position & 7;
      const take = Math.min(8 - offset, bits - done);
      value += ((this.bytes[this.#position >>> 3] >>> offset) & ((1 << take) - 1)) * 2 ** done;
      this.#position += take;
      done += take;
    }
    return value;
  }

  /** The same, as two's complement. */
  readSigned(bits: number, field: string): number {
    const value = this.read(bits, field);
    return bits > 0 && value >= 2 ** (bits - 1) ? value - 2 ** bits : value;
  }

  /** The next up to 12 bits without taking them. Those beyond the section's end mean nothing; `skip` refuses them. */
  peek(bits: number): number {
    const at = this.#position >>> 3;
    const word = this.bytes[at] | (this.bytes[at + 1] << 8) | (this.bytes[at + 2] << 16);
    return (word >>> (this.#position & 7)) & ((1 << bits) - 1);
  }

  /** Takes bits that `peek` has shown. */
  skip(bits: number, field: string): void {
    if (bits > this.remaining) this.fail(`ends within ${field}: ${bits} bits wanted, ${this.remaining} are left`);
    this.#position += bits;
  }

  /** The whole bytes that are left, from the bit on where the next read begins, without taking them. */
  ahead(): Uint8Array {
    const at = this.#position >>> 3;
    const shift = this.#position & 7;
    const byte = (_: unknown, index: number): number =>
      (this.bytes[at + index] | (this.bytes[at + index + 1] << 8)) >>> shift;
    return Uint8Array.from({ length: this.remaining >>> 3 }, byte);
  }

  /** Checks the zero bits up to the end, fewer than 8. */
  finish(): void {
    if (this.remaining >= 8) this.fail(`runs over: ${this.remaining} bits are left, fewer than 8 are allowed`);
    const left = this.remaining;
    const padding = this.read(left, "padding");
    if (padding !== 0) this.fail(`has ${left} padding bits ${padding.toString(2)}, expected zeros`);
  }

  fail(problem: string): never {
    throw new MoteError("FORMAT", `${this.what} ${problem} (byte ${this.#position >>> 3})`);
  }
}
