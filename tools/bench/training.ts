/** Speed of the training engine: an epoch of 60,000 digits, augmented, dense and with few survivors. */
import { loadMnist } from "../../host/node/data/mnist.js";
import type { Graph } from "../../host/model/model.js";
import { Random } from "../../host/rng.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { benchEpoch } from "../../host/train/bench.js";
import { lenet300, lenet5 } from "../../host/train/nets.js";
import { atMost, rounded, type BenchOptions, type Figure, type Group } from "./figure.js";

const QUICK_FRACTION = 0.1;
/** Weights left in each layer of the sparse net, as in a LeNet-5 of 2 KB. */
const SURVIVORS: Readonly<Record<string, readonly [left: number, of: number]>> = {
  conv1: [150, 20 * 25],
  conv2: [750, 50 * 20 * 25],
  fc1: [1_400, 500 * 800],
  fc2: [200, 10 * 500],
};

export const trainingGroup: Group = {
  name: "training",
  summary: `seconds an epoch, GFLOP/s a core; from ${100 * QUICK_FRACTION} % of an epoch, --full: a whole one`,
  measure: measureTraining,
};

async function measureTraining({ full, threads, note }: BenchOptions): Promise<Figure[]> {
  const { train } = loadMnist();
  const fraction = full ? 1 : QUICK_FRACTION;
  const epoch = (graph: Graph, on: number, masks = {}): ReturnType<typeof benchEpoch> => {
    note(`${graph.name}, ${on} threads${Object.keys(masks).length > 0 ? ", few survivors" : ""}`);
    return benchEpoch({ runtime: nodeRuntime, graph, data: train, threads: on, fraction, masks });
  };
  const dense = await epoch(lenet5, threads);
  const wide = await epoch(lenet300, threads);
  const sparse = await epoch(lenet5, 1, fewSurvivors());
  const of = `${dense.threads} ${dense.threads === 1 ? "thread" : "threads"}`;
  const seconds = rounded(dense.seconds);
  return [
    // The target is stated for 4 threads.
    dense.threads === 4
      ? atMost("training.lenet5.seconds", `LeNet-5, one epoch of 60,000, ${of}`, seconds, "s", 13)
      : { id: "training.lenet5.seconds", name: `LeNet-5, one epoch of 60,000, ${of}`, value: seconds, unit: "s" },
    {
      id: "training.lenet5.gflops",
      name: `LeNet-5, arithmetic a core, ${of}`,
      value: rounded(dense.gflopsPerCore),
      unit: "GFLOP/s",
    },
    {
      id: "training.lenet300.seconds",
      name: `LeNet-300-100, one epoch of 60,000, ${of}`,
      value: rounded(wide.seconds),
      unit: "s",
    },
    {
      id: "training.lenet300.gflops",
      name: `LeNet-300-100, arithmetic a core, ${of}`,
      value: rounded(wide.gflopsPerCore),
      unit: "GFLOP/s",
    },
    {
      id: "training.lenet5.sparse.seconds",
      name: "LeNet-5 with 2,500 weights left, one epoch of 60,000, 1 thread",
      value: rounded(sparse.seconds),
      unit: "s",
    },
  ];
}

function fewSurvivors(): Record<string, Uint8Array> {
  const random = new Random(3);
  return Object.fromEntries(
    Object.entries(SURVIVORS).map(([layer, [left, of]]) => {
      const mask = new Uint8Array(of);
      for (let placed = 0; placed < left;) {
        const at = random.integer(of);
        placed += 1 - mask[at];
        mask[at] = 1;
      }
      return [layer, mask];
    }),
  );
}
