/** The core's interface by JavaScript's own WebAssembly. */
import { MoteError } from "../errors.js";
import type { CoreInstance } from "./driver.js";

/**
 * @param exports of an instance that has the interface
 * @param name of the engine, for errors
 * @returns the interface; its calls throw MoteError ENGINE for a trap, reading and writing for a span that is not all inside memory
 */
export function coreInstance(exports: WebAssembly.Exports, name: string): CoreInstance {
  const call = exports as Record<string, (...args: number[]) => number>;
  const memory = exports.memory as WebAssembly.Memory;
  const span = (address: number, length: number): Uint8Array => {
    const { byteLength } = memory.buffer;
    if (address >= 0 && length >= 0 && address + length <= byteLength) {
      return new Uint8Array(memory.buffer, address, length);
    }
    throw new MoteError("ENGINE", `${name}: ${length} bytes at ${address} are not inside its memory of ${byteLength}`);
  };
  return {
    open: (memoryBytes) => naming(name, () => call.open(memoryBytes)),
    start: () => naming(name, () => call.start()),
    step: (budget) => naming(name, () => call.step(budget)),
    reset: () => naming(name, () => call.reset()),
    read: (address, length) => span(address, length).slice(),
    write: (address, bytes) => span(address, bytes.length).set(bytes),
    close: () => {},
  };
}

/** WebAssembly's own errors, of compiling, linking and traps, become ours; everything else passes. */
export function naming<T>(name: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw asMoteError(name, error);
  }
}

export function asMoteError(name: string, error: unknown): unknown {
  const isWasm =
    error instanceof WebAssembly.CompileError ||
    error instanceof WebAssembly.LinkError ||
    error instanceof WebAssembly.RuntimeError;
  return isWasm ? new MoteError("ENGINE", `${name}: ${error.message}`, { cause: error }) : error;
}
