/** The layer at hand: what all layers' entries in the file begin with, and what several ops read. */
import {
  STATUS_SHAPE,
  STATUS_TRUNCATED,
  TENSOR_CHANNELS,
  TENSOR_HEIGHT,
  TENSOR_PITCH,
  TENSOR_WIDTH,
  TENSOR_ZERO_POINT,
} from "../abi";
import { fileBytes, limitReads } from "./bit-reader";
import { tensorCount } from "./container";
import { byte, signedByte, varintIn } from "./fields";
import { setRange, setScale } from "./requantize";
import { expect, failure, expectRange } from "./status";
import { isWritten, tensorAt, tensorBegin, tensorBytes } from "./tensor";

export let op: u32 = 0;
/** Entries of the tensor table. */
export let input: usize = 0;
export let output: usize = 0;
export let outputIndex: u32 = 0;

/** Those of the fields in the two entries that are asked for often. Rows are the output's channels. */
export let rows: u32 = 0;
export let inputPitch: u32 = 0;
export let outputHeight: u32 = 0;
export let outputWidth: u32 = 0;

/** Reads the next layer up to its op's own fields. @returns whether its tensors exist, and may be looked at */
export function readLayer(): bool {
  limitReads(fileBytes, STATUS_TRUNCATED);
  op = byte();
  let inputIndex = varintIn(0, tensorCount - 1);
  outputIndex = varintIn(0, tensorCount - 1);
  if (failure) return false;
  input = tensorAt(inputIndex);
  output = tensorAt(outputIndex);
  rows = load<u32>(output, TENSOR_CHANNELS);
  inputPitch = load<u32>(input, TENSOR_PITCH);
  outputHeight = load<u32>(output, TENSOR_HEIGHT);
  outputWidth = load<u32>(output, TENSOR_WIDTH);
  let begin = tensorBegin(input);
  let outputBegin = tensorBegin(output);
  let overlap = begin < outputBegin + tensorBytes(output) && outputBegin < begin + tensorBytes(input);
  expect(isWritten(input) & !isWritten(output) & !overlap, STATUS_SHAPE);
  return true;
}

/** Reads the range of the output's elements. */
export function readRange(): void {
  let low = signedByte();
  let high = signedByte();
  expectRange(low <= high);
  setRange(load<i32>(output, TENSOR_ZERO_POINT), low, high);
}

/** Takes a multiplier and a shift that have just been read. */
export function readScale(factor: u32, places: u32): void {
  expectRange(factor - 0x40000000 < 0x40000000 && places - 1 < 62);
  setScale(factor, places);
}
