/** The engine for machines with SIMD128: simd.wasm decodes a container once, when it is opened, in memory that grows as it does. */
import { MAX_SIMD_BYTES } from "../../assembly/abi.js";
import type { Engine, EngineOptions } from "./engine.js";
import { coreTask, openTask, type Instantiate, type Program } from "./wasm.js";

/**
 * Loads a model into a fresh instance.
 * @param program simd.wasm and a container
 * @throws MoteError MEMORY when the decoded model does not fit the limit, ENGINE when the engine refuses it
 */
export function openSimd(instantiate: Instantiate, program: Program, options: EngineOptions = {}): Engine {
  // It reads the container through a window, once; what would be resident is what it has decoded.
  const task = coreTask(program, { ...options, resident: false });
  return openTask("simd", instantiate, { ...task, wasm: program.wasm, mostBytes: MAX_SIMD_BYTES }, options);
}

/** A module with one function, of one instruction of SIMD128. */
const PROBE = Uint8Array.from(
  [
    [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    [1, 5, 1, 0x60, 0, 1, 0x7b], // type: () → v128
    [3, 2, 1, 0],
    [10, 8, 1, 6, 0, 0x41, 0, 0xfd, 0x0f, 0x0b], // i8x16.splat(0)
  ].flat(),
);

/** Whether this machine's WebAssembly has SIMD128. */
export function hasSimd(): boolean {
  return WebAssembly.validate(PROBE);
}
