/** What firmware carries of a model: a module, and a container beside it where the model is not inside. */
import { planTotal } from "../container/plan.js";
import { readContainer } from "../container/read.js";
import { MoteError } from "../errors.js";
import { fastModule } from "../fast/fast-module.js";
import { kernelBytes } from "../fast/import-kernels.js";
import { fastProgram, type FastLayout } from "../fast/memory.js";
import type { Optimization } from "../fast/optimization.js";
import { fastParts } from "../fast/parts.js";
import { activationBits, refuseWide } from "../model/elements.js";
import { modelInputs, outputsOf } from "../model/edges.js";
import { specialize } from "../module/bake.js";
import type { FirmwareEngine } from "./engines.js";

export interface FirmwareImage {
  /** WebAssembly, sealed. */
  readonly module: Uint8Array;
  /** Beside the module; a fast module has none. */
  readonly container?: Uint8Array;
  /** What of these bytes is the model: the container, or the stream inside the module. */
  readonly modelBytes: number;
  /** The rest of the module. */
  readonly moduleBytes: number;
  /** Of these, code that does not run where the kernels are the library's. */
  readonly kernelBytes: number;
  /** Linear memory. */
  readonly linearBytes: number;
  /** Inputs and outputs of the model. */
  readonly endCount: number;
  /** Of an input that comes by rows, so many at a time: mote_input_rows; else 0. */
  readonly rowsAtOnce: number;
}

/** MOTE_END_BYTES of mote.h. */
const END_BYTES = 24;

/** Inputs and outputs beyond the one of each that the macros of mote.h have room for. */
export function furtherEnds({ endCount }: FirmwareImage): number {
  return endCount - 2;
}

/** Bytes of the module that an interpreter has to do with. */
export function openedBytes({ moduleBytes, kernelBytes }: FirmwareImage, engine: FirmwareEngine): number {
  return engine === "native" ? moduleBytes - kernelBytes : moduleBytes;
}

/** Bytes that mote_open surely gets by with: MOTE_WASM3_FAST_BYTES, MOTE_WASM3_BYTES, MOTE_DATA_BYTES, MOTE_AOT_BYTES and MOTE_END_BYTES of mote.h. */
export function openBytes(image: FirmwareImage, engine: FirmwareEngine, cpuBits: 32 | 64 = 32): number {
  const { container } = image;
  const moduleBytes = openedBytes(image, engine);
  const bytes = image.linearBytes + furtherEnds(image) * END_BYTES;
  if (engine === "aot") return bytes + 544 + 8 * cpuBits;
  if (engine === "data") return bytes + 144 + (5 * cpuBits) / 2;
  const made = container === undefined ? moduleBytes * 4 + 2112 : Math.floor((moduleBytes * 23) / 4) + 3072;
  return bytes + made * (cpuBits / 32);
}

/** Modules with their functions by name: core-named.wasm and fast-named.wasm. */
export interface NamedModules {
  readonly core: () => Uint8Array;
  readonly fast: () => Uint8Array;
}

/**
 * @param layout of a fast module
 * @throws MoteError as `fastModule`, `fastProgram` and `specialize`; MEMORY for more than its `ram`
 */
export function makeImage(
  container: Uint8Array,
  optimize: Optimization,
  named: NamedModules,
  layout: FastLayout = {},
): FirmwareImage {
  if (optimize === "size") return imageBeside(specialize(container, named.core()), container);
  const module = fastModule(fastProgram(readContainer(container), layout), named.fast(), optimize);
  const { stream, codeBytes, memoryBytes, tensors, inputs, outputs } = fastParts(module);
  const { ram } = layout;
  if (typeof ram === "number" && memoryBytes > ram) {
    throw new MoteError(
      "MEMORY",
      `fast module: ${memoryBytes} bytes of linear memory at least, with layers by lines, expected ${ram} or fewer`,
    );
  }
  const endCount = inputs.length + outputs.length;
  return {
    module,
    modelBytes: stream.length,
    moduleBytes: codeBytes,
    kernelBytes: kernelBytes(module),
    linearBytes: memoryBytes,
    endCount,
    rowsAtOnce: tensors[inputs[0]].comingLines,
  };
}

/** Of a core and a container beside it. @throws MoteError FORMAT for a bad container */
export function imageBeside(module: Uint8Array, container: Uint8Array): FirmwareImage {
  const { model, plan } = readContainer(container);
  refuseWide(activationBits(model), "firmware: ");
  return {
    module,
    container,
    modelBytes: container.length,
    moduleBytes: module.length,
    kernelBytes: 0,
    linearBytes: planTotal(plan),
    endCount: modelInputs(model).length + outputsOf(model).length,
    rowsAtOnce: 0,
  };
}
