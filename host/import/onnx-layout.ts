/** What comes out of ONNX's ops that move elements and change none: reshaping, joining, cutting. https://onnx.ai/onnx/operators/ */
import { axesOf, axisOf, broadcast, expectSame, numeric, OPEN, product, reshaped } from "./dims.js";
import { isWhole, type Dim, type NodeView } from "./node-view.js";
import { one, UNKNOWN, type Rule } from "./rule.js";

export const reshape: Rule = (node) => {
  const wanted = node.list("shape", undefined) ?? node.value(1)?.data;
  if (wanted === undefined) {
    const rank = node.shape(1)?.[0];
    return one(typeof rank === "number" && rank <= 16 ? Array.from({ length: rank }, () => OPEN) : undefined);
  }
  return one(reshaped(node, node.shape(0), wanted, node.number("allowzero", 0) !== 0));
};

export const flatten: Rule = (node) => {
  const data = node.shape(0);
  if (data === undefined) return one([OPEN, OPEN]);
  const given = node.number("axis", 1);
  const axis = given === data.length ? given : axisOf(node, given, data.length);
  return one([product(data.slice(0, axis)), product(data.slice(axis))]);
};

export const transpose: Rule = (node) => {
  const data = node.shape(0);
  if (data === undefined) return UNKNOWN;
  const order = axesOf(node, node.list("perm", undefined) ?? data.map((_, i) => data.length - 1 - i), data.length);
  if (order.length !== data.length) node.fail(`perm [${order.join(", ")}] of ${data.length} dimensions`);
  return one(order.map((axis) => data[axis]));
};

export const squeeze: Rule = (node) => {
  const data = node.shape(0);
  const axes = node.listAt(1, "axes", null);
  if (data === undefined || axes === undefined) return UNKNOWN;
  if (axes === null) return one(isWhole(data) ? data.filter((size) => size !== 1) : undefined);
  const gone = axesOf(node, axes, data.length);
  for (const axis of gone) expectSame(node, `size along axis ${axis}`, data[axis], 1);
  return one(data.filter((_, i) => !gone.includes(i)));
};

export const unsqueeze: Rule = (node) => {
  const data = node.shape(0);
  const axes = node.listAt(1, "axes", []);
  if (data === undefined || axes === undefined) return UNKNOWN;
  const rank = data.length + axes.length;
  const added = axesOf(node, axes, rank);
  let next = 0;
  return one(Array.from({ length: rank }, (_, i) => (added.includes(i) ? 1 : data[next++])));
};

export const concat =
  (first: number, step: number): Rule =>
  (node) => {
    const shapes = node.node.inputs.flatMap((_, i) => (i >= first && (i - first) % step === 0 ? [node.shape(i)] : []));
    const known = shapes.find((shape) => shape !== undefined);
    const type = node.input(first)?.type;
    if (known === undefined) return one(undefined, type);
    const axis = axisOf(node, node.number("axis", 1), known.length);
    const all: Dim[] = [...known];
    all[axis] = 0;
    for (const shape of shapes) {
      if (shape !== undefined && shape.length !== known.length)
        node.fail(`joins ${known.length} and ${shape.length} dimensions`);
      for (let i = 0; i < all.length; i++) {
        const size = shape?.[i] ?? OPEN;
        if (i === axis) all[i] = numeric((a, b) => a + b, all[i], size);
        else {
          expectSame(node, `size along axis ${i}`, size, all[i]);
          if (typeof all[i] === "string") all[i] = size;
        }
      }
    }
    return one(all, type);
  };

export const split: Rule = (node) => {
  const data = node.shape(0);
  const count = node.node.outputs.length;
  const parts = node.listAt(1, "split", null);
  if (data === undefined) return UNKNOWN;
  const axis = axisOf(node, node.number("axis", 0), data.length);
  if (parts !== null && parts?.length !== count)
    return Array.from({ length: count }, () => ({ shape: data.map((size, i) => (i === axis ? OPEN : size)) }));
  return Array.from({ length: count }, (_, part) => {
    const size =
      parts?.[part] ??
      numeric((all) => Math.max(0, Math.min(Math.ceil(all / count), all - part * Math.ceil(all / count))), data[axis]);
    return { shape: data.map((other, i) => (i === axis ? size : other)) };
  });
};

/** First and last of the elements that a slice takes, and how many. @param size 0 or more */
export function sliced(start: number, end: number, step: number, size: number): { first: number; count: number } {
  const clamped = (at: number, least: number, most: number): number =>
    Math.max(least, Math.min(most, at < 0 ? at + size : at));
  const [first, last] =
    step > 0
      ? [clamped(start, 0, size), clamped(end, 0, size)]
      : [clamped(start, 0, size - 1), clamped(end, -1, size - 1)];
  return { first, count: Math.max(0, Math.ceil((last - first) / step)) };
}

/** What a Slice takes along each axis of its input; undefined where that is not known. */
export function sliceSteps(
  node: NodeView,
  rank: number,
): readonly ({ start: number; end: number; step: number } | null)[] | undefined {
  const starts = node.listAt(1, "starts", undefined);
  const ends = node.listAt(2, "ends", undefined);
  if (starts === undefined || ends === undefined) return undefined;
  const axes = node.listAt(
    3,
    "axes",
    starts.map((_, i) => i),
  );
  const steps = node.listAt(
    4,
    "steps",
    starts.map(() => 1),
  );
  if (axes === undefined || steps === undefined) return undefined;
  if (ends.length !== starts.length || axes.length !== starts.length || steps.length !== starts.length) {
    node.fail("starts, ends, axes and steps are not as many");
  }
  if (steps.includes(0)) node.fail("takes steps of 0");
  const all: ({ start: number; end: number; step: number } | null)[] = Array.from({ length: rank }, () => null);
  axesOf(node, axes, rank).forEach((axis, i) => (all[axis] = { start: starts[i], end: ends[i], step: steps[i] }));
  return all;
}

export const slice: Rule = (node) => {
  const data = node.shape(0);
  if (data === undefined) return UNKNOWN;
  const steps = sliceSteps(node, data.length);
  if (steps === undefined) return one(data.map(() => OPEN));
  return one(
    data.map((size, i) => {
      const taken = steps[i];
      return taken === null ? size : numeric((all) => sliced(taken.start, taken.end, taken.step, all).count, size);
    }),
  );
};

export const gather: Rule = (node) => {
  const [data, indices] = [node.shape(0), node.shape(1)];
  if (data === undefined || indices === undefined) return UNKNOWN;
  const axis = axisOf(node, node.number("axis", 0), data.length);
  return one([...data.slice(0, axis), ...indices, ...data.slice(axis + 1)]);
};

export const pad: Rule = (node) => {
  const data = node.shape(0);
  const pads = node.listAt(1, "pads", undefined);
  if (data === undefined || pads === undefined) return one(data?.map(() => OPEN));
  const axes = node.numbers(3) === undefined ? data.map((_, i) => i) : axesOf(node, node.numbers(3)!, data.length);
  if (pads.length !== 2 * axes.length) node.fail(`${pads.length} pads for ${axes.length} axes`);
  return one(
    data.map((size, i) => {
      const at = axes.indexOf(i);
      if (at < 0) return size;
      const sum = pads[at] + pads[at + axes.length];
      return sum === 0 ? size : numeric((all) => Math.max(0, all + sum), size);
    }),
  );
};

export const tile: Rule = (node) => {
  const data = node.shape(0);
  const repeats = node.value(1)?.data;
  if (data === undefined) return UNKNOWN;
  return one(data.map((size, i) => (repeats?.[i] === 1 ? size : numeric((a, b) => a * b, size, repeats?.[i] ?? OPEN))));
};

export const expand: Rule = (node) => {
  const wanted = node.value(1)?.data;
  return one(wanted === undefined ? undefined : broadcast(node, [node.shape(0), wanted]));
};

export const depthToSpace =
  (isToSpace: boolean): Rule =>
  (node) => {
    const data = node.shape(0);
    const size = node.number("blocksize", 1);
    if (data === undefined || data.length !== 4 || size < 1) return UNKNOWN;
    const [deep, wide] = isToSpace ? [1 / (size * size), size] : [size * size, 1 / size];
    const scaled = (dim: Dim, factor: number): Dim => numeric((all) => Math.floor(all * factor + 1e-9), dim);
    return one([data[0], scaled(data[1], deep), scaled(data[2], wide), scaled(data[3], wide)]);
  };
