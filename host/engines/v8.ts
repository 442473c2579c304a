import type { CoreInstance, WindowRead } from "./driver.js";
import { coreInstance, guard } from "./instance.js";

/** The core in V8. V8's memory comes in pages: the core itself keeps to a smaller limit. */
export function instantiateV8(wasm: Uint8Array, _memoryLimit: number, read: WindowRead): CoreInstance {
  return guard("v8", () => {
    const module = new WebAssembly.Module(wasm as Uint8Array<ArrayBuffer>);
    return coreInstance(new WebAssembly.Instance(module, { mote: { read } }).exports, "v8");
  });
}
