/** Tensors where an instance has them: in its linear memory, found through its own tensor table (SPEC.md, "The core's interface"). */
import * as abi from "../../assembly/abi.js";
import { offsetOf, valuesOf, type Layout } from "../model/geometry.js";
import type { Elements } from "../model/elements.js";
import type { Shape } from "../model/model.js";
import type { CoreInstance } from "./driver.js";

/** An entry of the tensor table. Address and steps in bytes. */
export interface TensorEntry extends Layout {
  /** Of the first element inside the border. */
  readonly address: number;
  readonly shape: Shape;
  readonly zeroPoint: number;
  /** Whether it is an input or an output of the model. */
  readonly isEnd: boolean;
  /** Made some lines at a time, and perhaps never there as a whole. */
  readonly isByLines: boolean;
  /** Of an input that comes by lines: so many at a time, from `address` on. */
  readonly comingLines: number;
}

/** The u32 at an offset of some bytes. */
export const readWord = (bytes: Uint8Array, offset: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, true);

export function readEntry(instance: CoreInstance, entryPtr: number): TensorEntry {
  const bytes = instance.read(entryPtr, abi.TENSOR_ENTRY_BYTES);
  const word = (offset: number): number => readWord(bytes, offset);
  const state = word(abi.TENSOR_STATE);
  const isByLines = (state & abi.TENSOR_IS_BY_LINES) !== 0;
  return {
    address: word(abi.TENSOR_PTR),
    shape: [word(abi.TENSOR_CHANNELS), word(abi.TENSOR_HEIGHT), word(abi.TENSOR_WIDTH)],
    pitch: word(abi.TENSOR_PITCH),
    plane: word(abi.TENSOR_PLANE),
    zeroPoint: word(abi.TENSOR_ZERO_POINT) | 0,
    isEnd: (state & abi.TENSOR_IS_END) !== 0,
    isByLines,
    comingLines: isByLines ? (state >>> abi.TENSOR_LINES_SHIFT) & 0xff : 0,
  };
}

/**
 * @param values as many as the tensor has elements, [C, H, W] without borders
 * @param bias how far the bytes in memory are above the int8 elements that they stand for
 * @param first line of the values that is written to the tensor's address; `lines` of them
 */
export function writeElements(
  instance: CoreInstance,
  entry: TensorEntry,
  values: Elements,
  bias: number,
  first = 0,
  lines = entry.shape[1],
): void {
  // One write with what stands between the rows, instead of one a row.
  const bytes = instance.read(entry.address, spanOf(entry, lines));
  forEachElement(entry, (i, at) => (bytes[at] = values[i] + bias), first, lines);
  instance.write(entry.address, bytes);
}

/** A copy, [C, H, W] without borders. */
export function readElements(instance: CoreInstance, entry: TensorEntry, bias: number): Int8Array {
  const bytes = instance.read(entry.address, spanOf(entry, entry.shape[1]));
  const values = new Int8Array(valuesOf(entry.shape));
  forEachElement(entry, (i, at) => (values[i] = bytes[at] - bias));
  return values;
}

/** Bytes from the first element to behind the last, of so many lines. */
export function spanOf(entry: TensorEntry, lines: number): number {
  const [channels, , width] = entry.shape;
  return offsetOf(entry, channels - 1, lines - 1, width);
}

/**
 * @param visit takes an element's index in [C, H, W] and where it stands, from the first one
 * @param first of the lines that are visited, which stands at the tensor's address
 */
export function forEachElement(
  entry: TensorEntry,
  visit: (index: number, at: number) => void,
  first = 0,
  lines = entry.shape[1],
): void {
  const [channels, height, width] = entry.shape;
  for (let c = 0; c < channels; c++) {
    for (let y = 0, i = width * (height * c + first); y < lines; y++) {
      for (let x = 0, at = offsetOf(entry, c, y, 0); x < width; x++) visit(i++, at++);
    }
  }
}
