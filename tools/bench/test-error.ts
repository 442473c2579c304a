/** What a model gets wrong of labelled samples. */
import type { DataSet } from "../../host/data/data-set.js";
import { sampleEndedBy, stepsOf } from "../../host/data/sequences.js";
import { inputFiller } from "../../host/engines/fill-input.js";
import { fastestEngine } from "../../host/engines/open.js";
import { argmax } from "../../host/engines/values.js";
import { valuesOf } from "../../host/model/geometry.js";
import { openEngine } from "../../host/node/engines/open.js";
import { rounded } from "./figure.js";

/** A share of the test samples, in %. */
export function testError(model: Uint8Array, set: DataSet): number {
  const engine = openEngine(fastestEngine(), model);
  const { runs, perSample } = stepsOf(set, engine.input.shape, engine.hasStates);
  const fill = inputFiller(runs, engine.input);
  const input = new Int8Array(valuesOf(engine.input.shape));
  let wrong = 0;
  for (let run = 0; run < runs.count; run++) {
    if (run % perSample === 0) engine.reset();
    fill(run, input);
    const scores = engine.run(input);
    const index = sampleEndedBy(run, perSample);
    if (index !== undefined && argmax(scores) !== set.labels![index]) wrong++;
  }
  engine.close();
  return rounded((100 * wrong) / set.count, 4);
}
