/** How the nets of papers are written down: a layer a line, with the density and bits that the paper's table has for it. */
import { windowsIn } from "../model/geometry.js";
import type { Shape } from "../model/model.js";

interface Named {
  readonly name: string;
  /** Names of the layers it reads, "image" the net's input; default: the layer before. */
  readonly from?: readonly string[];
}

/** Of a layer with weights. */
interface Pruned extends Named {
  /** Share of the weights that are left. */
  readonly density: number;
  /** The weights that are left have at most 2^bits values. */
  readonly bits: number;
  /** Default: true. */
  readonly relu?: boolean;
}

export interface SynthConv extends Pruned {
  readonly op: "conv2d";
  readonly channels: number;
  readonly kernel: number;
  /** Default: 1. */
  readonly stride?: number;
  /** Zeros on each of the four sides; default: 0. */
  readonly pad?: number;
  /** Default: 1. */
  readonly groups?: number;
}

export interface SynthDense extends Pruned {
  readonly op: "dense";
  readonly outputs: number;
}

export interface SynthPool extends Named {
  readonly op: "maxpool" | "avgpool";
  readonly kernel: number;
  readonly stride: number;
  readonly pad?: number;
}

/** Response normalization by the channel and its neighbours, so many in all (Krizhevsky et al. 2012, section 3.3). */
export interface SynthNormalization extends Named {
  readonly op: "lrn";
  readonly size: number;
}

/** Sum of two layers, cut off below 0, or their channels one behind the other. */
export interface SynthJoin extends Named {
  readonly op: "add" | "concat";
  readonly from: readonly string[];
}

export type SynthLayer = SynthConv | SynthDense | SynthPool | SynthNormalization | SynthJoin;

/** A file's size that somebody has published. */
export interface Published {
  readonly by: string;
  readonly bytes: number;
}

export interface SynthNet {
  readonly name: string;
  readonly title: string;
  /** Where shape, densities and bits are from. */
  readonly source: string;
  readonly input: Shape;
  /** What the pixels are of: photos, less their mean; or digits, 0 being paper. */
  readonly pixels: "photo" | "digit";
  readonly layers: readonly SynthLayer[];
  readonly published: readonly Published[];
}

/** The name by which layers read the net's input. */
export const IMAGE = "image";

/** A layer with what follows from those before it. */
export interface PlacedLayer<L extends SynthLayer = SynthLayer> {
  readonly layer: L;
  readonly from: readonly string[];
  readonly inputs: readonly Shape[];
  readonly output: Shape;
  /** Rows and columns of its weights; 0 without. */
  readonly rows: number;
  readonly columns: number;
}

/** @throws RangeError for a table whose layers do not fit together */
export function placeLayers({ name, input, layers }: SynthNet): PlacedLayer[] {
  const shapes = new Map<string, Shape>([[IMAGE, input]]);
  let before = IMAGE;
  return layers.map((layer) => {
    const from = layer.from ?? [before];
    const inputs = from.map((one) => {
      const shape = shapes.get(one);
      if (shape === undefined) throw new RangeError(`${name}/${layer.name}: no layer ${one} before it`);
      return shape;
    });
    const placed = { layer, from, inputs, ...sizesOf(layer, inputs) };
    if (placed.output.some((size) => !Number.isInteger(size) || size < 1))
      throw new RangeError(
        `${name}/${layer.name}: does not fit ${inputs.map((shape) => shape.join(" × ")).join(", ")}`,
      );
    shapes.set(layer.name, placed.output);
    before = layer.name;
    return placed;
  });
}

function sizesOf(layer: SynthLayer, inputs: readonly Shape[]): Pick<PlacedLayer, "output" | "rows" | "columns"> {
  const [[channels, height, width]] = inputs;
  const none = { rows: 0, columns: 0 };
  switch (layer.op) {
    case "conv2d": {
      const { kernel, stride = 1, pad = 0, groups = 1 } = layer;
      const [h, w] = [height, width].map((size) => windowsIn(size + 2 * pad, kernel, stride));
      return { output: [layer.channels, h, w], rows: layer.channels, columns: (channels / groups) * kernel * kernel };
    }
    case "dense":
      return { output: [layer.outputs, 1, 1], rows: layer.outputs, columns: channels * height * width };
    case "maxpool":
    case "avgpool": {
      const { kernel, stride, pad = 0 } = layer;
      const [h, w] = [height, width].map((size) => windowsIn(size + 2 * pad, kernel, stride));
      return { output: [channels, h, w], ...none };
    }
    case "lrn":
    case "add":
      return { output: inputs[0], ...none };
    case "concat":
      return { output: [inputs.reduce((sum, [one]) => sum + one, 0), height, width], ...none };
  }
}

export interface NetCounts {
  readonly weights: number;
  /** Of the weights, those that are left by the table. */
  readonly nonZeros: number;
  readonly biases: number;
}

/** What a paper's table adds up to. */
export function countNet(net: SynthNet): NetCounts {
  const all = placeLayers(net);
  const sum = (of: (placed: PlacedLayer) => number): number => all.reduce((total, placed) => total + of(placed), 0);
  return {
    weights: sum(({ rows, columns }) => rows * columns),
    nonZeros: Math.round(sum(({ layer, rows, columns }) => ("density" in layer ? layer.density * rows * columns : 0))),
    biases: sum(({ rows }) => rows),
  };
}
