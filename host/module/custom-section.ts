/** Custom sections of a module, which engines pass over: WebAssembly Core Specification 1.0, 5.5.3. */
import { METADATA_SECTION } from "../../assembly/module.js";
import { concatBytes } from "../bytes.js";
import type { QModel } from "../model/model.js";
import { writeMetadata } from "../container/metadata.js";
import { alignedSection, customSection } from "./sections.js";

/** A module with one more custom section, at its end. */
export function withSection(wasm: Uint8Array, name: string, content: Uint8Array): Uint8Array {
  return concatBytes([wasm, customSection(name, content)]);
}

/** The same, with the section's content at a multiple of 4 of the file, where records are words of a CPU. */
export function withAlignedSection(wasm: Uint8Array, name: string, content: Uint8Array): Uint8Array {
  return concatBytes([wasm, alignedSection(name, content, wasm.length)]);
}

/** A module with the model's metadata in a section of its own, where it costs no RAM; without any, the module as it is. */
export function withMetadataSection(wasm: Uint8Array, model: QModel): Uint8Array {
  const metadata = writeMetadata(model);
  return metadata.length === 0 ? wasm : withSection(wasm, METADATA_SECTION, metadata);
}
