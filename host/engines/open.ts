import { bakedContainer } from "../module/baked.js";
import { fastParts, isFastModule } from "../fast/parts.js";
import { readContainer } from "../container/read.js";
import { MoteError } from "../errors.js";
import { isWasm } from "../module/sections.js";
import { checkOptions, type Engine, type EngineName, type EngineOptions } from "./engine.js";
import { openReference } from "./reference.js";
import { openCore, openFast, type Instantiate, type Program } from "./wasm.js";

export const ENGINE_NAMES: readonly EngineName[] = ["wasm3", "v8", "reference"];

/** What the engines take from where they run. */
export interface Platform {
  /** The bytes of core.wasm, for containers. @throws MoteError ENGINE when it is not there */
  readonly core: () => Uint8Array;
  readonly v8: Instantiate;
  readonly wasm3: Instantiate;
}

/**
 * Opens a model on an engine of a platform.
 * @param file the bytes of a .mote container, of a packed .wasm, or of a fast module, which the reference does not run
 * @throws MoteError FORMAT or UNSUPPORTED for a bad file, MEMORY when it does not fit the limit, ENGINE for an engine
 *   that is not there or refuses the model
 */
export function openOn(platform: Platform, name: EngineName, file: Uint8Array, options: EngineOptions): Engine {
  checkOptions(options);
  const instantiate = name === "v8" ? platform.v8 : platform.wasm3;
  if (isFastModule(file)) {
    if (name === "reference") {
      throw new MoteError(
        "UNSUPPORTED",
        "reference: a fast module has no container to run; expected the one that it was packed from",
      );
    }
    if (options.resident === true) {
      throw new MoteError(
        "UNSUPPORTED",
        `${name}: a fast module's weights cannot be resident; they are read once a run`,
      );
    }
    return openFast(name, instantiate, file, fastParts(file), options);
  }
  const packed = isWasm(file);
  const { container, resident } = packed ? bakedContainer(file) : { container: file, resident: file };
  if (name === "reference") return openReference(container, options);
  const { model, plan } = readContainer(container);
  const program: Program = { wasm: packed ? file : platform.core(), container: resident, packed, model, plan };
  return openCore(name, instantiate, program, options);
}
