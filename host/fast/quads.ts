/** Convolutions by groups of places and pairs of filters, for those with most of their weights left: what the kernel's stream and scratch hold. */
import {
  GROUP_PLACES,
  KIND_CONV_GAPS,
  KIND_CONV_QUADS,
  LANE_BITS,
  LAYER_QUAD_ACROSS,
  LAYER_QUAD_COUNT_0,
  LAYER_QUAD_COUNT_2,
  LAYER_QUAD_LOT,
  LAYER_QUAD_STEP_0,
  LAYER_QUAD_STEP_1,
  LAYER_QUAD_STEP_2,
  LOT_LANE_BITS,
  LOT_MOST_STRETCH,
  LOT_STRETCH,
  PAIR_BYTES,
  QUAD_HEAD_BYTES,
  QUAD_INPUT_BYTES,
  QUAD_INPUTS,
  QUAD_STRETCH,
  QUAD_TURN,
  ROW_BYTES,
} from "../../assembly/fast/layout.js";
import { concatBytes } from "../bytes.js";
import { inputOf } from "../model/edges.js";
import { pitchAndPlane } from "../model/geometry.js";
import type { QConv2d } from "../model/model.js";
import { fourInstructions, gapInstructions, quadInstructions } from "./cost.js";
import { MOST_ELEMENT } from "./fold.js";
import { linesAtOnce, type PlannedModel } from "./planned.js";
import { eachRow, highHead, magnitudes, pairsOf, tapsOf, type LayerStream } from "./rows.js";

/** A loop over what a filter looks at. */
interface Loop {
  readonly count: number;
  /** In bytes from an element to the next. */
  readonly step: number;
  /** In weights of the filter. */
  readonly weights: number;
}

/** What is laid out at once takes as much, or one group of places: more where a filter is short work. */
const LOT_BYTES = { [KIND_CONV_QUADS]: 1280, [KIND_CONV_GAPS]: 2112 };
type LotKind = keyof typeof LOT_BYTES;

/** The window has as many pairs of filters at once, or one: the more it reads at a time, the less it costs. */
const WINDOW_BYTES = 448;

/** Whether the kernel can run a convolution. */
export function fitsQuads(model: PlannedModel, layer: QConv2d): boolean {
  const { pool, groups, stride } = layer;
  const isPlain = [...pool.size, ...pool.stride, groups].every((one) => one === 1);
  return isPlain && stride[1] <= 255 && inputsOf(model, layer) <= QUAD_INPUTS;
}

/** Of a filter. */
function inputsOf(model: PlannedModel, { kernel, inputs }: QConv2d): number {
  return model.tensors[inputs[0]].shape[0] * kernel[0] * kernel[1];
}

const filled = (inputs: number): number => Math.ceil(inputs / QUAD_TURN) * QUAD_TURN;

/** The longest loop is the innermost: it costs the least to begin it few times. */
function loopsOf(model: PlannedModel, layer: QConv2d): Loop[] {
  const { pitch, plane } = pitchAndPlane(model.tensors[inputOf(layer)]);
  const [height, width] = layer.kernel;
  const loops = [
    { count: width, step: 1, weights: 1 },
    { count: height, step: pitch, weights: width },
    { count: model.tensors[inputOf(layer)].shape[0], step: plane, weights: width * height },
  ];
  return loops.toSorted((a, b) => b.count - a.count);
}

/** Groups of places that are laid out at once. Filters come two at a time, and those go by two groups. */
function lotOf(model: PlannedModel, layer: QConv2d, kind: LotKind): number {
  const output = model.tensors[layer.output];
  const most = Math.min(255, Math.ceil((linesAtOnce(output) * output.shape[2]) / GROUP_PLACES));
  const fitting = Math.floor(LOT_BYTES[kind] / groupBytes(model, layer));
  if (fitting >= most) return most;
  return Math.max(1, kind === KIND_CONV_QUADS ? fitting - (fitting % 2) : fitting);
}

function groupBytes(model: PlannedModel, layer: QConv2d): number {
  return QUAD_HEAD_BYTES + QUAD_INPUT_BYTES * filled(inputsOf(model, layer));
}

/**
 * All weights, two filters at a time.
 * @param most instructions that it may take to be of use
 * @returns undefined where it takes more, or a row's scale is none that the kernel has
 */
export function quadStream(model: PlannedModel, layer: QConv2d, most: number, where: string): LayerStream | undefined {
  const inputs = inputsOf(model, layer);
  const rows = model.tensors[layer.output].shape[0];
  const pairs = Math.ceil(rows / 2);
  const instructions =
    placesInstructions(model, layer) +
    foursOf(model, layer) * pairs * quadInstructions(filled(inputs), lotOf(model, layer, KIND_CONV_QUADS));
  if (instructions > most) return undefined;
  const order = weightOrder(loopsOf(model, layer));
  const stretches = Math.ceil(filled(inputs) / QUAD_STRETCH);
  const pairBytes = 2 * (ROW_BYTES + filled(inputs));
  const heads: Uint8Array[] = [];
  eachRow(model, layer, (row, weights) => {
    const head = highHead(model, layer, row, weights, stretches * LANE_BIAS, 0, `${where}, row ${row}`);
    if (head !== undefined) heads.push(head);
  });
  if (heads.length < rows) return undefined;
  const pieces: Uint8Array[] = [];
  for (let row = 0; row < rows; row += 2) {
    const weights = new Int8Array(2 * filled(inputs));
    for (let input = 0; input < inputs; input++) {
      const from = row * inputs + order[input];
      weights[2 * input] = layer.weights[from];
      if (row + 1 < rows) weights[2 * input + 1] = layer.weights[from + inputs];
    }
    new DataView(heads[row].buffer).setUint32(12, stretchOf(weights) * 256 + heads[row][12], true);
    pieces.push(heads[row], heads[row + 1] ?? new Uint8Array(ROW_BYTES), new Uint8Array(weights.buffer));
  }
  const bytes = concatBytes(pieces);
  return {
    kind: KIND_CONV_QUADS,
    bytes,
    isWide: false,
    windowBytes: pairBytes * Math.max(1, Math.min(pairs, Math.floor(WINDOW_BYTES / pairBytes))),
    scratchBytes: scratchBytes(model, layer, KIND_CONV_QUADS),
    instructions,
  };
}

/** The weights that are left, a filter at a time. @returns undefined as quadStream does */
export function gapStream(model: PlannedModel, layer: QConv2d, where: string): LayerStream | undefined {
  const order = weightOrder(loopsOf(model, layer));
  const pieces: Uint8Array[] = [];
  const lot = lotOf(model, layer, KIND_CONV_GAPS);
  let windowBytes = 0;
  let instructions = 0;
  let fits = true;
  const places = Uint32Array.from(order.keys());
  const ordered = new Int8Array(order.length);
  eachRow(model, layer, (row, weights) => {
    for (let input = 0; input < order.length; input++) ordered[input] = weights[order[input]];
    const pairs = pairsOf(tapsOf(ordered, places));
    const count = pairs.length / PAIR_BYTES;
    const stretches = Math.ceil(count / QUAD_STRETCH);
    const head = highHead(model, layer, row, weights, stretches * LANE_BIAS, count, `${where}, row ${row}`);
    if (head === undefined) fits = false;
    else pieces.push(head, pairs);
    windowBytes = Math.max(windowBytes, ROW_BYTES + pairs.length);
    instructions += gapInstructions(count, lot);
  });
  if (!fits) return undefined;
  const bytes = concatBytes(pieces);
  return {
    kind: KIND_CONV_GAPS,
    bytes,
    isWide: false,
    windowBytes: Math.max(windowBytes, Math.min(bytes.length, WINDOW_BYTES)),
    scratchBytes: scratchBytes(model, layer, KIND_CONV_GAPS),
    instructions: placesInstructions(model, layer) + foursOf(model, layer) * instructions,
  };
}

/** How many inputs of two filters lanes take at once: of each filter the sum of weights of either sign says how far sums may go. */
function stretchOf(weights: Int8Array): number {
  const inputs = weights.length / 2;
  for (let pieces = Math.ceil(inputs / LOT_MOST_STRETCH); ; pieces++) {
    const stretch = Math.ceil(inputs / pieces / LOT_STRETCH) * LOT_STRETCH;
    const fits = (begin: number): boolean => {
      const piece = weights.subarray(2 * begin, 2 * (begin + stretch));
      return [0, 1].every((filter) => {
        const one = new Int8Array(piece.length / 2);
        for (let at = 0; at < one.length; at++) one[at] = piece[2 * at + filter];
        return magnitudes(one).every((sum) => sum * MOST_ELEMENT < 2 ** (LOT_LANE_BITS - 1));
      });
    };
    const begins = Array.from({ length: Math.ceil(inputs / stretch) }, (_, piece) => piece * stretch);
    if (stretch === LOT_STRETCH || begins.every(fits)) return stretch;
  }
}

/** What sums begin with, a stretch. */
const LANE_BIAS = 2 ** (LANE_BITS - 1);

const scratchBytes = (model: PlannedModel, layer: QConv2d, kind: LotKind): number =>
  lotOf(model, layer, kind) * groupBytes(model, layer);

function foursOf(model: PlannedModel, { output }: QConv2d): number {
  const [, height, width] = model.tensors[output].shape;
  return Math.ceil((height * width) / 4);
}

/** Of laying places out. */
function placesInstructions(model: PlannedModel, layer: QConv2d): number {
  const [, middle, outer] = loopsOf(model, layer);
  return foursOf(model, layer) * fourInstructions(inputsOf(model, layer), middle.count * outer.count);
}

/** Of each input in the kernel's order, its place among the filter's weights. */
function weightOrder([inner, middle, outer]: readonly Loop[]): Uint32Array {
  const order = new Uint32Array(inner.count * middle.count * outer.count);
  let input = 0;
  for (let o = 0; o < outer.count; o++) {
    for (let m = 0; m < middle.count; m++) {
      const line = m * middle.weights + o * outer.weights;
      for (let i = 0; i < inner.count; i++) order[input++] = line + i * inner.weights;
    }
  }
  return order;
}

/** Words of the layer's entry. */
export function quadWords(model: PlannedModel, layer: QConv2d, kind: LotKind): [offset: number, value: number][] {
  const [inner, middle, outer] = loopsOf(model, layer);
  const last = outer.count + layer.stride[1] * 2 ** (8 * (LAYER_QUAD_ACROSS - LAYER_QUAD_COUNT_2));
  return [
    [LAYER_QUAD_STEP_0, inner.step],
    [LAYER_QUAD_STEP_1, middle.step],
    [LAYER_QUAD_STEP_2, outer.step],
    [LAYER_QUAD_COUNT_0, inner.count + middle.count * 2 ** 16],
    [LAYER_QUAD_COUNT_2, last + lotOf(model, layer, kind) * 2 ** (8 * (LAYER_QUAD_LOT - LAYER_QUAD_COUNT_2))],
  ];
}
