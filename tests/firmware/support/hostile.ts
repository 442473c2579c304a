/** Modules that a packer would not make: they do to their linear memory what a script in the container says. For hostile-test. */
import binaryen from "binaryen";
import { sealModule } from "../../../host/module/seal.js";
import { aotSource } from "../../../host/node/firmware/aot.js";
import { put, type AotModules } from "./native.js";

const HOSTILE = {
  /** Stores, reads, traps and answers as told. */
  poker: { early: false, grows: false },
  /** Grows its memory as told. */
  grower: { early: false, grows: true },
  /** Reads in a start function, before anybody has called it. */
  early: { early: true, grows: false },
} as const;

/** Arguments of hostile-test, and the same modules ahead of time. */
export async function hostileFiles(): Promise<{ readonly files: readonly string[]; readonly ahead: AotModules }> {
  const files: string[] = [];
  const ahead: Record<string, AotModules[string]> = {};
  for (const [name, what] of Object.entries(HOSTILE)) {
    const module = hostileModule(what);
    files.push(put(`${name}.wasm`, module));
    ahead[name] = await aotSource(module, new Uint8Array(1), name);
  }
  return { files, ahead };
}

/**
 * The script: the container's last 1,024 bytes, (when, what, value) in u32 words until `when` is 0. See hostile-test.c. It is read to
 * address 1,024; what was answered last stands at 1,020.
 */
function hostileModule({ early, grows }: { early: boolean; grows: boolean }): Uint8Array {
  const module = binaryen.parseText(`(module
    (import "mote" "read" (func $read (param i32 i32 i32) (result i32)))
    (memory (export "memory") 1 4)
    (func $play (param $when i32) (result i32)
      (local $at i32) (local $what i32) (local $value i32)
      (local.set $at (i32.const 1024))
      (loop $next
        (if (i32.eqz (i32.load (local.get $at))) (then (return (i32.const 0))))
        (if (i32.eq (i32.load (local.get $at)) (local.get $when)) (then
          (local.set $what (i32.load offset=4 (local.get $at)))
          (local.set $value (i32.load offset=8 (local.get $at)))
          (if (i32.eq (local.get $what) (i32.const -1)) (then (return (local.get $value))))
          (if (i32.eq (local.get $what) (i32.const -2)) (then unreachable))
          (if (i32.eq (local.get $what) (i32.const -3)) (then
            (i32.store (i32.const 1020) (call $read (i32.const 0) (local.get $value) (i32.const 16))))
          (else (if (i32.eq (local.get $what) (i32.const -4)) (then
            (i32.store (i32.const 1020) ${grows ? "(memory.grow (local.get $value))" : "(i32.const 0)"}))
          (else
            (i32.store (local.get $what) (local.get $value))))))))
        (local.set $at (i32.add (local.get $at) (i32.const 12)))
        (br $next))
      (unreachable))
    (func (export "open") (param i32) (result i32)
      (if (call $read (i32.sub (i32.load (i32.const 4)) (i32.const 1024)) (i32.const 1024) (i32.const 1024))
        (then (return (i32.const -1))))
      (call $play (i32.const 1)))
    (func (export "start") (result i32) (call $play (i32.const 2)))
    (func (export "step") (param i32) (result i32) (call $play (i32.const 3)))
    (func (export "reset") (result i32) (call $play (i32.const 4)))
    ${early ? "(func $early (drop (call $read (i32.const 0) (i32.const 3000) (i32.const 16)))) (start $early)" : ""})`);
  const bytes = module.emitBinary();
  module.dispose();
  return sealModule(bytes);
}
