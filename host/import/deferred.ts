/** Constants made of other constants, worked out only when asked for: weights stored as float16 or int8, transposed or all alike. */
import { MoteError } from "../errors.js";
import { elementBytes, elementsOf } from "./constants.js";
import type { Constant, Elements, ElementType } from "./graph.js";
import { isWhole, shapeText, type NodeView } from "./node-view.js";
import { checkValueBytes } from "./onnx-tensor.js";

/** Of an output whose inputs are all constant. @returns undefined for an op that is not worked out */
type Defer = (node: NodeView, shape: readonly number[], type: ElementType) => (() => Elements) | undefined;

const ARRAYS = {
  float16: Float32Array,
  bfloat16: Float32Array,
  float32: Float32Array,
  float64: Float64Array,
  int4: Int8Array,
  uint4: Uint8Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: Float64Array,
  uint64: Float64Array,
  bool: Uint8Array,
  string: undefined,
  other: undefined,
} as const satisfies Record<ElementType, unknown>;

/** Of zeros, as wide as the type. @throws MoteError UNSUPPORTED for a type that is none of numbers */
export function elementArray(type: ElementType, count: number): Elements {
  const make = ARRAYS[type];
  if (make === undefined) throw new MoteError("UNSUPPORTED", `elements of type ${type}; expected numbers`);
  return new make(count);
}

const unchanged: Defer = (node, shape) => {
  const { constant, shape: from } = node.required(0);
  // Where the sizes are not known here, they are those that the file states.
  if (!isWhole(from) || elementsOf(from) !== elementsOf(shape)) {
    node.fail(`makes ${shapeText(shape)} of ${shapeText(from)}: the elements do not come out even`);
  }
  return () => constant!.values();
};

/** Only to types that hold each value, or from floats to float32. */
const cast: Defer = (node, _, type) => {
  const { constant } = node.required(0);
  if (type !== "float32" && type !== "float64") return undefined;
  return () => {
    const values = constant!.values();
    const to = elementArray(type, values.length);
    to.set(values);
    return to;
  };
};

const transpose: Defer = (node, shape, type) => {
  const { constant, shape: from } = node.required(0);
  if (!isWhole(from)) return undefined;
  const order = node.list("perm", undefined) ?? from.map((_, i) => from.length - 1 - i);
  const pitches = order.map((axis) => elementsOf(from.slice(axis + 1)));
  return () => {
    const values = constant!.values();
    const to = elementArray(type, values.length);
    const at = shape.map(() => 0);
    let source = 0;
    for (let i = 0; i < to.length; i++) {
      to[i] = values[source];
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        source += pitches[axis];
        if (++at[axis] < shape[axis]) break;
        source -= shape[axis] * pitches[axis];
        at[axis] = 0;
      }
    }
    return to;
  };
};

/** As TFLite has it: of weights that are stored as float16, or with scales of their tensor. */
const dequantizeTensor: Defer = (node, shape, type) => {
  const { constant, quantization, type: from } = node.required(0);
  if (type !== "float32") return undefined;
  if (from === "float16") return unchanged(node, shape, type);
  if (quantization === undefined) return undefined;
  const { scales, zeroPoints, axis } = quantization;
  const channels = scales.length;
  const inner = axis === undefined ? 1 : elementsOf(shape.slice(axis + 1));
  return () =>
    Float32Array.from(constant!.values(), (value, i) => {
      const channel = Math.floor(i / inner) % channels;
      return (value - (zeroPoints[channel] ?? zeroPoints[0])) * scales[channel];
    });
};

/** scale × (integer − zero point), one of both or one for each index of an axis. */
const dequantize: Defer = (node, shape, type) => {
  const [x, scale, zero] = [node.required(0), node.required(1), node.input(2)];
  if (type !== "float32" || node.number("block_size", 0) !== 0 || scale.constant === undefined) return undefined;
  if (zero !== undefined && zero.constant === undefined) return undefined;
  const given = node.number("axis", 1);
  const axis = given < 0 ? given + shape.length : given;
  const channels = isWhole(scale.shape) ? elementsOf(scale.shape) : 0;
  if (channels !== 1 && channels !== shape[axis]) node.fail(`${channels} scales for ${shape[axis]} channels`);
  return () => {
    const values = x.constant!.values();
    const scales = scale.constant!.values();
    const zeros = zero?.constant?.values();
    const inner = elementsOf(shape.slice(axis + 1));
    const to = new Float32Array(values.length);
    for (let i = 0; i < to.length; i++) {
      const channel = channels === 1 ? 0 : Math.floor(i / inner) % channels;
      to[i] = (values[i] - (zeros?.[channel] ?? 0)) * scales[channel];
    }
    return to;
  };
};

const constantOfShape: Defer = (node, shape, type) => {
  const value = node.node.attributes.value;
  const constant = typeof value === "object" && "type" in value ? value.constant : undefined;
  return () => {
    checkValueBytes(elementBytes(type, elementsOf(shape)), node.node.name);
    const all = elementArray(type, elementsOf(shape));
    return constant === undefined ? all : all.fill(constant.values()[0]);
  };
};

const DEFERS: ReadonlyMap<string, Defer> = new Map([
  ["Identity", unchanged],
  ["Reshape", unchanged],
  ["Flatten", unchanged],
  ["Squeeze", unchanged],
  ["Unsqueeze", unchanged],
  ["Cast", cast],
  ["Transpose", transpose],
  ["DequantizeLinear", dequantize],
  ["DEQUANTIZE", dequantizeTensor],
  ["ConstantOfShape", constantOfShape],
]);

/** @param shape, type of the output */
export function deferred(node: NodeView, shape: readonly number[], type: ElementType): Constant | undefined {
  if (type === "string" || type === "other") return undefined;
  if (node.op !== "ConstantOfShape" && node.input(0)?.constant === undefined) return undefined;
  const values = DEFERS.get(node.op)?.(node, shape, type);
  return values && { bytes: elementBytes(type, elementsOf(shape)), values };
}
