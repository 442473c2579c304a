/** Nets that take the place of one that a device has: its last layer fine-tuned, or a share of its weights changed. */
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import type { DataSet, Labels } from "../../host/data/data-set.js";
import { inputFiller } from "../../host/engines/fill-input.js";
import { freshStates, runLayers } from "../../host/engines/ops-i8.js";
import { openReference } from "../../host/engines/reference.js";
import { inputOf } from "../../host/model/edges.js";
import { valuesOf } from "../../host/model/geometry.js";
import type { QDense, QModel } from "../../host/model/model.js";
import { isWeighted } from "../../host/ops/index.js";
import { Random } from "../../host/rng.js";

const EPOCHS = 8;
/** Of a weight's integer, when the sums are so scaled that the largest is MOST_LOGIT. */
const RATE = 0.02;
const MOST_LOGIT = 10;

/**
 * The last layer trained on by gradient descent on cross-entropy, sample by sample, on the integers that it has; what was pruned stays so. No weight
 * leaves the range of those that there are.
 */
export function fineTuneLast(container: Uint8Array, set: DataSet & { readonly labels: Labels }): Uint8Array {
  const { model } = readContainer(container);
  const last = model.layers.at(-1) as QDense;
  const features = featuresOf(container, model, set);
  const classes = last.bias.length;
  const columns = last.weights.length / classes;
  const weights = Float64Array.from(last.weights);
  const bias = Float64Array.from(last.bias);
  const sums = (x: Float64Array): Float64Array =>
    Float64Array.from(bias, (b, row) =>
      x.reduce((sum, value, column) => sum + value * weights[row * columns + column], b),
    );
  const most = Math.max(...features.map((x) => sums(x).reduce((a, b) => Math.max(a, Math.abs(b)), 0)));
  const unit = MOST_LOGIT / most;
  // As large a step in the sums whatever their unit.
  const power =
    features.reduce((sum, x) => sum + x.reduce((all, value) => all + value * value, 0), 0) / features.length;
  const rate = RATE / (unit * power);
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    features.forEach((x, sample) => {
      const logits = sums(x).map((sum) => sum * unit);
      const top = logits.reduce((a, b) => Math.max(a, b));
      const parts = logits.map((logit) => Math.exp(logit - top));
      const total = parts.reduce((a, b) => a + b);
      for (let row = 0; row < classes; row++) {
        const gradient = parts[row] / total - (set.labels[sample] === row ? 1 : 0);
        bias[row] -= rate * gradient;
        for (let column = 0; column < columns; column++) {
          const at = row * columns + column;
          if (last.weights[at] !== 0) weights[at] -= rate * gradient * x[column];
        }
      }
    });
  }
  const [low, high] = [Math.min(...last.weights), Math.max(...last.weights)];
  const rounded = Int8Array.from(weights, (w) => Math.max(low, Math.min(high, Math.round(w))));
  return writeContainer({
    ...model,
    layers: [...model.layers.slice(0, -1), { ...last, weights: rounded, bias: Int32Array.from(bias, Math.round) }],
  });
}

/** What the last layer gets of each sample, less its zero point. */
function featuresOf(container: Uint8Array, model: QModel, set: DataSet): Float64Array[] {
  const last = model.layers.at(-1) as QDense;
  const engine = openReference(container);
  const fill = inputFiller(set, engine.input);
  const { zeroPoint } = model.tensors[inputOf(last)];
  const features = Array.from({ length: set.count }, (_, index) => {
    const input = new Int8Array(valuesOf(engine.input.shape));
    fill(index, input);
    const values = runLayers(model, [input], freshStates(model)).get(inputOf(last))!;
    return Float64Array.from(values, (value) => value - zeroPoint);
  });
  engine.close();
  return features;
}

/** A share of the weights that are left, drawn by a seed, each made the next larger or smaller value of its layer. */
export function changeWeights(container: Uint8Array, share: number): Uint8Array {
  const { model } = readContainer(container);
  const random = new Random(1);
  const layers = model.layers.map((layer) => {
    if (!isWeighted(layer)) return layer;
    const values = [...new Set(layer.weights)].filter((w) => w !== 0).sort((a, b) => a - b);
    const weights = layer.weights.map((w) => {
      if (w === 0 || random.uniform() >= share) return w;
      const at = values.indexOf(w) + (random.uniform() < 0.5 ? -1 : 1);
      return values[Math.max(0, Math.min(values.length - 1, at))];
    });
    return { ...layer, weights };
  });
  return writeContainer({ ...model, layers });
}
