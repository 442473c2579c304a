import binaryen from "binaryen";
import { expect, it } from "vitest";
import { MoteError } from "../../host/errors.js";
import { withPages } from "../../host/module/memory-section.js";

function wat(text: string): Uint8Array {
  const module = binaryen.parseText(text);
  const bytes = module.emitBinary();
  module.dispose();
  return bytes;
}

const small = wat(`(module
  (memory (export "memory") 1 1)
  (data (i32.const 8) "mote")
  (func (export "size") (result i32) (memory.size))
  (func (export "load8") (param i32) (result i32) (i32.load8_u (local.get 0))))`);

it.each([1, 2, 127, 128, 16_384])("declares %i pages and changes nothing else", async (pages) => {
  const { instance } = await WebAssembly.instantiate(withPages(small, pages) as Uint8Array<ArrayBuffer>);
  const { memory, size, load8 } = instance.exports as {
    memory: WebAssembly.Memory;
    size: () => number;
    load8: (address: number) => number;
  };
  expect(size()).toBe(pages);
  expect(memory.buffer.byteLength).toBe(pages * 65_536);
  expect(load8(8)).toBe("m".charCodeAt(0));
  expect(load8(pages * 65_536 - 1)).toBe(0);
  expect(() => memory.grow(1)).toThrow(RangeError);
});

it("refuses a module without a memory, and one cut short", () => {
  expect(() => withPages(wat("(module)"), 2)).toThrow(MoteError);
  expect(() => withPages(small.subarray(0, 9), 2)).toThrow("wasm: it ends too early (byte 9)");
});
