import { MoteError } from "../../errors.js";
import { Wasm3Runtime } from "../wasm3/runtime.js";
import type { CoreInstance, WindowRead } from "../../engines/driver.js";

/** The core under the wasm3 interpreter, which enforces the memory limit to the byte. */
export function instantiateWasm3(wasm: Uint8Array, memoryLimit: number, read: WindowRead): CoreInstance {
  const runtime = new Wasm3Runtime(wasm, {
    memoryLimit,
    imports: { "mote.read": { signature: "i(iii)", call: read } },
  });
  return {
    open: (memoryBytes) => runtime.call("open", memoryBytes) as number,
    start: () => runtime.call("start") as number,
    step: (budget) => runtime.call("step", budget) as number,
    reset: () => runtime.call("reset") as number,
    read: (address, length) => inside(() => runtime.read(address, length)),
    write: (address, bytes) => inside(() => runtime.write(address, bytes)),
    close: () => runtime.close(),
  };
}

/** An address may be the module's, and wrong. */
function inside<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw error instanceof RangeError ? new MoteError("ENGINE", error.message, { cause: error }) : error;
  }
}
