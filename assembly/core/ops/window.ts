/** The window through which a conv2d or a pool looks at its input. A dense layer's is the whole input. */
import { TENSOR_HEIGHT, TENSOR_PTR, TENSOR_WIDTH } from "../../abi";
import { ELEMENT_SHIFT } from "../element";
import { pair, pairY } from "../fields";
import { input, inputPitch, outputHeight, outputWidth } from "../layer";
import { x, y } from "../output-cursor";
import { borderOf } from "../tensor";

export let kernelHeight: u32 = 0;
export let kernelWidth: u32 = 0;
export let strideX: u32 = 0;
export let strideY: u32 = 0;
/** Rows and columns of the input from what an output looks at to what the next one does. */
export let stepX: u32 = 0;
export let stepY: u32 = 0;
/** Bytes from where the first window begins, in the border, to the input's first element: as many rows and columns as are padded. */
export let origin: u32 = 0;


@inline
export function setKernel(height: u32, width: u32): void {
  kernelHeight = height;
  kernelWidth = width;
}

/** Reads kernel and stride, each at most `most` along an axis, and pad. */
export function readWindow(most: u32): void {
  let width = pair(1, most);
  setKernel(pairY, width);
  strideX = pair(1, most);
  strideY = pairY;
  let padX = pair(0, borderOf(input));
  origin = pairY * inputPitch + (padX << ELEMENT_SHIFT);
}


@inline
export function setStep(rows: u32, columns: u32): void {
  stepY = rows;
  stepX = columns;
}

/** Whether what all outputs look at lies within the input and its border; for each it is `moreY` rows and `moreX` columns more than the kernel has. */
export function fits(moreY: u32, moreX: u32): bool {
  let border = borderOf(input);
  // At most 65,535 × 65,535, which is below 2^32.
  return (
    ((outputHeight - 1) * stepY + moreY + kernelHeight <=
      load<u32>(input, TENSOR_HEIGHT) + origin / inputPitch + border) &
    ((outputWidth - 1) * stepX + moreX + kernelWidth <=
      load<u32>(input, TENSOR_WIDTH) + ((origin % inputPitch) >> ELEMENT_SHIFT) + border)
  );
}

/** Address of the first element that the next output looks at in the input's first channel. */
export function windowPtr(): usize {
  return load<usize>(input, TENSOR_PTR) + y * stepY * inputPitch + ((x * stepX) << ELEMENT_SHIFT) - origin;
}
