import { describe, expect, it } from "vitest";
import { decodeElements, elementBits, elementBytes } from "../../host/import/constants.js";
import type { ElementType } from "../../host/import/graph.js";

describe("elements", () => {
  /** Bytes and what they are, as IEEE 754 and two's complement have it. */
  const cases: [ElementType, number[], number[]][] = [
    [
      "float16",
      [0, 0, 0, 0x80, 1, 0, 0xff, 3, 0, 4, 0, 0x3c, 0xff, 0x7b],
      [0, -0, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, 1, 65504],
    ],
    ["float16", [0, 0x7c, 0, 0xfc, 1, 0x7c], [Infinity, -Infinity, NaN]],
    ["bfloat16", [0x80, 0x3f, 0, 0xc0, 0x80, 0x7f, 1, 0], [1, -2, Infinity, 2 ** -133]],
    ["float32", [0, 0, 0x80, 0x3f, 1, 0, 0, 0], [1, 2 ** -149]],
    ["float64", [0, 0, 0, 0, 0, 0, 0xf0, 0x3f], [1]],
    ["int4", [0x87, 0xf1, 0x0a], [7, -8, 1, -1, -6]],
    ["uint4", [0x87, 0xf1], [7, 8, 1, 15]],
    ["int8", [0x80, 0xff, 0x7f], [-128, -1, 127]],
    ["uint8", [0x80, 0xff], [128, 255]],
    ["int16", [0, 0x80, 0xff, 0xff], [-32768, -1]],
    ["uint16", [0, 0x80, 0xff, 0xff], [32768, 65535]],
    ["int32", [0, 0, 0, 0x80], [-(2 ** 31)]],
    ["uint32", [0, 0, 0, 0x80], [2 ** 31]],
    ["int64", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 1, 0, 0, 0], [-1, 2 ** 32 + 1]],
    ["int64", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], [2 ** 63]],
    ["uint64", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [2 ** 64]],
    ["bool", [0, 1], [0, 1]],
  ];

  it.each(cases)("of %s: %j", (type, bytes, expected) => {
    expect([...decodeElements(type, Uint8Array.from(bytes), expected.length)]).toEqual(expected);
  });

  it.each(cases)("of %s are the same wherever they lie in memory, in a Buffer of Node too", (type, bytes, expected) => {
    for (let shift = 0; shift < 8; shift++) {
      const moved = Buffer.alloc(bytes.length + shift).subarray(shift);
      moved.set(bytes);
      expect([...decodeElements(type, moved, expected.length)]).toEqual(expected);
    }
  });

  it("must be as many as the bytes", () => {
    expect(elementBytes("int4", 5)).toBe(3);
    expect(() => decodeElements("int4", new Uint8Array(2), 5)).toThrow(
      "expected 3 bytes for 5 elements of int4, got 2",
    );
    expect(() => decodeElements("float32", new Uint8Array(5), 1)).toThrow(
      "expected 4 bytes for 1 elements of float32, got 5",
    );
    expect(elementBits("string")).toBe(undefined);
    expect(() => decodeElements("string", new Uint8Array(0), 0)).toThrow("elements of strings; expected numbers");
  });
});
