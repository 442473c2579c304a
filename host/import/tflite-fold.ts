/** Elements of TFLite's tensors that follow from shapes and constants: see fold.ts. */
import type { Fold } from "./fold.js";

/** Of a list, one element or those from a first to a last; masks leave an end open. */
const stridedSlice: Fold = (node, to) => {
  const data = node.value(0);
  const [begin, end, stride] = [1, 2, 3].map((i) => node.numbers(i)?.[0]);
  if (data === undefined || data.shape.length !== 1 || begin === undefined || end === undefined || stride !== 1)
    return undefined;
  const size = data.shape[0];
  const first = node.number("begin_mask", 0) !== 0 ? 0 : begin < 0 ? begin + size : begin;
  const count = to[0] ?? 1;
  return first >= 0 && first + count <= size ? data.data.slice(first, first + count) : undefined;
};

/** Of scalars. */
const pack: Fold = (node) => {
  const parts = node.node.inputs.map((_, i) => node.value(i));
  if (!parts.every((part) => part?.data.length === 1)) return undefined;
  return parts.map((part) => part!.data[0]);
};

export const TFLITE_FOLDS: ReadonlyMap<string, Fold> = new Map<string, Fold>([
  ["SHAPE", (node) => node.shape(0)],
  ["STRIDED_SLICE", stridedSlice],
  ["PACK", pack],
]);
