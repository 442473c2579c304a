import { requantize, setRange, setScale } from "../requantize";

describe("requantize", () => {
  beforeAll(() => {
    setRange(0, -128, 127);
  });

  it("rounds half up, for negative numbers too", () => {
    // 2^30 / 2^31: halves.
    setScale(0x40000000, 31);
    let accumulators: StaticArray<i32> = [-4, -3, -2, -1, 0, 1, 2, 3, 4];
    let halves: StaticArray<i32> = [-2, -1, -1, 0, 0, 1, 1, 2, 2];
    for (let i = 0; i < 9; i++) expect(requantize(accumulators[i])).toBe(halves[i], accumulators[i].toString());
  });

  it("gives what exact fractions give", () => {
    // From tests/golden/requantize.py's rule: floor(acc × multiplier / 2^shift + 1/2).
    setScale(1518500250, 38);
    expect(requantize(1000)).toBe(6);
    expect(requantize(-1000)).toBe(-6);
    expect(requantize(12345)).toBe(68);
    expect(requantize(-20000)).toBe(-110);
    setScale(2147483647, 40);
    expect(requantize(255)).toBe(0);
    expect(requantize(256)).toBe(0);
    expect(requantize(257)).toBe(1);
  });

  it("adds the zero point, then clamps", () => {
    setScale(0x40000000, 30);
    setRange(-5, -5, 100);
    expect(requantize(0)).toBe(-5);
    expect(requantize(-1)).toBe(-5);
    expect(requantize(104)).toBe(99);
    expect(requantize(105)).toBe(100);
    expect(requantize(1000)).toBe(100);
    setRange(0, -128, 127);
  });

  it("keeps what is scaled by 2^30 / 2^30", () => {
    setScale(1 << 30, 30);
    for (let q: i32 = -128; q < 128; q++) expect(requantize(q)).toBe(q);
  });

  it("does not overflow at the ends of its ranges", () => {
    setScale(0x7fffffff, 62);
    expect(requantize(i32.MAX_VALUE)).toBe(1);
    expect(requantize(i32.MIN_VALUE)).toBe(-1);
    setScale(0x7fffffff, 1);
    expect(requantize(i32.MAX_VALUE)).toBe(127);
    expect(requantize(i32.MIN_VALUE)).toBe(-128);
    expect(requantize(0)).toBe(0);
  });
});
