/** What training needs to know of its samples: what they are to give, what a model must know to be given the like, what is odd about them. */
import { MoteError } from "../errors.js";
import type { Graph, Preprocessing, Shape } from "../model/model.js";
import type { Labels, SampleSet } from "./data-set.js";
import { INPUT_TARGETS, type OwnData } from "./data-spec.js";
import { countShared } from "./fingerprint.js";
import { isInterleaved } from "./order.js";
import { isSilent, perChannel } from "./reading.js";
import { checkLabels, sharedFloats, type Samples } from "./samples.js";
import { seenValues } from "./to-samples.js";

/** What a net takes and gives, as far as its data must fit it. */
export interface NetEnds {
  /** Of a sample: the input's, or rows of a sequence. */
  readonly shape: Shape;
  /** Of a sample that is a sequence. */
  readonly steps?: number | undefined;
  /** Values of all outputs. */
  readonly outputs: number;
  /** What the loss compares them with: a class, or a number for each. */
  readonly takes: "labels" | "targets";
  /** How the net's input is made of bytes, as far as its file tells; absent: value / 255. */
  readonly usual?: Preprocessing | undefined;
}

/** Labels by the training samples' numbers, where both have words for them. @throws MoteError MISMATCH for a class that these do not have */
export function withClassesOf({ classes: wanted }: Pick<SampleSet, "classes">, set: SampleSet): SampleSet {
  const { labels, classes } = set;
  if (labels === undefined || classes === undefined || wanted === undefined) return set;
  const numbers = classes.map((name) => wanted.indexOf(name));
  const renamed = labels.map((label) => {
    if (numbers[label] >= 0) return numbers[label];
    throw new MoteError("MISMATCH", `class ${classes[label]} is none of those for training: ${wanted.join(", ")}`);
  });
  return { ...set, labels: renamed, classes: wanted };
}

/**
 * Checked labels, or the targets that the loss wants: made of the classes where there is nothing else.
 * @throws MoteError MISMATCH for labels or targets that do not fit the net, or none
 */
export function withAnswers(samples: Samples, { targets }: OwnData, ends: NetEnds): Samples {
  const { shape, outputs, takes } = ends;
  const { count, labels } = samples;
  if (targets === INPUT_TARGETS) return withTargets(samples, seenValues(samples, shape[0]), outputs);
  if (samples.targets !== undefined) return withTargets(samples, samples.targets, outputs);
  if (labels === undefined) {
    const expected = takes === "labels" ? "labels, a class for each sample" : "targets, numbers for each sample";
    throw new MoteError("MISMATCH", `expected ${expected}; there are none`);
  }
  if (takes === "targets" && outputs === 1) return { ...samples, targets: Float32Array.from(labels) };
  checkLabels(labels, outputs, "labels");
  return takes === "labels" ? samples : { ...samples, targets: oneHot(labels, outputs, count) };
}

function withTargets(samples: Samples, targets: Float32Array, outputs: number): Samples {
  const each = targets.length / samples.count;
  if (each === outputs) return { ...samples, targets };
  throw new MoteError("MISMATCH", `targets of ${each} numbers for each sample, the net gives ${outputs}`);
}

function oneHot(labels: Labels, outputs: number, count: number): Float32Array {
  const targets = sharedFloats(count * outputs);
  labels.forEach((label, n) => (targets[n * outputs + label] = 1));
  return targets;
}

/** By which distortions make sense. */
export type DataKind = "image" | "series" | "vector";

export const kindOf = ([, height, width]: Shape): DataKind =>
  height > 1 && width > 1 ? "image" : height * width > 1 ? "series" : "vector";

/**
 * Absent where the net's own is right, or the usual: bytes / 255 or real numbers, in planes.
 * @param set that the samples were made of
 */
export function preprocessingOf(
  set: SampleSet,
  { reading }: Samples,
  spec: OwnData,
  { shape, usual = {} }: Pick<NetEnds, "shape"> & { readonly usual?: Partial<Preprocessing> | undefined },
): Preprocessing | undefined {
  const [channels] = shape;
  const isBytes = set.images instanceof Uint8Array;
  const { layout: usualLayout = "planar" } = usual;
  // Files of pictures lie as they are decoded, whatever a user's values do.
  const layout = set.colours === "rgb" ? usualLayout : isInterleaved(set, shape, usual) ? "interleaved" : "planar";
  const { colours = usual.colours ?? "none" } = spec;
  const isSame = layout === usualLayout && colours === (usual.colours ?? "none");
  if (isSame && (!isBytes || isSilent(spec))) return undefined;
  const each = (value: (channel: number) => number): number[] =>
    Array.from({ length: channels }, (_, channel) => Math.fround(value(channel)));
  if (!isBytes) return { layout, colours, mean: usual.mean ?? each(() => 0), std: usual.std ?? each(() => 255) };
  const { scale, offset } = reading ?? {
    scale: Array.from({ length: channels }, () => 1 / 255),
    offset: each(() => 0),
  };
  return { layout, colours, mean: each((c) => 0 - offset[c] / scale[c]), std: each((c) => 1 / scale[c]) };
}

/** The graph with what a model made of it is to tell its hosts of the data that it was trained on. */
export function withEnds(
  graph: Graph,
  { preprocessing, classes }: { readonly preprocessing?: Preprocessing; readonly classes?: readonly string[] },
): Graph {
  const ends = {
    ...graph.ends,
    ...(preprocessing && { preprocessing: ofChannels(graph, preprocessing) }),
    ...(classes && { labels: classes }),
  };
  return Object.keys(ends).length === 0 ? graph : { ...graph, ends };
}

/** Of a sample of several steps there is one number, which each value of a step has. */
function ofChannels({ input, steps }: Graph, preprocessing: Preprocessing): Preprocessing {
  if (steps === undefined) return preprocessing;
  const [channels] = input.shape;
  const { mean, std } = preprocessing;
  return { ...preprocessing, mean: perChannel(mean, channels, "mean"), std: perChannel(std, channels, "std") };
}

/** A part of the data with the fingerprints of its samples. */
export interface PrintedPart {
  readonly samples: Samples;
  readonly prints: Float64Array;
}

/** Sentences about samples that occur in two parts, and classes that a part does not have. @param names of the classes */
export function notesOn(
  train: PrintedPart,
  part: "validation" | "test",
  { samples, prints }: PrintedPart,
  names: readonly string[] | undefined,
): string[] {
  const shared = countShared(prints, train.prints);
  const twice = `${shared} of the ${samples.count} ${part} samples are among the training samples as well`;
  const missing = missingClasses(train.samples.labels, samples.labels).map((label) => names?.[label] ?? label);
  return [
    ...(shared === 0 ? [] : [twice]),
    ...(missing.length === 0 ? [] : [`no ${part} sample is of class ${missing.slice(0, 10).join(", ")}`]),
  ];
}

/** Classes of `all` that `some` do not have, ascending. */
function missingClasses(all: Labels | undefined, some: Labels | undefined): number[] {
  if (all === undefined || some === undefined) return [];
  const there = new Set(some);
  return [...new Set(all)].filter((label) => !there.has(label)).toSorted((a, b) => a - b);
}
