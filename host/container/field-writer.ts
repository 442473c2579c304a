import { leb128 } from "../module/leb128.js";
import type { ElementBits } from "../model/elements.js";
import type { Axes } from "../model/model.js";
import type { Field } from "../ops/fields.js";

/** Byte-aligned fields, collected until `take`. */
export class FieldWriter {
  #bytes: number[] = [];

  /** @param bits of the elements of the model that is written */
  constructor(private readonly bits: ElementBits = 8) {}

  u8(value: number): void {
    this.#bytes.push(value & 255);
  }

  i8(value: number): void {
    this.u8(value);
  }

  i16(value: number): void {
    this.u8(value);
    this.u8(value >> 8);
  }

  /** Of a tensor of the model. */
  element(value: number): void {
    if (this.bits === 16) this.i16(value);
    else this.i8(value);
  }

  u32(value: number): void {
    for (let shift = 0; shift < 32; shift += 8) this.u8(value >>> shift);
  }

  f32(value: number): void {
    this.u32(scaleBits(value));
  }

  /** Of a tensor. */
  flags(flags: number): void {
    this.u8(flags);
  }

  /** Of an end of the graph. */
  scale(scale: number): void {
    this.f32(scale);
  }

  /** Of the memory plan, in its units. */
  window(units: number): void {
    this.varint(units);
  }

  /** @param offset in the arena of a tensor's first byte @param _bytes of the tensor @param _arena bytes of the arena */
  place(offset: number, _bytes: number, _arena: number): void {
    this.varint(offset);
  }

  varint(value: number): void {
    this.#bytes.push(...leb128(value));
  }

  /** Channels of a tensor. @param _last those of the tensor in front of it, or 0 */
  channels(value: number, _last: number): void {
    this.varint(value);
  }

  /** Height or width of a tensor. @param _near what it may be near: the height of the tensor in front of it, or 0, and for a width the height */
  dimension(value: number, _near: number): void {
    this.varint(value);
  }

  /** As FieldReader.pair reads it. @param _least that either may be */
  pair(y: number, x: number, _least: number): void {
    this.varint(2 * y + Number(x !== y));
    if (x !== y) this.varint(x);
  }

  /** The mask of the head. */
  codecs(mask: number): void {
    this.varint(mask);
  }

  /** Of a layer. @param _hasWeights whether a codec is a part of it */
  form(form: number, _hasWeights: boolean): void {
    this.u8(form);
  }

  /** @param values of the fields, each in its range @param writeForm puts a form */
  values(fields: readonly Field[], values: readonly number[], writeForm: (clamp: Axes) => void): void {
    let at = 0;
    for (const { kind, least, count = 1 } of fields) {
      switch (kind) {
        case "varint":
          this.varint(values[at++]);
          break;
        case "i32":
        case "u32":
          this.u32(values[at++]);
          break;
        case "u8":
          this.u8(values[at++]);
          break;
        case "pair":
          this.pair(values[at++], values[at++], least);
          break;
        case "bytes":
          for (let left = count; left > 0; left--) this.u8(values[at++]);
          break;
        case "form":
          writeForm([values[at++], values[at++]]);
          break;
      }
    }
  }

  bytes(bytes: Uint8Array): void {
    for (const byte of bytes) this.#bytes.push(byte);
  }

  take(): Uint8Array {
    const bytes = Uint8Array.from(this.#bytes);
    this.#bytes = [];
    return bytes;
  }
}

/** The bits of the nearest f32. */
export function scaleBits(scale: number): number {
  return new Uint32Array(Float32Array.of(scale).buffer)[0];
}
