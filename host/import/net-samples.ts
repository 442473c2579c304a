/** Samples for the inputs of a net of another format, as the net has them and as its model does. */
import type { DataSet, SampleSet } from "../data/data-set.js";
import { streamsOf, type Streams } from "../data/sequences.js";
import type { Engine, TensorInfo } from "../engines/engine.js";
import { inputFiller, realFiller } from "../engines/fill-input.js";
import { MoteError } from "../errors.js";
import { elementsFor, type Elements } from "../model/elements.js";
import { valuesOf } from "../model/geometry.js";
import type { Preprocessing, Shape } from "../model/model.js";
import type { ComparedSample } from "./layer-errors.js";
import type { ImportedNet, NetEnd } from "./net.js";

export interface NetSamples extends Streams {
  /** Of runs. */
  readonly count: number;
  readonly source: string;
  /** Of each input. */
  readonly sets: readonly DataSet[];
}

/**
 * @param sets of each input as many samples, which of a net with states may be sequences, step after step
 * @param given as of `streamsOf`
 * @returns a sample for each run
 * @throws MoteError as `streamsOf`, MISMATCH for inputs whose samples have another number of steps than others, or than the net's sequence
 */
export function samplesFor(
  { inputs, tensors, states, steps: wanted }: ImportedNet,
  sets: readonly SampleSet[],
  given = 1,
): NetSamples {
  const each = sets.map((set, input) => streamsOf(set, tensors[inputs[input].tensor].shape, states.length > 0, given));
  const [{ runs, perSample, perStream }] = each;
  const other = each.find((steps) => steps.perSample !== perSample);
  if (other !== undefined) {
    throw new MoteError(
      "MISMATCH",
      `${sets[0].source}: samples of ${perSample} and of ${other.perSample} steps, expected as many for each input`,
    );
  }
  if (wanted !== undefined && perSample !== wanted) {
    const found = `${perSample} step${perSample === 1 ? "" : "s"}`;
    throw new MoteError("MISMATCH", `${sets[0].source}: samples of ${found}, expected ${wanted}`);
  }
  return { count: runs.count, perSample, perStream, source: sets[0].source, sets: each.map((one) => one.runs) };
}

/**
 * @param usual of the first input, where more than the net's file is known
 * @returns what gives the inputs of sample `index` as real numbers, [C, H, W] each
 * @throws MoteError ARGUMENT for int8 samples
 */
export function realSamples(
  { sets }: NetSamples,
  net: ImportedNet,
  usual: Partial<Preprocessing> | undefined,
): (index: number) => Float32Array[] {
  const shapes = net.inputs.map(({ tensor }): Shape => net.tensors[tensor].shape);
  const fills = sets.map((set, input) =>
    realFiller(set, shapes[input], { ...usualOf(net.inputs[input]), ...(input === 0 ? usual : {}) }),
  );
  return (index) =>
    fills.map((fill, input) => {
      const elements = new Float32Array(valuesOf(shapes[input]));
      fill(index, elements);
      return elements;
    });
}

/** @returns what gives sample `index` as the net has it and as its model; int8 samples are the model's own integers */
export function comparedSamples(
  samples: NetSamples,
  net: ImportedNet,
  { inputs }: Pick<Engine, "inputs">,
): (index: number) => ComparedSample {
  const fills = samples.sets.map((set, input) => inputFiller(set, inputs[input]));
  const isInteger = samples.sets.some(({ images }) => images instanceof Int8Array);
  const reals = net.isQuantized || isInteger ? undefined : realSamples(samples, net, inputs[0].preprocessing);
  return (index) => {
    const integers = fills.map((fill, input) => {
      const elements = elementsFor(inputs[input], valuesOf(inputs[input].shape));
      fill(index, elements);
      return elements;
    });
    return { integers, reals: reals?.(index) ?? dequantized(inputs, integers) };
  };
}

export function dequantized(inputs: readonly TensorInfo[], integers: readonly Elements[]): Float32Array[] {
  return integers.map((elements, input) => {
    const { scale, zeroPoint } = inputs[input];
    return Float32Array.from(elements, (q) => scale * (q - zeroPoint));
  });
}

const usualOf = ({ order }: NetEnd): Partial<Preprocessing> => ({
  layout: order === "hwc" ? "interleaved" : "planar",
});
