/** The core with meters: the instructions of each slice, counted in core.wasm, and the work that the core itself makes of it. */
import { readFileSync } from "node:fs";
import binaryen from "binaryen";
import * as abi from "../../assembly/abi.js";
import { builtFile } from "../../host/node/paths.js";
import { countOps, OPS_EXPORT } from "../../host/engines/count-ops.js";
import { withPages } from "../../host/module/memory-section.js";
import { statedPlan } from "../fuzz/mutate.js";

const PAGE_BYTES = 65536;
const WORK_EXPORT = "work";

interface Exports {
  readonly memory: WebAssembly.Memory;
  open(memoryBytes: number): number;
  start(): number;
  step(budget: number): number;
  readonly [OPS_EXPORT]: WebAssembly.Global;
  readonly [WORK_EXPORT]: WebAssembly.Global;
}

export interface Slice {
  readonly status: number;
  readonly instructions: number;
  readonly work: number;
}

/** One container behind its window, in two cores that take the same steps: one counts instructions, one adds up what `advance` returns. */
export class MeteredCore {
  private readonly counted: Exports;
  private readonly charged: Exports;
  private readonly memoryBytes: number;

  constructor(container: Uint8Array) {
    this.memoryBytes = statedPlan(container, false);
    countedCore ??= countOps(new Uint8Array(readFileSync(builtFile("build/core.wasm"))));
    chargedCore ??= withWork(new Uint8Array(readFileSync(builtFile("build/core-named.wasm"))));
    this.counted = this.instantiate(countedCore, container);
    this.charged = this.instantiate(chargedCore, container);
  }

  open(): Slice {
    return this.measure((core) => core.open(this.memoryBytes));
  }

  start(): Slice {
    return this.measure((core) => core.start());
  }

  step(budget: number): Slice {
    return this.measure((core) => core.step(budget));
  }

  /** A word of the control block. */
  word(address: number): number {
    return new DataView(this.counted.memory.buffer).getUint32(address, true);
  }

  get memory(): Uint8Array {
    return new Uint8Array(this.counted.memory.buffer);
  }

  private measure(act: (core: Exports) => number): Slice {
    const [ops, work] = [this.counted[OPS_EXPORT].value as bigint, this.charged[WORK_EXPORT].value as bigint];
    const status = act(this.counted);
    if (act(this.charged) !== status) throw new Error("two builds of the core go different ways");
    return {
      status,
      instructions: Number((this.counted[OPS_EXPORT].value as bigint) - ops),
      work: Number((this.charged[WORK_EXPORT].value as bigint) - work),
    };
  }

  private instantiate(wasm: Uint8Array, container: Uint8Array): Exports {
    const module = new WebAssembly.Module(withPages(wasm, Math.ceil(this.memoryBytes / PAGE_BYTES)) as BufferSource);
    const read = (offset: number, target: number, length: number): number => {
      new Uint8Array(exports.memory.buffer).set(container.subarray(offset, offset + length), target);
      return 0;
    };
    const exports = new WebAssembly.Instance(module, { mote: { read } }).exports as unknown as Exports;
    new DataView(exports.memory.buffer).setUint32(abi.CONTROL_MODEL_BYTES, container.length, true);
    return exports;
  }
}

let countedCore: Uint8Array | undefined;
let chargedCore: Uint8Array | undefined;

/** The core with a global more, exported as WORK_EXPORT, to which each piece of work is added. */
function withWork(namedCore: Uint8Array): Uint8Array {
  const read = binaryen.readBinary as (data: Uint8Array, features: number) => binaryen.Module;
  const module = read(namedCore, binaryen.Features.MutableGlobals);
  const [name, copy] = ["assembly/core/graph/advance", "advance as it was"];
  const { params, results, vars, body } = binaryen.getFunctionInfo(module.getFunction(name));
  module.addFunction(copy, params, results, vars, module.copyExpression(body));
  module.removeFunction(name);
  const i64 = module.i64 as unknown as { const(value: bigint): binaryen.ExpressionRef };
  module.addGlobal(WORK_EXPORT, binaryen.i64, true, i64.const(0n));
  module.addGlobalExport(WORK_EXPORT, WORK_EXPORT);
  const piece = module.local.get(0, binaryen.i32);
  const sum = module.i64.add(module.global.get(WORK_EXPORT, binaryen.i64), module.i64.extend_u(piece));
  const counting = [
    module.local.set(0, module.call(copy, [], results)),
    module.global.set(WORK_EXPORT, sum),
    module.return(module.copyExpression(piece)),
  ];
  module.addFunction(name, params, results, [binaryen.i32], module.block(null, counting));
  try {
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}
