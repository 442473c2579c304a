/** The engines that run WebAssembly: a model and a module, and what the driver of the core's interface has to know of the two. */
import * as abi from "../../assembly/abi.js";
import type { FastParts } from "../fast/parts.js";
import { planTotal, type Plan } from "../container/plan.js";
import { MoteError } from "../errors.js";
import { bitsOf, type Elements } from "../model/elements.js";
import type { QModel, Shape } from "../model/model.js";
import { driverOf, type CoreInstance, type Driver, type WindowRead } from "./driver.js";
import { endsOf, type Ends } from "./ends.js";
import { wideDriverOf } from "./wide-driver.js";
import {
  checkInputs,
  checkResult,
  type Engine,
  type EngineName,
  type EngineOptions,
  type TensorInfo,
} from "./engine.js";
import type { TensorEntry } from "./linear-tensor.js";
import { modelInputs, outputsOf } from "../model/edges.js";
import { withPages } from "../module/memory-section.js";

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
  return openTask(name, instantiate, coreTask(program, options), options);
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
  return openTask(name, instantiate, fastTask(wasm, parts), options);
}

/** The same for any task. */
export function openTask(name: EngineName, instantiate: Instantiate, task: Task, options: EngineOptions): Engine {
  return new CoreEngine(name, instantiate, task, options);
}

/** A module and a model, and what the driver has to know of the two. */
export interface Task {
  readonly wasm: Uint8Array;
  /** Bytes of linear memory: those of the memory plan, and of a resident model. */
  readonly planBytes: number;
  readonly modelBytes: number;
  /** Of a module that takes more than that, by growing its memory: the most that it may where nobody says less. */
  readonly mostBytes?: number;
  /** What `mote.read` reads. */
  readonly source: Uint8Array;
  /** Bytes of it that the module has before it reads any. */
  readonly sourceBytesRead: number;
  /** To be written before the module is opened. */
  readonly data: readonly { readonly address: number; readonly bytes: Uint8Array }[];
  /** Of each tensor: inputs, then states, then the layers' outputs, in order. */
  readonly shapes: readonly Shape[];
  readonly layerCount: number;
  readonly ends: Ends;
}

export function coreTask({ wasm, container, packed, model, plan }: Program, options: EngineOptions): Task {
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
    shapes: model.tensors.map(({ shape }) => shape),
    layerCount: model.layers.length,
    ends: endsOf(model.tensors, modelInputs(model), outputsOf(model), model),
  };
}

function fastTask(wasm: Uint8Array, parts: FastParts): Task {
  return {
    wasm,
    planBytes: parts.memoryBytes,
    modelBytes: 0,
    source: parts.stream,
    sourceBytesRead: 0,
    data: [],
    shapes: parts.tensors.map(({ shape }) => shape),
    layerCount: parts.layers.length,
    ends: endsOf(parts.tensors, parts.inputs, parts.outputs, parts),
  };
}

class CoreEngine implements Engine {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  readonly input: TensorInfo;
  readonly output: TensorInfo;
  readonly hasStates: boolean;
  readonly linearMemoryBytes: number;
  readonly work: number;
  bytesRead: number;
  private readonly instance: CoreInstance;
  private readonly driver: Driver;
  /** Indices of the inputs and outputs. */
  private readonly ends: ReturnType<Driver["ends"]>;
  private hasRun = false;

  constructor(
    readonly name: EngineName,
    instantiate: Instantiate,
    private readonly task: Task,
    { memoryLimit: mostBytes, budget }: EngineOptions,
  ) {
    const { source, planBytes, modelBytes } = task;
    const neededBytes = planBytes + modelBytes;
    if (neededBytes > (mostBytes ?? neededBytes)) {
      const needs = modelBytes > 0 ? `${planBytes} + ${modelBytes} for the model` : `${planBytes}`;
      throw new MoteError("MEMORY", `${name}: the memory plan takes ${needs} bytes, the limit is ${mostBytes}`);
    }
    const memoryLimit = Math.min(
      mostBytes ?? task.mostBytes ?? neededBytes,
      task.mostBytes ?? Math.ceil(neededBytes / PAGE_BYTES) * PAGE_BYTES,
    );
    ({ inputs: this.inputs, outputs: this.outputs } = task.ends);
    this.input = this.inputs[0];
    this.output = this.outputs[0];
    this.hasStates = task.shapes.length - task.layerCount > this.inputs.length;
    this.bytesRead = task.sourceBytesRead;
    this.instance = instantiate(task.wasm, memoryLimit, (offset, target, length) => {
      if (offset < 0 || length < 0 || offset + length > source.length) return 1;
      this.instance.write(target, source.subarray(offset, offset + length));
      this.bytesRead += length;
      return 0;
    });
    const isWide = bitsOf(task.ends.inputs[0]) === 16;
    this.driver = (isWide ? wideDriverOf : driverOf)(name, this.instance, budget);
    try {
      for (const { address, bytes } of task.data) this.instance.write(address, bytes);
      const status = this.driver.load(memoryLimit);
      if (status === abi.STATUS_MEMORY && task.mostBytes !== undefined) {
        const bytes = this.driver.control(abi.CONTROL_MEMORY_BYTES);
        throw new MoteError("MEMORY", `${name}: the model takes ${bytes} bytes or more, the limit is ${memoryLimit}`);
      }
      if (status !== abi.STATUS_DONE) throw this.driver.failure("load", status);
      this.ends = this.driver.ends();
      this.expectEnds("inputs");
      this.expectEnds("outputs");
      this.linearMemoryBytes = this.driver.control(abi.CONTROL_MEMORY_BYTES) + modelBytes;
      this.work = this.driver.control(abi.CONTROL_WORK);
    } catch (error) {
      this.instance.close();
      throw error;
    }
  }

  run(input: Elements | readonly Elements[], visit?: (layer: number, output: Elements) => void): Elements {
    const { driver, task } = this;
    const inputs = checkInputs(this.name, input, this.inputs);
    this.hasRun = false;
    inputs.forEach((elements, index) => driver.write(this.entry(this.ends.inputs[index]), elements));
    const firstOutput = task.shapes.length - task.layerCount;
    let visited = 0;
    driver.run(() => {
      if (visit === undefined) return;
      for (const done = driver.control(abi.CONTROL_LAYERS_DONE); visited < done; visited++) {
        const entry = this.entry(firstOutput + visited);
        if (!entry.isByLines) visit(visited, driver.read(entry));
      }
    });
    this.hasRun = true;
    return driver.read(this.entry(driver.control(abi.CONTROL_OUTPUT_TENSOR)));
  }

  result(index: number): Elements {
    checkResult(this.name, index, this.outputs, this.hasRun);
    return this.driver.read(this.entry(this.ends.outputs[index]));
  }

  reset(): void {
    this.driver.reset();
  }

  close(): void {
    this.instance.close();
  }

  private entry(tensor: number): TensorEntry {
    const entry = this.driver.entry(tensor);
    if (entry.shape.join() === this.task.shapes[tensor].join()) return entry;
    throw new MoteError("ENGINE", `${this.name}: tensor ${tensor} has another shape than in the container`);
  }

  /** What the instance has is what the file says. */
  private expectEnds(which: "inputs" | "outputs"): void {
    const [got, expected] = [this.ends[which].length, this[which].length];
    if (got === expected) return;
    throw new MoteError("ENGINE", `${this.name}: the module has ${got} ${which}, the model ${expected}`);
  }
}
