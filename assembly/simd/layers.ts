/** The layers of a loaded model: what is kept of each, and who runs it. */
import { OP_ADD, OP_AVGPOOL, OP_CONCAT, OP_CONV2D, OP_DENSE, OP_LUT, OP_MAXPOOL, OP_MUL, OP_RESIZE } from "../format";
import { position } from "../core/bit-reader";
import { input, op, output, readLayer, rows } from "../core/layer";
import { stepOp } from "../core/ops";
import { beginOutput, channel } from "../core/output-cursor";
import { code, enterStream, range } from "../core/range-decoder";
import { clampMax, clampMin, multiplier, shift, zeroPoint } from "../core/requantize";
import { failure } from "../core/status";
import { keepConv, runConv } from "./conv";
import { keepDense, runDense } from "./dense";
import { take } from "./memory";
import { keepLut, keepPair, keepResize, runLut, runPair, runResize } from "./elementwise";
import { keepPool, runPool } from "./pool";
import { AVGPOOL, CONV, DENSE, FULL, Layer, LUT, MAXPOOL, NOTHING, PRODUCT, RESIZE, SUM } from "./program";
import { beginRoom } from "./room";

let layersPtr: usize = 0;

export function beginLayers(count: u32): void {
  layersPtr = take(<u64>count * offsetof<Layer>());
  if (layersPtr) memory.fill(layersPtr, 0, count * offsetof<Layer>());
  beginRoom();
}

export function layerAt(index: u32): Layer {
  return changetype<Layer>(layersPtr + index * offsetof<Layer>());
}

/** Keeps where a layer begins. */
export function keepPlace(kept: Layer): void {
  kept.offset = position;
  kept.range = range;
  kept.code = code;
}

/** Keeps what has been read of a layer. */
export function keepLayer(index: u32): void {
  let kept = layerAt(index);
  kept.input = input;
  kept.output = output;
  kept.zeroPoint = <i32>zeroPoint;
  kept.low = <i32>clampMin;
  kept.high = <i32>clampMax;
  kept.multiplier = <u32>multiplier;
  kept.shift = <u32>shift;
  if (op == OP_CONV2D) keepConv(kept);
  else if (op == OP_DENSE) keepDense(kept);
  else if (op == OP_MAXPOOL || op == OP_AVGPOOL) keepPool(kept);
  else if (op == OP_ADD || op == OP_MUL) keepPair(kept);
  else if (op == OP_CONCAT) kept.kind = NOTHING;
  else if (op == OP_LUT) keepLut(kept);
  else if (op == OP_RESIZE) keepResize(kept);
  // Any other stays what a new entry is, BY_CORE.
}

/** @param index of the layer, and of the tensor it makes */
export function runLayer(index: u32, tensor: u32): void {
  let kept = layerAt(index);
  switch (kept.kind) {
    case CONV:
    case FULL:
      return runConv(kept);
    case DENSE:
      return runDense(kept);
    case MAXPOOL:
    case AVGPOOL:
      return runPool(kept);
    case SUM:
    case PRODUCT:
      return runPair(kept);
    case LUT:
      return runLut(kept);
    case RESIZE:
      return runResize(kept);
    case NOTHING:
      return;
  }
  // What is rare the core does, from the file.
  enterStream(kept.offset, kept.range, kept.code);
  readLayer(tensor);
  beginOutput();
  while (channel < rows && !failure) stepOp();
}
