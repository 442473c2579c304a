/** Nets that are to be trained or compressed, and the data for that. */
import { extname, isAbsolute, join } from "node:path";
import type { TrainingSamples } from "../../compress/digest.js";
import type { DataSpec } from "../../data/data-spec.js";
import { withEnds } from "../../data/training-set.js";
import { MoteError } from "../../errors.js";
import type { Net } from "../../model/model.js";
import type { Task } from "../../train/losses.js";
import { netEnds } from "../../train/net-ends.js";
import { isNamedNet, namedNet } from "../../train/nets.js";
import { seenBefore, withTrainedOn, type TrainedOn } from "../../train/trained-on.js";
import { movedSpec } from "../data/moved-spec.js";
import { loadTrainingData, type TrainingData } from "../data/training-data.js";
import { readNet, type ReadNetOptions } from "../import/read-net.js";
import { readCheckpoint } from "./checkpoint.js";

export interface OpenedNet {
  /** Without tensors where it is a graph alone. */
  readonly net: Net;
  /** What it has been trained on, as far as its file tells. */
  readonly trainedOn: readonly TrainedOn[];
}

export interface OpenNetOptions extends Pick<ReadNetOptions, "note" | "keepsBatchNorm" | "steps"> {
  /** That the net's path is relative to; by default the working folder. */
  readonly folder?: string;
  /** What the net's three channels are, in place of what its file tells. */
  readonly colours?: "rgb" | "bgr" | undefined;
}

/** A net of ours by its name, or of a file. @throws MoteError as `readNet`; ARGUMENT for another number of steps than the net's own */
export function openNet(name: string, options: OpenNetOptions = {}): OpenedNet {
  const { steps } = options;
  const opened = netOf(name, options);
  const own = opened.net.graph.steps;
  if (steps === undefined || own === steps) return opened;
  const found = own === undefined ? "has no states, and a sample no steps" : `has samples of ${own} steps`;
  throw new MoteError("ARGUMENT", `${name}: ${found}; ${steps} steps are given`);
}

function netOf(name: string, { folder = ".", colours, ...how }: OpenNetOptions): OpenedNet {
  if (isNamedNet(name)) return { net: { graph: namedNet(name), tensors: new Map() }, trainedOn: [] };
  const path = isAbsolute(name) ? name : join(folder, name);
  if (extname(path) === ".safetensors") {
    const { net, data = [] } = readCheckpoint(path);
    return { net, trainedOn: data };
  }
  const given = colours === undefined ? {} : { given: { colours } };
  return { net: readNet(path, { ...given, ...how }), trainedOn: [] };
}

export interface NetWithData extends OpenedNet {
  /** With what the data is, for the model: see `withEnds`. */
  readonly net: Net;
  readonly data: TrainingData & TrainingSamples;
  /** With this data, for the checkpoint. */
  readonly trainedOn: readonly TrainedOn[];
  /** What people should know of the data, a sentence each. */
  readonly warnings: readonly string[];
}

/**
 * @param name of the net, for the warnings
 * @param folder that the data's paths are relative to
 * @throws MoteError as `loadTrainingData`
 */
export function withData(
  name: string,
  { net, trainedOn }: OpenedNet,
  spec: DataSpec,
  task: Task,
  folder = ".",
): NetWithData {
  const data = loadTrainingData(spec, { ...netEnds(net.graph, task), folder });
  return {
    net: { ...net, graph: withEnds(net.graph, data) },
    data: { ...data, digest: `${data.digests.train}${data.digests.validation}` },
    trainedOn: withTrainedOn(trainedOn, { ...data, spec: movedSpec(data.spec, folder, ".") }),
    warnings: [...data.notes, ...seenBefore(name, trainedOn, data)],
  };
}
