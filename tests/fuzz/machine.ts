/** The core as the fuzzer drives it: raw exports and memory, in V8 or under wasm3. */
import type { WindowRead } from "../../host/engines/driver.js";
import type { ElementBits } from "../../host/model/elements.js";
import { builtCore } from "../../host/node/built.js";
import { Wasm3Runtime } from "../../host/node/wasm3/runtime.js";

export interface Machine {
  /** Bytes of linear memory there are. */
  readonly memoryBytes: number;
  open(memoryBytes: number): number;
  start(): number;
  step(budget: number): number;
  reset(): number;
  /** Valid until the next call: V8 gives a view, wasm3 a copy. */
  load(address: number, length: number): Uint8Array;
  store(address: number, bytes: Uint8Array): void;
  close(): void;
}

/** @param memoryBytes the least memory the machine must have; what it has beyond is there to be left alone */
export type MakeMachine = (memoryBytes: number, read: WindowRead) => Machine;

/** Of the core for each width of elements. */
export type CoreMachines = Readonly<Record<ElementBits, MakeMachine>>;

/** @param machines v8Machines or wasm3Machines */
export const coreMachines = (machines: (core: Uint8Array) => MakeMachine): CoreMachines => ({
  8: machines(builtCore(8)),
  16: machines(builtCore(16)),
});

interface CoreExports {
  readonly memory: WebAssembly.Memory;
  open(memoryBytes: number): number;
  start(): number;
  step(budget: number): number;
  reset(): number;
}

/** Always a whole page: what the core does beyond its limit shows there. */
export function v8Machines(core: Uint8Array): MakeMachine {
  const module = new WebAssembly.Module(core as Uint8Array<ArrayBuffer>);
  return (_memoryBytes, read) => {
    const exports = new WebAssembly.Instance(module, { mote: { read } }).exports as unknown as CoreExports;
    const memory = new Uint8Array(exports.memory.buffer);
    return {
      memoryBytes: memory.length,
      open: exports.open,
      start: exports.start,
      step: exports.step,
      reset: exports.reset,
      load: (address, length) => memory.subarray(address, address + length),
      store: (address, bytes) => memory.set(bytes, address),
      close: () => {},
    };
  };
}

/** Memory to the byte: an access beyond its limit is a trap. */
export function wasm3Machines(core: Uint8Array): MakeMachine {
  return (memoryBytes, read) => {
    const imports = { "mote.read": { signature: "i(iii)", call: read } };
    const runtime = new Wasm3Runtime(core, { memoryLimit: memoryBytes, imports });
    return {
      memoryBytes,
      open: (bytes) => runtime.call("open", bytes) as number,
      start: () => runtime.call("start") as number,
      step: (budget) => runtime.call("step", budget) as number,
      reset: () => runtime.call("reset") as number,
      load: (address, length) => runtime.read(address, length),
      store: (address, bytes) => runtime.write(address, bytes),
      close: () => runtime.close(),
    };
  };
}
