/** Proof that a model's accumulators cannot overflow: SPEC.md asks it of whoever makes a model; engines wrap. */
import { MoteError } from "../errors.js";
import { inputOf, inputsOf } from "../model/edges.js";
import type { QModel } from "../model/model.js";
import { columnCount, integerOp, isWeighted, rowCount } from "../ops/index.js";

/**
 * Bounds every accumulator by the int8 range of the layer's input: the clamp of the layer that wrote it; any int8 of an input or a state.
 * @param names one a layer, for errors
 * @throws MoteError MISMATCH naming layer, row or window, and the accumulator that it may reach
 */
export function checkAccumulators(model: QModel, names: readonly string[]): void {
  const any = [-128, 127] as const;
  const ranges: (readonly [number, number])[] = model.tensors.map(() => any);
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
        expectInt32(
          names[index],
          `row ${row}`,
          bias + positive * low - negative * high,
          bias + positive * high - negative * low,
        );
      }
    } else if (layer.op === "avgpool") {
      const elements = layer.kernel[0] * layer.kernel[1];
      expectInt32(names[index], "a window", elements * low, elements * high);
    }
    const inputs = inputsOf(layer).map((tensor) => ranges[tensor]);
    ranges[layer.output] = integerOp(layer).range(layer, inputs);
  });
}

function expectInt32(layer: string, what: string, down: number, up: number): void {
  if (down >= -(2 ** 31) && up < 2 ** 31) return;
  throw new MoteError("MISMATCH", `${layer}: the accumulator of ${what} may reach ${down} … ${up}, expected an int32`);
}
