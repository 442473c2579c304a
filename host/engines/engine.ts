import { MoteError } from "../errors.js";
import type { Preprocessing, Shape } from "../model/model.js";
import { bitsOf, elementsFor, type Elements } from "../model/elements.js";
import { valuesOf } from "../model/geometry.js";

export type EngineName = "wasm3" | "v8" | "simd" | "reference";

export interface EngineOptions {
  /** Bytes of linear memory the engine may use. Default: what the plan needs. */
  readonly memoryLimit?: number;
  /** Keep the container in linear memory instead of behind the window. A packed .wasm always has it there; `simd` keeps it decoded. */
  readonly resident?: boolean;
  /** Work units of one `step`: smaller slices return to the host more often. Results do not depend on it. */
  readonly budget?: number;
}

/** An end of a model: what it is given, or gives back. Real value = scale × (q - zeroPoint). */
export interface TensorInfo {
  /** Where the model has names. */
  readonly name?: string | undefined;
  readonly shape: Shape;
  /** Of an element, where it is int16. Absent: int8. */
  readonly bits?: 16;
  readonly scale: number;
  readonly zeroPoint: number;
  /** Of the first output, where the model has them: a name for each element. */
  readonly labels?: readonly string[] | undefined;
  /** Of the first input, where the model has it: how it is made of a user's values. */
  readonly preprocessing?: Preprocessing | undefined;
}

/** One model, ready to run on one engine. Not safe to share between threads. */
export interface Engine {
  readonly name: EngineName;
  /** At least one of each. */
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /** The first ones, which are all that most models have. */
  readonly input: TensorInfo;
  readonly output: TensorInfo;
  /** Whether it keeps anything from a run to the next. */
  readonly hasStates: boolean;
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
   * Runs the model once. What its states hold goes on from the run before.
   * @param input elements of the input, [C, H, W] without borders; of a model with several inputs an array of them, in order.
   *   Int8Arrays only, or Int16Arrays where elements have 16 bits: bytes of an image or floats would be cut to other values without a word; `pixelTable` has the value of each
   *   pixel value
   * @param visit called after each layer with its index and a copy of its output, [C, H, W] without borders; not for layers of a fast module
   *   that go by lines
   * @returns the first output's elements; `result` has those of the others
   * @throws TypeError for an input of another type, MoteError ENGINE for another number of inputs, one of another length, or when the
   *   engine reports an error status
   */
  run(input: Elements | readonly Elements[], visit?: (layer: number, output: Elements) => void): Elements;
  /**
   * @param index of an output
   * @returns a copy of its elements as the latest run left them, [C, H, W] without borders
   * @throws MoteError ENGINE where the model has no such output, or before a run is complete
   */
  result(index: number): Elements;
  /** Sets the states to what they are before the first run: every element is the zero point. */
  reset(): void;
  close(): void;
}

/** @throws RangeError for what is no number of bytes or units */
export function checkOptions({ memoryLimit, budget }: EngineOptions): void {
  if (memoryLimit !== undefined && !(Number.isInteger(memoryLimit) && memoryLimit > 0)) {
    throw new RangeError(`memoryLimit: expected a whole number of bytes above 0, got ${memoryLimit}`);
  }
  if (budget !== undefined && !(Number.isInteger(budget) && budget > 0 && budget < 2 ** 31)) {
    throw new RangeError(`budget: expected a whole number, 1 .. 2^31 - 1, got ${budget}`);
  }
}

/**
 * What `run` asks of its inputs, on every engine.
 * @returns as many as the model has
 * @throws TypeError, MoteError ENGINE
 */
export function checkInputs(
  engine: EngineName,
  input: Elements | readonly Elements[],
  ends: readonly TensorInfo[],
): readonly Elements[] {
  const inputs = isList(input) ? input : [input];
  if (inputs.length !== ends.length) {
    throw new MoteError("ENGINE", `${engine}: got ${inputs.length} inputs, expected ${ends.length}`);
  }
  inputs.forEach((elements, index) => {
    const which = ends.length > 1 ? `input ${index}` : "input";
    const bits = bitsOf(ends[index]);
    if (!(elements instanceof (bits === 16 ? Int16Array : Int8Array))) {
      const got = Object.prototype.toString.call(elements).slice("[object ".length, -1);
      throw new TypeError(`${engine}: expected the ${which} as an Int${bits}Array, got ${got}`);
    }
    const expected = valuesOf(ends[index].shape);
    if (elements.length !== expected) {
      throw new MoteError("ENGINE", `${engine}: ${which} has ${elements.length} elements, expected ${expected}`);
    }
  });
  return inputs;
}

/** Zeros for all inputs of a model, in order. */
export const inputElements = ({ inputs }: Pick<Engine, "inputs">): Elements[] =>
  inputs.map((input) => elementsFor(input, valuesOf(input.shape)));

/** An array of numbers is an input of the wrong type. */
function isList(input: Elements | readonly Elements[]): input is readonly Elements[] {
  return Array.isArray(input) && input.every((elements: unknown) => typeof elements === "object");
}

/** What `result` asks, on every engine. @throws MoteError ENGINE */
export function checkResult(engine: EngineName, index: number, ends: readonly TensorInfo[], hasRun: boolean): void {
  if (!(index in ends)) {
    throw new MoteError("ENGINE", `${engine}: there is no output ${index}; the model has ${ends.length}`);
  }
  if (!hasRun) throw new MoteError("ENGINE", `${engine}: no run is complete that output ${index} could be from`);
}
