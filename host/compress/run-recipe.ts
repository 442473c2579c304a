/**
 * Carries out a recipe: teacher, bank, then stage after stage. What is finished is kept in a work folder under a name made from
 * everything it depends on, so that a run that was stopped, in the middle of a stage too, or a recipe changed near its end, goes
 * on from there.
 */
import { concatBytes } from "../bytes.js";
import { sliceSamples, type Samples } from "../data/samples.js";
import { MoteError } from "../errors.js";
import type { Graph, Net } from "../model/model.js";
import { own } from "../own.js";
import { checkTrainable } from "../train/classes.js";
import { namedNet } from "../train/nets.js";
import { Trainer, type TrainingRuntime } from "../train/trainer.js";
import { checkRecipe } from "./check-recipe.js";
import { estimateBytes } from "./estimate.js";
import { integerLayers, weightedLayers } from "./integer-stages.js";
import { survivors } from "./prune.js";
import { DEFAULT_BIAS_BITS, type Recipe, type Stage } from "./recipe.js";
import { runStage, type StageContext } from "./stages.js";
import { makeBank, trainTeacher } from "./teacher.js";
import type { Keeper, WorkFolder } from "./work-folder.js";

export interface StageReport {
  /** "teacher", or the stage's kind with its place, such as "3 prune". */
  readonly stage: string;
  /** Of the validation split, by the float net. */
  readonly validationErrors: number;
  readonly validationErrorPercent: number;
  readonly nonZeros: number;
  readonly weights: number;
  /** Of the container; before the weights are on their integers, as if they were rounded now. */
  readonly estimatedBytes: number;
  /** 0 when the stage's result was there already. */
  readonly seconds: number;
}

export interface RunOptions {
  readonly runtime: TrainingRuntime;
  readonly recipe: Recipe;
  readonly data: { readonly train: Samples; readonly validation: Samples };
  /** Called once recipe and data are known to fit. @throws MoteError FILE where nothing can be written */
  readonly openWork: () => WorkFolder;
  readonly threads: number;
  /** A trained net instead of the recipe's own teacher. */
  readonly from?: Net;
  /** Ends when so many of the results that `workNames` lists are made, at least one. Default: all. */
  readonly steps?: number;
  readonly signal?: AbortSignal;
  readonly onStage?: (report: StageReport) => void;
  readonly onProgress?: (label: string, done: number, total: number, loss: number) => void;
}

/** Raise it when a change of the training or of a stage makes old checkpoints wrong. */
export const WORK_VERSION = 2;

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** SHA-256, of which 16 hexadecimal digits are enough. */
async function shortHash(parts: readonly Uint8Array[]): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", concatBytes(parts)));
  return [...hash.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const digest = (...parts: unknown[]): Promise<string> => shortHash([utf8(JSON.stringify([WORK_VERSION, ...parts]))]);

/** A digest of a net's graph and weights. */
function netDigest(net: Net): Promise<string> {
  const tensors = [...net.tensors].flatMap(([name, { data }]) => [
    utf8(name),
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  ]);
  return shortHash([utf8(JSON.stringify(net.graph)), ...tensors]);
}

/**
 * What a run makes, in this order, by the names that its results have in the work folder: the teacher, the bank's logits, the stages.
 * Each is made from all that its name comes from, so that recipes that begin alike have the same first names.
 * @param from as the run's
 */
export async function workNames(recipe: Recipe, from?: Net): Promise<string[]> {
  const { teacher, bank, stages } = await namesOf(recipe, from);
  return [teacher, bank, ...stages].filter((name) => name !== undefined);
}

async function namesOf(
  recipe: Recipe,
  from: Net | undefined,
): Promise<{ teacher?: string; bank?: string; stages: string[] }> {
  const { net, seed, batch, bank, distill, stages } = recipe;
  const origin = from === undefined ? await digest(net, batch, recipe.teacher) : await netDigest(from);
  const biasBits = biasBitsOf(recipe, from?.graph ?? namedNet(net));
  const stageNames = stages.map(async (_, i) => {
    return `stage-${await digest(origin, seed, batch, bank, distill, { biasBits }, stages.slice(0, i + 1))}`;
  });
  return {
    ...(from === undefined && { teacher: `teacher-${origin}` }),
    ...(bank && { bank: `bank-${await digest(origin, bank)}.f32` }),
    stages: await Promise.all(stageNames),
  };
}

/** Of every layer. */
const biasBitsOf = ({ pack }: Recipe, graph: Graph): Record<string, number> =>
  Object.fromEntries(weightedLayers(graph).map(({ name }) => [name, own(pack.biasBits, name) ?? DEFAULT_BIAS_BITS]));

/**
 * @throws MoteError INTERRUPTED, after which the same call goes on from there. DIVERGED naming the stage and its step. Before anything
 *   is trained RECIPE, MISMATCH, UNSUPPORTED and FILE, for what does not fit
 */
export async function runRecipe(options: RunOptions): Promise<{ net: Net; reports: StageReport[] }> {
  const { runtime, recipe, data, threads, from, steps = Infinity, signal, onStage, onProgress } = options;
  const graph = from?.graph ?? namedNet(recipe.net);
  if (graph.name !== recipe.net)
    throw new MoteError("MISMATCH", `the recipe is for ${recipe.net}, the net given is ${graph.name}`);
  if (from === undefined && recipe.teacher === undefined) {
    throw new MoteError("RECIPE", "teacher: missing; a recipe without one needs a trained net (--from)");
  }
  checkRecipe(recipe, graph);
  checkTrainable(graph, data);
  const folder = options.openWork();
  const biasBits = biasBitsOf(recipe, graph);
  const names = await namesOf(recipe, from);
  const reports: StageReport[] = [];
  const common = { runtime, batch: recipe.batch, threads, ...(signal && { signal }) };
  const report = async (stage: string, net: Net, started: number | undefined): Promise<void> => {
    const seconds = started === undefined ? 0 : (performance.now() - started) / 1000;
    const entry = { stage, ...(await measure(runtime, net, data.validation, recipe.batch, biasBits)), seconds };
    reports.push(entry);
    onStage?.(entry);
  };

  /** A result by its digest: from the work folder, or made and put there. */
  const kept = async (
    label: string,
    key: string,
    make: (keeper: Keeper) => Promise<Net>,
  ): Promise<{ net: Net; started?: number }> => {
    const earlier = folder.read(key);
    if (earlier !== undefined) return { net: earlier.net };
    const started = performance.now();
    try {
      const net = await make(folder.keeper(key));
      folder.finish(key, { net });
      return { net, started };
    } catch (error) {
      if (!(error instanceof MoteError)) throw error;
      if (error.code === "DIVERGED") throw new MoteError("DIVERGED", `${label}: ${error.message}`, { cause: error });
      if (error.code !== "INTERRUPTED") throw error;
      const where = folder.isBehind
        ? `${folder.path} could not take all that was done: the rest is lost`
        : `${folder.path} holds all that was done`;
      throw new MoteError("INTERRUPTED", `stopped in ${label}; ${where}`, { cause: error });
    }
  };

  let teacher = from;
  if (teacher === undefined) {
    const settings = recipe.teacher!;
    const made = await kept("teacher", names.teacher!, (keeper) =>
      trainTeacher({
        ...common,
        graph,
        settings,
        train: data.train,
        keeper,
        onProgress: (done, total, loss) => onProgress?.("teacher", done, total, loss),
      }),
    );
    teacher = made.net;
    await report("teacher", teacher, made.started);
  } else {
    await report("given net", teacher, undefined);
  }

  let bank: Samples | undefined;
  const students = async (): Promise<Samples> => {
    if (recipe.bank === undefined) return data.train;
    bank ??= await makeBank({
      ...recipe.bank,
      ...common,
      train: data.train,
      seed: recipe.teacher?.seed ?? 0,
      teacher,
      work: folder,
      logitsName: names.bank!,
    });
    return bank;
  };

  const before = [names.teacher, names.bank].filter((name) => name !== undefined).length;
  if (names.bank !== undefined && steps === before) await students();
  let net = teacher;
  for (const [i, stage] of recipe.stages.slice(0, Math.max(0, steps - before)).entries()) {
    const label = `${i + 1} ${stage.kind}`;
    const made = await kept(label, names.stages[i], async (keeper) => {
      const context: StageContext = {
        ...common,
        seed: stageSeed(recipe.seed, i),
        data: needsTraining(stage) ? await students() : data.train,
        train: data.train,
        augment: recipe.bank === undefined ? (recipe.teacher?.augment ?? 0) : 0,
        ...(recipe.distill && { distill: recipe.distill }),
        fixed: integerLayers(recipe.stages.slice(0, i)),
        biasBits,
        keeper,
        onProgress: (done, total, loss) => onProgress?.(label, done, total, loss),
      };
      const calibration = sliceSamples(
        data.train,
        0,
        stage.kind === "calibrate" ? Math.min(stage.samples, data.train.count) : 0,
      );
      return runStage(net, stage, context, calibration);
    });
    net = made.net;
    await report(label, net, made.started);
  }
  return { net, reports };
}

const needsTraining = (stage: Stage): boolean => "epochs" in stage && stage.epochs > 0;

/** Every stage draws its own order of samples. */
export const stageSeed = (seed: number, index: number): number => (Math.imul(seed, 1_000_003) + index) >>> 0;

async function measure(
  runtime: TrainingRuntime,
  net: Net,
  validation: Samples,
  batch: number,
  biasBits: Readonly<Record<string, number>>,
): Promise<Omit<StageReport, "stage" | "seconds">> {
  const trainer = await Trainer.create({ runtime, graph: net.graph, seed: 0, threads: 1, batch });
  try {
    trainer.load(net);
    const { errors } = await trainer.evaluate(validation);
    const layers = weightedLayers(net.graph).map(({ name }) => trainer.weight(name));
    return {
      validationErrors: errors,
      validationErrorPercent: (100 * errors) / validation.count,
      nonZeros: layers.reduce((sum, weight) => sum + survivors(weight), 0),
      weights: layers.reduce((sum, weight) => sum + weight.length, 0),
      estimatedBytes: estimateBytes(net, biasBits),
    };
  } finally {
    await trainer.close();
  }
}
