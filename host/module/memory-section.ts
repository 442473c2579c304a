/** core.wasm declares one page, which is right for devices; a large model on the host needs its memory section rewritten. */
import { MoteError } from "../errors.js";
import { leb128 } from "./leb128.js";

const MEMORY_SECTION = 5;
const HEADER_BYTES = 8;

/**
 * The module with `pages` pages as its memory's minimum and maximum.
 * @param pages 1 .. 65,536, of 64 KiB
 * @throws MoteError FORMAT for a module without a memory section
 * @see WebAssembly Core Specification 1.0, 5.5.2 "Sections" and 5.5.8 "Memory Section"
 */
export function withPages(wasm: Uint8Array, pages: number): Uint8Array {
  let position = HEADER_BYTES;
  while (position < wasm.length) {
    const start = position;
    const id = wasm[position++];
    const size = readLeb(wasm, position);
    position = size.end + size.value;
    if (id === MEMORY_SECTION) {
      const limits = [1, 1, ...leb128(pages), ...leb128(pages)]; // one memory; it has a maximum
      return Uint8Array.from([
        ...wasm.subarray(0, start),
        MEMORY_SECTION,
        ...leb128(limits.length),
        ...limits,
        ...wasm.subarray(position),
      ]);
    }
  }
  throw new MoteError("FORMAT", "the module has no memory section");
}

function readLeb(bytes: Uint8Array, position: number): { value: number; end: number } {
  let value = 0;
  for (let shift = 0; position < bytes.length && shift < 35; shift += 7) {
    const byte = bytes[position++];
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return { value, end: position };
  }
  throw new MoteError("FORMAT", `the module ends within a section's length (byte ${position})`);
}
