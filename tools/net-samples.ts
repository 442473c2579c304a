/** Nets of other formats as the commands take them, and samples of their inputs. */
import type { Engine, TensorInfo } from "../host/engines/engine.js";
import { inputFiller, realFiller } from "../host/engines/fill-input.js";
import { lowerGraph } from "../host/import/import.js";
import type { ComparedSample } from "../host/import/layer-errors.js";
import type { ImportedNet, NetEnd } from "../host/import/net.js";
import { inferShapes } from "../host/import/shapes.js";
import { valuesOf } from "../host/model/geometry.js";
import type { Preprocessing, Shape } from "../host/model/model.js";
import { loadInputs } from "../host/node/data/load-inputs.js";
import type { NamedSet } from "../host/node/data/inputs.js";
import { openGraph } from "../host/node/import/open-graph.js";
import { readingOf, type DataFlags } from "./data-flags.js";
import type { Shapes } from "./inspect-graph.js";

/**
 * Large weights stay in the file, which is open from then on.
 * @param file its bytes, where they have been read already
 * @param shapes that fix what the file leaves open
 * @throws MoteError UNSUPPORTED with all that does not run
 */
export function loadNet(path: string, file: Uint8Array | undefined, shapes: Shapes = new Map()): ImportedNet {
  const { graph, close } = openGraph(path, file);
  try {
    return lowerGraph(inferShapes(graph, { shapes, batch: 1 }));
  } catch (error) {
    close();
    throw error;
  }
}

export interface NetSamples {
  readonly count: number;
  readonly source: string;
  /** Of each input. */
  readonly sets: readonly NamedSet[];
}

/** @param spec of a net with several inputs an .npz with an array for each */
export function loadSamples(spec: string, net: ImportedNet, flags: DataFlags): NetSamples {
  const inputs = net.inputs.map(({ name, tensor }) => ({ name, shape: net.tensors[tensor].shape }));
  const sets = loadInputs(spec, inputs, { reading: readingOf(flags) });
  return { count: sets[0].count, source: sets[0].source, sets };
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
      const elements = new Int8Array(valuesOf(inputs[input].shape));
      fill(index, elements);
      return elements;
    });
    return { integers, reals: reals?.(index) ?? dequantized(inputs, integers) };
  };
}

export function dequantized(inputs: readonly TensorInfo[], integers: readonly Int8Array[]): Float32Array[] {
  return integers.map((elements, input) => {
    const { scale, zeroPoint } = inputs[input];
    return Float32Array.from(elements, (q) => scale * (q - zeroPoint));
  });
}

const usualOf = ({ order }: NetEnd): Partial<Preprocessing> => ({
  layout: order === "hwc" ? "interleaved" : "planar",
});
