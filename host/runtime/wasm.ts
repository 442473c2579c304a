/** The driver of the core's interface (SPEC.md, "The core's interface"), shared by the engines that run WebAssembly. */
import * as format from "../../assembly/format.js";
import type { Plan } from "../container/plan.js";
import { planTotal } from "../container/plan.js";
import { MoteError } from "../errors.js";
import type { QModel, Shape } from "../model.js";
import type { Engine, EngineName, EngineOptions, TensorInfo } from "./engine.js";
import { withPages } from "./memory-section.js";

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
/** An int8 is q + 128 in linear memory: the same bits but the first. */
const OFFSET_BINARY = 0x80;

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
  return new CoreEngine(name, instantiate, program, options);
}

class CoreEngine implements Engine {
  readonly input: TensorInfo;
  readonly output: TensorInfo;
  readonly linearMemoryBytes: number;
  bytesRead = 0;
  private readonly instance: CoreInstance;
  private readonly budget: number;
  private readonly tensorsPtr: number;

  constructor(
    readonly name: EngineName,
    instantiate: Instantiate,
    private readonly program: Program,
    options: EngineOptions,
  ) {
    const { model, plan, container } = program;
    const resident = program.packed || options.resident === true;
    const planBytes = planTotal(plan, resident);
    const modelBytes = resident ? container.length + format.MODEL_SLACK_BYTES : 0;
    const neededBytes = planBytes + modelBytes;
    if (neededBytes > (options.memoryLimit ?? neededBytes)) {
      const needs = resident ? `${planBytes} + ${modelBytes} for the model` : `${planBytes}`;
      throw new MoteError(
        "MEMORY",
        `${name}: the memory plan takes ${needs} bytes, the limit is ${options.memoryLimit}`,
      );
    }
    const pages = Math.ceil(neededBytes / PAGE_BYTES);
    const memoryLimit = Math.min(options.memoryLimit ?? neededBytes, pages * PAGE_BYTES);
    const wasm = pages > 1 && !program.packed ? withPages(program.wasm, pages) : program.wasm;
    this.budget = options.budget ?? DEFAULT_BUDGET;
    this.input = tensorInfo(model, 0);
    this.output = tensorInfo(model, model.layers[model.layers.length - 1].output);

    this.instance = instantiate(wasm, memoryLimit, (offset, target, length) => {
      if (offset < 0 || length < 0 || offset + length > container.length) return 1;
      this.instance.write(target, container.subarray(offset, offset + length));
      this.bytesRead += length;
      return 0;
    });
    try {
      if (!program.packed) this.placeModel(resident ? planBytes : 0, container);
      if (resident) this.bytesRead = container.length;
      let status = this.instance.open(memoryLimit);
      while (status >= 0) {
        status = this.instance.step(this.budget);
        if (status === format.STATUS_DONE) break;
      }
      this.expect(status, "load");
      this.linearMemoryBytes = this.control(format.CONTROL_MEMORY_BYTES) + modelBytes;
      this.tensorsPtr = this.control(format.CONTROL_TENSORS_PTR);
    } catch (error) {
      this.instance.close();
      throw error;
    }
  }

  run(input: Int8Array, visit?: (layer: number, output: Int8Array) => void): Int8Array {
    const { model } = this.program;
    this.writeTensor(0, input);
    let status = this.instance.start();
    let layersDone = 0;
    while (status >= 0) {
      status = this.instance.step(this.budget);
      if (status >= 0 && visit && this.control(format.CONTROL_LAYERS_DONE) > layersDone) {
        visit(layersDone, this.readTensor(model.layers[layersDone].output));
        layersDone++; // a step ends with a layer, so that each is seen before the next overwrites it
      }
      if (status === format.STATUS_DONE) break;
    }
    this.expect(status, "run");
    return this.readTensor(this.control(format.CONTROL_OUTPUT_TENSOR));
  }

  close(): void {
    this.instance.close();
  }

  /** @param address 0: behind the window */
  private placeModel(address: number, container: Uint8Array): void {
    if (address !== 0) this.instance.write(address, container);
    const words = new DataView(new ArrayBuffer(8));
    words.setUint32(format.CONTROL_MODEL_PTR, address, true);
    words.setUint32(format.CONTROL_MODEL_BYTES, container.length, true);
    this.instance.write(format.CONTROL_MODEL_PTR, new Uint8Array(words.buffer));
  }

  private control(address: number): number {
    return view(this.instance.read(address, 4)).getUint32(0, true);
  }

  private expect(status: number, during: string): void {
    if (status === format.STATUS_DONE) return;
    const offset = this.control(format.CONTROL_ERROR_OFFSET);
    throw new MoteError(
      "ENGINE",
      `${this.name}: ${during} failed near byte ${offset} of the container: ${statusText(status)}`,
    );
  }

  private layout(tensor: number): TensorLayout {
    const entry = view(
      this.instance.read(this.tensorsPtr + tensor * format.TENSOR_ENTRY_BYTES, format.TENSOR_ENTRY_BYTES),
    );
    const word = (offset: number): number => entry.getUint32(offset, true);
    const [channels, height, width] = this.program.model.tensors[tensor].shape;
    if (
      word(format.TENSOR_CHANNELS) !== channels ||
      word(format.TENSOR_HEIGHT) !== height ||
      word(format.TENSOR_WIDTH) !== width
    ) {
      throw new MoteError("ENGINE", `${this.name}: tensor ${tensor} has another shape than in the container`);
    }
    const pitch = word(format.TENSOR_PITCH);
    const plane = word(format.TENSOR_PLANE);
    return {
      address: word(format.TENSOR_PTR),
      rows: channels * height,
      width,
      rowStart: (row) => Math.floor(row / height) * plane + (row % height) * pitch,
    };
  }

  private writeTensor(tensor: number, values: Int8Array): void {
    const { address, rows, width, rowStart } = this.layout(tensor);
    if (values.length !== rows * width) {
      throw new MoteError("ENGINE", `${this.name}: input has ${values.length} elements, expected ${rows * width}`);
    }
    // One write with what stands between the rows, instead of one a row.
    const first = address + rowStart(0);
    const bytes = this.instance.read(first, rowStart(rows - 1) + width);
    for (let row = 0; row < rows; row++) {
      const start = rowStart(row);
      for (let x = 0; x < width; x++) bytes[start + x] = values[row * width + x] ^ OFFSET_BINARY;
    }
    this.instance.write(first, bytes);
  }

  private readTensor(tensor: number): Int8Array {
    const { address, rows, width, rowStart } = this.layout(tensor);
    const bytes = this.instance.read(address, rowStart(rows - 1) + width);
    const values = new Int8Array(rows * width);
    for (let row = 0; row < rows; row++) {
      const start = rowStart(row);
      for (let x = 0; x < width; x++) values[row * width + x] = bytes[start + x] ^ OFFSET_BINARY;
    }
    return values;
  }
}

/** Where the rows of a tensor, [C × H] of W elements each, stand in linear memory. */
interface TensorLayout {
  readonly address: number;
  readonly rows: number;
  readonly width: number;
  /** Bytes from the tensor's first element to the first of a row. */
  readonly rowStart: (row: number) => number;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function tensorInfo(model: QModel, tensor: number): TensorInfo {
  const { shape, scale, zeroPoint } = model.tensors[tensor];
  return { shape: shape as Shape, scale, zeroPoint };
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  [format.STATUS_READ]: "STATUS_READ, the window callback failed",
  [format.STATUS_TRUNCATED]: "STATUS_TRUNCATED, the file ends within a field or is not as long as it states",
  [format.STATUS_MAGIC]: "STATUS_MAGIC, not a .mote file",
  [format.STATUS_VERSION]: "STATUS_VERSION, a version this core does not know",
  [format.STATUS_CRC]: "STATUS_CRC, the checksum does not match",
  [format.STATUS_OP]: "STATUS_OP, an op this core does not have",
  [format.STATUS_CODEC]: "STATUS_CODEC, a codec this core does not have",
  [format.STATUS_RANGE]: "STATUS_RANGE, a field outside its range",
  [format.STATUS_SHAPE]: "STATUS_SHAPE, shapes that do not fit each other",
  [format.STATUS_PLAN]: "STATUS_PLAN, a layer needs more than the memory plan grants",
  [format.STATUS_MEMORY]: "STATUS_MEMORY, the plan is larger than the memory",
  [format.STATUS_HUFFMAN]: "STATUS_HUFFMAN, a code that is over-subscribed, incomplete or empty",
  [format.STATUS_STREAM]: "STATUS_STREAM, a section that ends early or runs over",
  [format.STATUS_STATE]: "STATUS_STATE, called out of order",
};

/** A status of the core in words, its name first. */
export function statusText(status: number): string {
  return STATUS_TEXT[status] ?? `status ${status}`;
}
