/** Where tensors stand: whole ones, or windows of some rows that slide over those of the first layers. */
import { placeTensors, tensorLives, type Life } from "../container/plan.js";
import { givenTensors, inputsOf, modelInputs, outputsOf, statesOf } from "../model/edges.js";
import { borderBytes, extentOf, pitchAndPlane, type Layout } from "../model/geometry.js";
import type { Axes, QLayer, QModel, QTensor } from "../model/model.js";

/** A layer that goes by rows: a row of its output is made of `rows` rows of its input, the next one `step` rows on. */
export interface ByRows {
  /** Its number, and that of its input: chains go through a model's tensors in order. */
  readonly layer: number;
  readonly rows: number;
  readonly step: number;
  /** Rows of zeros above the input. */
  readonly top: number;
}

/** A tensor in memory. */
export interface Placed extends Layout {
  /** From the begin of memory to its first byte, which is its border's. */
  readonly begin: number;
  /** From there to the first element; of a window, of its first row. */
  readonly inside: number;
  readonly bytes: number;
}

export interface ChipMemory {
  readonly bytes: number;
  readonly tensors: readonly Placed[];
  /** The first layers, where they go by rows. */
  readonly chain: readonly ByRows[];
}

/** @param byRows whether layers go by rows where they can @param tapBytes one a layer: what it needs for itself at memory's begin */
export function chipMemory(model: QModel, byRows: boolean, tapBytes: readonly number[]): ChipMemory {
  const chain = byRows ? chainOf(model) : [];
  const lives = tensorLives(model).map((life, tensor): Life => {
    // All of the chain's tensors are in use until its last row.
    return tensor > chain.length || chain.length === 0
      ? life
      : { first: -1, last: Math.max(life.last, chain.length - 1) };
  });
  const layouts = model.tensors.map((tensor, index) => {
    const window = chain[index];
    const layout = pitchAndPlane(window === undefined ? tensor : { ...tensor, lines: window.rows });
    return { layout, inside: window === undefined ? borderBytes(layout, tensor.border) : tensor.border };
  });
  // Sizes with their borders, as planes without one.
  const sized = model.tensors.map((tensor, index): QTensor => {
    const { pitch, plane } = layouts[index].layout;
    return { ...tensor, border: 0, shape: [tensor.shape[0], plane / pitch, pitch] };
  });
  const whole = Math.max(0, ...tapBytes.slice(0, chain.length));
  const reserved = tapBytes.map((bytes, layer) => (layer < chain.length ? whole : bytes));
  const { offsets, bytes } = placeTensors({ ...model, tensors: sized }, lives, [], reserved);
  return {
    bytes: Math.max(bytes, ...tapBytes),
    chain,
    tensors: model.tensors.map(({ shape }, index) => {
      const { layout, inside } = layouts[index];
      return { ...layout, begin: offsets[index], inside, bytes: shape[0] * layout.plane };
    }),
  };
}

/** The layers from the first that each read the one tensor before them, some rows at a time, as far as that keeps fewer rows. */
function chainOf(model: QModel): ByRows[] {
  const readers = model.tensors.map((_, tensor) => model.layers.filter((layer) => inputsOf(layer).includes(tensor)));
  const outputs = new Set(outputsOf(model));
  const chain: ByRows[] = [];
  for (const [index, layer] of model.layers.entries()) {
    const way = windowOf(layer);
    const input = model.tensors[index];
    const isAlone = layer.inputs.length === 1 && layer.inputs[0] === index && readers[index].length === 1;
    if (way === undefined || !isAlone || outputs.has(index) || way.top >= way.rows) break;
    if (way.rows >= input.shape[1]) break;
    chain.push({ layer: index, ...way });
  }
  return chain;
}

function windowOf(layer: QLayer): Omit<ByRows, "layer"> | undefined {
  const of = ([size]: Axes, [stride]: Axes, [top]: Axes) => ({ rows: size, step: stride, top });
  switch (layer.op) {
    case "conv2d": {
      const { kernel, stride, pad, pool } = layer;
      const convolved = extentOf(1, pool.size[0], pool.stride[0]);
      return { rows: extentOf(convolved, kernel[0], stride[0]), step: pool.stride[0] * stride[0], top: pad[0] };
    }
    case "maxpool":
    case "avgpool":
      return of(layer.kernel, layer.stride, layer.pad);
    default:
      return undefined;
  }
}

/** Whether the input can come by rows: there is one, and nothing is kept between runs. */
export const takesRows = (model: QModel): boolean =>
  modelInputs(model).length === 1 && statesOf(model).length === 0 && givenTensors(model) === 1;
