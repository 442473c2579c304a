/** A compressed float net becomes the integer model that the container holds: layers fused, weights int8, biases int32, scales as multipliers. */
import { MAX_BORDER } from "../../assembly/format.js";
import { valuesOf } from "../model/geometry.js";
import { chainShapes, tensorShapes } from "../model/shapes.js";
import { checkAccumulators } from "./accumulators.js";
import { MoteError } from "../errors.js";
import type {
  Compression,
  Conv2dLayer,
  DenseLayer,
  FloatTensor,
  Graph,
  Layer,
  Net,
  PoolLayer,
  QLayer,
  QModel,
  QTensor,
} from "../model/model.js";
import { own } from "../own.js";
import { requantizeFactor } from "./requantize.js";

/** A layer of the graph and what runs as a part of it. */
interface Fused {
  readonly layer: Layer;
  readonly pool?: PoolLayer;
  readonly relu: boolean;
  /** The tensors it makes, the last of which is kept. */
  readonly outputs: readonly string[];
}

/** Scale as the file keeps it. */
interface Scale {
  readonly scale: number;
  readonly zeroPoint: number;
}

/**
 * @returns a model in which a relu is the clamp of the layer before it, and a max-pool behind a convolution is a part of it
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
  const quantTensor = (names: readonly string[]): QTensor => {
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
    const input = index.get(part.layer.input)!;
    const output = index.get(part.outputs[part.outputs.length - 1])!;
    return quantizeLayer(net, compression, part, tensors, input, output);
  });
  const model = { tensors, layers };
  checkAccumulators(
    model,
    fused.map(({ layer }) => layer.name),
  );
  return model;
}

/** Joins a layer of a chain with the relu and max-pool behind it. */
function fuse(graph: Graph): Fused[] {
  const absorbed = new Set<Layer>();
  const parts: Fused[] = [];
  for (const layer of graph.layers) {
    if (absorbed.has(layer)) continue;
    const outputs = [layer.output];
    let pool: PoolLayer | undefined;
    let relu = layer.op === "relu";
    for (;;) {
      const behind = graph.layers.find(({ input }) => input === outputs[outputs.length - 1]);
      // Relu and max commute, so their order does not matter.
      if (behind?.op === "relu") relu = true;
      else if (behind?.op === "maxpool" && layer.op === "conv2d" && pool === undefined) pool = behind;
      else break;
      absorbed.add(behind);
      outputs.push(behind.output);
    }
    parts.push({ layer, relu, outputs, ...(pool === undefined ? {} : { pool }) });
  }
  return parts;
}

/** The border of each tensor by name: the most padding that a convolution asks of it. */
function inputBorders(fused: readonly Fused[]): Map<string, number> {
  const borders = new Map<string, number>();
  for (const { layer } of fused) {
    if (layer.op !== "conv2d") continue;
    if (layer.pad > MAX_BORDER)
      throw new MoteError("UNSUPPORTED", `${layer.name}: pad is ${layer.pad}, expected 0 … ${MAX_BORDER}`);
    borders.set(layer.input, Math.max(layer.pad, borders.get(layer.input) ?? 0));
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
  tensors: readonly QTensor[],
  input: number,
  output: number,
): QLayer {
  const { layer, pool, relu } = part;
  const from = tensors[input];
  const to = tensors[output];
  const clamp = [relu ? to.zeroPoint : -128, 127] as const;
  const sameScale = from.scale === to.scale && from.zeroPoint === to.zeroPoint;
  switch (layer.op) {
    case "conv2d": {
      const { kernel, stride, pad, groups } = layer;
      const columns = (from.shape[0] / groups) * kernel[0] * kernel[1];
      const pooling = pool === undefined ? { size: 1, stride: 1 } : { size: pool.kernel, stride: pool.stride };
      const weights = quantizeWeights(net, compression, layer, columns, from, to);
      return { op: "conv2d", input, output, ...weights, clamp, kernel, stride, pad, groups, pool: pooling };
    }
    case "dense": {
      const columns = valuesOf(from.shape);
      return { op: "dense", input, output, ...quantizeWeights(net, compression, layer, columns, from, to), clamp };
    }
    case "avgpool": {
      const { kernel, stride } = layer;
      const factor = from.scale / to.scale / (kernel * kernel);
      return { op: "avgpool", input, output, kernel, stride, ...requantizeBy(factor, layer.name), clamp };
    }
    case "maxpool":
      if (!sameScale) {
        throw new MoteError(
          "MISMATCH",
          `${layer.name}: its output has scale ${to.scale}, zero point ${to.zeroPoint}; expected its input's, ${from.scale} and ${from.zeroPoint}`,
        );
      }
      return { op: "maxpool", input, output, kernel: layer.kernel, stride: layer.stride, clamp };
    case "relu":
      // Nothing to be fused with: a pool over one element only clamps, and changes the scale where it has to.
      if (sameScale) return { op: "maxpool", input, output, kernel: 1, stride: 1, clamp };
      return {
        op: "avgpool",
        input,
        output,
        kernel: 1,
        stride: 1,
        ...requantizeBy(from.scale / to.scale, layer.name),
        clamp,
      };
  }
}

function quantizeWeights(
  net: Net,
  compression: Compression,
  layer: Conv2dLayer | DenseLayer,
  columns: number,
  from: QTensor,
  to: QTensor,
): { weights: Int8Array; bias: Int32Array; multiplier: Int32Array; shift: Uint8Array } {
  const { name } = layer;
  const rows = layer.op === "conv2d" ? layer.outChannels : layer.outFeatures;
  const weightScale = own(compression.weightScale, name);
  if (weightScale === undefined || !(weightScale > 0 && Number.isFinite(weightScale))) {
    throw new MoteError(
      "MISMATCH",
      `${name}: weight scale is ${weightScale}, expected a positive number in the net's compression`,
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
