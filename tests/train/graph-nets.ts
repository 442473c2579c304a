/** Small nets that branch, for the tests of training, and samples for them. */
import { sharedBytes, sharedFloats, type Samples } from "../../host/data/samples.js";
import type { Graph, Layer } from "../../host/model/model.js";
import { Random } from "../../host/rng.js";
import { barSamples } from "./support.js";

/** A convolution of 3 × 3 with a normalization, whose output has its name. */
function normed(name: string, input: string, outChannels: number, stride = 1, groups = 1): Layer[] {
  const convolved = `${name}-conv`;
  return [
    { op: "conv2d", name: convolved, input, output: convolved, outChannels, kernel: [3, 3], stride, pad: 1, groups },
    { op: "batchnorm", name, input: convolved, output: name, epsilon: 1e-3 },
  ];
}

function pointwise(name: string, input: string, outChannels: number): Layer[] {
  const convolved = `${name}-conv`;
  return [
    {
      op: "conv2d",
      name: convolved,
      input,
      output: convolved,
      outChannels,
      kernel: [1, 1],
      stride: 1,
      pad: 0,
      groups: 1,
    },
    { op: "batchnorm", name, input: convolved, output: name, epsilon: 1e-3 },
  ];
}

const relu = (name: string, input: string): Layer => ({ op: "relu", name, input, output: name });
const add = (name: string, a: string, b: string): Layer => ({ op: "add", name, inputs: [a, b], output: name });
const relu6 = (name: string, input: string): Layer => ({ op: "clamp", name, input, output: name, low: 0, high: 6 });
const head = (input: string, size: number): Layer[] => [
  { op: "avgpool", name: "pool", input, output: "pool", kernel: size, stride: size },
  { op: "dense", name: "fc", input: "pool", output: "logits", outFeatures: 4 },
];

/** Two blocks, the second with a step and a projection. */
export const tinyResnet: Graph = {
  name: "tiny-resnet",
  input: { name: "image", shape: [1, 8, 8] },
  layers: [
    ...normed("stem", "image", 8),
    relu("stem-relu", "stem"),
    ...normed("a1", "stem-relu", 8),
    relu("a1-relu", "a1"),
    ...normed("a2", "a1-relu", 8),
    add("a-sum", "stem-relu", "a2"),
    relu("a", "a-sum"),
    ...normed("b1", "a", 12, 2),
    relu("b1-relu", "b1"),
    ...normed("b2", "b1-relu", 12),
    ...normed("b-short", "a", 12, 2),
    add("b-sum", "b2", "b-short"),
    relu("b", "b-sum"),
    ...head("b", 2),
  ],
};

/** An inverted residual with squeeze and excitation. */
export const tinyMobilenet: Graph = {
  name: "tiny-mobilenet",
  input: { name: "image", shape: [1, 8, 8] },
  layers: [
    ...normed("stem", "image", 6),
    relu6("stem6", "stem"),
    ...pointwise("wide", "stem6", 18),
    relu6("wide6", "wide"),
    ...normed("deep", "wide6", 18, 1, 18),
    { op: "map", name: "deep-swish", input: "deep", output: "deep-swish", function: "hard-swish" },
    { op: "avgpool", name: "squeeze", input: "deep-swish", output: "squeeze", kernel: 8, stride: 1 },
    { op: "dense", name: "excite", input: "squeeze", output: "excite", outFeatures: 18 },
    { op: "map", name: "gate", input: "excite", output: "gate", function: "sigmoid" },
    { op: "mul", name: "gated", inputs: ["deep-swish", "gate"], output: "gated" },
    ...pointwise("narrow", "gated", 6),
    add("sum", "stem6", "narrow"),
    ...head("sum", 4),
  ],
};

/** An encoder, a decoder that makes the input again, and a second result: the code's classes. */
export const autoencoder: Graph = {
  name: "autoencoder",
  input: { name: "image", shape: [1, 8, 8] },
  layers: [
    { op: "dense", name: "code", input: "image", output: "code", outFeatures: 12 },
    { op: "map", name: "code-tanh", input: "code", output: "code-tanh", function: "tanh" },
    { op: "dense", name: "decoder", input: "code-tanh", output: "again", outFeatures: 64 },
    { op: "dense", name: "classes", input: "code-tanh", output: "classes", outFeatures: 4 },
  ],
  outputs: ["again", "classes"],
};

/** Bars as floats, to be made again and to be told apart: 64 values and four labels of which one is 1. */
export function autoencoderSamples(count: number, seed: number): Samples {
  const { images, labels } = barSamples(count, seed);
  const reals = sharedFloats(images.length);
  images.forEach((value, i) => (reals[i] = (value - 64) / 64));
  const targets = sharedFloats(count * 68);
  for (let n = 0; n < count; n++) {
    targets.set(
      reals.subarray(n * 64, (n + 1) * 64).map((value) => value * 0.5 + 0.25),
      n * 68,
    );
    targets[n * 68 + 64 + labels[n]] = 1;
  }
  return { count, images: reals, reading: { scale: [0.5], offset: [0.25] }, targets };
}

/** Two bars at most, each of four with a label of its own. */
export function severalBars(count: number, seed: number): Samples {
  const random = new Random(seed);
  const images = sharedBytes(count * 64);
  const targets = sharedFloats(count * 4);
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < 64; i++) images[n * 64 + i] = random.integer(100);
    for (let label = 0; label < 4; label++) {
      if (random.uniform() < 0.6) continue;
      targets[n * 4 + label] = 1;
      for (let i = 0; i < 8; i++)
        images[n * 64 + (label < 2 ? 16 + 24 * label + i : 8 * i + 2 + 3 * (label - 2))] += 120;
    }
  }
  return { count, images, targets };
}
