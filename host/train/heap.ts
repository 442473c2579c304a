/** The shared memory of the training engine: train.wasm's kernels over one WebAssembly.Memory that all threads map. */
import { MoteError } from "../errors.js";
import type { Kernels } from "./kernels.js";

const PAGE_BYTES = 65_536;
const MAXIMUM_PAGES = 65_536;
/** All that a net's training may take: 4 GiB. */
export const HEAP_BYTES = MAXIMUM_PAGES * PAGE_BYTES;
/** Page 0 holds the constants of train.wasm. */
const FIRST_ADDRESS = PAGE_BYTES;

/** @param module train.wasm */
export function instantiateKernels(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels;
}

/** A bump allocator over the shared memory. Views stay valid when it grows; only all of it can be given back. */
export class SharedHeap {
  readonly memory = new WebAssembly.Memory({ initial: 1, maximum: MAXIMUM_PAGES, shared: true });
  private top = FIRST_ADDRESS;

  /** Zeroed bytes at an address that is a multiple of 64. @throws MoteError MEMORY beyond 4 GiB */
  allocate(bytes: number): number {
    const at = this.top;
    this.top += Math.ceil(bytes / 64) * 64;
    const missing = Math.ceil((this.top - this.memory.buffer.byteLength) / PAGE_BYTES);
    if (missing > 0) {
      try {
        this.memory.grow(missing);
      } catch (cause) {
        throw new MoteError("MEMORY", `training: no room for another ${bytes} bytes beside ${at}`, { cause });
      }
    }
    return at;
  }

  /** Gives back all that was allocated. */
  reset(): void {
    this.u8(FIRST_ADDRESS, this.top - FIRST_ADDRESS).fill(0);
    this.top = FIRST_ADDRESS;
  }

  f32(at: number, count: number): Float32Array {
    return new Float32Array(this.memory.buffer, at, count);
  }

  i32(at: number, count: number): Int32Array {
    return new Int32Array(this.memory.buffer, at, count);
  }

  u32(at: number, count: number): Uint32Array {
    return new Uint32Array(this.memory.buffer, at, count);
  }

  u8(at: number, count: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, at, count);
  }
}
