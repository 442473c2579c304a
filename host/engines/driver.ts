/** The driver of the core's interface (SPEC.md, "The core's interface"): loads, runs, finds tensors. It knows an instance and no files. */
import * as abi from "../../assembly/abi.js";
import { MAX_TENSORS } from "../../assembly/format.js";
import { MoteError } from "../errors.js";
import type { Shape } from "../model/model.js";
import { LinearTensor, readEntry, type TensorEntry } from "./linear-tensor.js";

/** One instantiated module that has the interface. Addresses and lengths are bytes. */
export interface CoreInstance {
  open(memoryBytes: number): number;
  start(): number;
  step(budget: number): number;
  reset(): number;
  /** A copy. */
  read(address: number, length: number): Uint8Array;
  write(address: number, bytes: Uint8Array | Int8Array): void;
  close(): void;
}

/** `mote.read`: copies `length` bytes of the file from `offset` to `target`; 0, or anything else for failure. */
export type WindowRead = (offset: number, target: number, length: number) => number;

const DEFAULT_BUDGET = 1 << 16;

export class Driver {
  /** Tensors of a loaded model that a host writes and reads. */
  inputs: readonly number[] = [];
  outputs: readonly number[] = [];
  private tensorsPtr = 0;
  private elementBias = 0;

  /**
   * @param name of what runs the instance, for errors
   * @param budget units of work of one `step`
   */
  constructor(
    private readonly name: string,
    private readonly instance: CoreInstance,
    private readonly budget = DEFAULT_BUDGET,
  ) {}

  /** Loads the model that the control block names. @throws MoteError ENGINE when the instance refuses it */
  load(memoryBytes: number): void {
    let status = this.instance.open(memoryBytes);
    this.expectVersion();
    while (status > 0) status = this.instance.step(this.budget);
    this.expectDone(status, "load");
    this.tensorsPtr = this.control(abi.CONTROL_TENSORS_PTR);
    this.elementBias = this.control(abi.CONTROL_ELEMENT_BIAS);
    this.findEnds();
  }

  /**
   * Runs the model on what stands in its inputs.
   * @param onStep called after each step; one ends with a layer, so that each is seen before the next overwrites it
   * @throws MoteError ENGINE when the instance reports an error status
   */
  run(onStep?: () => void): void {
    let status = this.instance.start();
    while (status > 0) {
      status = this.instance.step(this.budget);
      if (status >= 0) onStep?.();
    }
    this.expectDone(status, "run");
  }

  /** Sets the states to their zero points. @throws MoteError ENGINE when the instance reports an error status */
  reset(): void {
    let status = this.instance.reset();
    while (status > 0) status = this.instance.step(this.budget);
    this.expectDone(status, "reset");
  }

  /** A word of the control block. */
  control(address: number): number {
    const bytes = this.instance.read(address, 4);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
  }

  /** @param shape that the table has to state whenever the tensor is read or written */
  tensor(index: number, shape: Shape): LinearTensor {
    return new LinearTensor(
      this.instance,
      this.entryOf(index),
      shape,
      this.elementBias,
      `${this.name}: tensor ${index}`,
    );
  }

  /** What the table states of a tensor. */
  entry(index: number): TensorEntry {
    return readEntry(this.instance, this.entryOf(index));
  }

  /** Layers' outputs are the last tensors. */
  private findEnds(): void {
    const count = this.control(abi.CONTROL_TENSOR_COUNT);
    const layers = this.control(abi.CONTROL_LAYER_COUNT);
    if (count > MAX_TENSORS || layers >= count) {
      throw new MoteError("ENGINE", `${this.name}: the module has ${count} tensors and ${layers} layers`);
    }
    const ends = Array.from({ length: count }, (_, index) => index).filter((index) => this.entry(index).isEnd);
    this.inputs = ends.filter((index) => index < count - layers);
    this.outputs = ends.filter((index) => index >= count - layers);
  }

  private entryOf(index: number): number {
    return this.tensorsPtr + index * abi.TENSOR_ENTRY_BYTES;
  }

  /** What the instance has in memory may stand elsewhere in another version. */
  private expectVersion(): void {
    const version = this.control(abi.CONTROL_VERSION);
    if (version === abi.INTERFACE_VERSION) return;
    throw new MoteError(
      "ENGINE",
      `${this.name}: interface version ${version}; this build knows ${abi.INTERFACE_VERSION}`,
    );
  }

  private expectDone(status: number, during: string): void {
    if (status === abi.STATUS_DONE) return;
    // A fast module states none: it checks nothing on the way.
    const where = this.control(abi.CONTROL_ERROR_OFFSET);
    const isMissing = status === abi.STATUS_OP || status === abi.STATUS_CODEC;
    const place = where > 0 && !isMissing ? ` near byte ${where} of the container` : "";
    const which = isMissing ? `: number ${where}` : "";
    throw new MoteError("ENGINE", `${this.name}: ${during} failed${place}: ${statusText(status)}${which}`);
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
