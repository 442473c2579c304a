/** What a model is run on: images where there are any that fit it, otherwise elements by chance, the same on each run. */
import { readContainer } from "../../container/read.js";
import type { Inputs } from "../data/inputs.js";
import { MoteError } from "../../errors.js";
import { Random } from "../../rng.js";
import type { FirmwareInputs, FirmwareModel } from "./measure.js";

const SEED = 2026;

/** @param count 1 or more */
export function randomInputs({ container }: FirmwareModel, count: number): FirmwareInputs {
  const [channels, height, width] = readContainer(container).model.tensors[0].shape;
  const random = new Random(SEED);
  const bytes = Uint8Array.from({ length: count * channels * height * width }, () => random.integer(256));
  return { kind: "elements", count, bytes };
}

/**
 * The first `count` images.
 * @throws MoteError MISMATCH when the model takes others, ARGUMENT when there are not as many
 */
export function imageInputs({ name, container }: FirmwareModel, data: Inputs, count: number): FirmwareInputs {
  const { shape } = readContainer(container).model.tensors[0];
  if (shape.join() !== data.shape.join()) {
    const [expected, got] = [shape.join(", "), data.shape.join(", ")];
    throw new MoteError("MISMATCH", `${name} takes inputs of [${expected}], ${data.source} has [${got}]`);
  }
  if (count > data.count) {
    throw new MoteError("ARGUMENT", `--inputs ${count}: ${data.source} has ${data.count}`);
  }
  const size = data.images.length / data.count;
  return {
    kind: "pixels",
    count,
    bytes: data.images.subarray(0, count * size),
    ...(data.labels === undefined ? {} : { labels: data.labels.subarray(0, count) }),
  };
}
