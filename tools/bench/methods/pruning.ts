/** Which weights go: magnitude by thresholds (Han et al. 2015), Optimal Brain Damage and Surgeon. */
import { DiskWorkFolder } from "../../../host/node/compress/work-folder.js";
import { loadMnist } from "../../../host/node/data/mnist.js";
import { builtFile } from "../../../host/node/paths.js";
import { nodeRuntime } from "../../../host/node/train/runtime.js";
import type { ExperimentRecord, Method } from "../../../host/report/experiment.js";
import { METHOD_NAMES } from "../../../host/report/parts/experiment.js";
import { runExperiment } from "../../../host/report/run-experiment.js";
import { lenet300 } from "../../../host/train/nets.js";
import { atMost, rounded, type BenchOptions, type Figure } from "../figure.js";
import { methodRecipe, runMethod, shareLeft, type MethodFamily } from "./family.js";

export const pruningMethods: MethodFamily = {
  name: "pruning",
  measure: async (options) => {
    const scores = await experiment("scores", options);
    const models = await modelFigures(options);
    const retraining = await experiment("retraining", options);
    return [
      ...scoreFigures(scores),
      ...models,
      ...retrainingFigures(retraining),
      ...[scores, retraining].flatMap(curveFigures),
    ];
  },
};

/** Packed models of recipes whose pruning is by curvature or by thresholds. */
async function modelFigures(options: BenchOptions): Promise<Figure[]> {
  const figure = async (name: string, what: string, beside?: Figure["beside"]): Promise<Figure> => {
    const result = await runMethod(name, methodRecipe(name), options);
    const text = `${what} to ${shareLeft(result)}, ${result.bytes.toLocaleString("en")} bytes: test error`;
    return { id: `methods.${name}.error`, name: text, value: result.testError, unit: "%", ...(beside && { beside }) };
  };
  return [
    await figure("obd", "Optimal Brain Damage, one epoch of retraining,"),
    await figure("obs", "Optimal Brain Surgeon and shared weights, nothing trained"),
    await figure("han", "thresholds by σ, four times pruned and retrained", {
      "Han et al. 2015, 8 % of the weights": 1.59,
    }),
  ];
}

/** An experiment, where `mote report --experiment NAME --net lenet300 --data mnist` looks for it to draw it. */
async function experiment(name: "scores" | "retraining", { threads, note }: BenchOptions): Promise<ExperimentRecord> {
  const { train, validation } = loadMnist();
  return runExperiment({
    runtime: nodeRuntime,
    experiment: name,
    graph: lenet300,
    data: { name: "mnist", train, validation },
    isQuick: false,
    folder: new DiskWorkFolder(builtFile("build/work/experiment-lenet300-mnist"), note),
    threads,
    onTrial: ({ method, keep }, index, count) =>
      note(`${name} ${index + 1} of ${count}: ${method}${keep === null ? "" : `, ${100 * keep} %`}`),
  });
}

function errorOf({ trials }: ExperimentRecord, method: Method, keep: number | null): number {
  return rounded(trials.find((trial) => trial.method === method && trial.keep === keep)!.error);
}

/** Keeps that figures are given of. */
const SCORE_KEEPS = [0.5, 0.3, 0.1];

export function scoreFigures(record: ExperimentRecord): Figure[] {
  return (["obd", "obs"] as const).flatMap((method) =>
    SCORE_KEEPS.map((keep) => {
      const magnitude = errorOf(record, "magnitude", keep);
      const name = `${method === "obd" ? "Optimal Brain Damage" : "Optimal Brain Surgeon"}, ${100 * keep} % left, not retrained: validation error`;
      const figure = atMost(`methods.${method}.${100 * keep}`, name, errorOf(record, method, keep), "%", magnitude);
      return { ...figure, beside: { magnitude, dense: errorOf(record, "none", null) } };
    }),
  );
}

/** Of Han's curves: who is to be no worse than whom. */
const CLAIMS: readonly (readonly [Method, Method, string])[] = [
  ["l1", "l2", "L1 beside L2, not retrained"],
  ["l2-retrained", "l1-retrained", "L2 beside L1, retrained"],
  ["l2-retrained", "l2", "L2 retrained, beside not"],
  ["l2-iterative", "l2-retrained", "L2 in turns, beside once"],
  ["l2-dropout", "l2-iterative", "L2 in turns, with dropout beside without"],
];
const HAN_KEEPS = [0.1, 0.03];

export function retrainingFigures(record: ExperimentRecord): Figure[] {
  return CLAIMS.flatMap(([method, than, what]) =>
    HAN_KEEPS.map((keep) => {
      const name = `Han et al. 2015, Figure 5: ${what}, ${100 * keep} % left: validation error`;
      const id = `methods.han.${method}.${than}.${100 * keep}`;
      return atMost(id, name, errorOf(record, method, keep), "%", errorOf(record, than, keep));
    }),
  );
}

/** A figure a curve, of which `plots.ts` draws them: errors by the share of the weights that is left. */
export function curveFigures({ experiment, trials }: ExperimentRecord): Figure[] {
  const methods = [...new Set(trials.map(({ method }) => method))].filter((method) => method !== "none");
  return methods.map((method) => {
    const points = trials.filter((trial) => trial.method === method);
    const errors = points.map(({ error }) => error);
    return {
      id: `methods.curve.${experiment}.${method}`,
      name: `Experiment ${experiment}, ${METHOD_NAMES[method]}: validation errors`,
      value: [Math.min(...errors), Math.max(...errors)].map((error) => rounded(error)).join(" … "),
      unit: "%",
      detail: Object.fromEntries(points.map(({ keep, error }) => [String(keep), rounded(error)])),
    };
  });
}
