import { describe, expect, it } from "vitest";
import { readNpy } from "../../host/data/npy.js";
import { MoteError } from "../../host/errors.js";
import { npy } from "../support/npy.js";

const problem = (bytes: Uint8Array): string => {
  try {
    readNpy(bytes, "a.npy");
  } catch (error) {
    if (error instanceof MoteError) return `${error.code} ${error.message}`;
    throw error;
  }
  return "accepted";
};

describe(".npy", () => {
  const values = [0, 1, 2, 3, 100, 127];
  it.each<[string, string, (view: DataView, at: number, value: number, little: boolean) => void, number]>([
    ["i1", "int8", (view, at, value) => view.setInt8(at, value), 1],
    ["u1", "uint8", (view, at, value) => view.setUint8(at, value), 1],
    ["i2", "int16", (view, at, value, little) => view.setInt16(at, value, little), 2],
    ["u2", "uint16", (view, at, value, little) => view.setUint16(at, value, little), 2],
    ["i4", "int32", (view, at, value, little) => view.setInt32(at, value, little), 4],
    ["u4", "uint32", (view, at, value, little) => view.setUint32(at, value, little), 4],
    ["i8", "int64", (view, at, value, little) => view.setBigInt64(at, BigInt(value), little), 8],
    ["u8", "uint64", (view, at, value, little) => view.setBigUint64(at, BigInt(value), little), 8],
    ["f4", "float32", (view, at, value, little) => view.setFloat32(at, value, little), 4],
    ["f8", "float64", (view, at, value, little) => view.setFloat64(at, value, little), 8],
  ])("reads %s in both byte orders", (descr, type, set, size) => {
    for (const order of ["<", ">"]) {
      const data = new Uint8Array(values.length * size);
      const view = new DataView(data.buffer);
      values.forEach((value, i) => set(view, i * size, value, order === "<"));
      const array = readNpy(npy(order + descr, [2, 3], data), "a.npy");
      expect(array).toMatchObject({ shape: [2, 3], type });
      expect([...array.values]).toEqual(values);
    }
  });

  it("reads float16 and bool", () => {
    const halves = Uint8Array.of(0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00);
    expect([...readNpy(npy("<f2", [3], halves), "a").values]).toEqual([1, -2, 2 ** -24]);
    expect([...readNpy(npy("|b1", [2], Uint8Array.of(1, 0)), "a").values]).toEqual([1, 0]);
  });

  it("brings the order of Fortran into that of C", () => {
    // numpy.asfortranarray(numpy.arange(24).reshape(2, 3, 4)).tobytes("A")
    const order = [0, 12, 4, 16, 8, 20, 1, 13, 5, 17, 9, 21, 2, 14, 6, 18, 10, 22, 3, 15, 7, 19, 11, 23];
    const array = readNpy(npy("|u1", [2, 3, 4], Uint8Array.from(order), { fortran: true }), "a");
    expect([...array.values]).toEqual(Array.from({ length: 24 }, (_, i) => i));
  });

  it("reads the three versions of the header, and none of the shape", () => {
    for (const version of [1, 2, 3]) {
      expect([...readNpy(npy("|u1", [2], Uint8Array.of(7, 8), { version }), "a").values]).toEqual([7, 8]);
    }
    expect(readNpy(npy("|u1", [], Uint8Array.of(7)), "a")).toMatchObject({ shape: [] });
  });

  it.each<[string, Uint8Array, RegExp]>([
    [
      "another file",
      Uint8Array.from([1, 2, 3]),
      /^FORMAT a\.npy: expected a NumPy array, this is a file that begins with 01 02 03$/,
    ],
    ["another version", npy("|u1", [1], Uint8Array.of(1), { version: 4 }), /^UNSUPPORTED a\.npy: version 4/],
    [
      "an end within the header",
      npy("|u1", [1], Uint8Array.of(1)).subarray(0, 9),
      /ends at byte 9, within its header$/,
    ],
    [
      "a header longer than the file",
      npy("|u1", [1], Uint8Array.of(1)).subarray(0, 40),
      /a header of \d+ bytes, expected at most 30$/,
    ],
    [
      "fewer elements than it says",
      npy("<f4", [2, 3], new Uint8Array(23)),
      /\[2, 3\] of float32 takes 24 bytes, the file has 23$/,
    ],
    ["more elements than it says", npy("<f4", [2, 3], new Uint8Array(25)), /the file has 25$/],
    [
      "a shape beyond any file",
      npy("<f8", [2 ** 52, 2 ** 52], new Uint8Array(8)),
      /takes 1\.6\d+e\+32 bytes, the file has 8$/,
    ],
    [
      "Python objects",
      npy("|O", [1], new Uint8Array(8)),
      /^UNSUPPORTED a\.npy: elements of "\|O" are not read, expected b1/,
    ],
    ["complex numbers", npy("<c8", [1], new Uint8Array(8)), /^UNSUPPORTED a\.npy: elements of "<c8"/],
    ["text", npy("<U3", [1], new Uint8Array(12)), /^UNSUPPORTED a\.npy: elements of "<U3"/],
    [
      "a name that objects have",
      npy("constructor", [1], new Uint8Array(1)),
      /^UNSUPPORTED a\.npy: elements of "constructor"/,
    ],
    [
      "records",
      npy("", [1], new Uint8Array(8), { header: "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}" }),
      /^UNSUPPORTED a\.npy: an array of records/,
    ],
    [
      "a shape that is none",
      npy("", [1], new Uint8Array(4), { header: "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}" }),
      /^FORMAT a\.npy: the header is "\{'descr'/,
    ],
    [
      "a key that is missing",
      npy("", [1], new Uint8Array(4), { header: "{'descr': '<f4', 'shape': (1,)}" }),
      /^FORMAT a\.npy: the header is/,
    ],
    [
      "digits without end",
      npy("", [1], new Uint8Array(4), {
        header: `{'descr': '<f4', 'fortran_order': False, 'shape': (${"1".repeat(9000)}x)}`,
      }),
      /^FORMAT a\.npy: the header is/,
    ],
  ])("refuses %s", (_, bytes, expected) => {
    expect(problem(bytes)).toMatch(expected);
  });
});
