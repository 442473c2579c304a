/** What each stage of a recipe does to a net. A stage starts from a net alone, so that a run can go on from any stage's checkpoint. */
import type { Samples } from "../data/samples.js";
import { resultsOf } from "../model/edges.js";
import { valuesOf } from "../model/geometry.js";
import type { Graph, Net } from "../model/model.js";
import { tensorShapes } from "../model/shapes.js";
import { CLASSES } from "../train/losses.js";
import { Trainer } from "../train/trainer.js";
import { calibrate, inputScale } from "../quantize/calibrate.js";
import { coarseScales } from "../quantize/coarse-multipliers.js";
import { binarize } from "./binarize.js";
import { Channels, prunableOf } from "./channels.js";
import { foldBiases, removeDeadUnits } from "./dead-units.js";
import { foldBatchNorm } from "./fold-batchnorm.js";
import { freeze, frozenAfter, gridStep, nextToFreeze, rowSteps, stepOf, toGrid, type GridLayer } from "./grid.js";
import { INQ_SHARES, largestFree, leastPower, powersOf, toPower } from "./inq.js";
import { emptyCompression, namesIn, withCompression, withIntegers, type Integers } from "./integers.js";
import { binaryConnect, fewLevels } from "./latent-stages.js";
import { flatGraph, flatNet } from "./flatten.js";
import { lowRankNet } from "./low-rank.js";
import type { FixedPointStage, FlattenStage, PqStage } from "./method-stages.js";
import { channelsByTensor, narrowGraph } from "./narrow.js";
import { near } from "./near.js";
import { productCodebooks } from "./product.js";
import { pruneMasks, survivors } from "./prune.js";
import { fisherDiagonal, rdoq } from "./rdoq.js";
import type {
  CalibrateStage,
  ChannelsStage,
  GridStage,
  InqStage,
  NarrowStage,
  RdoqStage,
  ShareStage,
  StartsStage,
  SurgeryStage,
  TrainStage,
} from "./recipe.js";
import { coarseBiases } from "./biases.js";
import { reorder } from "./reorder.js";
import { retrain, type Retraining, type TrainingContext } from "./retraining.js";
import { pruneByCurvature } from "./saliency.js";
import type { SettledPrune, SettledStage } from "./settle.js";
import { kMeans, roundCodebook } from "./share.js";
import { close, cutAndSplice, isOperating, patientOf, setAside, setThresholds } from "./surgery.js";
import { drawnNet } from "./teacher.js";
import { netWithout } from "./units.js";

export interface StageContext extends TrainingContext {
  readonly biasBits: Readonly<Record<string, number>>;
  readonly validation: Samples;
}

const narrow = (net: Net, stage: NarrowStage, context: StageContext): Promise<Net> =>
  drawn(narrowGraph(net.graph, stage.units), net, context);

/** A net with weights drawn from the seed. @param from what it comes of: its tensors have the channels that they were designed with */
async function drawn(graph: Graph, from: Net, context: StageContext): Promise<Net> {
  const { nominalChannels } = withCompression(from).compression;
  const all = { ...channelsByTensor(graph), ...nominalChannels };
  const net = await drawnNet({ ...context, graph });
  return { ...net, compression: { ...emptyCompression(graph), nominalChannels: all } };
}

/**
 * Trains several nets, each from weights of its own, and goes on with the one of the least loss on validation samples. How far a small net
 * gets depends on where it starts, and which of several gets farther shows early.
 */
async function starts(net: Net, stage: StartsStage, context: StageContext): Promise<Net> {
  const draw = (start: number): Promise<Net> =>
    drawn(net.graph, net, { ...context, seed: (context.seed + start) >>> 0 });
  const body = async (run: Retraining): Promise<void> => {
    const { trainer } = run;
    const parameters = [...trainer.parameters()];
    const best = parameters.map(([name, { data }]) => {
      const values = data.slice();
      run.keep(`${name}.best`, values);
      return values;
    });
    // As a file keeps it: finite.
    const least = Float32Array.of(3e38);
    run.keep("least", least);
    for (let start = 1; start <= stage.starts; start++) {
      if (!(await run.until((run.total / stage.starts) * start))) continue;
      const { loss } = await trainer.evaluate(context.validation, context.task ?? CLASSES);
      if (loss < least[0]) {
        least[0] = loss;
        parameters.forEach(([, { data }], i) => best[i].set(data));
      }
      const next = start < stage.starts ? (await draw(start)).tensors : undefined;
      parameters.forEach(([name, { data }], i) => data.set(next?.get(name)!.data ?? best[i]));
      trainer.resetOptimizer();
    }
  };
  return retrain(await draw(0), stage, context, body, stage.starts);
}

async function fixedPoint(net: Net, stage: FixedPointStage, context: StageContext): Promise<Net> {
  const start = stage.init === "scratch" ? await drawn(net.graph, net, context) : net;
  return retrain(start, stage, context, async (run) => {
    run.setFixedPoint(stage);
    await run.until(run.total);
  });
}

async function flatten(net: Net, stage: FlattenStage, context: StageContext): Promise<Net> {
  const graph = flatGraph(stage, net.graph);
  const flat = stage.init === "scratch" ? await drawn(graph, net, context) : flatNet(net, stage, context.seed);
  return train(flat, { ...stage, kind: "train" }, context);
}

const train = (net: Net, stage: TrainStage, context: StageContext): Promise<Net> =>
  retrain(net, stage, context, async (run) => {
    await run.until(run.total);
  });

/** Trains, and goes on to progress u (0 .. 1) every now and then. */
async function gradually(
  run: Retraining,
  stage: Pick<SettledPrune, "everyEpochs">,
  to: (u: number) => void | Promise<void>,
): Promise<void> {
  const every = Math.max(1, run.stepsFor(stage.everyEpochs));
  for (let step = Math.min(every, run.total); ; step = Math.min(step + every, run.total)) {
    if (await run.until(step)) await to(run.total === 0 ? 1 : step / run.total);
    if (step >= run.total) break;
  }
}

const prune = (net: Net, stage: SettledPrune, context: StageContext): Promise<Net> =>
  retrain(net, stage, context, async (run) => {
    const start = run.prunable().map((layer) => survivors(layer.weights));
    const to = async (u: number): Promise<void> => {
      if (stage.score === "obd" || stage.score === "obs") return pruneByCurvature(run, start, u, stage, context);
      const layers = run.prunable();
      const masks = pruneMasks(layers, start, stage.keep, u, stage);
      layers.forEach(({ name }, i) => run.setMask(name, masks[i]));
    };
    if (stage.schedule === "gradual") return gradually(run, stage, to);
    await to(1);
    await run.until(run.total);
  });

const surgery = (net: Net, stage: SurgeryStage, context: StageContext): Promise<Net> =>
  retrain(net, stage, context, async (run) => {
    const { keep, score, margin, decay, power } = stage;
    const patients = run.prunable().map(({ name }) => patientOf(run.trainer, name));
    for (const { name, hidden, mask, threshold } of patients) {
      run.keep(`${name}.hidden`, hidden);
      run.keep(`${name}.cut`, mask);
      run.keep(`${name}.threshold`, threshold);
    }
    const last = Math.max(1, Math.round(run.total * stage.until));
    const every = Math.max(1, run.stepsFor(stage.everyEpochs));
    for (let step = 0; step < last; step++) {
      if (!(await run.until(step))) continue;
      patients.forEach(setAside);
      const u = step / last;
      if (step % every === 0) setThresholds(patients, keep, score, stage.schedule === "gradual" ? u : 1, power);
      if (isOperating(context.seed, step, u, decay)) patients.forEach((patient) => cutAndSplice(patient, margin));
    }
    if (await run.until(Math.min(last, run.total))) {
      patients.forEach(setAside);
      close(patients, keep, score);
      for (const { name, mask } of patients) run.setMask(name, mask);
    }
    await run.until(run.total);
  });

async function channels(net: Net, stage: ChannelsStage, context: StageContext): Promise<Net> {
  const all = new Channels(net.graph, stage.keep);
  if (stage.schedule === "one-shot") {
    const gone = all.gone(prunableOf(net), 1, stage);
    return train(netWithout(net, all.units, gone), { ...stage, kind: "train" }, context);
  }
  const masked = await retrain(net, stage, context, (run) =>
    gradually(run, stage, (u) => {
      const layers = run.prunable();
      for (const [name, mask] of all.masks(layers, all.gone(layers, u, stage))) run.setMask(name, mask);
    }),
  );
  return removeDeadUnits(masked);
}

async function share(net: Net, stage: ShareStage<number>, context: StageContext): Promise<Net> {
  const integers = new Map<string, Integers>();
  const shared = await retrain(net, stage, context, async (run) => {
    const sharings = namesIn(net.graph, stage.bits).map((name) => {
      const k = 2 ** stage.bits[name];
      const { centroids, assignment } = kMeans(run.trainer.weight(name), k, stage.init, context.seed);
      run.setSharing(name, { centroids, assignment });
      return { name, centroids, assignment };
    });
    await run.until(run.total);
    for (const { name, centroids, assignment } of sharings) integers.set(name, onCodebook(centroids, assignment));
  });
  return withIntegers(shared, integers);
}

async function productQuantize(net: Net, stage: PqStage, context: StageContext): Promise<Net> {
  const integers = new Map<string, Integers>();
  const trained = await retrain(net, stage, context, async (run) => {
    const layers = namesIn(net.graph, stage.centroids).map((name) => {
      const rows = run.trainer.bias(name).length;
      const weights = run.trainer.weight(name);
      const { elements, assignment } = productCodebooks(
        weights,
        rows,
        stage.width,
        stage.centroids[name],
        context.seed,
      );
      run.setSharing(name, { centroids: elements, assignment });
      return { name, elements, assignment };
    });
    await run.until(run.total);
    for (const { name, elements, assignment } of layers) integers.set(name, onCodebook(elements, assignment));
  });
  return withIntegers(trained, integers);
}

/** Weights as their centroids, rounded to int8. */
function onCodebook(centroids: Float32Array, assignment: Int32Array): Integers {
  const { scale, codes } = roundCodebook(centroids);
  return {
    scales: Float32Array.of(scale),
    integers: Int8Array.from(assignment, (of) => (of < 0 ? 0 : codes[of])),
  };
}

async function grid(net: Net, stage: GridStage<number>, context: StageContext): Promise<Net> {
  const integersOf = new Map<string, Integers>();
  const trained = await retrain(net, stage, context, async (run) => {
    const names = namesIn(net.graph, stage.step);
    const layers = names.map((name): GridLayer => {
      const weights = run.trainer.weight(name);
      const factor = stage.step[name];
      const rows = run.trainer.bias(name).length;
      const steps =
        stage.scales === "row" ? rowSteps(weights, rows, factor) : Float32Array.of(gridStep(weights, factor));
      const frozen = new Uint8Array(weights.length);
      run.setFrozen(name, frozen);
      return { weights, frozen, secondMoment: run.trainer.secondMoment(name), steps };
    });
    const total = layers.reduce((sum, layer) => sum + survivors(layer.weights), 0);
    // One piece of training more than shares to freeze: in the last only the biases still learn.
    for (let part = 1; part <= stage.parts; part++) {
      if (!(await run.until(Math.round((run.total * part) / (stage.parts + 1))))) continue;
      const count = frozenAfter(total, part, stage.parts) - frozenAfter(total, part - 1, stage.parts);
      const chosen = nextToFreeze(layers, count);
      layers.forEach((layer, i) => freeze(layer, chosen[i], stage.limit));
      run.maskZeros();
      names.forEach((name, i) => run.setFrozen(name, layers[i].frozen));
    }
    await run.until(run.total);
    layers.forEach((layer, i) => {
      const integers = Int8Array.from(layer.weights, (w, at) => toGrid(w, stepOf(layer, at), stage.limit));
      integersOf.set(names[i], { scales: layer.steps, integers });
    });
  });
  return withIntegers(trained, integersOf);
}

async function incremental(net: Net, stage: InqStage, context: StageContext): Promise<Net> {
  const integersOf = new Map<string, Integers>();
  const trained = await retrain(net, stage, context, async (run) => {
    const layers = namesIn(net.graph, stage.bits).map((name) => {
      const weights = run.trainer.weight(name);
      const powers = powersOf(stage.bits[name]);
      const frozen = new Uint8Array(weights.length);
      run.setFrozen(name, frozen);
      return { name, weights, powers, frozen, step: leastPower(weights, powers), total: survivors(weights) };
    });
    for (const [part, share] of INQ_SHARES.entries()) {
      if (!(await run.until(Math.round((run.total * part) / (INQ_SHARES.length - 1))))) continue;
      for (const { name, weights, powers, frozen, step, total } of layers) {
        const before = part === 0 ? 0 : Math.floor(total * INQ_SHARES[part - 1]);
        for (const i of largestFree(weights, frozen, Math.floor(total * share) - before)) {
          weights[i] = toPower(weights[i], step, powers) * step;
          frozen[i] = 1;
        }
        run.setFrozen(name, frozen);
      }
      run.maskZeros();
    }
    await run.until(run.total);
    for (const { name, weights, powers, step } of layers) {
      const integers = Int8Array.from(weights, (w) => toPower(w, step, powers));
      integersOf.set(name, { scales: Float32Array.of(step), integers });
    }
  });
  return withIntegers(trained, integersOf);
}

async function rateDistortion(net: Net, stage: RdoqStage<number>, context: StageContext): Promise<Net> {
  const names = namesIn(net.graph, stage.step);
  const fisher = await fisherDiagonal(net, names, { ...context, samples: context.train });
  const layers = names.map((name) => {
    const weights = net.tensors.get(`${name}.weight`)!.data;
    return { weights, fisher: fisher.get(name)!, step: gridStep(weights, stage.step[name]) };
  });
  const integers = rdoq(layers, stage.lambda, stage.limit);
  const quantized = withIntegers(
    net,
    new Map(names.map((name, i) => [name, { scales: Float32Array.of(layers[i].step), integers: integers[i] }])),
  );
  return train(quantized, { ...stage, kind: "train" }, { ...context, fixed: [...context.fixed, ...names] });
}

async function calibrated(net: Net, stage: CalibrateStage, context: StageContext, digits: Samples): Promise<Net> {
  const { runtime, seed, batch } = context;
  const trainer = await Trainer.create({ runtime, graph: net.graph, seed, threads: 1, batch });
  try {
    trainer.load(net);
    const scores = tensorShapes(net.graph).get(resultsOf(net.graph)[0])!;
    const classes = (context.task ?? CLASSES).loss === "softmax" ? valuesOf(scores) : undefined;
    const run = (visit: Parameters<typeof trainer.activations>[1]) => trainer.activations(digits, visit);
    const { multiplierBits, activationBits } = stage;
    const scales = await calibrate(net.graph, classes, run, stage.range, inputScale(digits), activationBits);
    const { biasBits } = context;
    const { compression } = withCompression(net);
    const activations =
      multiplierBits === undefined ? scales : coarseScales(net.graph, compression.weightScale, scales, multiplierBits);
    return {
      ...net,
      compression: {
        ...compression,
        activations,
        ...(Object.keys(biasBits).length > 0 && { biasBits }),
        ...(multiplierBits !== undefined && { multiplierBits }),
        ...(activationBits === 16 && { activationBits }),
      },
    };
  } finally {
    await trainer.close();
  }
}

/** Runs one stage. @throws MoteError INTERRUPTED when the context's signal stops it: its keeper has the state then. DIVERGED */
export function runStage(net: Net, stage: SettledStage, context: StageContext, calibration: Samples): Promise<Net> {
  // What a run starts from may have batch normalizations; what a stage works on has none.
  const start = withCompression(foldBatchNorm(net));
  switch (stage.kind) {
    case "narrow":
      return narrow(start, stage, context);
    case "starts":
      return starts(start, stage, context);
    case "train":
      return train(start, stage, context);
    case "prune":
      return prune(start, stage, context);
    case "surgery":
      return surgery(start, stage, context);
    case "channels":
      return channels(start, stage, context);
    case "share":
      return share(start, stage, context);
    case "grid":
      return grid(start, stage, context);
    case "rdoq":
      return rateDistortion(start, stage, context);
    case "inq":
      return incremental(start, stage, context);
    case "low-rank":
      return train(lowRankNet(start, stage, context.biasBits), { ...stage, kind: "train" }, context);
    case "flatten":
      return flatten(start, stage, context);
    case "binary-connect":
      return binaryConnect(start, stage, context);
    case "binarize":
      return binarize(start, stage, context);
    case "levels":
      return fewLevels(start, stage, context);
    case "near":
      return near(start, stage, context);
    case "pq":
      return productQuantize(start, stage, context);
    case "fixed-point":
      return fixedPoint(start, stage, context);
    case "dead-units":
      return Promise.resolve(removeDeadUnits(foldBiases(start)));
    case "reorder":
      return reorder(start, { ...context, tries: stage.tries });
    case "calibrate":
      return calibrated(start, stage, context, calibration);
    case "biases":
      return coarseBiases(start, stage, context);
  }
}
