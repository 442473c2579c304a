/** What is kept of a layer from loading on, so that no run reads the file for it. */

/** How a layer is run. */
export const BY_CORE: u32 = 0;
export const CONV: u32 = 1;
export const DENSE: u32 = 2;
export const MAXPOOL: u32 = 3;
export const AVGPOOL: u32 = 4;
export const SUM: u32 = 5;
export const PRODUCT: u32 = 6;
export const LUT: u32 = 7;
export const RESIZE: u32 = 8;
export const NOTHING: u32 = 9;
/** A convolution of all columns: full.ts. */
export const FULL: u32 = 10;

/** A row of a layer with weights. */
@unmanaged
export class Row {
  /** Its bias, less what the input's zero point adds. */
  start: i32;
  multiplier: u32;
  shift: u32;
  /** ROW_PAIRS, ROW_GATHERED or ROW_WHOLE: what its weights are. */
  form: u32;
  /** From here to there. */
  begin: usize;
  end: usize;
}

/** Of two weights: their elements' offsets, u32 each, and the weights, i16 each. */
export const ROW_PAIRS: u32 = 0;
export const PAIR_BYTES: u32 = 12;
/** Of eight weights: their elements' offsets, u16 each, and the weights, i8 each. */
export const ROW_GATHERED: u32 = 1;
export const GATHERED_BYTES: u32 = 24;
/** All weights, zeros among them, one byte each, and zeros up to a whole vector. */
export const ROW_WHOLE: u32 = 2;

/** A layer. Entries are those of the tensor table. */
@unmanaged
export class Layer {
  kind: u32;
  /** Where the file has it. */
  offset: u32;
  /** The range decoder there. */
  range: u32;
  code: u32;
  input: usize;
  /** Of a sum or a product: the second input, and the steps from its element to the next: 0 or 1. */
  other: usize;
  otherStep: u32;
  output: usize;
  /** Row entries, one for each channel of the output; of a lut its table. */
  rows: usize;
  /** Range and zero point of the output's elements. */
  zeroPoint: i32;
  low: i32;
  high: i32;
  /** Of layers without rows. Of a sum the multiplier is that of the first input. */
  multiplier: u32;
  otherMultiplier: u32;
  shift: u32;
  /** Bytes from the first place a window looks at, in the border, to the input's first element. */
  origin: u32;
  kernelHeight: u32;
  kernelWidth: u32;
  /** Of a resize its factors. */
  strideY: u32;
  strideX: u32;
  /** Rows of the output a group has, and channels of the input. */
  groupRows: u32;
  groupChannels: u32;
  /** Places in a line of a convolution, before its pool. */
  placesX: u32;
  poolHeight: u32;
  poolWidth: u32;
  poolStrideY: u32;
  poolStrideX: u32;
  /** Of what a convolution reads, its input or what that is sorted into: bytes from line to line and from channel to channel. */
  pitch: u32;
  plane: u32;
  inputPitch: u32;
  inputPlane: u32;
  outputHeight: u32;
  /** Of an input sorted by strides: lines and columns of one part, and how many parts there are along each axis. */
  partHeight: u32;
  partsY: u32;
  partsX: u32;
  /** Bytes of that. */
  sortedBytes: u32;
  /** Lines of the output made at a time, of so many parts of the channels one after the other. */
  lines: u32;
  parts: u32;
  /** Of several parts: for each row the addresses of the first part's pairs, of the second's … and behind the last. */
  splits: usize;
  /** Of a convolution of all columns: pairs of them, where the weights are, and the columns' offsets. */
  pairs: u32;
  weights: usize;
  columns: usize;
}
