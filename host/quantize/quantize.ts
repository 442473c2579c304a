/** A compressed float net becomes the integer model that the container holds: cuts fused, weights int8, biases int32, scales as multipliers. */
import { integerModel } from "../import/integer-model.js";
import {
  mapOf,
  NO_CLAMP,
  NO_PADS,
  type Clamp,
  type ImportedNet,
  type NetEnd,
  type NetLayer,
  type NetTensor,
  type NetWeights,
  type TensorScale,
} from "../import/net.js";
import { MoteError } from "../errors.js";
import { inputOf, inputsOf, readOutside, resultsOf } from "../model/edges.js";
import type {
  Compression,
  FloatTensor,
  Graph,
  Layer,
  MaxPoolLayer,
  Net,
  QModel,
  WeightedLayer,
} from "../model/model.js";
import { tensorShapes } from "../model/shapes.js";
import { axesOf, sidesOf } from "../ops/attributes.js";
import { limitsOf } from "../ops/clamp.js";
import { isStep } from "../ops/functions.js";
import { floatWeights, hasWeights } from "../ops/index.js";
import { own } from "../own.js";

/**
 * @returns a model in which a relu or another cut is the clamp of the layer before it, and a max-pool behind a convolution is a part of it,
 *   unless its windows overlap or something else reads what is between
 * @throws MoteError MISMATCH for a net without `compression`, or one whose parts do not fit each other: names layer, what was expected and
 *   found. UNSUPPORTED for padding above 15
 */
export function quantize(net: Net): QModel {
  const { graph } = net;
  const { names, labels, preprocessing } = graph.ends ?? {};
  const model = integerModel(quantizedNet(net));
  return {
    ...model,
    ...(labels === undefined ? {} : { labels }),
    ...(names === undefined ? {} : { names }),
    ...(preprocessing === undefined ? {} : { preprocessing }),
  };
}

/** The net as the importer has those that are int8 already. */
function quantizedNet(net: Net): ImportedNet {
  const { graph, compression } = net;
  if (compression === undefined) {
    throw new MoteError(
      "MISMATCH",
      `${graph.name}: the net is not compressed, expected the result of \`mote compress\``,
    );
  }
  const shapes = tensorShapes(graph);
  const tensors: NetTensor[] = [];
  const index = new Map<string, number>();
  const add = (names: readonly string[]): number => {
    const name = names[names.length - 1];
    const nominal = names
      .map((n) => own(compression.nominalChannels, n))
      .findLast((channels) => channels !== undefined);
    const tensor: NetTensor = { name, shape: shapes.get(name)!, quantization: activation(compression, name) };
    index.set(name, tensors.length);
    return tensors.push(nominal === undefined ? tensor : { ...tensor, nominalChannels: nominal }) - 1;
  };
  add([graph.input.name]);
  const { states = [] } = graph;
  for (const { tensor } of states) add([tensor]);
  const layers = fused(graph).map((part): NetLayer => {
    const inputs = inputsOf(part.layer).map((name) => index.get(name)!);
    const output = add(part.outputs);
    return quantizedLayer(net, compression, part, tensors, inputs, output);
  });
  const end = (name: string): NetEnd => {
    const tensor = index.get(name)!;
    return { tensor, name, dims: [1, ...tensors[tensor].shape], order: "chw", bias: 0, isInteger: true };
  };
  const outputs = resultsOf(graph).map(end);
  return {
    tensors,
    layers,
    inputs: [end(graph.input.name)],
    outputs,
    states: states.map(({ tensor, source }) => ({ tensor: index.get(tensor)!, source: index.get(source)! })),
    isQuantized: true,
    ...(compression.activationBits === undefined ? {} : { activationBits: compression.activationBits }),
    notes: [],
  };
}

/** A layer with what runs as a part of it. */
export interface Fused {
  readonly layer: Layer;
  /** The tensors it makes, the last of which is kept. */
  readonly outputs: readonly string[];
  readonly clamp: Clamp;
  /** Whether its output is 1 where its sum is above 0, else 0. */
  readonly isStep: boolean;
  readonly pool?: MaxPoolLayer;
}

/** What cuts off, with its limits. */
function limits(layer: Layer): Clamp | undefined {
  if (layer.op === "relu") return { ...NO_CLAMP, low: 0 };
  return layer.op === "clamp" ? limitsOf(layer) : undefined;
}

/** Ops whose integer layers have a clamp. Cuts alone are such as well. */
const CUTTING: ReadonlySet<Layer["op"]> = new Set([
  "conv2d",
  "dense",
  "maxpool",
  "avgpool",
  "add",
  "mul",
  "relu",
  "clamp",
] as const);

/** Joins a layer with what can be a part of it: the cuts and the max-pool behind it, where nothing else reads what they do. */
export function fused(graph: Graph): Fused[] {
  const readers = new Map<string, Layer[]>();
  for (const layer of graph.layers)
    for (const input of inputsOf(layer)) readers.set(input, [...(readers.get(input) ?? []), layer]);
  const kept = readOutside(graph);
  const absorbed = new Set<Layer>();
  const parts: Fused[] = [];
  for (const layer of graph.layers) {
    if (absorbed.has(layer)) continue;
    let part: Fused = { layer, outputs: [layer.output], clamp: limits(layer) ?? NO_CLAMP, isStep: false };
    for (;;) {
      const last = part.outputs[part.outputs.length - 1];
      const [behind, other] = readers.get(last) ?? [];
      const joined = behind === undefined || other !== undefined || kept.has(last) ? null : join(part, behind);
      if (joined === null) break;
      part = { ...joined, outputs: [...part.outputs, behind.output] };
      absorbed.add(behind);
    }
    parts.push(part);
  }
  // By the tensor that is kept: results stay in the graph's order.
  const place = new Map(graph.layers.map(({ output }, index) => [output, index]));
  const placeOf = ({ outputs }: Fused): number => place.get(outputs[outputs.length - 1])!;
  return parts.toSorted((a, b) => placeOf(a) - placeOf(b));
}

function join(part: Fused, behind: Layer): Fused | null {
  if (isStep(behind) && hasWeights(part.layer) && !part.isStep && part.clamp === NO_CLAMP)
    return { ...part, isStep: true, clamp: { low: 0, high: 1 } };
  const cut = limits(behind);
  if (cut !== undefined) {
    const { low, high } = part.clamp;
    const clamp = { low: Math.max(low, cut.low), high: Math.min(high, cut.high) };
    return CUTTING.has(part.layer.op) ? { ...part, clamp } : null;
  }
  if (behind.op !== "maxpool" || part.layer.op !== "conv2d" || part.pool !== undefined) return null;
  const [kernel, stride] = [axesOf(behind.kernel), axesOf(behind.stride)];
  // Where windows overlap, places would be computed more than once.
  const isPart = sidesOf(behind.pad ?? 0).every((zeros) => zeros === 0) && kernel.every((size, i) => size <= stride[i]);
  return isPart ? { ...part, pool: behind } : null;
}

function quantizedLayer(
  net: Net,
  compression: Compression,
  { layer, clamp, pool, isStep }: Fused,
  tensors: readonly NetTensor[],
  inputs: readonly number[],
  output: number,
): NetLayer {
  const edges = { name: layer.name, inputs, output };
  const [from, to] = [tensors[inputs[0]], tensors[output]];
  switch (layer.op) {
    case "conv2d":
      return {
        op: "conv2d",
        ...edges,
        kernel: layer.kernel,
        stride: axesOf(layer.stride),
        pads: sidesOf(layer.pad),
        groups: layer.groups,
        weights: quantizedWeights(net, compression, layer, from, isStep),
        clamp,
        ...(pool === undefined ? {} : { pool: { size: axesOf(pool.kernel), stride: axesOf(pool.stride) } }),
      };
    case "dense":
      return { op: "dense", ...edges, weights: quantizedWeights(net, compression, layer, from, isStep), clamp };
    case "maxpool":
    case "avgpool": {
      const { op, kernel, stride, pad = 0 } = layer;
      return { op, ...edges, kernel: axesOf(kernel), stride: axesOf(stride), pads: sidesOf(pad), clamp };
    }
    // Nothing to be fused with: a pool over one element only cuts, and changes the scale where it has to.
    case "relu":
    case "clamp": {
      const [a, b] = [from.quantization!, to.quantization!];
      const op = a.scale === b.scale && a.zeroPoint === b.zeroPoint ? "maxpool" : "avgpool";
      return { op, ...edges, kernel: [1, 1], stride: [1, 1], pads: NO_PADS, clamp };
    }
    case "add":
      return { op: "add", ...edges, sign: layer.sign ?? 1, clamp };
    case "mul":
      return { op: "mul", ...edges, clamp };
    case "concat":
      return { op: "concat", ...edges };
    case "crop":
      return { op: "crop", ...edges, first: [layer.channel, 0, 0] };
    case "append":
      return { op: "append", ...edges };
    case "resize":
      return { op: "resize", ...edges, factor: layer.factor };
    case "map":
      return { ...mapOf(layer.function, layer.parameters), ...edges };
    case "batchnorm":
      throw new MoteError(
        "MISMATCH",
        `${layer.name}: a batch normalization, expected it folded into the weights before it`,
      );
  }
}

function activation(compression: Compression, name: string): TensorScale {
  const found = own(compression.activations, name);
  if (found === undefined)
    throw new MoteError("MISMATCH", `tensor ${name}: has no activation scale in the net's compression`);
  const scale = Math.fround(found.scale);
  if (!(scale > 0 && Number.isFinite(scale)))
    throw new MoteError("MISMATCH", `tensor ${name}: scale is ${found.scale}, expected a positive number`);
  const isWide = compression.activationBits === 16;
  const [least, most] = isWide ? [0, 0] : [-128, 127];
  if (!Number.isInteger(found.zeroPoint) || found.zeroPoint < least || found.zeroPoint > most) {
    const expected = isWide ? "0 of 16-bit activations" : "-128 … 127";
    throw new MoteError("MISMATCH", `tensor ${name}: zero point is ${found.zeroPoint}, expected ${expected}`);
  }
  return { scale, zeroPoint: found.zeroPoint };
}

function quantizedWeights(
  net: Net,
  compression: Compression,
  layer: WeightedLayer,
  from: NetTensor,
  isStep: boolean,
): NetWeights {
  const { name } = layer;
  const { rows: rowsOf, columns: columnsOf } = floatWeights(layer);
  const rows = rowsOf(layer);
  const columns = columnsOf(layer, from.shape).reduce((product, size) => product * size, 1);
  const scales = weightScales(compression, name, rows);
  const weights = parameter(net, `${name}.weight`, rows * columns).integers;
  if (weights === undefined) {
    throw new MoteError("MISMATCH", `${name}.weight: not on its integers, expected the result of \`mote compress\``);
  }
  const beyond = weights.indexOf(-128);
  if (beyond >= 0) throw new MoteError("MISMATCH", `${name}.weight[${beyond}]: is -128, expected -127 … 127`);
  const { multiplierBits } = compression;
  const rest = { rows, columns, values: weights, ...(multiplierBits !== undefined && { multiplierBits }) };
  // Sums are whole: that of 1 is the least above 0, and comes out as 1.
  if (isStep) {
    const bias = thresholds(parameter(net, `${name}.bias`, rows).data, unitsOf(compression, layer), name);
    return { ...rest, scales: Float64Array.of(1 / from.quantization!.scale), bias };
  }
  const { integers: bias } = quantizedBias(net, compression, layer, own(compression.biasBits ?? {}, name) ?? 32);
  return { ...rest, scales, bias };
}

/** Biases with which whole sums are above 0 where the real ones are. A bit less would move some. */
function thresholds(bias: Float32Array, units: Float64Array, name: string): Int32Array {
  const whole = Array.from(bias, (b, row) => Math.ceil(b / unitAt(units, row)));
  const beyond = whole.findIndex((b) => !(b >= -(2 ** 31) && b < 2 ** 31));
  if (beyond < 0) return Int32Array.from(whole);
  throw new MoteError(
    "MISMATCH",
    `${name}.bias: ${bias[beyond]} is ${whole[beyond]} accumulator units, expected an int32`,
  );
}

/** Of a calibrated net: a layer's biases as its integer model has them when each takes at most `bits` bits, 0 … 32. @throws MoteError MISMATCH */
export function roundedBias(net: Net, layer: WeightedLayer, bits: number): Float32Array {
  const { integers, units } = quantizedBias(net, net.compression!, layer, bits);
  return Float32Array.from(integers, (bias, row) => bias * unitAt(units, row));
}

/** Of a calibrated net: what a layer's biases are multiples of when each takes at most `bits` bits: one, or one a row. @throws MoteError MISMATCH */
export function biasSteps(net: Net, layer: WeightedLayer, bits: number): Float32Array {
  const units = unitsOf(net.compression!, layer);
  const shift = biasShift(biasesOf(net, layer), units, bits, layer.name);
  return Float32Array.from(units, (unit) => unit * 2 ** shift);
}

const biasesOf = (net: Net, layer: WeightedLayer): Float32Array =>
  parameter(net, `${layer.name}.bias`, floatWeights(layer).rows(layer)).data;

/** @returns with them the units of the accumulator: one, or one a row */
function quantizedBias(
  net: Net,
  compression: Compression,
  layer: WeightedLayer,
  bits: number,
): { readonly integers: Int32Array; readonly units: Float64Array } {
  const units = unitsOf(compression, layer);
  return { integers: quantizeBias(biasesOf(net, layer), units, bits, layer.name), units };
}

const unitAt = (units: Float64Array, row: number): number => units[units.length > 1 ? row : 0];

/** Of a layer's accumulator: one, or one a row. */
function unitsOf(compression: Compression, layer: WeightedLayer): Float64Array {
  const { scale } = activation(compression, inputOf(layer));
  const rows = floatWeights(layer).rows(layer);
  return weightScales(compression, layer.name, rows).map((weightScale) => scale * weightScale);
}

/** One, or one a row. */
function weightScales({ weightScale }: Compression, name: string, rows: number): Float64Array {
  const given = own(weightScale, name);
  const scales = typeof given === "number" ? [given] : (given ?? []);
  const wrong = scales.find((scale) => !(scale > 0 && Number.isFinite(scale)));
  if (wrong !== undefined || given === undefined) {
    throw new MoteError(
      "MISMATCH",
      `${name}: weight scale is ${wrong}, expected a positive number in the net's compression`,
    );
  }
  if (scales.length === 1 || scales.length === rows) return Float64Array.from(scales);
  throw new MoteError(
    "MISMATCH",
    `${name}: has ${scales.length} weight scales, expected one, or one for each of ${rows} rows`,
  );
}

/**
 * Rounds all biases of a layer to multiples of one power of two, the smallest with which each takes at most `bits` bits.
 * @param units of the accumulator: one, or one a row
 */
export function quantizeBias(bias: ArrayLike<number>, units: Float64Array, bits: number, name: string): Int32Array {
  const step = 2 ** biasShift(bias, units, bits, name);
  return Int32Array.from(bias, (b, row) => Math.round(b / (unitAt(units, row) * step)) * step);
}

/** The exponent of that power of two. @throws MoteError MISMATCH */
function biasShift(bias: ArrayLike<number>, units: Float64Array, bits: number, name: string): number {
  if (!Number.isInteger(bits) || bits < 0 || bits > 32) {
    throw new MoteError("MISMATCH", `${name}: biasBits is ${bits}, expected 0 … 32`);
  }
  const least = -(2 ** (bits - 1));
  for (let shift = 0; shift < 32; shift++) {
    const rounded = Array.from(bias, (b, row) => Math.round(b / (unitAt(units, row) * 2 ** shift)));
    const fits = bits === 0 ? rounded.every((b) => b === 0) : rounded.every((b) => b >= least && b < -least);
    if (fits && rounded.every((b) => b * 2 ** shift >= -(2 ** 31) && b * 2 ** shift < 2 ** 31)) return shift;
    if (bits === 0) break;
  }
  const inUnits = Array.from(bias, (b, row) => b / unitAt(units, row));
  const largest = inUnits.reduce((most, b, row) => (Math.abs(b) > Math.abs(inUnits[most]) ? row : most), 0);
  const isBeyond = Math.abs(inUnits[largest]) >= 2 ** 31;
  const problem = isBeyond
    ? "expected below 2^31: the layer's weights, or what they read, are too small beside it"
    : `which do not fit ${bits} bits`;
  throw new MoteError(
    "MISMATCH",
    `${name}.bias: ${bias[largest]} is ${inUnits[largest]} accumulator units, ${problem}`,
  );
}

function parameter(net: Net, name: string, length: number): FloatTensor {
  const tensor = net.tensors.get(name);
  if (tensor === undefined) throw new MoteError("MISMATCH", `${name}: missing from the net`);
  if (tensor.data.length !== length) {
    throw new MoteError(
      "MISMATCH",
      `${name}: has ${tensor.data.length} elements ([${tensor.shape.join(", ")}]), expected ${length}`,
    );
  }
  return tensor;
}
