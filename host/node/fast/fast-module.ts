/** Packing for speed, with the kernels of this package. */
import { readContainer } from "../../container/read.js";
import * as pure from "../../fast/fast-module.js";
import { fastProgram, type FastProgram } from "../../fast/memory.js";
import type { Optimization } from "../../fast/optimization.js";
import { builtModule } from "../built.js";

/**
 * Packs a model into a fast module: imports `mote.read` for the stream, has the exports of a core, MVP features only, sealed. The
 * same container gives the same bytes.
 * @param source a container, or what it was laid out to
 * @param optimize speed: with a kernel for each pitch of rows; sram: with one for all
 * @throws MoteError FORMAT or UNSUPPORTED for a bad container; UNSUPPORTED for a model whose sums may pass the integers that the kernels have, naming
 *   layer and row; MEMORY for a plan or stream of 2^28 bytes or more; ENGINE when the kernels have not been built
 */
export function fastModule(
  source: Uint8Array | FastProgram,
  optimize: Exclude<Optimization, "size"> = "speed",
): Uint8Array {
  const program = source instanceof Uint8Array ? fastProgram(readContainer(source)) : source;
  return pure.fastModule(program, builtModule("build/fast-named.wasm"), optimize);
}
