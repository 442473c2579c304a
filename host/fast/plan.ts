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
import { partsOf, placeTensors, tensorLives, type Life } from "../container/plan.js";
import { inputOf, inputsOf } from "../model/edges.js";
import { pitchAndPlane, tensorBytes } from "../model/geometry.js";
import type { QLayer, QModel, QTensor } from "../model/model.js";
import { integerOp } from "../ops/index.js";
import { chooseStreams } from "./choice.js";
import { linesPrice, livesByLines, notByInputLines, waysByInputLines, waysByLines } from "./lines.js";
import { layerStreams, reach } from "./ops.js";
import type { PlannedModel, PlannedTensor, Turns } from "./planned.js";
import type { LayerStream } from "./rows.js";

export interface FastPlan {
  readonly model: PlannedModel;
  readonly streams: readonly LayerStream[];
  /** Of each layer its stream by the kernel that every model may have. */
  readonly others: readonly LayerStream[];
  /** Bytes of the arena, which begins with what each layer's kernel lays out; of each tensor's border from the arena's begin. */
  readonly arena: number;
  readonly offsets: readonly number[];
  readonly turns?: Turns;
}

/**
 * Plans of less and less memory, the first with no layers by lines; each of the others costs more than the one before it.
 * @param comesByLines whether the model's input does: then all plans have layers by lines
 * @param price as chooseStreams has it
 * @throws MoteError UNSUPPORTED as `layerStreams` does, and for an input that cannot come by lines
 */
export function* plansFast(model: QModel, comesByLines = false, price = 0): Generator<FastPlan> {
  const candidates = model.layers.map((layer, index) => layerStreams(model, layer, index));
  const chosen = chooseStreams(candidates, price);
  const streamBy = streamsBy(chosen.map(({ kind }) => kind));
  const bare = withoutBorders(model, streamBy);
  const others = candidates.map(([stream]) => stream);
  const whole = leastOf(bare, streamBy);
  if (!comesByLines) yield { ...whole, others };
  const sizes = chosen.map(({ bytes }) => bytes.length);
  const found = comesByLines
    ? waysByInputLines(bare, streamBy.kinds)
    : waysByLines(bare, streamBy.kinds, peakOf(whole));
  const ways = [...found].map((way) => ({
    way,
    price: linesPrice(way, sizes),
    arena: arenaOf(way.model, [], [], way.turns).bytes,
  }));
  if (comesByLines && ways.length === 0) throw notByInputLines(bare, streamBy.kinds);
  let least = comesByLines ? Infinity : whole.arena;
  let leastArena = Infinity;
  for (const { way, arena } of ways.toSorted((a, b) => a.price - b.price)) {
    // Worth a closer look, which takes its time, are those that promise a twentieth less than any cheaper one.
    if (arena >= Math.min(least, 0.95 * leastArena)) continue;
    leastArena = arena;
    const plan = leastOf(way.model, streamBy, way.turns);
    if (plan.arena >= least) continue;
    least = plan.arena;
    yield { ...plan, others };
  }
}

function leastOf(bare: PlannedModel, streamBy: Streams, turns?: Turns): Placed {
  const plans = [new Map(), ...overInputs(bare, streamBy)].map((overs) => placed(bare, overs, streamBy, turns));
  return plans.reduce((best, plan) => (plan.arena < best.arena ? plan : best));
}

/** The first and the last layer at which a plan uses its arena up: others leave it as large as it is. */
function peakOf({ model, offsets }: Placed): Life {
  const lives = tensorLives(model);
  const ends = model.layers.map((_, step) =>
    Math.max(
      ...lives.map(({ first, last }, index) =>
        first <= step && step <= last ? offsets[index] + bytesOf(model, index) : 0,
      ),
    ),
  );
  const most = Math.max(...ends);
  return { first: ends.indexOf(most), last: ends.lastIndexOf(most) };
}

type Placed = Omit<FastPlan, "others">;

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
      inputsOf(layer).map((input) => [model.tensors[input].border, model.tensors[input].lines]),
      model.tensors[layer.output].isOverInput,
      model.tensors[layer.output].turn,
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

/** Outputs and the inputs that they are written over. */
type Overs = ReadonlyMap<number, number>;

/** Ways to write outputs over inputs: the larger the channels that may be laid out for it, the more of them. */
function overInputs(model: PlannedModel, streamBy: Streams): Overs[] {
  const lives = tensorLives(model);
  const joined = new Set([...partsOf(model)].flatMap(([part, { whole }]) => [part, whole]));
  const found: { readonly output: number; readonly input: number; readonly scratch: number }[] = [];
  model.layers.forEach((layer, index) => {
    const { output } = layer;
    if (model.tensors[output].turn !== undefined) return;
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

/**
 * What is written over each other place by place has the widest border of any of it.
 * @param model with the borders that kernels read
 */
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
    const isBorderRead = tensor.border > 0;
    return { ...tensor, border: borders[index], isBorderRead, isOverInput: overs.has(index) };
  });
}

function placed(bare: PlannedModel, overs: Overs, streamBy: Streams, turns?: Turns): Placed {
  const model = withOvers(bare, overs, streamBy);
  const streams = model.layers.map((_, index) => streamBy(model, index));
  const scratch = streams.map(({ scratchBytes }) => scratchBytes);
  const { offsets, bytes } = arenaOf(model, togetherOf(overs), scratch, turns);
  return { model, streams, arena: bytes, offsets, ...(turns === undefined ? {} : { turns }) };
}

function arenaOf(
  model: PlannedModel,
  together: readonly number[][],
  scratch: readonly number[],
  turns?: Turns,
): { offsets: number[]; bytes: number } {
  const lives = tensorLives(model);
  return placeTensors(model, turns === undefined ? lives : livesByLines(model, lives, turns), together, scratch);
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
