/** The window through which a conv2d or a pool looks at its input. A dense layer's is the whole input. */
import { TENSOR_HEIGHT, TENSOR_WIDTH } from "../../abi";
import { extent } from "../fields";
import { input, outputHeight, outputWidth } from "../layer";

export let kernelHeight: u32 = 0;
export let kernelWidth: u32 = 0;
export let stride: u32 = 0;


@inline
export function setKernel(height: u32, width: u32): void {
  kernelHeight = height;
  kernelWidth = width;
}

export function readStride(): void {
  stride = extent();
}

/**
 * Whether what all outputs look at lies within the input, `room` rows and columns of borders included. From one output to the next it is `step`
 * rows or columns further, and for each it is `more` of them than the kernel has.
 */
export function fits(room: u32, step: u32, more: u32): bool {
  // At most 65,535 × 255 × 255, which is below 2^32.
  return (
    (outputHeight - 1) * step + more + kernelHeight <= load<u32>(input, TENSOR_HEIGHT) + room &&
    (outputWidth - 1) * step + more + kernelWidth <= load<u32>(input, TENSOR_WIDTH) + room
  );
}
