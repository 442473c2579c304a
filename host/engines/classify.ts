/** From pixels to a class: what stands before and behind an engine when a model tells digits apart. */
import { checkLabels } from "../data/samples.js";
import { MoteError } from "../errors.js";
import type { Shape } from "../model/model.js";
import { nextTurn } from "../turn.js";
import type { Engine, TensorInfo } from "./engine.js";
import { valuesOf } from "../model/geometry.js";

/** The int8 value of each pixel value 0 .. 255; the net sees pixel / 255. Rounds half up, saturates. */
export function pixelTable(input: TensorInfo): Int8Array {
  return Int8Array.from({ length: 256 }, (_, pixel) => {
    const value = input.zeroPoint + Math.floor(pixel / 255 / input.scale + 0.5);
    return Math.min(Math.max(value, -128), 127);
  });
}

/** The first of the largest logits. */
export function argmax(logits: Int8Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  return best;
}

/** Probability of class `index`: softmax of the logits as real numbers. */
export function probability(logits: Int8Array, index: number, output: TensorInfo): number {
  let sum = 0;
  for (const logit of logits) sum += Math.exp(output.scale * (logit - logits[index]));
  return 1 / sum;
}

/** A class that is less probable than this has another close behind it. Chosen on validation digits: `mote bench --only images`. */
const SURE_PROBABILITY = 0.9;

export interface Classification {
  readonly class: number;
  readonly probability: number;
}

/**
 * Why the class of a picture is unsure, in words; none for a sure one. Images of a data set are taken as they are.
 * @param doubts what finding the digit in the picture has left
 */
export function reasonsToDoubt(doubts: readonly string[], { probability: p }: Classification): readonly string[] {
  return p < SURE_PROBABILITY ? [...doubts, "another class is close"] : doubts;
}

/** What a run over many images came to. */
export interface Tally {
  readonly samples: number;
  /** Wrong classes; undefined without labels. */
  readonly errors: number | undefined;
  /** Model bytes fetched through the window for one inference, loading not counted; 0 where the model is in linear memory. */
  readonly bytesRead: number;
  /** Mean time of one inference, microseconds. */
  readonly usPerInference: number;
}

/** What one image takes: `count` of them follow one another in `images`. */
export interface ImageSet {
  readonly count: number;
  /** Of one image. */
  readonly shape: Shape;
  readonly images: Uint8Array;
  readonly labels?: Uint8Array;
}

/** Time between two returns to the event loop, so that Ctrl-C and the progress bar work. */
const SLICE_MS = 50;

/**
 * Runs every image through the engine, each as the first one: what states hold of one image is nothing to the next.
 * @param onResult called after each image with its index
 * @throws MoteError MISMATCH when the model takes more than an image, or images of another size, or a label is no class of it, ENGINE from
 *   the engine
 */
export async function classifyAll(
  engine: Engine,
  set: ImageSet,
  onResult?: (index: number, result: Classification) => void,
): Promise<Tally> {
  if (engine.inputs.length > 1) {
    throw new MoteError("MISMATCH", `the model takes ${engine.inputs.length} inputs, expected one, which is an image`);
  }
  if (set.shape.join() !== engine.input.shape.join()) {
    const [expected, got] = [engine.input.shape.join(", "), set.shape.join(", ")];
    throw new MoteError("MISMATCH", `the model takes images of [${expected}], got [${got}]`);
  }
  if (set.labels !== undefined) checkLabels(set.labels, valuesOf(engine.output.shape), "labels");
  const size = set.shape[0] * set.shape[1] * set.shape[2];
  const table = pixelTable(engine.input);
  const input = new Int8Array(size);
  const firstByte = engine.bytesRead;
  let errors = 0;
  let busyMs = 0;
  let sliceEnd = performance.now() + SLICE_MS;
  for (let n = 0; n < set.count; n++) {
    for (let i = 0; i < size; i++) input[i] = table[set.images[n * size + i]];
    engine.reset();
    const began = performance.now();
    const logits = engine.run(input);
    const ended = performance.now();
    busyMs += ended - began;
    const winner = argmax(logits);
    if (set.labels !== undefined && winner !== set.labels[n]) errors++;
    onResult?.(n, { class: winner, probability: probability(logits, winner, engine.output) });
    if (ended < sliceEnd) continue;
    await nextTurn();
    sliceEnd = performance.now() + SLICE_MS;
  }
  return {
    samples: set.count,
    errors: set.labels === undefined ? undefined : errors,
    bytesRead: set.count === 0 ? 0 : Math.round((engine.bytesRead - firstByte) / set.count),
    usPerInference: set.count === 0 ? 0 : (busyMs * 1000) / set.count,
  };
}
