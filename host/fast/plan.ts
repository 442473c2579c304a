/**
 * The arena of a fast module: the container's tensors without the borders that its kernels do not read, and outputs over inputs that are
 * read for the last time (SPEC.md, "The fast module").
 */
import {
  KIND_ADD,
  KIND_CONV_GAPS,
  KIND_CONV_QUADS,
  KIND_DEPTHWISE,
  KIND_LUT,
  KIND_MUL,
} from "../../assembly/fast/layout.js";
import { partsOf, placeTensors, tensorLives } from "../container/plan.js";
import { inputOf, inputsOf } from "../model/edges.js";
import { extentOf, pitchAndPlane, tensorBytes } from "../model/geometry.js";
import type { QLayer, QModel, QTensor } from "../model/model.js";
import { integerOp } from "../ops/index.js";
import { chooseStreams } from "./choice.js";
import { layerStreams, layerWindow } from "./ops.js";
import type { LayerStream } from "./rows.js";

/** A tensor of a fast module. */
export interface PlannedTensor extends QTensor {
  /** Whether any kernel looks at the border. */
  readonly isBorderRead?: boolean;
  /** Of an output that is written over the input: the kernel must have read a channel before it writes it. */
  readonly isOverInput?: boolean;
}

export interface PlannedModel extends QModel {
  readonly tensors: readonly PlannedTensor[];
}

export interface FastPlan {
  readonly model: PlannedModel;
  readonly streams: readonly LayerStream[];
  /** Of each layer its stream by the kernel that every model may have. */
  readonly others: readonly LayerStream[];
  /** Bytes of the arena, and of each tensor's border from its begin. */
  readonly arena: number;
  readonly offsets: readonly number[];
  /** What kernels lay out elements in. */
  readonly scratch: number;
}

/** @throws MoteError UNSUPPORTED as layerStreams does, MEMORY as placeTensors does */
export function planFast(model: QModel): FastPlan {
  const candidates = model.layers.map((layer, index) => layerStreams(model, layer, index));
  const streamBy = streamsBy(chooseStreams(candidates).map(({ kind }) => kind));
  const bare = withoutBorders(model, streamBy);
  const others = candidates.map(([stream]) => stream);
  const plans = [new Map(), ...overInputs(bare, streamBy)].map((overs) => placed(bare, overs, streamBy));
  return { ...plans.reduce((best, plan) => (sizeOf(plan) < sizeOf(best) ? plan : best)), others };
}

type Placed = Omit<FastPlan, "others">;

const sizeOf = ({ arena, scratch }: Placed): number => arena + scratch;

/** Makes a layer's stream once for each way in which its tensors stand. */
interface Streams {
  readonly kinds: readonly number[];
  (model: PlannedModel, index: number): LayerStream;
}

/** @param kinds of the layers; of a dense one perhaps the other, where borders decide that */
function streamsBy(kinds: readonly number[]): Streams {
  const made = new Map<string, LayerStream>();
  const streamBy = (model: PlannedModel, index: number): LayerStream => {
    const layer = model.layers[index];
    const key = JSON.stringify([
      index,
      inputsOf(layer).map((input) => model.tensors[input].border),
      model.tensors[layer.output].isOverInput,
    ]);
    const known = made.get(key);
    if (known !== undefined) return known;
    const candidates = layerStreams(model, layer, index);
    const stream = candidates.find((one) => one?.kind === kinds[index]) ?? candidates[0];
    made.set(key, stream);
    return stream;
  };
  return Object.assign(streamBy, { kinds });
}

/** Each tensor has as wide a border as a kernel reads. What concats join has one border. */
function withoutBorders(model: QModel, { kinds }: Streams): PlannedModel {
  const borders = model.tensors.map(() => 0);
  const atLeast = (tensor: number, border: number): void => {
    borders[tensor] = Math.max(borders[tensor], border);
  };
  model.layers.forEach((layer, index) => {
    if (kinds[index] !== KIND_DEPTHWISE) atLeast(inputOf(layer), reach(model, layer));
  });
  const joins = model.layers.filter((layer) => integerOp(layer).isInPlace);
  for (const { output, ...layer } of joins) for (const input of inputsOf(layer)) atLeast(output, borders[input]);
  for (const { output, ...layer } of joins.toReversed())
    for (const input of inputsOf(layer)) atLeast(input, borders[output]);
  return withTensors(model, (tensor, index) => ({ ...tensor, border: borders[index] }));
}

const withTensors = (
  model: PlannedModel,
  map: (tensor: PlannedTensor, index: number) => PlannedTensor,
): PlannedModel => {
  return { ...model, tensors: model.tensors.map(map) };
};

/** How far a layer's windows reach beyond its input. */
function reach(model: QModel, layer: QLayer): number {
  if (layer.op === "resize") return 0;
  const { pad, stride, pool } = layerWindow(layer);
  const kernel = layer.op === "conv2d" ? layer.kernel : [1, 1];
  return [0, 1].reduce((most, axis) => {
    const places = extentOf(model.tensors[layer.output].shape[axis + 1], pool.size[axis], pool.stride[axis]);
    const beyond =
      extentOf(places, kernel[axis], stride[axis]) - pad[axis] - model.tensors[inputOf(layer)].shape[axis + 1];
    return Math.max(most, pad[axis], beyond);
  }, 0);
}

/** Outputs and the inputs that they are written over. */
type Overs = ReadonlyMap<number, number>;

/** Ways to write outputs over inputs: the larger the channels that may be laid out for it, the more of them. */
function overInputs(model: PlannedModel, streamBy: Streams): Overs[] {
  const lives = tensorLives(model);
  const joined = new Set([...partsOf(model)].flatMap(([part, { whole }]) => [part, whole]));
  const found: { readonly output: number; readonly input: number; readonly scratch: number }[] = [];
  model.layers.forEach((layer, index) => {
    const { output } = layer;
    const input = inputsOf(layer).find(
      (tensor) =>
        lives[tensor].last === index &&
        model.tensors[tensor].source === undefined &&
        fitsOver(model, layer, streamBy.kinds[index], tensor) &&
        ![tensor, output].some((one) => joined.has(one)),
    );
    if (input === undefined) return;
    const over = withOvers(model, new Map([[output, input]]), streamBy);
    found.push({ output, input, scratch: streamBy(over, index).scratchBytes });
  });
  const limits = [...new Set(found.map(({ scratch }) => scratch))];
  return limits.map((most) => {
    const some = found.filter(({ scratch }) => scratch <= most);
    return thatFit(model, new Map(some.map(({ output, input }) => [output, input])), streamBy);
  });
}

/** Without those that do not fit, or cost more than they save, once others have given their tensors borders. */
function thatFit(model: PlannedModel, overs: Overs, streamBy: Streams): Overs {
  const whole = withOvers(model, overs, streamBy);
  const fitting = new Map(
    model.layers.flatMap((layer, index) => {
      const input = overs.get(layer.output);
      if (input === undefined) return [];
      const pair = [layer.output, input];
      const apart = pair.reduce((sum, tensor) => sum + bytesOf(model, tensor), 0);
      const pays = pair.every((tensor) => bytesOf(whole, tensor) < apart);
      return pays && fitsOver(whole, layer, streamBy.kinds[index], input) ? [[layer.output, input]] : [];
    }),
  );
  return fitting.size === overs.size ? overs : thatFit(model, fitting, streamBy);
}

/** Whether a layer's kernel reads what it writes over before it does. */
function fitsOver(model: PlannedModel, layer: QLayer, kind: number, input: number): boolean {
  const [from, to] = [model.tensors[input], model.tensors[layer.output]];
  switch (kind) {
    case KIND_CONV_QUADS:
    case KIND_CONV_GAPS:
      return (
        isSamePlaces(from, to) && layer.op === "conv2d" && [...layer.kernel, ...layer.stride].every((one) => one === 1)
      );
    case KIND_ADD:
    case KIND_MUL:
    case KIND_LUT:
      return from.shape.join() === to.shape.join();
    case KIND_DEPTHWISE: {
      // A border is filled before the layer runs.
      const isInside = to.border === 0 && pitchAndPlane(to).plane <= pitchAndPlane(from).plane;
      return isInside || (isSamePlaces(from, to) && from.border === to.border);
    }
    default:
      return false;
  }
}

const isSamePlaces = (a: QTensor, b: QTensor): boolean => a.shape.slice(1).join() === b.shape.slice(1).join();

/** What is written over each other place by place has the widest border of any of it. */
function withOvers(model: PlannedModel, overs: Overs, { kinds }: Streams): PlannedModel {
  const borders = model.tensors.map(({ border }) => border);
  const pairs = model.layers.flatMap(({ output }, index) => {
    const input = overs.get(output);
    return input === undefined || kinds[index] === KIND_DEPTHWISE ? [] : [[output, input]];
  });
  for (const pair of [...pairs, ...pairs.toReversed()]) {
    const most = Math.max(...pair.map((tensor) => borders[tensor]));
    for (const tensor of pair) borders[tensor] = most;
  }
  return withTensors(model, (tensor, index) => {
    const isBorderRead = tensor.border === borders[index];
    return { ...tensor, border: borders[index], isBorderRead, isOverInput: overs.has(index) };
  });
}

function placed(bare: PlannedModel, overs: Overs, streamBy: Streams): Placed {
  const model = withOvers(bare, overs, streamBy);
  const streams = model.layers.map((_, index) => streamBy(model, index));
  const { offsets, bytes } = placeTensors(model, tensorLives(model), togetherOf(overs));
  return { model, streams, arena: bytes, offsets, scratch: Math.max(...streams.map((one) => one.scratchBytes)) };
}

/** Tensors that begin at one place. */
function togetherOf(overs: Overs): number[][] {
  const sets = new Map<number, number[]>();
  for (const [output, input] of overs) {
    const set = sets.get(input) ?? [input];
    set.push(output);
    for (const tensor of set) sets.set(tensor, set);
  }
  return [...new Set(sets.values())];
}

const bytesOf = (model: PlannedModel, tensor: number): number => tensorBytes(model.tensors[tensor]);
