/** Packing for size, with the core of this package. */
import { containerBits } from "../../data/file-kind.js";
import type { ElementBits } from "../../model/elements.js";
import * as pure from "../../module/bake.js";
import type { CoreContents } from "../../module/contents.js";
import { builtModule } from "../built.js";

/**
 * Packs a model into a module of its own: no imports, exports `memory`, `open`, `start`, `step` and `reset`, MVP features only,
 * sealed. The same container gives the same bytes.
 * @throws MoteError FORMAT or UNSUPPORTED for a bad container, ENGINE when the core has not been built
 */
export function bake(container: Uint8Array): Uint8Array {
  return pure.bake(container, namedCore(containerBits(container)));
}

/**
 * The core without what a model does not use, the model still outside, behind `mote.read`, and checked as ever: for firmware, where
 * the model can stay in flash. Another model that asks for no more runs on it too, any other is refused when it is opened. The same container gives the same bytes.
 * @throws MoteError as `bake`
 */
export function specialize(container: Uint8Array): Uint8Array {
  return pure.specialize(container, builtModule("build/core-named.wasm"));
}

/**
 * The core with some ops and codecs alone, sealed.
 * @param bits of an element of its models
 * @throws MoteError ENGINE when the core has not been built
 */
export function coreWith(contents: CoreContents, bits: ElementBits = 8): Uint8Array {
  return pure.coreWith(contents, namedCore(bits));
}

const namedCore = (bits: ElementBits): Uint8Array =>
  builtModule(bits === 16 ? "build/core16-named.wasm" : "build/core-named.wasm");
