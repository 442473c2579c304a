/** An engine that counts the WebAssembly instructions it executes: the work of a model, which no machine changes. */
import { fastParts, isFastModule } from "../fast/parts.js";
import { readContainer } from "../container/read.js";
import { fillRandom } from "../model/elements.js";
import { Random } from "../rng.js";
import { countOps, OPS_EXPORT } from "./count-ops.js";
import { inputElements, type Engine } from "./engine.js";
import type { CoreInstance, WindowRead } from "./driver.js";
import { coreInstance } from "./instance.js";
import { openCore, openFast } from "./wasm.js";

export interface CountedEngine {
  readonly engine: Engine;
  /** Instructions so far, loading included; host calls and an interpreter's own work are not part of it. */
  readonly ops: () => number;
}

/**
 * @param file a container, or a fast module
 * @param core core.wasm, for a container
 * @throws MoteError as the engines do
 */
export function openCounted(file: Uint8Array, core: Uint8Array): CountedEngine {
  let ops = (): number => 0;
  const instantiate = (wasm: Uint8Array, _memoryLimit: number, read: WindowRead): CoreInstance => {
    const module = new WebAssembly.Module(countOps(wasm));
    const { exports } = new WebAssembly.Instance(module, { mote: { read } });
    const counter = exports[OPS_EXPORT] as WebAssembly.Global;
    ops = () => Number(counter.value);
    return coreInstance(exports, "v8");
  };
  if (isFastModule(file)) return { engine: openFast("v8", instantiate, file, fastParts(file)), ops: () => ops() };
  const { model, plan } = readContainer(file);
  const engine = openCore("v8", instantiate, { wasm: core, container: file, packed: false, model, plan });
  return { engine, ops: () => ops() };
}

/** Instructions of one run on elements by chance, loading not counted. The parameters are those of `openCounted`. */
export function opsOfOneRun(file: Uint8Array, core: Uint8Array): number {
  const { engine, ops } = openCounted(file, core);
  const random = new Random(1);
  const inputs = inputElements(engine);
  for (const input of inputs) fillRandom(input, random);
  const before = ops();
  engine.run(inputs);
  return ops() - before;
}
