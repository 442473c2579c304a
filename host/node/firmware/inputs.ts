/** What a model is run on by the firmware of a board. */
import { MoteError } from "../../errors.js";
import type { Labels } from "../../data/data-set.js";
import { modelInputs } from "../../model/edges.js";
import { valuesOf } from "../../model/geometry.js";
import { readContainer } from "../../container/read.js";
import type { Runs } from "../data/runs.js";

/** One input after another. */
export interface FirmwareInputs {
  /** pixels: 0 .. 255, as mote_input_u8 takes them; elements: int8 of the model's inputs, as mote_set_input_i8 does. */
  readonly kind: "pixels" | "elements";
  readonly count: number;
  /** So many inputs in a row are a stream, before which a model's states are reset; Infinity where all are. */
  readonly perStream: number;
  /** Elements of each of the model's inputs, [channels, height, width]. */
  readonly sizes: readonly number[];
  /** The inputs one behind the other, `count` times. */
  readonly bytes: Uint8Array;
  /** The classes, where they are known. */
  readonly labels?: Labels;
}

/** Elements of each of a model's inputs. */
export function inputSizes(container: Uint8Array): number[] {
  const { model } = readContainer(container);
  return modelInputs(model).map((tensor) => valuesOf(model.tensors[tensor].shape));
}

/**
 * The runs of the first samples.
 * @param sizes of the model's inputs
 * @param samples how many
 * @throws MoteError ARGUMENT when there are not as many
 */
export function firmwareInputs(sizes: readonly number[], runs: Runs, samples: number): FirmwareInputs {
  const { perSample, perStream } = runs;
  const [count, given] = [samples * perSample, runs.count / perSample];
  if (samples > given) throw new MoteError("ARGUMENT", `--inputs ${samples}: ${runs.source} has ${given}`);
  const size = sizes.reduce((sum, elements) => sum + elements, 0);
  const labels = runs.labels === undefined ? {} : { labels: runs.labels.subarray(0, count) };
  if (runs.pixels !== undefined) {
    return { kind: "pixels", count, perStream, sizes, bytes: runs.pixels.subarray(0, count * size), ...labels };
  }
  const elements = new Int8Array(count * size);
  let at = 0;
  for (let index = 0; index < count; index++) {
    runs.fill(
      index,
      sizes.map((length) => elements.subarray(at, (at += length))),
    );
  }
  return { kind: "elements", count, perStream, sizes, bytes: new Uint8Array(elements.buffer), ...labels };
}
