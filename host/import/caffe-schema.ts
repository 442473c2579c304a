/**
 * Caffe's messages: names and numbers of their fields, and what each holds. https://github.com/BVLC/caffe/blob/master/src/caffe/proto/caffe.proto
 * What decides about training alone is skipped; what is not here at all is noted, and keeps its layer from running.
 */

/** What a field holds: names are those of an enumeration by number; "skip" may be anything. */
export type Kind = "integer" | "number" | "flag" | "text" | "skip" | "blob" | readonly string[] | Schema;

export interface Schema {
  readonly name: string;
  readonly fields: Readonly<Record<string, Kind>>;
  /** Names of fields in the binary form. */
  readonly numbers: ReadonlyMap<number, string>;
}

function schema(name: string, fields: Readonly<Record<string, readonly [number, Kind]>>): Schema {
  const entries = Object.entries(fields);
  return {
    name,
    fields: Object.fromEntries(entries.map(([field, [, kind]]) => [field, kind])),
    numbers: new Map(entries.map(([field, [number]]) => [number, field])),
  };
}

const PHASES = ["TRAIN", "TEST"];

const SHAPE = schema("BlobShape", { dim: [1, "integer"] });

const RULE = schema("NetStateRule", {
  phase: [1, PHASES],
  min_level: [2, "integer"],
  max_level: [3, "integer"],
  stage: [4, "text"],
  not_stage: [5, "text"],
});

const CONVOLUTION = schema("ConvolutionParameter", {
  num_output: [1, "integer"],
  bias_term: [2, "flag"],
  pad: [3, "integer"],
  kernel_size: [4, "integer"],
  group: [5, "integer"],
  stride: [6, "integer"],
  weight_filler: [7, "skip"],
  bias_filler: [8, "skip"],
  pad_h: [9, "integer"],
  pad_w: [10, "integer"],
  kernel_h: [11, "integer"],
  kernel_w: [12, "integer"],
  stride_h: [13, "integer"],
  stride_w: [14, "integer"],
  engine: [15, "skip"],
  axis: [16, "integer"],
  force_nd_im2col: [17, "skip"],
  dilation: [18, "integer"],
});

const INNER_PRODUCT = schema("InnerProductParameter", {
  num_output: [1, "integer"],
  bias_term: [2, "flag"],
  weight_filler: [3, "skip"],
  bias_filler: [4, "skip"],
  axis: [5, "integer"],
  transpose: [6, "flag"],
});

const POOLING = schema("PoolingParameter", {
  pool: [1, ["MAX", "AVE", "STOCHASTIC"]],
  kernel_size: [2, "integer"],
  stride: [3, "integer"],
  pad: [4, "integer"],
  kernel_h: [5, "integer"],
  kernel_w: [6, "integer"],
  stride_h: [7, "integer"],
  stride_w: [8, "integer"],
  pad_h: [9, "integer"],
  pad_w: [10, "integer"],
  engine: [11, "skip"],
  global_pooling: [12, "flag"],
});

const MEMORY_DATA = schema("MemoryDataParameter", {
  batch_size: [1, "integer"],
  channels: [2, "integer"],
  height: [3, "integer"],
  width: [4, "integer"],
});

const BATCH_NORM = schema("BatchNormParameter", {
  use_global_stats: [1, "flag"],
  moving_average_fraction: [2, "skip"],
  eps: [3, "number"],
});
const SCALE = schema("ScaleParameter", {
  axis: [1, "integer"],
  num_axes: [2, "integer"],
  filler: [3, "skip"],
  bias_term: [4, "flag"],
  bias_filler: [5, "skip"],
});
const BIAS = schema("BiasParameter", { axis: [1, "integer"], num_axes: [2, "integer"], filler: [3, "skip"] });
const RELU = schema("ReLUParameter", { negative_slope: [1, "number"], engine: [2, "skip"] });
const PRELU = schema("PReLUParameter", { filler: [1, "skip"], channel_shared: [2, "flag"] });
const ELU = schema("ELUParameter", { alpha: [1, "number"] });
const LRN = schema("LRNParameter", {
  local_size: [1, "integer"],
  alpha: [2, "number"],
  beta: [3, "number"],
  norm_region: [4, ["ACROSS_CHANNELS", "WITHIN_CHANNEL"]],
  k: [5, "number"],
  engine: [6, "skip"],
});
const POWER = schema("PowerParameter", { power: [1, "number"], scale: [2, "number"], shift: [3, "number"] });
const CONCAT = schema("ConcatParameter", { concat_dim: [1, "integer"], axis: [2, "integer"] });
const SOFTMAX = schema("SoftmaxParameter", { engine: [1, "skip"], axis: [2, "integer"] });
const FLATTEN = schema("FlattenParameter", { axis: [1, "integer"], end_axis: [2, "integer"] });
const RESHAPE = schema("ReshapeParameter", { shape: [1, SHAPE], axis: [2, "integer"], num_axes: [3, "integer"] });
const PERMUTE = schema("PermuteParameter", { order: [1, "integer"] });
const INPUT = schema("InputParameter", { shape: [1, SHAPE] });
const ELTWISE = schema("EltwiseParameter", {
  operation: [1, ["PROD", "SUM", "MAX"]],
  coeff: [2, "number"],
  stable_prod_grad: [3, "skip"],
});

const LAYER = schema("LayerParameter", {
  name: [1, "text"],
  type: [2, "text"],
  bottom: [3, "text"],
  top: [4, "text"],
  loss_weight: [5, "skip"],
  param: [6, "skip"],
  blobs: [7, "blob"],
  include: [8, RULE],
  exclude: [9, RULE],
  phase: [10, "skip"],
  propagate_down: [11, "skip"],
  transform_param: [100, "skip"],
  loss_param: [101, "skip"],
  accuracy_param: [102, "skip"],
  argmax_param: [103, "skip"],
  concat_param: [104, CONCAT],
  convolution_param: [106, CONVOLUTION],
  data_param: [107, "skip"],
  dropout_param: [108, "skip"],
  dummy_data_param: [109, "skip"],
  eltwise_param: [110, ELTWISE],
  exp_param: [111, "skip"],
  hdf5_data_param: [112, "skip"],
  hdf5_output_param: [113, "skip"],
  hinge_loss_param: [114, "skip"],
  image_data_param: [115, "skip"],
  infogain_loss_param: [116, "skip"],
  inner_product_param: [117, INNER_PRODUCT],
  lrn_param: [118, LRN],
  memory_data_param: [119, MEMORY_DATA],
  mvn_param: [120, "skip"],
  pooling_param: [121, POOLING],
  power_param: [122, POWER],
  relu_param: [123, RELU],
  sigmoid_param: [124, "skip"],
  softmax_param: [125, SOFTMAX],
  slice_param: [126, "skip"],
  tanh_param: [127, "skip"],
  window_data_param: [129, "skip"],
  prelu_param: [131, PRELU],
  reshape_param: [133, RESHAPE],
  log_param: [134, "skip"],
  flatten_param: [135, FLATTEN],
  tile_param: [138, "skip"],
  batch_norm_param: [139, BATCH_NORM],
  elu_param: [140, ELU],
  bias_param: [141, BIAS],
  scale_param: [142, SCALE],
  input_param: [143, INPUT],
  recurrent_param: [146, "skip"],
  permute_param: [202, PERMUTE],
});

/** Types of the layers of 2014, by number: V1LayerParameter.LayerType. */
const V1_TYPES = [
  "NONE ACCURACY BNLL CONCAT CONVOLUTION DATA DROPOUT EUCLIDEAN_LOSS FLATTEN HDF5_DATA HDF5_OUTPUT IM2COL IMAGE_DATA",
  "INFOGAIN_LOSS INNER_PRODUCT LRN MULTINOMIAL_LOGISTIC_LOSS POOLING RELU SIGMOID SOFTMAX SOFTMAX_LOSS SPLIT TANH",
  "WINDOW_DATA ELTWISE POWER SIGMOID_CROSS_ENTROPY_LOSS HINGE_LOSS MEMORY_DATA ARGMAX THRESHOLD DUMMY_DATA SLICE MVN",
  "ABSVAL SILENCE CONTRASTIVE_LOSS EXP DECONVOLUTION",
].flatMap((names) => names.split(" "));

const V1_LAYER = schema("V1LayerParameter", {
  bottom: [2, "text"],
  top: [3, "text"],
  name: [4, "text"],
  type: [5, V1_TYPES],
  blobs: [6, "blob"],
  blobs_lr: [7, "skip"],
  weight_decay: [8, "skip"],
  concat_param: [9, CONCAT],
  convolution_param: [10, CONVOLUTION],
  data_param: [11, "skip"],
  dropout_param: [12, "skip"],
  hdf5_data_param: [13, "skip"],
  hdf5_output_param: [14, "skip"],
  image_data_param: [15, "skip"],
  infogain_loss_param: [16, "skip"],
  inner_product_param: [17, INNER_PRODUCT],
  lrn_param: [18, LRN],
  pooling_param: [19, POOLING],
  window_data_param: [20, "skip"],
  power_param: [21, POWER],
  memory_data_param: [22, MEMORY_DATA],
  argmax_param: [23, "skip"],
  eltwise_param: [24, ELTWISE],
  accuracy_param: [27, "skip"],
  hinge_loss_param: [29, "skip"],
  relu_param: [30, RELU],
  slice_param: [31, "skip"],
  include: [32, RULE],
  exclude: [33, RULE],
  mvn_param: [34, "skip"],
  loss_weight: [35, "skip"],
  transform_param: [36, "skip"],
  tanh_param: [37, "skip"],
  sigmoid_param: [38, "skip"],
  softmax_param: [39, SOFTMAX],
  exp_param: [41, "skip"],
  loss_param: [42, "skip"],
  // Newer than these messages, which have the layer.
  flatten_param: [135, FLATTEN],
  param: [1001, "skip"],
  blob_share_mode: [1002, "skip"],
});

const STATE = schema("NetState", { phase: [1, PHASES], level: [2, "integer"], stage: [3, "text"] });

export const NET = schema("NetParameter", {
  name: [1, "text"],
  layers: [2, V1_LAYER],
  input: [3, "text"],
  input_dim: [4, "integer"],
  force_backward: [5, "skip"],
  state: [6, STATE],
  debug_info: [7, "skip"],
  input_shape: [8, SHAPE],
  layer: [100, LAYER],
});
