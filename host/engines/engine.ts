import { MoteError } from "../errors.js";
import type { Shape } from "../model/model.js";
import { valuesOf } from "../model/geometry.js";

export type EngineName = "wasm3" | "v8" | "reference";

export interface EngineOptions {
  /** Bytes of linear memory the engine may use. Default: what the plan needs. */
  readonly memoryLimit?: number;
  /** Keep the container in linear memory instead of behind the window. A packed .wasm always has it there. */
  readonly resident?: boolean;
  /** Work units of one `step`: smaller slices return to the host more often. Results do not depend on it. */
  readonly budget?: number;
}

export interface TensorInfo {
  readonly shape: Shape;
  readonly scale: number;
  readonly zeroPoint: number;
}

/** One model, ready to run on one engine. Not safe to share between threads. */
export interface Engine {
  readonly name: EngineName;
  readonly input: TensorInfo;
  readonly output: TensorInfo;
  /** A name for each element of the output, where the model has them. */
  readonly labels?: readonly string[] | undefined;
  /** Linear memory in use: the plan, and the model where it is resident. The reference: the arena. */
  readonly linearMemoryBytes: number;
  /**
   * The most units of work that a run takes, before it is begun: SPEC.md, "The core's interface". 2^32 - 1 for as many or more; the
   * reference counts none, 0.
   */
  readonly work: number;
  /** Bytes of the model read so far, loading included. */
  readonly bytesRead: number;
  /**
   * @param input int8 elements of the input tensor, [C, H, W] without borders. An Int8Array only: bytes of an image or floats would
   *   be cut to other values without a word; `pixelTable` has the int8 value of each pixel value
   * @param visit called after each layer with its index and a copy of its output, [C, H, W] without borders
   * @returns the output tensor's int8 elements
   * @throws TypeError for an input of another type, MoteError ENGINE for one of another length or when the engine reports an error
   *   status
   */
  run(input: Int8Array, visit?: (layer: number, output: Int8Array) => void): Int8Array;
  close(): void;
}

/** What `run` asks of its input, on every engine. @throws TypeError, MoteError ENGINE */
export function checkInput(engine: EngineName, input: Int8Array, shape: Shape): void {
  if (!(input instanceof Int8Array)) {
    const got = Object.prototype.toString.call(input).slice("[object ".length, -1);
    throw new TypeError(`${engine}: expected the input as an Int8Array, got ${got}`);
  }
  if (input.length !== valuesOf(shape)) {
    throw new MoteError("ENGINE", `${engine}: input has ${input.length} elements, expected ${valuesOf(shape)}`);
  }
}
