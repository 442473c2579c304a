/**
 * Carries out a recipe: teacher, bank, then stage after stage. What is finished is kept in a work folder under a name made from
 * everything it depends on, so that a run that was stopped, in the middle of a stage too, or a recipe changed near its end, goes
 * on from there.
 */
import { MAX_BORDER } from "../../assembly/format.js";
import { sliceSamples, type Samples } from "../data/samples.js";
import { MoteError } from "../errors.js";
import { resultsOf } from "../model/edges.js";
import { valuesOf } from "../model/geometry.js";
import type { FloatTensor, Graph, Net } from "../model/model.js";
import { sampleShape, tensorShapes } from "../model/shapes.js";
import { mostPadding } from "../ops/attributes.js";
import { own } from "../own.js";
import { checkTrainable } from "../train/classes.js";
import { CLASSES, type MetricName } from "../train/losses.js";
import { namedNet } from "../train/nets.js";
import { Trainer, type TrainingRuntime } from "../train/trainer.js";
import { checkRecipe } from "./check-recipe.js";
import { dataDigest, digest, netDigest, type TrainingSamples } from "./digest.js";
import { estimateBytes } from "./estimate.js";
import { foldBatchNorm, foldedGraph } from "./fold-batchnorm.js";
import { inputFactor, scaleInput, usualReading } from "./input-scale.js";
import { integerLayers, weightedLayers } from "./integer-stages.js";
import { survivors } from "./prune.js";
import { DEFAULT_BIAS_BITS, type Recipe } from "./recipe.js";
import { keptSensitivity, type Sensitivity } from "./sensitivity.js";
import { settleStage, type SettledStage } from "./settle.js";
import { lastGraph } from "./split-stages.js";
import { runStage, type StageContext } from "./stages.js";
import { drawnNet, makeBank, memberSettings, trainTeachers } from "./teacher.js";
import type { Keeper, WorkFolder } from "./work-folder.js";

export { WORK_VERSION } from "./digest.js";

export interface StageReport {
  /** "teacher", or the stage's kind with its place, such as "3 prune". */
  readonly stage: string;
  /** Of the validation split, by the float net: a percentage, or with the metric "mse" what that is. */
  readonly error: number;
  readonly metric: MetricName;
  /** Wrong classes, where each sample has one. */
  readonly validationErrors?: number;
  readonly validationErrorPercent?: number;
  readonly nonZeros: number;
  readonly weights: number;
  /** Of the container; before the weights are on their integers, as if they were rounded now. */
  readonly estimatedBytes: number;
  /** 0 when the stage's result was there already. */
  readonly seconds: number;
  /** What was measured for its "auto". */
  readonly sensitivity?: Sensitivity;
}

export interface RunOptions {
  readonly runtime: TrainingRuntime;
  readonly recipe: Recipe;
  readonly data: TrainingSamples;
  /** Called once recipe and data are known to fit. @throws MoteError FILE where nothing can be written */
  readonly openWork: () => WorkFolder;
  readonly threads: number;
  /** What the recipe's `net` names, unless one of ours: a graph, whose net has no tensors, or a trained net. */
  readonly net?: Net;
  /** What `teacher.net` names, unless one of ours. */
  readonly teacher?: Net;
  /** A trained net instead of the recipe's own teacher. */
  readonly from?: Net;
  /** Ends when so many of the results that `workNames` lists are made, at least one. Default: all. */
  readonly steps?: number;
  /** Banks by their names, which several runs share: made by the first. */
  readonly banks?: Map<string, Samples>;
  readonly signal?: AbortSignal;
  readonly onStage?: (report: StageReport) => void;
  /** A bank, which nothing is trained for, has no loss. */
  readonly onProgress?: (label: string, done: number, total: number, loss?: number) => void;
}

/** What results depend on beside the recipe. */
export interface Origin {
  /** As the run's. */
  readonly net?: Net;
  readonly teacher?: Net;
  readonly from?: Net;
  /** Digest of the data, see `dataDigest`. */
  readonly data: string;
}

/**
 * What a run makes, in this order, by the names that its results have in the work folder: the teacher, the bank's logits, the stages.
 * Each is made from all that its name comes from, so that recipes that begin alike have the same first names.
 */
export async function workNames(recipe: Recipe, origin: Origin): Promise<string[]> {
  const { graph } = netsOf(recipe, origin);
  const checked = checkRecipe(recipe, foldedGraph(graph), teacherOf(recipe, origin)?.graph);
  const { teacher, bank, stages } = await namesOf(checked, origin);
  return [teacher, bank, ...stages].filter((name) => name !== undefined);
}

/** The net that the recipe is for, without tensors where it is not trained, and its graph. @throws MoteError MISMATCH for another one given */
function netsOf(recipe: Recipe, { net, from }: Omit<Origin, "data">): { named: Net; graph: Graph; isTrained: boolean } {
  const named = net ?? ownNet(recipe.net);
  const { graph } = from ?? named;
  if (graph.name !== named.graph.name)
    throw new MoteError("MISMATCH", `the recipe is for ${named.graph.name}, the net given is ${graph.name}`);
  return { named, graph, isTrained: named.tensors.size > 0 };
}

/** The net of its own that the recipe's teacher is, without tensors where it is trained from noise. */
function teacherOf({ teacher }: Recipe, origin: Omit<Origin, "data">): Net | undefined {
  if (teacher?.net === undefined || origin.from !== undefined) return undefined;
  return origin.teacher ?? ownNet(teacher.net);
}

/** One of ours, not trained. */
const ownNet = (name: string): Net => ({ graph: namedNet(name), tensors: new Map<string, FloatTensor>() });

/** @param recipe a checked one */
async function namesOf(
  recipe: Recipe,
  origin: Origin,
): Promise<{ teacher?: string; members: string[]; bank?: string; start: string; stages: string[] }> {
  const { seed, batch, task, bank, augment, distill, stages } = recipe;
  const { named, graph } = netsOf(recipe, origin);
  const { from } = origin;
  const digestOf = async (net: Net): Promise<string> =>
    digest(net.tensors.size > 0 ? await netDigest(net) : net.graph, origin.data);
  const base = await digestOf(from ?? named);
  const hasTeacher = from === undefined && recipe.teacher !== undefined;
  const other = teacherOf(recipe, origin);
  const { net: _net, ...settings } = recipe.teacher ?? { members: 1, seed: 0 };
  const first = other ? await digestOf(other) : base;
  const members = await Promise.all(
    Array.from({ length: hasTeacher ? settings.members : 0 }, (_, i) =>
      digest(first, batch, task, memberSettings(settings, i)),
    ),
  );
  const taught = members.length > 1 ? await digest(members) : (members[0] ?? base);
  const start = other ? await digest(base, taught) : taught;
  const biasBits = biasBitsOf(recipe, foldedGraph(graph));
  // What stands before it is the same net whatever the bits of its biases will be.
  const firstOfBits = stages.findIndex(({ kind }) => kind === "calibrate" || kind === "low-rank");
  const stageNames = stages.map(async (_, i) => {
    const bits = firstOfBits >= 0 && i >= firstOfBits ? { biasBits: biasBits[i + 1] } : {};
    const settings = [start, seed, batch, task, bank ?? augment, distill, bits];
    return `stage-${await digest(...settings, stages.slice(0, i + 1))}`;
  });
  return {
    ...(hasTeacher && { teacher: `teacher-${taught}` }),
    members: members.map((member) => `teacher-${member}`),
    ...(bank && { bank: `bank-${await digest(taught, bank)}.f32` }),
    start,
    stages: await Promise.all(stageNames),
  };
}

/** Weights that an earlier compression has brought to integers are trained anew: kept as integers, a checkpoint would lose that. */
const asReals = (net: Net): Net => ({
  ...net,
  tensors: new Map([...net.tensors].map(([name, { shape, data }]) => [name, { shape, data }])),
  ...(net.compression && { compression: { ...net.compression, weightScale: {} } }),
});

/** Of every layer that there is before the first stage, behind that, behind the second and so on: stages may split layers. */
const biasBitsOf = ({ pack, stages }: Pick<Recipe, "pack" | "stages">, graph: Graph): Record<string, number>[] =>
  Array.from({ length: stages.length + 1 }, (_, count) => {
    const layers = weightedLayers(lastGraph({ stages: stages.slice(0, count) }, graph));
    return Object.fromEntries(layers.map(({ name }) => [name, own(pack.biasBits, name) ?? DEFAULT_BIAS_BITS]));
  });

/**
 * What can be known before anything is trained.
 * @returns the recipe with layers' names in the place of patterns
 * @throws MoteError RECIPE, MISMATCH and UNSUPPORTED for what does not fit
 */
export function checkRun(given: Pick<RunOptions, "recipe" | "data" | "net" | "teacher" | "from">): {
  readonly recipe: Recipe;
  readonly named: Net;
  readonly graph: Graph;
  readonly isTrained: boolean;
  /** Another net than the recipe's. */
  readonly teacher?: Net;
} {
  const { named, graph, isTrained } = netsOf(given.recipe, given);
  if (given.from === undefined && !isTrained && given.recipe.teacher === undefined)
    throw new MoteError("RECIPE", "teacher: missing; a recipe without one needs a trained net (--from)");
  const teacher = teacherOf(given.recipe, given);
  // Stages work on the net with its batch normalizations folded.
  const recipe = checkRecipe(given.recipe, foldedGraph(graph), teacher?.graph);
  checkTrainable(graph, given.data, recipe.task);
  if (teacher !== undefined) checkTeacher(teacher, recipe.teacher!.members, graph, given.data.train);
  for (const layer of graph.layers) {
    const pad = "pad" in layer && layer.pad !== undefined ? mostPadding(layer.pad) : 0;
    if (pad > MAX_BORDER)
      throw new MoteError("UNSUPPORTED", `${graph.name}/${layer.name}: pads by ${pad}, expected 0 … ${MAX_BORDER}`);
  }
  return { recipe, named, graph, isTrained, ...(teacher && { teacher }) };
}

/** @throws MoteError RECIPE, MISMATCH, UNSUPPORTED */
function checkTeacher(teacher: Net, members: number, graph: Graph, train: Samples): void {
  const ends = (of: Graph): string => {
    const result = tensorShapes(of).get(resultsOf(of)[0])!;
    return `samples of ${sampleShape(of).join(" × ")}, gives ${valuesOf(result)} values`;
  };
  const [found, expected] = [ends(teacher.graph), ends(graph)];
  if (found !== expected)
    throw new MoteError("MISMATCH", `teacher.net: ${teacher.graph.name} takes ${found}, expected ${expected}`);
  if (teacher.tensors.size > 0 && members > 1)
    throw new MoteError(
      "RECIPE",
      `teacher.members: ${teacher.graph.name} is trained, expected 1; several begin with noise`,
    );
  if (teacher.tensors.size > 0 && inputFactor(teacher.graph, train) !== inputFactor(graph, train))
    throw new MoteError(
      "UNSUPPORTED",
      `teacher.net: ${teacher.graph.name} cannot see bytes as ${graph.name} does: its input goes to other layers than sums of weights`,
    );
}

/**
 * @throws MoteError INTERRUPTED, after which the same call goes on from there. DIVERGED naming the stage and its step. Before anything
 *   is trained RECIPE, MISMATCH, UNSUPPORTED and FILE, for what does not fit
 */
export async function runRecipe(options: RunOptions): Promise<{ net: Net; reports: StageReport[] }> {
  const { runtime, threads, from, steps = Infinity, signal, onStage, onProgress } = options;
  const { recipe, named, graph, isTrained, teacher: other } = checkRun(options);
  const folder = options.openWork();
  const biasBits = biasBitsOf(recipe, foldedGraph(graph));
  const origin = { ...options, data: options.data.digest ?? (await dataDigest(options.data)) };
  const names = await namesOf(recipe, origin);
  const factor = inputFactor(graph, options.data.train);
  const data = factor === 1 ? options.data : usualReading(options.data);
  const reports: StageReport[] = [];
  const { task } = recipe;
  const common = { runtime, batch: recipe.batch, threads, ...(task && { task }), ...(signal && { signal }) };
  const report = async (
    stage: string,
    bits: Readonly<Record<string, number>>,
    net: Net,
    started: number | undefined,
    sensitivity?: Sensitivity,
  ): Promise<void> => {
    const seconds = started === undefined ? 0 : (performance.now() - started) / 1000;
    const measured = await measure(runtime, threads, net, data.validation, recipe, bits);
    const entry = { stage, ...measured, seconds, ...(sensitivity && { sensitivity }) };
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
    const net = await during(label, () => make(folder.keeper(key)));
    folder.finish(key, { net });
    return { net, started };
  };

  /** Errors of what was stopped say in what. */
  const during = async <T>(label: string, make: () => Promise<T>): Promise<T> => {
    try {
      return await make();
    } catch (error) {
      // One with a cause has said it already: a bank is made in a stage.
      if (!(error instanceof MoteError) || error.cause !== undefined) throw error;
      if (error.code === "DIVERGED") throw new MoteError("DIVERGED", `${label}: ${error.message}`, { cause: error });
      if (error.code !== "INTERRUPTED") throw error;
      const where = folder.isBehind
        ? `${folder.path} could not take all that was done: the rest is lost`
        : `${folder.path} holds all that was done`;
      throw new MoteError("INTERRUPTED", `stopped in ${label}; ${where}`, { cause: error });
    }
  };

  const given = scaleInput(from ?? named, factor);
  const begin = recipe.stages[0].kind === "near" ? given : asReals(given);
  let teacher = other ? asReals(scaleInput(other, factor)) : begin;
  if (names.teacher !== undefined) {
    const settings = recipe.teacher!;
    const first = teacher;
    const made = await kept("teacher", names.teacher, () =>
      trainTeachers({
        ...common,
        graph: first.graph,
        ...(first.tensors.size > 0 && { start: first }),
        settings,
        train: data.train,
        work: folder,
        names: names.members,
        onProgress: (done, total, loss) => onProgress?.("teacher", done, total, loss),
      }),
    );
    teacher = made.net;
    const bits = other ? biasBitsOf({ pack: { biasBits: {} }, stages: [] }, foldedGraph(teacher.graph)) : biasBits;
    await report("teacher", bits[0], teacher, made.started);
  } else {
    await report("given net", biasBits[0], teacher, undefined);
  }

  const { seed, distill, bank, augment, stages } = recipe;
  const banks = options.banks ?? new Map<string, Samples>();
  const students = async (): Promise<Samples> => {
    if (bank === undefined) return data.train;
    const name = names.bank!;
    const made =
      banks.get(name) ??
      (await during("bank", () =>
        makeBank({
          ...bank,
          ...common,
          train: data.train,
          // The name of a bank knows of a teacher that is trained here alone.
          seed: names.teacher === undefined ? 0 : recipe.teacher!.seed,
          teacher,
          work: folder,
          logitsName: name,
          onProgress: (done, total) => onProgress?.("bank", done, total),
        }),
      ));
    banks.set(name, made);
    return made;
  };

  const before = [names.teacher, names.bank].filter((name) => name !== undefined).length;
  if (bank !== undefined && steps === before) await students();
  // Stages, what they are measured on and what a search goes by have no batch normalizations.
  let net = foldBatchNorm(
    other === undefined ? teacher : isTrained ? begin : await drawnNet({ ...common, graph, seed }),
  );
  for (const [i, given] of stages.slice(0, Math.max(0, steps - before)).entries()) {
    const label = `${i + 1} ${given.kind}`;
    const start = net;
    const { stage, sensitivity } = await settleStage(given, start, (knob, layers) =>
      keptSensitivity(folder, i === 0 ? names.start : names.stages[i - 1], start, knob, layers, {
        ...common,
        samples: data.train,
      }),
    );
    const made = await kept(label, names.stages[i], async (keeper) => {
      const context: StageContext = {
        ...common,
        seed: stageSeed(seed, i),
        data: needsTraining(stage) ? await students() : data.train,
        train: data.train,
        augment: bank === undefined ? augment : 0,
        ...(distill && { distill }),
        fixed: integerLayers(stages.slice(0, i)),
        biasBits: biasBits[i + 1],
        validation: data.validation,
        keeper,
        onProgress: (done, total, loss) => onProgress?.(label, done, total, loss),
      };
      const calibration = sliceSamples(
        data.train,
        0,
        stage.kind === "calibrate" ? Math.min(stage.samples, data.train.count) : 0,
      );
      return runStage(start, stage, context, calibration).catch((error: unknown) => {
        throw error instanceof MoteError && error.code === "RECIPE"
          ? new MoteError("RECIPE", `stages[${i}].${error.message}`)
          : error;
      });
    });
    net = made.net;
    await report(label, biasBits[i + 1], net, made.started, sensitivity);
  }
  return { net: scaleInput(net, 1 / factor), reports };
}

const needsTraining = (stage: SettledStage): boolean => "epochs" in stage && stage.epochs > 0;

/** Every stage draws its own order of samples. */
export const stageSeed = (seed: number, index: number): number => (Math.imul(seed, 1_000_003) + index) >>> 0;

async function measure(
  runtime: TrainingRuntime,
  threads: number,
  net: Net,
  validation: Samples,
  { batch, task = CLASSES }: Recipe,
  biasBits: Readonly<Record<string, number>>,
): Promise<Omit<StageReport, "stage" | "seconds">> {
  const trainer = await Trainer.create({ runtime, graph: net.graph, seed: 0, threads, batch });
  try {
    trainer.load(net);
    const { error, errors, metric } = await trainer.evaluate(validation, task);
    const layers = weightedLayers(net.graph).map(({ name }) => trainer.weight(name));
    return {
      error: metric === "mse" ? error : 100 * error,
      metric,
      ...(errors !== undefined && {
        validationErrors: errors,
        validationErrorPercent: (100 * errors) / validation.count,
      }),
      nonZeros: layers.reduce((sum, weight) => sum + survivors(weight), 0),
      weights: layers.reduce((sum, weight) => sum + weight.length, 0),
      estimatedBytes: estimateBytes(net, { ...biasBits, ...net.compression?.biasBits }),
    };
  } finally {
    await trainer.close();
  }
}
