/** Fields of a small container (SPEC.md, "Version 3"): those of version 2, each bit of which goes through one range coder. */
import { MAX_NUMBER_LENGTH, SMALL_SCALE_BITS, SMALL_WINDOW_UNITS } from "../../assembly/format.js";
import { RangeEncoder } from "../codecs/range-coder.js";
import { FieldWriter, scaleBits } from "./field-writer.js";

/** Of a bit as likely a 0 as a 1. */
const EVEN = 0x8000;

export class StreamWriter extends FieldWriter {
  readonly #coder = new RangeEncoder();

  /** @param probabilityOf1 in 1/65,536: 1 … 65,535 */
  encode(bit: 0 | 1, probabilityOf1: number): void {
    this.#coder.encode(bit, probabilityOf1);
  }

  /** As BitWriter.write: the low bits, the least significant one first. @param bits 0 … 32 */
  write(value: number, bits: number): void {
    for (let place = 0; place < bits; place++) this.encode(((value >>> place) & 1) as 0 | 1, EVEN);
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
    this.varint(value + 128);
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
    const length = bits === SMALL_SCALE_BITS ? 0 : 31 - trailingZeros(bits);
    this.varint(length);
    this.write(bits >>> (31 - length), length);
  }

  override window(units: number): void {
    this.varint(units ^ SMALL_WINDOW_UNITS);
  }

  override place(offset: number, bytes: number, arena: number): void {
    this.varint(offset === 0 ? 0 : offset + bytes === arena ? 1 : offset + 2);
  }

  /** How many bits each multiplier has behind the first. @returns what is written of each, so many bits */
  multiplierBits(multipliers: Int32Array): number {
    const all = multipliers.reduce((or, multiplier) => or | multiplier, 0);
    const bits = 30 - trailingZeros(all);
    this.varint(bits);
    return bits;
  }

  /** @param isFollowed something stands behind the stream, which therefore keeps the zero bytes at its end */
  finish(isFollowed: boolean): Uint8Array {
    return this.#coder.finish(isFollowed);
  }
}

/** @param value not 0 */
const trailingZeros = (value: number): number => 31 - Math.clz32(value & -value);
