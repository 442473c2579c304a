/** Fields of a small container (SPEC.md, "Version 3"): those of version 2, each bit of which goes through one range coder. */
import {
  BIAS_BITS_WIDTH,
  BIAS_SHIFT_WIDTH,
  MAX_NUMBER_LENGTH,
  PLAN_UNIT,
  SMALL_SCALE_BITS,
  SMALL_WINDOW_BYTES,
} from "../../assembly/format.js";
import { RangeEncoder } from "../codecs/range-coder.js";
import { FieldWriter, scaleBits } from "./field-writer.js";

/** Of a bit as likely a 0 as a 1. */
const EVEN = 0x8000;

export class StreamWriter extends FieldWriter {
  readonly #coder = new RangeEncoder();
  /** The least of the head's codecs. */
  #firstCodec = 0;

  /** @param probabilityOf1 in 1/65,536: 1 … 65,535 */
  encode(bit: 0 | 1, probabilityOf1: number): void {
    this.#coder.encode(bit, probabilityOf1);
  }

  /** As BitWriter.write: the low bits, the least significant one first. @param bits 0 … 32 */
  write(value: number, bits: number): void {
    for (let place = 0; place < bits; place++) this.encode(((value >>> place) & 1) as 0 | 1, EVEN);
  }

  /** Whether a field follows. Where it does not, it has the value that goes without saying. */
  #stated(isStated: boolean): boolean {
    this.write(Number(isStated), 1);
    return isStated;
  }

  override varint(value: number): void {
    const length = 31 - Math.clz32(value + 1);
    for (let ones = 0; ones < length; ones++) this.write(1, 1);
    if (length < MAX_NUMBER_LENGTH) this.write(0, 1);
    this.write(value + 1, length);
  }

  override u8(value: number): void {
    this.varint(value & 255);
  }

  override i8(value: number): void {
    if (this.#stated(value !== -128)) this.write(value, 8);
  }

  override i16(value: number): void {
    this.varint(value + 0x8000);
  }

  override u32(value: number): void {
    this.write(value, 32);
  }

  override flags(flags: number): void {
    this.varint(((flags << 4) | (flags >> 4)) & 255);
  }

  override scale(scale: number): void {
    const bits = scaleBits(scale);
    if (this.#stated(bits !== SMALL_SCALE_BITS)) this.write(bits, 32);
  }

  override window(units: number): void {
    if (this.#stated(units !== SMALL_WINDOW_BYTES / PLAN_UNIT)) this.varint(units);
  }

  override place(offset: number, bytes: number, arena: number): void {
    if (this.#stated(offset + bytes !== arena)) this.varint(offset);
  }

  override channels(value: number, last: number): void {
    if (this.#stated(value !== last)) this.varint(value);
  }

  override dimension(value: number, near: number): void {
    this.varint(value >= near ? 2 * (value - near) : 2 * (near - value) - 1);
  }

  override pair(y: number, x: number, least: number): void {
    this.varint(2 * (y - least) + Number(x !== y));
    if (x !== y) this.varint(x);
  }

  override codecs(mask: number): void {
    this.#firstCodec = firstOf(mask);
    this.varint(mask);
  }

  override form(form: number, hasWeights: boolean): void {
    this.u8(hasWeights ? form ^ this.#firstCodec : form);
  }

  /** How many bits a layer's biases have, and how far they are shifted. */
  biasForm(bits: number, shift: number): void {
    if (!this.#stated(bits > 0)) return;
    this.write(bits, BIAS_BITS_WIDTH);
    this.write(shift, BIAS_SHIFT_WIDTH);
  }

  /** How many bits each multiplier has behind the first. @returns what is written of each, so many bits */
  multiplierBits(multipliers: Int32Array): number {
    const all = multipliers.reduce((or, multiplier) => or | multiplier, 0);
    const bits = 30 - firstOf(all);
    this.varint(bits);
    return bits;
  }

  /** @param isFollowed something stands behind the stream, which therefore keeps the zero bytes at its end */
  finish(isFollowed: boolean): Uint8Array {
    return this.#coder.finish(isFollowed);
  }
}

/** Number of the lowest bit that is set. @param mask not 0 */
const firstOf = (mask: number): number => 31 - Math.clz32(mask & -mask);
