/** Where the next output elements go, for layers that make them plane by plane. */
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

/** Goes to another place of the plane. */
export function moveOutput(column: u32, line: u32): void {
  x = column;
  y = line;
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

/**
 * Passes `across` elements, at most to the end of the row, and then `down` rows, at most to the end of the plane.
 * @returns whether the plane is complete
 */
export function advanceOutput(across: u32, down: u32): bool {
  x += across;
  if (x < outputWidth) return false;
  x = 0;
  y += down;
  if (y < outputHeight) return false;
  y = 0;
  channel++;
  return true;
}
