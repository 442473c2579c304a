/** A compressed float net becomes the integer model that the container holds: layers fused, weights int8, biases int32, scales as multipliers. */
import { MAX_BORDER } from "../../assembly/format.js";
import { inputsOf } from "../model/edges.js";
import { chainShapes, tensorShapes } from "../model/shapes.js";
import { checkAccumulators } from "./accumulators.js";
import { MoteError } from "../errors.js";
import type { Compression, FloatTensor, Graph, Layer, Net, QLayer, QModel } from "../model/model.js";
import { floatOp, floatWeights, hasWeights } from "../ops/index.js";
import { NO_POOL, type Part, type ScaledTensor } from "../ops/op.js";
import { own } from "../own.js";
import { requantizeFactor } from "./requantize.js";

/** Scale as the file keeps it. */
interface Scale {
  readonly scale: number;
  readonly zeroPoint: number;
}

/**
 * @returns a model in which a relu is the clamp of the layer before it, and a max-pool behind a convolution is a part of it,
 *   unless its windows overlap
 * @throws MoteError MISMATCH for a net without `compression`, or one whose parts do not fit each other: names layer, what was expected and
 *   found. UNSUPPORTED for padding above 15, or a graph that is no chain: of two layers that nothing reads, which is the result?
 */
export function quantize(net: Net): QModel {
  const { graph, compression } = net;
  if (compression === undefined) {
    throw new MoteError(
      "MISMATCH",
      `${graph.name}: the net is not compressed, expected the result of \`mote compress\``,
    );
  }
  chainShapes(graph);
  const fused = fuse(graph);
  const shapes = tensorShapes(graph);
  const index = new Map([[graph.input.name, 0]]);
  for (const { outputs } of fused) index.set(outputs[outputs.length - 1], index.size);
  const borders = inputBorders(fused);
  const quantTensor = (names: readonly string[]): ScaledTensor => {
    const name = names[names.length - 1];
    const shape = shapes.get(name)!;
    const { scale, zeroPoint } = activation(compression, name);
    const nominal = names
      .map((n) => own(compression.nominalChannels, n))
      .findLast((channels) => channels !== undefined);
    return { shape, nominalChannels: nominal ?? shape[0], border: borders.get(name) ?? 0, scale, zeroPoint };
  };
  const tensors = [[graph.input.name], ...fused.map(({ outputs }) => outputs)].map(quantTensor);
  const layers = fused.map((part): QLayer => {
    const inputs = inputsOf(part.layer).map((name) => index.get(name)!);
    const output = index.get(part.outputs[part.outputs.length - 1])!;
    return quantizeLayer(net, compression, part, tensors, inputs, output);
  });
  const output = tensors.length - 1;
  const isEnd = (index: number): boolean => index === 0 || index === output;
  const model: QModel = {
    tensors: tensors.map(({ scale, ...tensor }, index) => (isEnd(index) ? { ...tensor, scale } : tensor)),
    layers,
    outputs: [output],
  };
  checkAccumulators(
    model,
    fused.map(({ layer }) => layer.name),
  );
  return model;
}

/** A layer with what runs as a part of it. */
interface Fused extends Part {
  /** The tensors it makes, the last of which is kept. */
  readonly outputs: readonly string[];
}

/** Joins a layer of a chain with what can be a part of it: the relu and max-pool behind it. */
function fuse(graph: Graph): Fused[] {
  const absorbed = new Set<Layer>();
  const parts: Fused[] = [];
  for (const layer of graph.layers) {
    if (absorbed.has(layer)) continue;
    const outputs = [layer.output];
    const { takesPool, isRectifier } = floatOp(layer);
    let part: Part = { layer, takesPool, pool: null, relu: isRectifier };
    for (;;) {
      const behind = graph.layers.find((other) => inputsOf(other).includes(outputs[outputs.length - 1]));
      const joined = behind === undefined ? null : floatOp(behind).fuse(behind, part);
      if (behind === undefined || joined === null) break;
      part = joined;
      absorbed.add(behind);
      outputs.push(behind.output);
    }
    parts.push({ ...part, outputs });
  }
  return parts;
}

/** The border of each tensor by name: the most padding that a convolution asks of it. */
function inputBorders(fused: readonly Fused[]): Map<string, number> {
  const borders = new Map<string, number>();
  for (const { layer } of fused) {
    if (!hasWeights(layer)) continue;
    const pad = floatWeights(layer).pad(layer);
    if (pad > MAX_BORDER) {
      throw new MoteError("UNSUPPORTED", `${layer.name}: pad is ${pad}, expected 0 … ${MAX_BORDER}`);
    }
    for (const input of inputsOf(layer)) borders.set(input, Math.max(pad, borders.get(input) ?? 0));
  }
  return borders;
}

function activation(compression: Compression, name: string): Scale {
  const found = own(compression.activations, name);
  if (found === undefined)
    throw new MoteError("MISMATCH", `tensor ${name}: has no activation scale in the net's compression`);
  const scale = Math.fround(found.scale);
  if (!(scale > 0 && Number.isFinite(scale)))
    throw new MoteError("MISMATCH", `tensor ${name}: scale is ${found.scale}, expected a positive number`);
  if (!Number.isInteger(found.zeroPoint) || found.zeroPoint < -128 || found.zeroPoint > 127) {
    throw new MoteError("MISMATCH", `tensor ${name}: zero point is ${found.zeroPoint}, expected -128 … 127`);
  }
  return { scale, zeroPoint: found.zeroPoint };
}

function quantizeLayer(
  net: Net,
  compression: Compression,
  part: Fused,
  tensors: readonly ScaledTensor[],
  inputs: readonly number[],
  output: number,
): QLayer {
  const { layer, pool, relu } = part;
  const from = tensors[inputs[0]];
  const to = tensors[output];
  return floatOp(layer).quantize(layer, {
    edges: { inputs, output },
    inputs: inputs.map((input) => tensors[input]),
    output: to,
    clamp: [relu ? to.zeroPoint : -128, 127],
    pool: pool ?? NO_POOL,
    keepsScale: from.scale === to.scale && from.zeroPoint === to.zeroPoint,
    weights: (rows, columns) => quantizeWeights(net, compression, layer.name, rows, columns, from, to),
    requantize: (factor) => requantizeBy(factor, layer.name),
    mismatch(problem) {
      throw new MoteError("MISMATCH", `${layer.name}: ${problem}`);
    },
  });
}

function quantizeWeights(
  net: Net,
  compression: Compression,
  name: string,
  rows: number,
  columns: number,
  from: ScaledTensor,
  to: ScaledTensor,
): { weights: Int8Array; bias: Int32Array; multiplier: Int32Array; shift: Uint8Array } {
  const weightScale = own(compression.weightScale, name);
  if (typeof weightScale !== "number" || !(weightScale > 0 && Number.isFinite(weightScale))) {
    throw new MoteError(
      "MISMATCH",
      `${name}: weight scale is ${String(weightScale)}, expected a positive number in the net's compression`,
    );
  }
  const weights = parameter(net, `${name}.weight`, rows * columns).integers;
  if (weights === undefined) {
    throw new MoteError("MISMATCH", `${name}.weight: not on its integers, expected the result of \`mote compress\``);
  }
  const beyond = weights.indexOf(-128);
  if (beyond >= 0) throw new MoteError("MISMATCH", `${name}.weight[${beyond}]: is -128, expected -127 … 127`);
  const floatBias = parameter(net, `${name}.bias`, rows).data;
  const accScale = from.scale * weightScale;
  const bias = quantizeBias(floatBias, accScale, own(compression.biasBits ?? {}, name) ?? 32, name);
  const { multiplier, shift } = requantizeBy(accScale / to.scale, name);
  return { weights, bias, multiplier: Int32Array.of(multiplier), shift: Uint8Array.of(shift) };
}

/** Rounds all biases of a layer to multiples of one power of two, the smallest with which each takes at most `bits` bits. */
function quantizeBias(bias: Float32Array, accScale: number, bits: number, name: string): Int32Array {
  if (!Number.isInteger(bits) || bits < 0 || bits > 32) {
    throw new MoteError("MISMATCH", `${name}: biasBits is ${bits}, expected 0 … 32`);
  }
  const least = -(2 ** (bits - 1));
  for (let shift = 0; shift < 32; shift++) {
    const rounded = Array.from(bias, (b) => Math.round(b / (accScale * 2 ** shift)));
    const fits = bits === 0 ? rounded.every((b) => b === 0) : rounded.every((b) => b >= least && b < -least);
    if (fits && rounded.every((b) => b * 2 ** shift >= -(2 ** 31) && b * 2 ** shift < 2 ** 31)) {
      return Int32Array.from(rounded, (b) => b * 2 ** shift);
    }
    if (bits === 0) break;
  }
  const largest = bias.reduce((most, b) => (Math.abs(b) > Math.abs(most) ? b : most), 0);
  throw new MoteError(
    "MISMATCH",
    `${name}.bias: ${largest} is ${largest / accScale} accumulator units, which do not fit ${bits} bits`,
  );
}

function requantizeBy(factor: number, name: string): { multiplier: number; shift: number } {
  try {
    return requantizeFactor(factor);
  } catch (error) {
    throw new MoteError(
      "MISMATCH",
      `${name}: ${(error as Error).message}; the scales of its weights and tensors do not fit each other`,
      { cause: error },
    );
  }
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
