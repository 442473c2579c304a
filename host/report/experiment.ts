/**
 * Experiments of Deep Compression (Han et al. 2016) as lists of recipes: accuracy against rate for pruning, quantization and both (its
 * Figures 6 and 7), bits of convolutions and dense layers (Table 6), initialisations of k-means (Figure 8). And DeepCABAC's: rate-distortion
 * quantization against k-means and powers of two (Wiedemann et al. 2020, Zhou et al. 2017). Those on pruning alone are in pruning-trials.ts.
 */
import { ranksFor } from "../compress/low-rank.js";
import { parseRecipe, type Recipe } from "../compress/recipe.js";
import { CENTROID_INITS, type CentroidInit } from "../compress/share.js";
import { MoteError, printable } from "../errors.js";
import { isRecord, parseJson } from "../json.js";
import type { Graph } from "../model/model.js";
import { weightedLayers } from "../compress/integer-stages.js";
import { pruningTrials } from "./pruning-trials.js";
import { isAmount } from "./run-record.js";

export const EXPERIMENTS = ["rates", "bits", "inits", "rdoq", "scores", "retraining"] as const;
export type ExperimentName = (typeof EXPERIMENTS)[number];

/** How a net is made smaller. */
export const METHODS = [
  "none",
  "pruning",
  "quantization",
  "both",
  "svd",
  "rdoq",
  "inq",
  "magnitude",
  "lamp",
  "obd",
  "obs",
  "l2",
  "l1",
  "l1-retrained",
  "l2-retrained",
  "l2-iterative",
  "l2-dropout",
] as const;
export type Method = (typeof METHODS)[number];

/** What a trial varies. Null: nothing is pruned, or weights stay float32. */
export interface Settings {
  readonly method: Method;
  readonly seed: number;
  /** Share of the weights that is kept; of "svd", of those of the layers that are split. */
  readonly keep: number | null;
  readonly convBits: number | null;
  readonly denseBits: number | null;
  readonly init: CentroidInit | null;
  /** Of "rdoq" alone. */
  readonly lambda?: number;
}

export interface Trial extends Settings {
  readonly recipe: Recipe;
  /** Stages of the recipe that are run, and behind which it is measured. */
  readonly stages: number;
}

export interface TrialResult extends Settings {
  /** Name of the net in the work folder. */
  readonly result: string;
  /** Of the validation split, percent. */
  readonly error: number;
  /** Bytes at fixed widths: weights, indices, codebooks, float32 biases. */
  readonly bytes: number;
  /** Of the container that it would be, with entropy codes: Huffman's, in "rdoq" those of codec 3. */
  readonly codedBytes: number;
}

export interface ExperimentRecord {
  readonly experiment: ExperimentName;
  readonly net: string;
  readonly data: string;
  readonly isQuick: boolean;
  /** Of the net before, as float32. */
  readonly denseBytes: number;
  readonly trials: readonly TrialResult[];
}

/** How long it trains, and how finely it looks. Seeds are the students'; they have one teacher. */
interface Extent {
  readonly seeds: readonly number[];
  readonly teacherEpochs: number;
  readonly pruneEpochs: number;
  readonly shareEpochs: number;
  readonly keeps: readonly number[];
  readonly bits: readonly number[];
  readonly lambdas: readonly number[];
  /** Samples it is trained on. */
  readonly samples: number;
}

const FULL: Extent = {
  seeds: [1, 2, 3],
  teacherEpochs: 12,
  pruneEpochs: 6,
  shareEpochs: 2,
  keeps: [0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01],
  bits: [1, 2, 3, 4, 5, 6, 8],
  lambdas: [0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5],
  samples: Infinity,
};
const QUICK: Extent = {
  seeds: [1, 2],
  teacherEpochs: 2,
  pruneEpochs: 1,
  shareEpochs: 0.5,
  keeps: [0.3, 0.1, 0.03],
  bits: [2, 4],
  lambdas: [0, 0.5],
  samples: 2000,
};
export const extentOf = (isQuick: boolean): Extent => (isQuick ? QUICK : FULL);

/** Share of the weights that is left where bits are varied: about that of the paper's LeNet-5. */
const KEPT = 0.08;
/** Bits where what is kept is varied. */
const SHARED_BITS = 5;
/** Step of the grid, by the mean magnitude of what is left, where λ is varied: finer than recipes have it, since λ coarsens it. */
const RDOQ_STEP = 0.3;
/** Widths that powers of two have. */
const INQ_BITS = [2, 3, 4, 5] as const;
/** Of convolutions and dense layers. */
const BIT_PAIRS = [
  [8, 5],
  [8, 4],
  [4, 2],
] as const;

export function trialsOf(experiment: ExperimentName, graph: Graph, isQuick: boolean): Trial[] {
  if (experiment === "scores" || experiment === "retraining") return pruningTrials(experiment, graph, isQuick);
  const extent = extentOf(isQuick);
  const make = (settings: Omit<Settings, "seed">, ends?: Ends): Trial[] =>
    extent.seeds.map((seed) => trial(graph, extent, { ...settings, seed }, ends));
  const shared = (convBits: number, denseBits: number): Pick<Settings, "convBits" | "denseBits" | "init"> => {
    return { convBits, denseBits, init: "linear" };
  };
  const none = { method: "none", keep: null, convBits: null, denseBits: null, init: null } as const;
  const dense = trial(graph, extent, { ...none, seed: extent.seeds[0] }, "teacher");
  const pruned = (keep: number): Trial[] => make({ ...none, method: "pruning", keep }, "prune");
  switch (experiment) {
    case "rates":
      return [
        dense,
        ...extent.keeps.flatMap(pruned),
        ...(Object.keys(ranksFor(graph, 1)).length === 0 ? [] : extent.keeps).flatMap((keep) =>
          make({ ...none, method: "svd", keep }, "prune"),
        ),
        ...extent.bits.flatMap((bits) => make({ method: "quantization", keep: null, ...shared(bits, bits) })),
        ...extent.keeps.flatMap((keep) => make({ method: "both", keep, ...shared(SHARED_BITS, SHARED_BITS) })),
        ...extent.bits
          .filter((bits) => bits !== SHARED_BITS)
          .flatMap((bits) => make({ method: "both", keep: KEPT, ...shared(bits, bits) })),
      ];
    case "bits":
      return [
        dense,
        ...pruned(KEPT),
        ...BIT_PAIRS.flatMap(([conv, dense]) => make({ method: "both", keep: KEPT, ...shared(conv, dense) })),
      ];
    case "inits":
      return [
        dense,
        ...extent.bits.flatMap((bits) =>
          CENTROID_INITS.flatMap((init) => make({ method: "both", keep: KEPT, ...shared(bits, bits), init })),
        ),
      ];
    case "rdoq":
      return [
        dense,
        ...pruned(KEPT),
        ...extent.bits.flatMap((bits) => make({ method: "both", keep: KEPT, ...shared(bits, bits) })),
        ...INQ_BITS.flatMap((bits) => make({ ...none, method: "inq", keep: KEPT, convBits: bits, denseBits: bits })),
        ...extent.lambdas.flatMap((lambda) => make({ ...none, method: "rdoq", keep: KEPT, lambda })),
      ];
  }
}

/** The last stage that is run. */
type Ends = "teacher" | "prune";

function trial(graph: Graph, extent: Extent, settings: Settings, ends?: Ends): Trial {
  const { seed, keep, convBits, denseBits, init, lambda } = settings;
  const { teacherEpochs, pruneEpochs, shareEpochs } = extent;
  const prune = {
    kind: "prune",
    score: "lamp",
    schedule: "gradual",
    keep,
    epochs: pruneEpochs,
    lr: 0.001,
    lrEnd: 1e-5,
  };
  const svd = { kind: "low-rank", rank: ranksFor(graph, keep ?? 1), epochs: pruneEpochs, lr: 0.001, lrEnd: 1e-5 };
  const isSvd = settings.method === "svd";
  const bits = weightedLayers(graph).map(({ op, name }) => [name, (op === "conv2d" ? convBits : denseBits) ?? 8]);
  const share = {
    kind: "share",
    epochs: shareEpochs,
    lr: 0.0003,
    lrEnd: 1e-5,
    bits: isSvd ? 8 : Object.fromEntries(bits),
    init: init ?? "linear",
  };
  const rdoq = { kind: "rdoq", epochs: shareEpochs, lr: 0.0003, lrEnd: 1e-5, step: RDOQ_STEP, lambda };
  const inq = { kind: "inq", epochs: shareEpochs, lr: 0.0003, lrEnd: 1e-5, bits: Object.fromEntries(bits) };
  const quantizing = settings.method === "rdoq" ? rdoq : settings.method === "inq" ? inq : share;
  const recipe = {
    net: graph.name,
    seed,
    teacher: { epochs: teacherEpochs, lr: 0.0013, lrEnd: 1e-5, augment: 0.4, weightDecay: 0.02, seed: 1 },
    stages: [...(keep === null ? [] : [isSvd ? svd : prune]), quantizing, { kind: "calibrate" }],
  };
  return {
    ...settings,
    recipe: parseRecipe(JSON.stringify(recipe), "experiment"),
    stages: ends === "teacher" ? 0 : ends === "prune" ? 1 : recipe.stages.length - 1,
  };
}

const KIND = "mote experiment";
const VERSION = 1;
const MOST_TRIALS = 10_000;

export const encodeExperiment = (record: ExperimentRecord): Uint8Array =>
  new TextEncoder().encode(`${JSON.stringify({ kind: KIND, version: VERSION, ...record }, null, 1)}\n`);

/** @param file its name, for messages @throws MoteError FORMAT naming the key, what was expected and what was found */
export function parseExperiment(text: string, file: string): ExperimentRecord {
  const value = parseJson(text, file, "experiment");
  const fail = (key: string, expected: string, found: unknown): never => {
    const got = found === undefined ? "nothing" : JSON.stringify(found).slice(0, 60);
    throw new MoteError("FORMAT", printable(`${file}: ${key}: expected ${expected}, got ${got}`));
  };
  const check = (isRight: boolean, key: string, expected: string, found: unknown): void => {
    if (!isRight) fail(key, expected, found);
  };
  const isName = (found: unknown): boolean => typeof found === "string" && found.length >= 1 && found.length <= 300;
  if (!isRecord(value) || value.kind !== KIND)
    throw new MoteError("FORMAT", printable(`${file}: no record of an experiment; mote report --experiment makes one`));
  const { experiment, net, data, isQuick, denseBytes, trials, version } = value;
  check(version === VERSION, "version", String(VERSION), version);
  check(
    EXPERIMENTS.includes(experiment as ExperimentName),
    "experiment",
    `one of ${EXPERIMENTS.join(", ")}`,
    experiment,
  );
  check(isName(net), "net", "a name", net);
  check(isName(data), "data", "a name", data);
  check(typeof isQuick === "boolean", "isQuick", "true or false", isQuick);
  check(isAmount(denseBytes) && denseBytes !== 0, "denseBytes", "a number above 0", denseBytes);
  if (!Array.isArray(trials) || trials.length > MOST_TRIALS)
    return fail("trials", `a list of at most ${MOST_TRIALS}`, trials);
  for (const [at, entry] of (trials as unknown[]).entries()) {
    const key = `trials[${at}]`;
    if (!isRecord(entry)) return fail(key, "an object", entry);
    const orNull = (name: string): void =>
      check(
        entry[name] === null || isAmount(entry[name]),
        `${key}.${name}`,
        "a number of 0 or more, or null",
        entry[name],
      );
    check(METHODS.includes(entry.method as Method), `${key}.method`, `one of ${METHODS.join(", ")}`, entry.method);
    check(
      entry.init === null || CENTROID_INITS.includes(entry.init as CentroidInit),
      `${key}.init`,
      `null or one of ${CENTROID_INITS.join(", ")}`,
      entry.init,
    );
    if (entry.lambda !== undefined)
      check(isAmount(entry.lambda), `${key}.lambda`, "a number of 0 or more", entry.lambda);
    check(isName(entry.result), `${key}.result`, "a name", entry.result);
    for (const name of ["keep", "convBits", "denseBits"]) orNull(name);
    for (const name of ["seed", "error", "bytes", "codedBytes"])
      check(isAmount(entry[name]), `${key}.${name}`, "a number of 0 or more", entry[name]);
  }
  const { kind: _kind, version: _version, ...record } = value;
  return record as unknown as ExperimentRecord;
}
