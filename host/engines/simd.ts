/** The engine for machines with SIMD128: simd.wasm decodes a container once, when it is opened, in memory that grows as it does. */
import type { Engine, EngineOptions } from "./engine.js";
import { coreTask, openTask, type Instantiate, type Program } from "./wasm.js";

/** Most bytes of linear memory that simd.wasm grows to: asconfig.json has them in pages. */
const MAX_BYTES = 2 ** 30;

/**
 * Loads a model into a fresh instance.
 * @param program simd.wasm and a container
 * @throws MoteError MEMORY when the decoded model does not fit the limit, ENGINE when the engine refuses it
 */
export function openSimd(instantiate: Instantiate, program: Program, options: EngineOptions = {}): Engine {
  // It reads the container through a window, all but some fields once; what would be resident is what it has decoded.
  const task = coreTask(program, { ...options, resident: false });
  return openTask("simd", instantiate, { ...task, wasm: program.wasm, mostBytes: MAX_BYTES }, options);
}
