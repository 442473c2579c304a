/** maxpool and avgpool as layers of their own: one output at a time. */
import { OP_AVGPOOL, TENSOR_PLANE, TENSOR_PTR } from "../../format";
import { input, inputPitch, inputZeroPoint, kernelWidth, op, output, rows, stride } from "../layer";
import { advanceOutput, channel, outputPtr, x, y } from "../output-cursor";
import { requantize } from "../requantize";
import { zeroPointOf } from "../tensor";

/** Computes the next output. @returns the work done, or 0 when there was nothing left to do */
export function stepPool(): u32 {
  if (channel == rows) return 0;
  let ptr = load<usize>(input, TENSOR_PTR) + channel * load<u32>(input, TENSOR_PLANE) + (y * inputPitch + x) * stride;
  let work = kernelWidth * kernelWidth;
  let sum = -inputZeroPoint() * <i32>work;
  let best: i32 = 0;
  let row: u32 = 0;
  do {
    let end = ptr + kernelWidth;
    do {
      let q: i32 = load<u8>(ptr);
      sum += q;
      best = max(best, q);
    } while (++ptr < end);
    ptr += inputPitch - kernelWidth;
  } while (++row < kernelWidth);
  // Requantizing adds the output's zero point again, and clamps.
  store<u8>(outputPtr(), requantize(op == OP_AVGPOOL ? sum : best - zeroPointOf(output)));
  advanceOutput(1, 1);
  return work;
}
