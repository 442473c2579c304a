/** The WebAssembly modules that tools/build.mjs makes. */
import { readFileSync } from "node:fs";
import { MoteError } from "../errors.js";
import type { ElementBits } from "../model/elements.js";
import { builtFile } from "./paths.js";

/** The target of tools/build.mjs that makes each. */
const TARGETS = {
  "build/core.wasm": "core",
  "build/core-named.wasm": "core",
  "build/core16.wasm": "core",
  "build/core16-named.wasm": "core",
  "build/simd.wasm": "simd",
  "build/fast-named.wasm": "fast",
  "build/train.wasm": "train",
} as const;

export type BuiltModule = keyof typeof TARGETS;

const read = new Map<BuiltModule, Uint8Array<ArrayBuffer>>();

/** Its bytes, read once. @throws MoteError ENGINE that says how it is made, when it has not been */
export function builtModule(path: BuiltModule): Uint8Array<ArrayBuffer> {
  let bytes = read.get(path);
  if (bytes === undefined) {
    try {
      bytes = new Uint8Array(readFileSync(builtFile(path)));
    } catch (error) {
      const mend = `mend with: node tools/build.mjs ${TARGETS[path]}`;
      throw new MoteError("ENGINE", `${path} is missing; ${mend}`, { cause: error });
    }
    read.set(path, bytes);
  }
  return bytes;
}

/** The core for elements of so many bits. @throws MoteError as `builtModule` */
export const builtCore = (bits: ElementBits): Uint8Array<ArrayBuffer> =>
  builtModule(bits === 16 ? "build/core16.wasm" : "build/core.wasm");
