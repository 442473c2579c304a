import { describe, expect, it } from "vitest";
import { chipMemory, type ChipMemory } from "../../host/chip/memory.js";
import { proveMemory } from "../../host/chip/prove.js";
import type { QModel } from "../../host/model/model.js";
import { buildModel, syntheticModels } from "../support/models.js";

const conv = { op: "conv2d", kernel: [3, 3], pad: 1, weights: "grid", density: 0.5, out: 2 } as const;
/** Tensor 1 is read again by the last layer. */
const residual = buildModel(1, [1, 6, 6], [conv, conv, { op: "add", from: [1, 2] }]);
const joined = buildModel(2, [1, 6, 6], [conv, { ...conv, from: 0 }, { op: "concat", from: [1, 2] }, conv]);
const kept = buildModel(3, [2, 6, 6], [conv, { op: "add", from: [1, 1] }, { op: "add", from: [3, 0] }], {
  states: [{ shape: [2, 6, 6], source: 2 }],
});
const rows = buildModel(4, [1, 12, 6], [conv, conv, { ...conv, kernel: [12, 1], pad: 0 }]);

const TAPS = 40;
const tapsOf = (model: QModel): number[] => model.layers.map(() => TAPS);
const without = (memory: ChipMemory, tensor: number, begin: number): ChipMemory => ({
  ...memory,
  tensors: memory.tensors.map((placed, index) => (index === tensor ? { ...placed, begin } : placed)),
});

describe("the proof of a net's memory", () => {
  it("holds for all that is laid out", () => {
    for (const { model } of syntheticModels())
      proveMemory(model, chipMemory(model, false, tapsOf(model)), tapsOf(model));
    proveMemory(rows, chipMemory(rows, true, tapsOf(rows)), tapsOf(rows));
  });

  it.each<[string, QModel, boolean, number, (memory: ChipMemory) => number, RegExp]>([
    [
      "a tensor over one that is read again",
      residual,
      false,
      2,
      ({ tensors }) => tensors[1].begin,
      /^layer 1 \(conv2d\): byte \d+ .* of tensor 1,/,
    ],
    [
      "a border over the last byte of an input",
      residual,
      false,
      1,
      ({ tensors }) => tensors[0].begin + tensors[0].bytes - 1,
      /^layer 0 \(conv2d\): byte \d+ of the net's memory does not hold byte 63 of tensor 0/,
    ],
    [
      "an input where taps are",
      residual,
      false,
      0,
      () => TAPS - 1,
      /^layer 0 \(conv2d\): byte 39 .* byte 0 of tensor 0/,
    ],
    ["a part that is not in its whole", joined, false, 2, ({ tensors }) => tensors[2].begin - 8, /^layer 2 \(concat\)/],
    [
      "a state over an input",
      kept,
      false,
      1,
      ({ tensors }) => tensors[0].begin,
      /^before the first layer: .* of tensor 0/,
    ],
    ["an output over a state", kept, false, 4, ({ tensors }) => tensors[1].begin, /of tensor 1,/],
    ["a tensor beyond memory", residual, false, 3, ({ bytes }) => bytes - 1, /^layer 2 \(add\): .* byte 1 of tensor 3/],
    [
      "a window over another",
      rows,
      true,
      1,
      ({ tensors }) => tensors[0].begin,
      /^before the first layer: .* of tensor 0/,
    ],
  ])("refuses %s", (_, model, byRows, tensor, begin, problem) => {
    const memory = chipMemory(model, byRows, tapsOf(model));
    expect(memory.chain.length > 0).toBe(byRows);
    expect(() => proveMemory(model, without(memory, tensor, begin(memory)), tapsOf(model))).toThrow(problem);
  });
});
