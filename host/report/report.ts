/** A report's parts, in the order in which they are read: those whose data are there, and of the others what would bring them. */
import type { InitComparison } from "../compress/compare-init.js";
import type { Container } from "../container/read.js";
import { reportContainer } from "./container.js";
import type { ExperimentRecord } from "./experiment.js";
import { isMissing, type Missing, type Page, type Part } from "./page.js";
import { matrixTable } from "./matrix.js";
import { evaluationPart, type EvaluationData } from "./parts/evaluation.js";
import { experimentPart } from "./parts/experiment.js";
import { initsPart } from "./parts/inits.js";
import { layersPart } from "./parts/layers.js";
import { energyPart, memoryPart } from "./parts/memory.js";
import { paretoPart, type SweepJobs } from "./parts/pareto.js";
import { robustnessPart, type Robustness } from "./parts/robustness.js";
import { sensitivityPart, type SensitivityTable } from "./parts/sensitivity.js";
import { speedPart, type LayerSpeed } from "./parts/speed.js";
import { stagesPart } from "./parts/stages.js";
import { weightsPart, type Centroids } from "./parts/weights.js";
import { errorText } from "./error-text.js";
import type { RunRecord } from "./run-record.js";
import { bytesText, grouped, tableCsv } from "./table.js";

export interface ReportData {
  /** Of the model or the run. */
  readonly name: string;
  readonly record?: RunRecord;
  readonly container?: Container;
  /** Of the layers with weights, in order. */
  readonly layerNames?: readonly string[];
  readonly centroids?: readonly Centroids[];
  readonly inits?: { readonly results: readonly InitComparison[]; readonly bits: number; readonly source: string };
  readonly evaluation?: EvaluationData;
  readonly speed?: readonly LayerSpeed[];
  /** Of a run those that its stages were settled by, if any. */
  readonly sensitivity?: readonly SensitivityTable[];
  readonly robustness?: {
    readonly models: readonly string[];
    readonly rows: readonly Robustness[];
    readonly source: string;
  };
  readonly sweep?: SweepJobs;
  readonly experiments?: readonly ExperimentRecord[];
  /** Of parts that could not be made: why. */
  readonly problems?: Readonly<Partial<Record<PartName, string>>>;
}

const TITLES = {
  run: "Stages",
  quality: "Float, int8 and compressed",
  layers: "Layers before and after",
  weights: "Weights, gaps and centroids",
  inits: "Initialisations of k-means",
  sensitivity: "Sensitivity by layer",
  speed: "Speed, pruned against dense",
  memory: "Memory over a run",
  energy: "Energy",
  robustness: "Robustness",
  pareto: "Sweep",
  experiments: "Experiments",
} as const;
export type PartName = keyof typeof TITLES;

const RUN =
  "a run's record; mote compress leaves one in its work folder, and mote report RECIPE.json --work FOLDER finds it";
const MODEL = "a model; --model FILE.mote names one";
const SAMPLES = "labelled samples; --data names them, such as mnist:validation";
const FLOAT = "the float net; the run's work folder has it, or --from FILE.safetensors names it";

/** What each part is made of. */
const NEEDS: Readonly<Record<PartName, string>> = {
  run: `Made of ${RUN}.`,
  quality: `Made of a model and ${SAMPLES}.`,
  layers: `Made of ${MODEL}.`,
  weights: `Made of ${MODEL}.`,
  inits: `Made of ${FLOAT}, and ${SAMPLES}.`,
  sensitivity: `Made of what a run with "auto" has measured, or of ${FLOAT}, and ${SAMPLES}.`,
  speed: `Made of a model, ${FLOAT}, and ${SAMPLES}.`,
  memory: `Made of ${MODEL}.`,
  energy: `Made of ${MODEL}.`,
  robustness: `Made of a model and ${SAMPLES}, pictures of bytes.`,
  pareto: "Made of a sweep's table, CSV or JSON with a name, bytes and an error a job; --sweep FILE names it.",
  experiments:
    "Made by mote report --experiment rates, bits or inits, which trains some hundred nets, or with --quick a few small ones; --with FILE.json shows one that is done.",
};

export function makeReport(data: ReportData): Page {
  const { container, record, layerNames } = data;
  const report = container === undefined ? undefined : reportContainer(container);
  const made: Readonly<Record<PartName, readonly Part[] | undefined>> = {
    run: record && [stagesPart(record)],
    quality: data.evaluation && [evaluationPart(data.evaluation)],
    layers: report && [layersPart(report, layerNames)],
    weights: container && [weightsPart(container.model, layerNames, data.centroids ?? [])],
    inits: data.inits && [initsPart(data.inits.results, data.inits.bits, data.inits.source)],
    sensitivity: data.sensitivity && [sensitivityPart(data.sensitivity)],
    speed: data.speed && [speedPart(data.speed)],
    memory: container && [memoryPart(container)],
    energy: report && [energyPart(report)],
    robustness: data.robustness && [
      robustnessPart(data.robustness.models, data.robustness.rows, data.robustness.source),
    ],
    pareto: data.sweep && [paretoPart(data.sweep)],
    experiments: data.experiments?.map(experimentPart),
  };
  const names = Object.keys(TITLES) as PartName[];
  // Of a sweep or an experiment alone nobody asks for the rest.
  const isOfModel = record !== undefined || container !== undefined;
  const parts = names.flatMap((name): readonly (Part | Missing)[] => {
    const there = made[name];
    if (there !== undefined && there.length > 0) return there;
    if (!isOfModel) return [];
    const problem = data.problems?.[name];
    return [
      { id: name, title: TITLES[name], missing: problem === undefined ? NEEDS[name] : `${problem}. ${NEEDS[name]}` },
    ];
  });
  return { title: `${data.name}: report`, subtitle: subtitleOf(data), facts: factsOf(data), parts };
}

function subtitleOf({ record, container, sweep }: ReportData): string {
  if (record !== undefined)
    return `A run of ${record.stages.length} stages on ${record.data}, net ${record.net}, by Mote.`;
  if (container !== undefined) return `A model of ${container.model.layers.length} layers, by Mote.`;
  if (sweep !== undefined) return `${sweep.jobs.length} jobs of a sweep, by Mote.`;
  return "Experiments of Deep Compression (Han et al. 2016), by Mote.";
}

function factsOf({ record, container, evaluation, sweep }: ReportData): (readonly [string, string])[] {
  const bytes = container?.fileBytes ?? record?.model.bytes;
  const nominal = container === undefined ? undefined : reportContainer(container).nominalBytes;
  const last = evaluation?.models.at(-1);
  const wrong = last?.classes.reduce((sum, one, at) => sum + (one === evaluation!.labels[at] ? 0 : 1), 0);
  const smallest = sweep?.jobs.reduce((least, job) => Math.min(least, job.bytes), Infinity);
  const seconds = record?.stages.reduce((sum, stage) => sum + (stage.seconds ?? 0), 0) ?? 0;
  return [
    ...(bytes === undefined ? [] : [["model", bytesText(bytes)] as const]),
    ...(nominal === undefined || bytes === undefined
      ? []
      : [["smaller than float32", `${(nominal / bytes).toFixed(1)}×`] as const]),
    ...(wrong === undefined
      ? []
      : [[`error, ${evaluation!.source}`, `${((100 * wrong) / evaluation!.labels.length).toFixed(2)} %`] as const]),
    ...(record === undefined
      ? []
      : [["validation error of the run", errorText(record.model.error, record.metric)] as const]),
    ...(smallest === undefined ? [] : [["smallest job", bytesText(smallest)] as const]),
    ...(seconds > 0 ? [["all stages took", `${grouped(Math.round(seconds))} s`] as const] : []),
  ];
}

/** @returns the CSV files of a report, by name */
export function csvFiles({ parts }: Page): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const part of parts) {
    if (isMissing(part)) continue;
    for (const block of [...part.blocks, ...(part.data ?? [])]) {
      if (block.kind === "table") files.set(`${block.id}.csv`, tableCsv(block));
      if (block.kind === "matrix") files.set(`${block.id}.csv`, tableCsv(matrixTable(block)));
    }
  }
  return files;
}
