/**
 * What kernels are told once: the sizes, strides and tables of a layer, which the host writes into linear memory when it makes a plan.
 * What differs between threads, shards and batches is passed call by call. Every field is 32 bits; host/train/descriptors.ts names the
 * same ones in the same order.
 */

/** A pool's planes, one after another, and its window. Sizes in values. */
@unmanaged
export class Pool {
  height: i32;
  width: i32;
  outHeight: i32;
  outWidth: i32;
  kernelHeight: i32;
  kernelWidth: i32;
  strideY: i32;
  strideX: i32;
}

/** Planes of height × width and wider ones around them, whose first `top` rows and `left` columns are border. Sizes in values. */
@unmanaged
export class Border {
  height: i32;
  width: i32;
  wideHeight: i32;
  wideWidth: i32;
  top: i32;
  left: i32;
}

/** Nearest neighbour by whole factors: planes of height × width and what they become. */
@unmanaged
export class Resize {
  height: i32;
  width: i32;
  factorY: i32;
  factorX: i32;
}

/** See batchnorm.ts. A channel is one plane a block; strides in bytes. */
@unmanaged
export class BatchNorm {
  channels: i32;
  positions: i32;
  block: usize;
}

/** See gather.ts. Offsets and strides in bytes. */
@unmanaged
export class Gather {
  groups: i32;
  /** Of a group. */
  rows: i32;
  /** From a row (channel) of out to the next; groups follow one another. */
  outRow: usize;
  /** From a block of eight samples to the next; `xBlock` the same in x. */
  outBlock: usize;
  wRow: usize;
  wGroup: usize;
  wOuter: usize;
  xGroup: usize;
  xOuter: usize;
  xBlock: usize;
  /** How often the taps repeat (channels of x), each time wOuter and xOuter further. */
  outer: i32;
  positions: usize;
  positionCount: i32;
  /** The table that positions refer to. */
  taps: usize;
}

/** See gradient.ts. Strides in bytes; a row of weights is `columns` floats, and rows follow one another. */
@unmanaged
export class ParameterGradient {
  groups: i32;
  /** Of a group. */
  rows: i32;
  columns: i32;
  /** In dout. */
  outRow: usize;
  outBlock: usize;
  xGroup: usize;
  xBlock: usize;
  /** Of each column in x: u32 bytes. */
  columnOffsets: usize;
  /** {u32 offset in dout, u32 offset in x}, and two words that are not looked at. */
  positions: usize;
  positionCount: i32;
  /**
   * Blocks of samples summed before the lanes are added up: few when positions are many, so that the rows of dout stay in the first-level
   * cache; all of them for a dense layer, whose tiles would be too short otherwise.
   */
  blocksPerPass: i32;
}

/** See sparse.ts. Strides in bytes; blocks are eight samples. */
@unmanaged
export class Survivors {
  /** Of all groups. */
  rows: i32;
  outRow: usize;
  outBlock: usize;
  xBlock: usize;
  rowStart: usize;
  entries: usize;
  runs: usize;
  runCount: i32;
}

/** See optimizer.ts. Parameters that are updated alike: a layer's weights, biases or centroids. Addresses of what belongs to the first. */
@unmanaged
export class Segment {
  values: usize;
  /** Adam's moments. */
  first: usize;
  second: usize;
  /** A byte each. */
  state: usize;
  /** Of the first shard; those of the next lie `shardBytes` further. */
  gradients: usize;
  shardBytes: usize;
  shards: i32;
}
