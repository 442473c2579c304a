/**
 * Container and core to one self-contained module: the model as data, and of the core what this model needs. That is settled
 * function by function: where the answer is known for all of the model's layers, a function's body becomes that answer, and the
 * optimiser drops the rest.
 *
 * The container is checked here, in full, and the module keeps the CRC: bytes with the right CRC are the bytes that were
 * checked. So the module leaves out the core's own checks of fields and streams. Who can change it, model and CRC alike,
 * can change the code as well: a packed module is to be trusted like code, a container need not be.
 */
import { readFileSync } from "node:fs";
import binaryen from "binaryen";
import {
  CODEC_BYTES,
  CODEC_DENSE,
  CODEC_HUFFMAN,
  CONTROL_MODEL_PTR,
  MODEL_SLACK_BYTES,
  STATUS_CODEC,
  STATUS_OP,
  STATUS_READ,
} from "../../assembly/format.js";
import { MoteError } from "../errors.js";
import type { QConv2d, QLayer } from "../model.js";
import { builtFile } from "../paths.js";
import { planTotal, tensorBytes } from "./plan.js";
import { readContainer, type Container } from "./read.js";
import { sealModule } from "./seal.js";

export { bakedContainer, type Baked } from "./baked.js";

const PAGE_BYTES = 65536;
/** Function names in the core begin with the folder of its sources. */
const CORE = "assembly/core/";

/** Input tensors up to this size have columns of two bytes: SPEC.md, "Memory plan". */
const NARROW_TENSOR_BYTES = 65536;
/** Filters whose weights' magnitudes sum up to this at most have small sums: `SMALL_SUM` in assembly/core/accumulate.ts. */
const SMALL_SUM = 257;
/** A scale's shift from which on convolutions work in 32 bits: as in assembly/core/requantize.ts. */
const GENTLE_SHIFT = 32;

export interface BakeOptions {
  /** The core, not optimised and with its function names. Default: build/core-named.wasm. */
  readonly namedCore?: Uint8Array;
}

/** What a function does instead: nothing, return a number, call a function without parameters, or record an error status. */
type Body = "nothing" | { readonly returns: number } | { readonly calls: string } | { readonly fails: number };

/** By name, without CORE. */
type Bodies = Map<string, Body>;

/**
 * Packs a model into a module of its own: no imports, exports `memory`, `open`, `start` and `step`, MVP features only,
 * sealed. The same container and core give the same bytes.
 * @throws MoteError FORMAT or UNSUPPORTED for a bad container, ENGINE when the core has not been built
 */
export function bake(container: Uint8Array, options: BakeOptions = {}): Uint8Array {
  const parsed = readContainer(container);
  const bodies = new Map([...RESIDENT_BODIES, ...knownBodies(parsed)]);
  return remake(options, bodies, (module) => placeModel(module, container, planTotal(parsed.plan, true)));
}

/**
 * The core without what a model does not use, the model still outside, behind `mote.read`, and checked as ever: for firmware, where
 * the model can stay in flash. The same container and core give the same bytes.
 * @throws as bake
 */
export function specialize(container: Uint8Array, options: BakeOptions = {}): Uint8Array {
  const bodies = new Map(knownBodies(readContainer(container)));
  bodies.set("container/isResident", { returns: 0 });
  return remake(options, bodies, () => {});
}

/** The core with other bodies, optimised, then changed. */
function remake(options: BakeOptions, bodies: Bodies, change: (module: binaryen.Module) => void): Uint8Array {
  const module = readCore(options.namedCore ?? builtCore());
  try {
    for (const [name, body] of bodies) replaceBody(module, name, body);
    optimize(module);
    change(module);
    if (!module.validate()) throw new MoteError("ENGINE", "the packed module does not validate");
    return sealModule(module.emitBinary());
  } finally {
    module.dispose();
  }
}

/** For a model in memory, which has been checked. */
const RESIDENT_BODIES: Bodies = new Map<string, Body>([
  ["container/isResident", { returns: 1 }],
  ["bit-reader/refill", { fails: STATUS_READ }],
  ["status/expect", "nothing"],
  ["layer/fits", { returns: 1 }],
  ["graph/checkLayers", { calls: "graph/endLoading" }],
]);

function builtCore(): Uint8Array {
  try {
    return new Uint8Array(readFileSync(builtFile("build/core-named.wasm")));
  } catch (error) {
    throw new MoteError("ENGINE", "build/core-named.wasm is missing; mend with: node tools/build.mjs core", {
      cause: error,
    });
  }
}

function readCore(wasm: Uint8Array): binaryen.Module {
  // binaryen's declarations lack the second argument.
  const read = binaryen.readBinary as (data: Uint8Array, features: number) => binaryen.Module;
  try {
    return read(wasm, binaryen.Features.MVP);
  } catch (error) {
    throw new MoteError("ENGINE", "the core is not a WebAssembly module; mend with: node tools/build.mjs core", {
      cause: error,
    });
  }
}

function knownBodies({ model, layers }: Container): Bodies {
  const ops = new Set(model.layers.map(({ op }) => op));
  const convs = model.layers.filter((layer): layer is QConv2d => layer.op === "conv2d");
  const sections = layers.flatMap(({ section }) => section ?? []);
  const inputs = model.layers.map(({ input }) => model.tensors[input]);
  const bodies: Bodies = new Map();
  const unless = (used: boolean, unused: Record<string, Body>): void => {
    if (!used) for (const [name, body] of Object.entries(unused)) bodies.set(name, body);
  };
  unless(ops.has("conv2d"), { "layer/readConv2d": { fails: STATUS_OP }, "layers/conv2d/stepConv2d": { returns: 0 } });
  unless(ops.has("dense"), { "layer/readDense": { fails: STATUS_OP }, "layers/dense/stepDense": { returns: 0 } });
  unless(ops.has("maxpool") || ops.has("avgpool"), {
    "layer/readPool": { fails: STATUS_OP },
    "layers/pool/stepPool": { returns: 0 },
  });
  unless(
    model.tensors.some(({ border }) => border > 0),
    { "tensor/fillBorderRow": { returns: 0 } },
  );
  unless(
    sections.some(({ codec }) => codec === CODEC_DENSE),
    { "weights/decodeDense": { fails: STATUS_CODEC } },
  );
  const bytesIn = (wanted: QLayer["op"]): boolean =>
    model.layers.some(({ op }, index) => op === wanted && layers[index].section?.codec === CODEC_BYTES);
  unless(bytesIn("conv2d"), { "weights/decodePairs": { fails: STATUS_CODEC } });
  unless(bytesIn("dense"), { "layer/isInPlace": { returns: 0 }, "layers/dense/sumPairs": { fails: STATUS_CODEC } });
  unless(
    sections.some(({ codec }) => codec === CODEC_HUFFMAN),
    {
      "section/beginHuffman": { fails: STATUS_CODEC },
      "section/readHuffman": { returns: 1 },
      "weights/decodeHuffman": { fails: STATUS_CODEC },
    },
  );
  /** A function of the layer at hand, for which it gives one of `values`: if that is always the same, it is known. */
  const constant = (name: string, values: readonly (number | boolean)[]): void => {
    if (new Set(values).size === 1) bodies.set(name, { returns: Number(values[0]) });
  };
  constant(
    "layer/codec",
    sections.map(({ codec }) => codec),
  );
  constant(
    "layer/hasRowScales",
    sections.map(({ perChannel }) => perChannel),
  );
  constant(
    "layers/conv2d/hasPool",
    convs.map(({ pool }) => pool.size > 1),
  );
  constant(
    "layers/conv2d/hasSteepScale",
    convs.flatMap(({ shift }) => Array.from(shift, (places) => places < GENTLE_SHIFT)),
  );
  constant(
    "layers/conv2d/isLarge",
    convs.flatMap((layer) => sumsAreLarge(layer, model.tensors[layer.output].shape[0])),
  );
  unless(
    convs.some(({ groups }) => groups > 1),
    { "layers/conv2d/groupOffset": { returns: 0 } },
  );
  constant(
    "layer/inputZeroPoint",
    model.layers.map(({ input }) => model.tensors[input].zeroPoint + 128),
  );
  unless(
    inputs.some((tensor) => tensorBytes(tensor) > NARROW_TENSOR_BYTES),
    { "section/columnShift": { returns: 1 } },
  );
  return bodies;
}

/** For each filter, whether the core takes its wide lanes: `isLarge` in assembly/core/layers/conv2d.ts. */
function sumsAreLarge(layer: QConv2d, rows: number): boolean[] {
  const columns = layer.weights.length / rows;
  return Array.from({ length: rows }, (_, row) => {
    const filter = layer.weights.subarray(row * columns, (row + 1) * columns);
    return filter.reduce((sum, w) => sum + Math.abs(w), 0) > SMALL_SUM;
  });
}

function replaceBody(module: binaryen.Module, name: string, body: Body): void {
  const target = module.getFunction(CORE + name);
  if (target === 0)
    throw new MoteError("ENGINE", `the core has no function ${name}; mend with: node tools/build.mjs core`);
  const { params, results } = binaryen.getFunctionInfo(target);
  module.removeFunction(CORE + name);
  module.addFunction(CORE + name, params, results, [], bodyExpression(module, body));
}

function bodyExpression(module: binaryen.Module, body: Body): binaryen.ExpressionRef {
  if (body === "nothing") return module.nop();
  if ("returns" in body) return module.i32.const(body.returns);
  if ("calls" in body) return module.call(CORE + body.calls, [], binaryen.none);
  return module.call(`${CORE}status/fail`, [module.i32.const(body.fails)], binaryen.none);
}

/** Like asc -Os. Functions that nothing calls any more go, and the import with them. */
function optimize(module: binaryen.Module): void {
  binaryen.setOptimizeLevel(2);
  binaryen.setShrinkLevel(1);
  // Kernels and decoders stay functions of their own: one large function would save 100 bytes and take more of wasm3's stack.
  binaryen.setOneCallerInlineMaxSize(40);
  binaryen.setAlwaysInlineMaxSize(6);
  binaryen.setDebugInfo(false);
  module.optimize();
  module.optimize();
}

/**
 * Fixes the memory, with the model above the plan and the control block pointing to it. After the optimiser, which would
 * split the model at runs of zeros.
 */
function placeModel(module: binaryen.Module, container: Uint8Array, address: number): void {
  const control = new DataView(new ArrayBuffer(8));
  control.setUint32(0, address, true);
  control.setUint32(4, container.length, true);
  const pages = Math.ceil((address + container.length + MODEL_SLACK_BYTES) / PAGE_BYTES);
  const segments = [
    { offset: module.i32.const(CONTROL_MODEL_PTR), data: new Uint8Array(control.buffer) },
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
