/** What a model gets wrong of labelled samples. */
import type { DataSet } from "../../host/data/data-set.js";
import { classifyAll } from "../../host/engines/classify.js";
import { fastestEngine } from "../../host/engines/open.js";
import { openEngine } from "../../host/node/engines/open.js";
import { rounded } from "./figure.js";

/** A share of the samples, which have labels, in %. */
export async function testError(model: Uint8Array, set: DataSet): Promise<number> {
  const engine = openEngine(fastestEngine(), model);
  try {
    const { errors, samples } = await classifyAll(engine, set);
    return rounded((100 * errors!) / samples, 4);
  } finally {
    engine.close();
  }
}
