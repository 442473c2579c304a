/** Integer models made by chance: layers with all their options, which read any tensors before them. */
import fc from "fast-check";
import type { Axes, QModel, Shape } from "../../host/model/model.js";
import type { Window } from "../../host/ops/op.js";
import { buildModel, outputShape, type LayerSpec } from "./models.js";

/** Those named more often are drawn more often. */
const OPS = [
  "conv",
  "depthwise",
  "conv",
  "depthwise",
  "maxpool",
  "avgpool",
  "conv",
  "depthwise",
  "pointwise",
  "grouped",
  "dense",
  "maxpool",
  "avgpool",
  "mean",
  "add",
  "mul",
  "gate",
  "concat",
  "lut",
  "resize",
  "crop",
  "append",
] as const;

const WEIGHTS = ["grid", "codebook", "any", "single", "signs"] as const;

/** Layers end where a tensor would have more elements. */
const MOST_ELEMENTS = 3000;

const axesOf = (min: number, max: number) => fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }));

const step = fc.record({
  op: fc.constantFrom(...OPS),
  /** Which tensors it reads, counted back from the last. */
  from: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(4)),
  other: fc.nat(6),
  channels: fc.integer({ min: 1, max: 6 }),
  kernel: axesOf(1, 4),
  stride: fc.oneof({ weight: 2, arbitrary: fc.constant<Axes>([1, 1]) }, axesOf(1, 4)),
  pad: fc.oneof(fc.constant<Axes>([1, 1]), axesOf(0, 3)),
  padEnd: fc.oneof(fc.constant<Axes>([1, 1]), axesOf(0, 3)),
  pool: fc.oneof(
    fc.constant<Window>({ size: [1, 1], stride: [1, 1] }),
    fc.record({ size: axesOf(1, 3), stride: axesOf(1, 3) }),
  ),
  weights: fc.constantFrom(...WEIGHTS),
  density: fc.constantFrom(0, 0.05, 0.3, 0.6, 1),
  perChannel: fc.boolean(),
  relu: fc.boolean(),
});

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** How many of what a model has beside its layers. */
interface Ends {
  readonly seed: number;
  readonly shape: Shape;
  readonly hasSecondInput: boolean;
  readonly hasState: boolean;
  /** A layer whose output is one of the model, whoever reads it. */
  readonly output: number | undefined;
}

const shapes = fc.oneof(
  fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 14 }), fc.integer({ min: 1, max: 14 })),
  fc.tuple(fc.constant(1), fc.integer({ min: 6, max: 24 }), fc.integer({ min: 6, max: 24 })),
);

/** Valid models of some layers, with one input or two, a state, and one output or several. @param most layers */
export const randomModel = (most: number): fc.Arbitrary<QModel> =>
  fc
    .record({
      steps: fc.array(step, { minLength: 1, maxLength: most }),
      seed: fc.nat(2 ** 31),
      shape: shapes,
      hasSecondInput: fc.integer({ min: 0, max: 7 }).map((draw) => draw === 0),
      hasState: fc.integer({ min: 0, max: 7 }).map((draw) => draw === 0),
      output: fc.option(fc.nat(most), { nil: undefined, freq: 2 }),
    })
    .map(({ steps, ...ends }) => modelOf(steps, ends));

function modelOf(steps: readonly Step[], { seed, shape, hasSecondInput, hasState, output }: Ends): QModel {
  const inputs: Shape[] = hasSecondInput ? [[2, shape[1], shape[2]]] : [];
  const kept: Shape[] = hasState ? [[2, shape[1], shape[2]]] : [];
  const tensors: Shape[] = [shape, ...inputs, ...kept];
  const given = tensors.length;
  const specs: LayerSpec[] = [];
  /** States, parts of others, and what shares its input's zero point cannot be parts. */
  const noParts = new Set(hasState ? [given - 1] : []);
  const add = (spec: LayerSpec, from: readonly number[]): boolean => {
    const made = outputShape(
      from.map((tensor) => tensors[tensor]),
      spec,
    );
    if (made.some((size) => size < 1) || made.reduce((a, b) => a * b) > MOST_ELEMENTS) return false;
    tensors.push(made);
    specs.push({ ...spec, from });
    if (["maxpool", "resize", "crop", "append", "concat"].includes(spec.op)) noParts.add(tensors.length - 1);
    return true;
  };
  for (const one of steps) addStep(one, tensors, noParts, add);
  if (specs.length === 0) add({ op: "lut" }, [0]);
  const states = kept.map((state) => {
    add({ op: "conv2d", out: 2, kernel: [1, 1], weights: "grid", density: 1 }, [0]);
    return { shape: state, source: specs.length - 1 };
  });
  // All that is given is read.
  const read = new Set(specs.flatMap(({ from }) => from));
  for (let tensor = 0; tensor < given; tensor++) if (!read.has(tensor)) add({ op: "lut" }, [tensor]);
  // A state's source is no output of its own accord, and some layer's is.
  if (hasState && specs.length === 1) add({ op: "lut" }, [given]);
  const outputs = output === undefined ? [] : [output % specs.length];
  return buildModel(seed, shape, specs, { inputs, states, outputs });
}

/** @param tensors shapes of those that there are @param noParts those that no concatenation may have @param add a layer, unless its output would be too small or too large */
function addStep(
  one: Step,
  tensors: readonly Shape[],
  noParts: Set<number>,
  add: (spec: LayerSpec, from: readonly number[]) => boolean,
): void {
  const { from, other, channels, stride, pad, padEnd, pool, weights, density, perChannel, relu } = one;
  const x = Math.max(0, tensors.length - 1 - from);
  const shape = tensors[x];
  const [count, height, width] = shape;
  /** Another tensor like x, or x itself. */
  const second = (fits: (shape: Shape, tensor: number) => boolean): number => {
    const fitting = [...tensors.keys()].filter((tensor) => fits(tensors[tensor], tensor));
    return fitting.length === 0 ? x : fitting[other % fitting.length];
  };
  const isLike = (its: Shape): boolean => its.join() === shape.join();
  const kernel: Axes = [Math.min(one.kernel[0], height), Math.min(one.kernel[1], width)];
  const weighted = { weights, density, perChannel, relu };
  const conv = { op: "conv2d", kernel, stride, pad, padEnd, ...weighted } as const;
  switch (one.op) {
    case "conv":
      add({ ...conv, out: channels, pool }, [x]);
      return;
    case "depthwise":
      add({ ...conv, out: count * (1 + (channels % 2)), groups: count, pool }, [x]);
      return;
    case "pointwise":
      add({ ...conv, kernel: [1, 1], stride: 1, pad: 0, padEnd: 0, out: channels }, [x]);
      return;
    case "grouped":
      if (count % 2 === 0) add({ ...conv, out: 2 * channels, groups: 2 }, [x]);
      return;
    case "dense":
      add({ op: "dense", out: channels, ...weighted }, [x]);
      return;
    case "maxpool":
    case "avgpool":
      add({ op: one.op, kernel, stride, pad, padEnd, relu }, [x]);
      return;
    case "mean":
      add({ op: "avgpool", kernel: [height, width], stride: 1, relu }, [x]);
      return;
    case "add":
    case "mul":
      add({ op: one.op, relu }, [x, second(isLike)]);
      return;
    case "gate": {
      const gate = second((its) => its.join() === `${count},1,1`);
      add({ op: "mul", relu }, [x, gate]);
      return;
    }
    case "concat": {
      const others = (its: Shape, tensor: number): boolean =>
        tensor !== x && !noParts.has(tensor) && its[1] === height && its[2] === width;
      const part = second(others);
      if (part !== x && !noParts.has(x) && add({ op: "concat" }, [x, part])) noParts.add(x).add(part);
      return;
    }
    case "lut":
      add({ op: "lut" }, [x]);
      return;
    case "resize":
      add({ op: "resize", factor: [1 + (channels % 2), 1 + (channels % 3)] }, [x]);
      return;
    case "crop": {
      const first: Shape = [other % count, kernel[0] - 1, kernel[1] - 1];
      const size: Shape = [count - first[0], height - first[1], Math.max(1, width - first[2] - (channels % 2))];
      add({ op: "crop", first, size }, [x]);
      return;
    }
    case "append": {
      const like = second((its) => its[0] === count && (channels % 2 === 0 ? its[2] === width : its[1] === height));
      const [, otherHeight, otherWidth] = tensors[like];
      if (channels % 2 === 0)
        add({ op: "append", height: Math.max(1, height + otherHeight - (channels >> 1)) }, [x, like]);
      else add({ op: "append", width: Math.max(1, width + otherWidth - (channels >> 1)) }, [x, like]);
      return;
    }
  }
}
