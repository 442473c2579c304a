/** Packing for size, with the core of this package. */
import * as pure from "../../module/bake.js";
import { builtModule } from "../built.js";

/**
 * Packs a model into a module of its own: no imports, exports `memory`, `open`, `start` and `step`, MVP features only,
 * sealed. The same container gives the same bytes.
 * @throws MoteError FORMAT or UNSUPPORTED for a bad container, ENGINE when the core has not been built
 */
export function bake(container: Uint8Array): Uint8Array {
  return pure.bake(container, builtModule("build/core-named.wasm"));
}

/**
 * The core without what a model does not use, the model still outside, behind `mote.read`, and checked as ever: for firmware, where
 * the model can stay in flash. The same container gives the same bytes.
 * @throws MoteError as `bake`
 */
export function specialize(container: Uint8Array): Uint8Array {
  return pure.specialize(container, builtModule("build/core-named.wasm"));
}
