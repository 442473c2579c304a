/** Gradients through time, of weights that every step shares, against central differences. */
import { describe, expect, test } from "vitest";
import type { Graph } from "../../host/model/model.js";
import { SharedHeap } from "../../host/train/heap.js";
import { planTraining } from "../../host/train/plan.js";
import { unroll } from "../../host/train/unroll.js";
import { checkGradients } from "./gradient-check.js";
import { gru, lstm, windowed } from "./recurrent-nets.js";

const SIZES = { features: 5, units: 6, steps: 4, classes: 3 };

describe.each([
  ["LSTM", lstm(SIZES)],
  ["GRU", gru(SIZES)],
  ["windows over steps", windowed(SIZES)],
])("%s", (_name, graph) => {
  test("dense kernels, two shards", () => checkGradients({ graph, batch: 32, shards: 2 }));
  test("sparse kernels", () => checkGradients({ graph, batch: 16, shards: 1, sparse: true }));
  test("real numbers, squared error", () =>
    checkGradients({ graph, batch: 8, shards: 1, images: "float32", task: { loss: "mse" } }));
});

test("a state that is read by several layers and a result on the way", () => {
  const graph: Graph = {
    name: "plain",
    input: { name: "x", shape: [3, 1, 1] },
    states: [{ tensor: "h", shape: [4, 1, 1], source: "sum" }],
    steps: 3,
    layers: [
      { op: "dense", name: "wx", input: "x", output: "wx", outFeatures: 4 },
      { op: "dense", name: "uh", input: "h", output: "uh", outFeatures: 4 },
      { op: "add", name: "a", inputs: ["wx", "uh"], output: "a" },
      { op: "map", name: "bent", input: "a", output: "bent", function: "tanh" },
      { op: "add", name: "sum", inputs: ["bent", "h"], output: "sum" },
      { op: "dense", name: "fc", input: "sum", output: "y", outFeatures: 2 },
    ],
    outputs: ["sum", "y"],
  };
  checkGradients({ graph, batch: 16, shards: 1, task: { loss: "mse" } });
});

/** Filters of a step and, of each of two units, weights of its latest steps: Nakkiran et al. 2015, as SVDF is lowered. Rows are steps. */
const svdf = (memory: number, kept = memory): Graph => ({
  name: "svdf",
  input: { name: "x", shape: [3, 1, 1] },
  states: [{ tensor: "before", shape: [4, kept, 1], source: "kept" }],
  steps: 4,
  layers: [
    { op: "dense", name: "filters", input: "x", output: "filters", outFeatures: 4 },
    { op: "append", name: "kept", inputs: ["before", "filters"], output: "kept", rows: kept },
    { op: "append", name: "window", inputs: ["before", "filters"], output: "window", rows: memory },
    {
      op: "conv2d",
      name: "units",
      input: "window",
      output: "units",
      outChannels: 2,
      kernel: [memory, 1],
      stride: 1,
      pad: 0,
      groups: 2,
    },
    { op: "dense", name: "fc", input: "units", output: "y", outFeatures: 3 },
  ],
});

test.each([
  ["shorter than the sample", svdf(3)],
  ["longer than the sample, with zeros in front", svdf(6)],
  ["of one step more than is kept", svdf(3, 2)],
  ["of the step alone", svdf(1, 2)],
])("a window %s", (_title, graph) => checkGradients({ graph, batch: 16, shards: 2 }));

test("a window of windows", () => {
  const graph: Graph = {
    name: "windows",
    input: { name: "x", shape: [3, 1, 1] },
    states: [
      { tensor: "before", shape: [4, 1, 2], source: "two" },
      { tensor: "older", shape: [4, 1, 3], source: "more" },
    ],
    steps: 5,
    layers: [
      { op: "dense", name: "w", input: "x", output: "w", outFeatures: 4 },
      { op: "append", name: "two", inputs: ["before", "w"], output: "two", columns: 2 },
      { op: "append", name: "more", inputs: ["older", "two"], output: "more", columns: 3 },
      { op: "append", name: "both", inputs: ["more", "before"], output: "both", columns: 4 },
      { op: "append", name: "below", inputs: ["both", "both"], output: "below", rows: 2 },
      { op: "dense", name: "fc", input: "below", output: "y", outFeatures: 3 },
    ],
  };
  checkGradients({ graph, batch: 16, shards: 1 });
});

test("a step on which the loss does not depend leaves the gradients of those on which it does", () => {
  const graph: Graph = {
    name: "two results",
    input: { name: "x", shape: [3, 1, 1] },
    states: [{ tensor: "before", shape: [4, 1, 1], source: "a" }],
    steps: 2,
    layers: [
      { op: "dense", name: "w", input: "x", output: "a", outFeatures: 4 },
      { op: "dense", name: "now", input: "a", output: "y", outFeatures: 3 },
      { op: "dense", name: "then", input: "before", output: "z", outFeatures: 2 },
    ],
    outputs: ["y", "z"],
  };
  checkGradients({ graph, batch: 16, shards: 1 });
});

test("features are drawn to a teacher's after the last step alone", () => {
  const distill = { alpha: 0.3, temperature: 2, features: { tensor: "hidden", weight: 0.7 } };
  checkGradients({ graph: lstm(SIZES), batch: 16, shards: 1, distill });
});

describe("unrolled", () => {
  test("what a result does not depend on is left out of the steps before the last", () => {
    const { layers } = unroll(lstm(SIZES));
    const count = (name: string): number => layers.filter(({ layer }) => layer.name === name).length;
    expect([count("gates"), count("logits"), count("")]).toEqual([4, 1, 4]);
  });

  test("a window is made of the steps that are in it, and only where it is read", () => {
    const { layers, tensors } = unroll(windowed({ ...SIZES, steps: 6 }));
    const names = (name: string): string[][] =>
      layers.filter(({ layer }) => layer.name === name).map(({ inputs }) => inputs.map((at) => tensors[at].name));
    expect(names("all")).toEqual([Array.from({ length: 6 }, () => "hidden")]);
    expect(names("latest")).toEqual([
      ["seen", "x"],
      ["seen", "x", "x"],
      ...Array.from({ length: 4 }, () => ["x", "x", "x"]),
    ]);
  });

  test("each layer of a net without states stands once", () => {
    const { layers, tensors } = unroll({
      name: "flat",
      input: { name: "x", shape: [3, 1, 1] },
      layers: [{ op: "dense", name: "fc", input: "x", output: "y", outFeatures: 2 }],
    });
    expect([layers.length, tensors.map(({ name }) => name)]).toEqual([1, ["x", "y"]]);
  });

  test("the cubics of a function stand once, however many layers and steps", () => {
    const { layers } = planTraining(new SharedHeap(), lstm(SIZES), 8, 1, 1);
    const tables = layers.flatMap((layer) => (layer.op === "map" ? [layer.table] : []));
    expect([tables.length, new Set(tables).size]).toEqual([12, 2]);
  });

  test("a layer that comes too late to matter is refused by name", () => {
    const late: Graph = {
      name: "late",
      input: { name: "x", shape: [2, 1, 1] },
      states: [
        { tensor: "a", shape: [2, 1, 1], source: "first" },
        { tensor: "b", shape: [2, 1, 1], source: "second" },
      ],
      steps: 2,
      layers: [
        { op: "dense", name: "first", input: "x", output: "first", outFeatures: 2 },
        { op: "relu", name: "second", input: "a", output: "second" },
        { op: "dense", name: "fc", input: "b", output: "y", outFeatures: 2 },
      ],
    };
    expect(() => unroll(late)).toThrow("late/first: no result depends on it in 2 steps");
    expect(() => unroll({ ...late, steps: 3 })).not.toThrow();
    const called: Graph = { ...late, layers: [{ ...late.layers[0], name: "x" }, ...late.layers.slice(1)] };
    expect(() => unroll(called)).toThrow("late/x: no result depends on it in 2 steps");
  });
});
