/** Where the next output element goes, for layers that make them plane by plane. */
import { TENSOR_PITCH, TENSOR_PLANE, TENSOR_PTR } from "../format";
import { output, outputHeight, outputWidth } from "./layer";

/** The next element's place. */
export let channel: u32 = 0;
export let x: u32 = 0;
export let y: u32 = 0;

/** Begins the layer's output. */
export function beginOutput(): void {
  channel = x = y = 0;
}

/** Address of the next element. */
export function outputPtr(): usize {
  return (
    load<usize>(output, TENSOR_PTR) +
    channel * load<u32>(output, TENSOR_PLANE) +
    y * load<u32>(output, TENSOR_PITCH) +
    x
  );
}

/** Passes `count` elements, at most to the end of the row. @returns whether the plane is complete */
export function advanceOutput(count: u32): bool {
  x += count;
  if (x < outputWidth) return false;
  x = 0;
  if (++y < outputHeight) return false;
  y = 0;
  channel++;
  return true;
}
