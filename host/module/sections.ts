/** A WebAssembly module as its sections, read and written. @see WebAssembly Core Specification 1.0, 5.5.2 "Sections" */
import { concatBytes } from "../bytes.js";
import { MoteError } from "../errors.js";
import { leb128, readLeb128 } from "./leb128.js";

export const CUSTOM_SECTION = 0;
export const TYPE_SECTION = 1;
export const IMPORT_SECTION = 2;
export const FUNCTION_SECTION = 3;
export const MEMORY_SECTION = 5;
export const GLOBAL_SECTION = 6;
export const EXPORT_SECTION = 7;
export const CODE_SECTION = 10;
export const DATA_SECTION = 11;

const HEADER = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00);

/** Whether a file is a WebAssembly module, by its first four bytes. */
export function isWasm(file: Uint8Array): boolean {
  return [0x00, 0x61, 0x73, 0x6d].every((byte, index) => file[index] === byte);
}

export interface Section {
  readonly id: number;
  readonly content: Uint8Array;
}

/** What is thrown for bytes that are no module. @param detail "it ends too early (byte 9)" */
export type Refusal = (detail: string) => MoteError;

const notWasm: Refusal = (detail) => new MoteError("FORMAT", `wasm: ${detail}`);

/** @throws what `refuse` makes, for bytes that do not begin as a module does or end too early */
export function* readSections(wasm: Uint8Array, refuse = notWasm): Generator<{ id: number; section: WasmReader }> {
  const module = new WasmReader(wasm, refuse);
  if (HEADER.some((byte, index) => wasm[index] !== byte)) throw refuse("it does not begin as WebAssembly 1 does");
  module.take(HEADER.length);
  while (!module.isAtEnd) {
    const id = module.byte();
    yield { id, section: module.slice() };
  }
}

export function writeModule(sections: readonly Section[]): Uint8Array<ArrayBuffer> {
  return concatBytes([
    HEADER,
    ...sections.flatMap(({ id, content }) => [Uint8Array.of(id, ...leb128(content.length)), content]),
  ]);
}

/** A custom section, which engines pass over, with its number and length: 5.5.3. */
export function customSection(name: string, content: Uint8Array): Uint8Array {
  return sectionOf(title(name), content);
}

/** The same, with its content at a multiple of 4 of the file: a byte or more of the name's length say nothing. @param at where it begins */
export function alignedSection(name: string, content: Uint8Array, at: number): Uint8Array {
  const sections = [0, 1, 2, 3].map((padding) => sectionOf(title(name, padding), content));
  return sections.find((section) => (at + section.length - content.length) % 4 === 0) ?? sections[0];
}

function sectionOf(head: readonly number[], content: Uint8Array): Uint8Array {
  return concatBytes([Uint8Array.of(CUSTOM_SECTION, ...leb128(head.length + content.length), ...head), content]);
}

/** A section's name behind its length. @param padding bytes that the length takes beside its own */
function title(name: string, padding = 0): number[] {
  const bytes = new TextEncoder().encode(name);
  const length = leb128(bytes.length);
  const padded = [...length, ...Array.from({ length: padding }, () => 0)];
  return [...padded.map((byte, i) => (i < padded.length - 1 ? byte | 0x80 : byte)), ...bytes];
}

/** Goes through the bytes of a module or of a part of it, and never past their end. */
export class WasmReader {
  #position = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly refuse = notWasm,
    /** Where `bytes` stand in the file. */
    private readonly origin = 0,
  ) {}

  /** Of the next byte, in these bytes. */
  get position(): number {
    return this.#position;
  }

  /** Of the next byte, in the file. */
  get place(): number {
    return this.origin + this.#position;
  }

  get isAtEnd(): boolean {
    return this.#position === this.bytes.length;
  }

  byte(): number {
    if (this.isAtEnd) throw this.truncated();
    return this.bytes[this.#position++];
  }

  /** LEB128, unsigned. */
  number(): number {
    const { value, last } = readLeb128(() => this.byte());
    if (last > 0x7f) throw this.refuse(`a number of more than 5 bytes (byte ${this.place})`);
    return value;
  }

  /** LEB128 of any width whose value does not matter. */
  skipNumber(): void {
    while (this.byte() >= 0x80);
  }

  /** Length of a vector, each of whose elements takes at least a byte. */
  count(): number {
    const count = this.number();
    if (count > this.bytes.length - this.#position) throw this.truncated();
    return count;
  }

  take(length: number): Uint8Array {
    if (length > this.bytes.length - this.#position) throw this.truncated();
    this.#position += length;
    return this.bytes.subarray(this.#position - length, this.#position);
  }

  /** What a length is followed by. */
  slice(): WasmReader {
    const length = this.number();
    const start = this.place;
    return new WasmReader(this.take(length), this.refuse, start);
  }

  name(): string {
    return new TextDecoder().decode(this.slice().bytes);
  }

  /** All that has not been read. */
  rest(): Uint8Array {
    return this.bytes.subarray(this.#position);
  }

  private truncated(): MoteError {
    return this.refuse(`it ends too early (byte ${this.origin + this.bytes.length})`);
  }
}
