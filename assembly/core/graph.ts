/**
 * Walks the file, one slice of work a call. Loading and running take the same way through the layers; loading stops before
 * each layer's symbols, so that whatever else can be wrong with a file is found before its first run, and checked
 * again where it is read again.
 */
import {
  CONTROL_ERROR_OFFSET,
  CONTROL_LAYERS_DONE,
  CONTROL_METADATA,
  CONTROL_OUTPUT_TENSOR,
  CONTROL_VERSION,
  INTERFACE_VERSION,
  INTERFACE_VERSION_WIDE,
  STATUS_BUSY,
  STATUS_DONE,
  STATUS_SHAPE,
  STATUS_STATE,
} from "../abi";
import { limit, position, seek } from "./bit-reader";
import { firstOutput, openContainer, readCrc, tensorCount } from "./container";
import { beginCodec, stepCodec } from "./codecs";
import { beginColumns } from "./columns";
import { IS_WIDE } from "./element";
import { output, readLayer, rows } from "./layer";
import { hasWeights, stepOp } from "./ops";
import { beginOutput, channel } from "./output-cursor";
import { code, enterStream, isSmall, range } from "./range-decoder";
import { addLayer } from "./run-work";
import { beginSections, readChannels } from "./section";
import { clearFailure, expect, expectRange, failure } from "./status";
import {
  beginTensors,
  fill,
  fillBorder,
  firstState,
  hasStates,
  isAlike,
  modelOutput,
  readTensor,
  sourceOf,
  tensorAt,
} from "./tensor";
import { beginRows, passRecords } from "./weights";
import { addWork, beginWork, pieceWork } from "./work";

/** What the next piece of work is. */
const IDLE = 0;
const LAYER = 1;
const INPUT_BORDERS = 2;
const CHANNELS = 3;
const CODEC = 4;
const OUTPUT_BORDER = 5;
const COMPUTE = 6;
const LAYER_END = 7;
const CRC = 8;
const TENSORS = 9;
const STATES = 10;
const COPIES = 11;
/** Loading passes a layer's weights in a stream, where their end is not known. This is none of a run's work, and a slice of its own. */
const PASS = 12;

let phase: i32 = 0;
/** Whether `start` may be called. Until then the layers are only checked. */
let isLoaded: bool = false;
/** The tensor at hand: that is read, filled, made by a layer or copied to. */
let tensor: u32 = 0;
/** Where to go on in filling it; 0 when it is complete. */
let filled: u32 = 0;
/** File offset of the first layer. */
let layersOffset: u32 = 0;
/** The range decoder there. */
let layersRange: u32 = 0;
let layersCode: u32 = 0;

/** Begins loading the model that the control block names, in `memoryBytes` of linear memory. `step` goes on. */
export function open(memoryBytes: u32): i32 {
  store<u32>(CONTROL_VERSION, IS_WIDE ? INTERFACE_VERSION_WIDE : INTERFACE_VERSION);
  isLoaded = false;
  begin(CRC);
  beginTensors();
  beginWork();
  openContainer(memoryBytes);
  return finishSlice();
}

/** Begins an inference on what stands in the input tensors. `step` goes on. */
export function start(): i32 {
  if (!isLoaded | (phase == STATES)) return STATUS_STATE;
  begin(INPUT_BORDERS);
  return STATUS_BUSY;
}

/** Begins to give the states their zero points, which they have after loading. `step` goes on, if there are any. */
export function reset(): i32 {
  if (!isLoaded | (phase != IDLE)) return STATUS_STATE;
  return resetStates();
}

/** Packing knows whether there are any. */
function resetStates(): i32 {
  begin(IDLE);
  beginStates(STATES);
  return finishSlice();
}

function begin(first: i32): void {
  clearFailure();
  phase = first;
  tensor = filled = 0;
  store<u32>(CONTROL_LAYERS_DONE, 0);
}

/** Does pieces of work until they come to `budget` units, at least one, and no more than to the end of a layer. */
export function step(budget: u32): i32 {
  if (phase == IDLE) return STATUS_STATE;
  let first = phase;
  let isOfRun = !isLoaded & (first < CRC);
  let left: i64 = budget;
  do {
    left -= advance();
  } while ((left > 0) & !failure & (phase > LAYER) & (phase < PASS) & !(isSmall() & (first == PASS)));
  if (isOfRun) addWork(budget - left);
  return finishSlice();
}

/** The status to return. After an error there is nothing to step through. */
function finishSlice(): i32 {
  if (!failure) return phase == IDLE ? STATUS_DONE : STATUS_BUSY;
  phase = IDLE;
  store<u32>(CONTROL_ERROR_OFFSET, position);
  return failure;
}

/** Whether layers are run, not only checked. Of a packed model they always are. */
function isRun(): bool {
  return isLoaded;
}

/** Does the next piece of work. @returns how much it was */
function advance(): u32 {
  switch (phase) {
    case LAYER:
      readLayer(tensor);
      beginOutput();
      phase = hasWeights() ? CHANNELS : OUTPUT_BORDER;
      break;
    case INPUT_BORDERS:
      filled = fillBorder(tensorAt(tensor), filled);
      if (!filled && ++tensor == firstState) beginLayers();
      break;
    case CHANNELS:
      if (!readChannels()) break;
      beginColumns();
      beginCodec();
      phase = CODEC;
      break;
    case CODEC:
      if (!stepCodec()) break;
      beginRows();
      phase = OUTPUT_BORDER;
      break;
    case OUTPUT_BORDER:
      phase = LAYER_END;
      if (!isRun()) {
        if (isSmall() & hasWeights()) phase = PASS;
        break;
      }
      filled = fillBorder(output, filled);
      phase = filled ? OUTPUT_BORDER : COMPUTE;
      break;
    case COMPUTE:
      if (channel < rows) return stepOp();
      phase = LAYER_END;
      break;
    case LAYER_END:
      endLayer();
      break;
    case CRC:
      if (readCrc()) phase = TENSORS;
      break;
    case TENSORS:
      readTensor(tensor);
      if (++tensor == tensorCount) endTensors();
      break;
    case PASS:
      if (channel < rows) return passRecords();
      phase = LAYER_END;
      break;
    default: // STATES, COPIES
      stepStates();
  }
  return pieceWork();
}

/** Fills a piece of a state, or copies one to it. */
function stepStates(): void {
  let state = tensorAt(tensor);
  let source = sourceOf(state);
  expect(isAlike(state, source), STATUS_SHAPE);
  filled = fill(state, filled, phase == COPIES ? source : 0);
  if (!filled && ++tensor == firstOutput) endStates();
}

function endTensors(): void {
  layersOffset = position;
  layersRange = range;
  layersCode = code;
  expectRange(firstState * modelOutput != 0);
  beginStates(STATES);
}

/** Goes to the first state, to fill it or to copy it. */
function beginStates(next: i32): void {
  tensor = firstState;
  phase = next;
  if (!hasStates()) endStates();
}

/** Where the last state has been filled when loading, goes on with the layers; else that was all. */
function endStates(): void {
  phase = IDLE;
  store<u32>(CONTROL_OUTPUT_TENSOR, modelOutput);
  if (!isLoaded) checkLayers();
}

function beginLayers(): void {
  enterStream(layersOffset, layersRange, layersCode);
  beginSections();
  tensor = firstOutput;
  phase = LAYER;
}


@inline
function endLayer(): void {
  if (isRun()) {
    store<u32>(CONTROL_OUTPUT_TENSOR, tensor);
    store<u32>(CONTROL_LAYERS_DONE, tensor - firstOutput + 1);
  } else addLayer(); // Its weights, which it counts by their bits, are still to be passed, or of a small container have been, and left no records.
  if (hasWeights() & !isSmall()) seek(limit);
  phase = LAYER;
  if (++tensor == tensorCount) {
    if (isRun()) beginStates(COPIES);
    else endLoading();
  }
}

/** Goes through the layers as a run would, up to each one's weights. A packed model has had this done, and skips it. */
function checkLayers(): void {
  beginLayers();
}

function endLoading(): void {
  store<u32>(CONTROL_METADATA, position);
  isLoaded = !failure;
  phase = IDLE;
}
