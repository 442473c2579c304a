/**
 * Nets that take a step of a stream at a time, as their layers run best: a window over the latest steps is one append of what was kept and what is new, and
 * what is kept is that window. Steps lie along the rows, [C, 1, T], where a channel's are one line.
 */
import type { Axes, Shape } from "../model/model.js";
import type { ImportedNet, NetCrop, NetLayer, NetState, NetTensor, Pads } from "./net.js";

/** @returns a net that gives the same, with the same inputs and outputs; of a net without crops and appends the same */
export function withWindows(net: ImportedNet): ImportedNet {
  const cropped = withoutUnread(withOneCrop(net));
  if (!net.layers.some(({ op }) => op === "append")) return cropped;
  return alongRows(withoutUnread(withWindowStates(withoutCrops(cropped))));
}

const producerOf = ({ layers }: ImportedNet, tensor: number): NetLayer | undefined =>
  layers.find(({ output }) => output === tensor);

const readersOf = ({ layers }: ImportedNet, tensor: number): NetLayer[] =>
  layers.filter(({ inputs }) => inputs.includes(tensor));

/** Along which axis of a shape an append puts its inputs. */
function appendAxis({ tensors }: ImportedNet, { inputs, output }: NetLayer): 1 | 2 {
  const { shape } = tensors[output];
  return inputs.every((input) => tensors[input].shape[2] === shape[2]) ? 1 : 2;
}

/** Whether a crop takes the last places along an axis, of all that there are along the others. */
function isTail({ tensors }: ImportedNet, { inputs, output, first }: NetCrop, axis: 1 | 2): boolean {
  const [from, to] = [tensors[inputs[0]].shape, tensors[output].shape];
  return [0, 1, 2].every((each) => first[each] + to[each] === from[each] && (each === axis || first[each] === 0));
}

/** A part of a part is a part, and one that is all is what it is of. */
function withOneCrop(net: ImportedNet): ImportedNet {
  if (!net.layers.some(({ op }) => op === "crop")) return net;
  const kept = new Set([...net.outputs.map(({ tensor }) => tensor), ...net.states.map(({ source }) => source)]);
  const crops = new Map<number, NetCrop>();
  const whole = new Map<number, number>();
  const layers = net.layers.map((layer): NetLayer => {
    const inputs = layer.inputs.map((input) => whole.get(input) ?? input);
    if (layer.op !== "crop") return { ...layer, inputs };
    const before = crops.get(inputs[0]);
    const crop: NetCrop =
      before === undefined
        ? { ...layer, inputs }
        : { ...layer, inputs: before.inputs, first: shifted(layer.first, before.first) };
    const [from, to] = [net.tensors[crop.inputs[0]], net.tensors[crop.output]];
    if (from.shape.join() === to.shape.join() && !kept.has(crop.output)) whole.set(crop.output, crop.inputs[0]);
    else crops.set(crop.output, crop);
    return crop;
  });
  return { ...net, layers };
}

const shifted = (a: Shape, b: Shape): Shape => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];

/** What an append passes over need not be cropped before. */
function withoutCrops(net: ImportedNet): ImportedNet {
  const layers = net.layers.map((layer): NetLayer => {
    if (layer.op !== "append") return layer;
    const [kept, added] = layer.inputs;
    const crop = producerOf(net, kept);
    if (crop?.op !== "crop" || !isTail(net, crop, appendAxis(net, layer))) return layer;
    // Of the tail alone the output's place says where it begins.
    const { tensors } = net;
    const axis = appendAxis(net, layer);
    const extent = (tensor: number): number => tensors[tensor].shape[axis];
    if (extent(layer.output) !== extent(kept) + extent(added)) return layer;
    return { ...layer, inputs: [crop.inputs[0], added] };
  });
  return { ...net, layers };
}

/** A state that is the last steps of a window, and is only there for the next window, keeps all of it. */
function withWindowStates(net: ImportedNet): ImportedNet {
  const tensors: NetTensor[] = [...net.tensors];
  const states = net.states.map((state): NetState => {
    const crop = producerOf(net, state.source);
    const readers = readersOf(net, state.tensor);
    if (crop?.op !== "crop" || readers.length === 0) return state;
    const isForWindows = readers.every(
      (reader) =>
        reader.op === "append" &&
        reader.inputs[0] === state.tensor &&
        reader.inputs[1] !== state.tensor &&
        isTail(net, crop, appendAxis(net, reader)),
    );
    const [source] = crop.inputs;
    if (!isForWindows || net.states.some(({ tensor }) => tensor === source)) return state;
    tensors[state.tensor] = { ...tensors[state.tensor], shape: tensors[source].shape };
    return { ...state, source };
  });
  return { ...net, tensors, states };
}

/** Without layers that nothing reads, where crops are gone. */
function withoutUnread(net: ImportedNet): ImportedNet {
  if (!net.layers.some(({ op }) => op === "crop")) return net;
  const needed = new Set([...net.outputs.map(({ tensor }) => tensor), ...net.states.map(({ source }) => source)]);
  const layers = net.layers.toReversed().filter(({ inputs, output }) => {
    if (!needed.has(output)) return false;
    for (const input of inputs) needed.add(input);
    return true;
  });
  return { ...net, layers: layers.toReversed() };
}

const exchanged = ([y, x]: Axes): Axes => [x, y];
const turned = ([channels, height, width]: Shape): Shape => [channels, width, height];

/** Rows become columns, and the elements stay where they are: of planes that are one element wide. */
function alongRows(net: ImportedNet): ImportedNet {
  const isNarrow =
    net.tensors.every(({ shape }) => shape[2] === 1) &&
    net.layers.every((layer) => !("pads" in layer) || (layer.pads[1] === 0 && layer.pads[3] === 0));
  if (!isNarrow) return net;
  const tensors = net.tensors.map((tensor) => ({ ...tensor, shape: turned(tensor.shape) }));
  return { ...net, tensors, layers: net.layers.map(turnedLayer) };
}

function turnedLayer(layer: NetLayer): NetLayer {
  const pads = ([top, left, bottom, right]: Pads): Pads => [left, top, right, bottom];
  switch (layer.op) {
    case "conv2d": {
      const { kernel, stride, pool } = layer;
      const turnedPool = pool && { size: exchanged(pool.size), stride: exchanged(pool.stride) };
      return {
        ...layer,
        kernel: exchanged(kernel),
        stride: exchanged(stride),
        pads: pads(layer.pads),
        ...(turnedPool && { pool: turnedPool }),
      };
    }
    case "maxpool":
    case "avgpool":
      return { ...layer, kernel: exchanged(layer.kernel), stride: exchanged(layer.stride), pads: pads(layer.pads) };
    case "resize":
      return { ...layer, factor: exchanged(layer.factor) };
    case "crop":
      return { ...layer, first: turned(layer.first) };
    default:
      return layer;
  }
}
