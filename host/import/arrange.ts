/** Rearranges a lowered net for how it will run: max-pools into the convolutions before them, concatenations of two tensors that may be parts. */
import { withWindows } from "./stream-windows.js";
import {
  clampTwice,
  mapOf,
  WHOLE,
  type ImportedNet,
  type NetConcat,
  type NetConv,
  type NetLayer,
  type NetPool,
  type NetTensor,
} from "./net.js";

/** @returns a net that gives the same, with the same inputs and outputs */
export function arrange(net: ImportedNet): ImportedNet {
  return withCopies(withFusedPools(withTables(withWindows(net))));
}

/** A layer that only cuts keeps its scale; where the file has another one behind it, it is a table. */
function withTables(net: ImportedNet): ImportedNet {
  const isRescaled = ({ inputs, output }: NetLayer): boolean => {
    const [from, to] = [net.tensors[inputs[0]].quantization, net.tensors[output].quantization];
    return from?.scale !== to?.scale || from?.zeroPoint !== to?.zeroPoint;
  };
  const layers = net.layers.map((layer): NetLayer => {
    if (layer.op !== "maxpool" || [...layer.kernel, ...layer.stride].some((size) => size !== 1)) return layer;
    const { name, inputs, output, clamp } = layer;
    return isRescaled(layer) ? { ...mapOf("clamp", [clamp.low, clamp.high]), name, inputs, output } : layer;
  });
  return { ...net, layers };
}

/** @param net arranged @returns its tensors as a model has them: inputs, then states, then outputs of layers */
export function tensorOrder({ inputs, states, layers }: ImportedNet): number[] {
  return [...[...inputs, ...states].map(({ tensor }) => tensor), ...layers.map(({ output }) => output)];
}

/** Whether a pool only picks among accumulators: then requantizing may come after it. Overlapping windows would compute places more than once. */
function canFuse(conv: NetLayer | undefined, pool: NetLayer, { tensors }: ImportedNet): conv is NetConv {
  if (conv?.op !== "conv2d" || pool.op !== "maxpool" || conv.pool !== undefined) return false;
  const [a, b] = [tensors[conv.output].quantization, tensors[pool.output].quantization];
  return (
    pool.pads.every((zeros) => zeros === 0) &&
    pool.kernel.every((size, axis) => size <= pool.stride[axis] && size <= 255 && pool.stride[axis] <= 255) &&
    pool.kernel[0] * pool.kernel[1] > 1 &&
    a?.scale === b?.scale &&
    a?.zeroPoint === b?.zeroPoint
  );
}

function withFusedPools(net: ImportedNet): ImportedNet {
  const readers = new Map<number, number>();
  const read = (tensor: number): void => void readers.set(tensor, (readers.get(tensor) ?? 0) + 1);
  for (const { inputs } of net.layers) inputs.forEach(read);
  for (const { tensor } of net.outputs) read(tensor);
  for (const { source } of net.states) read(source);
  const layers: NetLayer[] = [];
  for (const layer of net.layers) {
    const at = layers.findIndex(({ output }) => output === layer.inputs[0]);
    const conv = layers[at];
    if (canFuse(conv, layer, net) && readers.get(conv.output) === 1) {
      layers.splice(at, 1);
      layers.push(fused(conv, layer as NetPool));
    } else layers.push(layer);
  }
  return { ...net, layers };
}

function fused(conv: NetConv, { output, kernel, stride, clamp }: NetPool): NetConv {
  return { ...conv, output, clamp: clampTwice(conv.clamp, clamp), pool: { size: kernel, stride } };
}

/**
 * A part of a concatenation lies within it, so that a tensor can be a part of one alone, and has its scale. A state has a place of its own. What is
 * appended is copied anyway, and only has to have the scale.
 */
function withCopies(net: ImportedNet): ImportedNet {
  const tensors: NetTensor[] = [...net.tensors];
  const taken = new Set(net.states.map(({ tensor }) => tensor));
  const layers = net.layers.flatMap((layer): NetLayer[] => {
    if (layer.op !== "concat" && layer.op !== "append") return [layer];
    const isPart = layer.op === "concat";
    const copies: NetLayer[] = [];
    const whole = tensors[layer.output].quantization;
    const inputs = layer.inputs.map((input) => {
      const { quantization, shape, name } = tensors[input];
      const isSame = quantization?.scale === whole?.scale && quantization?.zeroPoint === whole?.zeroPoint;
      if (isSame && !(isPart && taken.has(input))) {
        if (isPart) taken.add(input);
        return input;
      }
      const output = tensors.push({ name: `${name} (part)`, shape, quantization: whole }) - 1;
      const copy = isSame ? WHOLE : mapOf("identity");
      copies.push({ ...copy, name: layer.name, inputs: [input], output });
      return output;
    });
    return [
      ...copies,
      ...(layer.op === "concat" ? joinedByTwo({ ...layer, inputs }, tensors) : [{ ...layer, inputs }]),
    ];
  });
  return { ...net, tensors, layers };
}

/** A concatenation has two inputs: more are joined one after the other. @param tensors takes those in between */
function joinedByTwo(layer: NetConcat, tensors: NetTensor[]): NetConcat[] {
  const { name, quantization, shape } = tensors[layer.output];
  const layers: NetConcat[] = [];
  let joined = layer.inputs[0];
  layer.inputs.slice(1).forEach((input, index, rest) => {
    const isLast = index === rest.length - 1;
    const channels = tensors[joined].shape[0] + tensors[input].shape[0];
    const part: NetTensor = { name: `${name} (part)`, shape: [channels, shape[1], shape[2]], quantization };
    const output = isLast ? layer.output : tensors.push(part) - 1;
    layers.push({ ...layer, inputs: [joined, input], output });
    joined = output;
  });
  return layers;
}
