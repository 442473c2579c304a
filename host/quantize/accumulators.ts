/** Proof that a model's accumulators cannot overflow: SPEC.md asks it of whoever makes a model; engines wrap. */
import { MoteError } from "../errors.js";
import { inputOf, inputsOf } from "../model/edges.js";
import { activationBits, elementRange } from "../model/elements.js";
import type { QModel } from "../model/model.js";
import { columnCount, integerOp, isWeighted, rowCount } from "../ops/index.js";

/** What an accumulator may reach. */
export interface AccumulatorReach {
  readonly layer: number;
  /** A row, or a window. */
  readonly what: string;
  readonly down: number;
  readonly up: number;
}

/**
 * Bounds every accumulator by the range of the layer's input: the clamp of the layer that wrote it; any element of an input or a state. That of weighted
 * layers row by row, bias included, and of an average a window's.
 */
export function accumulatorReaches(model: QModel): AccumulatorReach[] {
  const ranges = model.tensors.map(elementRange);
  const reaches: AccumulatorReach[] = [];
  model.layers.forEach((layer, index) => {
    const { zeroPoint } = model.tensors[inputOf(layer)];
    const [least, most] = ranges[inputOf(layer)];
    // The border counts as well: it holds the zero point, a difference of 0.
    const low = Math.min(0, least - zeroPoint);
    const high = Math.max(0, most - zeroPoint);
    if (isWeighted(layer)) {
      const columns = columnCount(model, layer);
      for (let row = 0; row < rowCount(model, layer); row++) {
        let [sum, magnitudes] = [0, 0];
        for (let at = row * columns; at < (row + 1) * columns; at++) {
          sum += layer.weights[at];
          magnitudes += Math.abs(layer.weights[at]);
        }
        const [positive, negative] = [(magnitudes + sum) / 2, (magnitudes - sum) / 2];
        const bias = layer.bias[row];
        reaches.push({
          layer: index,
          what: `row ${row}`,
          down: bias + positive * low - negative * high,
          up: bias + positive * high - negative * low,
        });
      }
    } else if (layer.op === "avgpool") {
      const elements = layer.kernel[0] * layer.kernel[1];
      reaches.push({ layer: index, what: "a window", down: elements * low, up: elements * high });
    }
    const inputs = inputsOf(layer).map((tensor) => ranges[tensor]);
    ranges[layer.output] = integerOp(layer).range(layer, inputs);
  });
  return reaches;
}

/**
 * @param names one a layer, for errors
 * @throws MoteError MISMATCH naming layer, row or window, and the accumulator that it may reach
 */
export function checkAccumulators(model: QModel, names: readonly string[]): void {
  for (const { layer, what, down, up } of accumulatorReaches(model)) {
    if (down >= -(2 ** 31) && up < 2 ** 31) continue;
    const mend =
      activationBits(model) === 16 ? "; fewer or smaller weights, or 8-bit activations, keep it in range" : "";
    throw new MoteError(
      "MISMATCH",
      `${names[layer]}: the accumulator of ${what} may reach ${down} … ${up}, expected an int32${mend}`,
    );
  }
}
