/** The driver of the core's interface (SPEC.md, "The core's interface"), shared by the engines that run WebAssembly. */
import * as abi from "../../assembly/abi.js";
import type { FastParts } from "../fast/parts.js";
import { planTotal, type Plan } from "../container/plan.js";
import { MoteError } from "../errors.js";
import type { QModel, Shape } from "../model/model.js";
import { checkInput, type Engine, type EngineName, type EngineOptions, type TensorInfo } from "./engine.js";
import { LinearTensor } from "./linear-tensor.js";
import { withPages } from "../module/memory-section.js";
import { outputOf } from "../model/edges.js";

/** One instantiated core: what V8 and wasm3 each provide. Addresses and lengths are bytes. */
export interface CoreInstance {
  open(memoryBytes: number): number;
  start(): number;
  step(budget: number): number;
  /** A copy. */
  read(address: number, length: number): Uint8Array;
  write(address: number, bytes: Uint8Array | Int8Array): void;
  close(): void;
}

/** `mote.read`: copies `length` bytes of the file from `offset` to `target`; 0, or anything else for failure. */
export type WindowRead = (offset: number, target: number, length: number) => number;

/**
 * Makes an instance of a module that is core.wasm or a packed model.
 * @param memoryLimit bytes of linear memory the module may use; an engine that cannot enforce it below one page need not
 */
export type Instantiate = (wasm: Uint8Array, memoryLimit: number, read: WindowRead) => CoreInstance;

/** What is run: core.wasm with a container beside it, or a packed module with its container inside. */
export interface Program {
  readonly wasm: Uint8Array;
  readonly container: Uint8Array;
  readonly packed: boolean;
  readonly model: QModel;
  readonly plan: Plan;
}

const PAGE_BYTES = 65536;
const DEFAULT_BUDGET = 1 << 16;

/**
 * Loads a model into a fresh instance.
 * @throws MoteError MEMORY when the plan does not fit the limit, ENGINE when the core refuses the model
 */
export function openCore(
  name: EngineName,
  instantiate: Instantiate,
  program: Program,
  options: EngineOptions = {},
): Engine {
  return new CoreEngine(name, instantiate, coreTask(program, options), options);
}

/**
 * The same for a fast module, whose tables say what a container says of other models.
 * @throws MoteError MEMORY when it does not fit the limit, ENGINE when the engine refuses it
 */
export function openFast(
  name: EngineName,
  instantiate: Instantiate,
  wasm: Uint8Array,
  parts: FastParts,
  options: EngineOptions = {},
): Engine {
  return new CoreEngine(name, instantiate, fastTask(wasm, parts), options);
}

/** A module and a model, and what the driver has to know of the two. */
interface Task {
  readonly wasm: Uint8Array;
  /** Bytes of linear memory: those of the memory plan, and of a resident model. */
  readonly planBytes: number;
  readonly modelBytes: number;
  /** What `mote.read` reads. */
  readonly source: Uint8Array;
  /** Bytes of it that the module has before it reads any. */
  readonly sourceBytesRead: number;
  /** To be written before the module is opened. */
  readonly data: readonly { readonly address: number; readonly bytes: Uint8Array }[];
  readonly tensors: readonly Shape[];
  /** Of each layer, the tensor that it writes. */
  readonly outputs: readonly number[];
  readonly elementBias: number;
  readonly input: TensorInfo;
  readonly output: TensorInfo;
  readonly labels: readonly string[] | undefined;
}

function coreTask({ wasm, container, packed, model, plan }: Program, options: EngineOptions): Task {
  const resident = packed || options.resident === true;
  const planBytes = planTotal(plan, resident);
  const modelBytes = resident ? container.length + abi.MODEL_SLACK_BYTES : 0;
  const pages = Math.ceil((planBytes + modelBytes) / PAGE_BYTES);
  const address = resident ? planBytes : 0;
  const words = new DataView(new ArrayBuffer(8));
  words.setUint32(0, address, true);
  words.setUint32(4, container.length, true);
  const pointer = { address: abi.CONTROL_MODEL_PTR, bytes: new Uint8Array(words.buffer) };
  return {
    wasm: pages > 1 && !packed ? withPages(wasm, pages) : wasm,
    planBytes,
    modelBytes,
    source: container,
    sourceBytesRead: resident ? container.length : 0,
    data: packed ? [] : resident ? [{ address, bytes: container }, pointer] : [pointer],
    tensors: model.tensors.map(({ shape }) => shape),
    outputs: model.layers.map(({ output }) => output),
    elementBias: 0,
    input: tensorInfo(model, 0),
    output: tensorInfo(model, outputOf(model)),
    labels: model.labels,
  };
}

function tensorInfo(model: QModel, tensor: number): TensorInfo {
  const { shape, scale, zeroPoint } = model.tensors[tensor];
  return { shape, scale, zeroPoint };
}

function fastTask(wasm: Uint8Array, parts: FastParts): Task {
  const info = (tensor: number, scale: number): TensorInfo => {
    const { shape, zeroPoint } = parts.tensors[tensor];
    return { shape, scale, zeroPoint };
  };
  return {
    wasm,
    planBytes: parts.memoryBytes,
    modelBytes: 0,
    source: parts.stream,
    sourceBytesRead: 0,
    data: [],
    tensors: parts.tensors.map(({ shape }) => shape),
    outputs: parts.layers.map(({ output }) => output),
    elementBias: parts.elementBias,
    input: info(0, parts.inputScale),
    output: info(parts.outputTensor, parts.outputScale),
    labels: parts.labels,
  };
}

class CoreEngine implements Engine {
  readonly input: TensorInfo;
  readonly output: TensorInfo;
  readonly labels: readonly string[] | undefined;
  readonly linearMemoryBytes: number;
  readonly work: number;
  bytesRead: number;
  private readonly instance: CoreInstance;
  private readonly budget: number;
  private readonly tensorsPtr: number;

  constructor(
    readonly name: EngineName,
    instantiate: Instantiate,
    private readonly task: Task,
    { memoryLimit: mostBytes, budget = DEFAULT_BUDGET }: EngineOptions,
  ) {
    const { source, planBytes, modelBytes } = task;
    const neededBytes = planBytes + modelBytes;
    if (neededBytes > (mostBytes ?? neededBytes)) {
      const needs = modelBytes > 0 ? `${planBytes} + ${modelBytes} for the model` : `${planBytes}`;
      throw new MoteError("MEMORY", `${name}: the memory plan takes ${needs} bytes, the limit is ${mostBytes}`);
    }
    const memoryLimit = Math.min(mostBytes ?? neededBytes, Math.ceil(neededBytes / PAGE_BYTES) * PAGE_BYTES);
    this.budget = budget;
    this.input = task.input;
    this.output = task.output;
    this.labels = task.labels;
    this.bytesRead = task.sourceBytesRead;
    this.instance = instantiate(task.wasm, memoryLimit, (offset, target, length) => {
      if (offset < 0 || length < 0 || offset + length > source.length) return 1;
      this.instance.write(target, source.subarray(offset, offset + length));
      this.bytesRead += length;
      return 0;
    });
    try {
      for (const { address, bytes } of task.data) this.instance.write(address, bytes);
      let status = this.instance.open(memoryLimit);
      while (status >= 0) {
        status = this.instance.step(this.budget);
        if (status === abi.STATUS_DONE) break;
      }
      this.expect(status, "load");
      this.linearMemoryBytes = this.control(abi.CONTROL_MEMORY_BYTES) + modelBytes;
      this.work = this.control(abi.CONTROL_WORK);
      this.tensorsPtr = this.control(abi.CONTROL_TENSORS_PTR);
    } catch (error) {
      this.instance.close();
      throw error;
    }
  }

  run(input: Int8Array, visit?: (layer: number, output: Int8Array) => void): Int8Array {
    checkInput(this.name, input, this.input.shape);
    this.tensor(0).write(input);
    let status = this.instance.start();
    let layersDone = 0;
    while (status >= 0) {
      status = this.instance.step(this.budget);
      if (status >= 0 && visit && this.control(abi.CONTROL_LAYERS_DONE) > layersDone) {
        visit(layersDone, this.tensor(this.task.outputs[layersDone]).read());
        layersDone++; // a step ends with a layer, so that each is seen before the next overwrites it
      }
      if (status === abi.STATUS_DONE) break;
    }
    this.expect(status, "run");
    return this.tensor(this.control(abi.CONTROL_OUTPUT_TENSOR)).read();
  }

  close(): void {
    this.instance.close();
  }

  private tensor(index: number): LinearTensor {
    const entryPtr = this.tensorsPtr + index * abi.TENSOR_ENTRY_BYTES;
    const { tensors, elementBias } = this.task;
    return new LinearTensor(this.instance, entryPtr, tensors[index], elementBias, `${this.name}: tensor ${index}`);
  }

  private control(address: number): number {
    const bytes = this.instance.read(address, 4);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
  }

  private expect(status: number, during: string): void {
    if (status === abi.STATUS_DONE) return;
    // A fast module states none: it checks nothing on the way.
    const offset = this.control(abi.CONTROL_ERROR_OFFSET);
    const place = offset > 0 ? ` near byte ${offset} of the container` : "";
    throw new MoteError("ENGINE", `${this.name}: ${during} failed${place}: ${statusText(status)}`);
  }
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  [abi.STATUS_READ]: "STATUS_READ, the window callback failed",
  [abi.STATUS_TRUNCATED]: "STATUS_TRUNCATED, the file ends within a field or is not as long as it states",
  [abi.STATUS_MAGIC]: "STATUS_MAGIC, not a .mote file",
  [abi.STATUS_VERSION]: "STATUS_VERSION, a version this core does not know",
  [abi.STATUS_CRC]: "STATUS_CRC, the checksum does not match",
  [abi.STATUS_OP]: "STATUS_OP, an op this core does not have",
  [abi.STATUS_CODEC]: "STATUS_CODEC, a codec this core does not have",
  [abi.STATUS_RANGE]: "STATUS_RANGE, a field outside its range",
  [abi.STATUS_SHAPE]: "STATUS_SHAPE, shapes that do not fit each other",
  [abi.STATUS_PLAN]: "STATUS_PLAN, a layer needs more than the memory plan grants",
  [abi.STATUS_MEMORY]: "STATUS_MEMORY, the plan is larger than the memory",
  [abi.STATUS_HUFFMAN]: "STATUS_HUFFMAN, a code that is over-subscribed, incomplete or empty",
  [abi.STATUS_STREAM]: "STATUS_STREAM, a section that ends early or runs over",
  [abi.STATUS_STATE]: "STATUS_STATE, called out of order",
};

/** A status of the core in words, its name first. */
export function statusText(status: number): string {
  return STATUS_TEXT[status] ?? `status ${status}`;
}
