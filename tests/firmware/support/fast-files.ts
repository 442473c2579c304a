/** A fast module as files for fast-test: the module itself, and modules that differ from it in what the library must look at. */
import { LAYOUT_SECTION, STREAM_SECTION } from "../../../assembly/module.js";
import {
  CONTROL_MEMORY_BYTES,
  CONTROL_MODEL_BYTES,
  CONTROL_SCALES,
  CONTROL_TENSOR_COUNT,
  CONTROL_VERSION,
} from "../../../assembly/abi.js";
import {
  CONTROL_LAYERS_PTR,
  CONTROL_WINDOW_BYTES,
  CONTROL_WINDOW_PTR,
  KIND_END,
  LAYOUT_VERSION,
} from "../../../assembly/fast/layout.js";
import { fastParts } from "../../../host/fast/parts.js";
import { fastModule } from "../../../host/node/fast/fast-module.js";
import { initialWord, outlineModule } from "../../../host/module/module-outline.js";
import { SEAL_BYTES, sealModule } from "../../../host/module/seal.js";
import { writeContainer } from "../../../host/container/write.js";
import type { NamedModel } from "../../support/models.js";
import { fileName, put } from "./native.js";

/** Statuses of mote.h. */
const MODULE = -102;
const RANGE = -8;

export interface FastFiles {
  readonly module: Uint8Array;
  /** Arguments of fast-test but for the cases. */
  readonly fast: string;
  readonly short: string;
  readonly refused: readonly string[];
  /** What only an engine refuses that reads the tables. */
  readonly refusedAsData: readonly string[];
}

/** @param module of the model, by default the usual one; by another file name */
export function fastFiles(
  { name, model }: NamedModel,
  module: Uint8Array = fastModule(writeContainer(model)),
  form = "fast",
): FastFiles {
  const base = `${fileName(name)}-${form}`;
  const stream = outlineModule(module).custom.get(STREAM_SECTION)!;
  const half = stream.subarray(0, stream.length >> 1);
  const scales = initialWord(outlineModule(module).segments, CONTROL_SCALES);
  const refused: [what: string, wasm: Uint8Array, status: number][] = [
    ["stream-cut", withStream(module, half), MODULE],
    ["stream-longer", withWord(module, CONTROL_MODEL_BYTES, stream.length - 1), MODULE],
    ["no-stream", renamed(module), MODULE],
    ["no-memory", withWord(module, CONTROL_MEMORY_BYTES, 0), MODULE],
    ["little-memory", withWord(module, CONTROL_MEMORY_BYTES, 264), MODULE],
    ["huge-memory", withWord(module, CONTROL_MEMORY_BYTES, 2 ** 31), MODULE],
    ["no-tensors", withWord(module, CONTROL_TENSOR_COUNT, 0), MODULE],
    ["another-version", withWord(module, CONTROL_VERSION, 1), MODULE],
    ["scales-beyond", withWord(module, CONTROL_SCALES, 2 ** 31), MODULE],
    ["no-scale", withWord(module, scales, 0), RANGE],
    ["negative-scale", withWord(module, scales, 0xbf800000), RANGE],
    ["infinite-scale", withWord(module, scales + 4, 0x7f800000), RANGE],
  ];
  const layout = (version: number): Uint8Array => withLayout(module, version);
  const refusedAsData: typeof refused = [
    ["an-older-layout", layout(LAYOUT_VERSION - 1), MODULE],
    ["a-newer-layout", layout(LAYOUT_VERSION + 1), MODULE],
    ["no-layers", withWord(module, CONTROL_LAYERS_PTR, 0), MODULE],
    ["layers-beyond", withWord(module, CONTROL_LAYERS_PTR, 2 ** 28), MODULE],
    ["window-beyond", withWord(module, CONTROL_WINDOW_PTR, 2 ** 28), MODULE],
    ["window-too-large", withWord(module, CONTROL_WINDOW_BYTES, 2 ** 28), MODULE],
    ["window-too-small", withWord(module, CONTROL_WINDOW_BYTES, 8), MODULE],
    ["an-unknown-kind", withWord(module, fastParts(module).statesPtr, KIND_END + 1), MODULE],
  ];
  const files = (list: typeof refused): string[] =>
    list.flatMap(([what, wasm, status]) => [put(`${base}-${what}.wasm`, wasm), String(status)]);
  return {
    module,
    fast: put(`${base}.wasm`, module),
    short: put(`${base}-short.wasm`, withWord(withStream(module, half), CONTROL_MODEL_BYTES, half.length)),
    refused: files(refused),
    refusedAsData: files(refusedAsData),
  };
}

/** Another word in what linear memory holds to begin with. */
export function withWord(module: Uint8Array, address: number, word: number): Uint8Array {
  const copy = module.slice();
  const home = outlineModule(copy).segments.find(
    (segment) => segment.address <= address && address + 4 <= segment.address + segment.bytes.length,
  )!;
  new DataView(copy.buffer, home.bytes.byteOffset).setUint32(address - home.address, word, true);
  return sealModule(copy);
}

/** Another version of the layout. */
function withLayout(module: Uint8Array, version: number): Uint8Array {
  const copy = module.slice();
  outlineModule(copy).custom.get(LAYOUT_SECTION)![0] = version;
  return sealModule(copy);
}

/** Another stream. The section is the last one before the seal. */
function withStream(module: Uint8Array, stream: Uint8Array): Uint8Array {
  const title = new TextEncoder().encode(STREAM_SECTION);
  const old = outlineModule(module).custom.get(STREAM_SECTION)!;
  const start = streamStart(module, old.byteOffset - module.byteOffset);
  const length = 1 + title.length + stream.length;
  // LEB128, drawn out to three bytes.
  const leb = [(length & 127) | 128, ((length >> 7) & 127) | 128, length >> 14];
  return sealModule(Buffer.concat([module.subarray(0, start), Uint8Array.of(0, ...leb, title.length), title, stream]));
}

/** Where the section begins whose content is at `content`: before its name, that one's length and its own, at a byte of 0. */
function streamStart(module: Uint8Array, content: number): number {
  let start = content - STREAM_SECTION.length;
  for (let length = 0; length < 2; length++) {
    start--;
    while (module[start - 1] >= 0x80) start--;
  }
  return start - 1;
}

/** A module whose section has another name. */
function renamed(module: Uint8Array): Uint8Array {
  const copy = module.slice(0, module.length - SEAL_BYTES);
  copy[outlineModule(module).custom.get(STREAM_SECTION)!.byteOffset - module.byteOffset - 1] ^= 1;
  return sealModule(copy);
}
