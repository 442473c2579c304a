/**
 * The core's interface by an engine that decodes each layer once. Loading takes the core's way through the file, with all its checks, and goes on to
 * the weights; a run takes a layer a step, whatever the budget: who has SIMD has no watchdog to feed.
 */
import {
  CONTROL_ERROR_OFFSET,
  CONTROL_LAYERS_DONE,
  CONTROL_METADATA,
  CONTROL_MODEL_PTR,
  CONTROL_OUTPUT_TENSOR,
  CONTROL_VERSION,
  INTERFACE_VERSION,
  PLAN_BASE,
  STATUS_BUSY,
  STATUS_DONE,
  STATUS_SHAPE,
  STATUS_STATE,
} from "../abi";
import { MIN_WINDOW_BYTES } from "../format";
import { fileBytes, limit, moveWindow, position, seek } from "../core/bit-reader";
import { beginCodec, stepCodec } from "../core/codecs";
import { beginColumns } from "../core/columns";
import { firstOutput, openContainer, planEnd, readCrc, tensorCount } from "../core/container";
import { readLayer } from "../core/layer";
import { isSmall } from "../core/range-decoder";
import { hasWeights } from "../core/ops";
import { beginOutput } from "../core/output-cursor";
import { addLayer } from "../core/run-work";
import { beginSections, readChannels } from "../core/section";
import { clearFailure, expect, expectRange, failure } from "../core/status";
import { beginTensors, firstState, isAlike, modelOutput, readTensor, sourceOf, tensorAt } from "../core/tensor";
import { beginRows } from "../core/weights";
import { addWork, beginWork, pieceWork } from "../core/work";
import { beginDecoding, stepDecoding } from "./decode";
import { copyTensor, fillBorders, fillTensor } from "./lines";
import { beginMemory, take } from "./memory";
import { beginLayers, keepLayer, keepPlace, layerAt, runLayer } from "./layers";
import { placeRoom } from "./room";

/** What the next piece of work is. */
const IDLE = 0;
const LAYER = 1;
const CHANNELS = 2;
const CODEC = 3;
const WEIGHTS = 4;
const LAYER_END = 5;
const CRC = 6;
const TENSORS = 7;
const RUN = 8;

const PAGE_BYTES: u32 = 65536;

let phase: i32 = 0;
/** Whether `start` may be called. */
let isLoaded: bool = false;
/** The tensor at hand: that is read, or made by a layer. */
let tensor: u32 = 0;
let memoryBytes: u32 = 0;

/** Begins loading the model behind `mote.read`, in at most `most` bytes of linear memory. `step` goes on. */
export function open(most: u32): i32 {
  store<u32>(CONTROL_VERSION, INTERFACE_VERSION);
  store<u32>(CONTROL_MODEL_PTR, 0);
  memoryBytes = most;
  isLoaded = false;
  begin(CRC);
  beginTensors();
  beginWork();
  openContainer(most);
  // Nothing else is in the first page as yet.
  if (!failure) moveWindow(PLAN_BASE, min(most, PAGE_BYTES) - PLAN_BASE);
  return finishSlice();
}

/** Begins an inference on what stands in the input tensors. `step` goes on. */
export function start(): i32 {
  if (!isLoaded) return STATUS_STATE;
  begin(RUN);
  for (let i: u32 = 0; i < firstState; i++) fillBorders(tensorAt(i));
  tensor = firstOutput;
  return STATUS_BUSY;
}

/** Gives the states their zero points, which they have after loading. */
export function reset(): i32 {
  if (!isLoaded | (phase != IDLE)) return STATUS_STATE;
  resetStates();
  return STATUS_DONE;
}

function resetStates(): void {
  for (let i = firstState; i < firstOutput; i++) fillTensor(tensorAt(i));
}

function begin(first: i32): void {
  clearFailure();
  phase = first;
  tensor = 0;
  store<u32>(CONTROL_LAYERS_DONE, 0);
}

/** Does pieces of loading, each counted as PIECE_WORK, until they come to `budget` units, at least one; of a run, a layer. */
export function step(budget: u32): i32 {
  if (phase == IDLE) return STATUS_STATE;
  if (phase == RUN) stepRun();
  else {
    let left: i64 = budget;
    do {
      let isOfRun = (phase != CRC) & (phase != TENSORS) & (phase != WEIGHTS);
      advance();
      if (isOfRun) addWork(pieceWork());
      left -= pieceWork();
    } while ((left > 0) & !failure & (phase != IDLE));
  }
  return finishSlice();
}

/** The status to return. After an error there is nothing to step through. */
function finishSlice(): i32 {
  if (!failure) return phase == IDLE ? STATUS_DONE : STATUS_BUSY;
  phase = IDLE;
  store<u32>(CONTROL_ERROR_OFFSET, position);
  return failure;
}

/** Does the next piece of loading. */
function advance(): void {
  switch (phase) {
    case CRC:
      if (readCrc()) beginMemoryOf();
      break;
    case TENSORS:
      readTensor(tensor);
      if (++tensor == tensorCount) endTensors();
      break;
    case LAYER:
      keepPlace(layerAt(tensor - firstOutput));
      readLayer(tensor);
      beginOutput();
      phase = hasWeights() ? CHANNELS : LAYER_END;
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
      phase = LAYER_END;
      break;
    case WEIGHTS:
      if (stepDecoding()) nextLayer();
      break;
    default: // LAYER_END
      endLayer();
  }
}

/** The head has been read: all that the plan asks for is made, and behind it a window of the engine's own. */
function beginMemoryOf(): void {
  if (failure) return;
  beginMemory(planEnd, memoryBytes);
  let bytes = max(min(fileBytes, PAGE_BYTES), <u32>MIN_WINDOW_BYTES);
  let ptr = take(bytes);
  if (failure) return;
  moveWindow(ptr, bytes);
  phase = TENSORS;
}

function endTensors(): void {
  expectRange(firstState * modelOutput != 0);
  for (let i = firstState; i < firstOutput; i++) {
    if (!failure) expect(isAlike(tensorAt(i), sourceOf(tensorAt(i))), STATUS_SHAPE);
  }
  if (failure) return;
  resetStates();
  beginLayers(tensorCount - firstOutput);
  beginSections();
  tensor = firstOutput;
  phase = LAYER;
}

/** The layer has been read up to its weights, if it has any. */
function endLayer(): void {
  addLayer();
  keepLayer(tensor - firstOutput);
  if (failure) return;
  if (!hasWeights()) return nextLayer();
  beginDecoding(changetype<usize>(layerAt(tensor - firstOutput)));
  phase = WEIGHTS;
}

function nextLayer(): void {
  if (failure) return;
  if (hasWeights() && !isSmall()) seek(limit);
  phase = LAYER;
  if (++tensor < tensorCount) return;
  store<u32>(CONTROL_METADATA, position);
  store<u32>(CONTROL_OUTPUT_TENSOR, modelOutput);
  placeRoom();
  isLoaded = !failure;
  phase = IDLE;
}

/** Runs a layer; behind the last one the states take over what they keep. */
function stepRun(): void {
  fillBorders(tensorAt(tensor));
  runLayer(tensor - firstOutput, tensor);
  if (failure) return;
  store<u32>(CONTROL_OUTPUT_TENSOR, tensor);
  store<u32>(CONTROL_LAYERS_DONE, tensor - firstOutput + 1);
  if (++tensor < tensorCount) return;
  for (let i = firstState; i < firstOutput; i++) copyTensor(tensorAt(i), sourceOf(tensorAt(i)));
  store<u32>(CONTROL_OUTPUT_TENSOR, modelOutput);
  phase = IDLE;
}
