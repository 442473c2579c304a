/** dense, and conv2d at a single place: a row is one sum, of elements gathered by its weights' offsets, or of all that lie side by side. */
import { TENSOR_CHANNELS, TENSOR_HEIGHT, TENSOR_PLANE, TENSOR_PTR, TENSOR_WIDTH } from "../abi";
import { input, rows } from "../core/layer";
import { requantize, setRange, setScale } from "../core/requantize";
import { DENSE, Layer, NARROW_BYTES, PAIR_BYTES, Row, ROW_PAIRS, ROW_WHOLE } from "./program";

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
    else sum += sumNarrow(at.begin, at.end, elements);
    setScale(at.multiplier, at.shift);
    store<i8>(target, requantize(sum));
    target += plane;
  }
}

/** Gathers by offsets of two bytes. */
function sumNarrow(pair: usize, end: usize, elements: usize): i32 {
  let sum = 0;
  let other = 0;
  for (; pair < end; pair += NARROW_BYTES) {
    sum += load<i8>(pair, 4) * load<i8>(elements + load<u16>(pair));
    other += load<i8>(pair, 5) * load<i8>(elements + load<u16>(pair, 2));
  }
  return sum + other;
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
  let all = i32x4.add(sums, others);
  all = i32x4.add(all, v128.shuffle<i32>(all, all, 2, 3, 0, 1));
  return i32x4.extract_lane(all, 0) + i32x4.extract_lane(all, 1);
}
