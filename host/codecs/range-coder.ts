/**
 * Binary range coder, as LZMA's but for its first byte: the interval that has been chosen so far, of which a bit takes the share that is its
 * probability. The lower part is that of a 1.
 */

/** The interval is widened by a byte before a bit where it has become smaller than this. */
const LEAST_RANGE = 2 ** 24;
const TOP = 2 ** 32;
/** The interval at the beginning: three bytes are as good as four, and are read as any others. */
const FIRST_RANGE = LEAST_RANGE;

export class RangeEncoder {
  /** Complete but for carries. The first byte is 0, since the first interval is below it, and is left out. */
  readonly #bytes: number[] = [];
  #low = 0;
  #range = FIRST_RANGE;

  /** @param probabilityOf1 in 1/65,536: 1 … 65,535 */
  encode(bit: 0 | 1, probabilityOf1: number): void {
    for (; this.#range < LEAST_RANGE; this.#range *= 256) this.#shift();
    const bound = (this.#range >>> 16) * probabilityOf1;
    if (bit === 1) {
      this.#range = bound;
    } else {
      this.#low += bound;
      this.#range -= bound;
    }
  }

  /**
   * Ends on the number of the interval with the most zeros behind it.
   * @param isFollowed keeps the zero bytes at the end, up to the last one that a decoder reads: what follows is not taken for a part of the stream
   * @returns the stream, otherwise without the zero bytes at its end
   */
  finish(isFollowed = false): Uint8Array {
    let unit = TOP;
    while (Math.ceil(this.#low / unit) * unit >= this.#low + this.#range) unit /= 2;
    this.#low = Math.ceil(this.#low / unit) * unit;
    for (let i = 0; i < 4; i++) this.#shift();
    let end = this.#bytes.length;
    while (!isFollowed && end > 1 && this.#bytes[end - 1] === 0) end--;
    return Uint8Array.from(this.#bytes.slice(1, end));
  }

  /** Gives out the top byte of `low`, and a carry to those before it. */
  #shift(): void {
    if (this.#low >= TOP) {
      let at = this.#bytes.length - 1;
      while (this.#bytes[at] === 0xff) this.#bytes[at--] = 0;
      this.#bytes[at]++;
      this.#low -= TOP;
    }
    this.#bytes.push(Math.floor(this.#low / LEAST_RANGE));
    this.#low = (this.#low % LEAST_RANGE) * 256;
  }
}

/** Both are u32. */
export interface RangeState {
  readonly range: number;
  readonly code: number;
}

export class RangeDecoder {
  /** Bytes that have been read, those behind the end not counted. */
  consumed = 0;
  /** Zeros behind the end that have been read as well. */
  zeros = 0;
  readonly #bytes: Uint8Array;
  #code = 0;
  /** The first bit makes it FIRST_RANGE. */
  #range = 1;

  /** @param bytes the stream, behind which there are zeros */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The interval, and where in it the stream is: with `consumed`, where a decoder could go on. */
  get state(): RangeState {
    return { range: this.#range, code: this.#code };
  }

  /** @param probabilityOf1 in 1/65,536: 1 … 65,535 */
  decode(probabilityOf1: number): 0 | 1 {
    while (this.#range < LEAST_RANGE) {
      this.#range *= 256;
      let byte = 0;
      if (this.consumed < this.#bytes.length) byte = this.#bytes[this.consumed++];
      else this.zeros++;
      this.#code = this.#code * 256 + byte;
    }
    const bound = (this.#range >>> 16) * probabilityOf1;
    if (this.#code < bound) {
      this.#range = bound;
      return 1;
    }
    this.#code -= bound;
    this.#range -= bound;
    return 0;
  }
}
