/** Runs an experiment trial by trial. What is done is kept in the work folder: the same call goes on from there. */
import { codingsOf, smallestCoding } from "../codecs/index.js";
import { fixedWidth } from "../codecs/fixed-width.js";
import { DEFAULT_BIAS_BITS } from "../compress/recipe.js";
import { runRecipe, workNames } from "../compress/run-recipe.js";
import { dataDigest } from "../compress/digest.js";
import type { WorkFolder } from "../compress/work-folder.js";
import { sliceSamples, type Samples } from "../data/samples.js";
import { MoteError } from "../errors.js";
import type { Graph, Net } from "../model/model.js";
import { weightedLayers } from "../compress/integer-stages.js";
import type { TrainingRuntime } from "../train/pool.js";
import {
  encodeExperiment,
  extentOf,
  parseExperiment,
  trialsOf,
  type ExperimentName,
  type ExperimentRecord,
  type Trial,
  type TrialResult,
} from "./experiment.js";

export interface ExperimentOptions {
  readonly runtime: TrainingRuntime;
  readonly experiment: ExperimentName;
  readonly graph: Graph;
  /** A trained net of this graph, instead of the experiment's own. */
  readonly from?: Net;
  readonly data: { readonly name: string; readonly train: Samples; readonly validation: Samples };
  readonly isQuick: boolean;
  /** Of this net and data alone. */
  readonly folder: WorkFolder;
  readonly threads: number;
  readonly signal?: AbortSignal;
  /** Before each trial that is not there yet. */
  readonly onTrial?: (trial: Trial, index: number, count: number) => void;
  readonly onProgress?: (label: string, done: number, total: number, loss?: number) => void;
}

/** @throws MoteError INTERRUPTED, after which the same call goes on; as `runRecipe` */
export async function runExperiment(options: ExperimentOptions): Promise<ExperimentRecord> {
  const { runtime, experiment, graph, from, data, isQuick, folder, threads, signal, onTrial, onProgress } = options;
  const trials = trialsOf(experiment, graph, isQuick);
  const samples = Math.min(extentOf(isQuick).samples, data.train.count);
  const train = sliceSamples(data.train, 0, samples);
  const validation = sliceSamples(data.validation, 0, Math.min(extentOf(isQuick).samples, data.validation.count));
  const digest = await dataDigest({ train, validation });
  const file = `experiment-${experiment}${isQuick ? "-quick" : ""}.json`;
  const kept = await folder.readBytes(file);
  const earlier = kept === undefined ? [] : parseExperiment(new TextDecoder().decode(kept), file).trials;
  const results: TrialResult[] = [];
  // The first trial is the net as it was trained.
  const recordOf = (): ExperimentRecord => {
    return { experiment, net: graph.name, data: data.name, isQuick, denseBytes: results[0].bytes, trials: results };
  };
  for (const [index, trial] of trials.entries()) {
    const { recipe, stages, ...settings } = trial;
    const names = [
      ...(from === undefined ? [] : [GIVEN]),
      ...(await workNames(recipe, { ...(from && { from }), data: digest })),
    ];
    const result = names[stages];
    // Of a net that was given the name does not tell which.
    const done =
      result === GIVEN ? undefined : earlier.find((one) => one.result === result && one.method === settings.method);
    if (done !== undefined) {
      results.push(done);
    } else {
      onTrial?.(trial, index, trials.length);
      const { net, reports } = await runRecipe({
        runtime,
        recipe,
        data: { train, validation, digest },
        openWork: () => folder,
        threads,
        steps: from === undefined ? stages + 1 : stages,
        ...(from && { from }),
        ...(signal && { signal }),
        ...(onProgress && { onProgress }),
      });
      const { error, estimatedBytes } = reports.at(-1)!;
      const codedBytes = experiment === "rdoq" ? cabacBytes(net) : estimatedBytes;
      results.push({ ...settings, result, error, bytes: fixedBytes(net, settings), codedBytes });
    }
    folder.writeBytes(file, encodeExperiment(recordOf()));
    if (signal?.aborted) throw new MoteError("INTERRUPTED", `stopped; ${folder.path} holds all that was done`);
  }
  return recordOf();
}

/** In place of the name of a teacher. */
const GIVEN = "given";
const FLOAT_BITS = 32;
/** Of a centroid, as the container has it. */
const VALUE_BITS = 8;

/** Of the weights by codec 3, and biases of 8 bits. Weights that are no integers are float32. */
export function cabacBytes(net: Net): number {
  let bits = 0;
  for (const { name } of weightedLayers(net.graph)) {
    const { data, integers, shape } = net.tensors.get(`${name}.weight`)!;
    const [rows, columns] = [shape[0], data.length / shape[0]];
    const coded =
      integers && smallestCoding(codingsOf(Int8Array.from(integers), rows, columns, { codec: "cabac" })).bits;
    bits += (coded ?? FLOAT_BITS * data.length) + DEFAULT_BIAS_BITS * rows;
  }
  return Math.ceil(bits / 8);
}

/** Of a layer's weights that are their own codes, as two's complement. */
const widthOf = (integers: ArrayLike<number>): number =>
  1 + Math.ceil(Math.log2(1 + Array.from(integers).reduce((most, q) => Math.max(most, Math.abs(q)), 0)));

/**
 * Of the net without entropy codes: in each layer the smaller of all weights without indices, and those left behind indices of fixed
 * width. Weights without a codebook are float32, or integers as wide as the largest; biases are float32.
 */
export function fixedBytes(net: Net, { convBits, denseBits }: Pick<TrialResult, "convBits" | "denseBits">): number {
  let bits = 0;
  for (const { op, name } of weightedLayers(net.graph)) {
    const { data, shape, integers } = net.tensors.get(`${name}.weight`)!;
    const [rows, columns] = [shape[0], data.length / shape[0]];
    const codes = op === "conv2d" ? convBits : denseBits;
    const each = codes ?? (integers === undefined ? FLOAT_BITS : widthOf(integers));
    const { entries, indexBits } = fixedWidth(Int8Array.from(data, Math.sign), rows, columns);
    const codebook = codes === null ? 0 : VALUE_BITS * 2 ** codes;
    bits += Math.min(data.length * each, entries * (each + indexBits)) + codebook + FLOAT_BITS * rows;
  }
  return Math.ceil(bits / 8);
}
