/** The core's interface by JavaScript's own WebAssembly. */
import { OPEN_EXPORT, RESET_EXPORT, START_EXPORT, STEP_EXPORT } from "../../assembly/module.js";
import { MoteError } from "../errors.js";
import type { CoreInstance } from "./driver.js";

/**
 * @param exports of an instance that has the interface
 * @param engine its name, for errors
 * @returns the interface; its calls throw MoteError ENGINE for a trap, reading and writing for a span that is not all inside memory
 */
export function coreInstance(exports: WebAssembly.Exports, engine: string): CoreInstance {
  const call = exports as Record<string, (argument?: number) => number>;
  const memory = exports.memory as WebAssembly.Memory;
  const span = (address: number, length: number): Uint8Array => {
    const { byteLength } = memory.buffer;
    if (address >= 0 && length >= 0 && address + length <= byteLength) {
      return new Uint8Array(memory.buffer, address, length);
    }
    throw new MoteError(
      "ENGINE",
      `${engine}: ${length} bytes at ${address} are not inside its memory of ${byteLength}`,
    );
  };
  const guarded = (name: string) => (argument?: number) => guard(engine, () => call[name](argument));
  return {
    open: guarded(OPEN_EXPORT),
    start: guarded(START_EXPORT),
    step: guarded(STEP_EXPORT),
    reset: guarded(RESET_EXPORT),
    read: (address, length) => span(address, length).slice(),
    write: (address, bytes) => span(address, bytes.length).set(bytes),
    close: () => {},
  };
}

/** What WebAssembly throws, of compiling, linking, traps and memory, becomes ours. */
export function guard<T>(engine: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw asMoteError(engine, error);
  }
}

export function asMoteError(engine: string, error: unknown): MoteError {
  if (error instanceof MoteError) return error;
  return new MoteError("ENGINE", `${engine}: ${(error as Error).message}`, { cause: error });
}
