/** A fast module that calls its kernels with whatever stands in its memory, and whose own bodies of them trap. For kernels-test. */
import binaryen from "binaryen";
import * as abi from "../../../assembly/abi.js";
import { STREAM_SECTION } from "../../../assembly/module.js";
import {
  CONTROL_LAYERS_PTR,
  CONTROL_WINDOW_BYTES,
  CONTROL_WINDOW_PTR,
  KIND_CONCAT,
  ROW_BYTES,
} from "../../../assembly/fast/layout.js";
import { setMemory } from "../../../host/module/remake.js";
import { withSection } from "../../../host/module/custom-section.js";
import { sealModule } from "../../../host/module/seal.js";

const MEMORY_BYTES = 4096;
const TENSORS = 128;
const ARENA = 600;

/**
 * One input of four elements, one output. A step calls what the words at 1,024 say: which kernel, from 1, and its three arguments.
 * @param isOdd whether an export with a kernel's name takes one argument, which none does
 */
export function kernelCaller(isOdd = false): Uint8Array {
  const trap = "(param i32 i32 i32) (result i32) unreachable";
  const call = (kernel: string): string =>
    `(call $${kernel} (i32.load (i32.const 1028)) (i32.load (i32.const 1032)) (i32.load (i32.const 1036)))`;
  const module = binaryen.parseText(`(module
    (import "mote" "read" (func $read (param i32 i32 i32) (result i32)))
    (memory (export "memory") 1 1)
    (func $tiles (export "tiles1") ${trap})
    (func $blocks (export "blocks1") ${trap})
    (func $quads (export "quads1") ${trap})
    (func $gaps (export "gaps1") ${trap})
    (func $dense ${isOdd ? "" : '(export "dense1")'} ${trap})
    ${isOdd ? '(func (export "dense1") (param i32) (result i32) (local.get 0))' : ""}
    (func (export "open") (param i32) (result i32) (i32.const 0))
    (func (export "start") (result i32) (i32.const 1))
    (func (export "reset") (result i32) (call $read (i32.const 0) (i32.const 0) (i32.const 0)))
    (func (export "step") (param i32) (result i32)
      (if (i32.eq (i32.load (i32.const 1024)) (i32.const 1)) (then (drop ${call("tiles")})))
      (if (i32.eq (i32.load (i32.const 1024)) (i32.const 2)) (then (drop ${call("blocks")})))
      (if (i32.eq (i32.load (i32.const 1024)) (i32.const 3)) (then (drop ${call("dense")})))
      (if (i32.eq (i32.load (i32.const 1024)) (i32.const 4)) (then (drop ${call("quads")})))
      (if (i32.eq (i32.load (i32.const 1024)) (i32.const 5)) (then (drop ${call("gaps")})))
      (i32.const 0)))`);
  setMemory(module, MEMORY_BYTES, [{ address: 0, bytes: initialMemory() }]);
  const bytes = module.emitBinary();
  module.dispose();
  return sealModule(withSection(bytes, STREAM_SECTION, oneRow()));
}

function initialMemory(): Uint8Array {
  const words = new DataView(new ArrayBuffer(TENSORS + 2 * abi.TENSOR_ENTRY_BYTES + 64));
  const put = (address: number, value: number): void => words.setUint32(address, value, true);
  put(abi.CONTROL_MODEL_BYTES, oneRow().length);
  put(abi.CONTROL_TENSORS_PTR, TENSORS);
  put(abi.CONTROL_TENSOR_COUNT, 2);
  put(abi.CONTROL_LAYER_COUNT, 1);
  put(abi.CONTROL_OUTPUT_TENSOR, 1);
  put(abi.CONTROL_MEMORY_BYTES, MEMORY_BYTES);
  put(abi.CONTROL_ELEMENT_BIAS, 128);
  put(abi.CONTROL_SCALES, 64);
  put(CONTROL_LAYERS_PTR, TENSORS + 2 * abi.TENSOR_ENTRY_BYTES);
  put(CONTROL_WINDOW_PTR, 512);
  put(CONTROL_WINDOW_BYTES, 64);
  put(abi.CONTROL_VERSION, abi.INTERFACE_VERSION);
  words.setFloat32(64, 1, true);
  words.setFloat32(68, 1, true);
  [ARENA, 4, 1, 1, 1, 1, 0, abi.TENSOR_IS_END].forEach((word, i) => put(TENSORS + 4 * i, word));
  const output = TENSORS + abi.TENSOR_ENTRY_BYTES;
  [ARENA + 4, 1, 1, 1, 1, 1, 0, abi.TENSOR_IS_END].forEach((word, i) => put(output + 4 * i, word));
  // So that the module is one that can be taken apart ahead of time.
  put(TENSORS + 2 * abi.TENSOR_ENTRY_BYTES, KIND_CONCAT);
  [16, 20, 24, 28, 32].forEach((word, i) =>
    put(TENSORS + 2 * abi.TENSOR_ENTRY_BYTES + word, [ARENA + 4, 1, 1, 1, 1][i]),
  );
  return new Uint8Array(words.buffer);
}

/** A dense row of one weight of 1, whose output is its element. */
function oneRow(): Uint8Array {
  const row = new DataView(new ArrayBuffer(ROW_BYTES + 8));
  row.setUint32(8, 1, true);
  row.setUint32(12, 4 << 8, true);
  row.setUint8(ROW_BYTES + 1, 1);
  return new Uint8Array(row.buffer);
}
