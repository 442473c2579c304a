/** Zeros around a layer's input, so that the kernels need no bounds tests. */
import type { Shape } from "../model/model.js";
import type { Sides } from "../ops/attributes.js";
import { VALUE_BYTES, type Arena } from "./arena.js";
import { writeDescriptor, type Descriptor } from "./descriptors.js";
import type { SharedHeap } from "./heap.js";

export interface PlannedBorder {
  readonly descriptor: Descriptor<"Border">;
  /** Byte offset in a thread's arena of the input with its border, which is written once: zeros. */
  readonly activation: number;
  /** Of it, or of its gradient. */
  readonly bytes: number;
}

/** Planes of an input with its border. */
export const widened = ([channels, height, width]: Shape, [top, left, bottom, right]: Sides): Shape => [
  channels,
  height + top + bottom,
  width + left + right,
];

/** @returns null where there is none */
export function planBorder(
  heap: SharedHeap,
  arena: Arena,
  input: Shape,
  sides: Sides,
  blocks: number,
): PlannedBorder | null {
  if (sides.every((zeros) => zeros === 0)) return null;
  const [channels, wideHeight, wideWidth] = widened(input, sides);
  const [, height, width] = input;
  const bytes = blocks * channels * wideHeight * wideWidth * VALUE_BYTES;
  const wide = { wideHeight, wideWidth, top: sides[0], left: sides[1] };
  const descriptor = writeDescriptor(heap, "Border", { height, width, ...wide });
  return { descriptor, activation: arena.take(bytes), bytes };
}
