/**
 * Experiments on which weights go, one seed each: "scores" without retraining (LeCun et al. 1990, Hassibi and Stork 1993), and "retraining",
 * the five curves of Figure 5 of Han, Pool, Tran and Dally 2015, "Learning both weights and connections for efficient neural networks", and one with
 * dropout by sparsity, of their section 3.2.
 */
import type { Graph } from "../model/model.js";
import type { PruneScore } from "../compress/prune.js";
import { parseRecipe } from "../compress/recipe.js";
import type { Method, Trial } from "./experiment.js";

interface PruningExtent {
  readonly teacherEpochs: number;
  /** Of a retraining. */
  readonly epochs: number;
  readonly keeps: Readonly<Record<"scores" | "retraining", readonly number[]>>;
}

/** Short, so that all of LeNet-300-100 takes some minutes. */
const FULL: PruningExtent = {
  teacherEpochs: 3,
  epochs: 1,
  keeps: { scores: [0.5, 0.3, 0.2, 0.1, 0.05], retraining: [0.3, 0.1, 0.05, 0.03] },
};
const QUICK: PruningExtent = {
  teacherEpochs: 2,
  epochs: 0.5,
  keeps: { scores: [0.3, 0.1], retraining: [0.3, 0.1] },
};

const SEED = 1;
const WEIGHT_DECAY = 0.01;
/** Makes LeNet-300's weights smaller by a third in the epochs that it has. */
const L1 = 0.01;
/** Of hidden units, before anything is pruned. */
const DROPOUT = 0.5;
const SCORES: readonly (Method & PruneScore)[] = ["magnitude", "lamp", "obd", "obs"];

type Keys = Readonly<Record<string, unknown>>;

/** @param name of the experiment */
export function pruningTrials(name: "scores" | "retraining", graph: Graph, isQuick: boolean): Trial[] {
  const { teacherEpochs, epochs, keeps: all } = isQuick ? QUICK : FULL;
  const keeps = all[name];
  const trial = (method: Method, keep: number | null, stages: readonly Keys[]): Trial => {
    const teacher = { epochs: teacherEpochs, lr: 0.002, weightDecay: WEIGHT_DECAY, seed: SEED };
    const whole = [...stages, { kind: "share" }, { kind: "calibrate" }];
    const text = JSON.stringify({ net: graph.name, seed: SEED, teacher, stages: whole });
    const settings = { method, seed: SEED, keep, convBits: null, denseBits: null, init: null };
    return { ...settings, recipe: parseRecipe(text, "experiment"), stages: stages.length };
  };
  const dense = trial("none", null, []);
  const cut = (keep: number, score: PruneScore = "magnitude"): Keys => {
    return { kind: "prune", schedule: "one-shot", score, keep, epochs: 0 };
  };
  const curve = (method: Method, stages: (keep: number) => readonly Keys[]): Trial[] =>
    keeps.map((keep) => trial(method, keep, stages(keep)));
  if (name === "scores") return [dense, ...SCORES.flatMap((score) => curve(score, (keep) => [cut(keep, score)]))];
  const retrained = (keep: number, more: Keys): Keys => ({ ...cut(keep), epochs, lrEnd: 1e-5, ...more });
  const [l1, l2] = [{ l1: L1 }, { weightDecay: WEIGHT_DECAY }];
  const inTurns = (more: Keys) => (keep: number) =>
    keeps.filter((one) => one >= keep).map((one) => retrained(one, more));
  const sparser = { kind: "train", epochs: 2 * epochs, lrEnd: 1e-5, ...l1 };
  return [
    dense,
    ...curve("l2", (keep) => [cut(keep)]),
    ...curve("l1", (keep) => [sparser, cut(keep)]),
    ...curve("l1-retrained", (keep) => [sparser, retrained(keep, l1)]),
    ...curve("l2-retrained", (keep) => [retrained(keep, l2)]),
    ...curve("l2-iterative", inTurns(l2)),
    ...curve("l2-dropout", inTurns({ ...l2, dropout: DROPOUT })),
  ];
}
