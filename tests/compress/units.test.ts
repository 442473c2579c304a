import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { channelsByTensor, narrowGraph } from "../../host/compress/narrow.js";
import { foldableBiases, foldBiases, removeDeadUnits } from "../../host/compress/dead-units.js";
import { runNet } from "../../host/engines/ops-f32.js";
import { inputOf, resultsOf } from "../../host/model/edges.js";
import type { Graph, Net } from "../../host/model/model.js";
import { parameterShapes } from "../../host/model/shapes.js";
import { Random } from "../../host/rng.js";
import { branched, randomGraph, randomSparseNet, WEIGHT_SCALE } from "../support/random-graphs.js";

function expectSameResults(net: Net, other: Net, seed: number): void {
  const random = new Random(seed, 5);
  const [channels, height, width] = net.graph.input.shape;
  const input = Float32Array.from({ length: channels * height * width }, () => random.normal());
  const [expected, got] = [runNet(net, input), runNet(other, input)];
  expect(resultsOf(other.graph)).toEqual(resultsOf(net.graph));
  for (const name of resultsOf(net.graph)) {
    const values = expected.get(name)!;
    expect(got.get(name)!.length).toBe(values.length);
    // Biases are float32, and products of channels make errors grow.
    const most = values.reduce((max, v) => Math.max(max, Math.abs(v)), 1);
    got.get(name)!.forEach((value, i) => expect(Math.abs(value - values[i])).toBeLessThan(1e-4 * most));
  }
}

function expectWellFormed(net: Net): void {
  for (const [name, shape] of parameterShapes(net.graph)) {
    const { shape: its, data, integers } = net.tensors.get(name)!;
    expect([name, ...its]).toEqual([name, ...shape]);
    expect(data.length).toBe(shape.reduce((a, b) => a * b));
    if (integers !== undefined) expect(Float32Array.from(integers, (q) => q * WEIGHT_SCALE)).toEqual(data);
  }
}

const weights = (net: Net): number =>
  [...net.tensors.values()].reduce((sum, { data, integers }) => sum + (integers === undefined ? 0 : data.length), 0);

/** All biases non-zero, so that a row of zeros is a constant other than 0. */
function denseNet(graph: Graph): Net {
  const net = randomSparseNet(graph, 1, 1);
  const random = new Random(2);
  for (const [name, { data, integers }] of net.tensors) {
    if (integers === undefined) data.forEach((_, i) => (data[i] = 0.5 + random.integer(8) / 16));
    else data.forEach((_, i) => (data[i] = (integers[i] = 1 + random.integer(50)) * WEIGHT_SCALE), name);
  }
  return net;
}

/** Makes 0 what reads a channel of a layer's input, or what makes one of its output. */
function zero(net: Net, name: string, part: "row" | "column", at: number): void {
  const { shape, data, integers } = net.tensors.get(`${name}.weight`)!;
  const layer = net.graph.layers.find((its) => its.name === name)!;
  const columns = data.length / shape[0];
  const span = columns / channelsOf(net)[inputOf(layer)];
  data.forEach((_, i) => {
    const place = part === "row" ? Math.floor(i / columns) : Math.floor((i % columns) / span);
    if (place === at) data[i] = integers![i] = 0;
  });
}

const channelsOf = (net: Net): Record<string, number> => channelsByTensor(net.graph);

describe("a net with a sum, a gate, a depthwise convolution and a concatenation", () => {
  test("without dead units stays as it is", () => {
    const net = denseNet(branched);
    const same = removeDeadUnits(net);
    expect(same.graph).toEqual(net.graph);
    expect(same.tensors).toEqual(net.tensors);
  });

  test("loses a channel of the sum when what reads it is gone, and all that is tied to it", () => {
    const net = denseNet(branched);
    zero(net, "mix", "column", 2);
    zero(net, "gate", "column", 2);
    zero(net, "first", "column", 2);
    const live = removeDeadUnits(net);
    expectWellFormed(live);
    expectSameResults(net, live, 1);
    const tied = ["stem", "stem-relu", "second", "sum", "filter", "relu6", "mean", "gate", "sigmoid", "gated"];
    for (const name of tied) expect([name, channelsOf(live)[name]]).toEqual([name, 5]);
    expect(live.graph.layers.find(({ name }) => name === "filter")).toMatchObject({ outChannels: 5, groups: 5 });
    expect(channelsOf(live)).toMatchObject({ image: 1, first: 5, mix: 4, both: 9, classes: 3 });
  });

  test("keeps it while anything reads it", () => {
    const net = denseNet(branched);
    zero(net, "mix", "column", 2);
    zero(net, "gate", "column", 2);
    expect(channelsOf(removeDeadUnits(net)).sum).toBe(6);
  });

  test("moves a constant through relu and concat into the classes' biases, but not into a convolution with a border", () => {
    const net = denseNet(branched);
    zero(net, "mix", "row", 1);
    zero(net, "first", "row", 3);
    const live = removeDeadUnits(net);
    expectSameResults(net, live, 2);
    expect(channelsOf(live)).toMatchObject({ mix: 3, first: 5, both: 8 });
    // A constant of 0 is what the border holds.
    net.tensors.get("first.bias")!.data[3] = -1;
    const more = removeDeadUnits(net);
    expectSameResults(net, more, 3);
    expect(channelsOf(more)).toMatchObject({ mix: 3, first: 4, both: 7 });
  });

  test("takes scales of rows along", () => {
    const net = denseNet(branched);
    zero(net, "classes", "column", 0);
    const weightScale = { mix: [1, 2, 3, 4], first: 7 };
    const { compression } = removeDeadUnits({
      ...net,
      compression: { nominalChannels: {}, activations: {}, weightScale },
    });
    expect(weightScale.mix).toEqual([1, 2, 3, 4]);
    expect(compression!.weightScale).toEqual({ mix: [2, 3, 4], first: 7 });
  });

  test("is narrowed with all that is tied", () => {
    const narrow = narrowGraph(branched, { second: 4, first: 2 });
    expect(channelsByTensor(narrow)).toMatchObject({
      stem: 4,
      sum: 4,
      filter: 4,
      gate: 4,
      gated: 4,
      first: 2,
      both: 6,
    });
    expect(narrowGraph(branched, { second: 4, stem: 4 })).toEqual(narrowGraph(branched, { filter: 4 }));
  });

  test.each([
    [{ second: 4, stem: 5 }, "units.stem: expected 4, as a layer that it is tied to has, got 5"],
    [
      { classes: 2 },
      "units.classes: the layer's units stay: channels of results, states, crops or convolutions in groups, or tied to another layer's",
    ],
    [{ second: 7 }, "units.second: expected 1 .. 6, got 7"],
  ])("is not narrowed to %j", (units, message) => {
    expect(() => narrowGraph(branched, units as unknown as Record<string, number>)).toThrow(message);
  });
});

describe("nets with branches", () => {
  test("compute the same without their dead units", () => {
    let fewer = 0;
    fc.assert(
      fc.property(randomGraph, fc.nat(1000), fc.constantFrom(0.1, 0.4, 1), (graph, seed, kept) => {
        const net = randomSparseNet(graph, seed, kept);
        const live = removeDeadUnits(net);
        expectWellFormed(live);
        expectSameResults(net, live, seed);
        if (weights(live) < weights(net)) fewer++;
        // Nothing is left to be done.
        expect(removeDeadUnits(live).graph).toEqual(live.graph);
      }),
      { numRuns: 150, seed: 7 },
    );
    expect(fewer).toBeGreaterThan(40);
  });

  test("compute the same with their biases moved on", () => {
    let moved = 0;
    fc.assert(
      fc.property(randomGraph, fc.nat(1000), (graph, seed) => {
        const net = randomSparseNet(graph, seed, 1);
        const folded = foldBiases(net);
        expectWellFormed(folded);
        expectSameResults(net, folded, seed);
        for (const name of foldableBiases(graph)) {
          expect(folded.tensors.get(`${name}.bias`)!.data.every((b) => b === 0)).toBe(true);
          moved++;
        }
      }),
      { numRuns: 100, seed: 8 },
    );
    expect(moved).toBeGreaterThan(25);
  });
});
