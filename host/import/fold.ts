/**
 * Elements that can be told from the file alone: nets of PyTorch work out the sizes of a Reshape from those of its input, node by node. Sizes
 * that are open stay symbols. Only short tensors are folded; deferred.ts has the others.
 */
import { numeric, OPEN, product } from "./dims.js";
import { elementsOf } from "./constants.js";
import type { ElementType } from "./graph.js";
import type { Dim, Known, NodeView } from "./node-view.js";
import { sliced, sliceSteps } from "./onnx-layout.js";

/**
 * @param shape of the output, as the op's rule has it
 * @param output which of the node's it is
 * @returns its elements, row-major; undefined where they cannot be told
 */
export type Fold = (node: NodeView, shape: readonly number[], output: number) => readonly Dim[] | undefined;

const INTEGERS: ReadonlySet<ElementType> = new Set<ElementType>([
  "int4",
  "uint4",
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
]);

function isInteger(node: NodeView): boolean {
  return INTEGERS.has(node.input(0)?.type ?? "other");
}

/** As the type of the first input rounds. */
function rounded(node: NodeView, value: number): number {
  return node.input(0)?.type === "float32" ? Math.fround(value) : value;
}

/** Index in a tensor that is broadcast, of an element of the result. */
function sourceIndex(index: number, shape: readonly number[], from: readonly number[]): number {
  let source = 0;
  let step = 1;
  for (let axis = 1; axis <= from.length; axis++) {
    const size = shape[shape.length - axis];
    const at = index % size;
    index = Math.floor(index / size);
    if (from[from.length - axis] !== 1) source += at * step;
    step *= from[from.length - axis];
  }
  return source;
}

/** @param work of one element each; undefined where it depends on what is open */
const each =
  (work: (node: NodeView, ...values: readonly Dim[]) => Dim | undefined): Fold =>
  (node, shape) => {
    // More are allowed of Sum and Max alone, and take their time.
    if (node.node.inputs.length > 3) return undefined;
    const operands: Known[] = [];
    for (let i = 0; i < node.node.inputs.length; i++) {
      const known = node.value(i);
      if (known === undefined) return undefined;
      operands.push(known);
    }
    const data: Dim[] = [];
    for (let index = 0; index < elementsOf(shape); index++) {
      const result = work(node, ...operands.map((operand) => operand.data[sourceIndex(index, shape, operand.shape)]));
      if (result === undefined) return undefined;
      data.push(result);
    }
    return data;
  };

const isNamed = (size: Dim): boolean => typeof size === "string" && size !== OPEN;

const add = each((node, a, b) => (a === 0 ? b : b === 0 ? a : numeric((x, y) => rounded(node, x + y), a, b)));
const subtract = each((node, a, b) => {
  if (b === 0) return a;
  return isNamed(a) && a === b ? 0 : numeric((x, y) => rounded(node, x - y), a, b);
});
const multiply = each((node, a, b) => (a === 1 ? b : b === 1 ? a : numeric((x, y) => rounded(node, x * y), a, b)));
const divide = each((node, a, b) => {
  if (b === 1) return a;
  if (isNamed(a) && a === b) return 1;
  if (b === 0 && isInteger(node)) return node.fail("divides by 0");
  return numeric((x, y) => (isInteger(node) ? Math.trunc(x / y) : rounded(node, x / y)), a, b);
});
/** As the divisor's sign, or with `fmod` as the dividend's. */
const modulo = each((node, a, b) => {
  if (b === 0) return undefined;
  return numeric((x, y) => (node.number("fmod", 0) === 0 ? ((x % y) + y) % y : x % y), a, b);
});

const compare = (test: (a: number, b: number) => boolean): Fold =>
  each((_, a, b) => {
    if (typeof a === "number" && typeof b === "number") return test(a, b) ? 1 : 0;
    if (isNamed(a) && a === b) return test(1, 1) ? 1 : 0;
    // Whatever a size is, it is not below 0.
    const known = typeof a === "number" ? a : typeof b === "number" ? b : 0;
    if (known >= 0) return undefined;
    return (typeof a === "number" ? test(known, 0) : test(0, known)) ? 1 : 0;
  });

const unary = (work: (value: number) => number): Fold =>
  each((node, value) => numeric((x) => rounded(node, work(x)), value));
/** Of sizes, which are whole already. */
const whole = (work: (value: number) => number): Fold =>
  each((_, value) => (typeof value === "number" ? work(value) : value));
/** Of one or more. */
const extreme = (work: (...values: number[]) => number): Fold => each((_, ...values) => numeric(work, ...values));
const logical = (work: (a: boolean, b: boolean) => boolean): Fold =>
  each((_, a, b) => numeric((x, y) => (work(x !== 0, y !== 0) ? 1 : 0), a, b));

const where = each((_, condition, yes, no) => {
  if (typeof condition === "number") return condition !== 0 ? yes : no;
  return yes === no ? yes : undefined;
});

const CAST_TO_WHOLE: ReadonlySet<number> = new Set([2, 3, 4, 5, 6, 7, 12, 13]);
const cast = each((node, value) => {
  const to = node.number("to", 1);
  if (to === 9) return numeric((x) => (x === 0 ? 0 : 1), value);
  return CAST_TO_WHOLE.has(to) && typeof value === "number" ? Math.trunc(value) : value;
});

const unchanged: Fold = (node) => node.value(0)?.data;

const shape: Fold = (node, [count]) => {
  const dims = node.shape(0);
  if (dims === undefined) return undefined;
  const start = node.number("start", 0);
  const first = Math.max(0, start < 0 ? start + dims.length : start);
  return dims.slice(first, first + count);
};

const gather: Fold = (node, to) => {
  const data = node.value(0);
  const indices = node.numbers(1);
  if (data === undefined || indices === undefined) return undefined;
  const given = node.number("axis", 0);
  const axis = given < 0 ? given + data.shape.length : given;
  const size = data.shape[axis];
  const inner = elementsOf(data.shape.slice(axis + 1));
  return Array.from({ length: elementsOf(to) }, (_, i) => {
    const index = indices[Math.floor(i / inner) % indices.length];
    const at = index < 0 ? index + size : index;
    if (!(Number.isInteger(at) && at >= 0 && at < size)) node.fail(`index ${index} of ${size} elements`);
    const outer = Math.floor(i / (inner * indices.length));
    return data.data[(outer * size + at) * inner + (i % inner)];
  });
};

/** Along the first axis, where the parts lie one behind the other. */
const concat: Fold = (node) => {
  const parts = node.node.inputs.map((_, i) => node.value(i));
  const axis = node.number("axis", 0);
  const isFirst = axis === 0 || parts.every((part) => part?.shape.length === -axis);
  if (!isFirst || parts.includes(undefined)) return undefined;
  return parts.flatMap((part) => part!.data);
};

const slice: Fold = (node, to) => {
  const data = node.value(0);
  if (data === undefined) return undefined;
  const steps = sliceSteps(node, data.shape.length);
  if (steps === undefined) return undefined;
  const taken = steps.map((step, axis) => ({
    first: step === null ? 0 : sliced(step.start, step.end, step.step, data.shape[axis]).first,
    step: step?.step ?? 1,
  }));
  return Array.from({ length: elementsOf(to) }, (_, i) => {
    let at = 0;
    let pitch = 1;
    for (let axis = to.length - 1; axis >= 0; axis--) {
      at += (taken[axis].first + (i % to[axis]) * taken[axis].step) * pitch;
      i = Math.floor(i / to[axis]);
      pitch *= data.shape[axis];
    }
    return data.data[at];
  });
};

/** Of a list. */
const split: Fold = (node, [count], output) => {
  const data = node.value(0);
  if (data === undefined || data.shape.length !== 1) return undefined;
  const parts = node.listAt(1, "split", null);
  if (parts === undefined) return undefined;
  const even = Math.ceil(data.shape[0] / node.node.outputs.length);
  const first = parts === null ? even * output : parts.slice(0, output).reduce((sum, part) => sum + part, 0);
  return data.data.slice(first, first + count);
};

const constantOfShape: Fold = (node, to) => {
  const value = node.node.attributes.value;
  const fill = typeof value === "object" && "type" in value ? value.constant?.values()[0] : 0;
  return fill === undefined ? undefined : Array.from({ length: elementsOf(to) }, () => fill);
};

const range: Fold = (node, [count]) => {
  const [start, , delta] = [0, 1, 2].map((i) => node.numbers(i)?.[0]);
  if (start === undefined || delta === undefined) return undefined;
  return Array.from({ length: count }, (_, i) => start + i * delta);
};

const expand: Fold = (node, to) => {
  const data = node.value(0);
  return data && Array.from({ length: elementsOf(to) }, (_, i) => data.data[sourceIndex(i, to, data.shape)]);
};

/** Of all elements to one. */
const reduced =
  (work: (data: readonly Dim[]) => Dim): Fold =>
  (node, to) => {
    const data = node.value(0);
    return data === undefined || elementsOf(to) !== 1 ? undefined : [work(data.data)];
  };

const sum = (data: readonly Dim[]): Dim => numeric((...all) => all.reduce((a, b) => a + b, 0), ...data);

/** By op; of each first output, but Split's. */
export const ONNX_FOLDS: ReadonlyMap<string, Fold> = new Map<string, Fold>([
  ["Shape", shape],
  ["Size", (node) => node.shape(0) && [product(node.shape(0)!)]],
  ["Identity", unchanged],
  ["Reshape", unchanged],
  ["Flatten", unchanged],
  ["Squeeze", unchanged],
  ["Unsqueeze", unchanged],
  ["Cast", cast],
  ["Gather", gather],
  ["Concat", concat],
  ["Slice", slice],
  ["Split", split],
  ["ConstantOfShape", constantOfShape],
  ["Range", range],
  ["Expand", expand],
  ["Add", add],
  ["Sub", subtract],
  ["Mul", multiply],
  ["Div", divide],
  ["Mod", modulo],
  ["Min", extreme(Math.min)],
  ["Max", extreme(Math.max)],
  ["Neg", unary((x) => -x)],
  ["Abs", whole(Math.abs)],
  ["Floor", whole(Math.floor)],
  ["Ceil", whole(Math.ceil)],
  ["Sqrt", unary(Math.sqrt)],
  ["Not", unary((x) => (x === 0 ? 1 : 0))],
  ["And", logical((a, b) => a && b)],
  ["Or", logical((a, b) => a || b)],
  ["Equal", compare((a, b) => a === b)],
  ["Less", compare((a, b) => a < b)],
  ["Greater", compare((a, b) => a > b)],
  ["LessOrEqual", compare((a, b) => a <= b)],
  ["GreaterOrEqual", compare((a, b) => a >= b)],
  ["Where", where],
  ["ReduceProd", reduced(product)],
  ["ReduceSum", reduced(sum)],
  ["ReduceMax", reduced((data) => numeric(Math.max, ...data))],
  ["ReduceMin", reduced((data) => numeric(Math.min, ...data))],
]);
