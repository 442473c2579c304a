import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { leb128, readLeb128, signedLeb128, type FoundLeb128 } from "../../host/module/leb128.js";

function read(...bytes: number[]): FoundLeb128 {
  let at = 0;
  return readLeb128(() => {
    if (at === bytes.length) throw new Error("no more bytes");
    return bytes[at++];
  });
}

// DWARF Debugging Information Format 4, figures 22 and 23, and 7.6.
test.each<[number, number[]]>([
  [2, [2]],
  [127, [127]],
  [128, [0x80, 1]],
  [12857, [57 + 0x80, 100]],
  [624485, [0xe5, 0x8e, 0x26]],
  [2 ** 32 - 1, [0xff, 0xff, 0xff, 0xff, 0x0f]],
])("%i, unsigned", (value, bytes) => {
  expect(leb128(value)).toEqual(bytes);
  expect(read(...bytes)).toEqual({ value, bytes: bytes.length, last: bytes[bytes.length - 1] });
});

test.each<[bigint, number[]]>([
  [2n, [2]],
  [-2n, [0x7e]],
  [63n, [63]],
  [64n, [0xc0, 0]],
  [-64n, [0x40]],
  [-65n, [0xbf, 0x7f]],
  [127n, [0xff, 0]],
  [-129n, [0xff, 0x7e]],
  [-123456n, [0xc0, 0xbb, 0x78]],
  [-(2n ** 63n), [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f]],
])("%i, signed", (value, bytes) => {
  expect(signedLeb128(value)).toEqual(bytes);
});

describe("a reader", () => {
  test("finds what a writer wrote", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 35 - 1 }), (value) => {
        const bytes = leb128(value);
        expect(read(...bytes, 1)).toMatchObject({ value, bytes: bytes.length });
      }),
    );
  });

  test("takes more bytes than are needed, and leaves the sixth", () => {
    expect(read(0x85, 0x80, 0)).toEqual({ value: 5, bytes: 3, last: 0 });
    expect(read(0x80, 0x80, 0x80, 0x80, 0x81)).toEqual({ value: 2 ** 28, bytes: 5, last: 0x81 });
  });

  test("leaves it to the source of bytes to say that they end", () => {
    expect(() => read(0x80, 0x80)).toThrow("no more bytes");
  });
});
