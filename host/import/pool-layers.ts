/** What both formats' rules lower pools to. */
import type { Axes } from "../model/model.js";
import { CannotLower } from "./cannot-lower.js";
import type { GraphNode } from "./graph.js";
import type { Lowering } from "./lowering.js";
import { addPads, windowed } from "./moving-window.js";
import { NO_CLAMP, NO_PADS, type Clamp, type Pads } from "./net.js";
import { noPads } from "./view.js";

export interface PoolSpec {
  readonly op: "maxpool" | "avgpool";
  readonly kernel: Axes;
  readonly stride: Axes;
  readonly pads: (image: Axes, kernel: Axes) => Pads;
  /** Whether an average counts the zeros of its own padding. */
  readonly countsPads: boolean;
  readonly clamp: Clamp;
}

export function lowerPool(node: GraphNode, lowering: Lowering, spec: PoolSpec): void {
  const { tensor, shape, pads: before } = lowering.image(node);
  const { op, kernel, stride, clamp } = spec;
  const padded: Axes = [shape[1] + before[0] + before[2], shape[2] + before[1] + before[3]];
  const own = spec.pads(padded, kernel);
  const size = windowed(shape, addPads(before, own), kernel, stride);
  // Below and on the right zeros that no window reaches do not count.
  const reach = (axis: 0 | 1): number => (size[axis] - 1) * stride[axis] + kernel[axis] - padded[axis] - own[axis];
  const reached: Pads = [own[0], own[1], Math.max(0, reach(0)), Math.max(0, reach(1))];
  if (reached.some((zeros) => zeros > 0)) {
    if (op === "avgpool" && !spec.countsPads) {
      throw new CannotLower(
        "it averages over fewer elements at the edges; pad by a node of its own, or choose a window that divides the input",
      );
    }
    if (op === "maxpool" && !isNonNegative(lowering, tensor)) {
      throw new CannotLower(
        "it pads an input that may be below 0, where the padding is not the least value; expected a relu before it",
      );
    }
  }
  lowering.emit(node, { op, inputs: [tensor], kernel, stride, pads: addPads(before, reached), clamp }, [
    shape[0],
    ...size,
  ]);
}

/** Whether all elements are 0 or more whatever the input. */
function isNonNegative(lowering: Lowering, tensor: number): boolean {
  const { quantization } = lowering.tensors[tensor];
  if (quantization?.zeroPoint === -128) return true;
  const layer = lowering.producer(tensor);
  if (layer === undefined) return false;
  if ("clamp" in layer && layer.clamp.low >= 0) return true;
  if (["maxpool", "avgpool", "concat", "resize", "crop", "append"].includes(layer.op)) {
    return layer.inputs.every((input) => isNonNegative(lowering, input));
  }
  return false;
}

/** The mean of each plane. */
export function lowerGlobalPool(node: GraphNode, lowering: Lowering, op: "maxpool" | "avgpool"): void {
  const seen = lowering.view(node);
  noPads(seen);
  const { tensor, dims, order } = seen;
  const shape = lowering.shapeOf(tensor);
  // In whatever dimensions the elements of a channel come, they are those of its plane.
  const channels = lowering.layout === "chw" ? dims[1] : dims[dims.length - 1];
  if (channels !== shape[0] || order.kind !== lowering.layout) lowering.image(node);
  const kernel: Axes = [shape[1], shape[2]];
  lowering.emit(node, { op, inputs: [tensor], kernel, stride: [1, 1], pads: NO_PADS, clamp: NO_CLAMP }, [
    shape[0],
    1,
    1,
  ]);
}
