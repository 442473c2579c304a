import { STATUS_READ, STATUS_STREAM, STATUS_TRUNCATED } from "../../abi";
import {
  ahead,
  bitBuffer,
  bitCount,
  bitPosition,
  bits,
  cursor,
  limitReads,
  moveWindow,
  openWindow,
  position,
  resume,
  seek,
  seekBits,
} from "../bit-reader";
import { clearFailure, failure } from "../status";
import { clear, fileLength, filePtr, offerFile, putBits } from "./file-builder";

/** 1,000 fields of 0 … 32 bits, each its index times a constant that spreads over all bits. */
function putFields(): void {
  clear();
  for (let i: u32 = 0; i < 1000; i++) putBits(i * 0x9e3779b1, i % 33);
  offerFile();
}

function expectFields(): void {
  for (let i: u32 = 0; i < 1000; i++) {
    let count = i % 33;
    let value = i * 0x9e3779b1;
    expect(bits(count)).toBe(count == 32 ? value : value & ((1 << count) - 1), "field " + i.toString());
  }
  expect(failure).toBe(0);
}

describe("bit reader", () => {
  beforeEach(() => {
    clearFailure();
  });

  it("reads fields of all widths in linear memory", () => {
    putFields();
    openWindow(filePtr(), fileLength(), fileLength(), true);
    expectFields();
  });

  it("reads the same through a window", () => {
    putFields();
    openWindow(256, 128, fileLength(), false);
    expectFields();
  });

  it("goes on where it was when the window moves", () => {
    putFields();
    openWindow(256, 128, fileLength(), false);
    bits(32);
    let next = position;
    moveWindow(1024, 256);
    expect(bits(8)).toBe(load<u8>(filePtr() + next));
    expect(cursor()).toBe(1025);
  });

  it("comes back to any bit", () => {
    putFields();
    openWindow(256, 128, fileLength(), false);
    for (let i: u32 = 0; i < 300; i++) {
      let bit = (i * 7919) % (fileLength() * 8 - 13);
      seekBits(bit);
      expect(bitPosition()).toBe(bit);
      let expected: u32 = 0;
      for (let k: u32 = 0; k < 13; k++) {
        expected |= (((<u32>load<u8>(filePtr() + ((bit + k) >>> 3))) >>> ((bit + k) & 7)) & 1) << k;
      }
      expect(bits(13)).toBe(expected, "bit " + bit.toString());
    }
    expect(failure).toBe(0);
  });

  it("does not take a place it skipped to for one it has read", () => {
    putFields();
    openWindow(256, 128, fileLength(), false);
    bits(8);
    seek(1000);
    seek(500);
    expect(bits(8)).toBe(load<u8>(filePtr() + 500));
  });

  it("fails at the end of the file, and gives zeros from then on", () => {
    putFields();
    openWindow(filePtr(), fileLength(), fileLength(), true);
    seek(fileLength() - 1);
    bits(8);
    expect(failure).toBe(0);
    expect(bits(1)).toBe(0);
    expect(failure).toBe(STATUS_TRUNCATED);
    expect(bits(32)).toBe(0);
  });

  it("fails at a section's end with the section's status", () => {
    putFields();
    openWindow(filePtr(), fileLength(), fileLength(), true);
    limitReads(10, STATUS_STREAM);
    seek(9);
    expect(bits(16)).toBe(0);
    expect(failure).toBe(STATUS_STREAM);
  });

  it("passes on that the window could not be filled", () => {
    putFields();
    offerFile(0, 2);
    openWindow(256, 128, fileLength(), false);
    bits(8);
    expect(failure).toBe(0);
    seek(200);
    bits(8);
    expect(failure).toBe(STATUS_READ);
    clearFailure();
    seek(200);
    expect(bits(8)).toBe(load<u8>(filePtr() + 200));
    seek(210);
    expect(bits(8)).toBe(load<u8>(filePtr() + 210));
  });

  it("lends its state to a loop and takes it back", () => {
    putFields();
    openWindow(256, 128, fileLength(), false);
    bits(3);
    expect(ahead(48) >= 48).toBeTruthy();
    // Loads 4 bytes behind the 5 bits left over, uses 11 bits of both.
    let next = cursor() + 4;
    let buffer = bitBuffer | ((<u64>load<u32>(cursor())) << bitCount);
    resume(next, buffer >> 11, bitCount + 32 - 11);
    expect(bitPosition()).toBe(14);
    expect(bits(5)).toBe((load<u32>(filePtr()) >>> 14) & 31);
    expect(failure).toBe(0);
  });

  it("does not let a loop pass the limit", () => {
    putFields();
    openWindow(filePtr(), fileLength(), fileLength(), true);
    limitReads(2, STATUS_STREAM);
    resume(cursor() + 4, 0, 16);
    expect(failure).toBe(0);
    resume(cursor() + 4, 0, 15);
    expect(failure).toBe(STATUS_STREAM);
  });
});
