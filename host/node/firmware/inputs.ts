/** What a model is run on: images where there are any that fit it, otherwise elements by chance, the same on each run. */
import { readContainer } from "../../container/read.js";
import type { Inputs } from "../data/inputs.js";
import { MoteError } from "../../errors.js";
import { modelInputs } from "../../model/edges.js";
import { valuesOf } from "../../model/geometry.js";
import type { Shape } from "../../model/model.js";
import { Random } from "../../rng.js";
import type { FirmwareInputs, FirmwareModel } from "./measure.js";

const SEED = 2026;

/** @param count 1 or more */
export function randomInputs({ container }: FirmwareModel, count: number): FirmwareInputs {
  const sizes = inputShapes(container).map(valuesOf);
  const random = new Random(SEED);
  const size = sizes.reduce((sum, elements) => sum + elements, 0);
  const bytes = Uint8Array.from({ length: count * size }, () => random.integer(256));
  return { kind: "elements", count, sizes, bytes };
}

/**
 * The first `count` images.
 * @throws MoteError MISMATCH when the model takes others or more than an image, ARGUMENT when there are not as many
 */
export function imageInputs({ name, container }: FirmwareModel, data: Inputs, count: number): FirmwareInputs {
  const shapes = inputShapes(container);
  if (shapes.length > 1 || shapes[0].join() !== data.shape.join()) {
    const expected = shapes.map((shape) => `[${shape.join(", ")}]`).join(" and ");
    throw new MoteError(
      "MISMATCH",
      `${name} takes inputs of ${expected}, ${data.source} has [${data.shape.join(", ")}]`,
    );
  }
  if (count > data.count) {
    throw new MoteError("ARGUMENT", `--inputs ${count}: ${data.source} has ${data.count}`);
  }
  const size = data.images.length / data.count;
  return {
    kind: "pixels",
    count,
    sizes: [size],
    bytes: data.images.subarray(0, count * size),
    ...(data.labels === undefined ? {} : { labels: data.labels.subarray(0, count) }),
  };
}

function inputShapes(container: Uint8Array): Shape[] {
  const { model } = readContainer(container);
  return modelInputs(model).map((tensor) => model.tensors[tensor].shape);
}
