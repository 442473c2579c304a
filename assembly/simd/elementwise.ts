/** add and mul, a vector of elements at a time; lut and resize, line by line. */
import { TENSOR_CHANNELS, TENSOR_HEIGHT, TENSOR_PITCH, TENSOR_WIDTH, TENSOR_ZERO_POINT } from "../abi";
import { LUT_ENTRIES, OP_ADD } from "../format";
import { bits, position, seek } from "../core/bit-reader";
import { op, outputWidth } from "../core/layer";
import { factor, other, otherFactor, otherStep } from "../core/ops/elementwise";
import { factorX, factorY } from "../core/ops/resize";
import { copyLine, elementAt } from "./lines";
import { take } from "./memory";
import { Layer, LUT, PRODUCT, RESIZE, SUM } from "./program";
import { requantizeSums } from "./requantize";
import { noteRoom, room } from "./room";

/** What vectors write beyond a line's last element. */
const BEYOND: u32 = 32;

/** Notes what a sum or a product is. */
export function keepPair(kept: Layer): void {
  kept.kind = op == OP_ADD ? SUM : PRODUCT;
  kept.other = other;
  kept.otherStep = otherStep;
  if (op == OP_ADD) {
    kept.multiplier = factor;
    kept.otherMultiplier = otherFactor;
  }
  noteRoom((outputWidth + BEYOND) * 5);
}

export function runPair(kept: Layer): void {
  let output = kept.output;
  let height = load<u32>(output, TENSOR_HEIGHT);
  let width = load<u32>(output, TENSOR_WIDTH);
  let channels = load<u32>(output, TENSOR_CHANNELS);
  let zero = i16x8.splat(<i16>load<i32>(kept.input, TENSOR_ZERO_POINT));
  let otherZero = i16x8.splat(<i16>load<i32>(kept.other, TENSOR_ZERO_POINT));
  let elements = room + (width + BEYOND) * 4;
  for (let c: u32 = 0; c < channels; c++) {
    for (let y: u32 = 0; y < height; y++) {
      let first = elementAt(kept.input, c, y);
      let second = elementAt(kept.other, c, kept.otherStep ? y : 0);
      if (kept.kind == SUM) sumLine(kept, first, second, zero, otherZero, width, elements);
      else {
        multiplyLine(first, second, kept.otherStep, zero, otherZero, width);
        requantizeSums(room, width, elements, kept.multiplier, kept.shift, kept.zeroPoint, kept.low, kept.high);
      }
      copyLine(elementAt(output, c, y), elements, width);
    }
  }
}

/** Eight elements less their zero point. */

@inline
function less(elements: usize, zero: v128): v128 {
  return i16x8.sub(v128.load_ext<i8>(elements), zero);
}

/** `(a × factor + b × otherFactor + 2^(shift − 1)) >> shift`, all of it in 32 bits. */
function sumLine(kept: Layer, a: usize, b: usize, zero: v128, otherZero: v128, count: u32, target: usize): void {
  let factors = i32x4.splat(kept.multiplier);
  let others = i32x4.splat(kept.otherMultiplier);
  let shift = <i32>kept.shift;
  let half = i32x4.splat(1 << (shift - 1));
  let zeros = i16x8.splat(<i16>kept.zeroPoint);
  let lows = i16x8.splat(<i16>kept.low);
  let highs = i16x8.splat(<i16>kept.high);
  for (let end = a + count; a < end; a += 8) {
    let x = less(a, zero);
    let y = less(b, otherZero);
    let low = i32x4.add(
      i32x4.mul(i32x4.extend_low_i16x8_s(x), factors),
      i32x4.mul(i32x4.extend_low_i16x8_s(y), others),
    );
    let high = i32x4.add(
      i32x4.mul(i32x4.extend_high_i16x8_s(x), factors),
      i32x4.mul(i32x4.extend_high_i16x8_s(y), others),
    );
    let sums = i16x8.narrow_i32x4_s(
      i32x4.shr_s(i32x4.add(low, half), shift),
      i32x4.shr_s(i32x4.add(high, half), shift),
    );
    sums = i16x8.min_s(i16x8.max_s(i16x8.add_sat_s(sums, zeros), lows), highs);
    v128.store64_lane(target, i8x16.narrow_i16x8_s(sums, sums), 0);
    b += 8;
    target += 8;
  }
}

/** Products to the room, i32 each. */
function multiplyLine(a: usize, b: usize, step: u32, zero: v128, otherZero: v128, count: u32): void {
  let gate = i16x8.sub(i16x8.splat(<i16>load<i8>(b)), otherZero);
  let target = room;
  for (let end = a + count; a < end; a += 8) {
    let x = less(a, zero);
    let y = step ? less(b, otherZero) : gate;
    v128.store(target, i32x4.extmul_low_i16x8_s(x, y));
    v128.store(target, i32x4.extmul_high_i16x8_s(x, y), 16);
    b += 8;
    target += 32;
  }
}

/** Notes what a lut is, and keeps its table, which the reader has just passed over. */
export function keepLut(kept: Layer): void {
  kept.kind = LUT;
  kept.rows = take(LUT_ENTRIES);
  if (!kept.rows) return;
  seek(position - LUT_ENTRIES);
  for (let at = kept.rows; at < kept.rows + LUT_ENTRIES; at++) store<u8>(at, bits(8));
}

export function runLut(kept: Layer): void {
  let output = kept.output;
  let height = load<u32>(output, TENSOR_HEIGHT);
  let width = load<u32>(output, TENSOR_WIDTH);
  let channels = load<u32>(output, TENSOR_CHANNELS);
  let table = kept.rows + 128;
  for (let c: u32 = 0; c < channels; c++) {
    for (let y: u32 = 0; y < height; y++) {
      let source = elementAt(kept.input, c, y);
      let target = elementAt(output, c, y);
      for (let end = source + width; source < end; source++) store<u8>(target++, load<u8>(table + load<i8>(source)));
    }
  }
}

export function keepResize(kept: Layer): void {
  kept.kind = RESIZE;
  kept.strideY = factorY;
  kept.strideX = factorX;
}

/** Each line becomes several: the first is written element by element, the others are copies. */
export function runResize(kept: Layer): void {
  let output = kept.output;
  let source = kept.input;
  let height = load<u32>(source, TENSOR_HEIGHT);
  let width = load<u32>(source, TENSOR_WIDTH);
  let channels = load<u32>(output, TENSOR_CHANNELS);
  let pitch = load<u32>(output, TENSOR_PITCH);
  for (let c: u32 = 0; c < channels; c++) {
    for (let y: u32 = 0; y < height; y++) {
      let from = elementAt(source, c, y);
      let first = elementAt(output, c, y * kept.strideY);
      let target = first;
      for (let end = from + width; from < end; from++) {
        let value = load<u8>(from);
        for (let stop = target + kept.strideX; target < stop; target++) store<u8>(target, value);
      }
      let line = first;
      for (let i: u32 = 1; i < kept.strideY; i++) copyLine((line += pitch), first, width * kept.strideX);
    }
  }
}
