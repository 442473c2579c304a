/** The file's head: what the model asks of a core, counts and memory plan. Checked once, when the model is loaded. */
import {
  CONTROL_LAYER_COUNT,
  CONTROL_MEMORY_BYTES,
  CONTROL_MODEL_BYTES,
  CONTROL_MODEL_PTR,
  CONTROL_TENSORS_PTR,
  CONTROL_TENSOR_COUNT,
  MODEL_SLACK_BYTES,
  PLAN_BASE,
  STATUS_CODEC,
  STATUS_CRC,
  STATUS_MAGIC,
  STATUS_MEMORY,
  STATUS_OP,
  STATUS_VERSION,
  TENSOR_ENTRY_BYTES,
} from "../abi";
import {
  CODEC_CABAC,
  CODEC_HUFFMAN,
  CRC_START,
  MAGIC,
  MAX_BYTES,
  MAX_TENSORS,
  MIN_WINDOW_BYTES,
  OP_LUT,
  PLAN_UNIT,
  SMALL_CRC_START,
  SMALL_TAG,
  SMALL_TAG_WIDE,
  SMALL_WINDOW_BYTES,
  VERSION,
  VERSION_WIDE,
} from "../format";
import { ahead, cursor, limit, moveWindow, openWindow, plainBits, position, seek } from "./bit-reader";
import { knownCodecs } from "./codecs";
import { CRC_INITIAL, updateCrc } from "./crc32";
import { IS_WIDE } from "./element";
import { isStated, planBytes, varint, varintIn } from "./fields";
import { knownOps } from "./ops";
import { enterStream, isSmall, setSmall } from "./range-decoder";
import { expect, expectRange, fail, failure } from "./status";

/** What the two kinds of containers begin with whose elements are this core's. */
const TAG: u32 = IS_WIDE ? SMALL_TAG_WIDE : SMALL_TAG;
const PLAIN_VERSION: u32 = IS_WIDE ? VERSION_WIDE : VERSION;

/** Bytes of the file that one slice of work sums up. */
const CRC_SLICE: u32 = 20;

/** The plan's regions: what layers need while they are decoded, see scratch.ts, and behind it the tensors. */
export let scratchPtr: usize = 0;
export let arenaPtr: usize = 0;

export let tensorCount: u32 = 0;
/** The first layer's output, and how many tensors are in front of it: inputs and states. */
export let firstOutput: u32 = 0;
/** Bit i: the model has op i, or codec i. */
let ops: u32 = 0;
let codecs: u32 = 0;

/** Bytes of linear memory that the core may use: up to here for the plan. */
let memoryEnd: u32 = 0;
/** Where the next of the plan's regions begins; at last, behind the arena. */
export let planEnd: u32 = 0;
let crc: u32 = 0;
let statedCrc: u32 = 0;

/** Whether the model is in linear memory. */
function isResident(): bool {
  return load<u32>(CONTROL_MODEL_PTR) != 0;
}

/** Reads the fixed part of the head, in the memory that every plan has. `readCrc` goes on. */
export function openContainer(memoryBytes: u32): void {
  let bytes = load<u32>(CONTROL_MODEL_BYTES);
  let ptr: u32 = PLAN_BASE;
  let length: u32 = MIN_WINDOW_BYTES;
  memoryEnd = memoryBytes;
  if (isResident()) {
    memoryEnd = ptr = load<u32>(CONTROL_MODEL_PTR);
    length = bytes;
  }
  // Not by 'expect', since a packed module cannot know.
  if (<u64>ptr + length + MODEL_SLACK_BYTES > memoryBytes) fail(STATUS_MEMORY);
  openWindow(ptr, length, bytes, isResident());
  if (failure) return;
  let first = plainBits(8);
  setSmall(first == TAG);
  if (isSmall()) {
    expect(first == TAG, STATUS_MAGIC);
    statedCrc = plainBits(16);
  } else {
    expect((first | (plainBits(16) << 8)) == MAGIC, STATUS_MAGIC);
    expect(plainBits(8) == PLAIN_VERSION, STATUS_VERSION);
    statedCrc = plainBits(32);
  }
  crc = CRC_INITIAL;
}

/** Sums up a slice of the file; behind the last one, reads the rest of the head. @returns whether it was the last */
export function readCrc(): bool {
  let length = min(ahead(1), CRC_SLICE);
  crc = updateCrc(crc, cursor(), length);
  seek(position + length);
  if (position < limit) return false;
  // Of a small container the lower half.
  if ((~crc ^ statedCrc) << (isSmall() ? 16 : 0)) fail(STATUS_CRC);
  else readHead();
  return true;
}

/** Reads what stands between the CRC and the tensors. A packed module knows it all. */
function readHead(): void {
  enterStream(isSmall() ? SMALL_CRC_START : CRC_START, 1, 0);
  ops = varint();
  codecs = varint();
  // What goes back to bytes of the file has no place in a stream; nor has codec 3, which is there to compare with.
  let isBack = u32(isSmall());
  refuse(ops & ~(knownOps() & ~(isBack << OP_LUT)), STATUS_OP);
  refuse(codecs & ~(knownCodecs() & ~((isBack << CODEC_HUFFMAN) | (isBack << CODEC_CABAC))), STATUS_CODEC);
  if (failure) return;
  tensorCount = varintIn(2, MAX_TENSORS);
  let layerCount = varintIn(1, tensorCount - 1);
  firstOutput = tensorCount - layerCount;
  planEnd = PLAN_BASE + tensorCount * TENSOR_ENTRY_BYTES;
  let windowPtr = planEnd;
  let windowBytes = isStated() ? planBytes() : SMALL_WINDOW_BYTES;
  if (!isResident()) planEnd += windowBytes;
  scratchPtr = readRegion();
  arenaPtr = readRegion();
  expectRange(windowBytes >= <u32>MIN_WINDOW_BYTES);
  expectRange(planEnd + u32(isResident()) * windowBytes < <u32>MAX_BYTES);
  store<u32>(CONTROL_MEMORY_BYTES, planEnd);
  expect(planEnd <= memoryEnd, STATUS_MEMORY);
  if (!isResident()) moveWindow(windowPtr, windowBytes);
  store<u32>(CONTROL_TENSORS_PTR, PLAN_BASE);
  store<u32>(CONTROL_TENSOR_COUNT, tensorCount);
  store<u32>(CONTROL_LAYER_COUNT, layerCount);
}

/** Refuses a model for what it needs and this core lacks, a bit each: the lowest one's number becomes the place of the error. */
function refuse(missing: u32, status: i32): void {
  if (!missing || failure) return;
  fail(status);
  seek(ctz(missing));
}

/** Whether the head says that the model has the op. */
export function needsOp(op: u32): bool {
  return ((op < 32) & (ops >>> op)) != 0;
}

/** The same of a codec, 0 … 31. */
export function needsCodec(codec: u32): bool {
  return <bool>((codecs >>> codec) & 1);
}

/** The least codec of the head. */
export function firstCodec(): u32 {
  return ctz(codecs);
}

/** @returns the address of the plan's next region, whose size is read. Three of the largest are below 2^32 */
function readRegion(): usize {
  let ptr = planEnd;
  planEnd += planBytes();
  return ptr;
}
