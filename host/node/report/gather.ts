/** Gathers what a report shows: reads what a run has left, runs the nets side by side, and says what could not be had. */
import { compareInitialisations } from "../../compress/compare-init.js";
import { bringsIntegers, integerLayers, weightedLayers } from "../../compress/integer-stages.js";
import { checkRecipe } from "../../compress/check-recipe.js";
import { foldedGraph } from "../../compress/fold-batchnorm.js";
import { parseRecipe, type Recipe } from "../../compress/recipe.js";
import { stageSeed } from "../../compress/run-recipe.js";
import { measureSensitivity } from "../../compress/sensitivity.js";
import { kMeans } from "../../compress/share.js";
import { readContainer, type Container } from "../../container/read.js";
import { pickSamples, type Labels, type SampleSet } from "../../data/data-set.js";
import { sliceSamples, type Samples } from "../../data/samples.js";
import { evaluate } from "../../engines/evaluate.js";
import { robustness, type DistortionError } from "../../engines/robustness.js";
import { fastestEngine } from "../../engines/open.js";
import { instantiateV8 } from "../../engines/v8.js";
import { argmax } from "../../engines/values.js";
import { MoteError } from "../../errors.js";
import { isRecord } from "../../json.js";
import type { Net } from "../../model/model.js";
import { isWeighted } from "../../ops/index.js";
import { own } from "../../own.js";
import { denseInt8 } from "../../report/dense-int8.js";
import type { ExperimentRecord } from "../../report/experiment.js";
import { layerSpeeds } from "../../report/layer-speed.js";
import type { Answers, EvaluationData } from "../../report/parts/evaluation.js";
import type { SweepJobs } from "../../report/parts/pareto.js";
import type { SensitivityTable } from "../../report/parts/sensitivity.js";
import type { Centroids } from "../../report/parts/weights.js";
import type { PartName, ReportData } from "../../report/report.js";
import type { Task } from "../../train/losses.js";
import { Trainer } from "../../train/trainer.js";
import { builtModule } from "../built.js";
import { packed } from "../compress/integer-model.js";
import { openEngine } from "../engines/open.js";
import { nodeRuntime } from "../train/runtime.js";
import { netOf, type RunFiles } from "./run-files.js";

export interface GatherOptions {
  readonly name: string;
  readonly run?: RunFiles;
  /** A container; without it that of the run's last net. */
  readonly model?: Uint8Array;
  /** The float net; without it that of the run's first stage. */
  readonly from?: Net;
  /** The net that a run began with, where it was given. @throws MoteError */
  readonly given?: () => Net | undefined;
  /** What the models are evaluated on, for the container's input. @throws MoteError */
  readonly samples?: (container: Uint8Array) => ReportSamples;
  readonly sweep?: SweepJobs;
  readonly experiments?: readonly ExperimentRecord[];
  /** Milliseconds to time layers for. */
  readonly duration: number;
  readonly onProgress?: (done: number, of: number) => void;
}

export interface ReportSamples {
  readonly set: SampleSet;
  /** The same as the training engine takes them; without them float nets are not run. */
  readonly samples?: Samples;
  /** What int8 scales are made from; without it `samples`. */
  readonly train?: Samples;
}

const MOST_WORST = 12;
const SENSITIVITY_SAMPLES = 1000;
const BATCH = 128;
/** Of each distortion. */
const DISTORTED_SAMPLES = 500;
/** Where the recipe shares nothing. */
const DEFAULT_BITS = 4;
/** Steps of the progress. */
const STEPS = 7;

export async function gatherReport(options: GatherOptions): Promise<ReportData> {
  const { name, run, sweep, experiments, duration, onProgress } = options;
  const problems: Partial<Record<PartName, string>> = {};
  /** What fails leaves its part out, with the reason. */
  const attempt = async <T>(parts: readonly PartName[], make: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await make();
    } catch (error) {
      if (!(error instanceof MoteError)) throw error;
      for (const part of parts) problems[part] = error.message;
      return undefined;
    }
  };
  let done = 0;
  const step = (): void => onProgress?.(++done, STEPS);

  const nets =
    run === undefined ? undefined : await attempt(["weights"], () => netsOf(run, options.from ?? options.given?.()));
  const last = nets?.at(-1);
  // A teacher that is another net has other layers, and is not what became of these.
  const teacher = run?.record.recipe.teacher;
  const isTaught = isRecord(teacher) && teacher.net !== undefined;
  const first = nets?.[isTaught ? 1 : 0];
  const float = options.from ?? (isTaught ? undefined : first);
  const recipe =
    run === undefined || first === undefined ? undefined : await attempt(["inits"], () => recipeOf(run, first));
  const bytes =
    options.model ??
    (last?.compression === undefined ? undefined : await attempt(["layers"], () => packed(last, recipe?.pack)));
  const container = bytes === undefined ? undefined : readContainer(bytes);
  const names = last === undefined ? undefined : weightedLayers(last.graph).map((layer) => layer.name);
  const layerNames =
    container !== undefined && names?.length === container.model.layers.filter(isWeighted).length ? names : undefined;
  const centroids =
    nets === undefined || recipe === undefined
      ? undefined
      : await attempt(["weights"], () => centroidsOf(nets, recipe));
  step();

  const given =
    bytes === undefined
      ? undefined
      : await attempt(["quality", "sensitivity", "inits", "speed"], () => options.samples?.(bytes));
  const set = given?.set;
  const samples = given?.samples?.labels === undefined ? undefined : given.samples;
  const dense =
    float === undefined || samples === undefined
      ? undefined
      : await attempt(["speed"], async () =>
          packed(await denseInt8(float, given?.train ?? samples, nodeRuntime, recipe?.task)),
        );
  step();
  const evaluation =
    bytes === undefined || set?.labels === undefined
      ? undefined
      : await attempt(["quality"], () => evaluationOf({ ...set, labels: set.labels! }, samples, float, dense, bytes));
  step();
  const inits =
    nets === undefined || recipe === undefined || samples === undefined
      ? undefined
      : await attempt(["inits"], async () => {
          const { bits, net } = sharingOf(nets, recipe);
          const results = await compareInitialisations(nodeRuntime, net, bits, recipe.seed, samples);
          return { results, bits, source: set!.source };
        });
  step();
  const measured = run === undefined ? [] : measuredIn(run);
  const sensitivity =
    measured.length > 0
      ? measured
      : float === undefined || samples === undefined
        ? undefined
        : await attempt(["sensitivity"], () => sensitivityOf(float, samples, set!.source, recipe?.task));
  step();
  const speed =
    dense === undefined || container === undefined
      ? undefined
      : await attempt(["speed"], () =>
          layerSpeeds(dense, bytes!, {
            instantiate: instantiateV8,
            simd: fastestEngine() === "simd" ? builtModule("build/simd.wasm") : undefined,
            duration,
            names: allNames(container, layerNames),
          }),
        );
  step();
  const robust =
    bytes === undefined || set?.labels === undefined
      ? undefined
      : await attempt(["robustness"], () =>
          robustnessOf({ ...set, labels: set.labels! }, { ...(dense && { int8: dense }), compressed: bytes }),
        );
  step();
  return {
    name,
    ...(run && { record: run.record }),
    ...(container && { container }),
    ...(layerNames && { layerNames }),
    ...(centroids && { centroids }),
    ...(inits && { inits }),
    ...(evaluation && { evaluation }),
    ...(speed && { speed }),
    ...(sensitivity && { sensitivity }),
    ...(robust && { robustness: robust }),
    ...(sweep && { sweep }),
    ...(experiments && { experiments }),
    problems,
  };
}

/** What stages were settled by. */
function measuredIn({ record: { stages, data } }: RunFiles): SensitivityTable[] {
  return stages.flatMap(({ stage, sensitivity }) =>
    sensitivity === undefined ? [] : [{ ...sensitivity, of: `what ${stage} begins with`, source: data }],
  );
}

/** Of pruning. */
async function sensitivityOf(
  net: Net,
  samples: Samples,
  source: string,
  task: Task | undefined,
): Promise<SensitivityTable[]> {
  const names = weightedLayers(net.graph).map(({ name }) => name);
  const some = sliceSamples(samples, 0, Math.min(SENSITIVITY_SAMPLES, samples.count));
  const options = { runtime: nodeRuntime, threads: 1, batch: BATCH, samples: some, ...(task && { task }) };
  return [{ ...(await measureSensitivity(net, "density", names, options)), of: "the float net", source }];
}

/** Of each stage; those whose checkpoints are not there are left out. */
interface StageNets extends ReadonlyArray<Net> {}

function netsOf(run: RunFiles, given: Net | undefined): StageNets {
  const nets = run.record.stages.map(({ result }) => (result === null ? given : netOf(run, result)));
  const there = nets.filter((net) => net !== undefined);
  if (there.length === nets.length) return there;
  throw new MoteError(
    "FILE",
    `${run.folder}: ${nets.length - there.length} of the run's ${nets.length} checkpoints are not there`,
  );
}

/** With its settings by layer. */
function recipeOf({ record }: RunFiles, { graph }: Net): Recipe {
  return checkRecipe(parseRecipe(JSON.stringify(record.recipe), "the record's recipe"), foldedGraph(graph));
}

/** The net behind stage i stands at i + 1: the first is the teacher, or the net that was given. */
function centroidsOf(nets: StageNets, { stages, seed }: Recipe): Centroids[] {
  return stages.flatMap((stage, i): Centroids[] => {
    if (!bringsIntegers(stage)) return [];
    const [before, after] = [nets[i], nets[i + 1]];
    return integerLayers([stage]).flatMap((layer): Centroids[] => {
      const [old, made] = [before, after].map((net) => net.tensors.get(`${layer}.weight`)?.data);
      if (old === undefined || made === undefined) return [];
      const values = [...new Set(made)].filter((value) => value !== 0).toSorted((a, b) => a - b);
      const stated = stage.kind === "share" ? own(stage.bits, layer) : undefined;
      // Of "auto" the values that came out.
      const bits = stated === "auto" ? Math.ceil(Math.log2(Math.max(2, values.length))) : stated;
      const found =
        stage.kind === "share" && bits !== undefined
          ? kMeans(old, 2 ** bits, stage.init, stageSeed(seed, i)).centroids
          : [];
      return [{ layer, weights: old.filter((weight) => weight !== 0), before: [...found], after: values }];
    });
  });
}

/** What the recipe shares, or without that the net that it puts on a grid. */
function sharingOf(nets: StageNets, { stages }: Recipe): { bits: number; net: Net } {
  const share = stages.findIndex(({ kind }) => kind === "share");
  const first = stages.findIndex(bringsIntegers);
  const stage = stages[share];
  const stated = stage?.kind === "share" ? Object.values(stage.bits).filter((one) => one !== "auto") : [];
  const bits = stated.length > 0 ? Math.max(...stated) : DEFAULT_BITS;
  return { bits, net: nets[Math.max(0, first)] };
}

const allNames = ({ model }: Container, weighted: readonly string[] | undefined): string[] => {
  let next = 0;
  return model.layers.map((layer, index) => {
    const given = isWeighted(layer) ? weighted?.[next++] : undefined;
    return given ?? `${index} ${layer.op}`;
  });
};

async function evaluationOf(
  set: SampleSet & { readonly labels: Labels },
  samples: Samples | undefined,
  float: Net | undefined,
  dense: Uint8Array | undefined,
  model: Uint8Array,
): Promise<EvaluationData> {
  const models: Answers[] = [];
  if (float !== undefined && samples !== undefined) models.push(await floatAnswers(float, samples));
  if (dense !== undefined) models.push((await answersOf("int8", dense, set)).answers);
  const { answers, evaluation, classes } = await answersOf("compressed", model, set);
  models.push(answers);
  const size = set.images.length / set.count;
  const [channels, height, width] = set.shape.length === 3 ? set.shape : [1, ...set.shape];
  const isPicture = set.images instanceof Uint8Array && (channels === 1 || channels === 3) && width !== undefined;
  return {
    source: set.source,
    labels: set.labels,
    names: classes,
    models,
    confusion: evaluation.confusion,
    worst: evaluation.worst,
    ...(isPicture && {
      picture: (index: number) => {
        return {
          pixels: (set.images as Uint8Array).slice(index * size, (index + 1) * size),
          shape: [channels, height, width],
        };
      },
    }),
  };
}

async function answersOf(name: string, container: Uint8Array, set: SampleSet & { readonly labels: Labels }) {
  const engine = openEngine(fastestEngine(container), container);
  try {
    const classes = new Uint16Array(set.count);
    const evaluation = await evaluate(engine, set, {
      worst: MOST_WORST,
      onSample: (index, result) => (classes[index] = result.class),
    });
    const labels = engine.output.labels ?? set.classes;
    const names = Array.from({ length: evaluation.classes }, (_, at) => labels?.[at] ?? String(at));
    return { answers: { name, bytes: container.length, classes }, evaluation, classes: names };
  } finally {
    engine.close();
  }
}

/** Of the first samples, as they are and distorted. @throws MoteError ARGUMENT for samples that are no pictures of bytes */
async function robustnessOf(
  set: SampleSet & { readonly labels: Labels },
  models: Readonly<Record<string, Uint8Array>>,
): Promise<NonNullable<ReportData["robustness"]>> {
  const count = Math.min(DISTORTED_SAMPLES, set.count);
  const some = pickSamples(
    set,
    Array.from({ length: count }, (_, at) => at),
  );
  const results: DistortionError[][] = [];
  for (const container of Object.values(models)) {
    const engine = openEngine(fastestEngine(container), container);
    try {
      results.push(await robustness(engine, some));
    } finally {
      engine.close();
    }
  }
  return {
    models: Object.keys(models),
    rows: results[0].map(({ name }, at) => ({
      distortion: name,
      errors: results.map((errors) => errors[at].errorPercent),
    })),
    source: `${count} samples of ${set.source}`,
  };
}

async function floatAnswers(net: Net, samples: Samples): Promise<Answers> {
  const trainer = await Trainer.create({ runtime: nodeRuntime, graph: net.graph, seed: 0, threads: 1 });
  try {
    trainer.load(net);
    const logits = await trainer.logits(samples);
    const each = logits.length / samples.count;
    const classes = Uint16Array.from({ length: samples.count }, (_, n) =>
      argmax(logits.subarray(n * each, (n + 1) * each)),
    );
    const parameters = [...net.tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
    return { name: "float32", bytes: 4 * parameters, classes };
  } finally {
    await trainer.close();
  }
}
