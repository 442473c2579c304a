import { leb128 } from "../module/leb128.js";
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

  /** @param values one a field, each in its range */
  values(fields: readonly Field[], values: readonly number[]): void {
    fields.forEach(({ kind }, i) => {
      switch (kind) {
        case "varint":
          return this.varint(values[i]);
        case "u32":
          return this.u32(values[i]);
        case "u8":
        case "i8":
          return this.u8(values[i]);
      }
    });
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
