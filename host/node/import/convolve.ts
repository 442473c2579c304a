/** Convolutions of real numbers by train.wasm. */
import { kernelConvolve } from "../../import/float-conv.js";
import type { Convolve } from "../../import/float-run.js";
import { builtModule } from "../built.js";

/** @throws MoteError ENGINE when train.wasm was not built */
export function nodeConvolve(): Convolve {
  return kernelConvolve(new WebAssembly.Module(builtModule("build/train.wasm")));
}
