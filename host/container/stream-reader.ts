/** Reads the fields of a small container (SPEC.md, "Version 3"). Behind the end there are zeros, so that no field ends early. */
import {
  BIAS_BITS_WIDTH,
  BIAS_SHIFT_WIDTH,
  MAX_DIMENSION,
  MAX_NUMBER_LENGTH,
  PLAN_UNIT,
  SMALL_CRC_START,
  SMALL_SCALE_BITS,
  SMALL_WINDOW_BYTES,
} from "../../assembly/format.js";
import { RangeDecoder, type RangeState } from "../codecs/range-coder.js";
import { FieldReader } from "./field-reader.js";

/** Of a bit as likely a 0 as a 1. */
const EVEN = 0x8000;

/** Where in a file a decoder could go on. */
export interface StreamPlace extends RangeState {
  readonly offset: number;
}

export class StreamReader extends FieldReader {
  readonly #coder: RangeDecoder;
  /** The least of the head's codecs. */
  #firstCodec = 0;

  constructor(bytes: Uint8Array) {
    super(bytes);
    this.#coder = new RangeDecoder(bytes.subarray(SMALL_CRC_START));
  }

  override get offset(): number {
    return SMALL_CRC_START + this.#coder.consumed;
  }

  /** Where the stream ends if nothing follows: zeros that the file leaves out are counted. */
  get end(): number {
    return this.offset + this.#coder.zeros;
  }

  override get left(): number {
    return this.bytes.length - this.offset;
  }

  get here(): StreamPlace {
    return { offset: this.offset, ...this.#coder.state };
  }

  /** Bits that have been taken, as near as a range coder's can be told. */
  get position(): number {
    return Math.round(8 * this.end - Math.log2(this.#coder.state.range));
  }

  decode(probabilityOf1: number): 0 | 1 {
    return this.#coder.decode(probabilityOf1);
  }

  /** As BitReader.read. */
  read(bits: number, _field: string): number {
    let value = 0;
    for (let place = 0; place < bits; place++) value += this.decode(EVEN) * 2 ** place;
    return value;
  }

  /** The same, as two's complement. */
  readSigned(bits: number, field: string): number {
    const value = this.read(bits, field);
    return bits > 0 && value >= 2 ** (bits - 1) ? value - 2 ** bits : value;
  }

  override varint(field: string): number {
    this.begin();
    let length = 0;
    while (length < MAX_NUMBER_LENGTH && this.read(1, field) === 1) length++;
    return 2 ** length - 1 + this.read(length, field);
  }

  override u8(field: string): number {
    return this.ranged(field, 0, 255);
  }

  override i8(field: string): number {
    return this.#isStated(field) ? this.readSigned(8, field) : -128;
  }

  override i16(field: string): number {
    return this.ranged(field, 0, 0xffff) - 0x8000;
  }

  override i32(field: string): number {
    return this.u32(field) | 0;
  }

  override u32(field: string): number {
    this.begin();
    return this.read(32, field);
  }

  override flags(field: string): number {
    const flags = this.u8(field);
    return ((flags << 4) | (flags >> 4)) & 255;
  }

  override scale(field: string): number {
    const bits = this.#isStated(field) ? this.read(32, field) : SMALL_SCALE_BITS;
    return new Float32Array(Uint32Array.of(bits).buffer)[0];
  }

  override window(field: string, most: number): number {
    return this.#isStated(field) ? this.ranged(field, 0, most) : SMALL_WINDOW_BYTES / PLAN_UNIT;
  }

  override place(field: string, most: number): (bytes: number, arena: number) => number {
    const place = this.#isStated(field) ? this.ranged(field, 0, most) : undefined;
    return (bytes, arena) => place ?? Math.max(0, arena - bytes);
  }

  override channels(field: string, last: number): number {
    return this.within(field, this.#isStated(field) ? this.varint(field) : last, 1, MAX_DIMENSION);
  }

  override dimension(field: string, near: number): number {
    const value = this.varint(field);
    const dimension = value % 2 === 0 ? near + value / 2 : near - (value + 1) / 2;
    return this.within(field, dimension, 1, MAX_DIMENSION);
  }

  override codecs(field: string): number {
    const mask = this.varint(field);
    this.#firstCodec = 31 - Math.clz32(mask & -mask);
    return mask;
  }

  override form(field: string, hasWeights: boolean): number {
    const form = this.u8(field);
    return hasWeights ? form ^ this.#firstCodec : form;
  }

  /** How many bits a layer's biases have, and how far they are shifted. */
  biasForm(field: string): { readonly biasBits: number; readonly biasShift: number } {
    if (!this.#isStated(field)) return { biasBits: 0, biasShift: 0 };
    return { biasBits: this.read(BIAS_BITS_WIDTH, field), biasShift: this.read(BIAS_SHIFT_WIDTH, field) };
  }

  protected override halves(field: string, least: number): number {
    return this.varint(field) + 2 * least;
  }

  /** Whether a field follows. Where it does not, it has the value that goes without saying. */
  #isStated(field: string): boolean {
    this.begin();
    return this.read(1, field) === 1;
  }

  /** @returns how many bits of each multiplier follow */
  multiplierBits(field: string): number {
    return this.ranged(field, 0, 30);
  }
}
