/** Linear memory of a fast module: where everything stands, and what is there from the beginning (SPEC.md, "The fast module"). */
import * as abi from "../../assembly/abi.js";
import * as format from "../../assembly/format.js";
import * as layout from "../../assembly/fast/layout.js";
import { concatBytes } from "../bytes.js";
import { MoteError } from "../errors.js";
import { activationBits, refuseWide } from "../model/elements.js";
import type { QLayer, QModel } from "../model/model.js";
import { integerOp } from "../ops/index.js";
import { copyCount, copyEntries } from "./copies.js";
import { storedZero } from "./fold.js";
import { denseRowsWords } from "./dense-rows.js";
import { bitWords } from "./bits.js";
import { denseValuesWords } from "./dense-values.js";
import { depthWords } from "./depthwise.js";
import { layerWindow, type FastWindow } from "./ops.js";
import { inputLineEntry, lineEntry, turnEntry } from "./line-entries.js";
import type { Entry } from "./entry.js";
import { plansFast, type FastPlan } from "./plan.js";
import type { PlannedModel, Turns } from "./planned.js";
import { quadWords } from "./quads.js";
import type { LayerStream } from "./rows.js";
import { fastWork } from "./work.js";
import type { Container } from "../container/read.js";
import { borderBytes, offsetOf, pitchAndPlane, tensorBytes, valuesOf } from "../model/geometry.js";
import { givenTensors, inputOf, inputsOf, modelInputs, outputOf, outputsOf, statesOf } from "../model/edges.js";

/** Addresses and sizes in bytes. */
export interface FastMemory {
  /** Of the tensor table, which is the first. */
  readonly tablesPtr: number;
  /** Of the layer table: what fills the states, which only some runs do, and what follows. */
  readonly statesPtr: number;
  readonly layersPtr: number;
  readonly scalesPtr: number;
  /** The progress stands right before it. */
  readonly windowPtr: number;
  readonly windowBytes: number;
  readonly arenaPtr: number;
  /** In all. */
  readonly bytes: number;
}

/** A model as a fast module has it, without the code. */
export interface FastProgram {
  readonly model: PlannedModel;
  readonly memory: FastMemory;
  /** From address 0: the control block's words. Behind them stands what static data the kernels have. */
  readonly control: Uint8Array;
  /** From tablesPtr on: the tensor table, the layer table, the scales. */
  readonly tables: Uint8Array;
  readonly stream: Uint8Array;
  /** Of each layer its kernel, and what it would be by the one that takes a weight at a time; the same where there is no other. */
  readonly choices: readonly LayerChoice[];
  /** The layer table, without its end: for choosing code. */
  readonly entries: readonly Entry[];
}

export interface LayerChoice {
  readonly chosen: LayerStream;
  readonly other: LayerStream;
}

/** Kinds whose kernels keep sums in static data, up to PLAN_BASE. */
const KINDS_WITH_STATICS: readonly number[] = [
  layout.KIND_CONV_BLOCKS,
  layout.KIND_CONV_QUADS,
  layout.KIND_CONV_GAPS,
  layout.KIND_DENSE_ROWS,
];

type Word = [offset: number, value: number];

/** Bytes that linear memory may take, or as few as can be. */
export type FastRam = number | "least";

/** How a model is laid out. */
export interface FastLayout {
  /**
   * Where a model takes more, layers go by lines: the cheapest way that takes no more, or that of the least. Default: none do, or with `inputRows`
   * "least".
   */
  readonly ram?: FastRam | undefined;
  /** The model's input comes by lines, and the first layers go so: the host gives rows of it during a run. */
  readonly inputRows?: boolean | undefined;
  /** Instructions of a run that a byte of the stream is worth: with more of them layers take kernels of shorter streams. Default: 0. */
  readonly bytePrice?: number | undefined;
}

/**
 * Lays out a model. The container's window is the least that the module's has.
 * @throws MoteError UNSUPPORTED as `layerStreams` does, and for an input that cannot come by lines; MEMORY as `placeTensors` does, for a plan or
 *   stream of 2^28 bytes or more
 */
export function fastProgram(
  { model, plan: { window } }: Container,
  { inputRows = false, ram = inputRows ? "least" : undefined, bytePrice = 0 }: FastLayout = {},
): FastProgram {
  refuseWide(activationBits(model), "a fast module: ");
  let least: FastProgram | undefined;
  for (const plan of plansFast(model, inputRows, bytePrice)) {
    const program = programOf(plan, window);
    if (least === undefined || program.memory.bytes < least.memory.bytes) least = program;
    if (ram === undefined || (ram !== "least" && least.memory.bytes <= ram)) return least;
  }
  // There is a plan, or an error.
  return least!;
}

function programOf({ model, streams, others, turns, ...plan }: FastPlan, leastWindow: number): FastProgram {
  const stream = concatBytes(streams.map(({ bytes }) => bytes));
  let end = 0;
  const begins = streams.map(({ bytes }) => (end += bytes.length) - bytes.length);
  const windowBytes = roundUp(streams.reduce((most, one) => Math.max(most, one.windowBytes), leastWindow));
  const hasStatics = streams.some(({ kind }) => KINDS_WITH_STATICS.includes(kind));
  const memory = placeRegions(
    model,
    hasStatics ? abi.PLAN_BASE : abi.CONTROL_BLOCK_BYTES,
    windowBytes,
    plan.arena,
    turns,
  );
  for (const [what, bytes] of [
    ["memory plan", memory.bytes],
    ["stream", stream.length],
  ] as const) {
    if (bytes >= format.MAX_BYTES) {
      throw new MoteError(
        "MEMORY",
        `fast module: a ${what} of ${bytes} bytes, expected fewer than ${format.MAX_BYTES}`,
      );
    }
  }
  const firstElement = model.tensors.map((tensor, index) => {
    // Lines that a tensor keeps have no border above them.
    const { border, lines } = tensor;
    const before = lines === undefined ? borderBytes(pitchAndPlane(tensor), border) : border;
    return memory.arenaPtr + plan.offsets[index] + before;
  });
  const border = (tensor: number): Entry => borderEntry(model, tensor, firstElement);
  const entries: Entry[] = [
    ...statesOf(model).map((state) => fillEntry(model, state, firstElement)),
    ...modelInputs(model)
      .filter((input) => hasBorder(model, input))
      .map(border),
  ];
  const isByTurns = (index: number): boolean => turns !== undefined && index >= turns.first && index <= turns.last;
  let back = 0;
  model.layers.forEach((layer, index) => {
    // Before the first turn what is made in turns has its border.
    const begun = index === turns?.first ? model.layers.slice(index, turns.last + 1) : isByTurns(index) ? [] : [layer];
    entries.push(...begun.filter((one) => beginsWithBorder(model, one)).map(({ output }) => border(output)));
    if (index === turns?.first) {
      back = memory.statesPtr + layout.LAYER_ENTRY_BYTES * entries.length;
      if (turns.comes !== undefined) {
        entries.push(inputLineEntry(model, turns.comes, firstElement), inputEntry(model, turns.comes, firstElement));
      }
    }
    const one = streams[index];
    if (isByTurns(index)) entries.push(lineEntry(model, index, one.kind, firstElement, begins[index]));
    entries.push(
      ...copyEntries(model, layer, firstElement),
      layerEntry(model, layer, firstElement, one, begins[index]),
    );
    if (index === turns?.last) entries.push(turnEntry(turns, back, begins[index] + one.bytes.length));
  });
  entries.push(...statesOf(model).map((state) => copyEntry(model, state, firstElement)));
  return {
    model,
    memory,
    control: controlWords(model, memory, stream.length, fastWork(entries, stream), turns),
    tables: concatBytes([tensorTable(model, firstElement), layerTable(entries), scales(model)]),
    stream,
    choices: streams.map((chosen, index) => {
      return { chosen, other: others[index].kind === chosen.kind ? chosen : others[index] };
    }),
    entries,
  };
}

const END_BYTES = layout.LAYER_KIND + 4;
const SCALE_BYTES = 4;

const hasBorder = ({ tensors }: PlannedModel, tensor: number): boolean =>
  tensors[tensor].border > 0 && tensors[tensor].isBorderRead !== false && tensors[tensor].lines === undefined;

/** What works in place has the borders of its parts, filled with them. */
const beginsWithBorder = (model: PlannedModel, layer: QLayer): boolean =>
  hasBorder(model, layer.output) && !integerOp(layer).isInPlace;

/** Inputs, outputs. */
const endsOf = (model: QModel): number[] => [...modelInputs(model), ...outputsOf(model)];

function placeRegions(
  model: PlannedModel,
  tablesPtr: number,
  windowBytes: number,
  arenaBytes: number,
  turns: Turns | undefined,
): FastMemory {
  const states = statesOf(model).length;
  const borders =
    modelInputs(model).filter((input) => hasBorder(model, input)).length +
    model.layers.filter((layer) => beginsWithBorder(model, layer)).length;
  const statesPtr = tablesPtr + abi.TENSOR_ENTRY_BYTES * model.tensors.length;
  const layersPtr = statesPtr + layout.LAYER_ENTRY_BYTES * states;
  const byTurns = turns === undefined ? 0 : turns.last - turns.first + 2 + (turns.comes === undefined ? 0 : 2);
  const copies = model.layers.reduce((sum, layer) => sum + copyCount(model, layer), 0);
  const entries = borders + copies + model.layers.length + byTurns + states;
  const scalesPtr = layersPtr + layout.LAYER_ENTRY_BYTES * entries + END_BYTES;
  const windowPtr = roundUp(scalesPtr + SCALE_BYTES * endsOf(model).length + layout.PROGRESS_BYTES);
  const arenaPtr = windowPtr + windowBytes;
  const bytes = arenaPtr + arenaBytes + layout.ARENA_SLACK_BYTES;
  return { tablesPtr, statesPtr, layersPtr, scalesPtr, windowPtr, windowBytes, arenaPtr, bytes };
}

function controlWords(
  model: QModel,
  memory: FastMemory,
  streamBytes: number,
  work: number,
  turns: Turns | undefined,
): Uint8Array {
  const version = turns?.comes === undefined ? abi.INTERFACE_VERSION : abi.INTERFACE_VERSION_LINES;
  const words = new DataView(new ArrayBuffer(abi.CONTROL_BLOCK_BYTES));
  words.setUint32(abi.CONTROL_MODEL_BYTES, streamBytes, true);
  words.setUint32(abi.CONTROL_TENSORS_PTR, memory.tablesPtr, true);
  words.setUint32(abi.CONTROL_TENSOR_COUNT, model.tensors.length, true);
  words.setUint32(abi.CONTROL_LAYER_COUNT, model.layers.length, true);
  words.setUint32(abi.CONTROL_OUTPUT_TENSOR, outputOf(model), true);
  words.setUint32(abi.CONTROL_MEMORY_BYTES, memory.bytes, true);
  words.setUint32(abi.CONTROL_ELEMENT_BIAS, layout.ELEMENT_BIAS, true);
  words.setUint32(abi.CONTROL_SCALES, memory.scalesPtr, true);
  words.setUint32(layout.CONTROL_LAYERS_PTR, memory.layersPtr, true);
  words.setUint32(layout.CONTROL_WINDOW_PTR, memory.windowPtr, true);
  words.setUint32(layout.CONTROL_WINDOW_BYTES, memory.windowBytes, true);
  words.setUint32(abi.CONTROL_VERSION, version, true);
  words.setUint32(abi.CONTROL_WORK, work, true);
  return new Uint8Array(words.buffer);
}

function tensorTable(model: PlannedModel, firstElement: readonly number[]): Uint8Array {
  const table = new DataView(new ArrayBuffer(abi.TENSOR_ENTRY_BYTES * model.tensors.length));
  const ends = new Set(endsOf(model));
  model.tensors.forEach((tensor, index) => {
    const at = abi.TENSOR_ENTRY_BYTES * index;
    const [channels, height, width] = tensor.shape;
    const { pitch, plane } = pitchAndPlane(tensor);
    // Of what comes by lines, where the new ones go.
    const comes = index < givenTensors(model) ? tensor.turn : undefined;
    table.setUint32(at + abi.TENSOR_PTR, firstElement[index] + pitch * (comes?.kept ?? 0), true);
    table.setUint32(at + abi.TENSOR_CHANNELS, channels, true);
    table.setUint32(at + abi.TENSOR_HEIGHT, height, true);
    table.setUint32(at + abi.TENSOR_WIDTH, width, true);
    table.setUint32(at + abi.TENSOR_PITCH, pitch, true);
    table.setUint32(at + abi.TENSOR_PLANE, plane, true);
    table.setInt32(at + abi.TENSOR_ZERO_POINT, tensor.zeroPoint, true);
    const end = ends.has(index) ? abi.TENSOR_IS_END : 0;
    const state = tensor.source === undefined ? 0 : abi.TENSOR_IS_STATE;
    const byLines = tensor.turn === undefined ? 0 : abi.TENSOR_IS_BY_LINES;
    const lines = comes === undefined ? 0 : comes.count * 2 ** abi.TENSOR_LINES_SHIFT;
    table.setUint32(at + abi.TENSOR_STATE, tensor.border | end | state | byLines | lines, true);
  });
  return new Uint8Array(table.buffer);
}

function layerTable(entries: readonly Entry[]): Uint8Array {
  const table = new DataView(new ArrayBuffer(layout.LAYER_ENTRY_BYTES * entries.length + END_BYTES));
  [...entries, END].forEach((entry, index) => {
    for (const [offset, word] of entry) table.setUint32(layout.LAYER_ENTRY_BYTES * index + offset, word, true);
  });
  return new Uint8Array(table.buffer);
}

const END: Entry = new Map([[layout.LAYER_KIND, layout.KIND_END]]);

function scales(model: QModel): Uint8Array {
  const ends = endsOf(model);
  const floats = new DataView(new ArrayBuffer(SCALE_BYTES * ends.length));
  ends.forEach((tensor, index) => floats.setFloat32(SCALE_BYTES * index, model.tensors[tensor].scale!, true));
  return new Uint8Array(floats.buffer);
}

function outputWords(model: QModel, tensor: number, firstElement: readonly number[]): Word[] {
  const [channels, height, width] = model.tensors[tensor].shape;
  const { pitch, plane } = pitchAndPlane(model.tensors[tensor]);
  return [
    [layout.LAYER_OUTPUT, firstElement[tensor]],
    [layout.LAYER_OUTPUT_PITCH, pitch],
    [layout.LAYER_OUTPUT_PLANE, plane],
    [layout.LAYER_OUTPUT_HEIGHT, height],
    [layout.LAYER_OUTPUT_WIDTH, width],
    [layout.LAYER_ROWS, channels],
  ];
}

function borderEntry(model: QModel, tensor: number, firstElement: readonly number[]): Entry {
  return new Map([
    ...outputWords(model, tensor, firstElement),
    [layout.LAYER_KIND, layout.KIND_BORDER],
    [layout.LAYER_CLAMP_MIN, storedZero(model, tensor)],
    [layout.LAYER_CLAMP_MAX, storedZero(model, tensor)],
    [layout.LAYER_BORDER, model.tensors[tensor].border],
  ]);
}

/** Waits for a turn's lines of an input, behind what makes room for them. */
function inputEntry(model: QModel, input: number, firstElement: readonly number[]): Entry {
  return new Map([
    ...outputWords(model, input, firstElement),
    [layout.LAYER_KIND, layout.KIND_INPUT],
    [layout.LAYER_ROWS, 1],
  ]);
}

/** All of a state, border included. */
function fillEntry(model: QModel, state: number, firstElement: readonly number[]): Entry {
  const { border } = model.tensors[state];
  return new Map([
    [layout.LAYER_KIND, layout.KIND_BORDER],
    // A border with no lines inside.
    [layout.LAYER_OUTPUT, firstElement[state] - borderBytes(pitchAndPlane(model.tensors[state]), border)],
    [layout.LAYER_OUTPUT_PLANE, tensorBytes(model.tensors[state])],
    [layout.LAYER_OUTPUT_HEIGHT, 0],
    [layout.LAYER_OUTPUT_WIDTH, 0],
    [layout.LAYER_ROWS, 1],
    [layout.LAYER_CLAMP_MIN, storedZero(model, state)],
    [layout.LAYER_BORDER, 0],
  ]);
}

function copyEntry(model: QModel, state: number, firstElement: readonly number[]): Entry {
  const source = model.tensors[state].source!;
  const { pitch, plane } = pitchAndPlane(model.tensors[source]);
  const isOneLine = [source, state].every((tensor) => model.tensors[tensor].border === 0);
  const oneLine: Word[] = [
    [layout.LAYER_ROWS, 1],
    [layout.LAYER_OUTPUT_HEIGHT, 1],
    [layout.LAYER_OUTPUT_WIDTH, valuesOf(model.tensors[state].shape)],
  ];
  return new Map([
    ...outputWords(model, state, firstElement),
    [layout.LAYER_KIND, layout.KIND_COPY],
    [layout.LAYER_INPUT, firstElement[source]],
    [layout.LAYER_INPUT_PITCH, pitch],
    [layout.LAYER_INPUT_PLANE, plane],
    ...(isOneLine ? oneLine : []),
  ]);
}

/** @param begin where the layer's stream begins */
function layerEntry(
  model: PlannedModel,
  layer: QLayer,
  firstElement: readonly number[],
  { kind, isWide }: LayerStream,
  begin: number,
): Entry {
  const input = pitchAndPlane(model.tensors[inputOf(layer)]);
  const window = layerWindow(layer);
  const { stride, pool } = window;
  // Of what lies outside the input only the others read a border.
  const pad = kind === layout.KIND_DEPTHWISE ? [0, 0] : window.pad;
  // By lines, each turn says where it begins.
  const outside = model.tensors[layer.output].turn === undefined ? offsetOf(input, 0, -pad[0], -pad[1]) : 0;
  const linePitch = input.pitch * stride[0];
  const clamp = "clamp" in layer ? layer.clamp.map((q) => q + layout.ELEMENT_BIAS) : [0, 0];
  return new Map([
    ...outputWords(model, layer.output, firstElement),
    [layout.LAYER_KIND, kind],
    [layout.LAYER_INPUT, firstElement[inputOf(layer)] + outside],
    [layout.LAYER_INPUT_PITCH, linePitch],
    [layout.LAYER_DOWN, linePitch * pool.stride[0]],
    [layout.LAYER_ACROSS, stride[1] * pool.stride[1]],
    [layout.LAYER_POOL_WIDTH, pool.size[1]],
    [layout.LAYER_INPUT_PLANE, input.plane],
    [layout.LAYER_CLAMP_MIN, clamp[0]],
    [layout.LAYER_CLAMP_MAX, clamp[1]],
    ...kernelWords(kind, window, isWide, begin),
    ...opWords(model, layer, firstElement),
    ...weightWords(model, layer, kind),
  ]);
}

/** What means something else to other kernels, or nothing. */
function kernelWords(kind: number, { stride, pool }: FastWindow, isWide: boolean, begin: number): Word[] {
  const [height, width] = pool.size;
  switch (kind) {
    case layout.KIND_CONV_POOLED:
    case layout.KIND_DENSE:
    case layout.KIND_CONV_QUADS:
    case layout.KIND_CONV_GAPS:
    case layout.KIND_DENSE_ROWS:
    case layout.KIND_DENSE_VALUES:
    case layout.KIND_BITS:
    case layout.KIND_DEPTHWISE:
    case layout.KIND_ADD:
    case layout.KIND_MUL:
      return [[layout.LAYER_STREAM, begin]];
    case layout.KIND_CONV_BLOCKS:
      return [
        [layout.LAYER_STREAM, begin],
        [layout.LAYER_IS_WIDE, Number(isWide)],
      ];
    case layout.KIND_CONV_PLACES:
      return [
        [layout.LAYER_PLACE_STEP, stride[1]],
        [layout.LAYER_PLACES, height * width],
      ];
    case layout.KIND_MAXPOOL:
    case layout.KIND_AVGPOOL:
      return [
        [layout.LAYER_STREAM, begin],
        [layout.LAYER_POOL_WIDTH, width + height * 2 ** 16],
      ];
    default:
      return [];
  }
}

/** The same of ops. */
function opWords(model: QModel, layer: QLayer, firstElement: readonly number[]): Word[] {
  switch (layer.op) {
    case "add":
    case "mul":
      return otherWords(model, layer, firstElement);
    case "resize":
      return [
        [layout.LAYER_FACTOR_Y, layer.factor[0]],
        [layout.LAYER_FACTOR_X, layer.factor[1]],
      ];
    case "concat":
    case "crop":
    case "append":
      return [[layout.LAYER_ROWS, 0]];
    default:
      return [];
  }
}

/** The same of kernels that do not take a weight at a time. */
function weightWords(model: QModel, layer: QLayer, kind: number): Word[] {
  if (kind === layout.KIND_BITS && (layer.op === "dense" || layer.op === "conv2d")) return bitWords(model, layer);
  if (layer.op === "dense") {
    if (kind === layout.KIND_DENSE_VALUES) return denseValuesWords(model, layer);
    return kind === layout.KIND_DENSE_ROWS ? denseRowsWords(model, layer) : [];
  }
  if (layer.op !== "conv2d") return [];
  if (kind === layout.KIND_DEPTHWISE) return depthWords(model, layer);
  return kind === layout.KIND_CONV_QUADS || kind === layout.KIND_CONV_GAPS ? quadWords(model, layer, kind) : [];
}

/** Of a second input. */
function otherWords(model: QModel, layer: QLayer, firstElement: readonly number[]): Word[] {
  const [, other] = inputsOf(layer);
  const { pitch, plane } = pitchAndPlane(model.tensors[other]);
  const isGate = model.tensors[other].shape.join() !== model.tensors[layer.output].shape.join();
  return [
    [layout.LAYER_OTHER, firstElement[other]],
    [layout.LAYER_OTHER_PITCH, isGate ? 0 : pitch],
    [layout.LAYER_OTHER_PLANE, plane],
  ];
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / format.PLAN_UNIT) * format.PLAN_UNIT;
}
