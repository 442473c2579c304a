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
import { givenTensors, inputsOf, modelInputs, outputsOf } from "../model/edges.js";
import { activationBits, bitsOf, elementRange, type ElementBits } from "../model/elements.js";
import type { QLayer, QModel, QTensor } from "../model/model.js";
import { checkValues, range, REQUANTIZE_FIELDS, type Fail } from "../ops/fields.js";
import { columnCount, integerOp, isWeighted, rowCount, type QWeightedLayer } from "../ops/index.js";
import { tensorBytes } from "../model/geometry.js";

const refuse: Fail = (where, problem) => {
  throw new MoteError("FORMAT", `${where}: ${problem}`);
};

/** @throws MoteError FORMAT naming the tensor or layer, what was expected and what was found */
export function checkModel(model: QModel): void {
  const { tensors, layers } = model;
  range(refuse, "model", "number of tensors", tensors.length, 2, MAX_TENSORS);
  range(refuse, "model", "number of layers", layers.length, 1, Math.min(MAX_LAYERS, tensors.length - 1));
  const bits = activationBits(model);
  tensors.forEach((tensor, index) => {
    const where = `tensor ${index}`;
    if (bitsOf(tensor) !== bits) refuse(where, `has elements of ${bitsOf(tensor)} bits, expected tensor 0's ${bits}`);
    checkTensor(tensor, where, refuse);
  });
  const given = givenTensors(model);
  layers.forEach((layer, index) => {
    const where = `layer ${index} (${layer.op})`;
    checkInputs(layer, given + index, where, refuse);
    if (layer.output !== given + index) refuse(where, `output is tensor ${layer.output}, expected ${given + index}`);
    const { fields, values } = integerOp(layer);
    checkValues(fields, values(layer), where, refuse, bits);
    checkTables(layer, bits, where);
    checkGeometry(model, layer, where, refuse);
    if (isWeighted(layer)) checkWeights(model, layer, where);
  });
  const outputs = outputsOf(model);
  outputs.forEach((output, index) => {
    range(refuse, "model", `output ${index}`, output, index === 0 ? given : outputs[index - 1] + 1, tensors.length - 1);
  });
  checkEnds(model, refuse);
}

export function checkTensor(tensor: QTensor, where: string, fail: Fail): void {
  const [channels, height, width] = tensor.shape;
  range(fail, where, "channels", channels, 1, MAX_DIMENSION);
  range(fail, where, "height", height, 1, MAX_DIMENSION);
  range(fail, where, "width", width, 1, MAX_DIMENSION);
  range(fail, where, "nominalChannels", tensor.nominalChannels, channels, MAX_DIMENSION);
  range(fail, where, "border", tensor.border, 0, MAX_BORDER);
  if (tensor.scale !== undefined) {
    const scale = Math.fround(tensor.scale);
    if (!Number.isFinite(scale) || scale <= 0) fail(where, `scale is ${tensor.scale}, expected a finite positive f32`);
  }
  const [least, most] = bitsOf(tensor) === 16 ? [0, 0] : elementRange(tensor);
  range(fail, where, "zeroPoint", tensor.zeroPoint, least, most);
  if (tensorBytes(tensor) > MAX_TENSOR_BYTES) {
    fail(where, `takes ${tensorBytes(tensor)} bytes with its border, at most ${MAX_TENSOR_BYTES} are allowed`);
  }
}

/** What inputs, states and outputs must be. Layers and outputs name tensors that there are. */
export function checkEnds(model: QModel, fail: Fail): void {
  const { tensors, layers } = model;
  const given = givenTensors(model);
  const outputs = outputsOf(model);
  if (outputs.length === 0) fail("model", "has no output, expected one or more");
  const ends = new Set([...modelInputs(model), ...outputs]);
  const isUsed = new Set([...layers.flatMap(inputsOf), ...outputs]);
  tensors.forEach(({ scale, source, shape }, index) => {
    const where = `tensor ${index}`;
    if (ends.has(index) && scale === undefined) fail(where, "has no scale, which an input or output has");
    if (!ends.has(index) && scale !== undefined) fail(where, "has a scale, which inputs and outputs alone have");
    if (source === undefined) {
      const before = tensors[index - 1];
      if (index < given && before?.source !== undefined) fail(where, "is an input behind a state, expected before it");
      return;
    }
    if (index === 0) fail(where, "is a state, expected an input");
    if (index >= given) fail(where, "is a layer's output and has a source, which states alone have");
    range(fail, where, "source", source, 0, tensors.length - 1);
    const from = tensors[source];
    if (from.source !== undefined) fail(where, `its source, tensor ${source}, is a state`);
    if (from.shape.join() !== shape.join()) {
      fail(where, `its source, tensor ${source}, is [${from.shape.join(", ")}], expected [${shape.join(", ")}]`);
    }
    isUsed.add(source);
  });
  for (const { output } of layers) {
    if (!isUsed.has(output)) fail(`tensor ${output}`, "is read by no layer and no state, and is no output");
  }
}

/** A table has an entry for each int8. @throws MoteError UNSUPPORTED for one in a model of int16 elements */
export function checkTables({ op }: Pick<QLayer, "op">, bits: ElementBits, where: string): void {
  if (op !== "lut" || bits === 8) return;
  throw new MoteError(
    "UNSUPPORTED",
    `${where}: a function by a table of all int8 elements, which there is none of for 16-bit activations`,
  );
}

/** @param tensors that there are when the layer's turn comes */
export function checkInputs(layer: Pick<QLayer, "op" | "inputs">, tensors: number, where: string, fail: Fail): void {
  const { arity } = integerOp(layer);
  const inputs = inputsOf(layer);
  if (inputs.length !== arity) fail(where, `has ${inputs.length} inputs, expected ${arity}`);
  for (const input of inputs) range(fail, where, "input", input, 0, tensors - 1);
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
