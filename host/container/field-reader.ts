import { MoteError } from "../errors.js";
import { readLeb128 } from "../module/leb128.js";
import { MAX_DIMENSION } from "../../assembly/format.js";
import type { ElementBits } from "../model/elements.js";
import type { Axes } from "../model/model.js";
import { rangeOf, type Field } from "../ops/fields.js";

/** Reads the byte-aligned fields of a container and never past its end; every error names the field and the byte it begins at. */
export class FieldReader {
  #offset = 0;
  /** Where the field read last begins. */
  #fieldStart = 0;
  /** Of the elements of the model that is read. */
  bits: ElementBits = 8;

  /** @param title of the bytes, for errors @param offset to begin at */
  constructor(
    readonly bytes: Uint8Array,
    private readonly title = "container",
    offset = 0,
  ) {
    this.#offset = offset;
  }

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

  i16(field: string): number {
    return this.#view(field, 2).getInt16(0, true);
  }

  /** Of a tensor of the model. */
  element(field: string): number {
    return this.bits === 16 ? this.i16(field) : this.i8(field);
  }

  i32(field: string): number {
    return this.#view(field).getInt32(0, true);
  }

  u32(field: string): number {
    return this.#view(field).getUint32(0, true);
  }

  f32(field: string): number {
    return this.#view(field).getFloat32(0, true);
  }

  /** Of a tensor. */
  flags(field: string): number {
    return this.u8(field);
  }

  /** Of an end of the graph. */
  scale(field: string): number {
    return this.f32(field);
  }

  /** Of the memory plan, in its units. */
  window(field: string, most: number): number {
    return this.ranged(field, 0, most);
  }

  /** @returns the place of a tensor's first byte in the arena, by the bytes of both */
  place(field: string, most: number): (bytes: number, arena: number) => number {
    const place = this.ranged(field, 0, most);
    return () => place;
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
    return this.within(field, this.varint(field), least, most);
  }

  /** @returns the value, which has been read of the field */
  protected within(field: string, value: number, least: number, most: number): number {
    if (value < least || value > most) this.fail(field, `${value}, expected ${least} … ${most}`);
    return value;
  }

  /** Channels of a tensor. @param _last those of the tensor in front of it, or 0 */
  channels(field: string, _last: number): number {
    return this.ranged(field, 1, MAX_DIMENSION);
  }

  /** Height or width of a tensor. @param _near what it may be near: the height of the tensor in front of it, or 0, and for a width the height */
  dimension(field: string, _near: number): number {
    return this.ranged(field, 1, MAX_DIMENSION);
  }

  /** The mask of the head. */
  codecs(field: string): number {
    return this.varint(field);
  }

  /** Of a layer. @param _hasWeights whether a codec is a part of it */
  form(field: string, _hasWeights: boolean): number {
    return this.u8(field);
  }

  /** A number for each axis: one varint for both, v / 2, where it is even, else one, (v - 1) / 2, for y and one for x. */
  pair(field: string, least: number, most: number): Axes {
    const start = this.offset;
    const value = this.halves(field, least);
    const y = value >> 1;
    const x = value & 1 ? this.varint(field) : y;
    this.#fieldStart = start;
    if ((value & 1) === 1 && x === y) this.fail(field, `${y} twice, expected one number for both axes`);
    for (const size of [y, x]) {
      if (size < least || size > most) this.fail(field, `${size}, expected ${least} … ${most}`);
    }
    return [y, x];
  }

  /** What a pair begins with. @param _least that either half may be */
  protected halves(field: string, _least: number): number {
    return this.varint(field);
  }

  /** The values of fields that follow each other, each in its range. @param where before their names in errors: "layer 2" @param readForm takes a form */
  values(where: string, fields: readonly Field[], readForm: () => Axes): number[] {
    return fields.flatMap((one): readonly number[] => {
      const { name, kind, count = 1 } = one;
      const [least, most] = rangeOf(one, this.bits);
      const field = `${where} ${name}`;
      if (kind === "form") return readForm();
      if (kind === "bytes") {
        const taken = this.take(field, count);
        return [...new Int8Array(taken.buffer, taken.byteOffset, count)];
      }
      if (kind === "pair") return this.pair(field, least, most);
      const value = this[kind](field);
      if (value < least || value > most) this.fail(field, `${value}, expected ${least} … ${most}`);
      return [value];
    });
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

  /** Where the field begins, for errors. */
  protected begin(): void {
    this.#fieldStart = this.offset;
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

  #view(field: string, bytes = 4): DataView {
    this.#begin(field, bytes);
    this.#offset += bytes;
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + this.#fieldStart, bytes);
  }
}
