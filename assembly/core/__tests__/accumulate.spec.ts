import { BLOCK, dot1, dotLarge, dotSmall, LARGE_ROW, SMALL_ROW, SMALL_SUM } from "../accumulate";

const MOST = 40;
const RECORDS = memory.data(MOST * 4, 4);
const ELEMENTS = memory.data(1 << 12);
const PITCH: usize = 37;

let seed: u32 = 1;

/** The 16 upper bits of a linear congruential generator (Numerical Recipes' constants). */
function random(): u32 {
  seed = seed * 1664525 + 1013904223;
  return seed >>> 16;
}

/** Random records, and elements that reach both ends of their range. */
function fill(): void {
  for (let i = 0; i < 1 << 12; i++) store<u8>(ELEMENTS + i, random() % 3 ? random() : 255);
  for (let i = 0; i < MOST; i++) store<u32>(RECORDS + (i << 2), ((random() % 3000) << 8) | (random() & 0xff));
}

/** The sum by definition. */
function plain(count: u32, elements: usize, acc: i32): i32 {
  for (let i: u32 = 0; i < count; i++) {
    let record = load<u32>(RECORDS + (i << 2));
    acc += <i32>(<i8>(record & 0xff)) * <i32>load<u8>(elements + (record >>> 8));
  }
  return acc;
}

/** Random records whose magnitudes add up to SMALL_SUM. @returns how many */
function fillSmall(): u32 {
  let left = <i32>SMALL_SUM;
  let count: u32 = 0;
  for (; left > 0 && count < <u32>MOST; count++) {
    let magnitude = count == MOST - 1 ? left : min(left, <i32>(random() % 13) + 1);
    left -= magnitude;
    let weight = random() & 1 ? magnitude : -magnitude;
    store<u32>(RECORDS + (count << 2), ((random() % 3000) << 8) | (weight & 0xff));
  }
  return count;
}

function negativeSum(count: u32): i32 {
  let sum = 0;
  for (let i: u32 = 0; i < count; i++) sum -= min(<i32>load<i8>(RECORDS + (i << 2)), 0);
  return sum;
}

describe("dot products", () => {
  it("are those of a plain loop", () => {
    for (let count: u32 = 0; count <= <u32>MOST; count++) {
      fill();
      let start = <i32>(random() << 16);
      let elements = ELEMENTS + (random() % 1000);
      expect(dot1(RECORDS, RECORDS + (count << 2), elements, start)).toBe(plain(count, elements, start));
    }
  });

  it("come for blocks of places in lanes of 16 bits, up to their ends", () => {
    for (let round = 0; round < 50; round++) {
      fill();
      let count = fillSmall();
      // All elements 255, all weights of one sign: the ends.
      if (round < 2) {
        memory.fill(ELEMENTS, 255, 1 << 12);
        for (let i: u32 = 0; i < count; i++) {
          let weight = abs(<i32>load<i8>(RECORDS + (i << 2)));
          store<i8>(RECORDS + (i << 2), round ? weight : -weight);
        }
      }
      let bias = 255 * negativeSum(count);
      dotSmall(RECORDS, RECORDS + (count << 2), ELEMENTS, PITCH, bias);
      for (let y: usize = 0; y < 4; y++) {
        for (let x: usize = 0; x < 8; x++) {
          let sum: i32 = load<u16>(BLOCK + y * SMALL_ROW + (((x & 1) << 3) | ((x >> 1) << 1)));
          expect(sum - bias).toBe(plain(count, ELEMENTS + y * PITCH + x, 0));
        }
      }
    }
  });

  it("come for blocks of places in lanes of 32 bits", () => {
    for (let count: u32 = 1; count <= <u32>MOST; count++) {
      fill();
      dotLarge(RECORDS, RECORDS + (count << 2), ELEMENTS, PITCH, BLOCK);
      for (let y: usize = 0; y < 2; y++) {
        for (let x: usize = 0; x < 8; x++) {
          let sum = load<i32>(BLOCK + y * LARGE_ROW + (((x & 3) << 3) | ((x >> 2) << 2)));
          expect(sum).toBe(plain(count, ELEMENTS + y * PITCH + x, 0));
        }
      }
    }
  });

  it("wrap", () => {
    store<u32>(RECORDS, 1);
    store<u8>(ELEMENTS, 1);
    expect(dot1(RECORDS, RECORDS + 4, ELEMENTS, i32.MAX_VALUE)).toBe(i32.MIN_VALUE);
  });

  it("reach offsets of 24 bits", () => {
    let record = (0xffffff << 8) | 0x80;
    store<u32>(RECORDS, record);
    store<u8>(ELEMENTS, 255);
    expect(dot1(RECORDS, RECORDS + 4, ELEMENTS - 0xffffff, 0)).toBe(-128 * 255);
  });
});
