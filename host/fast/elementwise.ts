/** Streams of what takes one element, or two at equal places. Zero points are folded into factors and constants. */
import { ELEMENT_BIAS, FACTOR_BYTES, KIND_ADD, KIND_LUT, KIND_MUL, LUT_BYTES } from "../../assembly/fast/layout.js";
import { concatBytes } from "../bytes.js";
import { inputsOf } from "../model/edges.js";
import type { Axes, QAdd, QLut, QModel, QMul } from "../model/model.js";
import { valuesOf } from "../model/geometry.js";
import { ELEMENT_INSTRUCTIONS, SUM_INSTRUCTIONS } from "./cost.js";
import { fold, MOST_ELEMENT, rowHead, storedZero } from "./fold.js";
import { channelStream } from "./stream.js";
import type { LayerStream } from "./rows.js";

/** (a - zeroA) × first + (b - zeroB) × second. */
export function addStream(model: QModel, layer: QAdd, where: string): LayerStream {
  const { multipliers, shift } = layer;
  const zeros = inputsOf(layer).map((input) => storedZero(model, input));
  const extremes = multipliers.map((factor) => MOST_ELEMENT * factor);
  const sums = {
    lowest: Math.min(0, extremes[0]) + Math.min(0, extremes[1]),
    highest: Math.max(0, extremes[0]) + Math.max(0, extremes[1]),
    toAccumulator: -(zeros[0] * multipliers[0] + zeros[1] * multipliers[1]),
  };
  return sumStream(model, layer, sums, multipliers, { multiplier: 1, shift }, where);
}

/** (a - zeroA) × (b - zeroB) = a × b - a × zeroB - b × zeroA + zeroA × zeroB. */
export function mulStream(model: QModel, layer: QMul, where: string): LayerStream {
  const [zeroA, zeroB] = inputsOf(layer).map((input) => storedZero(model, input));
  const toAccumulator = zeroA * zeroB;
  const extremes = [-zeroA, MOST_ELEMENT - zeroA].flatMap((a) => [a * -zeroB, a * (MOST_ELEMENT - zeroB)]);
  const sums = {
    lowest: Math.min(...extremes) - toAccumulator,
    highest: Math.max(...extremes) - toAccumulator,
    toAccumulator,
  };
  return sumStream(model, layer, sums, [-zeroB, -zeroA], layer, where);
}

function sumStream(
  model: QModel,
  { op, output, clamp }: QAdd | QMul,
  sums: { readonly lowest: number; readonly highest: number; readonly toAccumulator: number },
  factors: Axes,
  { multiplier, shift }: { readonly multiplier: number; readonly shift: number },
  where: string,
): LayerStream {
  const zero = storedZero(model, output);
  const head = rowHead(fold({ ...sums, multiplier, shift, zero, clamp, isAverage: false, where }), FACTOR_BYTES, where);
  const body = new DataView(new ArrayBuffer(FACTOR_BYTES));
  factors.forEach((factor, index) => body.setInt32(4 * index, factor, true));
  return channelStream(
    model,
    op === "mul" ? KIND_MUL : KIND_ADD,
    output,
    concatBytes([head, new Uint8Array(body.buffer)]),
    SUM_INSTRUCTIONS,
  );
}

/** An element `q` is stored as `q + 128`, so that the table's entries stand in its order. */
export function lutStream(model: QModel, { table, output }: QLut): LayerStream {
  const instructions = ELEMENT_INSTRUCTIONS * valuesOf(model.tensors[output].shape);
  const bytes = Uint8Array.from(table, (q) => q + ELEMENT_BIAS);
  return { kind: KIND_LUT, bytes, isWide: false, windowBytes: LUT_BYTES, scratchBytes: 0, instructions };
}
