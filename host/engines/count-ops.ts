/**
 * Counts executed WebAssembly instructions exactly: rewrites a module so that each straight-line piece of code first adds its length to
 * a counter. Works on the binary itself, since a trip through an optimiser's tree would count other instructions than the interpreter gets.
 * @see WebAssembly core specification 1.0, section 5
 */
import { concatBytes } from "../bytes.js";
import { MoteError } from "../errors.js";
import { leb128 } from "../module/leb128.js";

/** Name under which the counter, a mutable i64 global that starts at 0, is exported. */
export const OPS_EXPORT = "mote.ops";

const SECTION_IMPORT = 2;
const SECTION_GLOBAL = 6;
const SECTION_EXPORT = 7;
const SECTION_CODE = 10;
const KIND_GLOBAL = 3;

class Cursor {
  position = 0;
  constructor(readonly bytes: Uint8Array) {}

  byte(): number {
    if (this.position >= this.bytes.length) throw new MoteError("FORMAT", "wasm: module ends early");
    return this.bytes[this.position++];
  }
  /** LEB128 of at most 32 bits. */
  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new MoteError("FORMAT", `wasm: number of more than 5 bytes (byte ${this.position})`);
  }
  /** A LEB128 number of any width whose value does not matter. */
  skipLeb(): void {
    while (this.byte() >= 0x80);
  }
  take(length: number): Uint8Array {
    if (this.position + length > this.bytes.length) throw new MoteError("FORMAT", "wasm: module ends early");
    this.position += length;
    return this.bytes.subarray(this.position - length, this.position);
  }
  get atEnd(): boolean {
    return this.position >= this.bytes.length;
  }
}

/**
 * What counts: every opcode executed, except the markers block, loop, else and end, which do nothing at run time. An instruction that
 * traps counts, and so do those behind it in its straight-line piece.
 * @param wasm a module of MVP features, sign extension, saturating conversion and memory.copy / fill
 * @returns the same module with one more global, exported as OPS_EXPORT
 * @throws MoteError FORMAT when it is no module, UNSUPPORTED for another opcode
 */
export function countOps(wasm: Uint8Array): Uint8Array<ArrayBuffer> {
  const cursor = new Cursor(wasm);
  const head = cursor.take(Math.min(8, wasm.length));
  if (![0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0].every((byte, i) => head[i] === byte)) {
    throw new MoteError("FORMAT", "wasm: expected a module of version 1 (00 61 73 6D 01 00 00 00)");
  }
  const sections: { id: number; body: Uint8Array }[] = [];
  while (!cursor.atEnd) {
    const id = cursor.byte();
    sections.push({ id, body: cursor.take(cursor.u32()) });
  }
  const body = (id: number): Uint8Array => sections.find((section) => section.id === id)?.body ?? Uint8Array.of(0);
  const counter = importedGlobals(body(SECTION_IMPORT)) + new Cursor(body(SECTION_GLOBAL)).u32();
  const name = new TextEncoder().encode(OPS_EXPORT);
  const i64MutableZero = [0x7e, 0x01, 0x42, 0x00, 0x0b];
  const changed = new Map<number, Uint8Array>([
    [SECTION_GLOBAL, appendEntry(body(SECTION_GLOBAL), i64MutableZero)],
    [
      SECTION_EXPORT,
      appendEntry(body(SECTION_EXPORT), [...leb128(name.length), ...name, KIND_GLOBAL, ...leb128(counter)]),
    ],
    [SECTION_CODE, countCode(body(SECTION_CODE), counter)],
  ]);
  for (const id of changed.keys()) {
    if (sections.some((section) => section.id === id)) continue;
    const behind = sections.findIndex((section) => section.id > id);
    sections.splice(behind < 0 ? sections.length : behind, 0, { id, body: Uint8Array.of(0) });
  }
  const out: Uint8Array[] = [head];
  for (const { id, body: old } of sections) {
    const fresh = changed.get(id) ?? old;
    out.push(Uint8Array.of(id, ...leb128(fresh.length)), fresh);
  }
  return concatBytes(out);
}

function importedGlobals(section: Uint8Array): number {
  const cursor = new Cursor(section);
  let globals = 0;
  for (let left = cursor.u32(); left > 0; left--) {
    cursor.take(cursor.u32());
    cursor.take(cursor.u32());
    const kind = cursor.byte();
    if (kind === 0) {
      cursor.u32();
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

function skipLimits(cursor: Cursor): void {
  const hasMaximum = (cursor.byte() & 1) === 1;
  cursor.u32();
  if (hasMaximum) cursor.u32();
}

/** A vector section with one entry more. */
function appendEntry(section: Uint8Array, entry: readonly number[]): Uint8Array {
  const cursor = new Cursor(section);
  const count = cursor.u32();
  return concatBytes([Uint8Array.from(leb128(count + 1)), section.subarray(cursor.position), Uint8Array.from(entry)]);
}

function countCode(section: Uint8Array, counter: number): Uint8Array {
  const cursor = new Cursor(section);
  const count = cursor.u32();
  const out: Uint8Array[] = [Uint8Array.from(leb128(count))];
  for (let i = 0; i < count; i++) {
    const body = countBody(cursor.take(cursor.u32()), counter);
    out.push(Uint8Array.from(leb128(body.length)), body);
  }
  return concatBytes(out);
}

/** Cuts the function into straight-line pieces and puts `counter += instructions` before each. */
function countBody(body: Uint8Array, counter: number): Uint8Array {
  const cursor = new Cursor(body);
  for (let groups = cursor.u32(); groups > 0; groups--) {
    cursor.u32();
    cursor.byte();
  }
  const out = [body.subarray(0, cursor.position)];
  let pieceStart = cursor.position;
  let executed = 0;
  const endPiece = (): void => {
    if (executed > 0) {
      const add = [0x23, ...leb128(counter), 0x42, ...signedLeb(executed), 0x7c, 0x24, ...leb128(counter)];
      out.push(Uint8Array.from(add));
    }
    out.push(body.subarray(pieceStart, cursor.position));
    pieceStart = cursor.position;
    executed = 0;
  };
  while (!cursor.atEnd) {
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

function skipImmediates(cursor: Cursor, opcode: number): void {
  if (opcode >= 0x45 && opcode <= 0xc4) return; // comparisons, arithmetic, conversions
  if (opcode >= 0x28 && opcode <= 0x3e) {
    cursor.skipLeb(); // alignment
    cursor.skipLeb(); // offset
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
      cursor.skipLeb();
      return;
    case 0x0e: // br_table
      for (let left = cursor.u32() + 1; left > 0; left--) cursor.u32();
      return;
    case 0x11: // call_indirect
      cursor.u32();
      cursor.u32();
      return;
    case 0x43: // f32.const
      cursor.take(4);
      return;
    case 0x44: // f64.const
      cursor.take(8);
      return;
    case 0xfc: {
      const extended = cursor.u32();
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

/** For value ≥ 0: as `leb128`, with room for the sign. */
function signedLeb(value: number): number[] {
  const bytes = leb128(value);
  if ((bytes[bytes.length - 1] & 0x40) === 0) return bytes;
  bytes[bytes.length - 1] |= 0x80;
  return [...bytes, 0];
}
