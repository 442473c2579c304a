import { expect, test } from "vitest";
import { meanOfNets } from "../../host/compress/ensemble.js";
import { drawnNet } from "../../host/compress/teacher.js";
import type { Graph, Net } from "../../host/model/model.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { Random } from "../../host/rng.js";
import { lstm } from "../train/recurrent-nets.js";
import { asked } from "../train/support.js";

const COUNT = 32;

/** Its input and a layer have names that the mean's own layers have as well. */
const plain: Graph = {
  name: "plain",
  input: { name: "mean", shape: [3, 1, 1] },
  layers: [
    { op: "dense", name: "sum.1", input: "mean", output: "input", outFeatures: 4 },
    { op: "relu", name: "relu", input: "input", output: "cut" },
    { op: "dense", name: "second", input: "cut", output: "second", outFeatures: 2 },
  ],
  outputs: ["input", "second"],
};

/** What one state holds only the second result depends on. */
const twoStates: Graph = {
  name: "two-states",
  input: { name: "x", shape: [3, 1, 1] },
  states: [
    { tensor: "h", shape: [3, 1, 1], source: "sum" },
    { tensor: "idle", shape: [3, 1, 1], source: "second" },
  ],
  steps: 3,
  layers: [
    { op: "add", name: "sum", inputs: ["x", "h"], output: "sum" },
    { op: "dense", name: "fc", input: "sum", output: "y", outFeatures: 2 },
    { op: "add", name: "second", inputs: ["sum", "idle"], output: "second" },
  ],
  outputs: ["y", "second"],
};

test.each([
  ["a plain net, of which the first result counts", plain, 2],
  ["three of them", plain, 3],
  ["a recurrent net, each with states of its own", lstm({ features: 5, units: 6, steps: 4, classes: 3 }), 2],
  ["a recurrent net, of which the first result counts", twoStates, 2],
])("the mean of logits: %s", async (_, graph, members) => {
  const random = new Random(1);
  const values = COUNT * graph.input.shape[0] * (graph.steps ?? 1);
  const images = Float32Array.from({ length: values }, () => random.uniform() - 0.5);
  const samples = { count: COUNT, images };
  const nets: Net[] = [];
  for (let seed = 1; seed <= members; seed++)
    nets.push(await drawnNet({ runtime: nodeRuntime, graph, seed, batch: COUNT }));
  const logits = (net: Net): Promise<Float32Array> => asked(net, (trainer) => trainer.logits(samples));
  const alone = await Promise.all(nets.map(logits));
  const mean = await logits(meanOfNets(nets));
  expect(mean).toHaveLength(alone[0].length);
  const apart = mean.map((value, i) => Math.abs(value - alone.reduce((sum, one) => sum + one[i], 0) / members));
  expect(Math.max(...apart)).toBeLessThan(1e-6);
  expect(Math.max(...alone[0].map((value, i) => Math.abs(value - alone[1][i])))).toBeGreaterThan(1e-4);
});
