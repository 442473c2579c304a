/**
 * What has to be read of a module that `mote pack` made, without WebAssembly tools: imports, exports, data, custom sections.
 * @see WebAssembly Core Specification 1.0, 5.5 "Modules"
 */
import { MoteError } from "../errors.js";

const HEADER_BYTES = 8;
const CUSTOM_SECTION = 0;
const IMPORT_SECTION = 2;
const EXPORT_SECTION = 7;
const DATA_SECTION = 11;
const KIND_FUNCTION = 0;
const I32_CONST = 0x41;
const END = 0x0b;

/** Bytes that linear memory holds to begin with: a view of the module's. */
export interface Segment {
  readonly address: number;
  readonly bytes: Uint8Array;
}

export interface ModuleOutline {
  /** "module.name" of each imported function. */
  readonly imports: readonly string[];
  readonly exports: readonly string[];
  readonly segments: readonly Segment[];
  /** Contents of custom sections by name: views of the module's bytes. */
  readonly custom: ReadonlyMap<string, Uint8Array>;
}

/** @throws MoteError FORMAT for what is not a module, or has imports or data of another kind than those that `mote pack` makes */
export function outlineModule(wasm: Uint8Array): ModuleOutline {
  const imports: string[] = [];
  const exports: string[] = [];
  const segments: Segment[] = [];
  const custom = new Map<string, Uint8Array>();
  const module = new ModuleReader(wasm);
  module.expectHeader();
  while (!module.isAtEnd) {
    const id = module.byte();
    const section = module.slice();
    if (id === IMPORT_SECTION) imports.push(...section.imports());
    if (id === EXPORT_SECTION) exports.push(...section.exports());
    if (id === DATA_SECTION) segments.push(...section.segments());
    if (id === CUSTOM_SECTION) custom.set(section.name(), section.rest());
  }
  return { imports, exports, segments, custom };
}

/** The u32 that linear memory holds at `address` to begin with. */
export function initialWord(segments: readonly Segment[], address: number): number {
  const home = segments.find(
    (segment) => segment.address <= address && segment.address + segment.bytes.length >= address + 4,
  );
  if (home === undefined) return 0;
  return new DataView(home.bytes.buffer, home.bytes.byteOffset).getUint32(address - home.address, true);
}

/** @throws MoteError FORMAT when the exports are not exactly those of the core */
export function expectExports({ exports }: ModuleOutline): void {
  const names = new Set(exports);
  if (EXPORTS.every((name) => names.has(name)) && names.size === EXPORTS.length) return;
  throw foreignModule(`it exports ${exports.join(", ") || "nothing"}, expected ${EXPORTS.join(", ")}`);
}

const EXPORTS = ["open", "start", "step", "memory"];

export function foreignModule(detail: string): MoteError {
  return new MoteError("FORMAT", `not a module that mote pack --format wasm made: ${detail}`);
}

/** Goes through the bytes of a module or of a part of it. */
export class ModuleReader {
  private position = 0;

  constructor(
    private readonly bytes: Uint8Array,
    /** Where `bytes` stand in the file. */
    private readonly origin = 0,
  ) {}

  get isAtEnd(): boolean {
    return this.position === this.bytes.length;
  }

  /** Of the next byte, in the file. */
  get place(): number {
    return this.origin + this.position;
  }

  expectHeader(): void {
    const header = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
    if (header.some((byte, index) => this.bytes[index] !== byte))
      throw foreignModule("it does not begin as WebAssembly 1 does");
    this.position = HEADER_BYTES;
  }

  byte(): number {
    if (this.isAtEnd) throw this.truncated();
    return this.bytes[this.position++];
  }

  /** LEB128, unsigned. */
  number(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw foreignModule(`a number of more than 5 bytes (byte ${this.place})`);
  }

  /** LEB128 of any width whose value does not matter. */
  skipNumber(): void {
    while (this.byte() >= 0x80);
  }

  /** LEB128, signed, of an address below 2^31. */
  private address(): number {
    const start = this.position;
    const value = this.number();
    const bits = 7 * (this.position - start);
    // The sign bit is the top one of the last group; addresses are not negative.
    if (value >= 2 ** (bits - 1))
      throw foreignModule(`a data segment at a negative address (byte ${this.origin + start})`);
    return value;
  }

  /** What a length is followed by. */
  slice(): ModuleReader {
    const length = this.number();
    if (length > this.bytes.length - this.position) throw this.truncated();
    const start = this.position;
    this.position += length;
    return new ModuleReader(this.bytes.subarray(start, start + length), this.origin + start);
  }

  name(): string {
    return new TextDecoder().decode(this.slice().bytes);
  }

  /** All that has not been read. */
  rest(): Uint8Array {
    return this.bytes.subarray(this.position);
  }

  imports(): string[] {
    return Array.from({ length: this.count() }, () => {
      const name = this.import();
      this.number(); // type
      return name;
    });
  }

  /** An imported function's "module.name"; its type follows. */
  import(): string {
    const name = `${this.name()}.${this.name()}`;
    if (this.byte() !== KIND_FUNCTION) throw foreignModule(`it imports ${name}, which is not a function`);
    return name;
  }

  exports(): string[] {
    return Array.from({ length: this.count() }, () => {
      const name = this.name();
      this.byte(); // kind
      this.number(); // index
      return name;
    });
  }

  segments(): Segment[] {
    return Array.from({ length: this.count() }, () => this.segment());
  }

  segment(): Segment {
    const isActive = this.number() === 0 && this.byte() === I32_CONST;
    const address = isActive ? this.address() : 0;
    if (!isActive || this.byte() !== END) {
      throw foreignModule(`a data segment without a plain address (byte ${this.place})`);
    }
    return { address, bytes: this.slice().bytes };
  }

  /** Length of a vector, each of whose elements takes at least a byte. */
  private count(): number {
    const count = this.number();
    if (count > this.bytes.length - this.position) throw this.truncated();
    return count;
  }

  private truncated(): MoteError {
    return foreignModule(`it ends too early (byte ${this.origin + this.bytes.length})`);
  }
}
