/**
 * Walks the layer table, one slice of work a call. The packer has checked all there is to check, and laid out all there is to lay
 * out: nothing is loaded.
 */
import {
  CONTROL_LAYERS_DONE,
  CONTROL_MEMORY_BYTES,
  CONTROL_TENSOR_COUNT,
  CONTROL_TENSORS_PTR,
  STATUS_BUSY,
  STATUS_DONE,
  STATUS_LINES,
  STATUS_MEMORY,
  STATUS_STATE,
  TENSOR_ENTRY_BYTES,
} from "../abi";
import { stepBits } from "./kernels/bits";
import { stepBorder } from "./kernels/border";
import { stepConvBlocks } from "./kernels/conv-blocks";
import { stepConvPlaces } from "./kernels/conv-places";
import { stepConvPooled } from "./kernels/conv-pooled";
import { stepConvGaps, stepConvQuads } from "./kernels/conv-quads";
import { stepCopy } from "./kernels/copy";
import { stepDense } from "./kernels/dense";
import { stepDenseRows } from "./kernels/dense-rows";
import { stepDenseValues } from "./kernels/dense-values";
import { stepDepthwise } from "./kernels/depthwise";
import { stepElements } from "./kernels/elementwise";
import { beginTurns, behindTurn, isIdle, stepInput, stepLines, stepTurn, tellTurn } from "./kernels/lines";
import { stepLut } from "./kernels/lut";
import {
  CONTROL_LAYERS_PTR,
  KIND_ADD,
  KIND_AVGPOOL,
  KIND_BORDER,
  KIND_CONV_BLOCKS,
  KIND_CONV_GAPS,
  KIND_CONV_PLACES,
  KIND_CONV_POOLED,
  KIND_CONV_QUADS,
  KIND_COPY,
  KIND_DENSE,
  KIND_DENSE_ROWS,
  KIND_BITS,
  KIND_DENSE_VALUES,
  KIND_DEPTHWISE,
  KIND_END,
  KIND_INPUT,
  KIND_LINES,
  KIND_LUT,
  KIND_MAXPOOL,
  KIND_MUL,
  KIND_RESIZE,
  KIND_TURN,
  LAYER_ENTRY_BYTES,
  LAYER_KIND,
  PROGRESS_POSITION,
} from "./layout";
import { stepPool } from "./kernels/pool";
import { stepResize } from "./kernels/resize";
import { beginLayers, isLayerComplete, layer } from "./row";
import { failure, progressPtr, rewind, seek } from "./stream";

/** Whether an inference is under way. */
let isRunning: bool = false;
/** Whether no run has been complete since the module was opened or reset: the states are still to be filled. */
let isFresh: bool = true;

/** Whether the memory is as large as the module needs. */
export function open(memoryBytes: u32): i32 {
  isRunning = false;
  isFresh = true;
  return memoryBytes < load<u32>(CONTROL_MEMORY_BYTES) ? STATUS_MEMORY : STATUS_DONE;
}

/** Sets the states to their zero points, at the beginning of the next run. */
export function reset(): i32 {
  if (isRunning) return STATUS_STATE;
  isFresh = true;
  return STATUS_DONE;
}

/** Begins an inference on what stands in the inputs. `step` goes on. */
export function start(): i32 {
  rewind();
  store<u32>(CONTROL_LAYERS_DONE, 0);
  beginLayers(hasStates() && isFresh ? statesPtr() : layersPtr());
  beginTurns();
  isRunning = true;
  return STATUS_BUSY;
}

/** Above it a slice ends before its budget does, so that no sum of work passes an i32. */
const MOST_BUDGET: u32 = 1 << 30;

/**
 * Works for as long as `budget` multiplications of a block take, or one indivisible piece, and no longer than to the end of a layer.
 * Such a multiplication is about 20 instructions of a Cortex-M4 under wasm3; the largest pieces are 8,124 of them, of fewer instructions.
 */
export function step(budget: u32): i32 {
  if (!isRunning) return STATUS_DONE;
  let kind = load<u32>(layer, LAYER_KIND);
  let left = <i32>min(budget, MOST_BUDGET);
  do {
    left -= stepKind(kind, left);
    if (failure) {
      isRunning = false;
      return failure;
    }
    if (isLayerComplete()) {
      if (kind < <u32>KIND_BORDER) store<u32>(CONTROL_LAYERS_DONE, load<u32>(CONTROL_LAYERS_DONE) + 1);
      followStream();
      let following = layer + LAYER_ENTRY_BYTES;
      if (isLines(kind) && isIdle()) following += LAYER_ENTRY_BYTES;
      if (isTurn(kind)) following = behindTurn();
      if (load<u32>(following, LAYER_KIND) == KIND_END) {
        isRunning = isFresh = false;
        return STATUS_DONE;
      }
      beginLayers(following);
      return isInput() ? STATUS_LINES : STATUS_BUSY;
    }
  } while (left > 0);
  return STATUS_BUSY;
}

/** Goes on in the stream where the layer has ended: kernels of the host's own do not read through the window. */
function followStream(): void {
  let position = load<u32>(progressPtr(), PROGRESS_POSITION);
  if (position) seek(position - 1);
}

/** Does a piece of work, or several. @returns as how many multiplications it counts */
function stepKind(kind: u32, budget: i32): u32 {
  if (isConvPooled(kind)) return stepConvPooled(layer, progressPtr(), budget);
  if (isConvBlocks(kind)) return stepConvBlocks(layer, progressPtr(), budget);
  if (isDense(kind)) return stepDense(layer, progressPtr(), budget);
  if (isConvQuads(kind)) return stepConvQuads(layer, progressPtr(), budget);
  if (isConvGaps(kind)) return stepConvGaps(layer, progressPtr(), budget);
  if (isDepthwise(kind)) return stepDepthwise(layer, progressPtr(), budget);
  if (isDenseRows(kind)) return stepDenseRows(layer, progressPtr(), budget);
  if (isDenseValues(kind)) return stepDenseValues(layer, progressPtr(), budget);
  if (isBits(kind)) return stepBits(layer, progressPtr(), budget);
  if (isConvPlaces(kind)) return stepConvPlaces();
  if (isCopy(kind)) return stepCopy();
  if (isBorder(kind)) return stepBorder();
  if (isPool(kind)) return stepPool(layer, progressPtr(), budget);
  if (isElementwise(kind)) return stepElements(layer, progressPtr(), budget);
  if (isLut(kind)) return stepLut();
  if (isResize(kind)) return stepResize();
  if (isLines(kind)) {
    tellTurn();
    return stepLines(layer, progressPtr(), budget);
  }
  if (isTurn(kind)) return stepTurn();
  if (isInput()) return stepInput();
  return 0; // KIND_CONCAT
}

function hasStates(): bool {
  return statesPtr() != layersPtr();
}

// What the packer knows: it puts constants in their place.

function statesPtr(): usize {
  return load<u32>(CONTROL_TENSORS_PTR) + load<u32>(CONTROL_TENSOR_COUNT) * TENSOR_ENTRY_BYTES;
}

function layersPtr(): usize {
  return load<u32>(CONTROL_LAYERS_PTR);
}

// No where a model has none.

function isConvPooled(kind: u32): bool {
  return kind == KIND_CONV_POOLED;
}

function isConvBlocks(kind: u32): bool {
  return kind == KIND_CONV_BLOCKS;
}

function isDense(kind: u32): bool {
  return kind == KIND_DENSE;
}

function isConvPlaces(kind: u32): bool {
  return kind == KIND_CONV_PLACES;
}

function isConvQuads(kind: u32): bool {
  return kind == KIND_CONV_QUADS;
}

function isConvGaps(kind: u32): bool {
  return kind == KIND_CONV_GAPS;
}

function isDenseRows(kind: u32): bool {
  return kind == KIND_DENSE_ROWS;
}

function isDenseValues(kind: u32): bool {
  return kind == KIND_DENSE_VALUES;
}

function isBits(kind: u32): bool {
  return kind == KIND_BITS;
}

function isDepthwise(kind: u32): bool {
  return kind == KIND_DEPTHWISE;
}

function isCopy(kind: u32): bool {
  return kind == KIND_COPY;
}

function isBorder(kind: u32): bool {
  return kind == KIND_BORDER;
}

function isPool(kind: u32): bool {
  return (kind == KIND_MAXPOOL) | (kind == KIND_AVGPOOL);
}

function isElementwise(kind: u32): bool {
  return (kind == KIND_ADD) | (kind == KIND_MUL);
}

function isLut(kind: u32): bool {
  return kind == KIND_LUT;
}

function isResize(kind: u32): bool {
  return kind == KIND_RESIZE;
}

function isLines(kind: u32): bool {
  return kind == KIND_LINES;
}

function isTurn(kind: u32): bool {
  return kind == KIND_TURN;
}

/** Whether the entry at hand waits for lines of the input. */
function isInput(): bool {
  return load<u32>(layer, LAYER_KIND) == KIND_INPUT;
}
