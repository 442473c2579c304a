/** The rules of SPEC.md that a model must keep, whoever made it: the writer checks before it writes, the reader after it has read. */
import {
  MAX_BORDER,
  MAX_DIMENSION,
  MAX_LAYERS,
  MAX_LAYER_WEIGHTS,
  MAX_TENSORS,
  MAX_TENSOR_BYTES,
} from "../../assembly/format.js";
import { MoteError } from "../errors.js";
import { inputsOf } from "../model/edges.js";
import type { QLayer, QModel, QTensor } from "../model/model.js";
import { checkValues, range, REQUANTIZE_FIELDS, type Fail } from "../ops/fields.js";
import { columnCount, integerOp, isWeighted, rowCount, type QWeightedLayer } from "../ops/index.js";
import type { Edges } from "../ops/op.js";
import { tensorBytes } from "../model/geometry.js";

const refuse: Fail = (where, problem) => {
  throw new MoteError("FORMAT", `${where}: ${problem}`);
};

/** @throws MoteError FORMAT naming the tensor or layer, what was expected and what was found */
export function checkModel(model: QModel): void {
  range(refuse, "model", "number of tensors", model.tensors.length, 1, MAX_TENSORS);
  range(refuse, "model", "number of layers", model.layers.length, 1, MAX_LAYERS);
  model.tensors.forEach((tensor, index) => checkTensor(tensor, `tensor ${index}`, refuse));
  const written = new Set([0]);
  model.layers.forEach((layer, index) => {
    const where = `layer ${index} (${layer.op})`;
    checkEdges(layer, model.tensors.length, written, where, refuse);
    written.add(layer.output);
    const { fields, values } = integerOp(layer);
    checkValues(fields, values(layer), where, refuse);
    checkGeometry(model, layer, where, refuse);
    if (isWeighted(layer)) checkWeights(model, layer, where);
  });
}

export function checkTensor(tensor: QTensor, where: string, fail: Fail): void {
  const [channels, height, width] = tensor.shape;
  range(fail, where, "channels", channels, 1, MAX_DIMENSION);
  range(fail, where, "height", height, 1, MAX_DIMENSION);
  range(fail, where, "width", width, 1, MAX_DIMENSION);
  range(fail, where, "nominalChannels", tensor.nominalChannels, channels, MAX_DIMENSION);
  range(fail, where, "border", tensor.border, 0, MAX_BORDER);
  const scale = Math.fround(tensor.scale);
  if (!Number.isFinite(scale) || scale <= 0) fail(where, `scale is ${tensor.scale}, expected a finite positive f32`);
  range(fail, where, "zeroPoint", tensor.zeroPoint, -128, 127);
  if (tensorBytes(tensor) > MAX_TENSOR_BYTES) {
    fail(where, `takes ${tensorBytes(tensor)} bytes with its border, at most ${MAX_TENSOR_BYTES} are allowed`);
  }
}

/** @param written the tensors that hold values when the layer's turn comes */
export function checkEdges(
  layer: Edges,
  tensors: number,
  written: ReadonlySet<number>,
  where: string,
  fail: Fail,
): void {
  const { output } = layer;
  for (const input of inputsOf(layer)) range(fail, where, "input", input, 0, tensors - 1);
  range(fail, where, "output", output, 0, tensors - 1);
  for (const input of inputsOf(layer)) {
    if (written.has(input)) continue;
    fail(where, `input is tensor ${input}, expected tensor 0 or the output of an earlier layer`);
  }
  if (written.has(output))
    fail(where, `output is tensor ${output}, which is the model's input or written by an earlier layer`);
}

export function checkGeometry(model: QModel, layer: QLayer, where: string, fail: Fail): void {
  const inputs = inputsOf(layer).map((tensor) => model.tensors[tensor]);
  integerOp(layer).check(layer, inputs, model.tensors[layer.output], where, fail);
  if (isWeighted(layer)) {
    const weights = rowCount(model, layer) * columnCount(model, layer);
    if (weights > MAX_LAYER_WEIGHTS) fail(where, `has ${weights} weights, at most ${MAX_LAYER_WEIGHTS} are allowed`);
  }
}

export function checkRequantize(multiplier: number, shift: number, where: string, fail: Fail): void {
  checkValues(REQUANTIZE_FIELDS, [multiplier, shift], where, fail);
}

function checkWeights(model: QModel, layer: QWeightedLayer, where: string): void {
  const rows = rowCount(model, layer);
  const columns = columnCount(model, layer);
  if (layer.weights.length !== rows * columns) {
    refuse(where, `has ${layer.weights.length} weights, expected ${rows} × ${columns} = ${rows * columns}`);
  }
  if (layer.bias.length !== rows) refuse(where, `has ${layer.bias.length} biases, expected ${rows}`);
  const scales = layer.multiplier.length;
  if ((scales !== 1 && scales !== rows) || layer.shift.length !== scales) {
    refuse(where, `has ${scales} multipliers and ${layer.shift.length} shifts, expected 1 or ${rows} of each`);
  }
  for (let i = 0; i < scales; i++) checkRequantize(layer.multiplier[i], layer.shift[i], where, refuse);
}
