/** Weights and biases of a node, from constants of any type to rows × columns. */
import { CannotLower } from "./cannot-lower.js";
import { elementsOf } from "./constants.js";
import type { Constant, Elements, GraphNode, GraphTensor } from "./graph.js";
import type { Lowering } from "./lowering.js";
import type { NetWeights, StreamedRows } from "./net.js";

export interface WeightsSpec {
  readonly rows: number;
  readonly columns: number;
  /** Of the file's dimensions, the one that rows lie along: where scales differ they differ along it. */
  readonly axis: number;
  /** How the file has them: row after row, column after column, or with the weight of a row and column at a place. */
  readonly order: "rows" | "columns" | ((row: number, column: number) => number);
}

/** Of weights read in parts: numbers of a part; row after row that is a part, else all parts are read for as many rows. */
const PART_WEIGHTS = 1 << 20;
const TURNED_WEIGHTS = 1 << 24;

/**
 * Inputs 1 and 2 of a node as weights and bias. They stay integers where the node's input is quantized; else they become real numbers.
 * @throws CannotLower for weights that are no constant, of a type or scales that are not supported
 */
export function weightsOf(node: GraphNode, lowering: Lowering, spec: WeightsSpec): NetWeights {
  const { rows, columns, order } = spec;
  const tensor = constantOf(lowering, node.inputs[1]);
  const isQuantized = lowering.tensors[lowering.view(node).tensor].quantization !== undefined;
  const scales = scalesOf(tensor, spec);
  if (isQuantized && scales === undefined)
    throw new CannotLower(`its weights are ${tensor.type} and its input is int${lowering.bits}, expected int8 weights`);
  if (scales === undefined && elementsOf((tensor.shape ?? []) as number[]) === rows * columns) {
    const streamed = streamedRows(tensor.constant, spec);
    if (streamed !== undefined && !lowering.keeps(rows * columns)) {
      return { rows, columns, values: streamed, bias: biasOf(node, lowering, rows, false) };
    }
  }
  const from = tensor.constant.values();
  if (from.length !== rows * columns) {
    throw new CannotLower(`its weights are ${from.length}, expected ${rows} × ${columns}`);
  }
  const place =
    order === "rows"
      ? (row: number, column: number) => row * columns + column
      : order === "columns"
        ? (row: number, column: number) => column * rows + row
        : order;
  const values = isQuantized ? new Int8Array(rows * columns) : new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const scale = isQuantized || scales === undefined ? 1 : scales[scales.length > 1 ? row : 0];
    for (let column = 0; column < columns; column++) values[row * columns + column] = from[place(row, column)] * scale;
  }
  const bias = biasOf(node, lowering, rows, isQuantized);
  return isQuantized ? { rows, columns, values, scales: scales!, bias } : { rows, columns, values, bias };
}

/**
 * A constant input as real numbers, row after row, be it that or int8 with scales, or int32 with one, as biases have it.
 * @throws CannotLower for one that is no constant, of another size or of scales that are not supported
 */
export function realWeights(
  node: GraphNode,
  lowering: Lowering,
  input: number,
  rows: number,
  columns = 1,
): Float32Array {
  const tensor = constantOf(lowering, node.inputs[input]);
  const from = tensor.constant.values();
  if (from.length !== rows * columns)
    throw new CannotLower(`input ${input} has ${from.length} elements, expected ${rows} × ${columns}`);
  const scales = tensor.type === "int32" ? tensor.quantization?.scales : scalesOf(tensor, { rows, axis: 0 });
  return Float32Array.from(
    from,
    (value, at) => value * (scales?.[scales.length > 1 ? Math.floor(at / columns) : 0] ?? 1),
  );
}

/** @returns undefined where the file has them in no order of which parts could be read */
function streamedRows(constant: Constant, { rows, columns, order }: WeightsSpec): StreamedRows | undefined {
  const part = constant.part?.bind(constant);
  if (part === undefined || typeof order === "function") return undefined;
  if (order === "rows") {
    return {
      rowsAtOnce: Math.max(1, Math.floor(PART_WEIGHTS / columns)),
      read: (first, count) => realNumbers(part(first * columns, count * columns)),
    };
  }
  const columnsAtOnce = Math.max(1, Math.floor(PART_WEIGHTS / rows));
  return {
    rowsAtOnce: Math.max(1, Math.floor(TURNED_WEIGHTS / columns)),
    read: (first, count) => {
      const values = new Float32Array(count * columns);
      for (let from = 0; from < columns; from += columnsAtOnce) {
        const numbers = part(from * rows, Math.min(columnsAtOnce, columns - from) * rows);
        for (let at = first, column = from; at < numbers.length; at += rows, column++) {
          for (let row = 0; row < count; row++) values[row * columns + column] = numbers[at + row];
        }
      }
      return values;
    },
  };
}

const realNumbers = (elements: Elements): Float32Array =>
  elements instanceof Float32Array ? elements : Float32Array.from(elements);

type ConstantTensor = GraphTensor & { readonly constant: NonNullable<GraphTensor["constant"]> };

/** A constant. Where a node makes real numbers of integers, these, with the node's scales. */
function constantOf(lowering: Lowering, index: number): ConstantTensor {
  const writer = lowering.graph.nodes.find(({ outputs }) => outputs.includes(index));
  if (writer?.op === "DEQUANTIZE") return constantOf(lowering, writer.inputs[0]);
  if (writer?.op === "DequantizeLinear") return dequantized(lowering, writer);
  const tensor = lowering.tensor(index);
  if (tensor?.constant !== undefined) return tensor as ConstantTensor;
  throw new CannotLower("its weights are not constant");
}

/** ONNX has scales beside the tensor. */
function dequantized(lowering: Lowering, node: GraphNode): ConstantTensor {
  const tensor = constantOf(lowering, node.inputs[0]);
  const scales = Float32Array.from(lowering.constant(node, 1, "scale"));
  const zeros =
    lowering.tensor(node.inputs[2] ?? -1) === undefined ? undefined : lowering.constant(node, 2, "zero point");
  const zeroPoints = Int32Array.from(scales, (_, i) => zeros?.[zeros.length > 1 ? i : 0] ?? 0);
  const given = node.attributes.axis;
  const axis = typeof given === "number" ? given : 1;
  const rank = tensor.shape?.length ?? 0;
  return {
    ...tensor,
    quantization: { scales, zeroPoints, axis: scales.length > 1 ? (axis + rank) % rank : undefined },
  };
}

/** @returns undefined for real numbers */
function scalesOf(
  { type, quantization }: ConstantTensor,
  { rows, axis }: Pick<WeightsSpec, "rows" | "axis">,
): Float32Array | undefined {
  if (type === "float32" || type === "float16" || type === "bfloat16" || type === "float64") return undefined;
  if (type !== "int8" && type !== "int4")
    throw new CannotLower(`its weights are ${type}, expected int8 or real numbers`);
  if (quantization === undefined) throw new CannotLower(`its weights are ${type} without a scale`);
  if (quantization.zeroPoints.some((zero) => zero !== 0))
    throw new CannotLower("its weights have a zero point, expected 0");
  if (quantization.axis !== undefined && quantization.axis !== axis) {
    throw new CannotLower(`its weights have scales along axis ${quantization.axis}, expected ${axis}`);
  }
  if (quantization.scales.length !== 1 && quantization.scales.length !== rows) {
    throw new CannotLower(`its weights have ${quantization.scales.length} scales, expected 1 or ${rows}`);
  }
  return quantization.scales;
}

/**
 * Input 2 of a node, zeros where it has none.
 * @throws CannotLower for another number of elements; where it stays integers also for another type than int32, or int64 beside int16, for a zero point, and
 *   for what no int32 holds
 */
export function biasOf(
  node: GraphNode,
  lowering: Lowering,
  rows: number,
  isQuantized: boolean,
): Float32Array | Int32Array {
  if (node.inputs.length < 3 || node.inputs[2] < 0) return isQuantized ? new Int32Array(rows) : new Float32Array(rows);
  const tensor = constantOf(lowering, node.inputs[2]);
  const from = tensor.constant.values();
  if (from.length !== rows) throw new CannotLower(`its bias has ${from.length} elements, expected ${rows}`);
  if (!isQuantized) {
    const { quantization } = tensor;
    const scale = (row: number): number => quantization?.scales[quantization.scales.length > 1 ? row : 0] ?? 1;
    const isInteger = tensor.type === "int32" || tensor.type === "int64";
    return Float32Array.from(from, (value, row) => (isInteger ? value * scale(row) : value));
  }
  const isWide = lowering.bits === 16;
  if (tensor.type !== "int32" && !(isWide && tensor.type === "int64"))
    throw new CannotLower(`its bias is ${tensor.type}, expected ${isWide ? "int64 or " : ""}int32`);
  if (tensor.quantization?.zeroPoints.some((zero) => zero !== 0) === true)
    throw new CannotLower("its bias has a zero point, expected 0");
  const beyond = from.findIndex((value) => value < -(2 ** 31) || value >= 2 ** 31);
  if (beyond >= 0)
    throw new CannotLower(
      `its bias of row ${beyond} is ${from[beyond]}, expected an int32; of the net of real numbers --activation-bits 16 makes one`,
    );
  return Int32Array.from(from);
}
