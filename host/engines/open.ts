import { bakedContainer } from "../module/baked.js";
import { fastParts, isFastModule } from "../fast/parts.js";
import { readContainer } from "../container/read.js";
import { containerBits } from "../data/file-kind.js";
import { MoteError } from "../errors.js";
import { activationBits, refuseWide, type ElementBits } from "../model/elements.js";
import { isWasm } from "../module/sections.js";
import { checkOptions, type Engine, type EngineName, type EngineOptions } from "./engine.js";
import { openReference } from "./reference.js";
import { hasSimd } from "./has-simd.js";
import { openSimd } from "./simd.js";
import { openCore, openFast, type Instantiate } from "./wasm.js";

export const ENGINE_NAMES: readonly EngineName[] = ["wasm3", "v8", "simd", "reference"];

/** Those that run modules, packed and fast ones, as they are. The others run the container that a packed module has inside, and no fast module. */
export const MODULE_ENGINES: readonly EngineName[] = ["wasm3", "v8"];

/** What runs a model fastest here. @param container of the model: those of 16-bit activations have no vectors */
export const fastestEngine = (container?: Uint8Array): EngineName =>
  hasSimd() && !(container !== undefined && containerBits(container) === 16) ? "simd" : "v8";

/** What the engines take from where they run. */
export interface Platform {
  /** The bytes of core.wasm or core16.wasm, for containers whose elements have so many bits. @throws MoteError ENGINE when it is not there */
  readonly core: (bits: ElementBits) => Uint8Array;
  /** Those of simd.wasm. */
  readonly simd: () => Uint8Array;
  readonly v8: Instantiate;
  readonly wasm3: Instantiate;
}

/**
 * Opens a model on an engine of a platform.
 * @param file the bytes of a .mote container, of a packed .wasm, or of a fast module, which only MODULE_ENGINES run
 * @throws MoteError FORMAT or UNSUPPORTED for a bad file, MEMORY when it does not fit the limit, ENGINE for an engine
 *   that is not there or refuses the model
 */
export function openOn(platform: Platform, name: EngineName, file: Uint8Array, options: EngineOptions): Engine {
  checkOptions(options);
  const instantiate = name === "wasm3" ? platform.wasm3 : platform.v8;
  if (isFastModule(file)) {
    if (!MODULE_ENGINES.includes(name)) {
      throw new MoteError(
        "UNSUPPORTED",
        `${name}: a fast module has no container to run; expected the one that it was packed from`,
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
  const outline = readContainer(container, { outline: true });
  const bits = activationBits(outline.model);
  try {
    if (name === "simd") {
      refuseWide(bits, "simd: ");
      return openSimd(platform.v8, { ...outline, wasm: platform.simd(), container, packed: false }, options);
    }
    const wasm = packed ? file : platform.core(bits);
    return openCore(name, instantiate, { ...outline, wasm, container: resident, packed }, options);
  } catch (error) {
    // What the engine has found in a section, the strict reader says in words.
    if (error instanceof MoteError && error.code === "ENGINE") readContainer(container);
    throw error;
  }
}
