/** A packed .wasm seen from outside: where the model stands in it. Needs no WebAssembly tools. */
import { CONTROL_MODEL_BYTES, CONTROL_MODEL_PTR, MAGIC } from "../../assembly/format.js";
import { MoteError } from "../errors.js";
import { isSealed } from "./seal.js";

const HEADER_BYTES = 8;
const IMPORT_SECTION = 2;
const EXPORT_SECTION = 7;
const DATA_SECTION = 11;
const I32_CONST = 0x41;
const END = 0x0b;
const EXPORTS = ["open", "start", "step", "memory"] as const;

export interface Baked {
  /** The `.mote` container, a view of the module's bytes. */
  readonly container: Uint8Array;
  /** Bytes of linear memory in front of the model: what the memory plan takes. */
  readonly planBytes: number;
  /** Bytes of the module without the container. */
  readonly codeBytes: number;
}

interface Segment {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/**
 * Finds the model in a module that `bake` made.
 * @throws MoteError FORMAT for anything else: not WebAssembly, damaged, or some other module
 * @see WebAssembly Core Specification 1.0, 5.5 "Modules"
 */
export function bakedContainer(wasm: Uint8Array): Baked {
  const segments: Segment[] = [];
  const names = new Set<string>();
  const module = new ModuleReader(wasm);
  module.expectHeader();
  while (!module.isAtEnd) {
    const id = module.byte();
    const section = module.slice();
    if (id === IMPORT_SECTION) throw foreign("it has imports");
    if (id === EXPORT_SECTION) section.exports().forEach((name) => names.add(name));
    if (id === DATA_SECTION) segments.push(...section.segments());
  }
  const missing = EXPORTS.filter((name) => !names.has(name));
  if (missing.length > 0 || names.size !== EXPORTS.length) {
    throw foreign(`it exports ${[...names].join(", ") || "nothing"}, expected ${EXPORTS.join(", ")}`);
  }
  const address = initialWord(segments, CONTROL_MODEL_PTR);
  const length = initialWord(segments, CONTROL_MODEL_BYTES);
  const home = segments.find((segment) => segment.address === address && segment.bytes.length === length);
  if (address === 0 || home === undefined || length < 4 || word(home.bytes, 0) !== MAGIC) {
    throw foreign(`no model of ${length} bytes at address ${address}`);
  }
  if (!isSealed(wasm)) throw foreign("its checksum is missing or wrong");
  return { container: home.bytes, planBytes: address, codeBytes: wasm.length - length };
}

/** The u32 that linear memory holds at `address` to begin with. */
function initialWord(segments: readonly Segment[], address: number): number {
  const home = segments.find(
    (segment) => segment.address <= address && segment.address + segment.bytes.length >= address + 4,
  );
  return home === undefined ? 0 : word(home.bytes, address - home.address);
}

function word(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset, true);
}

function foreign(detail: string): MoteError {
  return new MoteError("FORMAT", `not a module that mote pack --format wasm made: ${detail}`);
}

/** The few pieces of WebAssembly's binary format that finding a model takes. */
class ModuleReader {
  private position = 0;

  constructor(
    private readonly bytes: Uint8Array,
    /** Where `bytes` stand in the file. */
    private readonly origin = 0,
  ) {}

  get isAtEnd(): boolean {
    return this.position === this.bytes.length;
  }

  expectHeader(): void {
    const header = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
    if (header.some((byte, index) => this.bytes[index] !== byte))
      throw foreign("it does not begin as WebAssembly 1 does");
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
    throw foreign(`a number of more than 5 bytes (byte ${this.origin + this.position})`);
  }

  /** LEB128, signed, of an address below 2^31. */
  private address(): number {
    const start = this.position;
    const value = this.number();
    const bits = 7 * (this.position - start);
    // The sign bit is the top one of the last group; addresses are not negative.
    if (value >= 2 ** (bits - 1)) throw foreign(`a data segment at a negative address (byte ${this.origin + start})`);
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

  exports(): string[] {
    return Array.from({ length: this.count() }, () => {
      const name = new TextDecoder().decode(this.slice().bytes);
      this.byte(); // kind
      this.number(); // index
      return name;
    });
  }

  segments(): Segment[] {
    return Array.from({ length: this.count() }, () => {
      const isActive = this.number() === 0 && this.byte() === I32_CONST;
      const address = isActive ? this.address() : 0;
      if (!isActive || this.byte() !== END) {
        throw foreign(`a data segment without a plain address (byte ${this.origin + this.position})`);
      }
      return { address, bytes: this.slice().bytes };
    });
  }

  /** Length of a vector, each of whose elements takes at least a byte. */
  private count(): number {
    const count = this.number();
    if (count > this.bytes.length - this.position) throw this.truncated();
    return count;
  }

  private truncated(): MoteError {
    return foreign(`it ends too early (byte ${this.origin + this.bytes.length})`);
  }
}
