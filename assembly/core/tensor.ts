/**
 * The tensor table in linear memory: inputs, then states, which keep their values from one run to the next, then the layers' outputs, some of
 * which are the model's. Layout: SPEC.md, "The core's interface".
 */
import {
  PLAN_BASE,
  TENSOR_CHANNELS,
  TENSOR_ENTRY_BYTES,
  TENSOR_HEIGHT,
  TENSOR_PITCH,
  TENSOR_PLANE,
  TENSOR_PTR,
  TENSOR_STATE,
  TENSOR_WIDTH,
  TENSOR_ZERO_POINT,
} from "../abi";
import {
  FLAG_END,
  FLAG_NOMINAL,
  FLAG_SIZE,
  FLAG_STATE,
  FLAGS_BORDER_MASK,
  MAX_BYTES,
  MAX_TENSOR_BYTES,
  SMALL_SCALE_BITS,
} from "../format";
import { bits } from "./bit-reader";
import { arenaPtr, firstOutput, planEnd, tensorCount } from "./container";
import { ELEMENT_BYTES, ELEMENT_SHIFT, IS_WIDE } from "./element";
import { byte, channelsBehind, dimension, isStated, signedByte, varint, varintIn } from "./fields";
import { isSmall } from "./range-decoder";
import { addFilling } from "./run-work";
import { expectRange } from "./status";

/** The upper half of a state's state word: its source. */
const STATE_SOURCE = TENSOR_STATE + 2;

/** Cells that one piece of work fills. */
export const FILLED_CELLS: u32 = 44;

/** The first state, and how many tensors are in front of it: inputs. */
export let firstState: u32 = 0;
/** The model's first output; 0 until there is one. */
export let modelOutput: u32 = 0;
/** Of the tensor read last. */
let lastChannels: u32 = 0;
let lastHeight: u32 = 0;

/** The flags that a tensor may have: all, or in a core made for one model those that go with what it was made without. */
function knownFlags(): u32 {
  return -1;
}

/** The most that a tensor may take. A core made for a model without wide tensors takes no others. */
function mostBytes(): u32 {
  return MAX_TENSOR_BYTES;
}

/** Address of a tensor's entry. */
export function tensorAt(index: u32): usize {
  return PLAN_BASE + index * TENSOR_ENTRY_BYTES;
}

export function beginTensors(): void {
  firstState = modelOutput = 0;
  beginShapes();
}

/** In front of the first tensor there are no channels and no height. */
function beginShapes(): void {
  lastChannels = lastHeight = 0;
}

/** Reads tensor `index` of the file into its entry; those before it have been read. It lies within the arena, or reading fails. */

@inline
export function readTensor(index: u32): void {
  // Whatever is wrong with it, the entry is there to be written.
  let entry = tensorAt(index);
  let channels = channelsBehind(lastChannels);
  lastChannels = channels;
  store<u32>(entry, channels, TENSOR_CHANNELS);
  let flags = byte();
  // The border, mostly 0, is in the upper half of the number.
  if (isSmall()) flags = ((flags << 4) | (flags >>> 4)) & 255;
  let border = flags & knownFlags() & FLAGS_BORDER_MASK;
  let kind: u32 = flags & (FLAG_END | FLAG_STATE);
  let height: u32 = 1;
  let width: u32 = 1;
  if (flags & FLAG_SIZE) {
    height = dimension(lastHeight);
    width = dimension(height);
  }
  lastHeight = height;
  store<u32>(entry, height, TENSOR_HEIGHT);
  store<u32>(entry, width, TENSOR_WIDTH);
  if (flags & FLAG_NOMINAL) varint();
  // The scale: a positive finite float's bits are those of an integer between those of 0 and infinity.
  if (flags & FLAG_END) expectRange(scaleBits() - 1 < 0x7f7fffff);
  store<i32>(entry, signedByte(), TENSOR_ZERO_POINT);
  if (IS_WIDE) expectRange(!load<u32>(entry, TENSOR_ZERO_POINT));
  let isPlaced = isStated();
  let place: u64 = isPlaced ? varintIn(0, MAX_BYTES) : 0;
  // Bits 9 and 10 of the state word are the flags' upper two.
  store<u32>(entry, border | (kind << 3), TENSOR_STATE);
  if (flags & knownFlags() & FLAG_STATE) store<u16>(entry, varintIn(0, tensorCount - 1), STATE_SOURCE);
  let pitch = (width + 2 * border) << ELEMENT_SHIFT;
  store<u32>(entry, pitch, TENSOR_PITCH);
  let plane = <u64>pitch * (height + 2 * border);
  store<u32>(entry, <u32>plane, TENSOR_PLANE);
  let bytes = plane * channels;
  if (!isPlaced) {
    // So that it ends where the arena does, or begins with it if it is longer, which is refused.
    let room: u64 = planEnd - <u32>arenaPtr;
    place = room - min(room, bytes);
  }
  store<u32>(entry, arenaPtr + <u32>place + border * (pitch + ELEMENT_BYTES), TENSOR_PTR);
  if (IS_WIDE) expectRange(!(place & (ELEMENT_BYTES - 1)));
  expectRange(!(flags & ~knownFlags()) & (bytes <= <u64>mostBytes()) & (arenaPtr + place + bytes <= planEnd));
  addFilling(entry);
  countEnd(index, kind);
}

/** The bits of a scale, in a small container behind a 1; a 0 is the scale that goes without saying. */
function scaleBits(): u32 {
  return isStated() ? bits(32) : SMALL_SCALE_BITS;
}

/** Counts the inputs, and finds the first output. A packed module knows both. */
function countEnd(index: u32, kind: u32): void {
  if (index < firstOutput) {
    if ((kind == FLAG_END) & (index == firstState)) firstState++;
    else expectRange(kind == FLAG_STATE);
  } else {
    expectRange(kind <= <u32>FLAG_END);
    if (kind && !modelOutput) modelOutput = index;
  }
}

/** Packing knows. */
export function hasStates(): bool {
  return firstState < firstOutput;
}

/** The entry of the tensor that a state becomes after a run. */
export function sourceOf(state: usize): usize {
  return tensorAt(load<u16>(state, STATE_SOURCE));
}

/** Whether two tensors have the same shape. */
export function isAlike(a: usize, b: usize): bool {
  // Height and width at once.
  return (
    (load<u64>(a, TENSOR_HEIGHT) == load<u64>(b, TENSOR_HEIGHT)) &
    (load<u32>(a, TENSOR_CHANNELS) == load<u32>(b, TENSOR_CHANNELS))
  );
}

export function borderOf(entry: usize): u32 {
  return load<u8>(entry, TENSOR_STATE);
}

/** Bytes of the tensor, borders included. */
export function tensorBytes(entry: usize): u32 {
  return load<u32>(entry, TENSOR_CHANNELS) * load<u32>(entry, TENSOR_PLANE);
}

/** Fills a piece of a tensor's border: see `fill`. */
export function fillBorder(entry: usize, at: u32): u32 {
  return borderOf(entry) ? fill(entry, at, entry) : 0;
}

/**
 * Fills a piece of a tensor: the border with its zero point, and the elements with those of `source`, a tensor of the same shape, or
 * with the zero point where there is none. A tensor that is its own source keeps them.
 * @param at offset from the border's first byte of the cell to begin with: 0, then what the last piece returned
 * @param source an entry, or 0
 * @returns where to go on, or 0 when the tensor is complete
 */
export function fill(entry: usize, at: u32, source: usize): u32 {
  let border = borderOf(entry);
  let height = load<u32>(entry, TENSOR_HEIGHT);
  let width = load<u32>(entry, TENSOR_WIDTH);
  let pitch = load<u32>(entry, TENSOR_PITCH);
  let lines = height + 2 * border;
  let bytes = tensorBytes(entry);
  let begin = load<u32>(entry, TENSOR_PTR) - border * (pitch + ELEMENT_BYTES);
  let cells = FILLED_CELLS;
  do {
    let value = load<i32>(entry, TENSOR_ZERO_POINT);
    let line = at / pitch;
    let x = ((at % pitch) >> ELEMENT_SHIFT) - border;
    let y = (line % lines) - border;
    if ((x < width) & (y < height)) {
      if (source == entry) at += width << ELEMENT_SHIFT;
      else if (source) {
        let ptr = load<usize>(source, TENSOR_PTR) + (x << ELEMENT_SHIFT) + y * load<u32>(source, TENSOR_PITCH);
        value = load<Cell>(ptr + (line / lines) * load<u32>(source, TENSOR_PLANE));
      }
    }
    store<Cell>(begin + at, value);
  } while ((at += ELEMENT_BYTES) < bytes && --cells);
  return at < bytes ? at : 0;
}
