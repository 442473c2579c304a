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
  OP_CONV2D,
  OP_DENSE,
  STATUS_BUSY,
  STATUS_DONE,
  STATUS_STATE,
} from "../format";
import { position, seek } from "./bit-reader";
import { layerCount, layersOffset, openContainer, readCrc, readTensorAt, tensorCount } from "./container";
import { op, output, outputIndex, readLayer, sectionEnd } from "./layer";
import { stepConv2d } from "./layers/conv2d";
import { stepDense } from "./layers/dense";
import { stepPool } from "./layers/pool";
import { beginOutput } from "./output-cursor";
import { clearFailure, failure } from "./status";
import { fillBorderRow, setWritten, tensorAt } from "./tensor";
import { beginRows } from "./weights";
import { BATCH, beginCodes, beginColumns, beginSection, readChannels, readCodes, readColumns } from "./section";

/** What the next piece of work is. */
const IDLE = 0;
const LAYER = 1;
const CRC = 2;
const TENSORS = 3;
const INPUT_BORDER = 4;
const CHANNELS = 5;
const COLUMNS = 6;
const CODES = 7;
const OUTPUT_BORDER = 8;
const COMPUTE = 9;
const LAYER_END = 10;

let phase: i32 = 0;
/** Whether `start` may be called. Until then the layers are only checked. */
let isLoaded: bool = false;
/** Tensors read, or rows of borders filled. */
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
  beginLayers();
  phase = INPUT_BORDER;
  return STATUS_BUSY;
}

/**
 * Does about `budget` multiplications or decoded symbols, at least one indivisible piece, and no more than to the end of a
 * layer.
 */
export function step(budget: i32): i32 {
  if (phase == IDLE) return STATUS_STATE;
  do {
    budget -= advance();
  } while (budget > 0 && !failure && phase > LAYER);
  return finishSlice();
}

/** The status to return. After an error there is nothing to step through. */
function finishSlice(): i32 {
  if (!failure) return phase == IDLE ? STATUS_DONE : STATUS_BUSY;
  phase = IDLE;
  store<u32>(CONTROL_ERROR_OFFSET, position);
  return failure;
}

/** Goes to the first layer, with nothing but the input tensor written. */
function beginLayers(): void {
  let tensor: u32 = 0;
  do setWritten(tensorAt(tensor), tensor == 0);
  while (++tensor < tensorCount);
  seek(layersOffset);
  layersDone = done = 0;
  store<u32>(CONTROL_LAYERS_DONE, 0);
  phase = LAYER;
}

/** Does the next piece of work. @returns about how much it was */
function advance(): i32 {
  switch (phase) {
    case CRC:
      if (readCrc()) phase = TENSORS;
      break;
    case TENSORS:
      readTensorAt(done++);
      if (done == tensorCount) checkLayers();
      break;
    case INPUT_BORDER:
      if (!fillBorderRow(tensorAt(0), done++)) phase = LAYER;
      break;
    case LAYER:
      readLayer();
      done = 0;
      phase = OUTPUT_BORDER;
      beginOutput();
      if (op <= <u32>OP_DENSE) {
        beginSection();
        phase = CHANNELS;
      }
      break;
    case CHANNELS:
      if (!readChannels()) break;
      beginColumns();
      phase = COLUMNS;
      break;
    case COLUMNS:
      if (!readColumns()) break;
      beginCodes();
      phase = CODES;
      break;
    case CODES:
      if (!readCodes()) break;
      beginRows();
      phase = OUTPUT_BORDER;
      break;
    case OUTPUT_BORDER:
      if (isLoaded && fillBorderRow(output, done++)) break;
      phase = isLoaded ? COMPUTE : LAYER_END;
      break;
    case COMPUTE: {
      let work = op == OP_CONV2D ? stepConv2d() : op == OP_DENSE ? stepDense() : stepPool();
      if (work) return work;
      phase = LAYER_END;
      break;
    }
    case LAYER_END:
      endLayer();
  }
  return BATCH;
}

function endLayer(): void {
  if (op <= <u32>OP_DENSE) seek(sectionEnd);
  setWritten(output, true);
  store<u32>(CONTROL_OUTPUT_TENSOR, outputIndex);
  layersDone++;
  if (isLoaded) store<u32>(CONTROL_LAYERS_DONE, layersDone);
  phase = LAYER;
  if (layersDone == layerCount) {
    if (isLoaded) phase = IDLE;
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
