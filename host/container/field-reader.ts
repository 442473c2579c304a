import { MoteError } from "../errors.js";
import { readLeb128 } from "../module/leb128.js";
import { leastOf, type Field } from "../ops/fields.js";

/** Reads the byte-aligned fields of a container and never past its end; every error names the field and the byte it begins at. */
export class FieldReader {
  #offset = 0;
  /** Where the field read last begins. */
  #fieldStart = 0;

  /** @param title of the bytes, for errors */
  constructor(
    readonly bytes: Uint8Array,
    private readonly title = "container",
  ) {}

  get offset(): number {
    return this.#offset;
  }

  /** Bytes that have not been read. */
  get left(): number {
    return this.bytes.length - this.#offset;
  }

  u8(field: string): number {
    this.#begin(field, 1);
    return this.bytes[this.#offset++];
  }

  i8(field: string): number {
    return (this.u8(field) << 24) >> 24;
  }

  u32(field: string): number {
    return this.#view(field).getUint32(0, true);
  }

  f32(field: string): number {
    return this.#view(field).getFloat32(0, true);
  }

  /** LEB128 in the fewest bytes, below 2^31. */
  varint(field: string): number {
    const start = this.#offset;
    const { value, bytes, last } = readLeb128(() => this.u8(field));
    this.#fieldStart = start;
    if (value >= 2 ** 31 || last > 127) this.fail(field, "a varint of 2^31 or more, expected less");
    if (last === 0 && bytes > 1) this.fail(field, "a varint with a needless last byte, expected the fewest bytes");
    return value;
  }

  /** A varint between two bounds, both inclusive. */
  ranged(field: string, least: number, most: number): number {
    const value = this.varint(field);
    if (value < least || value > most) this.fail(field, `${value}, expected ${least} … ${most}`);
    return value;
  }

  /** The values of fields that follow each other, each in its range. @param where before their names in errors: "layer 2" */
  values(where: string, fields: readonly Field[]): number[] {
    const values: number[] = [];
    fields.forEach(({ name, kind, most }, i) => {
      const field = `${where} ${name}`;
      const value = this[kind](field);
      const least = leastOf(fields, values, i);
      if (value < least || value > most) this.fail(field, `${value}, expected ${least} … ${most}`);
      values.push(value);
    });
    return values;
  }

  /** The next bytes, a view. */
  take(field: string, bytes: number): Uint8Array {
    this.#begin(field, bytes);
    this.#offset += bytes;
    return this.bytes.subarray(this.#fieldStart, this.#offset);
  }

  /** @throws MoteError FORMAT: "container: <field> is <found> (byte n)" */
  fail(field: string, found: string, code: "FORMAT" | "UNSUPPORTED" = "FORMAT"): never {
    throw new MoteError(code, `${this.title}: ${field} is ${found} (byte ${this.#fieldStart})`);
  }

  #begin(field: string, bytes: number): void {
    this.#fieldStart = this.#offset;
    if (bytes > this.left) {
      throw new MoteError(
        "FORMAT",
        `${this.title}: ends within ${field}: ${bytes} bytes wanted, ${this.left} are left (byte ${this.#offset})`,
      );
    }
  }

  #view(field: string): DataView {
    this.#begin(field, 4);
    this.#offset += 4;
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + this.#fieldStart, 4);
  }
}
