/**
 * Rows instead of planes: layers behind each other that go by turns of some lines, each over what the one before it has made in the same turn, so that the
 * tensors between them keep few lines. Outputs are the same; the layers' weights are read once a turn, and lines that stay are moved.
 */
import * as layout from "../../assembly/fast/layout.js";
import type { Life } from "../container/plan.js";
import { MoteError } from "../errors.js";
import { givenTensors, inputsOf, modelInputs } from "../model/edges.js";
import { pitchAndPlane } from "../model/geometry.js";
import type { QLayer } from "../model/model.js";
import { layerWindow, reach } from "./ops.js";
import type { PlannedModel, PlannedTensor, TurnLines, Turns } from "./planned.js";

const KINDS: ReadonlySet<number> = new Set([
  layout.KIND_CONV_QUADS,
  layout.KIND_CONV_GAPS,
  layout.KIND_CONV_PLACES,
  layout.KIND_DEPTHWISE,
  layout.KIND_MAXPOOL,
  layout.KIND_AVGPOOL,
  layout.KIND_ADD,
  layout.KIND_MUL,
  layout.KIND_LUT,
]);

/** Bytes of a channel's lines that KIND_LINES moves or fills at once. */
const MOST_LINE_BYTES = 1800;
/** Lines of the first layer's input in a turn. */
const RATES = [1, 2, 4, 8, 16];

export interface ByLines {
  readonly model: PlannedModel;
  readonly turns: Turns;
}

/** All ways for layers that follow each other, some of `peak` among them, to go by lines. @param kinds of the layers' kernels */
export function* waysByLines(model: PlannedModel, kinds: readonly number[], peak: Life): Generator<ByLines> {
  for (let first = 0; first <= peak.last; first++) {
    for (const rate of RATES) {
      for (let last = first + 1; last < model.layers.length; last++) {
        if (!KINDS.has(kinds[last]) || !KINDS.has(kinds[first])) break;
        if (last < peak.first) continue;
        const way = byLines(model, kinds, first, last, rate);
        if (way === null) break;
        if (way !== undefined) yield way;
      }
    }
  }
}

/** All ways for the first layers to go by lines where the model's only input comes by lines too, a turn's at a time. */
export function* waysByInputLines(model: PlannedModel, kinds: readonly number[]): Generator<ByLines> {
  const [input, ...others] = modelInputs(model);
  if (others.length > 0) return;
  for (const rate of RATES) {
    for (let last = 0; last < model.layers.length; last++) {
      const way = byLines(model, kinds, 0, last, rate, input);
      if (way === null) break;
      if (way !== undefined) yield way;
    }
  }
}

/** Why there are no such ways: the first layer that no way gets past. */
export function notByInputLines(model: PlannedModel, kinds: readonly number[]): MoteError {
  const [input, ...others] = modelInputs(model);
  const stops = RATES.map((rate) => kinds.findIndex((_, last) => byLines(model, kinds, 0, last, rate, input) === null));
  const [layer] = stops.toSorted((a, b) => b - a);
  const cause =
    others.length > 0
      ? `: the model has ${others.length + 1}`
      : layer < 0
        ? ""
        : `: layer ${layer} (${model.layers[layer].op}) does not go by them`;
  return new MoteError(
    "UNSUPPORTED",
    `fast module: its input cannot come by rows${cause}; expected one input, which only the first layers read, and these to be convolutions ` +
      "without a pool of their own, pools, sums or tables",
  );
}

/** Of a layer's window, down: lines that it looks at, from one to the next, and above the input. */
export function windowDown(layer: QLayer): { readonly extent: number; readonly stride: number; readonly pad: number } {
  const { pad, stride, pool } = layerWindow(layer);
  const kernel = layer.op === "conv2d" ? layer.kernel[0] : 1;
  return {
    extent: (pool.size[0] - 1) * stride[0] + kernel,
    stride: stride[0] * pool.stride[0],
    pad: pad[0],
  };
}

/** Lines of a tensor in each of its turns, which are one in 2^shift. */
type Rate = Pick<TurnLines, "count" | "shift">;

/** The rate of a window's outputs. */
function slower({ count, shift }: Rate, stride: number): Rate | undefined {
  if (count % stride === 0) return { count: count / stride, shift };
  return count === 1 && stride === 2 ? { count, shift: shift + 1 } : undefined;
}

/** Lines of an input above those that are new in a turn, as far as an output looks at them in the turn. */
export function linesBefore(
  input: Rate,
  inputAbove: number,
  output: Rate,
  outputAbove: number,
  stride: number,
  pad: number,
): number {
  return stride * output.count - input.count + stride * outputAbove + pad - inputAbove;
}

/**
 * @param lines of the first layer's input in a turn
 * @param comes the model's input, where it comes by lines
 * @returns undefined where it cannot be, null where no later `last` changes that
 */
function byLines(
  model: PlannedModel,
  kinds: readonly number[],
  first: number,
  last: number,
  lines: number,
  comes?: number,
): ByLines | undefined | null {
  const given = givenTensors(model);
  const isMade = (tensor: number): boolean => tensor === comes || (tensor >= given + first && tensor <= given + last);
  const rates = new Map<number, Rate>();
  const above = new Map<number, number>();
  if (comes !== undefined) {
    rates.set(comes, { count: lines, shift: 0 });
    above.set(comes, 0);
  }
  const kept = new Map<number, number>();
  for (let index = first; index <= last; index++) {
    const layer = model.layers[index];
    if (!KINDS.has(kinds[index])) return null;
    const inputs = inputsOf(layer);
    const { extent, stride, pad } = windowDown(layer);
    // A factor for each channel is no tensor of lines.
    if (inputs.some((input) => model.tensors[input].shape[1] !== model.tensors[inputs[0]].shape[1])) return null;
    const known = inputs.flatMap((input) => rates.get(input) ?? []);
    const from = index === first ? { count: lines, shift: 0 } : known[0];
    const to = from && slower(from, stride);
    if (to === undefined || known.some(({ count, shift }) => count !== from.count || shift !== from.shift)) return null;
    for (const input of inputs) rates.set(input, from);
    const made = inputs.filter(isMade);
    const before = Math.max(0, ...made.map((input) => Math.ceil((above.get(input)! + extent - stride - pad) / stride)));
    rates.set(layer.output, to);
    above.set(layer.output, before);
    for (const input of made) {
      kept.set(input, Math.max(kept.get(input) ?? 0, linesBefore(from, above.get(input)!, to, before, stride, pad)));
    }
  }
  const isWhole = (tensor: number): boolean =>
    model.outputs.includes(tensor) ||
    model.tensors.some(({ source }) => source === tensor) ||
    model.layers.some((layer, index) => inputsOf(layer).includes(tensor) && (index < first || index > last));
  if (comes !== undefined && isWhole(comes)) return undefined;
  const tensors = model.tensors.map((tensor, index): PlannedTensor => {
    if (!isMade(index)) return tensor;
    const turn = { ...rates.get(index)!, above: above.get(index)! };
    if (isWhole(index)) return { ...tensor, turn };
    const stays = kept.get(index) ?? 0;
    return { ...tensor, turn: { ...turn, kept: stays }, lines: stays + turn.count };
  });
  const outputs = tensors.filter((_, index) => isMade(index));
  const fits = outputs.every(
    (tensor) =>
      tensor.turn!.count <= 255 &&
      tensor.turn!.above <= 255 &&
      (tensor.lines === undefined || pitchAndPlane(tensor).plane <= MOST_LINE_BYTES),
  );
  if (!fits) return undefined;
  // Lines above and below a whole tensor are its border, for whatever kernel.
  for (let index = first; index <= last; index++) {
    for (const input of inputsOf(model.layers[index]).filter((one) => tensors[one].lines === undefined)) {
      const border = Math.max(tensors[input].border, reach(model, model.layers[index]));
      tensors[input] = { ...tensors[input], border };
    }
  }
  const count = Math.max(
    ...outputs.map(({ shape, turn }) => Math.ceil((shape[1] + turn!.above) / turn!.count) * 2 ** turn!.shift),
  );
  return { model: { ...model, tensors }, turns: { first, last, count, ...(comes === undefined ? {} : { comes }) } };
}

/** What of a tensor's life turns change: what stays is in use in all of them, as is what is read or made in them as a whole. */
export function livesByLines({ tensors, layers }: PlannedModel, lives: readonly Life[], turns: Turns): Life[] {
  const { first, last } = turns;
  const used = new Set(layers.slice(first, last + 1).flatMap(({ output, ...layer }) => [output, ...inputsOf(layer)]));
  return lives.map((life, index) => {
    const isBrief = tensors[index].turn?.kept === 0;
    if (!used.has(index) || isBrief) return life;
    const isMade = tensors[index].turn !== undefined;
    return { first: isMade ? Math.min(life.first, first) : life.first, last: Math.max(life.last, last) };
  });
}

/** About what it costs to go by lines, in units of work: lines are moved, and weights read, in each turn. */
export function linesPrice({ model, turns }: ByLines, streamBytes: readonly number[]): number {
  const ofTurns = (tensor: number, bytes: number): number => {
    const { shape, turn, ...other } = model.tensors[tensor];
    const moved = shape[0] * pitchAndPlane({ shape, ...other }).pitch * (turn?.kept ?? 0);
    return (turns.count / 2 ** (turn?.shift ?? 0)) * (layout.LINE_BYTE_WORK * moved + bytes + 10 * layout.LINES_WORK);
  };
  let price = turns.comes === undefined ? 0 : ofTurns(turns.comes, 0);
  for (let index = turns.first; index <= turns.last; index++) {
    price += ofTurns(model.layers[index].output, streamBytes[index]);
  }
  return price;
}
