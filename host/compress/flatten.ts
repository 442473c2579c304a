/**
 * Flattened convolutions: one of K × K becomes three of one dimension each, along the channels (1 × 1), down (K × 1) and across (1 × K), the latter two
 * for each channel by itself. Either every filter is the product of three vectors of its own, or all filters are sums over a number of
 * components, which a last 1 × 1 adds up: the canonical polyadic decomposition of the filter bank.
 * @see Jin, Dundar, Culurciello 2014, "Flattened convolutional neural networks for feedforward acceleration"; Lebedev et al. 2015, "Speeding-up
 *   convolutional neural networks using fine-tuned CP-decomposition"
 */
import { MoteError } from "../errors.js";
import type { Conv2dLayer, FloatTensor, Graph, Net, WeightedLayer } from "../model/model.js";
import { parameterShapes } from "../model/shapes.js";
import { axesOf, sidesOf } from "../ops/attributes.js";
import { floatWeights } from "../ops/index.js";
import { own } from "../own.js";
import { decompose, decomposeWork, MOST_DECOMPOSE_WORK, type Shape4 } from "./components.js";
import { weightedLayers } from "./integer-stages.js";
import type { FlattenStage } from "./method-stages.js";
import { chain, replaceInNet, replaceLayers, splitValues, type Replacements } from "./split.js";

/** Of a layer's parts, in their order; `out` where components are added up. */
const PARTS = ["lateral", "vertical", "horizontal"] as const;

/** Why a layer cannot be flattened; null where it can. */
export function flattenProblem(layer: WeightedLayer): string | null {
  if (layer.op !== "conv2d") return `is a ${layer.op} layer, expected a convolution`;
  if (floatWeights(layer).groups(layer) > 1) return "reads in groups, expected groups 1";
  return Math.max(...layer.kernel) > 1 ? null : "has a kernel of 1 × 1, which is flat";
}

/** The settings of a stage by the names of the layers that it flattens. @throws MoteError RECIPE */
export function checkFlatten(stage: FlattenStage, graph: Graph, place: string): FlattenStage {
  const rank = splitValues(stage.rank, weightedLayers(graph), `${place}.rank`, flattenProblem);
  for (const [name, components] of Object.entries(rank)) {
    const [rows, channels, height, width] = parameterShapes(graph).get(`${name}.weight`)!;
    // Any filter bank is a sum of so many.
    const most = Math.min(
      rows * channels * height,
      channels * height * width,
      rows * height * width,
      rows * channels * width,
    );
    if (components !== "filters" && components > most)
      throw new MoteError("RECIPE", `${place}.rank.${name}: expected at most ${most}, got ${components}`);
    const count = components === "filters" ? 1 : components;
    const work = decomposeWork([rows, channels, height, width], count);
    if (work > MOST_DECOMPOSE_WORK)
      throw new MoteError(
        "RECIPE",
        `${place}.rank.${name}: ${count} of ${rows} × ${channels} × ${height} × ${width} weights take too long to find: ` +
          `expected weights × components + components³ / 6 of at most ${MOST_DECOMPOSE_WORK}, got ${work}`,
      );
  }
  const checked = { ...stage, rank };
  flatGraph(checked, graph);
  return checked;
}

/** The graph behind a checked stage. */
export const flatGraph = (stage: FlattenStage, graph: Graph): Graph =>
  replaceLayers(graph, new Map(flatLayers(stage, graph)));

function flatLayers({ rank }: FlattenStage, graph: Graph): Replacements {
  return new Map(
    graph.layers.flatMap((layer): [string, Conv2dLayer[]][] => {
      const components = own(rank, layer.name);
      return layer.op === "conv2d" && components !== undefined ? [[layer.name, partsOf(layer, components)]] : [];
    }),
  );
}

function partsOf(layer: Conv2dLayer, components: number | "filters"): Conv2dLayer[] {
  const channels = components === "filters" ? layer.outChannels : components;
  const [height, width] = layer.kernel;
  const [strideY, strideX] = axesOf(layer.stride);
  const [top, left, bottom, right] = sidesOf(layer.pad);
  const edges = chain(layer, components === "filters" ? PARTS : [...PARTS, "out"]);
  const flat = { op: "conv2d", outChannels: channels } as const;
  const point = { kernel: [1, 1], stride: 1, pad: 0, groups: 1 } as const;
  return [
    { ...flat, ...edges[0], ...point },
    { ...flat, ...edges[1], kernel: [height, 1], stride: [strideY, 1], pad: [top, 0, bottom, 0], groups: channels },
    { ...flat, ...edges[2], kernel: [1, width], stride: [1, strideX], pad: [0, left, 0, right], groups: channels },
    ...(components === "filters" ? [] : [{ ...flat, ...edges[3], ...point, outChannels: layer.outChannels }]),
  ];
}

/** The net of a stage, before it is trained: products that come near to its filters. */
export function flatNet(net: Net, stage: FlattenStage, seed: number): Net {
  const replacements = flatLayers(stage, net.graph);
  const shapes = parameterShapes(replaceLayers(net.graph, replacements));
  const tensors = new Map<string, FloatTensor>();
  for (const [name, parts] of replacements) {
    const { shape, data } = net.tensors.get(`${name}.weight`)!;
    const components = stage.rank[name];
    const bank = [shape as unknown as Shape4, data] as const;
    const factors = components === "filters" ? ofEachFilter(...bank, seed) : ofAll(...bank, components, seed);
    const bias = net.tensors.get(`${name}.bias`)!.data;
    parts.forEach((part, i) => {
      const put = (kind: string, values: Float32Array): void =>
        void tensors.set(`${part.name}.${kind}`, { shape: shapes.get(`${part.name}.${kind}`)!, data: values });
      put("weight", factors[i]);
      put("bias", i === parts.length - 1 ? bias.slice() : new Float32Array(shapes.get(`${part.name}.bias`)![0]));
    });
  }
  return replaceInNet(net, replacements, tensors);
}

/** The nearest product of three vectors to each filter by itself. @returns lateral, vertical and horizontal weights, a row a filter */
function ofEachFilter([rows, ...sizes]: Shape4, data: Float32Array, seed: number): Float32Array[] {
  const parts = sizes.map((length) => new Float32Array(rows * length));
  const size = data.length / rows;
  for (let row = 0; row < rows; row++) {
    const [[scale], ...vectors] = decompose([1, ...sizes], data.subarray(row * size, (row + 1) * size), 1, seed);
    const root = Math.cbrt(Math.abs(scale));
    vectors.forEach((vector, i) =>
      parts[i].set(
        vector.map((value) => value * (i === 0 && scale < 0 ? -root : root)),
        row * vector.length,
      ),
    );
  }
  return parts;
}

/** Components of all filters together. @returns as of each filter, a row a component, and the weights [C_OUT, components] that add them up */
function ofAll(shape: Shape4, data: Float32Array, count: number, seed: number): Float32Array[] {
  const [sized, ...vectors] = decompose(shape, data, count, seed);
  const [rows] = shape;
  const roots = Float64Array.from({ length: count }, (_, r) =>
    Math.sqrt(Math.hypot(...sized.subarray(r * rows, (r + 1) * rows)) ** 0.5),
  );
  return [
    ...vectors.map((vector) =>
      Float32Array.from(vector, (value, i) => value * roots[Math.floor((i * count) / vector.length)]),
    ),
    Float32Array.from({ length: rows * count }, (_, i) => {
      const [row, r] = [Math.floor(i / count), i % count];
      return roots[r] === 0 ? 0 : sized[r * rows + row] / roots[r] ** 3;
    }),
  ];
}
