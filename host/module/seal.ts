/**
 * The seal of a WebAssembly module: a custom section at its end with a checksum of all bytes before. wasm3 0.5.0 does not validate
 * what it runs, so firmware checks the seal first; other engines skip it.
 */
import { SEAL_SECTION } from "../../assembly/module.js";
import { crc32 } from "../container/crc32.js";
import { customSection } from "./sections.js";

/** A custom section; its content is the CRC-32. */
const HEAD = customSection(SEAL_SECTION, new Uint8Array(4)).subarray(0, -4);
export const SEAL_BYTES = HEAD.length + 4;

/** Whether the module ends with a seal, right or wrong. */
function endsWithSeal(wasm: Uint8Array): boolean {
  const start = wasm.length - SEAL_BYTES;
  return start >= 0 && HEAD.every((byte, i) => wasm[start + i] === byte);
}

/** Whether the module ends with a right seal. */
export function isSealed(wasm: Uint8Array): boolean {
  if (!endsWithSeal(wasm)) return false;
  const view = new DataView(wasm.buffer, wasm.byteOffset + wasm.length - 4, 4);
  return view.getUint32(0, true) === crc32(wasm.subarray(0, wasm.length - SEAL_BYTES));
}

/** @returns the module with its seal; one that it had before is replaced */
export function sealModule(wasm: Uint8Array): Uint8Array {
  const body = endsWithSeal(wasm) ? wasm.subarray(0, wasm.length - SEAL_BYTES) : wasm;
  const sealed = new Uint8Array(body.length + SEAL_BYTES);
  sealed.set(body);
  sealed.set(HEAD, body.length);
  new DataView(sealed.buffer).setUint32(body.length + HEAD.length, crc32(body), true);
  return sealed;
}
