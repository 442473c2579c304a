/** maxpool and avgpool as layers of their own: one output at a time. */
import { OP_AVGPOOL } from "../../format";
import {
  inputPitch,
  inputPlane,
  inputPtr,
  inputZeroPoint,
  kernelWidth,
  op,
  outputHeight,
  outputPitch,
  outputPlane,
  outputPtr,
  outputWidth,
  rows,
  stride,
} from "../layer";
import { clamp, requantize } from "../requantize";

let channel: u32 = 0;
let x: u32 = 0;
let y: u32 = 0;

export function beginPool(): void {
  channel = x = y = 0;
}

/** Computes the next output. @returns the work done, or 0 when there was nothing left to do */
export function stepPool(): u32 {
  if (channel == rows) return 0;
  let window = inputPtr + channel * inputPlane + y * stride * inputPitch + x * stride;
  let target = outputPtr + channel * outputPlane + y * outputPitch + x;
  let sum: i32 = 0;
  let best: i32 = i8.MIN_VALUE;
  for (let i: u32 = 0; i < kernelWidth; i++) {
    for (let end = window + kernelWidth; window < end; window++) {
      let q = <i32>load<i8>(window);
      sum += q - inputZeroPoint;
      best = max(best, q);
    }
    window += inputPitch - kernelWidth;
  }
  store<i8>(target, op == OP_AVGPOOL ? requantize(sum) : clamp(best));
  if (++x == outputWidth) {
    x = 0;
    if (++y == outputHeight) {
      y = 0;
      channel++;
    }
  }
  return kernelWidth * kernelWidth;
}
