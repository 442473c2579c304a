/** How a model that tells classes apart bears what happens to pictures. */
import type { DataSet, Labels } from "../data/data-set.js";
import { DISTORTIONS, distortedSets } from "../data/distortions.js";
import { streamsOf } from "../data/sequences.js";
import { classifyAll, type ClassifyOptions } from "./classify.js";
import type { Engine } from "./engine.js";

export interface DistortionError {
  readonly id: string;
  readonly name: string;
  /** Samples run. */
  readonly samples: number;
  readonly errorPercent: number;
}

export interface RobustnessOptions extends Pick<ClassifyOptions, "steps"> {
  /** Called after each distortion. */
  readonly onDistortion?: (done: number, total: number) => void;
}

/**
 * Runs the samples as they are and in each distortion.
 * @throws MoteError ARGUMENT for samples that are no pictures of bytes; as `classifyAll`
 */
export async function robustness(
  engine: Engine,
  set: DataSet & { readonly labels: Labels },
  { onDistortion, ...options }: RobustnessOptions = {},
): Promise<DistortionError[]> {
  const results: DistortionError[] = [];
  const { perSample } = streamsOf(set, engine.input.shape, engine.hasStates, options.steps);
  // The picture that a sequence may be has channels of its own: a step is a row of it.
  const isFlat = set.shape.length < 3 || set.shape.at(-1) === 1;
  const channels = perSample === 1 ? engine.input.shape[0] : isFlat ? 1 : set.shape[0];
  for (const distortion of DISTORTIONS) {
    let [errors, samples] = [0, 0];
    for (const distorted of distortedSets(set, distortion, channels)) {
      errors += (await classifyAll(engine, distorted, options)).errors!;
      samples += set.count;
    }
    const { id, name } = distortion;
    results.push({ id, name, samples, errorPercent: (100 * errors) / Math.max(1, samples) });
    onDistortion?.(results.length, DISTORTIONS.length);
  }
  return results;
}
