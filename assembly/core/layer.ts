/** The layer at hand: its entry in the file's layer table, checked against the tensors. */
import {
  STATUS_CODEC,
  STATUS_OP,
  STATUS_RANGE,
  STATUS_SHAPE,
  STATUS_STREAM,
  STATUS_TRUNCATED,
  TENSOR_CHANNELS,
  TENSOR_HEIGHT,
  TENSOR_PITCH,
  TENSOR_WIDTH,
  TENSOR_ZERO_POINT,
} from "../abi";
import {
  CODEC_HUFFMAN,
  FORM_CODEC_MASK,
  FORM_PER_CHANNEL,
  MAX_BORDER,
  MAX_DIMENSION,
  MAX_LAYER_WEIGHTS,
  OP_AVGPOOL,
  OP_CONV2D,
  OP_DENSE,
} from "../format";
import { bits, fileBytes, limitReads, position } from "./bit-reader";
import { tensorCount } from "./container";
import { extent, signedByte, varint, varintIn } from "./fields";
import { setRange, setScale } from "./requantize";
import { expect, failure } from "./status";
import { borderOf, isWritten, tensorAt, tensorBegin, tensorBytes } from "./tensor";

export let op: u32 = 0;
/** Entries of the tensor table. */
export let input: usize = 0;
export let output: usize = 0;
export let outputIndex: u32 = 0;

/** Kernel and stride of a conv2d or a pool. A dense layer is a convolution whose kernel is the whole input. */
export let kernelHeight: u32 = 0;
export let kernelWidth: u32 = 0;
export let stride: u32 = 0;
export let pad: u32 = 0;
/** Input channels of a group. */
export let groupChannels: u32 = 0;
/** Rows (output channels) of a group. */
export let groupRows: u32 = 0;
/** The max-pool behind a conv2d. */
export let poolSize: u32 = 0;
export let poolStride: u32 = 0;

export let rows: u32 = 0;
export let columns: u32 = 0;
export let biasBits: u32 = 0;
export let biasShift: u32 = 0;
let form: u32 = 0;
/** File offset of the section's end. */
export let sectionEnd: u32 = 0;

/** Those of the fields in the two entries that are asked for often. */
export let inputPitch: u32 = 0;
export let outputHeight: u32 = 0;
export let outputWidth: u32 = 0;

export function codec(): u32 {
  return form & FORM_CODEC_MASK;
}

/** Whether each row has its own multiplier and shift. */
export function hasRowScales(): bool {
  return (form & FORM_PER_CHANNEL) != 0;
}

/** Reads the next layer; of a weighted one, up to its section, which then limits the reader. */
export function readLayer(): void {
  limitReads(fileBytes, STATUS_TRUNCATED);
  op = bits(8);
  let inputIndex = varintIn(0, tensorCount - 1);
  outputIndex = varintIn(0, tensorCount - 1);
  if (failure) return;
  input = tensorAt(inputIndex);
  output = tensorAt(outputIndex);
  inputPitch = load<u32>(input, TENSOR_PITCH);
  outputHeight = load<u32>(output, TENSOR_HEIGHT);
  outputWidth = load<u32>(output, TENSOR_WIDTH);
  let begin = tensorBegin(input);
  let outputBegin = tensorBegin(output);
  let overlap = begin < outputBegin + tensorBytes(output) && outputBegin < begin + tensorBytes(input);
  expect(isWritten(input) && !isWritten(output) && !overlap, STATUS_SHAPE);
  stride = poolSize = poolStride = 1;
  pad = 0;
  groupChannels = load<u32>(input, TENSOR_CHANNELS);
  rows = groupRows = load<u32>(output, TENSOR_CHANNELS);
  if (op == OP_CONV2D) readConv2d();
  else if (op == OP_DENSE) readDense();
  else readPool();
}

function readConv2d(): void {
  kernelHeight = extent();
  kernelWidth = extent();
  stride = extent();
  pad = varintIn(0, MAX_BORDER);
  let groups = varintIn(1, MAX_DIMENSION);
  poolSize = extent();
  poolStride = extent();
  if (failure) return;
  let border = borderOf(input);
  expect(groupChannels % groups == 0 && rows % groups == 0 && pad <= border && fits(pad + border), STATUS_SHAPE);
  groupChannels /= groups;
  groupRows /= groups;
  readWeights();
}

function readDense(): void {
  kernelHeight = load<u32>(input, TENSOR_HEIGHT);
  kernelWidth = load<u32>(input, TENSOR_WIDTH);
  expect(outputHeight * outputWidth == 1, STATUS_SHAPE);
  readWeights();
}

function readPool(): void {
  expect(op <= <u32>OP_AVGPOOL, STATUS_OP);
  kernelHeight = kernelWidth = extent();
  stride = extent();
  expect(groupChannels == rows && fits(0), STATUS_SHAPE);
  readRange();
  if (op == OP_AVGPOOL) readScale(bits(32), bits(8));
  else setScale(1 << 30, 30); // a maximum keeps its scale
}

/** Whether the windows of all outputs lie within the input, `room` rows and columns of borders included. */
function fits(room: u32): bool {
  return (
    spans(outputHeight, kernelHeight) <= load<u32>(input, TENSOR_HEIGHT) + room &&
    spans(outputWidth, kernelWidth) <= load<u32>(input, TENSOR_WIDTH) + room
  );
}

/** Input rows (or columns) that so many output rows look at: at most 65,535 × 255 × 255, which is below 2^32. */
function spans(outputs: u32, kernel: u32): u32 {
  return ((outputs - 1) * poolStride + poolSize - 1) * stride + kernel;
}

function readRange(): void {
  let low = signedByte();
  let high = signedByte();
  expect(low <= high, STATUS_RANGE);
  setRange(load<i32>(output, TENSOR_ZERO_POINT), low, high);
}

/** Takes a multiplier and a shift that have just been read. */
export function readScale(factor: u32, places: u32): void {
  expect(factor - 0x40000000 < 0x40000000 && places - 1 < 62, STATUS_RANGE);
  setScale(factor, places);
}

function readWeights(): void {
  // At most 65,535 × 255 × 255, which is below 2^32; a dense layer's input is below 2^24.
  columns = groupChannels * kernelHeight * kernelWidth;
  readRange();
  form = bits(8);
  biasBits = bits(8);
  biasShift = bits(8);
  let bytes = varint();
  expect(form <= <u32>(FORM_CODEC_MASK | FORM_PER_CHANNEL) && biasBits <= 32 && biasShift < 32, STATUS_RANGE);
  expect(<u64>columns * rows <= <u64>MAX_LAYER_WEIGHTS, STATUS_RANGE);
  expect(codec() <= <u32>CODEC_HUFFMAN, STATUS_CODEC);
  expect(bytes <= fileBytes - position, STATUS_TRUNCATED);
  sectionEnd = position + bytes;
  limitReads(sectionEnd, STATUS_STREAM);
}
