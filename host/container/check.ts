/** The rules of SPEC.md that a model must keep, whoever made it: the writer checks before it writes, the reader after it has read. */
import {
  MAX_BORDER,
  MAX_DIMENSION,
  MAX_KERNEL,
  MAX_LAYERS,
  MAX_LAYER_WEIGHTS,
  MAX_TENSORS,
  MAX_TENSOR_BYTES,
} from "../../assembly/format.js";
import { MoteError } from "../errors.js";
import type { QConv2d, QLayer, QMaxPool, QModel, QTensor, QWeights } from "../model/model.js";
import { columnCount, rowCount } from "./plan.js";
import { extentOf, tensorBytes } from "../model/geometry.js";

/** Throws for the first rule that does not hold. `where` is "tensor 3" or "layer 2". */
export type Fail = (where: string, problem: string) => never;

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
    checkEdges(layer.input, layer.output, model.tensors.length, written, where, refuse);
    written.add(layer.output);
    checkGeometry(model, layer, where, refuse);
    range(refuse, where, "clampMin", layer.clamp[0], -128, 127);
    range(refuse, where, "clampMax", layer.clamp[1], layer.clamp[0], 127);
    if (layer.op === "avgpool") checkRequantize(layer.multiplier, layer.shift, where, refuse);
    if (layer.op === "conv2d" || layer.op === "dense") checkWeights(model, layer, where);
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
  input: number,
  output: number,
  tensors: number,
  written: ReadonlySet<number>,
  where: string,
  fail: Fail,
): void {
  range(fail, where, "input", input, 0, tensors - 1);
  range(fail, where, "output", output, 0, tensors - 1);
  if (!written.has(input)) fail(where, `input is tensor ${input}, expected tensor 0 or the output of an earlier layer`);
  if (written.has(output))
    fail(where, `output is tensor ${output}, which is the model's input or written by an earlier layer`);
}

export function checkGeometry(model: QModel, layer: QLayer, where: string, fail: Fail): void {
  const input = model.tensors[layer.input];
  const output = model.tensors[layer.output];
  if (layer.op === "conv2d") {
    checkConv2d(input, output, layer, where, fail);
  } else if (layer.op === "dense") {
    if (output.shape[1] !== 1 || output.shape[2] !== 1) {
      fail(where, `output shape is [${output.shape.join(", ")}], expected [${output.shape[0]}, 1, 1]`);
    }
  } else {
    checkPool(input, output, layer, where, fail);
  }
  if (layer.op === "conv2d" || layer.op === "dense") {
    const weights = rowCount(model, layer) * columnCount(model, layer);
    if (weights > MAX_LAYER_WEIGHTS) fail(where, `has ${weights} weights, at most ${MAX_LAYER_WEIGHTS} are allowed`);
  }
}

function checkConv2d(input: QTensor, output: QTensor, layer: QConv2d, where: string, fail: Fail): void {
  range(fail, where, "kernelHeight", layer.kernel[0], 1, MAX_KERNEL);
  range(fail, where, "kernelWidth", layer.kernel[1], 1, MAX_KERNEL);
  range(fail, where, "stride", layer.stride, 1, MAX_KERNEL);
  range(fail, where, "pad", layer.pad, 0, input.border);
  range(fail, where, "groups", layer.groups, 1, input.shape[0]);
  range(fail, where, "poolSize", layer.pool.size, 1, MAX_KERNEL);
  range(fail, where, "poolStride", layer.pool.stride, 1, MAX_KERNEL);
  if (input.shape[0] % layer.groups !== 0 || output.shape[0] % layer.groups !== 0) {
    fail(where, `groups is ${layer.groups}, expected a divisor of ${input.shape[0]} and ${output.shape[0]} channels`);
  }
  for (const axis of [1, 2] as const) {
    const convolved = extentOf(output.shape[axis], layer.pool.size, layer.pool.stride);
    const wanted = extentOf(convolved, layer.kernel[axis - 1], layer.stride);
    const there = input.shape[axis] + layer.pad + input.border;
    if (wanted > there)
      fail(where, `reads ${wanted} ${axis === 1 ? "rows" : "columns"} of its input, which has ${there}`);
  }
}

function checkPool(
  input: QTensor,
  output: QTensor,
  layer: Pick<QMaxPool, "kernel" | "stride">,
  where: string,
  fail: Fail,
): void {
  range(fail, where, "kernel", layer.kernel, 1, MAX_KERNEL);
  range(fail, where, "stride", layer.stride, 1, MAX_KERNEL);
  if (input.shape[0] !== output.shape[0]) {
    fail(where, `has ${output.shape[0]} output channels, expected the input's ${input.shape[0]}`);
  }
  for (const axis of [1, 2] as const) {
    const wanted = extentOf(output.shape[axis], layer.kernel, layer.stride);
    if (wanted > input.shape[axis]) {
      fail(where, `reads ${wanted} ${axis === 1 ? "rows" : "columns"} of its input, which has ${input.shape[axis]}`);
    }
  }
}

export function checkRequantize(multiplier: number, shift: number, where: string, fail: Fail): void {
  range(fail, where, "multiplier", multiplier, 2 ** 30, 2 ** 31 - 1);
  range(fail, where, "shift", shift, 1, 62);
}

function checkWeights(model: QModel, layer: QLayer & QWeights, where: string): void {
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

export function range(fail: Fail, where: string, field: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    fail(where, `${field} is ${value}, expected ${least} … ${most}`);
  }
}
