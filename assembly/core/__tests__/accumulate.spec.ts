import { dot1, dot4 } from "../accumulate";

const MOST = 40;
const RECORDS = memory.data(MOST * 4, 4);
const ELEMENTS = memory.data(1 << 12);
const LANES = memory.data(32, 4);

let seed: u32 = 1;

/** The 16 upper bits of a linear congruential generator (Numerical Recipes' constants). */
function random(): u32 {
  seed = seed * 1664525 + 1013904223;
  return seed >>> 16;
}

/** Random records, and int8 elements that reach both ends of their range. */
function fill(): void {
  for (let i = 0; i < 1 << 12; i++) store<u8>(ELEMENTS + i, random());
  for (let i = 0; i < MOST; i++) store<u32>(RECORDS + (i << 2), ((random() % 3000) << 8) | (random() & 0xff));
}

/** The sum by definition. */
function plain(count: u32, elements: usize, acc: i32): i32 {
  for (let i: u32 = 0; i < count; i++) {
    let record = load<u32>(RECORDS + (i << 2));
    acc += <i32>(<i8>(record & 0xff)) * <i32>load<i8>(elements + (record >>> 8));
  }
  return acc;
}

describe("dot products", () => {
  it("are those of a plain loop", () => {
    for (let count: u32 = 0; count <= <u32>MOST; count++) {
      fill();
      let end = RECORDS + (count << 2);
      let start = <i32>(random() << 16);
      let starts: StaticArray<u32> = [0, random() % 1000, random() % 1000, 7];
      expect(dot1(RECORDS, end, ELEMENTS + starts[1], start)).toBe(plain(count, ELEMENTS + starts[1], start));
      for (let lane = 0; lane < 4; lane++) {
        store<usize>(LANES + (lane << 2), ELEMENTS + starts[lane]);
        store<i32>(LANES + (lane << 2), start + lane, 16);
      }
      dot4(RECORDS, end, LANES);
      for (let lane = 0; lane < 4; lane++) {
        expect(load<i32>(LANES + (lane << 2), 16)).toBe(plain(count, ELEMENTS + starts[lane], start + lane));
        expect(load<usize>(LANES + (lane << 2))).toBe(ELEMENTS + starts[lane]);
      }
    }
  });

  it("wrap", () => {
    store<u32>(RECORDS, 1);
    store<i8>(ELEMENTS, 1);
    expect(dot1(RECORDS, RECORDS + 4, ELEMENTS, i32.MAX_VALUE)).toBe(i32.MIN_VALUE);
  });

  it("reach offsets of 24 bits", () => {
    let record = (0xffffff << 8) | 0x80;
    store<u32>(RECORDS, record);
    store<i8>(ELEMENTS, -128);
    expect(dot1(RECORDS, RECORDS + 4, ELEMENTS - 0xffffff, 0)).toBe(16384);
  });
});
