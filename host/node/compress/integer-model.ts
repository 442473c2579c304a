/** What a compressed net is on a device: the packed model, and how good its integers are. */
import { integerEvaluation } from "../../compress/integer-errors.js";
import { writeContainer, type WriteOptions } from "../../container/write.js";
import type { Samples } from "../../data/samples.js";
import { fastestEngine } from "../../engines/open.js";
import type { Net } from "../../model/model.js";
import { quantize } from "../../quantize/quantize.js";
import type { MetricName, Task } from "../../train/losses.js";
import { openEngine } from "../engines/open.js";

/** The model of a finished net. */
export const packed = (net: Net, options?: WriteOptions): Uint8Array => writeContainer(quantize(net), options);

/** Of the integer model: as StageReport has it. */
export interface Measured {
  readonly error: number;
  readonly metric: MetricName;
  readonly errors?: number;
}

export function measureIntegers(container: Uint8Array, samples: Samples, task: Task | undefined): Measured {
  const engine = openEngine(fastestEngine(container), container);
  try {
    const { error, metric, errors } = integerEvaluation(engine, samples, task);
    return { error: metric === "mse" ? error : 100 * error, metric, ...(errors !== undefined && { errors }) };
  } finally {
    engine.close();
  }
}
