import { STATUS_STREAM } from "../../abi";
import { bitBuffer, bits, limitReads, openWindow, position } from "../bit-reader";
import { beginRange, decodeBit } from "../range-decoder";
import { clearFailure, failure } from "../status";
import { clear, fileLength, filePtr, offerFile, putBits } from "./file-builder";

/** A stream behind `before` bits of ones. */
function open(stream: StaticArray<u8>, before: u32): void {
  clear();
  putBits(0xff, before);
  for (let i = 0; i < stream.length; i++) putBits(stream[i], 8);
  offerFile();
  openWindow(filePtr(), fileLength(), fileLength(), true);
  limitReads(fileLength(), STATUS_STREAM);
  bits(before);
  beginRange();
}

function decode(count: u32, probability: u32): u32 {
  let value: u32 = 0;
  for (let i: u32 = 0; i < count; i++) value = (value << 1) | decodeBit(probability);
  return value;
}

describe("range decoder", () => {
  beforeEach(() => {
    clearFailure();
  });

  it("decodes even bits: a 1 is the lower half", () => {
    for (let before: u32 = 0; before < 8; before++) {
      open([0xa5, 0x3c, 0x00, 0xff, 0x12], before);
      expect(decode(16, 32768)).toBe(0x5ac3);
      expect(decode(16, 32768)).toBe(0xff00);
      expect(decode(8, 32768)).toBe(0xed);
      expect(failure).toBe(0);
      expect(position).toBe(fileLength());
    }
  });

  it("reads zeros behind the limit, and leaves what is no byte", () => {
    open([0xa5], 3);
    expect(decode(32, 32768)).toBe(0x5affffff);
    expect(failure).toBe(0);
    expect(position).toBe(fileLength());
    expect(bitBuffer).toBe(0);
  });

  it("decodes uneven bits", () => {
    // 16 bits each: the lowest 65,536th of what is left, then the highest of that.
    open([0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0xff, 0xff], 5);
    let value: u32 = 0;
    for (let i = 0; i < 8; i++) value = (value << 1) | decodeBit(i & 1 ? 65535 : 1);
    expect(value).toBe(0b10101010);
    expect(failure).toBe(0);
  });

  it("goes on for ever with the least and the largest probability", () => {
    open([0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 0);
    for (let i = 0; i < 10000; i++) decodeBit(i & 1 ? 65535 : 1);
    for (let i = 0; i < 10000; i++) decodeBit(1);
    for (let i = 0; i < 10000; i++) decodeBit(65535);
    expect(decode(8, 65535)).toBe(0xff);
    expect(failure).toBe(0);
  });
});
