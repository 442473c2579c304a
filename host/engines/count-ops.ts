/**
 * Counts executed WebAssembly instructions exactly: rewrites a module so that each straight-line piece of code first adds its length to
 * a counter. Works on the binary itself, since a trip through an optimiser's tree would count other instructions than the interpreter gets.
 * @see WebAssembly core specification 1.0, section 5
 */
import { concatBytes } from "../bytes.js";
import { MoteError } from "../errors.js";
import { leb128, signedLeb128 } from "../module/leb128.js";
import {
  CODE_SECTION,
  EXPORT_SECTION,
  GLOBAL_SECTION,
  IMPORT_SECTION,
  readSections,
  WasmReader,
  writeModule,
  type Section,
} from "../module/sections.js";

/** Name under which the counter, a mutable i64 global that starts at 0, is exported. */
export const OPS_EXPORT = "mote.ops";

const KIND_GLOBAL = 3;

/**
 * What counts: every opcode executed, except the markers block, loop, else and end, which do nothing at run time. An instruction that
 * traps counts, and so do those behind it in its straight-line piece.
 * @param wasm a module of MVP features, sign extension, saturating conversion and memory.copy / fill
 * @returns the same module with one more global, exported as OPS_EXPORT
 * @throws MoteError FORMAT when it is no module, UNSUPPORTED for another opcode
 */
export function countOps(wasm: Uint8Array): Uint8Array<ArrayBuffer> {
  const sections: Section[] = [];
  for (const { id, section } of readSections(wasm)) sections.push({ id, content: section.rest() });
  const body = (id: number): Uint8Array => sections.find((section) => section.id === id)?.content ?? Uint8Array.of(0);
  const counter = importedGlobals(body(IMPORT_SECTION)) + new WasmReader(body(GLOBAL_SECTION)).number();
  const name = new TextEncoder().encode(OPS_EXPORT);
  const i64MutableZero = [0x7e, 0x01, 0x42, 0x00, 0x0b];
  const changed = new Map<number, Uint8Array>([
    [GLOBAL_SECTION, appendEntry(body(GLOBAL_SECTION), i64MutableZero)],
    [
      EXPORT_SECTION,
      appendEntry(body(EXPORT_SECTION), [...leb128(name.length), ...name, KIND_GLOBAL, ...leb128(counter)]),
    ],
    [CODE_SECTION, countCode(body(CODE_SECTION), counter)],
  ]);
  for (const id of changed.keys()) {
    if (sections.some((section) => section.id === id)) continue;
    const behind = sections.findIndex((section) => section.id > id);
    sections.splice(behind < 0 ? sections.length : behind, 0, { id, content: Uint8Array.of(0) });
  }
  return writeModule(sections.map(({ id, content }) => ({ id, content: changed.get(id) ?? content })));
}

function importedGlobals(section: Uint8Array): number {
  const cursor = new WasmReader(section);
  let globals = 0;
  for (let left = cursor.number(); left > 0; left--) {
    cursor.slice();
    cursor.slice();
    const kind = cursor.byte();
    if (kind === 0) {
      cursor.number();
    } else if (kind === KIND_GLOBAL) {
      cursor.take(2);
      globals++;
    } else {
      if (kind === 1) cursor.byte();
      skipLimits(cursor);
    }
  }
  return globals;
}

function skipLimits(cursor: WasmReader): void {
  const hasMaximum = (cursor.byte() & 1) === 1;
  cursor.number();
  if (hasMaximum) cursor.number();
}

/** A vector section with one entry more. */
function appendEntry(section: Uint8Array, entry: readonly number[]): Uint8Array {
  const cursor = new WasmReader(section);
  const count = cursor.number();
  return concatBytes([Uint8Array.from(leb128(count + 1)), section.subarray(cursor.position), Uint8Array.from(entry)]);
}

function countCode(section: Uint8Array, counter: number): Uint8Array {
  const cursor = new WasmReader(section);
  const count = cursor.number();
  const out: Uint8Array[] = [Uint8Array.from(leb128(count))];
  for (let i = 0; i < count; i++) {
    const body = countBody(cursor.slice().rest(), counter);
    out.push(Uint8Array.from(leb128(body.length)), body);
  }
  return concatBytes(out);
}

/** Cuts the function into straight-line pieces and puts `counter += instructions` before each. */
function countBody(body: Uint8Array, counter: number): Uint8Array {
  const cursor = new WasmReader(body);
  for (let groups = cursor.number(); groups > 0; groups--) {
    cursor.number();
    cursor.byte();
  }
  const out = [body.subarray(0, cursor.position)];
  let pieceStart = cursor.position;
  let executed = 0;
  const endPiece = (): void => {
    if (executed > 0) {
      const add = [0x23, ...leb128(counter), 0x42, ...signedLeb128(BigInt(executed)), 0x7c, 0x24, ...leb128(counter)];
      out.push(Uint8Array.from(add));
    }
    out.push(body.subarray(pieceStart, cursor.position));
    pieceStart = cursor.position;
    executed = 0;
  };
  while (!cursor.isAtEnd) {
    const opcode = cursor.byte();
    skipImmediates(cursor, opcode);
    if (!isMarker(opcode)) executed++;
    // A branch target (loop, end, else) begins a piece and a branch ends one.
    if (opcode >= 0x02 && opcode <= 0x0f) endPiece();
  }
  endPiece();
  return concatBytes(out);
}

/** block, loop, else, end */
function isMarker(opcode: number): boolean {
  return opcode === 0x02 || opcode === 0x03 || opcode === 0x05 || opcode === 0x0b;
}

function skipImmediates(cursor: WasmReader, opcode: number): void {
  if (opcode >= 0x45 && opcode <= 0xc4) return; // comparisons, arithmetic, conversions
  if (opcode >= 0x28 && opcode <= 0x3e) {
    cursor.skipNumber(); // alignment
    cursor.skipNumber(); // offset
    return;
  }
  switch (opcode) {
    case 0x00: // unreachable
    case 0x01: // nop
    case 0x05: // else
    case 0x0b: // end
    case 0x0f: // return
    case 0x1a: // drop
    case 0x1b: // select
      return;
    case 0x02: // block
    case 0x03: // loop
    case 0x04: // if
    case 0x0c: // br
    case 0x0d: // br_if
    case 0x10: // call
    case 0x20: // local.get
    case 0x21: // local.set
    case 0x22: // local.tee
    case 0x23: // global.get
    case 0x24: // global.set
    case 0x3f: // memory.size
    case 0x40: // memory.grow
    case 0x41: // i32.const
    case 0x42: // i64.const
      cursor.skipNumber();
      return;
    case 0x0e: // br_table
      for (let left = cursor.number() + 1; left > 0; left--) cursor.number();
      return;
    case 0x11: // call_indirect
      cursor.number();
      cursor.number();
      return;
    case 0x43: // f32.const
      cursor.take(4);
      return;
    case 0x44: // f64.const
      cursor.take(8);
      return;
    case 0xfc: {
      const extended = cursor.number();
      if (extended <= 7) return; // saturating conversions
      if (extended === 10) return void cursor.take(2); // memory.copy
      if (extended === 11) return void cursor.take(1); // memory.fill
      throw new MoteError("UNSUPPORTED", `wasm: opcode FC ${extended} (byte ${cursor.position} of its function)`);
    }
    default:
      throw new MoteError(
        "UNSUPPORTED",
        `wasm: opcode ${opcode.toString(16)} (byte ${cursor.position - 1} of its function)`,
      );
  }
}
