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
  STATUS_BUSY,
  STATUS_DONE,
  STATUS_STATE,
} from "../abi";
import { limit, position, seek } from "./bit-reader";
import { layerCount, layersOffset, openContainer, readCrc, readTensorAt, tensorCount } from "./container";
import { beginCodec, stepCodec } from "./codecs";
import { beginColumns } from "./columns";
import { output, outputIndex, readLayer } from "./layer";
import { hasWeights, readOp, stepOp } from "./ops";
import { beginOutput } from "./output-cursor";
import { addLayer, beginWork } from "./run-work";
import { readChannels } from "./section";
import { clearFailure, failure } from "./status";
import { fillBorder, setWritten, tensorAt } from "./tensor";
import { beginRows } from "./weights";
import { addWork, PIECE_WORK } from "./work";

/** What the next piece of work is. */
const IDLE = 0;
const LAYER = 1;
const INPUT_BORDER = 2;
const CHANNELS = 3;
const CODEC = 4;
const OUTPUT_BORDER = 5;
const COMPUTE = 6;
const LAYER_END = 7;
const CRC = 8;
const TENSORS = 9;

let phase: i32 = 0;
/** Whether `start` may be called. Until then the layers are only checked. */
let isLoaded: bool = false;
/** Tensors read, or where to go on in a border. */
let done: u32 = 0;
let layersDone: u32 = 0;

/** Begins loading the model that the control block names, in `memoryBytes` of linear memory. `step` goes on. */
export function open(memoryBytes: u32): i32 {
  clearFailure();
  isLoaded = false;
  done = 0;
  openContainer(memoryBytes);
  phase = CRC;
  return finishSlice();
}

/** Begins an inference on what stands in the input tensor. `step` goes on. */
export function start(): i32 {
  if (!isLoaded) return STATUS_STATE;
  clearFailure();
  let tensor: u32 = 0;
  do setWritten(tensorAt(tensor), false);
  while (++tensor < tensorCount);
  beginLayers();
  phase = INPUT_BORDER;
  return STATUS_BUSY;
}

/** Does pieces of work until they come to `budget` units, at least one, and no more than to the end of a layer. */
export function step(budget: u32): i32 {
  if (phase == IDLE) return STATUS_STATE;
  let isOfRun = !isLoaded & (phase < CRC);
  let left: i64 = budget;
  do {
    left -= advance();
  } while (left > 0 && !failure && phase > LAYER);
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

/** Goes to the first layer, with nothing but the input tensor written; the others' marks have been taken away. */
function beginLayers(): void {
  setWritten(tensorAt(0), true);
  seek(layersOffset);
  layersDone = done = 0;
  store<u32>(CONTROL_LAYERS_DONE, 0);
  phase = LAYER;
}

/** Does the next piece of work. @returns how much it was */
function advance(): u32 {
  switch (phase) {
    case CRC:
      if (readCrc()) phase = TENSORS;
      break;
    case TENSORS:
      readTensorAt(done++);
      if (done == tensorCount) checkLayers();
      break;
    case INPUT_BORDER:
      done = fillBorder(tensorAt(0), done);
      if (!done) phase = LAYER;
      break;
    case LAYER:
      if (readLayer()) readOp();
      done = 0;
      beginOutput();
      phase = hasWeights() ? CHANNELS : OUTPUT_BORDER;
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
      if (!isRun()) break;
      done = fillBorder(output, done);
      phase = done ? OUTPUT_BORDER : COMPUTE;
      break;
    case COMPUTE: {
      let work = stepOp();
      if (work) return work;
      phase = LAYER_END;
      break;
    }
    case LAYER_END:
      endLayer();
  }
  return PIECE_WORK;
}

function endLayer(): void {
  setWritten(output, true);
  layersDone++;
  if (isRun()) {
    store<u32>(CONTROL_LAYERS_DONE, layersDone);
    store<u32>(CONTROL_OUTPUT_TENSOR, outputIndex);
  } else addLayer();
  if (hasWeights()) seek(limit);
  phase = LAYER;
  if (layersDone == layerCount) {
    if (isRun()) phase = IDLE;
    else endLoading();
  }
}

/** Goes through the layers as a run would, up to each one's weights. A packed model has had this done, and skips it. */
function checkLayers(): void {
  beginLayers();
  beginWork(tensorAt(0));
}

function endLoading(): void {
  store<u32>(CONTROL_METADATA, position);
  store<u32>(CONTROL_OUTPUT_TENSOR, modelOutput());
  isLoaded = !failure;
  phase = IDLE;
}

/** The tensor that the last layer writes, which is the layer at hand. Packing knows it. */
function modelOutput(): u32 {
  return outputIndex;
}
