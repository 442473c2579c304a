/** Scales of an int8 model's tensors, of which a container has those of inputs and outputs alone: the others follow from its factors and the net's weights. */
import { inputsOf, statesOf } from "../model/edges.js";
import type { QLayer, QModel, QWeights } from "../model/model.js";
import { tensorOrder } from "./arrange.js";
import type { ImportedNet, NetLayer, NetWeights, TensorScale } from "./net.js";
import { eachBlock } from "./rows.js";
import { MoteError } from "../errors.js";

/**
 * Whether a model can have been made of a net: the same layers on the same tensors.
 * @param net arranged
 * @returns its tensors in the model's order
 * @throws MoteError MISMATCH that says where they part
 */
export function matchModel(net: ImportedNet, { tensors, layers, outputs }: QModel): number[] {
  const order = tensorOrder(net);
  const expect = (what: string, expected: string | number, found: string | number): void => {
    if (expected === found) return;
    throw new MoteError("MISMATCH", `the model is of another net: ${what} is ${found}, in the net it is ${expected}`);
  };
  expect("the number of inputs and states", net.inputs.length + net.states.length, tensors.length - layers.length);
  net.inputs.forEach(({ tensor, name }, index) => {
    expect(`input ${index} (${name})`, sizes(net.tensors[tensor].shape), sizes(tensors[index].shape));
  });
  net.layers.slice(0, layers.length).forEach((layer, index) => {
    const found = layers[index];
    const describe = (op: string, shape: readonly number[], inputs: readonly number[]): string =>
      `${op} ${sizes(shape)} of tensor ${inputs.join(" and ")}`;
    expect(
      `layer ${index} (${layer.name})`,
      describe(
        layer.op,
        net.tensors[layer.output].shape,
        layer.inputs.map((input) => order.indexOf(input)),
      ),
      describe(found.op, tensors[found.output].shape, inputsOf(found)),
    );
    if ("weights" in layer && "weights" in found) {
      expect(
        `layer ${index} (${layer.name}), its number of weights`,
        layer.weights.rows * layer.weights.columns,
        found.weights.length,
      );
    }
  });
  expect("the number of layers", net.layers.length, layers.length);
  const ends = [...new Set(net.outputs.map(({ tensor }) => order.indexOf(tensor)))].sort((a, b) => a - b);
  expect("the list of output tensors", ends.join(", "), outputs.join(", "));
  order.forEach((tensor, index) => {
    const { quantization, name } = net.tensors[tensor];
    if (quantization === undefined) return;
    const { scale = quantization.scale, zeroPoint } = tensors[index];
    const text = (of: TensorScale): string => `${Math.fround(of.scale)} with zero point ${of.zeroPoint}`;
    expect(`the scale of tensor ${index} (${name})`, text(quantization), text({ scale, zeroPoint }));
  });
  return order;
}

const sizes = (shape: readonly number[]): string => shape.join(" × ");

/**
 * @param net of real numbers, arranged, of which the model was made
 * @returns the scale of each tensor of the model, in its order
 */
export function modelScales(net: ImportedNet, { tensors, layers }: QModel): TensorScale[] {
  const scales = tensors.map(({ scale = 0 }) => scale);
  const follow = (): void =>
    layers.forEach((layer, index) => {
      if (scales[layer.output] !== 0) return;
      const from = inputsOf(layer).map((input) => scales[input]);
      scales[layer.output] = outputScale(
        layer,
        net.layers[index],
        from,
        tensors[layer.output].zeroPoint,
        tensors[inputsOf(layer)[0]].zeroPoint,
      );
    });
  follow();
  // A state's is that of its source, which may follow from another state's.
  const states = statesOf({ tensors, layers });
  for (let turn = 0; turn < states.length; turn++) {
    for (const state of states) scales[state] = scales[tensors[state].source!];
    follow();
  }
  return tensors.map(({ zeroPoint }, index) => ({ scale: scales[index], zeroPoint }));
}

function outputScale(
  layer: QLayer,
  real: NetLayer,
  from: readonly number[],
  zeroPoint: number,
  zeroPointFrom: number,
): number {
  switch (layer.op) {
    case "conv2d":
    case "dense":
      return "weights" in real ? from[0] * weightScale(layer, real.weights) : from[0];
    case "avgpool":
      return from[0] / (layer.kernel[0] * layer.kernel[1]) / factorOf(layer.multiplier, layer.shift);
    case "mul":
      return (from[0] * from[1]) / factorOf(layer.multiplier, layer.shift);
    case "add": {
      // The larger factor has more bits.
      const larger = Math.abs(layer.multipliers[0]) >= Math.abs(layer.multipliers[1]) ? 0 : 1;
      return from[larger] / Math.abs(factorOf(layer.multipliers[larger], layer.shift));
    }
    case "lut":
      return real.op === "lut" ? tableScale(layer.table, real.apply, from[0], zeroPoint, zeroPointFrom) : from[0];
    case "append":
      return from[0] || from[1]; // one may be a state, whose scale is not known yet
    default:
      return from[0];
  }
}

const factorOf = (multiplier: number, shift: number): number => multiplier / 2 ** shift;

/** Of a row's weight over its factor, that of the row whose largest integer is largest: it was rounded least. 1 where all are 0. */
function weightScale({ weights, multiplier, shift }: QWeights, real: NetWeights): number {
  const { columns } = real;
  let [most, best] = [0, 1];
  eachBlock(real, (numbers, first, count) => {
    for (let row = 0; row < count; row++) {
      const integers = weights.subarray((first + row) * columns, (first + row + 1) * columns);
      const largest = integers.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      if (largest <= most) continue;
      const at = multiplier.length > 1 ? first + row : 0;
      most = largest;
      best = rowScale(integers, numbers.subarray(row * columns)) / factorOf(multiplier[at], shift[at]);
    }
  });
  return best;
}

/** By the largest ones where integers are numbers rounded by that; else, where weights share values, by least squares. */
function rowScale(integers: Int8Array, numbers: Float32Array): number {
  let [integer, number, squares, products] = [0, 0, 0, 0];
  integers.forEach((q, column) => {
    integer = Math.max(integer, Math.abs(q));
    number = Math.max(number, Math.abs(numbers[column]));
    squares += q * q;
    products += q * numbers[column];
  });
  const scale = number / integer;
  const isRounded = integers.every((q, column) => Math.abs(q - numbers[column] / scale) < 0.51);
  return isRounded ? scale : products / squares;
}

/** By least squares over the entries that are not cut. */
function tableScale(
  table: Int8Array,
  apply: (x: number) => number,
  from: number,
  zeroPoint: number,
  zeroPointFrom: number,
): number {
  let [squares, products] = [0, 0];
  table.forEach((q, i) => {
    if (q === -128 || q === 127) return;
    const real = apply(from * (i - 128 - zeroPointFrom));
    squares += real * real;
    products += real * (q - zeroPoint);
  });
  return products > 0 ? squares / products : from;
}
