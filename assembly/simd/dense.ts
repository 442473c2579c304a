/** dense, and conv2d at a single place: a row is one sum, of elements gathered by its weights' offsets, or of all that lie side by side. */
import { TENSOR_CHANNELS, TENSOR_HEIGHT, TENSOR_PLANE, TENSOR_PTR, TENSOR_WIDTH } from "../abi";
import { input, rows } from "../core/layer";
import { requantize, setRange, setScale } from "../core/requantize";
import { DENSE, Layer, GATHERED_BYTES, PAIR_BYTES, Row, ROW_PAIRS, ROW_WHOLE } from "./program";

/** Notes what a dense layer is, which has been read up to its weights. */
export function keepDense(kept: Layer): void {
  kept.kind = DENSE;
  kept.groupRows = rows;
  kept.groupChannels = load<u32>(input, TENSOR_CHANNELS);
  kept.plane = load<u32>(input, TENSOR_PLANE);
  kept.kernelHeight = load<u32>(input, TENSOR_HEIGHT);
  kept.kernelWidth = load<u32>(input, TENSOR_WIDTH);
}

export function runDense(kept: Layer): void {
  let elements = load<usize>(kept.input, TENSOR_PTR) - kept.origin;
  let row = kept.rows;
  let end = row + load<u32>(kept.output, TENSOR_CHANNELS) * offsetof<Row>();
  let target = load<usize>(kept.output, TENSOR_PTR);
  let plane = load<u32>(kept.output, TENSOR_PLANE);
  setRange(kept.zeroPoint, kept.low, kept.high);
  for (; row < end; row += offsetof<Row>()) {
    let at = changetype<Row>(row);
    let sum = at.start;
    if (at.form == ROW_WHOLE) sum += sumWhole(at.begin, at.end, elements);
    else if (at.form == ROW_PAIRS) sum += sumPairs(at.begin, at.end, elements);
    else sum += sumGathered(at.begin, at.end, elements);
    setScale(at.multiplier, at.shift);
    store<i8>(target, requantize(sum));
    target += plane;
  }
}

/** Gathers eight elements at a time. */
function sumGathered(entry: usize, end: usize, elements: usize): i32 {
  let zero = i8x16.splat(0);
  let sums = zero;
  for (; entry < end; entry += GATHERED_BYTES) {
    let x = v128.load8_lane(elements + load<u16>(entry), zero, 0);
    x = v128.load8_lane(elements + load<u16>(entry, 2), x, 1);
    x = v128.load8_lane(elements + load<u16>(entry, 4), x, 2);
    x = v128.load8_lane(elements + load<u16>(entry, 6), x, 3);
    x = v128.load8_lane(elements + load<u16>(entry, 8), x, 4);
    x = v128.load8_lane(elements + load<u16>(entry, 10), x, 5);
    x = v128.load8_lane(elements + load<u16>(entry, 12), x, 6);
    x = v128.load8_lane(elements + load<u16>(entry, 14), x, 7);
    sums = i32x4.add(sums, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(x), v128.load_ext<i8>(entry, 16)));
  }
  return total(sums);
}

function sumPairs(pair: usize, end: usize, elements: usize): i32 {
  let sum = 0;
  for (; pair < end; pair += PAIR_BYTES) {
    sum += load<i16>(pair, 8) * load<i8>(elements + load<u32>(pair));
    sum += load<i16>(pair, 10) * load<i8>(elements + load<u32>(pair, 4));
  }
  return sum;
}

/** A weight a byte; behind the last column they are 0. */
function sumWhole(weight: usize, end: usize, elements: usize): i32 {
  let sums = i32x4.splat(0);
  let others = sums;
  for (; weight < end; weight += 16) {
    sums = i32x4.add(sums, i32x4.dot_i16x8_s(v128.load_ext<i8>(weight), v128.load_ext<i8>(elements)));
    others = i32x4.add(others, i32x4.dot_i16x8_s(v128.load_ext<i8>(weight, 8), v128.load_ext<i8>(elements, 8)));
    elements += 16;
  }
  return total(i32x4.add(sums, others));
}

/** Of four sums. */
function total(sums: v128): i32 {
  let pairs = i32x4.add(sums, v128.shuffle<i32>(sums, sums, 2, 3, 0, 1));
  return i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1);
}
