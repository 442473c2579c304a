/** maxpool and avgpool: columns of a line of windows first, a vector of them at a time, then along the line. */
import { TENSOR_CHANNELS, TENSOR_HEIGHT, TENSOR_PITCH, TENSOR_WIDTH, TENSOR_ZERO_POINT } from "../abi";
import { OP_MAXPOOL } from "../format";
import { input, op } from "../core/layer";
import { kernelHeight, kernelWidth, origin, strideX, strideY } from "../core/ops/window";
import { requantizeAway, setRange, setScale } from "../core/requantize";
import { elementAt, maxLine } from "./lines";
import { AVGPOOL, BY_CORE, Layer, MAXPOOL } from "./program";
import { noteRoom, room } from "./room";

/** Columns of up to so many elements are summed in 16 bits. */
const MOST_SUMMED: u32 = 255;
/** What vectors reach beyond a line's last element. */
const BEYOND: u32 = 64;

/** Notes what a pool is. One whose columns are too high for sums of 16 bits is left to the core. */
export function keepPool(kept: Layer): void {
  kept.kind = op == OP_MAXPOOL ? MAXPOOL : kernelHeight <= MOST_SUMMED ? AVGPOOL : BY_CORE;
  kept.origin = origin;
  kept.kernelHeight = kernelHeight;
  kept.kernelWidth = kernelWidth;
  kept.strideY = strideY;
  kept.strideX = strideX;
  noteRoom((load<u32>(input, TENSOR_PITCH) + BEYOND) * 2);
}

export function runPool(kept: Layer): void {
  let output = kept.output;
  let height = load<u32>(output, TENSOR_HEIGHT);
  let width = load<u32>(output, TENSOR_WIDTH);
  let channels = load<u32>(output, TENSOR_CHANNELS);
  let pitch = load<u32>(kept.input, TENSOR_PITCH);
  let isMax = kept.kind == MAXPOOL;
  setRange(kept.zeroPoint, kept.low, kept.high);
  setScale(kept.multiplier, kept.shift);
  for (let c: u32 = 0; c < channels; c++) {
    for (let y: u32 = 0; y < height; y++) {
      let source = elementAt(kept.input, c, y * kept.strideY) - kept.origin;
      let target = elementAt(output, c, y);
      if (isMax) {
        maxLine(source, pitch, kept.kernelHeight, kept.kernelWidth, kept.strideX, width, room, target);
        if (kept.low > i8.MIN_VALUE || kept.high < i8.MAX_VALUE) clampLine(kept, target, width);
      } else averageLine(kept, source, pitch, target, width);
    }
  }
}

/** A maximum keeps its scale. */
function clampLine(kept: Layer, target: usize, count: u32): void {
  for (let end = target + count; target < end; target++) {
    store<i8>(target, min(max(<i32>load<i8>(target), kept.low), kept.high));
  }
}

function averageLine(kept: Layer, source: usize, pitch: u32, target: usize, count: u32): void {
  let line = room;
  let step = kept.strideX;
  let width = kept.kernelWidth;
  let height = kept.kernelHeight;
  let span = (count - 1) * step + width;
  for (let x: u32 = 0; x < span; x += 16) {
    let at = source + x;
    let low = i16x8.splat(0);
    let high = low;
    for (let y: u32 = 0; y < height; y++) {
      low = i16x8.add(low, v128.load_ext<i8>(at));
      high = i16x8.add(high, v128.load_ext<i8>(at, 8));
      at += pitch;
    }
    v128.store(line + 2 * x, low);
    v128.store(line + 2 * x, high, 16);
  }
  let start = -load<i32>(kept.input, TENSOR_ZERO_POINT) * <i32>(height * width);
  for (let j: u32 = 0; j < count; j++) {
    let at = line + 2 * step * j;
    let end = at + 2 * width;
    let sum = start;
    for (; at < end; at += 2) sum += load<i16>(at);
    store<i8>(target + j, requantizeAway(sum));
  }
}
