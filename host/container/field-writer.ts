import { leb128 } from "../module/leb128.js";
import type { Axes } from "../model/model.js";
import type { Field } from "../ops/fields.js";

/** Byte-aligned fields, collected until `take`. */
export class FieldWriter {
  #bytes: number[] = [];
  readonly #scratch = new DataView(new ArrayBuffer(4));

  u8(value: number): void {
    this.#bytes.push(value & 255);
  }

  u32(value: number): void {
    for (let shift = 0; shift < 32; shift += 8) this.u8(value >>> shift);
  }

  f32(value: number): void {
    this.#scratch.setFloat32(0, value, true);
    this.u32(this.#scratch.getUint32(0, true));
  }

  varint(value: number): void {
    this.#bytes.push(...leb128(value));
  }

  /** As FieldReader.pair reads it. */
  pair(y: number, x: number): void {
    this.varint(2 * y + Number(x !== y));
    if (x !== y) this.varint(x);
  }

  /** @param values of the fields, each in its range @param writeForm puts a form */
  values(fields: readonly Field[], values: readonly number[], writeForm: (clamp: Axes) => void): void {
    let at = 0;
    for (const { kind, count = 1 } of fields) {
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
          this.pair(values[at++], values[at++]);
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
