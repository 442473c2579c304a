/** What ops with weights have in common. */
import type { QWeights } from "../model/model.js";
import { requantize } from "../quantize/requantize.js";

/** Of a layer whose section has not been read. */
export const NO_WEIGHTS: Omit<QWeights, "clamp"> = {
  weights: new Int8Array(0),
  bias: new Int32Array(0),
  multiplier: new Int32Array(0),
  shift: new Uint8Array(0),
};

/** The output's element for an accumulator of a row. */
export function requantizeRow(acc: number, layer: QWeights, row: number, zeroPoint: number): number {
  const i = layer.multiplier.length > 1 ? row : 0;
  return requantize(acc, layer.multiplier[i], layer.shift[i], zeroPoint, layer.clamp[0], layer.clamp[1]);
}
