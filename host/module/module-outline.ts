/**
 * What has to be read of a module that `mote pack` made, without WebAssembly tools: imports, exports, data, custom sections.
 * @see WebAssembly Core Specification 1.0, 5.5 "Modules"
 */
import { MEMORY_EXPORT, OPEN_EXPORT, RESET_EXPORT, START_EXPORT, STEP_EXPORT } from "../../assembly/module.js";
import { MoteError } from "../errors.js";
import {
  CUSTOM_SECTION,
  DATA_SECTION,
  EXPORT_SECTION,
  IMPORT_SECTION,
  readSections,
  type WasmReader,
} from "./sections.js";

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
  for (const { id, section } of readSections(wasm, foreignModule)) {
    if (id === IMPORT_SECTION) imports.push(...vector(section, importedFunction));
    if (id === EXPORT_SECTION) exports.push(...vector(section, exportName));
    if (id === DATA_SECTION) segments.push(...vector(section, dataSegment));
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

/**
 * @param optional exports that there may be besides
 * @throws MoteError FORMAT when the exports are not those of the core
 */
export function expectExports({ exports }: ModuleOutline, optional: readonly string[] = []): void {
  const names = new Set(exports);
  const known = new Set([...EXPORTS, ...optional]);
  if (EXPORTS.every((name) => names.has(name)) && exports.every((name) => known.has(name))) return;
  throw foreignModule(`it exports ${exports.join(", ") || "nothing"}, expected ${EXPORTS.join(", ")}`);
}

const EXPORTS = [OPEN_EXPORT, START_EXPORT, STEP_EXPORT, RESET_EXPORT, MEMORY_EXPORT];

export function foreignModule(detail: string): MoteError {
  return new MoteError("FORMAT", `not a module that mote pack --format wasm made: ${detail}`);
}

function importedFunction(section: WasmReader): string {
  const name = importName(section);
  section.number(); // type
  return name;
}

function exportName(section: WasmReader): string {
  const name = section.name();
  section.byte(); // kind
  section.number(); // index
  return name;
}

/** An imported function's "module.name"; its type follows. */
export function importName(section: WasmReader): string {
  const name = `${section.name()}.${section.name()}`;
  if (section.byte() !== KIND_FUNCTION) throw foreignModule(`it imports ${name}, which is not a function`);
  return name;
}

export function dataSegment(section: WasmReader): Segment {
  const isActive = section.number() === 0 && section.byte() === I32_CONST;
  const address = isActive ? constantAddress(section) : 0;
  if (!isActive || section.byte() !== END) {
    throw foreignModule(`a data segment without a plain address (byte ${section.place})`);
  }
  return { address, bytes: section.slice().rest() };
}

/** LEB128, signed, of an address below 2^31. */
function constantAddress(section: WasmReader): number {
  const start = section.place;
  const value = section.number();
  const bits = 7 * (section.place - start);
  // The sign bit is the top one of the last group; addresses are not negative.
  if (value >= 2 ** (bits - 1)) throw foreignModule(`a data segment at a negative address (byte ${start})`);
  return value;
}

function vector<T>(section: WasmReader, element: (section: WasmReader) => T): T[] {
  return Array.from({ length: section.count() }, () => element(section));
}
