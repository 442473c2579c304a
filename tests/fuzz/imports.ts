/**
 * Hostile ONNX models against reader, shapes, folding and report, to be run in a process of its own, which can be ended when a case hangs.
 * Example: node --max-old-space-size=128 dist/tests/fuzz/imports.js --count 200000 --seed 1
 *          node --max-old-space-size=96 dist/tests/fuzz/imports.js --large
 */
import { parseArgs } from "node:util";
import { MoteError } from "../../host/errors.js";
import { elementsOf } from "../../host/import/constants.js";
import type { ImportedGraph } from "../../host/import/graph.js";
import { isWhole } from "../../host/import/node-view.js";
import { readOnnx } from "../../host/import/onnx.js";
import { ONNX_RULES } from "../../host/import/onnx-shapes.js";
import { ONNX_SUPPORT } from "../../host/import/onnx-support.js";
import { inferShapes } from "../../host/import/shapes.js";
import { refusals, reportGraph, stepsOf } from "../../host/report/graph.js";
import { Random } from "../../host/rng.js";
import {
  edge,
  field,
  goldenBytes,
  goldenNets,
  integer,
  integers,
  memorySource,
  modelOf,
  node,
} from "../support/onnx.js";
import { mutateMessage } from "./protobuf-mutator.js";

/** No case takes a thousandth of it. */
const SLOW_SECONDS = 5;
/** Constants that follow from shapes may be far larger than the file: of those the small ones are worked out. */
const MAX_ELEMENTS = 1 << 14;
/** What the reader promises, beside 64-bit integers in a list, where one byte becomes a double. */
const MAX_GROWTH = 4;
const MAX_WIDE_GROWTH = 8;

export function importSeeds(): Uint8Array[] {
  return goldenNets().map((name) => goldenBytes(`${name}.onnx`));
}

/** All that the ops, attributes and modes are called by, and tensors of the seeds. */
const TEXTS = [
  ...ONNX_RULES.keys(),
  ...ONNX_SUPPORT.keys(),
  ..."If Loop Scan axis axes perm pads kernel_shape strides dilations group auto_pad SAME_UPPER ceil_mode value value_ints to shape".split(
    " ",
  ),
  ..."transA transB mode nearest linear constant reflect scales keepdims num_outputs allowzero start end blocksize direction".split(
    " ",
  ),
  ..."x y w weight bias c p s i sizes pads scales first rest flat head tail whole image scores".split(" "),
  "",
  "__proto__",
];

/** The same seeds and numbers give the same one. */
export function hostileModel(seeds: readonly Uint8Array[], seed: number, index: number): Uint8Array {
  const random = new Random(seed, index);
  return mutateMessage(seeds[random.integer(seeds.length)], TEXTS, random);
}

/** Files of up to two megabytes in which each byte asks for as much memory as it can, by what it has many of. */
export function largeModels(): { name: string; make: () => Uint8Array }[] {
  const names = Array.from({ length: 65_000 }, (_, i) => `n${i.toString(36)}`);
  const some = names.slice(0, 16_000);
  const few = names.slice(0, 15);
  const many = (byte: number): number[] => Array.from({ length: 64_000 }, (_, i) => (i % 2 === 0 ? byte : 0));
  const chain = (op: string, first: string): number[][] =>
    some.map((name, i) => node(op, [i === 0 ? first : some[i - 1]], [name]));
  const ranks = edge(
    11,
    "x",
    Array.from({ length: 16 }, () => 2),
  );
  const graphs: Readonly<Record<string, () => number[][]>> = {
    "nodes one behind the other": () => [ranks, ...chain("Relu", "x")],
    initializers: () => names.map((name) => field(5, integer(1, 0), integer(2, 1), field(8, name))),
    "described tensors": () => names.map((name) => field(13, field(1, name))),
    "constants that are folded": () => [
      integers("s", [256]),
      ...some.map((name) => node("ConstantOfShape", ["s"], [name])),
    ],
    "constants of constants": () => [
      integers("s", [300]),
      node("ConstantOfShape", ["s"], ["c"]),
      ...chain("Identity", "c"),
    ],
    "absent inputs": () => few.map((name) => field(1, many(0x0a), field(2, name), field(4, "Sum"))),
    "numbers of an attribute": () =>
      few.map((name) => node("Relu", [], [name], field(5, field(1, "a"), field(8, many(0))))),
    "empty texts of an attribute": () =>
      few.map((name) => node("Relu", [], [name], field(5, field(1, "a"), many(0x4a)))),
  };
  return Object.entries(graphs).map(([name, fields]) => ({ name, make: () => modelOf(13, fields()) }));
}

/** @returns "shown", or the code of an error that is documented @throws whatever else happens */
export function importOutcome(bytes: Uint8Array): string {
  try {
    const stated = readOnnx(memorySource(bytes));
    checkConstants(stated, bytes.length);
    const graph = inferShapes(stated, { batch: 1 });
    checkShapes(graph);
    const report = reportGraph(graph);
    refusals(report);
    for (const folds of [false, true]) stepsOf(graph, report, folds);
    return "shown";
  } catch (error) {
    if (error instanceof MoteError && ["FORMAT", "UNSUPPORTED", "FILE"].includes(error.code)) return error.code;
    throw error;
  }
}

function checkConstants({ tensors }: ImportedGraph, fileBytes: number): void {
  for (const { name, shape, type, constant } of tensors) {
    if (constant === undefined) continue;
    const values = valuesOf(constant);
    if (values === undefined) continue;
    if (values.length !== elementsOf(shape as number[])) throw new Error(`${name} has ${values.length} elements`);
    const growth = type === "int64" || type === "uint64" ? MAX_WIDE_GROWTH : MAX_GROWTH;
    if (values.byteLength > growth * fileBytes) throw new Error(`${name} takes ${values.byteLength} bytes`);
  }
}

/** Undefined where it says in words why there are none; FILE for those beside the model. */
function valuesOf(constant: {
  values(): { length: number; byteLength: number };
}): { length: number; byteLength: number } | undefined {
  try {
    return constant.values();
  } catch (error) {
    if (error instanceof MoteError && ["FORMAT", "UNSUPPORTED", "FILE"].includes(error.code)) return undefined;
    throw error;
  }
}

function checkShapes({ tensors, nodes }: ImportedGraph): void {
  for (const { name, shape, constant } of tensors) {
    if (!isWhole(shape)) continue;
    const count = elementsOf(shape);
    if (!(Number.isSafeInteger(count) && count >= 0)) throw new Error(`${name} has the shape ${shape.join()}`);
    if (constant === undefined || count > MAX_ELEMENTS) continue;
    const values = valuesOf(constant);
    if (values !== undefined && values.length !== count)
      throw new Error(`${name}: ${values.length} of ${count} elements`);
  }
  for (const { name, inputs, outputs } of nodes) {
    const isIndex = (index: number): boolean => index === -1 || index in tensors;
    if (![...inputs, ...outputs].every(isIndex)) throw new Error(`${name} has an edge to nowhere`);
  }
}

function main(): void {
  const { values } = parseArgs({
    options: { seed: { type: "string" }, count: { type: "string" }, large: { type: "boolean" } },
  });
  if (values.large === true) {
    for (const { name, make } of largeModels()) console.log(`${name}: ${importOutcome(make())}`);
    return;
  }
  const seeds = importSeeds();
  const tally: Record<string, number> = {};
  const count = Number(values.count ?? 1000);
  for (let index = 0; index < count; index++) {
    const started = performance.now();
    let outcome: string;
    try {
      outcome = importOutcome(hostileModel(seeds, Number(values.seed ?? 1), index));
    } catch (error) {
      outcome = "findings";
      console.error(`case ${index}: ${error instanceof Error ? error.stack : String(error)}`);
    }
    const seconds = (performance.now() - started) / 1000;
    if (seconds > SLOW_SECONDS) console.error(`case ${index}: takes ${seconds.toFixed(1)} s`);
    tally[outcome] = (tally[outcome] ?? 0) + 1;
  }
  console.log(JSON.stringify({ cases: count, ...tally }));
}

if (process.argv[1]?.endsWith("imports.js") === true) main();
