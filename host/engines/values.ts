/** Real numbers and the elements that stand for them, at a model's ends. */
import type { Elements } from "../model/elements.js";
import type { TensorInfo } from "./engine.js";

/**
 * The element that is `steps` scales away from a real 0. Rounds half up, saturates; what is not a number becomes the zero point.
 */
export function quantize(steps: number, { zeroPoint, bits }: Pick<TensorInfo, "zeroPoint" | "bits">): number {
  const half = bits ? 0x8000 : 0x80;
  return Math.min(Math.max(zeroPoint + (Math.floor(steps + 0.5) || 0), -half), half - 1);
}

/** The first of the largest logits. */
export function argmax(logits: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  return best;
}

/** Probability of class `index`: softmax of the logits as real numbers. */
export function probability(logits: Elements, index: number, output: TensorInfo): number {
  let sum = 0;
  for (const logit of logits) sum += Math.exp(output.scale * (logit - logits[index]));
  return 1 / sum;
}
