/** Every layer's gradients, dense and sparse, against central differences of a plain double-precision net. */
import { describe, expect, test } from "vitest";
import type { Samples } from "../../host/data/samples.js";
import type { Conv2dLayer, DenseLayer, Graph, Layer, PoolLayer, ReluLayer } from "../../host/model/model.js";
import { parameterShapes } from "../../host/model/shapes.js";
import { checkGradients, engineGradients, referenceBatch } from "./gradient-check.js";
import { numericalGradients } from "./reference.js";

type Wired = "input" | "output";
type Unwired = Omit<Conv2dLayer, Wired> | Omit<DenseLayer, Wired> | Omit<PoolLayer, Wired> | Omit<ReluLayer, Wired>;

function chain(shape: readonly [number, number, number], layers: readonly Unwired[]): Graph {
  return {
    name: "case",
    input: { name: "t0", shape },
    layers: layers.map(
      (layer, i) => ({ ...layer, name: layer.name || `l${i}`, input: `t${i}`, output: `t${i + 1}` }) as Layer,
    ),
  };
}

const conv = (name: string, outChannels: number, kernel: number, stride = 1, pad = 0, groups = 1): Unwired => ({
  op: "conv2d",
  name,
  outChannels,
  kernel: [kernel, kernel],
  stride,
  pad,
  groups,
});
const dense = (name: string, outFeatures: number): Unwired => ({ op: "dense", name, outFeatures });
const pool = (op: "maxpool" | "avgpool", kernel: number, stride: number): Unwired => ({ op, name: "", kernel, stride });
const relu: Unwired = { op: "relu", name: "" };

const CASES: readonly {
  readonly title: string;
  readonly graph: Graph;
  readonly batch: number;
  readonly shards: number;
}[] = [
  {
    title: "conv, max-pool, conv, dense: LeNet in small, five blocks a shard",
    graph: chain([1, 8, 8], [conv("c1", 7, 3), pool("maxpool", 2, 2), conv("c2", 6, 2), dense("fc", 4)]),
    batch: 40,
    shards: 1,
  },
  {
    title: "padding and stride",
    graph: chain([2, 7, 6], [conv("c1", 3, 3, 2, 1), relu, conv("c2", 4, 3, 1, 2), dense("fc", 3)]),
    batch: 16,
    shards: 2,
  },
  {
    title: "groups and depthwise",
    graph: chain([4, 6, 6], [conv("c1", 6, 3, 1, 1, 2), conv("c2", 6, 3, 2, 1, 6), dense("fc", 3)]),
    batch: 16,
    shards: 1,
  },
  {
    title: "kernels that are not square, a 1 × 1 kernel",
    graph: chain(
      [2, 6, 7],
      [
        { ...(conv("c1", 5, 1, 1, 1) as Omit<Conv2dLayer, Wired>), kernel: [2, 3] },
        relu,
        conv("c2", 3, 1, 2),
        dense("fc", 3),
      ],
    ),
    batch: 8,
    shards: 1,
  },
  {
    title: "overlapping max-pool windows",
    graph: chain([1, 8, 8], [conv("c1", 2, 2), pool("maxpool", 3, 2), dense("fc", 3)]),
    batch: 16,
    shards: 2,
  },
  {
    title: "max-pool that leaves rows over",
    graph: chain([1, 8, 8], [conv("c1", 2, 2), pool("maxpool", 2, 2), dense("fc", 3)]),
    batch: 16,
    shards: 2,
  },
  {
    title: "average pool, overlapping",
    graph: chain([1, 8, 8], [conv("c1", 2, 2), pool("avgpool", 3, 2), dense("fc", 3)]),
    batch: 16,
    shards: 2,
  },
  {
    title: "dense layers with more outputs than one pass of the input gradient",
    graph: chain([1, 3, 3], [dense("fc1", 70), relu, dense("fc2", 13), relu, dense("fc3", 3)]),
    batch: 16,
    shards: 2,
  },
  {
    title: "pool first",
    graph: chain([1, 8, 8], [pool("avgpool", 2, 2), conv("c1", 3, 2), relu, dense("fc", 3)]),
    batch: 8,
    shards: 1,
  },
];

describe.each(CASES.map(({ title }, index) => ({ title, index })))("$title", ({ index }) => {
  test("dense kernels", () => checkGradients(CASES[index]));
  test("sparse kernels", () => checkGradients({ ...CASES[index], sparse: true }));
});

test("max-pool gives the gradient of a tie to one value only", () => {
  // Blank images tie everywhere: if each tied value got the whole gradient, the bias would see kernel² times as much.
  const graph = chain([1, 4, 4], [conv("c1", 2, 1), pool("maxpool", 2, 2), dense("fc", 2)]);
  const parameters = new Map<string, Float64Array>();
  for (const [name, shape] of parameterShapes(graph)) {
    parameters.set(
      name,
      Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => ((i % 5) - 2) / 4),
    );
  }
  const data: Samples = {
    count: 8,
    images: new Uint8Array(8 * 16),
    labels: new Uint8Array(8),
    logits: new Float32Array(16),
    targets: new Float32Array(16),
    features: new Float32Array(),
  };
  const blank = { graph, batch: 8, shards: 1 };
  const { gradients } = engineGradients(blank, parameters, new Map(), data);
  const expected = numericalGradients(graph, parameters, referenceBatch(blank, data), "c1.bias", [0, 1]);
  gradients.get("c1.bias")!.forEach((g, i) => expect(g).toBeCloseTo(expected[i], 6));
});
