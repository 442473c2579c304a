/** How well a model tells classes apart: what it takes for what, and where it is most wrong. */
import type { DataSet, Labels } from "../data/data-set.js";
import { valuesOf } from "../model/geometry.js";
import { classifyAll, probability, type Classification, type ClassifyOptions, type Tally } from "./classify.js";
import type { Engine } from "./engine.js";

/** With fewer classes, being among the best five says little. */
export const hasTop5 = (classes: number): boolean => classes >= 10;

/** A sample that the model takes for another class. */
export interface Mistake {
  readonly index: number;
  readonly label: number;
  readonly class: number;
  readonly probability: number;
  /** That the model gives the right class. */
  readonly labelProbability: number;
}

/** Samples of one label that the model takes for one class: the right one, or another. Pairs that do not occur are none. */
export interface Confusion {
  readonly label: number;
  readonly class: number;
  /** At least 1. */
  readonly samples: number;
}

export interface Evaluation {
  readonly tally: Tally;
  readonly errors: number;
  /** Samples whose label is among the five best classes; undefined for models of less than ten. */
  readonly inTop5: number | undefined;
  /** Outputs of the model. */
  readonly classes: number;
  /** In the order of the labels, then of the classes. */
  readonly confusion: readonly Confusion[];
  /** Those whose label has the least probability, the least first; of equals the first. */
  readonly worst: readonly Mistake[];
}

export interface EvaluateOptions extends Pick<ClassifyOptions, "steps"> {
  /** How many mistakes to list at most. */
  readonly worst: number;
  /** Called after each sample with its index and what the model makes of it. */
  readonly onSample?: (index: number, result: Classification) => void;
}

/**
 * @param set with labels; of a stream of several samples each counts
 * @throws MoteError as `classifyAll`
 */
export async function evaluate(
  engine: Engine,
  set: DataSet & { readonly labels: Labels },
  { worst, onSample, ...options }: EvaluateOptions,
): Promise<Evaluation> {
  const classes = valuesOf(engine.output.shape);
  // By label × classes + class: a table of all pairs is too large where there are many classes.
  const counts = new Map<number, number>();
  const mistakes: Mistake[] = [];
  let inTop5 = 0;
  const tally = await classifyAll(engine, set, {
    ...options,
    onResult: (index, result, logits) => {
      const label = set.labels[index];
      const pair = label * classes + result.class;
      counts.set(pair, (counts.get(pair) ?? 0) + 1);
      if (rankOf(logits, label) < 5) inTop5++;
      if (result.class !== label) {
        mistakes.push({ index, label, ...result, labelProbability: probability(logits, label, engine.output) });
      }
      onSample?.(index, result);
    },
  });
  return {
    tally,
    errors: mistakes.length,
    inTop5: hasTop5(classes) ? inTop5 : undefined,
    classes,
    confusion: [...counts]
      .toSorted(([a], [b]) => a - b)
      .map(([pair, samples]) => ({ label: Math.floor(pair / classes), class: pair % classes, samples })),
    worst: mistakes.toSorted((a, b) => a.labelProbability - b.labelProbability || a.index - b.index).slice(0, worst),
  };
}

/** [classes][classes], by label, then by class: how many samples. */
export function confusionMatrix({ classes, confusion }: Pick<Evaluation, "classes" | "confusion">): number[][] {
  const matrix = Array.from({ length: classes }, () => Array<number>(classes).fill(0));
  for (const { label, class: taken, samples } of confusion) matrix[label][taken] = samples;
  return matrix;
}

/** How many classes come before this one; of equal logits the first is the better, as in `argmax`. */
export function rankOf(logits: ArrayLike<number>, label: number): number {
  let rank = 0;
  for (let i = 0; i < logits.length; i++) {
    if (logits[i] > logits[label] || (logits[i] === logits[label] && i < label)) rank++;
  }
  return rank;
}
