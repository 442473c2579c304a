/** Packing for speed, with the kernels of this package. */
import * as pure from "../../fast/fast-module.js";
import type { Optimization } from "../../fast/optimization.js";
import { builtModule } from "../built.js";

/**
 * Packs a model into a fast module: imports `mote.read` for the stream, has the exports of a core, MVP features only, sealed. The
 * same container gives the same bytes.
 * @param optimize speed: with a kernel for each pitch of rows; sram: with one for all
 * @throws MoteError FORMAT or UNSUPPORTED for a bad container; UNSUPPORTED for a model whose sums may pass the integers that the kernels have, naming
 *   layer and row; MEMORY for a plan or stream of 2^28 bytes or more; ENGINE when the kernels have not been built
 */
export function fastModule(container: Uint8Array, optimize: Exclude<Optimization, "size"> = "speed"): Uint8Array {
  return pure.fastModule(container, builtModule("build/fast-named.wasm"), optimize);
}
