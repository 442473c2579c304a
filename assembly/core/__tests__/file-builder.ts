/** Writes containers field by field, as SPEC.md has them, for specs. as-pect.config.js serves them behind `mote.read`. */
import { CONTROL_MODEL_BYTES, CONTROL_MODEL_PTR } from "../../abi";
import { CRC_START, MAGIC, VERSION } from "../../format";
import { CRC_INITIAL, updateCrc } from "../crc32";

/** The memory plan of a spec ends below this address; above are the words that as-pect.config.js reads, and the spec's data. */
export const MEMORY_BYTES: u32 = 4000;
const FILE_PTR: usize = 4000;
const FILE_BYTES: usize = 4004;
const READS_LEFT: usize = 4008;
const CAPACITY = 1 << 16;

const bytes = new StaticArray<u8>(CAPACITY);
let bitLength: u32 = 0;

export function clear(): void {
  memory.fill(changetype<usize>(bytes), 0, CAPACITY);
  bitLength = 0;
}

export function fileLength(): u32 {
  return (bitLength + 7) >>> 3;
}

export function filePtr(): usize {
  return changetype<usize>(bytes);
}

/** Least significant bit first. */
export function putBits(value: u32, count: u32): void {
  for (let bit: u32 = 0; bit < count; bit++, bitLength++) {
    bytes[bitLength >>> 3] |= <u8>(((value >>> bit) & 1) << (bitLength & 7));
  }
}

/** A Huffman code as it is written on paper, "110". */
export function putCode(code: string): void {
  for (let i = 0; i < code.length; i++) putBits(code.charCodeAt(i) & 1, 1);
}

export function putVarint(value: u32): void {
  for (; value > 127; value >>>= 7) putBits((value & 127) | 128, 8);
  putBits(value, 8);
}

export function putVarints(values: StaticArray<u32>): void {
  for (let i = 0; i < values.length; i++) putVarint(values[i]);
}

/** Zero bits up to a whole byte. */
export function pad(): void {
  bitLength = fileLength() << 3;
}

/** Sets a byte that has been written. */
export function patch(offset: u32, value: u32): void {
  bytes[offset] = <u8>value;
}

/** Magic, version, and room for the CRC. */
export function beginFile(): void {
  clear();
  putBits(MAGIC, 24);
  putBits(VERSION, 8);
  putBits(0, 32);
}

/** Fills in the CRC, and offers the file: behind the window, or at `address`. */
export function endFile(address: usize = 0): void {
  fixCrc();
  offerFile(address);
}

export function fixCrc(): void {
  let crc = ~updateCrc(CRC_INITIAL, filePtr() + CRC_START, fileLength() - CRC_START);
  for (let i: u32 = 0; i < 4; i++) patch(CRC_START - 4 + i, crc >>> (8 * i));
}

/** @param failingRead the how manieth `mote.read` fails, from 1; 0 for none */
export function offerFile(address: usize = 0, failingRead: u32 = 0): void {
  store<u32>(FILE_PTR, filePtr());
  store<u32>(FILE_BYTES, fileLength());
  store<u32>(READS_LEFT, failingRead);
  store<u32>(CONTROL_MODEL_PTR, address);
  store<u32>(CONTROL_MODEL_BYTES, fileLength());
}
