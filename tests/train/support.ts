/** Small nets and digits-like samples for the tests of the trainer. */
import { survivors } from "../../host/compress/prune.js";
import type { StageContext } from "../../host/compress/stages.js";
import { sharedBytes, type LabelledPictures, type Samples } from "../../host/data/samples.js";
import type { Graph, Net } from "../../host/model/model.js";
import { Random } from "../../host/rng.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { decodeCheckpoint, encodeCheckpoint } from "../../host/train/checkpoint.js";
import { Trainer } from "../../host/train/trainer.js";

/** Every kind of layer that LeNet has, on 8 × 8 images with four classes. */
export const smallNet: Graph = {
  name: "small",
  input: { name: "image", shape: [1, 8, 8] },
  layers: [
    {
      op: "conv2d",
      name: "conv",
      input: "image",
      output: "conv",
      outChannels: 6,
      kernel: [3, 3],
      stride: 1,
      pad: 1,
      groups: 1,
    },
    { op: "maxpool", name: "pool", input: "conv", output: "pool", kernel: 2, stride: 2 },
    { op: "dense", name: "fc1", input: "pool", output: "fc1", outFeatures: 24 },
    { op: "relu", name: "relu", input: "fc1", output: "relu" },
    { op: "dense", name: "fc2", input: "relu", output: "logits", outFeatures: 4 },
  ],
};

/** A bright bar at one of four places, with noise: a net of this size learns it within a hundred steps. */
export function barSamples(count: number, seed: number): LabelledPictures {
  const random = new Random(seed);
  const images = sharedBytes(count * 64);
  const labels = sharedBytes(count);
  for (let n = 0; n < count; n++) {
    const label = random.integer(4);
    labels[n] = label;
    for (let i = 0; i < 64; i++) {
      const inBar = label < 2 ? Math.floor(i / 8) === 2 + 3 * label : i % 8 === 2 + 3 * (label - 2);
      images[n * 64 + i] = random.integer(120) + (inBar ? 100 : 0);
    }
  }
  return { count, images, labels };
}

/** All weights as one list of bytes, to compare runs. */
export function netBytes(net: Net): Buffer {
  return Buffer.concat(
    [...net.tensors.values()].map(({ data }) =>
      Buffer.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
    ),
  );
}

/** Keeps a stage's state as the bytes that a work folder's file has. */
export function fileKeeper(): StageContext["keeper"] {
  let state: Uint8Array | undefined;
  return {
    load: () => state && decodeCheckpoint(state, "state"),
    save: (kept) => void (state = encodeCheckpoint("state", kept)),
  };
}

/** What a stage takes, on plain samples and one thread, with nothing kept. */
export const stageContext = (samples: Samples, biasBits: StageContext["biasBits"] = {}): StageContext => ({
  runtime: nodeRuntime,
  seed: 1,
  threads: 1,
  batch: 32,
  data: samples,
  train: samples,
  validation: samples,
  augment: 0,
  fixed: [],
  biasBits,
  keeper: { load: () => undefined, save: () => {} },
});

/** Trains a net of a graph from the seed 1 on, or not at all. */
export async function startedNet(graph: Graph, data: Samples, steps = 0, rate = 0.003): Promise<Net> {
  const trainer = await Trainer.create({ runtime: nodeRuntime, graph, seed: 1, threads: 1, batch: 32 });
  try {
    if (steps > 0) await trainer.train({ data, steps, firstStep: 0, lr: () => rate, weightDecay: 0 });
    return trainer.toNet();
  } finally {
    await trainer.close();
  }
}

/** What `ask` finds out of a net. */
export async function asked<T>(net: Net, ask: (trainer: Trainer) => Promise<T>): Promise<T> {
  const trainer = await Trainer.create({ runtime: nodeRuntime, graph: net.graph, seed: 1, threads: 1, batch: 32 });
  try {
    trainer.load(net);
    return await ask(trainer);
  } finally {
    await trainer.close();
  }
}

/** Weights of a net that are left. */
export const left = ({ tensors }: Net): number =>
  [...tensors].reduce((sum, [name, { data }]) => sum + (name.endsWith(".weight") ? survivors(data) : 0), 0);
