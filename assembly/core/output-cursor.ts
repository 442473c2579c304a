/** Where the next output element goes, for layers that make them plane by plane, and how far it has come. */
import { TENSOR_PITCH, TENSOR_PLANE, TENSOR_PTR } from "../abi";
import { ELEMENT_SHIFT } from "./element";
import { output, outputHeight, outputWidth, rows } from "./layer";

/** The next element's place. */
export let channel: u32 = 0;
export let x: u32 = 0;
export let y: u32 = 0;
/** For an element that takes several pieces of work: what has been taken of its window, and of the records at the places at hand. */
export let taken: u32 = 0;
export let takenRecords: u32 = 0;

/** Begins the layer's output. */
export function beginOutput(): void {
  channel = x = y = taken = takenRecords = 0;
}

/** Leaves the rest of the element to the next piece of work. */
export function leaveOutput(ofWindow: u32, ofRecords: u32): void {
  taken = ofWindow;
  takenRecords = ofRecords;
}

/** Leaves nothing to do. */
export function endOutput(): void {
  channel = rows;
}

/** Passes a whole plane, for an engine that keeps no count within one. */
export function passPlane(): void {
  channel++;
}

/** Address of the next element. */
export function outputPtr(): usize {
  return (
    load<usize>(output, TENSOR_PTR) +
    channel * load<u32>(output, TENSOR_PLANE) +
    y * load<u32>(output, TENSOR_PITCH) +
    (x << ELEMENT_SHIFT)
  );
}

/** Passes `count` elements, at most to the end of the row. @returns whether the plane is complete */
export function advanceOutput(count: u32): bool {
  taken = takenRecords = 0;
  x += count;
  if (x < outputWidth) return false;
  x = 0;
  if (++y < outputHeight) return false;
  y = 0;
  channel++;
  return true;
}
