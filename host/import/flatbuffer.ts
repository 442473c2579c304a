/**
 * FlatBuffers (https://flatbuffers.dev/internals), read in place from a file that is trusted with nothing. Every offset, length and
 * alignment is checked before it is followed. Offsets lead forward only, so nothing goes round in circles, and what is read in all is
 * bounded by the file's size, so that parts which are used again and again cannot grow into more than the file could hold.
 */
import { MoteError } from "../errors.js";
import type { ByteSource } from "./graph.js";

/** Numbers are aligned to their size, so none crosses from a page into the next. */
const PAGE_BYTES = 1 << 16;
const MAX_PAGES = 64;
/** What an object of a reader takes in memory beside its values, about. */
const OBJECT_BYTES = 64;
/** Of memory, for each byte of the file, and for a file of none. */
const MEMORY_PER_BYTE = 6;
const LEAST_MEMORY = 4096;
const OFFSET_BYTES = 4;

const decoder = new TextDecoder();

export class FlatBuffer {
  private readonly pages = new Map<number, DataView>();
  private spent = 0;

  constructor(readonly source: ByteSource) {}

  /** @param identifier four characters that follow the first offset @throws MoteError FORMAT */
  root<F extends string>(identifier: string, what: string, fields: readonly F[]): Table<F> {
    const { size } = this.source;
    if (size < 8) throw new MoteError("FORMAT", `a FlatBuffer has at least 8 bytes, this file has ${size}`);
    const found = String.fromCharCode(...this.source.read(4, 4));
    if (found !== identifier) {
      throw new MoteError("FORMAT", `byte 4: expected the identifier ${identifier}, got ${JSON.stringify(found)}`);
    }
    return new Table(this, this.follow(0, what), what, fields);
  }

  /** The number of `bytes` at `at`, which must lie within the file and be aligned. */
  view(at: number, bytes: number, what: string): { view: DataView; offset: number } {
    this.expectInside(at, bytes, what);
    if (at % bytes !== 0) throw broken(what, at, `is not aligned to ${bytes} bytes`);
    const offset = at % PAGE_BYTES;
    const page = at - offset;
    let view = this.pages.get(page);
    if (view === undefined) {
      if (this.pages.size === MAX_PAGES) this.pages.clear();
      const read = this.source.read(page, Math.min(PAGE_BYTES, this.source.size - page));
      view = new DataView(read.buffer, read.byteOffset, read.byteLength);
      this.pages.set(page, view);
    }
    return { view, offset };
  }

  uint(at: number, what: string): number {
    const { view, offset } = this.view(at, OFFSET_BYTES, what);
    return view.getUint32(offset, true);
  }

  /** Where the offset at `at` leads. */
  follow(at: number, what: string): number {
    const offset = this.uint(at, what);
    if (offset === 0) throw broken(what, at, "is an offset of 0, expected one that leads forward");
    this.expectInside(at + offset, OFFSET_BYTES, what);
    return at + offset;
  }

  /** How many elements of `bytes` each the vector at `at` has, all of them within the file. */
  vectorLength(at: number, bytes: number, what: string): number {
    const length = this.uint(at, what);
    this.expectInside(at + OFFSET_BYTES, length * bytes, `${what}, ${length} elements of ${bytes} bytes,`);
    if (length > 0 && (at + OFFSET_BYTES) % bytes !== 0) {
      throw broken(what, at, `has elements that are not aligned to ${bytes} bytes`);
    }
    return length;
  }

  /** Counts what the reader is about to keep. @throws MoteError FORMAT when a file of this size cannot hold that much */
  spend(bytes: number, what: string): void {
    this.spent += OBJECT_BYTES + bytes;
    if (this.spent > MEMORY_PER_BYTE * this.source.size + LEAST_MEMORY) {
      throw new MoteError("FORMAT", `${what}: parts of the file are used so often that they exceed what it can hold`);
    }
  }

  private expectInside(at: number, bytes: number, what: string): void {
    const { size } = this.source;
    if (at + bytes <= size) return;
    throw broken(what, at, `ends at byte ${at + bytes}, behind the file's end at ${size}`);
  }
}

function broken(what: string, at: number, problem: string): MoteError {
  return new MoteError("FORMAT", `${what} at byte ${at} ${problem}`);
}

/** Elements, of which only those asked for are read. */
export interface Tables<F extends string> {
  readonly length: number;
  at(index: number): Table<F>;
}

/** A stretch of the file. */
export interface Stretch {
  readonly offset: number;
  readonly length: number;
}

/** Fields by the names of their schema; absent ones have its default. */
export class Table<F extends string> {
  private readonly vtable: number;
  private readonly fieldCount: number;
  private readonly sizeBytes: number;

  /** @param fields the schema's names in its order; a union takes two, its type first @throws MoteError FORMAT */
  constructor(
    readonly file: FlatBuffer,
    private readonly at: number,
    readonly what: string,
    private readonly fields: readonly F[],
  ) {
    const { view, offset } = file.view(at, OFFSET_BYTES, what);
    this.vtable = at - view.getInt32(offset, true);
    const vtable = `the vtable of ${what}`;
    if (this.vtable < 0) throw broken(vtable, this.vtable, "lies before the file");
    const vtableBytes = this.short(this.vtable, vtable);
    this.sizeBytes = this.short(this.vtable + 2, vtable);
    if (vtableBytes < 4 || vtableBytes % 2 !== 0) {
      throw broken(vtable, this.vtable, `has ${vtableBytes} bytes, expected an even number from 4`);
    }
    this.fieldCount = (vtableBytes - 4) / 2;
    if (this.fieldCount > 0) this.short(this.vtable + vtableBytes - 2, vtable);
    if (this.sizeBytes < OFFSET_BYTES || at + this.sizeBytes > file.source.size) {
      throw broken(what, at, `has ${this.sizeBytes} bytes, expected from 4 to the file's end at ${file.source.size}`);
    }
    file.spend(this.sizeBytes, what);
  }

  int(field: F, otherwise = 0): number {
    return this.number(field, 4, otherwise, (view, at) => view.getInt32(at, true));
  }

  uint(field: F): number {
    return this.number(field, 4, 0, (view, at) => view.getUint32(at, true));
  }

  byte(field: F, otherwise = 0): number {
    return this.number(field, 1, otherwise, (view, at) => view.getInt8(at));
  }

  ubyte(field: F): number {
    return this.number(field, 1, 0, (view, at) => view.getUint8(at));
  }

  float(field: F): number {
    return this.number(field, 4, 0, (view, at) => view.getFloat32(at, true));
  }

  /** Those above 2^53 are rounded. */
  ulong(field: F): number {
    return this.number(field, 8, 0, (view, at) => Number(view.getBigUint64(at, true)));
  }

  /** @returns undefined when it is absent */
  string(field: F): string | undefined {
    const text = this.bytes(field);
    if (text === undefined) return undefined;
    this.file.spend(2 * text.length, this.nameOf(field));
    return decoder.decode(this.file.source.read(text.offset, text.length));
  }

  /** Where a vector of bytes lies. */
  bytes(field: F): Stretch | undefined {
    const vector = this.vector(field, 1);
    return vector && { offset: vector.at, length: vector.length };
  }

  has(field: F): boolean {
    return this.position(field, OFFSET_BYTES) !== undefined;
  }

  ints(field: F): number[] | undefined {
    return this.numbers(field, 4, (view, at) => view.getInt32(at, true));
  }

  floats(field: F): number[] | undefined {
    return this.numbers(field, 4, (view, at) => view.getFloat32(at, true));
  }

  /** 64-bit integers; those beyond 2^53 are rounded. */
  longs(field: F): number[] | undefined {
    return this.numbers(field, 8, (view, at) => Number(view.getBigInt64(at, true)));
  }

  table<G extends string>(field: F, fields: readonly G[]): Table<G> | undefined {
    const at = this.position(field, OFFSET_BYTES);
    const what = this.nameOf(field);
    return at === undefined ? undefined : new Table(this.file, this.file.follow(at, what), what, fields);
  }

  /** Of an absent vector, none. @param one what an element is called: "tensor" */
  tables<G extends string>(field: F, one: string, fields: readonly G[]): Tables<G> {
    const { at, length } = this.vector(field, OFFSET_BYTES) ?? { at: 0, length: 0 };
    return {
      length,
      at: (index) => {
        const what = `${this.what === "model" ? "" : `${this.what}, `}${one} ${index}`;
        return new Table(this.file, this.file.follow(at + index * OFFSET_BYTES, what), what, fields);
      },
    };
  }

  private number(field: F, bytes: number, otherwise: number, read: (view: DataView, at: number) => number): number {
    const at = this.position(field, bytes);
    if (at === undefined) return otherwise;
    const { view, offset } = this.file.view(at, bytes, this.nameOf(field));
    return read(view, offset);
  }

  private numbers(field: F, bytes: number, read: (view: DataView, at: number) => number): number[] | undefined {
    const vector = this.vector(field, bytes);
    if (vector === undefined) return undefined;
    const what = this.nameOf(field);
    this.file.spend(8 * vector.length, what);
    return Array.from({ length: vector.length }, (_, i) => {
      const { view, offset } = this.file.view(vector.at + i * bytes, bytes, what);
      return read(view, offset);
    });
  }

  private vector(field: F, bytes: number): { at: number; length: number } | undefined {
    const at = this.position(field, OFFSET_BYTES);
    if (at === undefined) return undefined;
    const what = this.nameOf(field);
    const vector = this.file.follow(at, what);
    return { at: vector + OFFSET_BYTES, length: this.file.vectorLength(vector, bytes, what) };
  }

  private position(field: F, bytes: number): number | undefined {
    const index = this.fields.indexOf(field);
    if (index >= this.fieldCount) return undefined;
    const offset = this.short(this.vtable + 4 + 2 * index, this.what);
    if (offset === 0) return undefined;
    if (offset < OFFSET_BYTES || offset + bytes > this.sizeBytes) {
      const room = `the table's bytes ${OFFSET_BYTES} .. ${this.sizeBytes - 1}`;
      throw broken(this.nameOf(field), this.at + offset, `does not lie within ${room}`);
    }
    return this.at + offset;
  }

  private short(at: number, what: string): number {
    const { view, offset } = this.file.view(at, 2, what);
    return view.getUint16(offset, true);
  }

  private nameOf(field: F): string {
    return `${this.what}: ${field}`;
  }
}
