/** What the kernels of assembly/train are told once, when a plan is made, instead of call by call. */
import type { SharedHeap } from "./heap.js";

/**
 * The fields of each descriptor in order, a u32 each. assembly/train/descriptors.ts says what they mean: a class of the same name,
 * with which tests/train/descriptors.test.ts compares this table.
 */
export const DESCRIPTORS = {
  Pool: ["height", "width", "outHeight", "outWidth", "kernelHeight", "kernelWidth", "strideY", "strideX"],
  Border: ["height", "width", "wideHeight", "wideWidth", "top", "left"],
  Resize: ["height", "width", "factorY", "factorX"],
  BatchNorm: ["channels", "positions", "block"],
  Gather: [
    "groups",
    "rows",
    "outRow",
    "outBlock",
    "wRow",
    "wGroup",
    "wOuter",
    "xGroup",
    "xOuter",
    "xBlock",
    "outer",
    "positions",
    "positionCount",
    "taps",
  ],
  ParameterGradient: [
    "groups",
    "rows",
    "columns",
    "outRow",
    "outBlock",
    "xGroup",
    "xBlock",
    "columnOffsets",
    "positions",
    "positionCount",
    "blocksPerPass",
  ],
  Survivors: ["rows", "outRow", "outBlock", "xBlock", "rowStart", "entries", "runs", "runCount"],
  Segment: ["values", "first", "second", "state", "gradients", "shardBytes", "shards"],
} as const;

type DescriptorName = keyof typeof DESCRIPTORS;

/** Address of a descriptor. It differs from other numbers, and from those of other descriptors, for the compiler alone. */
export type Descriptor<Name extends DescriptorName> = number & { readonly descriptor: Name };

/** Writes a descriptor that lasts as long as the heap. */
export function writeDescriptor<Name extends DescriptorName>(
  heap: SharedHeap,
  name: Name,
  values: Readonly<Record<(typeof DESCRIPTORS)[Name][number], number>>,
): Descriptor<Name> {
  const fields: readonly (typeof DESCRIPTORS)[Name][number][] = DESCRIPTORS[name];
  const at = heap.allocate(fields.length * 4);
  heap.u32(at, fields.length).set(fields.map((field) => values[field]));
  return at as Descriptor<Name>;
}
