/** Nets with states, for the tests of training. */
import type { Graph, Layer } from "../../host/model/model.js";

const dense = (name: string, input: string, outFeatures: number): Layer => ({
  op: "dense",
  name,
  input,
  output: name,
  outFeatures,
});
const crop = (name: string, input: string, channel: number, channels: number): Layer => ({
  op: "crop",
  name,
  input,
  output: name,
  channel,
  channels,
});
const map = (name: string, input: string, called: "sigmoid" | "tanh"): Layer => ({
  op: "map",
  name,
  input,
  output: name,
  function: called,
});
const join = (op: "add" | "mul" | "concat", name: string, a: string, b: string): Layer => ({
  op,
  name,
  inputs: [a, b],
  output: name,
});

export interface RecurrentSizes {
  readonly features: number;
  readonly units: number;
  readonly steps: number;
  readonly classes: number;
}

/** Hochreiter and Schmidhuber 1997, with a forget gate: all gates by one layer, which reads input and output as one tensor. */
export const lstm = ({ features, units, steps, classes }: RecurrentSizes): Graph => ({
  name: "lstm",
  input: { name: "x", shape: [features, 1, 1] },
  states: [
    { tensor: "h", shape: [units, 1, 1], source: "hidden" },
    { tensor: "c", shape: [units, 1, 1], source: "cell" },
  ],
  steps,
  layers: [
    join("concat", "xh", "x", "h"),
    dense("gates", "xh", 4 * units),
    crop("open", "gates", 0, 3 * units),
    map("opened", "open", "sigmoid"),
    crop("in", "opened", 0, units),
    crop("forget", "opened", units, units),
    crop("out", "opened", 2 * units, units),
    crop("new", "gates", 3 * units, units),
    map("candidate", "new", "tanh"),
    join("mul", "added", "in", "candidate"),
    join("mul", "kept", "forget", "c"),
    join("add", "cell", "added", "kept"),
    map("squashed", "cell", "tanh"),
    join("mul", "hidden", "out", "squashed"),
    dense("logits", "hidden", classes),
  ],
});

/**
 * A convolution over the latest three steps of the input, and classes by all steps of what it makes: windows over time, of which the first is read in each step,
 * the second after the last.
 */
export const windowed = ({ features, units, steps, classes }: RecurrentSizes): Graph => ({
  name: "windowed",
  input: { name: "x", shape: [features, 1, 1] },
  states: [
    { tensor: "seen", shape: [features, 1, 3], source: "latest" },
    { tensor: "kept", shape: [units, 1, steps], source: "all" },
  ],
  steps,
  layers: [
    { op: "append", name: "latest", inputs: ["seen", "x"], output: "latest", columns: 3 },
    {
      op: "conv2d",
      name: "conv",
      input: "latest",
      output: "conv",
      outChannels: units,
      kernel: [1, 3],
      stride: 1,
      pad: 0,
      groups: 1,
    },
    map("hidden", "conv", "tanh"),
    { op: "append", name: "all", inputs: ["kept", "hidden"], output: "all", columns: steps },
    dense("logits", "all", classes),
  ],
});

/** Cho et al. 2014, as PyTorch has it: what is read of the state has a layer of its own. */
export const gru = ({ features, units, steps, classes }: RecurrentSizes): Graph => ({
  name: "gru",
  input: { name: "x", shape: [features, 1, 1] },
  states: [{ tensor: "h", shape: [units, 1, 1], source: "hidden" }],
  steps,
  layers: [
    dense("wx", "x", 3 * units),
    dense("uh", "h", 3 * units),
    crop("wx-gates", "wx", 0, 2 * units),
    crop("uh-gates", "uh", 0, 2 * units),
    join("add", "gates", "wx-gates", "uh-gates"),
    map("opened", "gates", "sigmoid"),
    crop("reset", "opened", 0, units),
    crop("update", "opened", units, units),
    crop("wx-new", "wx", 2 * units, units),
    crop("uh-new", "uh", 2 * units, units),
    join("mul", "old", "reset", "uh-new"),
    join("add", "sum", "wx-new", "old"),
    map("new", "sum", "tanh"),
    { op: "add", name: "change", inputs: ["h", "new"], output: "change", sign: -1 },
    join("mul", "kept", "update", "change"),
    join("add", "hidden", "new", "kept"),
    dense("logits", "hidden", classes),
  ],
});
