/**
 * Walks the layer table, one slice of work a call. The packer has checked all there is to check, and laid out all there is to lay
 * out: nothing is loaded.
 */
import { CONTROL_LAYERS_DONE, CONTROL_MEMORY_BYTES, STATUS_BUSY, STATUS_DONE, STATUS_MEMORY } from "../abi";
import { stepBorder } from "./kernels/border";
import { stepConvBlocks } from "./kernels/conv-blocks";
import { stepConvPlaces } from "./kernels/conv-places";
import { stepConvPooled } from "./kernels/conv-pooled";
import { stepDense } from "./kernels/dense";
import {
  CONTROL_LAYERS_PTR,
  KIND_BORDER,
  KIND_CONV_BLOCKS,
  KIND_CONV_PLACES,
  KIND_CONV_POOLED,
  KIND_DENSE,
  KIND_END,
  LAYER_KIND,
} from "./layout";
import { stepPool } from "./kernels/pool";
import { beginLayers, isLayerComplete, layer, nextLayer } from "./row";
import { failure, rewind } from "./stream";

/** Whether an inference is under way. */
let isRunning: bool = false;

/** Whether the memory is as large as the module needs. */
export function open(memoryBytes: u32): i32 {
  isRunning = false;
  return memoryBytes < load<u32>(CONTROL_MEMORY_BYTES) ? STATUS_MEMORY : STATUS_DONE;
}

/** Begins an inference on what stands in the input tensor. `step` goes on. */
export function start(): i32 {
  rewind();
  store<u32>(CONTROL_LAYERS_DONE, 0);
  beginLayers(layersPtr());
  isRunning = true;
  return STATUS_BUSY;
}

/** Above it a slice ends before its budget does, so that no sum of work passes an i32. */
const MOST_BUDGET: u32 = 1 << 30;

/**
 * Works for as long as `budget` multiplications of a block take, or one indivisible piece, and no longer than to the end of a layer.
 * Such a multiplication is about 20 instructions of a Cortex-M4 under wasm3; the largest pieces are 5,676 of them.
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
      if (kind != KIND_BORDER) store<u32>(CONTROL_LAYERS_DONE, load<u32>(CONTROL_LAYERS_DONE) + 1);
      nextLayer();
      if (load<u32>(layer, LAYER_KIND) != KIND_END) return STATUS_BUSY;
      isRunning = false;
      return STATUS_DONE;
    }
  } while (left > 0);
  return STATUS_BUSY;
}

/** Does a piece of work, or several. @returns as how many multiplications it counts */
function stepKind(kind: u32, budget: i32): u32 {
  if (kind == KIND_CONV_POOLED) return stepConvPooled(budget);
  if (kind == KIND_CONV_BLOCKS) return stepConvBlocks(budget);
  if (kind == KIND_DENSE) return stepDense(budget);
  if (kind == KIND_CONV_PLACES) return stepConvPlaces();
  if (kind == KIND_BORDER) return stepBorder();
  return stepPool();
}

/** The packer puts a constant in its place. */
function layersPtr(): usize {
  return load<u32>(CONTROL_LAYERS_PTR);
}
