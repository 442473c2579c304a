/** Models whose input comes by rows, in the C library: by each engine the reference's outputs, and clear statuses for all that goes wrong. */
import { beforeAll, describe, expect, it } from "vitest";
import * as abi from "../../assembly/abi.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { fastProgram } from "../../host/fast/memory.js";
import { fastParts, type FastParts } from "../../host/fast/parts.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { aotSource } from "../../host/node/firmware/aot.js";
import { buildModel } from "../support/models.js";
import { withWord } from "./support/fast-files.js";
import { buildNative, caseFiles, missing, named, put, runNative } from "./support/native.js";

const full = { op: "conv2d", weights: "any", density: 1, kernel: [3, 3], pad: 1 } as const;
const model = buildModel(
  9,
  [3, 29, 17],
  [
    { ...full, out: 8, stride: 2 },
    { ...full, out: 8, groups: 8 },
    { ...full, out: 8, kernel: [1, 1], pad: 0 },
    { op: "maxpool", kernel: 2, stride: 2 },
    { op: "dense", out: 5, weights: "any", density: 1 },
  ],
);
const container = writeContainer(model);
const rows = fastModule(fastProgram(readContainer(container), { inputRows: true }));
const whole = fastModule(container);

/** Of the input's entry in the tensor table, which is the first. */
function inputWord({ statesPtr, tensors }: FastParts, offset: number): number {
  return statesPtr - abi.TENSOR_ENTRY_BYTES * tensors.length + offset;
}

/** Statuses of mote.h. */
const MODULE = -102;

const parts = fastParts(rows);
const at = (offset: number): number => inputWord(parts, offset);
const state = (lines: number): number => abi.TENSOR_IS_END | abi.TENSOR_IS_BY_LINES | (lines << abi.TENSOR_LINES_SHIFT);
const bad: readonly (readonly [name: string, module: Uint8Array])[] = [
  ["the other version", withWord(rows, abi.CONTROL_VERSION, abi.INTERFACE_VERSION)],
  ["a whole input by the version of lines", withWord(whole, abi.CONTROL_VERSION, abi.INTERFACE_VERSION_LINES)],
  ["no lines", withWord(rows, at(abi.TENSOR_STATE), state(0))],
  ["lines without their bit", withWord(rows, at(abi.TENSOR_STATE), state(1) & ~abi.TENSOR_IS_BY_LINES)],
  ["more lines than a channel has room for", withWord(rows, at(abi.TENSOR_STATE), state(255))],
  ["lines over the tables", withWord(rows, at(abi.TENSOR_PTR), parts.statesPtr)],
  ["lines in the window", withWord(rows, at(abi.TENSOR_PTR), parts.windowPtr)],
  ["lines beyond memory", withWord(rows, at(abi.TENSOR_PTR), parts.memoryBytes - 1)],
  ["lines far beyond memory", withWord(rows, at(abi.TENSOR_PTR), 0xffffffff)],
  ["a window that leaves no room for lines", withWord(rows, 56, 0x7fffffff)],
  ["channels beyond memory", withWord(rows, at(abi.TENSOR_PLANE), 1 << 16)],
  [
    "more elements than a tensor may have",
    [abi.TENSOR_CHANNELS, abi.TENSOR_PLANE, abi.TENSOR_HEIGHT].reduce(
      (module, offset, index) => withWord(module, at(offset), [20, 2 * parts.tensors[0].pitch, 65535][index]),
      rows,
    ),
  ],
];

describe.skipIf(missing.length > 0)(named("an input by rows in the C library, under the sanitizers", missing), () => {
  let program: string;
  beforeAll(async () => {
    program = await buildNative("input-rows-test", { rows: await aotSource(rows, undefined, "rows") }, "input-rows");
  }, 240_000);

  it("gives what the reference does, refuses what is no such module, and ends with its callback's errors", async () => {
    const greedy = withWord(rows, at(abi.TENSOR_HEIGHT), model.tensors[0].shape[1] - 8);
    const files = [rows, whole].map((module, index) => put(`input-rows-${index}.wasm`, module));
    const refused = bad.flatMap(([name, module]) => [
      put(`input-rows-${name.replaceAll(" ", "-")}.wasm`, module),
      String(MODULE),
    ]);
    const { cases } = caseFiles({ name: "input rows", model });
    const { stdout } = await runNative(program, [...files, cases, put("input-rows-greedy.wasm", greedy), ...refused]);
    expect(stdout).toMatch(/^aot: \d+ bytes, \d rows at a time$/m);
    expect(stdout).toMatch(/^\d{4,} checks passed, 0 failed$/m);
  });
});

it.each(bad)("the host refuses %s", (_name, module) => {
  expect(() => fastParts(module)).toThrow("not a module that mote pack --format wasm made");
});
