/** Which ops run, by their attributes and inputs: what is asked of the ops of both formats. */
import { MAX_BORDER, MAX_KERNEL } from "../../assembly/format.js";
import { elementsOf } from "./constants.js";
import { isWhole, shapeText, type Dims, type NodeView } from "./node-view.js";
import { dissolves, not, RUNS, type Judge, type Verdict } from "./verdict.js";
import { extent, padding, type Windows } from "./windows.js";

export const isConstant = (node: NodeView, i: number): boolean => node.input(i)?.constant !== undefined;
export const isAbsent = (node: NodeView, i: number): boolean => node.input(i) === undefined;

/** Whether an input is a constant of zeros alone. */
export const isZeros = (node: NodeView, i: number): boolean =>
  node
    .input(i)
    ?.constant?.values()
    .every((value) => value === 0) === true;

/** Sizes behind the batch; undefined where they are not known. */
function sampleOf(shape: Dims | undefined): readonly number[] | undefined {
  return isWhole(shape) && shape.length > 0 ? shape.slice(1) : undefined;
}

/** @param sizes of the input, rows and columns @returns why no layer has such a window */
export function windowProblem(windows: Windows, sizes: Dims | undefined): string | undefined {
  for (let axis = 0; axis < windows.kernel.length; axis++) {
    const reach = extent(windows, axis);
    if (reach > MAX_KERNEL) return `its kernel spans ${reach} elements; at most ${MAX_KERNEL} run`;
    if (windows.strides[axis] > MAX_KERNEL) return `a stride of ${windows.strides[axis]}; at most ${MAX_KERNEL} run`;
    const size = sizes?.[axis];
    const pads = typeof size === "number" ? padding(windows, axis, size) : [0, 0];
    if (Math.max(...pads) > MAX_BORDER) return `pads of ${Math.max(...pads)}; at most ${MAX_BORDER} run`;
  }
  return undefined;
}

export function oneRow(node: NodeView, data: number): Verdict {
  const { shape } = node.required(data);
  const rows = isWhole(shape) ? elementsOf(shape.slice(0, -1)) : 1;
  return rows === 1 ? RUNS : not(`multiplies ${rows} rows, expected 1; a Conv of 1 × 1 does it`);
}

/** What one operand of an element-wise op is beside a tensor of that sample. */
function operandKind(
  shape: Dims | undefined,
  sample: readonly number[],
  isChannelLast: boolean,
): "one value" | "by channel" | "whole" | "other" {
  const whole = isWhole(shape) ? shape : [];
  if (elementsOf(whole) === 1) return "one value";
  if (elementsOf(whole.slice(0, Math.max(0, whole.length - sample.length))) !== 1) return "other";
  const last = whole.slice(-sample.length);
  const own = [...Array.from({ length: sample.length - last.length }, () => 1), ...last];
  if (own.every((size, i) => size === sample[i])) return "whole";
  const channel = isChannelLast ? sample.length - 1 : 0;
  return own.every((size, i) => size === (i === channel ? sample[i] : 1)) ? "by channel" : "other";
}

/** How the operands of an element-wise op stand. */
interface Operands {
  /** There may be more than two. */
  readonly isAny?: boolean;
  /** From one to the next among the inputs: scales and zero points may stand between them. */
  readonly step?: number;
  readonly isChannelLast?: boolean;
}

/** Add, Sub, Mul, Div, Sum: of two tensors or more, or with a constant. */
export const arithmetic =
  (op: "Add" | "Sub" | "Mul" | "Div", { isAny = false, step = 1, isChannelLast = false }: Operands = {}): Judge =>
  (node) => {
    const sample = sampleOf(node.output(0)?.shape);
    if (sample === undefined) return RUNS;
    const places = node.node.inputs.flatMap((_, i) => (i % step === 0 && (isAny || i < 2 * step) ? [i] : []));
    if (places.length !== 2) return not(`of ${places.length} operands; expected two, as Add has`);
    const constants = places.filter((i) => isConstant(node, i));
    if (constants.length > 0) {
      if (op === "Div" && isConstant(node, places[0])) return not("divides a constant; expected to divide by one");
      const odd = constants.find(
        (i) =>
          !["one value", "by channel", sample.length === 1 ? "whole" : ""].includes(
            operandKind(node.shape(i), sample, isChannelLast),
          ),
      );
      if (odd === undefined) return RUNS;
      return not(`a constant of ${shapeText(node.shape(odd))}; expected one value, or one for each channel`);
    }
    if (op === "Sub" || op === "Div")
      return not(`of two tensors; expected a constant on the right${op === "Sub" ? ", or an Add" : ""}`);
    const kinds = places.map((i) => operandKind(node.shape(i), sample, isChannelLast));
    if (kinds.every((kind) => kind === "whole" || (sample.length === 1 && kind === "one value" && sample[0] === 1)))
      return RUNS;
    const isGate =
      op === "Mul" && kinds.includes("whole") && kinds.every((kind) => kind === "whole" || kind === "by channel");
    if (isGate) return RUNS;
    const shapes = places.map((i) => shapeText(node.shape(i))).join(" and ");
    return not(`of ${shapes}; expected equal shapes${op === "Mul" ? ", or a factor for each channel" : ""}`);
  };

/** Max or Min with a constant, which cuts values off. */
export const limit: Judge = (node) => {
  const tensors = node.node.inputs.filter((_, i) => !isConstant(node, i));
  const isOne = node.node.inputs.every(
    (_, i) => !isConstant(node, i) || (isWhole(node.shape(i)) && elementsOf(node.shape(i) as number[]) === 1),
  );
  return tensors.length === 1 && isOne ? RUNS : not("of two tensors; expected one beside one constant value");
};

export const prelu: Judge = (node) => {
  const { shape, constant } = node.required(1);
  return constant !== undefined && isWhole(shape) && elementsOf(shape) === 1
    ? RUNS
    : not(`slopes of ${shapeText(shape)}; expected one constant, as LeakyRelu has`);
};

export const softmax: Judge = (node, around) =>
  around.isAtEnd(node.node.outputs[0])
    ? dissolves("a last step of the host")
    : not("within the net, as attention has it; it runs at the end only");

/** [0, 2, 3, 1] and back, or where only axes of size 1 change places. */
export const transpose: Judge = (node) => {
  const shape = node.shape(0);
  if (!isWhole(shape)) return RUNS;
  const order = node.list("perm", undefined) ?? node.numbers(1) ?? shape.map((_, i) => shape.length - 1 - i);
  const text = order.join(", ");
  const kept = order.filter((axis) => shape[axis] !== 1);
  const isStill = kept.every((axis, i) => i === 0 || axis > kept[i - 1]);
  if (isStill || text === "0, 2, 3, 1" || text === "0, 3, 1, 2") return dissolves("the layout of its neighbours");
  return not(`perm = [${text}] of ${shapeText(shape)}; expected to move channels only, [0, 2, 3, 1] or [0, 3, 1, 2]`);
};

export const reshape: Judge = (node) => {
  const shape = node.output(0)?.shape;
  if (!isWhole(shape)) return dissolves("the shapes of its neighbours");
  if (shape.length > 4) return not(`makes ${shapeText(shape)}, ${shape.length} dimensions; expected at most 4`);
  const isSample = shape.length < 2 || shape[0] === 1;
  return isSample
    ? dissolves("the shapes of its neighbours")
    : not(`makes ${shapeText(shape)}; expected one sample, [1, ...]`);
};

export const runs: Judge = () => RUNS;
export const vanishes: Judge = () => dissolves("nothing");
export const refused =
  (why: string): Judge =>
  () =>
    not(why);
export const judged = (ops: string, judge: Judge): [string, Judge][] => ops.split(" ").map((op) => [op, judge]);

export const flow: Judge = (node) => {
  const bodies = Object.keys(node.node.attributes).filter(
    (name) => typeof node.node.attributes[name] === "object" && "graph" in (node.node.attributes[name] as object),
  );
  return not(`runs a graph of its own (${bodies.join(", ")}); expected a net exported with the way it takes`);
};

export const DYNAMIC = "finds its scales while the net runs; expected a net that is quantized statically";
export const keepsState = (expected: string): Judge => refused(`keeps a state from step to step; expected ${expected}`);
export const NORM = "normalizes by each sample's own values; expected BatchNormalization";
export const PART = "takes a part of a tensor; expected layers that read all of it";
