/** core.wasm declares one page, which is right for devices; a large model on the host needs its memory section rewritten. */
import { MoteError } from "../errors.js";
import { leb128 } from "./leb128.js";
import { MEMORY_SECTION, readSections, writeModule } from "./sections.js";

/**
 * The module with `pages` pages as its memory's minimum and maximum.
 * @param pages 1 .. 65,536, of 64 KiB
 * @throws MoteError FORMAT for what is no module, or one without a memory section
 * @see WebAssembly Core Specification 1.0, 5.5.8 "Memory Section"
 */
export function withPages(wasm: Uint8Array, pages: number): Uint8Array {
  const limits = Uint8Array.of(1, 1, ...leb128(pages), ...leb128(pages)); // one memory; it has a maximum
  const sections = [...readSections(wasm)];
  if (!sections.some(({ id }) => id === MEMORY_SECTION))
    throw new MoteError("FORMAT", "the module has no memory section");
  return writeModule(
    sections.map(({ id, section }) => ({ id, content: id === MEMORY_SECTION ? limits : section.rest() })),
  );
}
