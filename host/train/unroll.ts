/**
 * A graph as it is trained. One with states is unrolled: its layers stand once for each step, with the same weights, and what a state holds is
 * what its source was a step before. A window over steps is made of these.
 * @see Werbos 1990, "Backpropagation through time: what it does and how to do it"
 */
import { MoteError } from "../errors.js";
import { inputsOf, resultsOf } from "../model/edges.js";
import { valuesOf } from "../model/geometry.js";
import type { AppendLayer, Graph, Layer, Shape } from "../model/model.js";
import { tensorShapes } from "../model/shapes.js";

/** Indices of tensors. */
export interface UnrolledLayer {
  readonly layer: Layer;
  /** Those of an append are as many as it has something of. */
  readonly inputs: readonly number[];
  readonly output: number;
}

export interface Unrolled {
  /** A whole sample, states as they begin, then the layers' outputs in their order. Those of each step have the graph's names. */
  readonly tensors: readonly { readonly name: string; readonly shape: Shape }[];
  readonly layers: readonly UnrolledLayer[];
  /** Tensors that are results, after the last step. */
  readonly outputs: readonly number[];
}

/** Of a whole sample of several steps, which no layer of the graph reads, and of what takes a step of it. */
const SAMPLE = "";

/** @throws MoteError UNSUPPORTED, see tensorShapes, and for a layer that no result depends on in so many steps */
export function unroll(graph: Graph): Unrolled {
  const shapes = tensorShapes(graph);
  const { input, states = [], steps } = graph;
  const values = valuesOf(input.shape);
  const tensors: { name: string; shape: Shape }[] = [];
  const layers: UnrolledLayer[] = [];
  const place = (name: string, shape: Shape): number => tensors.push({ name, shape }) - 1;
  const made = new Map<number, UnrolledLayer>();
  const put = (layer: Layer, shape: Shape, read: readonly number[]): number => {
    const inputs = layer.op === "append" ? spread(layer, read, made.get(read[0]), tensors) : read;
    const unrolled = { layer, inputs, output: place(layer.output, shape) };
    made.set(unrolled.output, unrolled);
    layers.push(unrolled);
    return unrolled.output;
  };
  const sample = steps === undefined ? place(input.name, input.shape) : place(SAMPLE, [steps * values, 1, 1]);
  const inputOfStep = (step: number): number => {
    if (steps === undefined) return sample;
    const edges = { name: SAMPLE, input: SAMPLE, output: input.name };
    const part: Layer = { op: "crop", ...edges, channel: step * values, channels: values };
    return put(part, input.shape, [sample]);
  };
  let held = new Map(states.map(({ tensor, shape }) => [tensor, place(tensor, shape)]));
  let known = held;
  neededLayers(graph, steps ?? 1).forEach((needed, step) => {
    known = new Map(held).set(input.name, inputOfStep(step));
    for (const layer of graph.layers) {
      if (!needed.has(layer)) continue;
      const inputs = inputsOf(layer).map((name) => known.get(name)!);
      known.set(layer.output, put(layer, shapes.get(layer.output)!, inputs));
    }
    held = new Map(
      states.flatMap(({ tensor, source }) => (known.has(source) ? [[tensor, known.get(source)!] as const] : [])),
    );
  });
  const run = new Set(layers.map(({ layer }) => layer));
  const idle = graph.layers.find((layer) => !run.has(layer));
  if (idle !== undefined)
    throw new MoteError("UNSUPPORTED", `${graph.name}/${idle.name}: no result depends on it in ${steps} steps`);
  return withoutIdleAppends({ tensors, layers, outputs: resultsOf(graph).map((name) => known.get(name)!) });
}

/**
 * What an append reads in place of a window that another one has made: what that one reads. So a window takes its steps from where they were made, and what
 * only later windows were made of need not be.
 * @param maker of the first input, if a layer makes it
 */
function spread(
  { rows, columns }: AppendLayer,
  [kept, added]: readonly number[],
  maker: UnrolledLayer | undefined,
  tensors: Unrolled["tensors"],
): number[] {
  const isSameWay = maker?.layer.op === "append" && (maker.layer.rows === undefined) === (rows === undefined);
  const all = [...(isSameWay ? maker.inputs : [kept]), added];
  const extents = all.map((tensor) => tensors[tensor].shape[rows === undefined ? 2 : 1]);
  let passed = extents.reduce((sum, extent) => sum + extent, 0) - (rows ?? columns!);
  return all.slice(extents.findIndex((extent) => (passed -= extent) < 0));
}

/** Without appends that nothing reads any more. */
function withoutIdleAppends({ tensors, layers, outputs }: Unrolled): Unrolled {
  const read = new Set(outputs);
  const gone = new Set<number>();
  for (const { layer, inputs, output } of layers.toReversed()) {
    if (layer.op === "append" && !read.has(output)) gone.add(output);
    else for (const input of inputs) read.add(input);
  }
  let count = 0;
  const places = tensors.map((_, tensor) => (gone.has(tensor) ? -1 : count++));
  const placesOf = (list: readonly number[]): number[] => list.map((tensor) => places[tensor]);
  return {
    tensors: tensors.filter((_, tensor) => !gone.has(tensor)),
    layers: layers
      .filter(({ output }) => !gone.has(output))
      .map(({ layer, inputs, output }) => ({ layer, inputs: placesOf(inputs), output: places[output] })),
    outputs: placesOf(outputs),
  };
}

/** The layers of each step that the results depend on: in steps before the last, those that make what states are to hold. */
export function neededLayers(graph: Graph, steps: number): ReadonlySet<Layer>[] {
  let wanted = new Set(resultsOf(graph));
  const ofSteps = Array.from({ length: steps }, () => {
    const needed = new Set<Layer>();
    for (const layer of graph.layers.toReversed()) {
      if (!wanted.has(layer.output)) continue;
      needed.add(layer);
      for (const name of inputsOf(layer)) wanted.add(name);
    }
    wanted = new Set((graph.states ?? []).flatMap(({ tensor, source }) => (wanted.has(tensor) ? [source] : [])));
    return needed;
  });
  return ofSteps.reverse();
}
