/** Nets with branches, some made by chance: what shortens a net is tried on them. */
import fc from "fast-check";
import { Random } from "../../host/rng.js";
import type { Conv2dLayer, FloatTensor, Graph, Layer, Net, Shape } from "../../host/model/model.js";
import { outputShape, parameterShapes } from "../../host/model/shapes.js";

const OPS = [
  "conv",
  "padded",
  "depthwise",
  "doubling",
  "grouped",
  "add",
  "mul",
  "gate",
  "concat",
  "relu",
  "clamp",
  "map",
  "maxpool",
  "avgpool",
  "padded-pool",
  "resize",
  "batchnorm",
] as const;

interface Step {
  readonly op: (typeof OPS)[number];
  /** Which tensors it reads, counted back from the last. */
  readonly from: number;
  readonly other: number;
  readonly channels: number;
}

const step = fc.record<Step>({
  op: fc.constantFrom(...OPS),
  from: fc.nat(2),
  other: fc.nat(6),
  channels: fc.integer({ min: 1, max: 6 }),
});

/** Graphs of some layers that end in a dense one, often with a second result. */
export const randomGraph = fc
  .record({ steps: fc.array(step, { minLength: 2, maxLength: 9 }), second: fc.boolean() })
  .map(({ steps, second }) => graphOf(steps, second));

function graphOf(steps: readonly Step[], second: boolean): Graph {
  const input = { name: "image", shape: [2, 6, 6] as Shape };
  const shapes = new Map<string, Shape>([["image", input.shape]]);
  const layers: Layer[] = [];
  const add = (layer: Layer, inputs: readonly string[]): string => {
    const read = inputs.map((name) => shapes.get(name)!);
    shapes.set(layer.output, outputShape("random", layer, read));
    layers.push(layer);
    return layer.output;
  };
  for (const [index, { op, from, other, channels }] of steps.entries()) {
    const names = [...shapes.keys()];
    const x = names[Math.max(0, names.length - 1 - from)];
    const shape = shapes.get(x)!;
    const fits = (wanted: (shape: Shape) => boolean): string | undefined =>
      names.filter((name) => wanted(shapes.get(name)!)).at(-1 - (other % names.length)) ??
      names.findLast((name) => wanted(shapes.get(name)!));
    const edges = { name: `l${index}`, input: x, output: `t${index}` };
    const conv = { op: "conv2d", ...edges, outChannels: channels, stride: 1, pad: 0, groups: 1 } as const;
    const small = { kernel: [Math.min(3, shape[1]), Math.min(2, shape[2])], stride: 1 } as const;
    const joined = (second: string): { name: string; inputs: string[]; output: string } => ({
      name: edges.name,
      inputs: [x, second],
      output: edges.output,
    });
    switch (op) {
      case "conv":
        add({ ...conv, ...small }, [x]);
        break;
      case "padded":
        add({ ...conv, kernel: [3, 3], pad: 1 }, [x]);
        break;
      case "depthwise":
        add(
          {
            ...conv,
            kernel: [3, 3],
            pad: channels % 2 === 0 ? 1 : [1, 1, 1, 1],
            outChannels: shape[0],
            groups: shape[0],
          },
          [x],
        );
        break;
      case "doubling":
        add({ ...conv, ...small, outChannels: 2 * shape[0], groups: shape[0] }, [x]);
        break;
      case "grouped":
        if (shape[0] % 2 === 0) add({ ...conv, ...small, outChannels: 4, groups: 2 }, [x]);
        break;
      case "add":
      case "mul": {
        const second = fits((its) => its.join() === shape.join())!;
        const sign = channels % 2 === 0 ? -1 : 1;
        add(op === "mul" ? { op, ...joined(second) } : { op, ...joined(second), sign }, [x, second]);
        break;
      }
      case "gate": {
        const pooled = add(
          { op: "avgpool", name: `p${index}`, input: x, output: `p${index}`, kernel: [shape[1], shape[2]], stride: 1 },
          [x],
        );
        const gate = add(
          {
            op: "map",
            name: `g${index}`,
            input: pooled,
            output: `g${index}`,
            function: "hard-sigmoid",
            parameters: [0.2, 0.5],
          },
          [pooled],
        );
        add({ op: "mul", ...joined(gate) }, [x, gate]);
        break;
      }
      case "concat": {
        const second = fits((its) => its[1] === shape[1] && its[2] === shape[2])!;
        add({ op, ...joined(second) }, [x, second]);
        break;
      }
      case "clamp":
        add({ op, ...edges, low: -0.25, high: 1 }, [x]);
        break;
      case "map":
        add({ op, ...edges, function: channels % 2 === 0 ? "sigmoid" : "hard-swish" }, [x]);
        break;
      case "maxpool":
      case "avgpool":
        add({ op, ...edges, ...small }, [x]);
        break;
      case "padded-pool":
        add({ op: channels % 2 === 0 ? "maxpool" : "avgpool", ...edges, kernel: 3, stride: 1, pad: 1 }, [x]);
        break;
      case "resize":
        if (shape[1] <= 8) add({ op, ...edges, factor: [1, 2] }, [x]);
        break;
      case "batchnorm":
        add({ op, ...edges, epsilon: 1e-3 }, [x]);
        break;
      case "relu":
        add({ op, ...edges }, [x]);
        break;
    }
  }
  const read = new Set(layers.flatMap((layer) => ("inputs" in layer ? layer.inputs : [layer.input])));
  const ends = layers.map(({ output }) => output).filter((name) => !read.has(name));
  // All that nothing reads goes into the last layer, but for one that is a result of its own.
  const own = second && ends.length > 1 ? ends.slice(0, 1) : [];
  const heads = ends
    .filter((name) => !own.includes(name))
    .map((name, i) => add({ op: "dense", name: `head${i}`, input: name, output: `head${i}`, outFeatures: 3 }, [name]));
  const sums = heads
    .slice(1)
    .reduce(
      (sum, head, i) => add({ op: "add", name: `sum${i}`, inputs: [sum, head], output: `sum${i}` }, [sum, head]),
      heads[0],
    );
  return { name: "random", input, layers, outputs: [...own, sums] };
}

const conv = (name: string, input: string, outChannels: number, more: Partial<Conv2dLayer> = {}): Layer => ({
  op: "conv2d",
  name,
  input,
  output: name,
  outChannels,
  kernel: [1, 1],
  stride: 1,
  pad: 0,
  groups: 1,
  ...more,
});
const wide = { kernel: [3, 3], pad: 1 } as const;

/** A residual block, a separable one, a gate, and the classes. */
export const branched: Graph = {
  name: "branched",
  input: { name: "image", shape: [1, 8, 8] },
  layers: [
    conv("stem", "image", 6),
    { op: "relu", name: "stem-relu", input: "stem", output: "stem-relu" },
    conv("first", "stem-relu", 5, wide),
    { op: "relu", name: "first-relu", input: "first", output: "first-relu" },
    conv("second", "first-relu", 6, wide),
    { op: "add", name: "sum", inputs: ["second", "stem-relu"], output: "sum" },
    conv("filter", "sum", 6, { ...wide, groups: 6 }),
    { op: "clamp", name: "relu6", input: "filter", output: "relu6", low: 0, high: 6 },
    { op: "avgpool", name: "mean", input: "relu6", output: "mean", kernel: [8, 8], stride: 1 },
    { op: "dense", name: "gate", input: "mean", output: "gate", outFeatures: 6 },
    { op: "map", name: "sigmoid", input: "gate", output: "sigmoid", function: "sigmoid" },
    { op: "mul", name: "gated", inputs: ["relu6", "sigmoid"], output: "gated" },
    conv("mix", "gated", 4),
    { op: "concat", name: "both", inputs: ["mix", "first-relu"], output: "both" },
    { op: "dense", name: "classes", input: "both", output: "classes", outFeatures: 3 },
  ],
};

/** Weights are integers times this. */
export const WEIGHT_SCALE = 1 / 64;

/** Weights on their integers, about `kept` of them non-zero, and rows or columns that are 0 as a whole; biases and all else non-zero. */
export function randomSparseNet(graph: Graph, seed: number, kept: number): Net {
  const random = new Random(seed);
  const tensors = new Map<string, FloatTensor>();
  for (const [name, shape] of parameterShapes(graph)) {
    const count = shape.reduce((a, b) => a * b);
    if (name.endsWith(".weight") && shape.length > 1) {
      const columns = count / shape[0];
      const emptyRow = Array.from({ length: shape[0] }, () => random.integer(3) === 0);
      const emptyColumn = Array.from({ length: shape[1] }, () => random.integer(3) === 0);
      const integers = Int8Array.from({ length: count }, (_, i) => {
        const isEmpty =
          emptyRow[Math.floor(i / columns)] || emptyColumn[Math.floor((i % columns) / (columns / shape[1]))];
        const value = Math.round(random.normal() * 30);
        return isEmpty || random.integer(1000) >= 1000 * kept ? 0 : Math.max(-127, Math.min(127, value));
      });
      tensors.set(name, { shape, integers, data: Float32Array.from(integers, (q) => q * WEIGHT_SCALE) });
    } else {
      const value = (): number =>
        name.endsWith(".variance") ? 0.5 + random.integer(100) / 100 : random.normal() * 0.5;
      // A bias below 0 and a relu make a constant of 0, which alone moves across a border.
      tensors.set(name, {
        shape,
        data: Float32Array.from({ length: count }, () => (random.integer(4) === 0 ? 0 : value())),
      });
    }
  }
  return { graph, tensors };
}
