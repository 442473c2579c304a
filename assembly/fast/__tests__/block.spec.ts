import { RECORD_BYTES } from "../../abi";
import { LANES, ROW_LANES, SUMS, sumBlock, widen } from "../kernels/block";
import { BLOCK_HEIGHT, BLOCK_WIDTH, CHUNK_MAGNITUDE } from "../layout";

const MOST = 64;
const RECORDS = memory.data(MOST * RECORD_BYTES, 4);
const PITCH: u32 = 23;
const ELEMENTS = memory.data(1 << 12);

let seed: u32 = 1;

/** The 16 upper bits of a linear congruential generator (Numerical Recipes' constants). */
function random(): u32 {
  seed = seed * 1664525 + 1013904223;
  return seed >>> 16;
}

/** Writes `count` records whose weights' magnitudes add up to CHUNK_MAGNITUDE. @returns 255 times those below zero */
function fillRecords(count: u32): u32 {
  let rest: u32 = CHUNK_MAGNITUDE;
  let negative: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    let magnitude = i == count - 1 ? min<u32>(rest, 127) : min<u32>(random() % 9, rest);
    rest -= magnitude;
    let isNegative = (random() & 1) == 1;
    if (isNegative) negative += magnitude;
    let weight = isNegative ? -(<i32>magnitude) : <i32>magnitude;
    store<u32>(RECORDS + i * RECORD_BYTES, ((random() % 3000) << 8) | (weight & 0xff));
  }
  return 255 * negative;
}

/** Elements at random, or at the ends of their range. */
function fillElements(extreme: bool): void {
  for (let i = 0; i < 1 << 12; i++) store<u8>(ELEMENTS + i, extreme ? (random() & 1) * 255 : random());
}

/** The sum at a place by definition. */
function plain(count: u32, place: usize): i32 {
  let sum = 0;
  for (let i: u32 = 0; i < count; i++) {
    let record = load<u32>(RECORDS + i * RECORD_BYTES);
    sum += <i32>(<i8>(record & 0xff)) * <i32>load<u8>(place + (record >>> 8));
  }
  return sum;
}

/** Address of the lane of a place. */
function laneOf(x: i32, y: i32): usize {
  return LANES + <usize>y * ROW_LANES + ((x & 1) << 3) + (x & 6);
}

describe("sums of a block", () => {
  it("are those of a plain loop, in lanes that are full", () => {
    for (let count: u32 = 1; count <= <u32>MOST; count++) {
      fillElements((count & 1) == 1);
      let bias = fillRecords(count);
      sumBlock(RECORDS, RECORDS + count * RECORD_BYTES, ELEMENTS, PITCH, bias);
      for (let y = 0; y < BLOCK_HEIGHT; y++) {
        for (let x = 0; x < BLOCK_WIDTH; x++) {
          expect(<i32>load<u16>(laneOf(x, y)) - <i32>bias).toBe(plain(count, ELEMENTS + y * PITCH + x));
        }
      }
    }
  });

  it("of several chunks add up", () => {
    fillElements(true);
    let bias = fillRecords(20);
    sumBlock(RECORDS, RECORDS + 20 * RECORD_BYTES, ELEMENTS, PITCH, bias);
    widen(true);
    widen(false);
    widen(false);
    for (let y = 0; y < BLOCK_HEIGHT; y++) {
      for (let x = 0; x < BLOCK_WIDTH; x++) {
        let sum = load<i32>(SUMS + 2 * (laneOf(x, y) - LANES));
        expect(sum).toBe(3 * (plain(20, ELEMENTS + y * PITCH + x) + <i32>bias));
      }
    }
  });
});
