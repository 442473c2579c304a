/** Arithmetic on shapes of which some sizes are open, the same for all formats. */
import { MAX_RANK, shapeText, type Dim, type Dims, type NodeView } from "./node-view.js";

export const OPEN = "?";

/** `work` of numbers; open where one of them is. */
export function numeric(work: (...sizes: number[]) => number, ...sizes: readonly Dim[]): Dim {
  return sizes.every((size) => typeof size === "number") ? work(...sizes) : OPEN;
}

/** -1 is the last of so many. @throws MoteError FORMAT where there is no such axis */
export function axisOf(node: NodeView, axis: number, rank: number): number {
  if (!(Number.isInteger(axis) && axis >= -rank && axis < rank)) {
    node.fail(`axis ${axis} of ${rank} dimension${rank === 1 ? "" : "s"}`);
  }
  return axis < 0 ? axis + rank : axis;
}

/** @throws MoteError FORMAT where they are not different ones of so many */
export function axesOf(node: NodeView, axes: readonly number[], rank: number): number[] {
  if (axes.length > rank) node.fail(`${axes.length} axes of ${rank} dimensions`);
  const all = axes.map((axis) => axisOf(node, axis, rank));
  if (new Set(all).size !== all.length) node.fail(`axes [${axes.join(", ")}] name one twice`);
  return all;
}

/** As NumPy broadcasts: of two sizes one is 1 or they are equal. @throws MoteError FORMAT */
export function broadcast(node: NodeView, shapes: readonly (Dims | undefined)[]): Dims | undefined {
  let all: Dims = [];
  for (const shape of shapes) {
    if (shape === undefined) return undefined;
    const rank = Math.max(all.length, shape.length);
    const [a, b] = [all, shape].map((dims) => [...Array.from({ length: rank - dims.length }, () => 1), ...dims]);
    all = a.map((size, i) => {
      const other = b[i];
      if (size === 1 || size === other) return other;
      if (other === 1) return size;
      // An open size next to a number above 1 can only be 1 or that number.
      if (typeof size === "string") return typeof other === "number" ? other : OPEN;
      if (typeof other === "string") return size;
      return node.fail(`shapes ${shapeText(all)} and ${shapeText(shape)} do not fit together`);
    });
  }
  return all;
}

/** How many elements: a number times the symbols; undefined where a size is open without one. */
interface Volume {
  readonly factor: number;
  readonly symbols: readonly string[];
}

function volume(shape: Dims): Volume | undefined {
  if (shape.includes(OPEN)) return undefined;
  return {
    factor: shape.reduce<number>((product, size) => product * (typeof size === "number" ? size : 1), 1),
    symbols: shape.filter((size) => typeof size === "string").sort(),
  };
}

/** Elements as one size. */
export function product(shape: Dims): Dim {
  const all = volume(shape);
  if (all === undefined) return OPEN;
  if (all.symbols.length === 0) return all.factor;
  return all.symbols.length === 1 && all.factor === 1 ? all.symbols[0] : OPEN;
}

/**
 * @param wanted sizes, -1 for the one that follows from the others
 * @param keepZero a 0 is a size of 0, not that of the input at its place
 * @throws MoteError FORMAT where the elements do not come out even
 */
export function reshaped(node: NodeView, from: Dims | undefined, wanted: Dims, keepZero: boolean): Dims {
  if (wanted.length > MAX_RANK) node.fail(`a shape of ${wanted.length} dimensions, expected at most ${MAX_RANK}`);
  const free = wanted.flatMap((size, i) => (size === -1 ? [i] : []));
  if (free.length > 1) node.fail(`shape [${wanted.join(", ")}] leaves two sizes open`);
  const to = wanted.map((size, i) => {
    if (size === 0 && !keepZero)
      return from === undefined ? OPEN : (from[i] ?? node.fail("takes a size that its input lacks"));
    if (typeof size === "number" && size < -1) node.fail(`size ${size}`);
    return size;
  });
  const before = from && volume(from);
  const after = volume(to.map((size) => (size === -1 ? 1 : size)));
  if (before === undefined || after === undefined) return to.map((size) => (size === -1 ? OPEN : size));
  const left = [...before.symbols];
  let isEven = true;
  for (const symbol of after.symbols) {
    const at = left.indexOf(symbol);
    if (at < 0) isEven = false;
    else left.splice(at, 1);
  }
  if (free.length === 0) {
    if (isEven && left.length === 0 && before.factor !== after.factor) uneven(node, from!, to);
    return to;
  }
  const ratio = after.factor === 0 ? 0 : before.factor / after.factor;
  if (!isEven || left.length > 1 || (left.length === 1 && ratio !== 1)) {
    return to.map((size) => (size === -1 ? OPEN : size));
  }
  if (left.length === 0 && !Number.isInteger(ratio)) uneven(node, from!, to);
  return to.map((size) => (size === -1 ? (left[0] ?? ratio) : size));
}

function uneven(node: NodeView, from: Dims, to: Dims): never {
  return node.fail(`${shapeText(from)} cannot become ${shapeText(to)}: the elements do not come out even`);
}

/** @throws MoteError FORMAT unless one may be the other */
export function expectSame(node: NodeView, what: string, got: Dim, expected: Dim): void {
  if (typeof got === "number" && typeof expected === "number" && got !== expected) {
    node.fail(`${what}: ${got}, expected ${expected}`);
  }
}
