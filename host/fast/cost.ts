/**
 * What kernels take, in instructions of a Cortex-M4 ahead of time, by the C library where it has one, as counted on nets: for choosing between
 * them, so that a tenth more or less does not matter.
 */
import {
  BLOCK_HEIGHT,
  BLOCK_WIDTH,
  KIND_CONV_BLOCKS,
  KIND_CONV_POOLED,
  TILE_SIZE,
} from "../../assembly/fast/layout.js";
import type { Axes, QConv2d, Shape } from "../model/model.js";

/** Laying out four places, whose inputs come in so many runs. */
export const fourInstructions = (inputs: number, runs: number): number => 120 + 13 * inputs + 20 * runs;

/** So many inputs or weights are summed up before lanes are taken apart. */
const PIECE = 128;
const furtherPieces = (inputs: number): number => Math.ceil(inputs / PIECE) - 1;

/** Two filters at four places, of which so many are laid out at once. */
export const quadInstructions = (inputs: number, lot: number): number =>
  180 + 90 / lot + 75 * furtherPieces(inputs) + 7.8 * inputs;

/** A filter of so many weights at four places: half of what it takes at eight, which go together where there are as many. */
export const gapInstructions = (pairs: number, lot: number): number =>
  lot > 1
    ? 95 + (120 + 2.3 * pairs) / lot + 35 * furtherPieces(pairs) + 6.3 * pairs
    : 240 + 60 * furtherPieces(pairs) + 11 * pairs;

/** A channel of a depthwise convolution: words and lines that are laid out, blocks of so many outputs in all; taps and strides along a block first. */
export function depthInstructions(
  words: number,
  lines: number,
  blocks: number,
  outputs: number,
  [along, across]: Axes,
  stride: number,
): number {
  // Neighbours of a line of three taps are loaded once.
  const tap = along === 3 && stride <= 2 ? 10.5 : 17.5;
  return 350 + 45 * lines + 9 * words + blocks * (65 + tap * along * across) + 12 * outputs;
}

/** A dense row of so many pairs, by the native kernel. */
export const pairInstructions = (pairs: number): number => 100 + 7 * pairs;

/** A dense row of so many groups of equal weights, which have so many gaps in all, by the native kernel. */
export const valueInstructions = (groups: number, gaps: number): number => 100 + 50 * groups + 5.5 * gaps;

/** Six dense rows of so many inputs each, by the native kernel. */
export const denseRowsInstructions = (inputs: number): number => 400 + 11.3 * inputs;

/** A place of so many lines of so many elements, laid out as bits. */
export const bitPlaceInstructions = (lines: number, elements: number): number =>
  60 + lines * (15 + 12 * Math.ceil(elements / 4));

/** A row at an output of so many places under its pool and words, of which so many outputs are laid out at once. */
export const bitRowInstructions = (lot: number, places: number, words: number): number =>
  60 / lot + 40 + places * (25 + 27 * words);

/** An element of a sum or product of two tensors, of a table, of a resize. */
export const SUM_INSTRUCTIONS = 37;
export const ELEMENT_INSTRUCTIONS = 19;

/** An output of a pool. */
export const poolInstructions = ({ kernel }: { readonly kernel: Axes }): number =>
  70 + kernel[0] * (25 + 5 * kernel[1]);

/** A row of a convolution by a kernel that takes a weight at a time. */
export function sparseInstructions(
  kind: number,
  { pool }: QConv2d,
  [, height, width]: Shape,
  records: number,
  chunks: number,
): number {
  const [down, across] = [height * pool.size[0], width * pool.size[1]];
  switch (kind) {
    case KIND_CONV_POOLED:
      return Math.ceil(down / TILE_SIZE) * Math.ceil(across / TILE_SIZE) * (600 + 250 * records);
    case KIND_CONV_BLOCKS:
      return Math.ceil(down / BLOCK_HEIGHT) * Math.ceil(across / BLOCK_WIDTH) * (700 + 500 * chunks + 130 * records);
    default:
      return height * width * (110 + pool.size[0] * pool.size[1] * (20 + 9 * records));
  }
}
