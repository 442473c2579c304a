/** TFLite's builtin ops by their numbers, and the options of those that have any, as the schema of version 3 lists them. */
import { own } from "../own.js";
import type { Table } from "./flatbuffer.js";
import type { Attribute } from "./graph.js";

/** By number. 127 stands for all above it in files that know the old field alone. */
const BUILTIN_OPS = `
  ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
  FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION
  LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH
  CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER
  BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE
  BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM
  ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE
  EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR
  ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE
  RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND
  COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
  NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL - CUMSUM
  CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE
  REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL
  BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD
  UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT
  STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE
  STABLEHLO_CLAMP STABLEHLO_CONCATENATE STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE
  STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL
  STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER
  STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER STABLEHLO_COMPARE
  STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA
  STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE
  DILATE STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT
  STABLEHLO_CASE
`
  .trim()
  .split(/\s+/);

/** An op that is newer than this table is its number. */
export function builtinOpName(number: number): string {
  return number === 127 ? "BUILTIN 127" : (BUILTIN_OPS[number] ?? `BUILTIN ${number}`);
}

/** Names of element types by number: the schema's TensorType. */
export const TENSOR_TYPES = [
  "FLOAT32",
  "FLOAT16",
  "INT32",
  "UINT8",
  "INT64",
  "STRING",
  "BOOL",
  "INT16",
  "COMPLEX64",
  "INT8",
  "FLOAT64",
  "COMPLEX128",
  "UINT64",
  "RESOURCE",
  "VARIANT",
  "UINT32",
  "UINT16",
  "INT4",
  "BFLOAT16",
  "INT2",
  "UINT4",
];

/** Reads one field; a subgraph is named by `graphName`. @returns undefined where the field is absent and has no default */
type Read = (table: Table<string>, field: string, graphName: (index: number) => string) => Attribute | undefined;

const int: Read = (table, field) => table.int(field);
const intFromOne: Read = (table, field) => table.int(field, 1);
const float: Read = (table, field) => table.float(field);
const bool: Read = (table, field) => table.ubyte(field) !== 0;
const boolFromTrue: Read = (table, field) => table.byte(field, 1) !== 0;
const ints: Read = (table, field) => table.ints(field);
const floats: Read = (table, field) => table.floats(field);
const text: Read = (table, field) => table.string(field);
const graph: Read = (table, field, graphName) => ({ graph: graphName(table.int(field)) });
const gone: Read = () => undefined;

function oneOf(...names: readonly string[]): Read {
  return (table, field) => names[table.byte(field)] ?? `${field} ${table.byte(field)}`;
}

const padding = oneOf("SAME", "VALID");
const fused_activation_function = oneOf("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT");
const tensorType = oneOf(...TENSOR_TYPES);

/** The fields in the order of the schema, by its names. */
export interface Options {
  /** In the union BuiltinOptions. */
  readonly type: number;
  readonly fields: Readonly<Record<string, Read>>;
}

const pool: Options = {
  type: 5,
  fields: { padding, stride_w: int, stride_h: int, filter_width: int, filter_height: int, fused_activation_function },
};
const reducer: Options = { type: 27, fields: { keep_dims: bool } };
const dilations = { dilation_w_factor: intFromOne, dilation_h_factor: intFromOne };
const clips = { cell_clip: float, proj_clip: float };
const asymmetric_quantize_inputs = bool;

/** Ops whose options say something. */
const OPTIONS: Readonly<Record<string, Options>> = {
  CONV_2D: {
    type: 1,
    fields: {
      padding,
      stride_w: int,
      stride_h: int,
      fused_activation_function,
      ...dilations,
      quantized_bias_type: tensorType,
    },
  },
  DEPTHWISE_CONV_2D: {
    type: 2,
    fields: {
      padding,
      stride_w: int,
      stride_h: int,
      depth_multiplier: int,
      fused_activation_function,
      ...dilations,
    },
  },
  AVERAGE_POOL_2D: pool,
  MAX_POOL_2D: pool,
  L2_POOL_2D: pool,
  SVDF: { type: 6, fields: { rank: int, fused_activation_function, asymmetric_quantize_inputs } },
  RNN: { type: 7, fields: { fused_activation_function, asymmetric_quantize_inputs } },
  FULLY_CONNECTED: {
    type: 8,
    fields: {
      fused_activation_function,
      weights_format: oneOf("DEFAULT", "SHUFFLED4x16INT8"),
      keep_num_dims: bool,
      asymmetric_quantize_inputs,
      quantized_bias_type: tensorType,
    },
  },
  SOFTMAX: { type: 9, fields: { beta: float } },
  CONCATENATION: { type: 10, fields: { axis: int, fused_activation_function } },
  ADD: { type: 11, fields: { fused_activation_function, pot_scale_int16: boolFromTrue } },
  L2_NORMALIZATION: { type: 12, fields: { fused_activation_function } },
  LOCAL_RESPONSE_NORMALIZATION: { type: 13, fields: { radius: int, bias: float, alpha: float, beta: float } },
  LSTM: {
    type: 14,
    fields: { fused_activation_function, ...clips, kernel_type: oneOf("FULL", "BASIC"), asymmetric_quantize_inputs },
  },
  RESIZE_BILINEAR: {
    type: 15,
    fields: { new_height: gone, new_width: gone, align_corners: bool, half_pixel_centers: bool },
  },
  CALL: { type: 16, fields: { subgraph: graph } },
  RESHAPE: { type: 17, fields: { new_shape: ints } },
  SPACE_TO_DEPTH: { type: 19, fields: { block_size: int } },
  MUL: { type: 21, fields: { fused_activation_function } },
  GATHER: { type: 23, fields: { axis: int, batch_dims: int } },
  MEAN: reducer,
  SUM: reducer,
  REDUCE_PROD: reducer,
  REDUCE_MAX: reducer,
  REDUCE_MIN: reducer,
  REDUCE_ANY: reducer,
  REDUCE_ALL: reducer,
  SUB: { type: 28, fields: { fused_activation_function, pot_scale_int16: boolFromTrue } },
  DIV: { type: 29, fields: { fused_activation_function } },
  SQUEEZE: { type: 30, fields: { squeeze_dims: ints } },
  UNIDIRECTIONAL_SEQUENCE_RNN: {
    type: 31,
    fields: { time_major: bool, fused_activation_function, asymmetric_quantize_inputs },
  },
  STRIDED_SLICE: {
    type: 32,
    fields: {
      begin_mask: int,
      end_mask: int,
      ellipsis_mask: int,
      new_axis_mask: int,
      shrink_axis_mask: int,
      offset: bool,
    },
  },
  SPLIT: { type: 35, fields: { num_splits: int } },
  CAST: { type: 37, fields: { in_data_type: tensorType, out_data_type: tensorType } },
  ARG_MAX: { type: 40, fields: { output_type: tensorType } },
  TRANSPOSE_CONV: {
    type: 49,
    fields: { padding, stride_w: int, stride_h: int, fused_activation_function, quantized_bias_type: tensorType },
  },
  SHAPE: { type: 55, fields: { out_type: tensorType } },
  ARG_MIN: { type: 57, fields: { output_type: tensorType } },
  FAKE_QUANT: { type: 58, fields: { min: float, max: float, num_bits: int, narrow_range: bool } },
  PACK: { type: 59, fields: { values_count: int, axis: int } },
  ONE_HOT: { type: 61, fields: { axis: int } },
  UNPACK: { type: 64, fields: { num: int, axis: int } },
  BIDIRECTIONAL_SEQUENCE_LSTM: {
    type: 69,
    fields: {
      fused_activation_function,
      ...clips,
      merge_outputs: bool,
      time_major: boolFromTrue,
      asymmetric_quantize_inputs,
    },
  },
  BIDIRECTIONAL_SEQUENCE_RNN: {
    type: 70,
    fields: { time_major: bool, fused_activation_function, merge_outputs: bool, asymmetric_quantize_inputs },
  },
  UNIDIRECTIONAL_SEQUENCE_LSTM: {
    type: 71,
    fields: {
      fused_activation_function,
      ...clips,
      time_major: bool,
      asymmetric_quantize_inputs,
      diagonal_recurrent_tensors: bool,
    },
  },
  RESIZE_NEAREST_NEIGHBOR: { type: 74, fields: { align_corners: bool, half_pixel_centers: bool } },
  LEAKY_RELU: { type: 75, fields: { alpha: float } },
  MIRROR_PAD: { type: 77, fields: { mode: oneOf("REFLECT", "SYMMETRIC") } },
  SPLIT_V: { type: 79, fields: { num_splits: int } },
  REVERSE_SEQUENCE: { type: 87, fields: { seq_dim: int, batch_dim: int } },
  IF: { type: 92, fields: { then_subgraph_index: graph, else_subgraph_index: graph } },
  WHILE: { type: 93, fields: { cond_subgraph_index: graph, body_subgraph_index: graph } },
  DEPTH_TO_SPACE: { type: 94, fields: { block_size: int } },
  BATCH_MATMUL: { type: 101, fields: { adj_x: bool, adj_y: bool, asymmetric_quantize_inputs } },
  CUMSUM: { type: 102, fields: { exclusive: bool, reverse: bool } },
  CALL_ONCE: { type: 103, fields: { init_subgraph_index: graph } },
  CONV_3D: {
    type: 106,
    fields: {
      padding,
      stride_d: int,
      stride_w: int,
      stride_h: int,
      fused_activation_function,
      dilation_d_factor: intFromOne,
      ...dilations,
    },
  },
  VAR_HANDLE: { type: 111, fields: { container: text, shared_name: text } },
  BUCKETIZE: { type: 115, fields: { boundaries: floats } },
  GELU: { type: 116, fields: { approximate: bool } },
};

/** Undefined for an op whose options say nothing. */
export function optionsOf(op: string): Options | undefined {
  return own(OPTIONS, op);
}

/** All fields that the table has or the schema gives a default. */
export function readOptions(
  { fields }: Options,
  table: Table<string>,
  graphName: (index: number) => string,
): Record<string, Attribute> {
  const read = Object.entries(fields).map(([field, of]) => [field, of(table, field, graphName)] as const);
  return Object.fromEntries(read.filter((entry): entry is [string, Attribute] => entry[1] !== undefined));
}
