import { expect, test } from "vitest";
import { runStage } from "../../host/compress/stages.js";
import { runNet } from "../../host/engines/ops-f32.js";
import type { FloatTensor, Graph, Net } from "../../host/model/model.js";
import { parameterShapes } from "../../host/model/shapes.js";
import { Random } from "../../host/rng.js";
import { barSamples, smallNet, stageContext } from "../train/support.js";

/** The small net with a normalization behind its convolution. */
const graph: Graph = {
  ...smallNet,
  layers: smallNet.layers.flatMap((layer) =>
    layer.name === "conv"
      ? [
          { ...layer, output: "raw" },
          { op: "batchnorm", name: "norm", input: "raw", output: "conv", epsilon: 0.01 } as const,
        ]
      : [layer],
  ),
};

function drawn(): Net {
  const random = new Random(3);
  const tensors = new Map<string, FloatTensor>();
  for (const [name, shape] of parameterShapes(graph)) {
    const count = shape.reduce((product, size) => product * size, 1);
    tensors.set(name, { shape, data: Float32Array.from({ length: count }, () => 0.1 + random.uniform()) });
  }
  return { graph, tensors };
}

test("a stage works on the net with its batch normalizations folded, which gives the same", async () => {
  const samples = barSamples(32, 1);
  const context = stageContext(samples);
  const net = drawn();
  const stage = { kind: "calibrate", samples: 32, range: "full" } as const;
  const folded = await runStage(net, stage, context, samples);
  expect(folded.graph.layers.map(({ op }) => op)).toEqual(smallNet.layers.map(({ op }) => op));
  expect(Object.keys(folded.compression!.activations).sort()).toEqual(
    ["image", ...smallNet.layers.map(({ output }) => output)].sort(),
  );
  const input = Float32Array.from(samples.images.subarray(0, 64), (value) => value / 255);
  const [expected, got] = [net, folded].map((of) => runNet(of, input).get("logits")!);
  got.forEach((value, i) => expect(Math.abs(value / expected[i] - 1)).toBeLessThan(1e-5));
});
