/** How a tensor of the file lies in a planar one: its dimensions, and in which order its elements stand there. */
import { plainLayout, offsetOf, valuesOf } from "../model/geometry.js";
import type { Shape } from "../model/model.js";
import { CannotLower } from "./cannot-lower.js";
import { NO_PADS, type NetEnd, type Pads, type SoftmaxGroups } from "./net.js";

/** Shared by all views that a reshape makes of one another: the order of the elements is the same. */
export interface Order {
  kind: NetEnd["order"];
}

export interface View {
  /** Of the net. */
  readonly tensor: number;
  /** The file's shape, batch included. */
  readonly dims: readonly number[];
  readonly order: Order;
  /** Zeros around each plane that a padding node put there, which whoever reads it adds to its own. */
  readonly pads: Pads;
  /** A last step is left to the host in front of it: what changes scales behind that is left out as well. */
  readonly softmax?: SoftmaxGroups;
}

export const view = (tensor: number, dims: readonly number[], kind: NetEnd["order"]): View => ({
  tensor,
  dims,
  order: { kind },
  pads: NO_PADS,
});

/** The dimension behind which an image's planes lie, by the format. */
export type Layout = "chw" | "hwc";

/** The planar shape of a tensor with a batch of one, of one, two, three or four dimensions; null for another. */
export function planarShape(dims: readonly number[], layout: Layout): Shape | null {
  if (dims.length === 0 || dims.length > 4 || (dims.length > 1 && dims[0] !== 1)) return null;
  const sizes = dims.length === 1 ? dims : dims.slice(1);
  if (sizes.length === 1) return [sizes[0], 1, 1];
  if (layout === "hwc") return sizes.length === 2 ? [sizes[1], 1, sizes[0]] : [sizes[2], sizes[0], sizes[1]];
  return sizes.length === 2 ? [sizes[0], 1, sizes[1]] : [sizes[0], sizes[1], sizes[2]];
}

/** That of the planar tensor that a view shows, without the zeros around it. */
export function unpaddedShape({ dims, pads: [top, left, bottom, right] }: View, layout: Layout): Shape | null {
  const shape = planarShape(dims, layout);
  return shape && [shape[0], shape[1] - top - bottom, shape[2] - left - right];
}

/** Where element `i` of the file is in a planar tensor of `shape`. */
export function planarIndex(kind: NetEnd["order"], shape: Shape): (i: number) => number {
  if (kind instanceof Int32Array) return (i) => kind[i];
  const [channels] = shape;
  if (kind === "chw" || isTrivial(shape)) return (i) => i;
  const layout = plainLayout(shape);
  return (i) => offsetOf(layout, i % channels, 0, Math.floor(i / channels));
}

/** Whether planes and channels first are the same order. */
export const isTrivial = ([channels, height, width]: Shape): boolean => channels === 1 || height * width === 1;

/** Whether the file's channels are those of the planar tensor, or parts of them: a channel of the tensor holds elements of one of the file. */
export function hasOwnChannels({ dims, order: { kind } }: View, shape: Shape, layout: Layout): boolean {
  const axis = layout === "chw" ? Math.min(1, dims.length - 1) : dims.length - 1;
  if (kind === layout && dims[axis] === shape[0]) return true;
  const behind = dims.slice(axis + 1).reduce((product, size) => product * size, 1);
  const place = planarIndex(kind, shape);
  const plane = shape[1] * shape[2];
  for (let i = 0; i < valuesOf(shape); i++) {
    if (Math.floor(i / behind) % dims[axis] !== Math.floor(place(i) / plane) % dims[axis]) return false;
  }
  return true;
}

/** Whether elements in order `a` of a tensor of shape `from` stand as those in order `b` of one of shape `to`, so that nothing has to move. */
export function isSamePlace(a: NetEnd["order"], from: Shape, b: NetEnd["order"], to: Shape): boolean {
  const count = valuesOf(from);
  if (count !== valuesOf(to)) return false;
  const isPlain = (kind: NetEnd["order"], shape: Shape): boolean =>
    kind === "chw" || (kind === "hwc" && isTrivial(shape));
  if (isPlain(a, from) && isPlain(b, to)) return true;
  if (a === "hwc" && b === "hwc" && from[0] === to[0]) return true;
  const [first, second] = [planarIndex(a, from), planarIndex(b, to)];
  for (let i = 0; i < count; i++) if (first(i) !== second(i)) return false;
  return true;
}

/**
 * The order of a tensor whose axes are exchanged: dimension i is what dimension `axes[i]` was.
 * @throws CannotLower where there is padding around it
 */
export function transposed(from: View, shape: Shape, axes: readonly number[]): View {
  noPads(from);
  const dims = axes.map((axis) => from.dims[axis]);
  const strides = from.dims.map((_, i) => from.dims.slice(i + 1).reduce((product, size) => product * size, 1));
  const steps = axes.map((axis) => strides[axis]);
  const place = planarIndex(from.order.kind, shape);
  const order = Int32Array.from({ length: valuesOf(shape) }, (_, index) => {
    let rest = index;
    let at = 0;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      at += (rest % dims[axis]) * steps[axis];
      rest = Math.floor(rest / dims[axis]);
    }
    return place(at);
  });
  return { tensor: from.tensor, dims, order: { kind: simplest(order, shape) }, pads: NO_PADS };
}

/**
 * A tensor's elements stand in another order than before.
 * @param kind the order that shows them, of shape `from`, as they are to stand: in order `wanted` of shape `to`
 * @returns what each other order of them becomes
 */
export function turning(
  kind: NetEnd["order"],
  from: Shape,
  wanted: Layout,
  to: Shape,
): (order: NetEnd["order"]) => NetEnd["order"] {
  const [before, after] = [planarIndex(kind, from), planarIndex(wanted, to)];
  const places = new Int32Array(valuesOf(from));
  for (let i = 0; i < places.length; i++) places[before(i)] = after(i);
  return (order) => {
    const place = planarIndex(order, from);
    return simplest(
      places.map((_, i) => places[place(i)]),
      to,
    );
  };
}

/** The name of an order where it has one. */
function simplest(order: Int32Array, shape: Shape): NetEnd["order"] {
  for (const kind of ["chw", "hwc"] as const) {
    const place = planarIndex(kind, shape);
    if (order.every((at, i) => at === place(i))) return kind;
  }
  return order;
}

/** @throws CannotLower where there are zeros around it that a layer has not taken in yet */
export function noPads({ pads }: View): void {
  if (pads.some((zeros) => zeros > 0))
    throw new CannotLower("its input has padding around it; only convolutions and pools take that");
}
