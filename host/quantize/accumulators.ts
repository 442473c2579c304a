/** Proof that a model's accumulators cannot overflow: SPEC.md asks it of whoever makes a model; engines wrap. */
import { MoteError } from "../errors.js";
import { inputOf } from "../model/edges.js";
import type { QModel } from "../model/model.js";
import { columnCount, isWeighted, rowCount } from "../ops/index.js";

/**
 * Bounds every accumulator by the int8 range of the layer's input, which is the clamp of the layer that wrote it.
 * @param names one a layer, for errors
 * @throws MoteError MISMATCH naming layer, row and the accumulator that it may reach
 */
export function checkAccumulators(model: QModel, names: readonly string[]): void {
  const ranges = new Map<number, readonly [number, number]>([[0, [-128, 127]]]);
  model.layers.forEach((layer, index) => {
    if (isWeighted(layer)) {
      const { zeroPoint } = model.tensors[inputOf(layer)];
      const [least, most] = ranges.get(inputOf(layer))!;
      // The border counts as well: it holds the zero point, a difference of 0.
      const low = Math.min(0, least - zeroPoint);
      const high = Math.max(0, most - zeroPoint);
      const columns = columnCount(model, layer);
      for (let row = 0; row < rowCount(model, layer); row++) {
        let down = layer.bias[row];
        let up = layer.bias[row];
        for (let at = row * columns; at < (row + 1) * columns; at++) {
          const w = layer.weights[at];
          down += w > 0 ? w * low : w * high;
          up += w > 0 ? w * high : w * low;
        }
        if (down < -(2 ** 31) || up >= 2 ** 31) {
          throw new MoteError(
            "MISMATCH",
            `${names[index]}: the accumulator of row ${row} may reach ${down} … ${up}, expected an int32`,
          );
        }
      }
    }
    ranges.set(layer.output, layer.clamp);
  });
}
