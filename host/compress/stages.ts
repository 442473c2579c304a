/** What each stage of a recipe does to a net. A stage starts from a net alone, so that a run can go on from any stage's checkpoint. */
import type { Samples } from "../data/samples.js";
import { MoteError } from "../errors.js";
import type { Compression, Graph, Net } from "../model.js";
import { tensorShapes } from "../shapes.js";
import { Trainer } from "../train/trainer.js";
import { calibrate } from "./calibrate.js";
import { foldableBiases, foldBiases, removeDeadUnits } from "./dead-units.js";
import { freeze, frozenAfter, gridStep, nextToFreeze, type GridLayer } from "./grid.js";
import { weightedLayers } from "./integer-stages.js";
import { channelsByTensor, narrowGraph } from "./narrow.js";
import { pruneMasks, survivors, type PrunableLayer } from "./prune.js";
import type {
  CalibrateStage,
  GridStage,
  NarrowStage,
  PruneStage,
  Recipe,
  Schedule,
  ShareStage,
  Stage,
  TrainStage,
} from "./recipe.js";
import { kMeans, roundCodebook } from "./share.js";

export interface StageContext {
  readonly seed: number;
  readonly threads: number;
  readonly batch: number;
  /** What students train on: the training split, or a bank of augmented copies of it. */
  readonly data: Samples;
  /** The training split, not augmented. */
  readonly train: Samples;
  readonly augment: number;
  readonly distill?: NonNullable<Recipe["distill"]>;
  /** Layers whose weights an earlier stage has brought to their integers: no longer trained, but for their biases. */
  readonly fixed: readonly string[];
  readonly biasBits: Readonly<Record<string, number>>;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number, loss: number) => void;
}

const emptyCompression = (graph: Graph): Compression => ({
  nominalChannels: channelsByTensor(graph),
  weightScale: {},
  activations: {},
});

/** The net with a compression record, from its own graph if it has none yet. */
export const withCompression = (net: Net): Net & { readonly compression: Compression } => ({
  ...net,
  compression: net.compression ?? emptyCompression(net.graph),
});

/** Cosine from lr to lrEnd over `total` steps. */
export function cosine(schedule: Schedule, total: number): (step: number) => number {
  const { lr, lrEnd } = schedule;
  return (step) => lrEnd + ((lr - lrEnd) * (1 + Math.cos((Math.PI * step) / Math.max(1, total)))) / 2;
}

/** One stage's training: a trainer that holds the net with what is pruned, and a schedule that is run piece by piece. */
class Retraining {
  private done = 0;
  readonly total: number;

  private constructor(
    readonly trainer: Trainer,
    private readonly schedule: Schedule,
    private readonly context: StageContext,
  ) {
    this.total = this.stepsFor(schedule.epochs);
  }

  static async start(net: Net, schedule: Schedule, context: StageContext): Promise<Retraining> {
    const { seed, threads, batch } = context;
    const trainer = await Trainer.create({ graph: net.graph, seed, threads, batch });
    trainer.load(net);
    const run = new Retraining(trainer, schedule, context);
    run.maskZeros();
    for (const name of context.fixed) trainer.setFrozen(name, new Uint8Array(trainer.weight(name).length).fill(1));
    // The next layer's bias does the work of these.
    for (const name of foldableBiases(net.graph)) {
      const bias = trainer.bias(name);
      if (bias.every((b) => b === 0)) trainer.setFrozenBias(name, new Uint8Array(bias.length).fill(1));
    }
    return run;
  }

  stepsFor(epochs: number): number {
    return Math.round((epochs * this.context.train.count) / this.context.batch);
  }

  /** Weights that are exactly 0 are pruned and stay so. A layer without any needs no mask. */
  maskZeros(): void {
    for (const { name } of weightedLayers(this.trainer.graph)) {
      const weight = this.trainer.weight(name);
      const mask = Uint8Array.from(weight, (w) => (w === 0 ? 0 : 1));
      this.trainer.setMask(name, mask.includes(0) ? mask : null);
    }
  }

  /** Trains up to step `step` of the schedule. @throws MoteError INTERRUPTED */
  async until(step: number): Promise<void> {
    const { data, augment, distill, signal, onProgress } = this.context;
    const steps = Math.min(step, this.total) - this.done;
    if (signal?.aborted) throw new MoteError("INTERRUPTED", "stopped");
    if (steps <= 0) return;
    const before = this.done;
    const result = await this.trainer.train({
      data,
      steps,
      firstStep: before,
      lr: cosine(this.schedule, this.total),
      optimizer: { kind: "adam", weightDecay: 0 },
      augment,
      ...(distill && { distill }),
      ...(signal && { signal }),
      onProgress: (done, _, loss) => onProgress?.(before + done, this.total, loss),
    });
    if (result.steps < steps) throw new MoteError("INTERRUPTED", "stopped");
    this.done += steps;
  }

  prunable(): PrunableLayer[] {
    const { graph } = this.trainer;
    const shapes = tensorShapes(graph);
    return weightedLayers(graph).map(({ name, output }) => ({
      name,
      positions: shapes.get(output)![1] * shapes.get(output)![2],
      weights: this.trainer.weight(name),
      rows: this.trainer.bias(name).length,
      secondMoment: this.trainer.secondMoment(name),
    }));
  }
}

/** Runs `body` on a trainer and ends its threads whatever happens. */
async function retrain(
  net: Net,
  schedule: Schedule,
  context: StageContext,
  body: (run: Retraining) => Promise<void>,
): Promise<Net> {
  const run = await Retraining.start(net, schedule, context);
  try {
    await body(run);
    return { ...run.trainer.toNet(), ...(net.compression && { compression: net.compression }) };
  } finally {
    await run.trainer.close();
  }
}

async function narrow(net: Net, stage: NarrowStage, context: StageContext): Promise<Net> {
  const trainer = await Trainer.create({
    graph: narrowGraph(net.graph, stage.units),
    seed: context.seed,
    threads: 1,
    batch: context.batch,
  });
  try {
    return { ...trainer.toNet(), compression: emptyCompression(net.graph) };
  } finally {
    await trainer.close();
  }
}

const train = (net: Net, stage: TrainStage, context: StageContext): Promise<Net> =>
  retrain(net, stage, context, (run) => run.until(run.total));

const prune = (net: Net, stage: PruneStage, context: StageContext): Promise<Net> =>
  retrain(net, stage, context, async (run) => {
    const start = run.prunable().map((layer) => survivors(layer.weights));
    const to = (u: number): void => {
      const layers = run.prunable();
      const masks = pruneMasks(layers, start, stage.keep, u, stage);
      layers.forEach(({ name }, i) => run.trainer.setMask(name, masks[i]));
    };
    if (stage.schedule === "one-shot") {
      to(1);
      await run.until(run.total);
      return;
    }
    const every = Math.max(1, run.stepsFor(stage.everyEpochs));
    for (let step = Math.min(every, run.total); ; step = Math.min(step + every, run.total)) {
      await run.until(step);
      to(run.total === 0 ? 1 : step / run.total);
      if (step >= run.total) break;
    }
  });

/** The layers that a setting by layer names, in the net's order. */
const namesIn = (graph: Graph, values: Readonly<Record<string, number>>): string[] =>
  weightedLayers(graph)
    .map(({ name }) => name)
    .filter((name) => Object.hasOwn(values, name));

/** The net with the scales of the layers that a stage has brought to their integers, beside those of earlier stages. */
function withScales(net: Net, scales: Readonly<Record<string, number>>): Net {
  const { compression } = withCompression(net);
  return { ...net, compression: { ...compression, weightScale: { ...compression.weightScale, ...scales } } };
}

async function share(net: Net, stage: ShareStage, context: StageContext): Promise<Net> {
  const weightScale = new Map<string, number>();
  const shared = await retrain(net, stage, context, async (run) => {
    const sharings = namesIn(net.graph, stage.bits).map((name) => {
      const k = 2 ** stage.bits[name];
      const { centroids, assignment } = kMeans(run.trainer.weight(name), k, stage.init, context.seed);
      run.trainer.setSharing(name, { centroids, assignment });
      return { name, centroids, assignment };
    });
    await run.until(run.total);
    for (const { name, centroids, assignment } of sharings) {
      const { scale, codes } = roundCodebook(centroids);
      run.trainer.setSharing(name, null);
      const weight = run.trainer.weight(name);
      for (let i = 0; i < weight.length; i++) weight[i] = assignment[i] < 0 ? 0 : scale * codes[assignment[i]];
      weightScale.set(name, scale);
    }
  });
  return withScales(shared, Object.fromEntries(weightScale));
}

async function grid(net: Net, stage: GridStage, context: StageContext): Promise<Net> {
  const weightScale = new Map<string, number>();
  const onGrid = await retrain(net, stage, context, async (run) => {
    const names = namesIn(net.graph, stage.step);
    const layers = names.map((name): GridLayer => {
      const weights = run.trainer.weight(name);
      const step = gridStep(weights, stage.step[name]);
      weightScale.set(name, step);
      return { weights, frozen: new Uint8Array(weights.length), secondMoment: run.trainer.secondMoment(name), step };
    });
    const total = layers.reduce((sum, layer) => sum + survivors(layer.weights), 0);
    // One piece of training more than shares to freeze: in the last only the biases still learn.
    let frozen = 0;
    for (let part = 1; part <= stage.parts; part++) {
      await run.until(Math.round((run.total * part) / (stage.parts + 1)));
      const goal = frozenAfter(total, part, stage.parts);
      const chosen = nextToFreeze(layers, goal - frozen);
      layers.forEach((layer, i) => freeze(layer, chosen[i], stage.limit));
      frozen = goal;
      run.maskZeros();
      names.forEach((name, i) => run.trainer.setFrozen(name, layers[i].frozen));
    }
    await run.until(run.total);
  });
  return withScales(onGrid, Object.fromEntries(weightScale));
}

async function calibrated(net: Net, stage: CalibrateStage, context: StageContext, digits: Samples): Promise<Net> {
  const trainer = await Trainer.create({ graph: net.graph, seed: context.seed, threads: 1, batch: context.batch });
  try {
    trainer.load(net);
    const classes = trainer.bias(weightedLayers(net.graph).at(-1)!.name).length;
    const activations = await calibrate(net.graph, classes, (visit) => trainer.activations(digits, visit), stage.range);
    const biasBits = context.biasBits;
    const { compression } = withCompression(net);
    return {
      ...net,
      compression: { ...compression, activations, ...(Object.keys(biasBits).length > 0 && { biasBits }) },
    };
  } finally {
    await trainer.close();
  }
}

/** Runs one stage. @throws MoteError INTERRUPTED when the context's signal stops it; nothing is kept of the stage then */
export function runStage(net: Net, stage: Stage, context: StageContext, calibration: Samples): Promise<Net> {
  const start = withCompression(net);
  switch (stage.kind) {
    case "narrow":
      return narrow(start, stage, context);
    case "train":
      return train(start, stage, context);
    case "prune":
      return prune(start, stage, context);
    case "share":
      return share(start, stage, context);
    case "grid":
      return grid(start, stage, context);
    case "dead-units":
      return Promise.resolve(removeDeadUnits(foldBiases(start)));
    case "calibrate":
      return calibrated(start, stage, context, calibration);
  }
}
