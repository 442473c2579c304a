/** A fast module in V8 under a host that counts, checks and may fail. */
import { expect } from "vitest";
import * as abi from "../../assembly/abi.js";
import { offsetOf, placeOf, valuesOf } from "../../host/model/geometry.js";
import { fastParts, type FastParts } from "../../host/fast/parts.js";

const CANARY = 0xa5;

interface Exports {
  readonly memory: WebAssembly.Memory;
  open(memoryBytes: number): number;
  start(): number;
  step(budget: number): number;
  reset(): number;
}

/** Memory beyond what the module asks for is filled, to see that it stays as it is; and so is what a failing read leaves. */
export class TestHost {
  reads = 0;
  /** Number of the read, from 1, that fails. */
  failing = 0;
  readonly exports: Exports;
  readonly parts: FastParts;
  private readonly beyond: Buffer;

  constructor(wasm: Uint8Array) {
    this.parts = fastParts(wasm);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(wasm as Uint8Array<ArrayBuffer>), {
      mote: { read: (offset: number, target: number, length: number) => this.read(offset, target, length) },
    });
    this.exports = instance.exports as unknown as Exports;
    const { memoryBytes, windowPtr, windowBytes } = this.parts;
    this.bytes.fill(CANARY, windowPtr, windowPtr + windowBytes);
    this.bytes.fill(CANARY, memoryBytes);
    this.beyond = Buffer.alloc(this.bytes.length - memoryBytes, CANARY);
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.exports.memory.buffer);
  }

  word(address: number): number {
    return new DataView(this.exports.memory.buffer).getUint32(address, true);
  }

  begin(input: Int8Array): number {
    const { bytes } = this;
    input.forEach((element, at) => (bytes[this.address(0, at)] = element + 128));
    return this.exports.start();
  }

  /** The elements of a tensor, [C, H, W] without borders. */
  tensor(index: number): Int8Array {
    const { bytes } = this;
    return Int8Array.from({ length: valuesOf(this.parts.tensors[index].shape) }, (_, at) => {
      return bytes[this.address(index, at)] - 128;
    });
  }

  /** Of an element. */
  private address(tensor: number, at: number): number {
    const { shape, ptr, ...layout } = this.parts.tensors[tensor];
    return ptr + offsetOf(layout, ...placeOf(shape, at));
  }

  /** Steps until a status other than busy. */
  finish(begun: number, budget: number): number {
    let status = begun;
    while (status === abi.STATUS_BUSY) status = this.exports.step(budget);
    expect(this.beyond.compare(this.bytes, this.parts.memoryBytes)).toBe(0);
    return status;
  }

  run(input: Int8Array, budget = 10_000): number {
    return this.finish(this.begin(input), budget);
  }

  output(): Int8Array {
    return this.tensor(this.parts.outputs[0]);
  }

  private read(offset: number, target: number, length: number): number {
    this.reads++;
    const { stream, windowPtr, windowBytes } = this.parts;
    if (offset + length > stream.length) throw new Error(`read of ${length} bytes at ${offset} of ${stream.length}`);
    if (target < windowPtr || target + length > windowPtr + windowBytes) throw new Error(`read to ${target}`);
    const window = this.bytes.subarray(target, target + length);
    window.set(stream.subarray(offset, offset + length));
    if (this.reads !== this.failing) return 0;
    window.fill(CANARY);
    return 1;
  }
}
