/** The file's header, memory plan and tensor table: checked once, when the model is loaded. */
import {
  CONTROL_LAYER_COUNT,
  CONTROL_MEMORY_BYTES,
  CONTROL_MODEL_BYTES,
  CONTROL_MODEL_PTR,
  CONTROL_TENSORS_PTR,
  CONTROL_TENSOR_COUNT,
  MODEL_SLACK_BYTES,
  PLAN_BASE,
  STATUS_CRC,
  STATUS_MAGIC,
  STATUS_MEMORY,
  STATUS_TRUNCATED,
  STATUS_VERSION,
  TENSOR_ENTRY_BYTES,
} from "../abi";
import { CRC_START, MAGIC, MAX_BYTES, MAX_LAYERS, MAX_TENSORS, MIN_WINDOW_BYTES, VERSION } from "../format";
import { ahead, bits, cursor, limit, moveWindow, openResident, openWindow, position, seek } from "./bit-reader";
import { CRC_INITIAL, updateCrc } from "./crc32";
import { byte, planBytes, varint, varintIn } from "./fields";
import { expect, expectRange, fail, failure } from "./status";
import { readTensor, tensorAt } from "./tensor";

/** Bytes of the file that one slice of work sums up. */
const CRC_SLICE: u32 = 28;

/** The plan's regions; each ends where the next begins. */
export let tablesPtr: usize = 0;
export let columnsPtr: usize = 0;
export let channelsPtr: usize = 0;
export let recordsPtr: usize = 0;
export let arenaPtr: usize = 0;

export let tensorCount: u32 = 0;
export let layerCount: u32 = 0;
/** File offset of the first layer. */
export let layersOffset: u32 = 0;

/** Bytes of linear memory that the core may use: up to here for the plan. */
let memoryEnd: u32 = 0;
/** Where the next of the plan's regions begins. */
let planEnd: u32 = 0;
let crc: u32 = 0;
let statedCrc: u32 = 0;

/** Whether the model is in linear memory. */
function isResident(): bool {
  return load<u32>(CONTROL_MODEL_PTR) != 0;
}

/** Reads the fixed part of the header, in the memory that every plan has. `readCrc` goes on. */
export function openContainer(memoryBytes: u32): void {
  let model = load<u32>(CONTROL_MODEL_PTR);
  let bytes = load<u32>(CONTROL_MODEL_BYTES);
  memoryEnd = memoryBytes;
  if (isResident()) {
    memoryEnd = model;
    if (<u64>model + bytes + MODEL_SLACK_BYTES > memoryBytes) fail(STATUS_MEMORY);
    openResident(model, bytes);
  } else {
    expect(memoryBytes >= <u32>(PLAN_BASE + MIN_WINDOW_BYTES + MODEL_SLACK_BYTES), STATUS_MEMORY);
    openWindow(PLAN_BASE, MIN_WINDOW_BYTES, bytes);
  }
  expectRange(bytes <= <u32>MAX_BYTES);
  if (failure) return;
  expect(bits(32) == MAGIC, STATUS_MAGIC);
  expect(byte() == VERSION, STATUS_VERSION);
  statedCrc = bits(32);
  expect(varint() == bytes, STATUS_TRUNCATED);
  crc = CRC_INITIAL;
  seek(CRC_START);
}

/** Sums up a slice of the file; behind the last one, reads the memory plan. @returns whether it was the last */
export function readCrc(): bool {
  let length = min(ahead(1), CRC_SLICE);
  crc = updateCrc(crc, cursor(), length);
  seek(position + length);
  if (position < limit) return false;
  if (~crc != statedCrc) fail(STATUS_CRC);
  else readPlan();
  return true;
}

/** Reads the counts and the memory plan, and moves the window to its place in it. */
function readPlan(): void {
  seek(CRC_START);
  varint(); // the length, checked before
  tensorCount = varintIn(1, MAX_TENSORS);
  layerCount = varintIn(1, MAX_LAYERS);
  planEnd = PLAN_BASE + tensorCount * TENSOR_ENTRY_BYTES;
  let windowPtr = readRegion();
  let windowBytes = planEnd - <u32>windowPtr;
  if (isResident()) planEnd = <u32>windowPtr;
  tablesPtr = readRegion();
  columnsPtr = readRegion();
  channelsPtr = readRegion();
  recordsPtr = readRegion();
  arenaPtr = readRegion();
  expectRange(windowBytes >= <u32>MIN_WINDOW_BYTES && recordsPtr < arenaPtr);
  expectRange(planEnd + (isResident() ? windowBytes : 0) < <u32>MAX_BYTES);
  expect(planEnd <= memoryEnd, STATUS_MEMORY);
  if (failure) return;
  if (!isResident()) moveWindow(windowPtr, windowBytes);
  store<u32>(CONTROL_TENSORS_PTR, PLAN_BASE);
  store<u32>(CONTROL_TENSOR_COUNT, tensorCount);
  store<u32>(CONTROL_LAYER_COUNT, layerCount);
  store<u32>(CONTROL_MEMORY_BYTES, planEnd);
}

/** @returns the address of the plan's next region, whose size is read. Six of the largest are below 2^32 */
function readRegion(): usize {
  let ptr = planEnd;
  planEnd += planBytes();
  return ptr;
}

/** Reads tensor `index`; the layers begin behind the last. */
export function readTensorAt(index: u32): void {
  readTensor(tensorAt(index), arenaPtr, planEnd - <u32>arenaPtr);
  layersOffset = position;
}
