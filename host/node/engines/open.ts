import type { Engine, EngineName, EngineOptions } from "../../engines/engine.js";
import { openOn, type Platform } from "../../engines/open.js";
import { instantiateV8 } from "../../engines/v8.js";
import { builtCore, builtModule } from "../built.js";
import { instantiateWasm3 } from "./wasm3.js";

const NODE: Platform = {
  core: builtCore,
  simd: () => builtModule("build/simd.wasm"),
  v8: instantiateV8,
  wasm3: instantiateWasm3,
};

/**
 * Opens a model on an engine.
 * @param file the bytes of a .mote container, of a packed .wasm, or of a fast module, which only wasm3 and v8 run
 * @throws MoteError FORMAT or UNSUPPORTED for a bad file, MEMORY when it does not fit the limit, ENGINE for an engine
 *   that is not built or refuses the model
 */
export function openEngine(name: EngineName, file: Uint8Array, options: EngineOptions = {}): Engine {
  return openOn(NODE, name, file, options);
}
