/** The driver of the core's interface (SPEC.md, "The core's interface"): loads, runs, finds tensors. It knows an instance and no files. */
import * as abi from "../../assembly/abi.js";
import * as format from "../../assembly/format.js";
import { MoteError, type ErrorCode } from "../errors.js";
import type { Elements } from "../model/elements.js";
import { readElements, readEntry, readWord, writeElements, type TensorEntry } from "./linear-tensor.js";

/** One instantiated module that has the interface. Addresses and lengths are bytes. */
export interface CoreInstance {
  open(memoryBytes: number): number;
  start(): number;
  step(budget: number): number;
  reset(): number;
  /** A copy. */
  read(address: number, length: number): Uint8Array;
  write(address: number, bytes: Uint8Array): void;
  close(): void;
}

/** `mote.read`: copies `length` bytes of the file from `offset` to `target`; 0, or anything else for failure. */
export type WindowRead = (offset: number, target: number, length: number) => number;

const DEFAULT_BUDGET = 1 << 16;

export interface Driver {
  /**
   * Loads the model that the control block names.
   * @returns 0, or the status with which the instance refuses it: the caller knows what that means
   * @throws MoteError UNSUPPORTED for an instance of another version of the interface
   */
  load(memoryBytes: number): number;
  /**
   * Tensors of a loaded model that a host writes and reads, by their index.
   * @throws MoteError ENGINE for a table of more tensors than a model may have, or of none but layers' outputs
   */
  ends(): { readonly inputs: readonly number[]; readonly outputs: readonly number[] };
  /**
   * Runs the model on what stands in its inputs.
   * @param onStep called after each step; one ends with a layer, so that each is seen before the next overwrites it
   * @throws MoteError ENGINE when the instance reports an error status
   */
  run(onStep?: () => void): void;
  /** Sets the states to their zero points. @throws MoteError ENGINE when the instance reports an error status */
  reset(): void;
  /** A word of the control block. */
  control(address: number): number;
  /** What the table states of a tensor. */
  entry(index: number): TensorEntry;
  /** @param values as many as the tensor has elements, [C, H, W]. Of a tensor that comes by lines the next run gives them as it asks for them */
  write(tensor: TensorEntry, values: Elements): void;
  /** A tensor's elements, [C, H, W], a copy. */
  read(tensor: TensorEntry): Elements;
  /** An error status as an error: what failed, near which byte, and why. */
  failure(during: string, status: number, code?: ErrorCode): MoteError;
}

/**
 * @param name of what runs the instance, for errors
 * @param budget units of work of one `step`
 * @param known versions of the interface. What is read and written are int8; of int16 see `wideDriverOf`
 */
export function driverOf(
  name: string,
  instance: CoreInstance,
  budget = DEFAULT_BUDGET,
  known: readonly number[] = [abi.INTERFACE_VERSION, abi.INTERFACE_VERSION_LINES],
): Driver {
  const control = (address: number): number => readWord(instance.read(address, 4), 0);
  let tensorsPtr = 0;
  let elementBias = 0;
  /** Of the input that comes by lines: its elements, and the line that is next. */
  let coming: { readonly tensor: TensorEntry; readonly values: Elements } | undefined;
  let line = 0;

  const failure: Driver["failure"] = (during, status, code = "ENGINE") => {
    // A fast module states no byte: it checks nothing on the way.
    const where = control(abi.CONTROL_ERROR_OFFSET);
    const missing = missingName(status, where);
    const place = where > 0 && !missing ? ` near byte ${where} of the container` : "";
    const which = missing ? `: ${missing}` : "";
    return new MoteError(code, `${name}: ${during} failed${place}: ${statusText(status)}${which}`);
  };

  const giveLines = (): void => {
    const height = coming?.tensor.shape[1] ?? 0;
    if (coming === undefined || line >= height) {
      throw new MoteError("ENGINE", `${name}: the module asks for line ${line} of an input of ${height}`);
    }
    const lines = Math.min(coming.tensor.comingLines, height - line);
    writeElements(instance, coming.tensor, coming.values, elementBias, line, lines);
    line += lines;
  };

  const finish = (during: string, begun: number, onStep?: () => void): void => {
    let status = begun;
    line = 0;
    while (status > 0) {
      status = instance.step(budget);
      if (status === abi.STATUS_LINES) giveLines();
      if (status >= 0) onStep?.();
    }
    if (status !== abi.STATUS_DONE) throw failure(during, status);
  };

  const entry = (index: number): TensorEntry => readEntry(instance, tensorsPtr + index * abi.TENSOR_ENTRY_BYTES);

  return {
    load: (memoryBytes) => {
      let status = instance.open(memoryBytes);
      // What the instance has in memory may stand elsewhere in another version.
      const version = control(abi.CONTROL_VERSION);
      if (!known.includes(version)) {
        const list = known.join(" and ");
        throw new MoteError("UNSUPPORTED", `${name}: interface version ${version}; this build knows ${list}`);
      }
      while (status > 0) status = instance.step(budget);
      tensorsPtr = control(abi.CONTROL_TENSORS_PTR);
      elementBias = control(abi.CONTROL_ELEMENT_BIAS);
      return status;
    },
    ends: () => {
      const count = control(abi.CONTROL_TENSOR_COUNT);
      const layers = control(abi.CONTROL_LAYER_COUNT);
      if (count > format.MAX_TENSORS || layers >= count) {
        throw new MoteError("ENGINE", `${name}: the module has ${count} tensors and ${layers} layers`);
      }
      const ends = Array.from({ length: count }, (_, index) => index).filter((index) => entry(index).isEnd);
      // Layers' outputs are the last tensors.
      const isInput = (index: number): boolean => index < count - layers;
      return { inputs: ends.filter(isInput), outputs: ends.filter((index) => !isInput(index)) };
    },
    run: (onStep) => finish("run", instance.start(), onStep),
    reset: () => finish("reset", instance.reset()),
    control,
    entry,
    write: (tensor, values) => {
      if (tensor.comingLines > 0) coming = { tensor, values };
      else writeElements(instance, tensor, values, elementBias);
    },
    read: (tensor) => readElements(instance, tensor, elementBias),
    failure,
  };
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  [abi.STATUS_READ]: "STATUS_READ, the window callback failed",
  [abi.STATUS_TRUNCATED]: "STATUS_TRUNCATED, the file ends within a field",
  [abi.STATUS_MAGIC]: "STATUS_MAGIC, not a .mote file",
  [abi.STATUS_VERSION]: "STATUS_VERSION, a version this core does not know",
  [abi.STATUS_CRC]: "STATUS_CRC, the checksum does not match",
  [abi.STATUS_OP]: "STATUS_OP, an op this core does not have",
  [abi.STATUS_CODEC]: "STATUS_CODEC, a codec this core does not have",
  [abi.STATUS_RANGE]: "STATUS_RANGE, a field out of range",
  [abi.STATUS_SHAPE]: "STATUS_SHAPE, shapes that do not fit",
  [abi.STATUS_PLAN]: "STATUS_PLAN, more than the plan grants",
  [abi.STATUS_MEMORY]: "STATUS_MEMORY, a plan larger than the memory",
  [abi.STATUS_HUFFMAN]: "STATUS_HUFFMAN, a code that is over-subscribed, incomplete or empty",
  [abi.STATUS_STREAM]: "STATUS_STREAM, a section that ends early or runs over",
  [abi.STATUS_STATE]: "STATUS_STATE, called out of order",
};

/** A status of the core in words, its name first. */
export function statusText(status: number): string {
  return STATUS_TEXT[status] ?? `status ${status}`;
}

/** What a core may be built without, in the order of the numbers in its refusal: those of assembly/format.ts. */
const NAMES: Readonly<Record<number, readonly string[]>> = {
  [abi.STATUS_OP]: ["conv2d", "dense", "maxpool", "avgpool", "add", "mul", "concat", "lut", "resize", "crop", "append"],
  [abi.STATUS_CODEC]: ["dense", "huffman", "arithmetic", "cabac", "gaussian"],
};

/**
 * The op or codec that a core is without.
 * @param number that it left in CONTROL_ERROR_OFFSET
 * @returns its name, or "number 30" for one that this build does not know either; undefined after any other status
 */
export function missingName(status: number, number: number): string | undefined {
  const names = NAMES[status];
  if (names) return names[number] ?? `number ${number}`;
}
