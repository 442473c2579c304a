/**
 * A module made from one of ours, in which functions whose answers are known when packing have those answers as bodies: the optimiser
 * then drops what nothing calls any more.
 */
import binaryen from "binaryen";
import { MoteError } from "../errors.js";
import { checkModule } from "./module-check.js";

const PAGE_BYTES = 65536;

/**
 * What a function does instead: nothing, return a number, or call another function, with i32 constants. Or what it did, by a copy for each
 * value that an i32 parameter of it has, with that value a constant.
 */
export type Body = "nothing" | { readonly returns: number } | Call | Copies;

export interface Call {
  readonly calls: string;
  readonly with?: readonly number[];
}

export interface Copies {
  readonly parameter: number;
  /** All that there are, at least one. */
  readonly values: readonly number[];
}

/** By name, without the folder. */
export type Bodies = Map<string, Body>;

/** What i32 globals hold to begin with, by name, without the folder. The optimiser takes those that nothing writes for constants. */
export type Globals = Readonly<Record<string, number>>;

/** A module with its functions by name and not optimised, as tools/build.mjs leaves it. */
export interface NamedModule {
  /** For errors: "the core". */
  readonly title: string;
  /** The target of tools/build.mjs. */
  readonly target: string;
  /** Where its sources are, which is how names of functions begin. */
  readonly folder: string;
  readonly bytes: Uint8Array;
  /** Passes of the optimiser that it fares better without. */
  readonly passesToSkip?: readonly string[];
  /** Exports to go without. */
  readonly exportsToDrop?: readonly string[];
}

/**
 * The module with other bodies, optimised, then changed.
 * @returns its bytes, without a seal
 * @throws MoteError ENGINE when the module is no module or lacks a function, FORMAT when the result is more than wasm3 may see
 */
export function remake(
  named: NamedModule,
  bodies: Bodies,
  globals: Globals,
  change: (module: binaryen.Module) => void,
): Uint8Array {
  const module = readModule(named);
  try {
    for (const [name, body] of bodies) replaceBody(module, named, name, body);
    for (const [name, value] of Object.entries(globals)) replaceGlobal(module, named, name, value);
    for (const name of named.exportsToDrop ?? []) module.removeExport(name);
    for (const pass of named.passesToSkip ?? []) binaryen.addPassToSkip(pass);
    optimize(module);
    if ([...bodies.values()].some((body) => typeof body === "object" && "values" in body)) foldAddresses(module);
    change(module);
    if (!module.validate()) throw new MoteError("ENGINE", "the packed module does not validate");
    const wasm = module.emitBinary();
    checkModule(wasm);
    return wasm;
  } finally {
    binaryen.clearPassesToSkip();
    module.dispose();
  }
}

function readModule(named: NamedModule): binaryen.Module {
  const mend = `mend with: node tools/build.mjs ${named.target}`;
  // binaryen's declarations lack the second argument.
  const read = binaryen.readBinary as (data: Uint8Array, features: number) => binaryen.Module;
  try {
    return read(named.bytes, binaryen.Features.MVP);
  } catch (error) {
    throw new MoteError("ENGINE", `${named.title} is not a WebAssembly module; ${mend}`, { cause: error });
  }
}

function replaceBody(module: binaryen.Module, named: NamedModule, name: string, body: Body): void {
  const { folder } = named;
  const ref = module.getFunction(folder + name);
  if (ref === 0) throw lacking(named, `function ${name}`);
  const { params, results } = binaryen.getFunctionInfo(ref);
  const expression =
    typeof body === "object" && "values" in body
      ? choiceOfCopies(module, folder + name, body)
      : bodyExpression(module, folder, body);
  module.removeFunction(folder + name);
  module.addFunction(folder + name, params, results, [], expression);
}

function replaceGlobal(module: binaryen.Module, named: NamedModule, name: string, value: number): void {
  const global = named.folder + name;
  if (module.getGlobal(global) === 0) throw lacking(named, `global ${name}`);
  module.removeGlobal(global);
  module.addGlobal(global, binaryen.i32, true, module.i32.const(value));
}

function lacking({ title, target }: NamedModule, what: string): MoteError {
  return new MoteError("ENGINE", `${title} has no ${what}; mend with: node tools/build.mjs ${target}`);
}

/** Adds the copies of a function. @returns calls of them, by the parameter's value */
function choiceOfCopies(module: binaryen.Module, name: string, copies: Copies): binaryen.ExpressionRef {
  const { params, results, vars, body } = binaryen.getFunctionInfo(module.getFunction(name));
  const parameters = binaryen.expandType(params).map((type, index) => module.local.get(index, type));
  const callCopy = (value: number): binaryen.ExpressionRef => {
    const given = module.local.set(copies.parameter, module.i32.const(value));
    const copy = `${name}/${value}`;
    module.addFunction(copy, params, results, vars, module.block(null, [given, module.copyExpression(body)]));
    return module.call(
      copy,
      parameters.map((parameter) => module.copyExpression(parameter)),
      results,
    );
  };
  const [last, ...others] = [...copies.values].reverse();
  return others.reduce((otherwise, value) => {
    const isValue = module.i32.eq(module.copyExpression(parameters[copies.parameter]), module.i32.const(value));
    return module.if(isValue, callCopy(value), otherwise);
  }, callCopy(last));
}

function bodyExpression(module: binaryen.Module, folder: string, body: Exclude<Body, Copies>): binaryen.ExpressionRef {
  if (body === "nothing") return module.nop();
  if ("returns" in body) return module.i32.const(body.returns);
  const values = body.with ?? [];
  return module.call(
    folder + body.calls,
    values.map((value) => module.i32.const(value)),
    binaryen.none,
  );
}

/** Like asc -Os. Functions that nothing calls any more go, and imports that nothing calls with them. */
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

/** Adds constants in addresses to the offsets of the loads. Nothing looks below address 0 on the way to one above it. */
function foldAddresses(module: binaryen.Module): void {
  binaryen.setLowMemoryUnused(true);
  module.runPasses(["precompute-propagate", "optimize-added-constants-propagate"]);
  module.optimize();
  module.runPasses(["optimize-added-constants-propagate"]);
  module.optimize();
  binaryen.setLowMemoryUnused(false);
}

/** Bytes that linear memory holds to begin with, and where. */
export interface InitialData {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/**
 * Fixes the memory and adds to what it holds to begin with. After the optimiser, which would split data at runs of zeros.
 * @param bytes of linear memory, rounded up to pages
 */
export function setMemory(module: binaryen.Module, bytes: number, data: readonly InitialData[]): void {
  const pages = Math.ceil(bytes / PAGE_BYTES);
  const segments = [...dataSegments(module), ...data]
    .toSorted((a, b) => a.address - b.address)
    .map((segment) => ({ offset: module.i32.const(segment.address), data: segment.bytes }));
  module.removeExport("memory");
  module.setMemory(pages, pages, "memory", segments);
}

/** What binaryen 132 has and its declarations lack. */
interface DataSegments {
  getNumDataSegments(): number;
  getDataSegmentInfo(segment: number): { readonly offset: number; readonly data: ArrayBuffer };
}

/** The module's own data, which setMemory would drop. Memory is zero without it, so segments of zeros can go. */
function dataSegments(module: binaryen.Module): InitialData[] {
  const segments = module as unknown as DataSegments;
  return Array.from({ length: segments.getNumDataSegments() }, (_, index) => {
    const { offset, data } = segments.getDataSegmentInfo(module.getDataSegmentByIndex(index));
    return { address: offset, bytes: new Uint8Array(data) };
  }).filter(({ bytes }) => bytes.some((byte) => byte !== 0));
}
