import binaryen from "binaryen";
import { describe, expect, it } from "vitest";
import { countOps, OPS_EXPORT } from "../../host/engines/count-ops.js";

type Run = (...args: number[]) => number;

/** Runs the module's export `f` and gives its result and the instructions executed. */
function count(wasm: Uint8Array, ...args: number[]): { result: number; ops: number } {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(countOps(wasm)));
  const result = (instance.exports.f as Run)(...args);
  return { result, ops: Number((instance.exports[OPS_EXPORT] as WebAssembly.Global).value) };
}

function assemble(text: string): Uint8Array {
  const module = binaryen.parseText(text);
  try {
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}

describe("countOps", () => {
  it("counts a straight line, byte by byte", () => {
    // (func (export "f") (result i32) i32.const 2 i32.const 3 i32.add)
    const sections = [
      "01 05 01 60 00 01 7f",
      "03 02 01 00",
      "07 05 01 01 66 00 00",
      "0a 09 01 07 00 41 02 41 03 6a 0b",
    ];
    const module = Buffer.from(["00 61 73 6d 01 00 00 00", ...sections].join("").replaceAll(" ", ""), "hex");
    expect(count(module)).toEqual({ result: 5, ops: 3 });
  });

  it("counts a loop once for each turn", () => {
    const module = assemble(`(module (func (export "f") (param $n i32) (result i32) (local $sum i32)
      (loop $again
        (local.set $sum (i32.add (local.get $sum) (local.get $n)))
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (local.get $sum)))`);
    // Each turn: get, get, add, set, get, const, sub, tee, br_if; one local.get behind the loop.
    for (const turns of [1, 2, 100]) {
      expect(count(module, turns)).toEqual({ result: (turns * (turns + 1)) / 2, ops: 9 * turns + 1 });
    }
  });

  it("counts only the arm of an if that is taken", () => {
    const module = assemble(`(module (func (export "f") (param i32) (result i32) (local $x i32)
      (if (local.get 0)
        (then (local.set $x (i32.mul (i32.const 6) (i32.const 7))))
        (else (local.set $x (i32.const 1))))
      (local.get $x)))`);
    expect(count(module, 1)).toEqual({ result: 42, ops: 2 + 4 + 1 });
    expect(count(module, 0)).toEqual({ result: 1, ops: 2 + 2 + 1 });
  });

  it("stops counting where a branch or a return leaves", () => {
    const module = assemble(`(module (func (export "f") (param i32) (result i32)
      (block $out
        (br_if $out (i32.eqz (local.get 0)))
        (if (i32.eq (local.get 0) (i32.const 1)) (then (return (i32.const 10))))
        (br $out))
      (i32.const 20)))`);
    expect(count(module, 0)).toEqual({ result: 20, ops: 3 + 1 });
    expect(count(module, 1)).toEqual({ result: 10, ops: 3 + 4 + 2 });
    expect(count(module, 2)).toEqual({ result: 20, ops: 3 + 4 + 1 + 1 });
  });

  it("follows br_table and calls", () => {
    const module = assemble(`(module
      (func $twice (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1)))
      (func (export "f") (param i32) (result i32)
        (block $b (block $a (br_table $a $b (local.get 0))) (return (call $twice (i32.const 4))))
        (i32.const 1)))`);
    expect(count(module, 0)).toEqual({ result: 8, ops: 2 + 3 + 3 });
    expect(count(module, 1)).toEqual({ result: 1, ops: 2 + 1 });
  });

  it("numbers its counter behind imported and own globals and counts pieces of more than 63 instructions", () => {
    const adds = "(i64.const 1) i64.add ".repeat(100);
    const module = assemble(`(module (import "m" "g" (global i32)) (memory 1) (global $own (mut i32) (i32.const 7))
      (func (export "f") (result i32)
        (i32.store offset=4 (i32.const 0) (global.get $own)) (i64.const 0) ${adds} drop (i32.load (i32.const 4))))`);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(countOps(module)), { m: { g: 1 } });
    expect((instance.exports.f as Run)()).toBe(7);
    expect((instance.exports[OPS_EXPORT] as WebAssembly.Global).value).toBe(BigInt(3 + 1 + 200 + 1 + 2));
  });

  it("refuses what is no module and opcodes it does not know", () => {
    expect(() => countOps(Uint8Array.of(1, 2, 3))).toThrow("does not begin as WebAssembly 1 does");
    const simd = assemble(`(module (func (export "f") (result v128) (v128.const i32x4 0 0 0 0)))`);
    expect(() => countOps(simd)).toThrow(/opcode fd/);
  });
});
