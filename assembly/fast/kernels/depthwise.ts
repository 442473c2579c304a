/**
 * Convolutions of each channel on its own: two strips of its lines at a time, which share the words that they are laid out in, so that every
 * tap is a word beside the last one. What is outside the input is laid out as zeros, wherever it may be: no border is read.
 */
import {
  DEPTH_BLOCK,
  DEPTH_BLOCK_WORK,
  DEPTH_IS_DOWN,
  DEPTH_LEFT,
  DEPTH_LINE_WORK,
  DEPTH_OUTPUT_WORK,
  DEPTH_TAP_WORK,
  DEPTH_WORD_BYTES,
  DEPTH_WORD_WORK,
  LANE_BITS,
  LAYER_DEPTH_HEIGHT,
  LAYER_DEPTH_INPUT_HEIGHT,
  LAYER_DEPTH_INPUT_WIDTH,
  LAYER_DEPTH_LINES,
  LAYER_DEPTH_PADS,
  LAYER_DEPTH_STRIDE_X,
  LAYER_DEPTH_STRIDE_Y,
  LAYER_DEPTH_WIDTH,
  LAYER_DEPTH_ZERO,
  LAYER_INPUT_PITCH,
  LAYER_OUTPUT_HEIGHT,
  LAYER_OUTPUT_PITCH,
  LAYER_OUTPUT_WIDTH,
  PIECE_BLOCKS_WORK,
  ROW_BYTES,
} from "../layout";
import { scale } from "./quads";
import { begin, endRow, inputPtr, isBegun, layer, moveTo, outputPtr, y } from "../row";
import { ahead, next, passTo, scratchPtr } from "../stream";

/** What lanes begin with, so that no sum is negative. */
const LANE_BIAS: i64 = 1 << (LANE_BITS - 1);
const BIASES: i64 = LANE_BIAS | (LANE_BIAS << LANE_BITS);
const LANE_MASK: i64 = (1 << LANE_BITS) - 1;

/** Lines of the strips at hand that are laid out; of its lines of blocks the next, and the outputs of it that are done. */
let line: u32 = 0;
let major: u32 = 0;
let minor: u32 = 0;

/**
 * Works for as long as `budget` multiplications take, or one piece. All that a channel's strips look at is laid out before any of their
 * outputs is written, and of other channels nothing is read any more.
 * @param layer its entry
 * @param progress its address
 * @returns as how many it counts
 */
export function stepDepthwise(layer: usize, progress: usize, budget: i32): i32 {
  let height: u32 = load<u8>(layer, LAYER_DEPTH_HEIGHT);
  let bytes = ROW_BYTES + height * load<u8>(layer, LAYER_DEPTH_WIDTH);
  if (!ahead(bytes)) return 0;
  if (!isBegun) {
    begin();
    moveTo(0, 0);
    line = major = minor = 0;
  }
  let stride: u32 = load<u8>(layer, LAYER_DEPTH_STRIDE_Y);
  let lines: u32 = load<u16>(layer, LAYER_DEPTH_LINES);
  let outputs = load<u32>(layer, LAYER_OUTPUT_HEIGHT);
  let distance = min(lines, outputs - lines);
  let laidOut = (lines - 1) * stride + height;
  let work: i32 = 0;
  do {
    if (line < laidOut) {
      work += layOut(laidOut, stride, distance, budget - work);
      continue;
    }
    work += sumLines(lines, stride, distance, budget - work);
    if (line) continue;
    // Where strips would pass the edge they move back, over outputs that are computed again.
    let done = y + lines + distance;
    moveTo(0, min(done, outputs - lines - distance));
    if (done < outputs) continue;
    passTo(next + bytes);
    endRow();
    return work;
  } while (work < budget);
  return work;
}

/** Of a line that is laid out. */
function wordsOfLine(): u32 {
  return (
    (load<u32>(layer, LAYER_OUTPUT_WIDTH) - 1) * load<u8>(layer, LAYER_DEPTH_STRIDE_X) +
    load<u8>(layer, LAYER_DEPTH_WIDTH)
  );
}

/** Lays out lines of both strips, one beside the other. @returns the work it was */
function layOut(lines: u32, stride: u32, distance: u32, budget: i32): i32 {
  let bytes = DEPTH_WORD_BYTES * wordsOfLine();
  let pads: u32 = load<u8>(layer, LAYER_DEPTH_PADS);
  let before = min(DEPTH_WORD_BYTES * (pads / DEPTH_LEFT), bytes);
  let behind = min(before + DEPTH_WORD_BYTES * (load<u16>(layer, LAYER_DEPTH_INPUT_WIDTH) & ~DEPTH_IS_DOWN), bytes);
  let zero: u32 = load<u8>(layer, LAYER_DEPTH_ZERO);
  let zeros = zero | (zero << LANE_BITS);
  let height: u32 = load<u16>(layer, LAYER_DEPTH_INPUT_HEIGHT);
  let pitch = load<u32>(layer, LAYER_INPUT_PITCH);
  let apart = distance * stride;
  let target = scratchPtr() + line * bytes;
  // Below 0 it is far beyond the last line.
  let upper = y * stride + line - (pads & (DEPTH_LEFT - 1));
  let elements = inputPtr(0, upper);
  let work: i32 = 0;
  do {
    let isUpper = upper < height;
    let isLower = upper + apart < height;
    let end = target + behind;
    let words = fill(target, target + before, zeros);
    if (isUpper & isLower) {
      let ptr = elements;
      let other = elements + apart * pitch;
      while (words < end) {
        store<u32>(words, (<u32>load<u8>(ptr)) | ((<u32>load<u8>(other)) << LANE_BITS));
        ptr++;
        other++;
        words += DEPTH_WORD_BYTES;
      }
    } else if (isUpper | isLower) {
      let ptr = isUpper ? elements : elements + apart * pitch;
      let lane: u32 = isUpper ? 0 : LANE_BITS;
      let rest = zero << (LANE_BITS - lane);
      while (words < end) {
        store<u32>(words, ((<u32>load<u8>(ptr)) << lane) | rest);
        ptr++;
        words += DEPTH_WORD_BYTES;
      }
    } else {
      words = fill(words, end, zeros);
    }
    target = fill(words, target + bytes, zeros);
    upper++;
    elements += pitch;
    work += DEPTH_LINE_WORK + (DEPTH_WORD_WORK / DEPTH_WORD_BYTES) * bytes;
  } while (++line < lines && work < budget);
  return work;
}

/** @returns `end` */
@inline
function fill(target: usize, end: usize, zeros: u32): usize {
  for (; target < end; target += DEPTH_WORD_BYTES) store<u32>(target, zeros);
  return target;
}

/** Computes lines of blocks of outputs, and with the last sets `line` to 0. @returns the work it was */
function sumLines(lines: u32, stride: u32, distance: u32, budget: i32): i32 {
  let pitch = DEPTH_WORD_BYTES * wordsOfLine();
  let outputPitch = load<u32>(layer, LAYER_OUTPUT_PITCH);
  // From a place to the next of its block, and from a line of blocks to the next; first across, then down.
  let minors = load<u32>(layer, LAYER_OUTPUT_WIDTH);
  let majors = lines;
  let minorStep = DEPTH_WORD_BYTES * <u32>load<u8>(layer, LAYER_DEPTH_STRIDE_X);
  let majorStep = stride * pitch;
  let minorOutput: u32 = 1;
  let majorOutput = outputPitch;
  if (load<u16>(layer, LAYER_DEPTH_INPUT_WIDTH) & DEPTH_IS_DOWN) {
    majors = minors;
    minors = lines;
    majorStep = minorStep;
    minorStep = stride * pitch;
    majorOutput = 1;
    minorOutput = outputPitch;
  }
  let taps = <u32>load<u8>(layer, LAYER_DEPTH_HEIGHT) * load<u8>(layer, LAYER_DEPTH_WIDTH);
  let blockWork = DEPTH_BLOCK_WORK + DEPTH_TAP_WORK * taps;
  let most = DEPTH_BLOCK * (PIECE_BLOCKS_WORK / (blockWork + DEPTH_BLOCK * DEPTH_OUTPUT_WORK));
  let apart = distance * outputPitch;
  let work: i32 = 0;
  do {
    let outputs = min(minors - minor, most);
    sumLine(
      scratchPtr() + major * majorStep + minor * minorStep,
      pitch,
      minorStep,
      next,
      outputPtr() + major * majorOutput + minor * minorOutput,
      outputs,
      minorOutput,
      apart,
    );
    work += ((outputs + DEPTH_BLOCK - 1) / DEPTH_BLOCK) * blockWork + DEPTH_OUTPUT_WORK * outputs;
    minor += outputs;
    if (minor < minors) continue;
    minor = 0;
    if (++major < majors) continue;
    major = line = 0;
    break;
  } while (work < budget);
  return work;
}

/**
 * Computes so many `outputs` of a line of blocks, of both strips at once, each in its lane. What they look at begins at `words`, where lines
 * are `pitch` apart and places `step`; `head` is the channel's row. The first output is at `target`, the next is `across` from it, and
 * that of the other strip `apart`.
 */
function sumLine(
  words: usize,
  pitch: usize,
  step: usize,
  head: usize,
  target: usize,
  outputs: i32,
  across: usize,
  apart: usize,
): void {
  let width: u32 = load<u8>(layer, LAYER_DEPTH_WIDTH);
  let end = head + ROW_BYTES + <u32>load<u8>(layer, LAYER_DEPTH_HEIGHT) * width;
  let constant = load<i64>(head);
  let multiplier: i64 = load<u32>(head, 8);
  let shift: i64 = load<u8>(head, 12) + 32;
  do {
    let sum0 = BIASES;
    let sum1 = BIASES;
    let sum2 = BIASES;
    let sum3 = BIASES;
    let ptr = words;
    let taps = head + ROW_BYTES;
    do {
      if (isThreeWide()) {
        // All of a line's weights and words are at hand, of which some are of several places.
        let left: i64 = load<i8>(taps);
        let middle: i64 = load<i8>(taps, 1);
        let right: i64 = load<i8>(taps, 2);
        let word = ptr;
        sum0 += <i64>load<i32>(word) * left;
        sum0 += <i64>load<i32>(word, 4) * middle;
        sum0 += <i64>load<i32>(word, 8) * right;
        word += step;
        sum1 += <i64>load<i32>(word) * left;
        sum1 += <i64>load<i32>(word, 4) * middle;
        sum1 += <i64>load<i32>(word, 8) * right;
        word += step;
        sum2 += <i64>load<i32>(word) * left;
        sum2 += <i64>load<i32>(word, 4) * middle;
        sum2 += <i64>load<i32>(word, 8) * right;
        word += step;
        sum3 += <i64>load<i32>(word) * left;
        sum3 += <i64>load<i32>(word, 4) * middle;
        sum3 += <i64>load<i32>(word, 8) * right;
        taps += 3;
      } else {
        let word = ptr;
        let last = taps + width;
        do {
          let weight: i64 = load<i8>(taps);
          sum0 += <i64>load<i32>(word) * weight;
          sum1 += <i64>load<i32>(word + step) * weight;
          sum2 += <i64>load<i32>(word + 2 * step) * weight;
          sum3 += <i64>load<i32>(word + 3 * step) * weight;
          word += DEPTH_WORD_BYTES;
        } while (++taps < last);
      }
      ptr += pitch;
    } while (taps < end);
    words += <usize>DEPTH_BLOCK * step;
    endPlace(target, apart, sum0, multiplier, constant, shift);
    target += across;
    if (outputs > 1) endPlace(target, apart, sum1, multiplier, constant, shift);
    target += across;
    if (outputs > 2) endPlace(target, apart, sum2, multiplier, constant, shift);
    target += across;
    if (outputs > 3) endPlace(target, apart, sum3, multiplier, constant, shift);
    target += across;
    outputs -= DEPTH_BLOCK;
  } while (outputs > 0);
}

/** Takes the sums of a place, which are never negative, to the outputs of both strips. */
@inline
function endPlace(target: usize, apart: usize, sum: i64, multiplier: i64, constant: i64, shift: i64): void {
  store<u8>(target, scale(sum & LANE_MASK, multiplier, constant, shift));
  store<u8>(target + apart, scale(sum >> LANE_BITS, multiplier, constant, shift));
}

// What the packer may know of all of a model's layers: it puts constants in their place.

function isThreeWide(): bool {
  return load<u8>(layer, LAYER_DEPTH_WIDTH) == 3;
}
