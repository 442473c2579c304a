import { instantiateSync } from "@assemblyscript/loader";
import { MoteError } from "../errors.js";
import type { CoreInstance, WindowRead } from "./wasm.js";

interface CoreExports extends Record<string, unknown> {
  readonly memory: WebAssembly.Memory;
  open(memoryBytes: number): number;
  start(): number;
  step(budget: number): number;
}

/** The core in V8, by @assemblyscript/loader. V8's memory comes in pages: the core itself keeps to a smaller limit. */
export function instantiateV8(wasm: Uint8Array, _memoryLimit: number, read: WindowRead): CoreInstance {
  try {
    const { exports } = instantiateSync<CoreExports>(wasm as Uint8Array<ArrayBuffer>, { mote: { read } });
    return {
      open: (memoryBytes) => trapped(() => exports.open(memoryBytes)),
      start: () => trapped(() => exports.start()),
      step: (budget) => trapped(() => exports.step(budget)),
      read: (address, length) => new Uint8Array(exports.memory.buffer, address, length).slice(),
      write: (address, bytes) => new Uint8Array(exports.memory.buffer).set(bytes, address),
      close: () => {},
    };
  } catch (error) {
    throw asMoteError(error);
  }
}

function trapped<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw asMoteError(error);
  }
}

/** V8's own errors, of compiling, linking and traps, become ours; everything else passes. */
function asMoteError(error: unknown): unknown {
  const isWasm =
    error instanceof WebAssembly.CompileError ||
    error instanceof WebAssembly.LinkError ||
    error instanceof WebAssembly.RuntimeError;
  return isWasm ? new MoteError("ENGINE", `v8: ${error.message}`, { cause: error }) : error;
}
