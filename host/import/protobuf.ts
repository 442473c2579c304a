/**
 * The wire format of protocol buffers, read in place: a message is a run of fields, each with a number, a wire type and a value, or a length
 * that is skipped without reading what it covers. https://protobuf.dev/programming-guides/encoding/
 */
import { MoteError } from "../errors.js";
import type { ByteSource } from "./graph.js";

export const VARINT = 0;
const FIXED64 = 1;
export const BYTES = 2;
const FIXED32 = 5;

/** Read at once of a source that is not in memory: many small fields, or the head of a large one. */
const WINDOW_BYTES = 1 << 16;

/** A source byte by byte, of which a part is at hand. */
export class Window {
  private start = 0;
  private bytes: Uint8Array = new Uint8Array(0);

  constructor(readonly source: ByteSource) {}

  /** The byte at an offset within the source. */
  at(offset: number): number {
    const index = offset - this.start;
    if (index >= 0 && index < this.bytes.length) return this.bytes[index];
    this.bytes = this.source.read(offset, Math.min(WINDOW_BYTES, this.source.size - offset));
    this.start = offset;
    return this.bytes[0];
  }

  /** @param length of few bytes, within the source */
  slice(offset: number, length: number): Uint8Array {
    if (length === 0) return new Uint8Array(0);
    if (length > WINDOW_BYTES) return this.source.read(offset, length);
    const isAtHand = offset >= this.start && offset + length <= this.start + this.bytes.length;
    if (!isAtHand) {
      this.start = offset;
      this.bytes = this.source.read(offset, Math.min(WINDOW_BYTES, this.source.size - offset));
    }
    return this.bytes.subarray(offset - this.start, offset - this.start + length);
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true });
const float = new DataView(new ArrayBuffer(4));

/** Walks over the fields of one message: `next()`, then what the field is and holds. */
export class Message {
  /** Of the field that `next` has come to. */
  field = 0;
  wire = 0;
  /** Of a VARINT, as a signed 64-bit integer; beyond ±2^53 the nearest double. */
  value = 0;
  /** Where its value begins and how many bytes it takes; of BYTES without the length in front. */
  start = 0;
  length = 0;
  private at: number;

  /** @param name of the message's type, for errors @throws MoteError FORMAT from all methods, with the offset */
  constructor(
    private readonly window: Window,
    readonly name: string,
    readonly begin = 0,
    readonly end = window.source.size,
  ) {
    this.at = begin;
  }

  /** Comes to the next field; false at the end. */
  next(): boolean {
    if (this.at >= this.end) return false;
    const from = this.at;
    const key = this.varint();
    this.field = Math.floor(key / 8);
    this.wire = key & 7;
    if (!(this.field >= 1 && this.field < 2 ** 29)) this.fail(from, `a field has the number ${this.field}`);
    this.value = 0;
    this.start = this.at;
    if (this.wire === VARINT) {
      this.value = this.varint();
      this.length = this.at - this.start;
      return true;
    }
    if (this.wire === BYTES) {
      this.length = this.varint();
      this.start = this.at;
    } else if (this.wire === FIXED64) {
      this.length = 8;
    } else if (this.wire === FIXED32) {
      this.length = 4;
    } else {
      this.fail(from, `field ${this.field} has wire type ${this.wire}, expected 0, 1, 2 or 5`);
    }
    const left = this.end - this.start;
    if (!(this.length >= 0 && this.length <= left)) {
      this.fail(from, `field ${this.field} takes ${this.length} bytes, of which ${left} are there`);
    }
    this.at = this.start + this.length;
    return true;
  }

  /** @throws MoteError FORMAT unless the field has that wire type */
  expect(wire: number): void {
    if (this.wire !== wire) {
      this.fail(this.start, `field ${this.field} has wire type ${this.wire}, expected ${wire}`);
    }
  }

  integer(): number {
    this.expect(VARINT);
    return this.value;
  }

  text(): string {
    this.expect(BYTES);
    try {
      return decoder.decode(this.window.slice(this.start, this.length));
    } catch (error) {
      if (error instanceof MoteError) throw error;
      return this.fail(this.start, `field ${this.field} is not UTF-8`);
    }
  }

  message(name: string): Message {
    this.expect(BYTES);
    return new Message(this.window, name, this.start, this.start + this.length);
  }

  /** A float32. */
  float(): number {
    this.expect(FIXED32);
    for (let i = 0; i < 4; i++) float.setUint8(i, this.window.at(this.start + i));
    return float.getFloat32(0, true);
  }

  /** Of a repeated field of integers, which may be packed or one by one: the values in this one. */
  eachInteger(take: (value: number) => void): void {
    if (this.wire === VARINT) return take(this.value);
    this.expect(BYTES);
    const packed = new Message(this.window, this.name, this.start, this.start + this.length);
    while (packed.at < packed.end) take(packed.varint());
  }

  /** Likewise of floats. */
  eachFloat(take: (value: number) => void): void {
    if (this.wire !== BYTES) return take(this.float());
    this.expectMultiple(4);
    for (let at = this.start; at < this.start + this.length; at += 4) {
      for (let i = 0; i < 4; i++) float.setUint8(i, this.window.at(at + i));
      take(float.getFloat32(0, true));
    }
  }

  /** @throws MoteError FORMAT unless the field is one or more elements of so many bytes, packed or one by one */
  expectFixed(size: 4 | 8): void {
    if (this.wire === BYTES) this.expectMultiple(size);
    else this.expect(size === 4 ? FIXED32 : FIXED64);
  }

  fail(offset: number, what: string): never {
    throw new MoteError("FORMAT", `offset ${offset}: ${this.name}: ${what}`);
  }

  private expectMultiple(size: number): void {
    if (this.length % size !== 0) {
      this.fail(this.start, `field ${this.field} is ${this.length} bytes of numbers of ${size}`);
    }
  }

  /** Two halves of 32 bits, since a varint may take 64. */
  private varint(): number {
    const from = this.at;
    let low = 0;
    let high = 0;
    for (let shift = 0; ; shift += 7) {
      if (this.at >= this.end) this.fail(from, "a number is cut off");
      const byte = this.window.at(this.at++);
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) return high * 2 ** 32 + (low >>> 0);
      if (shift === 63) this.fail(from, "a number has more than 10 bytes");
    }
  }
}
