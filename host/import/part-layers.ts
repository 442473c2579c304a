/** What both formats' rules lower parts of tensors to, and tensors that are put one behind the other. */
import type { Shape } from "../model/model.js";
import { CannotLower } from "./cannot-lower.js";
import type { GraphNode } from "./graph.js";
import type { Lowering } from "./lowering.js";
import type { Layout } from "./view.js";

/** Which axis of a planar tensor one of the file's is: 0 channels, 1 rows, 2 columns; undefined for the batch. */
export function planarAxis(layout: Layout, dims: number, axis: number): 0 | 1 | 2 | undefined {
  const behind = axis - (dims === 1 ? 0 : 1);
  if (behind < 0) return undefined;
  const count = dims === 1 ? 1 : dims - 1;
  const [channel, ...plane] = layout === "chw" ? [0, 1, 2] : [count - 1, 0, 1];
  if (behind === channel) return 0;
  // A plane of one axis is one row.
  return count === 2 ? 2 : plane.indexOf(behind) === 0 ? 1 : 2;
}

/**
 * A part of an image: so many elements along each of the file's axes as the output has, from the first ones on.
 * @param first of each axis
 */
export function lowerCrop(node: GraphNode, lowering: Lowering, first: readonly number[], input = 0, output = 0): void {
  const { tensor, shape, pads } = lowering.image(node, input);
  if (pads.some((zeros) => zeros > 0)) throw new CannotLower("it takes a part of an input with padding around it");
  if (!lowering.hasScaleOf(tensor, node.outputs[output]))
    throw new CannotLower("its output has another scale or zero point than its input; expected the same");
  const dims = lowering.dims(node, output);
  const from = lowering.view(node, input).dims;
  const [begin, size]: [number[], number[]] = [[0, 0, 0], [...shape]];
  first.forEach((at, axis) => {
    if (at === 0 && dims[axis] === from[axis]) return;
    const planar = planarAxis(lowering.layout, dims.length, axis);
    if (planar === undefined) throw new CannotLower("it takes a part of the samples");
    begin[planar] = at;
    size[planar] = dims[axis];
  });
  if (begin.some((at, axis) => !(Number.isInteger(at) && at >= 0 && at + size[axis] <= shape[axis]))) {
    throw new CannotLower(
      `it takes [${size.join(", ")}] from [${begin.join(", ")}] on of [${shape.join(", ")}], planar`,
    );
  }
  const [channel, y, x] = begin;
  const layer = { op: "crop", inputs: [tensor], first: [channel, y, x] } as const;
  lowering.emit(node, layer, [size[0], size[1], size[2]], output);
}

/** Rows below rows, or columns on the right of columns. */
export function lowerAppend(node: GraphNode, lowering: Lowering, axis: 1 | 2): void {
  const parts = node.inputs.map((_, input) => lowering.image(node, input));
  if (parts.some(({ pads }) => pads.some((zeros) => zeros > 0)))
    throw new CannotLower("it joins an input with padding around it");
  const longer = ([channels, height, width]: Shape, more: Shape): Shape =>
    axis === 1 ? [channels, height + more[1], width] : [channels, height, width + more[2]];
  const [first, ...others] = parts;
  if (others.length === 0) return lowering.alias(node, lowering.view(node));
  let joined = first.tensor;
  let shape = first.shape;
  others.forEach(({ tensor, shape: added }, index) => {
    shape = longer(shape, added);
    const layer = { op: "append", inputs: [joined, tensor] } as const;
    const isLast = index === others.length - 1;
    joined = isLast
      ? lowering.emit(node, layer, shape)
      : lowering.emitBetween(node, layer, shape, lowering.quantizationOf(node.outputs[0]));
  });
}

/** Along the channels of images, or of vectors; or along rows or columns. */
export function lowerConcat(node: GraphNode, lowering: Lowering, axis: number): void {
  if (node.inputs.length === 0) throw new CannotLower("it joins nothing");
  const dims = lowering.dims(node);
  const channelAxis = dims.length <= 2 || lowering.layout === "chw" ? Math.min(1, dims.length - 1) : dims.length - 1;
  if ((axis + dims.length) % dims.length !== channelAxis) {
    const parts = node.inputs.map((_, input) => lowering.view(node, input));
    const isLast = lowering.isAtEnd(node.outputs[0]) && lowering.graph.outputs.includes(node.outputs[0]);
    // What no layer writes is no output of a model.
    if (isLast && parts.every(({ tensor }) => lowering.producer(tensor) !== undefined)) {
      lowering.leaveToHost(node, parts);
      lowering.notes.push(
        `${node.name}: the last concatenation is left out; the model has ${node.inputs.length} outputs in its place`,
      );
      return;
    }
    const planar = planarAxis(lowering.layout, dims.length, (axis + dims.length) % dims.length);
    if (planar === 1 || planar === 2) return lowerAppend(node, lowering, planar);
    throw new CannotLower(`it joins along axis ${axis} of [${dims.join(", ")}], expected channels, rows or columns`);
  }
  const parts = node.inputs.map((_, input) => lowering.image(node, input));
  if (parts.some(({ pads }) => pads.some((zeros) => zeros > 0)))
    throw new CannotLower("it joins an input with padding around it");
  const [, height, width] = parts[0].shape;
  const channels = parts.reduce((sum, { shape }) => sum + shape[0], 0);
  lowering.emit(node, { op: "concat", inputs: parts.map(({ tensor }) => tensor) }, [channels, height, width]);
}
