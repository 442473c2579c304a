import { CONTROL_LAYER_COUNT, CONTROL_LAYERS_DONE, CONTROL_TENSOR_COUNT } from "../assembly/abi.js";
import type { Driver } from "../host/engines/driver.js";
import type { TensorEntry } from "../host/engines/linear-tensor.js";
import { argmax, probability, quantize } from "../host/engines/values.js";
import { MoteError } from "../host/errors.js";
import { valuesOf } from "../host/model/geometry.js";
import { planesOf } from "./image.js";
import type { LayerVisit, Model, ModelTensor, Pixels, Prediction } from "./types.js";

/** What is known of a model that has been loaded. */
export interface Facts extends Pick<Model, "inputs" | "outputs" | "memoryBytes" | "work"> {
  /** Where inputs and outputs stand in the instance. */
  readonly entries: readonly TensorEntry[];
}

type Elements = Int8Array | Float32Array;

/** Of what was given in place of elements, for errors. */
const MAX_SHOWN = 100;

/**
 * How many scales away from a real 0 the input has a value of the user's.
 * @param index of the element, [C, H, W]
 * @param unit what is a real 1 where the model does not say
 */
function stepsOf(value: number, { shape, scale, preprocessing }: ModelTensor, index: number, unit: number): number {
  const channel = Math.floor(index / shape[1] / shape[2]);
  return (value - (preprocessing?.mean[channel] ?? 0)) / (preprocessing?.std[channel] ?? unit) / scale;
}

/** Where the user has the element at `index` of [C, H, W]. */
function placeIn({ shape: [channels, height, width], preprocessing }: ModelTensor, index: number): number {
  const plane = height * width;
  return preprocessing?.layout === "interleaved" ? (index % plane) * channels + Math.floor(index / plane) : index;
}

export function modelOf(loaded: Driver, { entries, ...facts }: Facts): Model {
  const { inputs, outputs } = facts;
  let driver: Driver | undefined = loaded;
  const opened = (): Driver => {
    if (driver) return driver;
    throw new MoteError("ENGINE", "the model is closed");
  };

  /** One array gives the first output, a list gives a list. */
  const runOn = <T extends Elements>(
    type: Function,
    given: T | readonly T[],
    encode: (elements: T, input: ModelTensor) => Int8Array,
    decode: (elements: Int8Array, output: ModelTensor) => T,
    visit?: LayerVisit,
  ): T | T[] => {
    const { write, run: runLoaded, read, control, entry } = opened();
    const list = (Array.isArray(given) ? given : [given]) as readonly T[];
    const expected = inputs.map(({ shape }) => `${type.name}(${valuesOf(shape)})`).join();
    const got = list.map((elements) => `${elements?.constructor.name}(${elements?.length})`).join();
    if (got !== expected) throw new TypeError(`run: expected ${expected}, got ${got.slice(0, MAX_SHOWN)}`);
    for (const [i, input] of inputs.entries()) write(entries[i], encode(list[i], input));
    let visited = 0;
    runLoaded(
      visit &&
        (() => {
          const first = control(CONTROL_TENSOR_COUNT) - control(CONTROL_LAYER_COUNT);
          for (const done = control(CONTROL_LAYERS_DONE); visited < done; visited++) {
            const made = entry(first + visited);
            if (!made.isByLines) visit(visited, read(made) as Int8Array, made.shape);
          }
        }),
    );
    const results: T[] = [];
    for (const [i, output] of outputs.entries())
      results.push(decode(read(entries[inputs.length + i]) as Int8Array, output));
    return list === given ? results : results[0];
  };

  const same = (elements: Int8Array): Int8Array => elements;
  const run = ((given: Int8Array | readonly Int8Array[], visit?: LayerVisit) =>
    runOn(Int8Array, given, same, same, visit)) as Model["run"];

  const runFloat = ((given: Float32Array | readonly Float32Array[]) =>
    runOn(
      Float32Array,
      given,
      (reals, input) =>
        Int8Array.from(reals, (_, i) =>
          // The quotient in float32, as the C library has it.
          quantize(Math.fround(stepsOf(reals[placeIn(input, i)], input, i, 1)), input),
        ),
      (elements, { scale, zeroPoint }) => Float32Array.from(elements, (element) => scale * (element - zeroPoint)),
    )) as Model["runFloat"];

  const classify = (image: Pixels, visit?: LayerVisit): Prediction[] => {
    const [input] = inputs;
    const logits = run(
      Int8Array.from(planesOf(image, input), (value, i) => quantize(stepsOf(value, input, i, 255), input)),
      visit,
    );
    const output = outputs[0];
    const best = argmax(logits);
    const most = probability(logits, best, output);
    return Array.from(logits, (logit, index) => ({
      label: output.labels?.[index] ?? String(index),
      index,
      probability: most * Math.exp(output.scale * (logit - logits[best])),
    })).sort((a, b) => b.probability - a.probability); // stable
  };

  const reset = (): void => opened().reset();
  const close = (): void => {
    driver = undefined;
  };
  return { ...facts, run, runFloat, classify, reset, close, [Symbol.dispose]: close };
}
