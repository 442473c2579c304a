/** The layer at hand: what all layers' entries in the file begin with, and what several ops read. */
import {
  STATUS_TRUNCATED,
  TENSOR_CHANNELS,
  TENSOR_HEIGHT,
  TENSOR_PITCH,
  TENSOR_WIDTH,
  TENSOR_ZERO_POINT,
} from "../abi";
import { fileBytes, limitReads } from "./bit-reader";
import { needsOp } from "./container";
import { IS_WIDE } from "./element";
import { byte, signedByte, signedShort, varintIn } from "./fields";
import { FORM_CLAMP, FORM_RELU } from "../format";
import { readOp } from "./ops";
import { setRange, setScale } from "./requantize";
import { failure, expectRange } from "./status";
import { tensorAt } from "./tensor";

export let op: u32 = 0;
/** Entries of the tensor table. */
export let input: usize = 0;
export let output: usize = 0;
let outputIndex: u32 = 0;

/** Those of the fields in the two entries that are asked for often. Rows are the output's channels. */
export let rows: u32 = 0;
export let inputPitch: u32 = 0;
export let outputHeight: u32 = 0;
export let outputWidth: u32 = 0;

/** Reads the layer that makes tensor `index`. */
export function readLayer(index: u32): void {
  limitReads(fileBytes, STATUS_TRUNCATED);
  op = byte();
  expectRange(needsOp(op));
  output = tensorAt(index);
  outputIndex = index;
  input = readInput();
  rows = load<u32>(output, TENSOR_CHANNELS);
  inputPitch = load<u32>(input, TENSOR_PITCH);
  outputHeight = load<u32>(output, TENSOR_HEIGHT);
  outputWidth = load<u32>(output, TENSOR_WIDTH);
  readOp();
}

/**
 * Reads which tensor in front of the output an input is: an input of the model, a state, or the output of an earlier layer. @returns its entry, or
 * that of the output where there is no such tensor
 */
export function readInput(): usize {
  let distance = varintIn(0, outputIndex - 1) + 1;
  return tensorAt(failure ? outputIndex : outputIndex - distance);
}

/** Reads a form, and the range of the output's elements. @returns the form, whose bits FORM_RELU and FORM_CLAMP have been looked at */
export function readForm(): u32 {
  let form = byte();
  let zeroPoint = load<i32>(output, TENSOR_ZERO_POINT);
  let low = form & FORM_RELU ? zeroPoint : <i32>Element.MIN_VALUE;
  let high: i32 = Element.MAX_VALUE;
  if (form & FORM_CLAMP) {
    if (!(form & FORM_RELU)) low = IS_WIDE ? signedShort() : signedByte();
    high = IS_WIDE ? signedShort() : signedByte();
  }
  expectRange(low <= high);
  setRange(zeroPoint, low, high);
  return form;
}

/** Takes a multiplier and a shift that have just been read. */
export function readScale(factor: u32, places: u32): void {
  expectRange((factor - 0x40000000 < 0x40000000) & (places - 1 < 62));
  setScale(factor, places);
}
