/** What a model gets wrong of labelled samples. */
import type { DataSet } from "../../host/data/data-set.js";
import { inputFiller } from "../../host/engines/fill-input.js";
import { fastestEngine } from "../../host/engines/open.js";
import { argmax } from "../../host/engines/values.js";
import { valuesOf } from "../../host/model/geometry.js";
import { openEngine } from "../../host/node/engines/open.js";
import { rounded } from "./figure.js";

/** A share of the test samples, in %. */
export function testError(model: Uint8Array, set: DataSet): number {
  const engine = openEngine(fastestEngine(), model);
  const fill = inputFiller(set, engine.input);
  const input = new Int8Array(valuesOf(engine.input.shape));
  let wrong = 0;
  for (let index = 0; index < set.count; index++) {
    fill(index, input);
    if (argmax(engine.run(input)) !== set.labels![index]) wrong++;
  }
  engine.close();
  return rounded((100 * wrong) / set.count, 4);
}
