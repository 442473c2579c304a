import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import binaryen from "binaryen";
import { beforeAll, describe, expect, it } from "vitest";
import { MoteError } from "../../host/errors.js";
import { Wasm3Runtime, wasm3Version } from "../../host/node/wasm3/runtime.js";

/** A hand-written module as bytes. MVP unless features are given. */
function wat(text: string, features = binaryen.Features.MVP): Uint8Array {
  const module = binaryen.parseText(text);
  module.setFeatures(features);
  const bytes = module.emitBinary();
  module.dispose();
  return bytes;
}

const adder = `(module
  (memory (export "memory") 1 1)
  (data (i32.const 16) "mote")
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "load8") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "store8") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
  (func (export "load32") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "wide") (param i64) (result i64) (local.get 0))
  (func (export "stop") (unreachable)))`;

const importer = `(module
  (import "mote" "read" (func $read (param i32 i32 i32) (result i32)))
  (import "mote" "note" (func $note (param i32)))
  (memory (export "memory") 1 1)
  (func (export "fetch") (param i32 i32 i32) (result i32) (call $read (local.get 0) (local.get 1) (local.get 2)))
  (func (export "tell") (param i32) (call $note (local.get 0))))`;

describe("the wasm3 addon", () => {
  let adderBytes: Uint8Array;
  let importerBytes: Uint8Array;
  beforeAll(() => {
    adderBytes = wat(adder);
    importerBytes = wat(importer);
  });
  const imports = (read: (...args: number[]) => number | void, note: (...args: number[]) => void = () => {}) => ({
    imports: { "mote.read": { signature: "i(iii)", call: read }, "mote.note": { signature: "v(i)", call: note } },
  });

  it("names its release", () => {
    expect(wasm3Version()).toMatch(/^\d+\.\d+\.\d+/);
  });

  it("calls functions of i32, signed, and gives undefined for none", () => {
    const runtime = new Wasm3Runtime(adderBytes);
    expect(runtime.call("add", 2, 40)).toBe(42);
    expect(runtime.call("add", 0x7fffffff, 1)).toBe(-0x80000000);
    expect(runtime.call("add", -5, 3)).toBe(-2);
    expect(runtime.call("store8", 100, 7)).toBeUndefined();
    expect(runtime.call("load8", 100)).toBe(7);
    runtime.close();
  });

  it("keeps its own copy of the wasm bytes", () => {
    const bytes = adderBytes.slice();
    const runtime = new Wasm3Runtime(bytes);
    bytes.fill(0);
    expect(runtime.call("add", 1, 1)).toBe(2);
    expect(Buffer.from(runtime.read(16, 4)).toString()).toBe("mote");
  });

  it.each([64, 100, 1024, 7424, 65535])("traps beyond a memory limit of %i bytes", (limit) => {
    const runtime = new Wasm3Runtime(adderBytes, { memoryLimit: limit });
    expect(runtime.memoryBytes).toBe(limit);
    expect(runtime.call("load8", limit - 1)).toBe(0);
    expect(runtime.call("load32", limit - 4)).toBe(0);
    expect(() => runtime.call("load8", limit)).toThrow("[trap] out of bounds memory access");
    expect(() => runtime.call("load32", limit - 3)).toThrow("[trap] out of bounds memory access");
    expect(() => runtime.call("store8", -1, 1)).toThrow("[trap] out of bounds memory access");
    expect(runtime.call("load8", 0)).toBe(0); // and goes on after a trap
  });

  it("refuses data that starts outside the limit", () => {
    expect(() => new Wasm3Runtime(adderBytes, { memoryLimit: 19 })).toThrow("data segment out of bounds");
  });

  it("reads copies and writes inside the limit only", () => {
    const runtime = new Wasm3Runtime(adderBytes, { memoryLimit: 128 });
    runtime.write(120, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 255));
    const copy = runtime.read(120, 8);
    expect([...copy]).toEqual([1, 2, 3, 4, 5, 6, 7, 255]);
    copy.fill(0);
    expect(runtime.call("load8", 127)).toBe(255);
    runtime.write(0, Int8Array.of(-1));
    expect(runtime.call("load8", 0)).toBe(255);
    expect([...runtime.read(128, 0)]).toEqual([]);
    for (const [address, length] of [
      [121, 8],
      [128, 1],
      [-1, 1],
      [0xffffffff, 1],
      [1e300, 0],
      [NaN, 0],
    ] as const) {
      expect(() => runtime.read(address, length)).toThrow(RangeError);
      expect(() => runtime.write(address, new Uint8Array(length))).toThrow(RangeError);
    }
  });

  it("turns traps into errors with wasm3's text", () => {
    const runtime = new Wasm3Runtime(adderBytes);
    const failure = (name: string, ...args: number[]): MoteError => {
      try {
        runtime.call(name, ...args);
      } catch (error) {
        return error as MoteError;
      }
      throw new Error(`${name} did not throw`);
    };
    expect(failure("divide", 1, 0)).toBeInstanceOf(MoteError);
    expect(failure("divide", 1, 0).code).toBe("ENGINE");
    expect(failure("divide", 1, 0).message).toBe("wasm3: [trap] integer divide by zero");
    expect(failure("divide", -0x80000000, -1).message).toBe("wasm3: [trap] integer overflow");
    expect(failure("stop").message).toBe("wasm3: [trap] unreachable executed");
    expect(failure("nowhere").message).toContain("function lookup failed");
    expect(failure("add", 1).message).toContain("argument count mismatch");
    expect(failure("wide", 1).message).toContain("argument type mismatch");
    expect(runtime.call("add", 1, 2)).toBe(3);
  });

  it("hands imports their arguments and takes their result", () => {
    const seen: number[][] = [];
    const notes: number[] = [];
    const runtime = new Wasm3Runtime(
      importerBytes,
      imports(
        (...args) => {
          seen.push(args);
          runtime.write(args[1], Uint8Array.of(0xab));
          return -7;
        },
        (n) => notes.push(n),
      ),
    );
    expect(runtime.call("fetch", 1, 2, -3)).toBe(-7);
    expect(seen).toEqual([[1, 2, -3]]);
    expect(runtime.read(2, 1)[0]).toBe(0xab);
    runtime.call("tell", -9);
    expect(notes).toEqual([-9]);
  });

  it("passes on what an import throws, and lives", () => {
    class Odd extends Error {}
    let fail = true;
    const runtime = new Wasm3Runtime(
      importerBytes,
      imports(() => {
        if (fail) throw new Odd("no more bytes");
        return 1;
      }),
    );
    expect(() => runtime.call("fetch", 0, 0, 0)).toThrow(Odd);
    fail = false;
    expect(runtime.call("fetch", 0, 0, 0)).toBe(1);
    const notNumber = new Wasm3Runtime(
      importerBytes,
      imports(() => {}),
    );
    expect(() => notNumber.call("fetch", 0, 0, 0)).toThrow(TypeError);
  });

  it("refuses to be called or closed from within an import", () => {
    const errors: unknown[] = [];
    const runtime = new Wasm3Runtime(
      importerBytes,
      imports(() => {
        for (const action of [() => runtime.call("tell", 1), () => runtime.close()]) {
          try {
            action();
          } catch (error) {
            errors.push((error as Error).message);
          }
        }
        return 5;
      }),
    );
    expect(runtime.call("fetch", 0, 0, 0)).toBe(5);
    expect(errors).toEqual([
      "wasm3: call() from within an imported function",
      "wasm3: close() from within an imported function",
    ]);
  });

  it("says which import is missing or has another signature, and ignores what is not imported", () => {
    expect(() => new Wasm3Runtime(importerBytes)).toThrow(/missing imported function: 'mote\.\w+'/);
    const wrong = {
      "mote.read": { signature: "i(ii)", call: () => 0 },
      "mote.note": { signature: "v(i)", call: () => 0 },
    };
    expect(() => new Wasm3Runtime(importerBytes, { imports: wrong })).toThrow(/signature/);
    const malformed = { "mote.read": { signature: "i(iiF)", call: () => 0 } };
    expect(() => new Wasm3Runtime(importerBytes, { imports: malformed })).toThrow(TypeError);
    expect(
      new Wasm3Runtime(
        adderBytes,
        imports(() => 0),
      ).call("add", 1, 1),
    ).toBe(2);
  });

  it("refuses what is not a module, and opcodes it does not have, at once", () => {
    expect(() => new Wasm3Runtime(Uint8Array.of(1, 2, 3))).toThrow("wasm3: the module is not valid WebAssembly");
    expect(() => new Wasm3Runtime(new Uint8Array(0))).toThrow(MoteError);
    const simd = wat(
      `(module (func (export "never") (param v128) (result v128) (i8x16.neg (local.get 0))))`,
      binaryen.Features.SIMD128,
    );
    expect(() => new Wasm3Runtime(simd)).toThrow(MoteError);
  });

  it("runs several at once, each with its own memory", () => {
    const runtimes = Array.from({ length: 20 }, (_, i) => new Wasm3Runtime(adderBytes, { memoryLimit: 64 + i }));
    runtimes.forEach((runtime, i) => runtime.call("store8", 50, i));
    expect(runtimes.map((runtime) => runtime.call("load8", 50))).toEqual(runtimes.map((_, i) => i));
    // One interpreter may run inside an import of another.
    const outer = new Wasm3Runtime(
      importerBytes,
      imports((a, b) => runtimes[3].call("add", a, b)),
    );
    expect(outer.call("fetch", 20, 22, 0)).toBe(42);
  });

  it("cannot be used once closed, and closes twice", () => {
    const runtime = new Wasm3Runtime(adderBytes);
    runtime.close();
    runtime.close();
    for (const use of [() => runtime.call("add", 1, 1), () => runtime.read(0, 1), () => runtime.memoryBytes]) {
      expect(use).toThrow("wasm3: the Runtime is closed");
    }
  });

  it("gives its memory back: thousands of runtimes, closed or dropped", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const settle = async (): Promise<NodeJS.MemoryUsage> => {
      for (let i = 0; i < 5; i++) {
        collect();
        await new Promise((resolve) => setImmediate(resolve)); // finalizers run between turns
      }
      return process.memoryUsage();
    };
    const page = new Uint8Array(60_000).fill(1);
    const before = await settle();
    for (let i = 0; i < 6000; i++) {
      const runtime = new Wasm3Runtime(adderBytes);
      runtime.write(0, page);
      if (i % 2 === 0) runtime.close();
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const after = await settle();
    // What the addon has told the collector it holds: 130 KB a runtime, 390 MB for those not closed.
    expect(after.external - before.external).toBeLessThan(1e6);
    // And what the process holds; the allocator may keep some.
    expect(after.rss - before.rss).toBeLessThan(250e6);
  });
});
