import fc from "fast-check";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { packageRoot } from "../../host/node/paths.js";
import { requantize, requantizeFactor } from "../../host/quantize/requantize.js";

type Case = [
  acc: number,
  multiplier: number,
  shift: number,
  zeroPoint: number,
  clampMin: number,
  clampMax: number,
  q: number,
];

describe("requantize", () => {
  test("gives the answers of Python's exact integers (tests/golden/requantize.py)", () => {
    const cases = JSON.parse(readFileSync(join(packageRoot, "tests/golden/requantize.json"), "utf8")) as Case[];
    expect(cases.length).toBeGreaterThan(4000);
    for (const [acc, multiplier, shift, zeroPoint, clampMin, clampMax, q] of cases) {
      // + 0: a JSON file knows no -0.
      expect(
        requantize(acc, multiplier, shift, zeroPoint, clampMin, clampMax) + 0,
        `${acc} ${multiplier} ${shift}`,
      ).toBe(q);
    }
  });

  test("is the formula of SPEC.md for any accumulator", () => {
    const int32 = fc.oneof(fc.integer(), fc.integer({ min: -1000, max: 1000 }));
    const multiplier = fc.integer({ min: 2 ** 30, max: 2 ** 31 - 1 });
    fc.assert(
      fc.property(
        int32,
        multiplier,
        fc.integer({ min: 1, max: 62 }),
        fc.integer({ min: -128, max: 127 }),
        (acc, m, shift, zp) => {
          const exact = Number((BigInt(acc) * BigInt(m) + (1n << BigInt(shift - 1))) >> BigInt(shift)) + zp;
          expect(requantize(acc, m, shift, zp, -128, 127) + 0).toBe(Math.max(-128, Math.min(127, exact)) + 0);
        },
      ),
      { numRuns: 5000 },
    );
  });
});

describe("requantizeFactor", () => {
  test("comes within half a unit of 31 bits", () => {
    fc.assert(
      fc.property(fc.double({ min: -31.9, max: 28.9, noNaN: true }), (exponent) => {
        const factor = 2 ** exponent;
        const { multiplier, shift } = requantizeFactor(factor);
        expect(multiplier).toBeGreaterThanOrEqual(2 ** 30);
        expect(multiplier).toBeLessThan(2 ** 31);
        expect(shift).toBeGreaterThanOrEqual(1);
        expect(shift).toBeLessThanOrEqual(62);
        expect(Math.abs(multiplier / 2 ** shift / factor - 1)).toBeLessThanOrEqual(2 ** -31);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    [1, 2 ** 30, 30],
    [0.5, 2 ** 30, 31],
    [1 - 2 ** -40, 2 ** 30, 30],
    [2 ** -32, 2 ** 30, 62],
    [0.75, 3 * 2 ** 29, 31],
  ])("%f = %d / 2^%d", (factor, multiplier, shift) => {
    expect(requantizeFactor(factor)).toEqual({ multiplier, shift });
  });

  test.each([0, -1, NaN, Infinity, 2 ** -33, 2 ** 29])("refuses %f", (factor) => {
    expect(() => requantizeFactor(factor)).toThrow(RangeError);
  });
});
