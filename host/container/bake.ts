/**
 * Container and core to one self-contained module: the model as data, the core without what the model does not use. What
 * the model does not use is known by function: each gets a body that answers with an error status, and the optimiser then drops
 * whatever only it called.
 */
import { readFileSync } from "node:fs";
import binaryen from "binaryen";
import {
  CODEC_DENSE,
  CODEC_HUFFMAN,
  CONTROL_MODEL_PTR,
  MODEL_SLACK_BYTES,
  STATUS_CODEC,
  STATUS_OP,
  STATUS_READ,
} from "../../assembly/format.js";
import { MoteError } from "../errors.js";
import { builtFile } from "../paths.js";
import { planTotal } from "./plan.js";
import { readContainer, type Container } from "./read.js";

export { bakedContainer, type Baked } from "./baked.js";

const PAGE_BYTES = 65536;
const CORE = "assembly/core/";

export interface BakeOptions {
  /** The core, not optimised and with its function names. Default: build/core-named.wasm. */
  readonly namedCore?: Uint8Array;
}

/**
 * The core without what a model does not use, the model still outside, behind `mote.read`: for firmware, where the model can stay
 * in flash. The same container and core give the same bytes.
 * @throws as bake
 */
export function specialize(container: Uint8Array, options: BakeOptions = {}): Uint8Array {
  const parsed = readContainer(container);
  const module = readCore(options.namedCore ?? builtCore());
  try {
    for (const stub of stubsFor(parsed)) replaceBody(module, stub);
    return emit(module);
  } finally {
    module.dispose();
  }
}

/** What a function of the core does instead: nothing, return a number, or record a status. */
type Stub = { readonly name: string } & ({ readonly returns: number } | { readonly fails: number });

/**
 * Packs a model into a module of its own: no imports, exports `memory`, `open`, `start` and `step`, MVP features only. The same
 * container and core give the same bytes.
 * @throws MoteError FORMAT or UNSUPPORTED for a bad container, ENGINE when the core has not been built
 */
export function bake(container: Uint8Array, options: BakeOptions = {}): Uint8Array {
  const parsed = readContainer(container);
  const module = readCore(options.namedCore ?? builtCore());
  try {
    for (const stub of [{ name: "bit-reader/refill", fails: STATUS_READ }, ...stubsFor(parsed)])
      replaceBody(module, stub);
    return emit(module, () => placeModel(module, container, planTotal(parsed.plan, true)));
  } finally {
    module.dispose();
  }
}

function builtCore(): Uint8Array {
  const path = builtFile("build/core-named.wasm");
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new MoteError("ENGINE", "build/core-named.wasm is missing; mend with: node tools/build.mjs core", {
      cause: error,
    });
  }
}

function readCore(wasm: Uint8Array): binaryen.Module {
  try {
    // binaryen's declarations know the two arguments under another name only.
    const read = binaryen.readBinary as (data: Uint8Array, features: number) => binaryen.Module;
    return read(wasm, binaryen.Features.MVP);
  } catch (error) {
    throw new MoteError("ENGINE", "the core is not a WebAssembly module; mend with: node tools/build.mjs core", {
      cause: error,
    });
  }
}

/** The functions that a model has no use for. */
function stubsFor({ model, layers }: Container): Stub[] {
  const ops = new Set<string>(model.layers.map(({ op }) => op));
  const codecs = new Set(layers.map(({ section }) => section?.codec));
  const stubs: Stub[] = [];
  const drop = (unused: boolean, ...functions: Stub[]): void => {
    if (unused) stubs.push(...functions);
  };
  drop(
    !ops.has("conv2d"),
    { name: "layer/readConv2d", returns: STATUS_OP },
    { name: "layers/conv2d/stepConv2d", returns: 0 },
  );
  drop(
    !ops.has("dense"),
    { name: "layer/readDense", returns: STATUS_OP },
    { name: "layers/dense/stepDense", returns: 0 },
  );
  drop(
    !ops.has("maxpool") && !ops.has("avgpool"),
    { name: "layer/readPool", returns: STATUS_OP },
    { name: "layers/pool/stepPool", returns: 0 },
  );
  drop(!codecs.has(CODEC_DENSE), { name: "weights/decodeDense", fails: STATUS_CODEC });
  drop(
    !codecs.has(CODEC_HUFFMAN),
    { name: "weights/readHuffman", fails: STATUS_CODEC },
    { name: "weights/decodeHuffman", fails: STATUS_CODEC },
  );
  drop(
    model.tensors.every(({ border }) => border === 0),
    { name: "tensor/fillBorderRow", returns: 0 },
  );
  return stubs;
}

function replaceBody(module: binaryen.Module, stub: Stub): void {
  const target = module.getFunction(CORE + stub.name);
  if (target === 0) throw new MoteError("ENGINE", `the core has no function ${stub.name}`);
  const body =
    "returns" in stub
      ? module.i32.const(stub.returns)
      : module.call(`${CORE}status/expect`, [module.i32.const(0), module.i32.const(stub.fails)], binaryen.none);
  const { name, params, results } = binaryen.getFunctionInfo(target);
  module.removeFunction(name);
  module.addFunction(name, params, results, [], body);
}

/** @param change what is left to do once the code is optimised */
function emit(module: binaryen.Module, change: () => void = () => {}): Uint8Array {
  optimize(module);
  change();
  module.setFeatures(binaryen.Features.MVP);
  if (!module.validate()) throw new MoteError("ENGINE", "the packed module does not validate");
  return module.emitBinary();
}

/** As asc -Os does. Functions that nothing calls any more go, and with them the import. */
function optimize(module: binaryen.Module): void {
  binaryen.setOptimizeLevel(2);
  binaryen.setShrinkLevel(1);
  binaryen.setDebugInfo(false);
  module.optimize();
  module.optimize();
}

/** Fixes the memory, with the model above the plan and the control block pointing to it. */
function placeModel(module: binaryen.Module, container: Uint8Array, address: number): void {
  const control = new Uint8Array(new Uint32Array([address, container.length]).buffer);
  const pages = Math.ceil((address + container.length + MODEL_SLACK_BYTES) / PAGE_BYTES);
  const segments = [
    { offset: module.i32.const(CONTROL_MODEL_PTR), data: control },
    ...dataSegments(module),
    { offset: module.i32.const(address), data: container },
  ];
  module.removeExport("memory");
  module.setMemory(pages, pages, "memory", segments);
}

/** What binaryen 132 has and its declarations lack. */
interface DataSegments {
  getNumDataSegments(): number;
  getDataSegmentInfo(segment: number): { readonly offset: number; readonly data: ArrayBuffer };
}

/** The module's own data, which setMemory would drop. Memory is zero without it, so segments of zeros can go. */
function dataSegments(module: binaryen.Module): { offset: number; data: Uint8Array }[] {
  const segments = module as unknown as DataSegments;
  return Array.from({ length: segments.getNumDataSegments() }, (_, index) => {
    const { offset, data } = segments.getDataSegmentInfo(module.getDataSegmentByIndex(index));
    return { offset: module.i32.const(offset), data: new Uint8Array(data) };
  }).filter(({ data }) => data.some((byte) => byte !== 0));
}
