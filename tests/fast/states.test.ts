/** States of a fast module: filled before the first run and behind a reset, whole or not at all taken over by the runs that are complete. */
import { describe, expect, it, test } from "vitest";
import * as abi from "../../assembly/abi.js";
import * as format from "../../assembly/format.js";
import { PIECE_LINE } from "../../assembly/fast/layout.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { writeContainer } from "../../host/container/write.js";
import { freshStates, runLayers } from "../../host/engines/ops-i8.js";
import { modelInputs, statesOf } from "../../host/model/edges.js";
import type { QModel } from "../../host/model/model.js";
import { buildModel, randomInput } from "../support/models.js";
import { TestHost } from "./test-host.js";

const conv = { op: "conv2d", kernel: [3, 3], weights: "grid", density: 0.5 } as const;
const full = { op: "dense", weights: "grid", density: 0.4 } as const;

/** States with a border and without, one of a vector; the last is what an input was a run before. */
const model = withSource(
  buildModel(
    11,
    [2, 6, 6],
    [
      { ...conv, out: 3, pad: 1 },
      { ...conv, out: 3, from: 1, pad: 1 },
      { ...full, out: 300, from: 2 },
      { ...full, out: 7, from: 3 },
      { ...full, out: 6, from: 6 },
    ],
    {
      states: [
        { shape: [3, 6, 6], source: 0 },
        { shape: [300, 1, 1], source: 2 },
        { shape: [2, 6, 6], source: 0 },
      ],
      outputs: [1],
    },
  ),
  3,
  0,
);

function withSource({ tensors, ...rest }: QModel, state: number, source: number): QModel {
  return { ...rest, tensors: tensors.map((tensor, index) => (index === state ? { ...tensor, source } : tensor)) };
}

const inputs = [1, 2, 3].map((seed) => randomInput(model, seed));

/** Of each run, the elements of all outputs and states behind it. */
const expected = (() => {
  const states = freshStates(model);
  return inputs.map((input) => {
    const tensors = runLayers(model, [input], states);
    return [...model.outputs.map((output) => tensors.get(output)!), ...states.values()];
  });
})();

const wasm = fastModule(writeContainer(model, { windowBytes: format.MIN_WINDOW_BYTES }));

function held(host: TestHost): Int8Array[] {
  return [...model.outputs, ...statesOf(model)].map((tensor) => host.tensor(tensor));
}

function expectRuns(host: TestHost, runs: readonly number[], budget?: number): void {
  for (const run of runs) {
    expect(host.run(inputs[run], budget)).toBe(abi.STATUS_DONE);
    expect(held(host), `run ${run}`).toEqual(expected[run]);
  }
}

test("the model is one whose states matter", () => {
  expect(modelInputs(model)).toEqual([0]);
  expect(statesOf(model)).toEqual([1, 2, 3]);
  const first = runLayers(model, [inputs[1]], freshStates(model));
  expect(first.get(model.outputs[0])).not.toEqual(expected[1][0]);
  expect(statesOf(model).some((state) => model.tensors[state].border > 0)).toBe(true);
  expect(300).toBeGreaterThan(PIECE_LINE);
});

describe("states", () => {
  it.each([1, 10_000])("go on from run to run, whatever stood in memory before the first, budget %i", (budget) => {
    const host = new TestHost(wasm);
    host.bytes.fill(0x5a, host.parts.windowPtr, host.parts.memoryBytes);
    expectRuns(host, [0, 1, 2], budget);
  });

  it("are as before the first run behind a reset, and when the module is opened again", () => {
    const host = new TestHost(wasm);
    expectRuns(host, [0, 1]);
    expect(host.exports.reset()).toBe(abi.STATUS_DONE);
    expectRuns(host, [0, 1, 2]);
    expect(host.exports.open(host.parts.memoryBytes)).toBe(abi.STATUS_DONE);
    expectRuns(host, [0, 1, 2]);
  });

  it("are not reset in a run", () => {
    const host = new TestHost(wasm);
    expectRuns(host, [0]);
    let status = host.begin(inputs[1]);
    while (status === abi.STATUS_BUSY) {
      expect(host.exports.reset()).toBe(abi.STATUS_STATE);
      status = host.exports.step(1000);
    }
    expect(held(host)).toEqual(expected[1]);
  });

  it("are filled again when the first run was broken off anywhere", () => {
    const counting = new TestHost(wasm);
    let slices = 0;
    for (let status = counting.begin(inputs[0]); status === abi.STATUS_BUSY; slices++)
      status = counting.exports.step(1);
    const host = new TestHost(wasm);
    for (let steps = 1; steps < slices; steps += 5) {
      host.exports.open(host.parts.memoryBytes);
      host.begin(inputs[2]);
      for (let step = 0; step < steps; step++) host.exports.step(1);
      expectRuns(host, [0]);
    }
    expectRuns(host, [1]);
  });

  it("are as they were where the host fails to read", () => {
    const host = new TestHost(wasm);
    expectRuns(host, [0]);
    const { reads } = host;
    for (let failing = 1; failing <= reads; failing++) {
      host.reads = 0;
      host.failing = failing;
      expect(host.run(inputs[2])).toBe(abi.STATUS_READ);
      host.failing = 0;
      expect(held(host).slice(model.outputs.length)).toEqual(expected[0].slice(model.outputs.length));
    }
    expectRuns(host, [1]);
  });
});

test("a module without states is reset by doing nothing", () => {
  const stateless = buildModel(3, [1, 6, 6], [{ ...full, out: 4 }]);
  const input = randomInput(stateless, 1);
  const host = new TestHost(fastModule(writeContainer(stateless)));
  expect(host.exports.reset()).toBe(abi.STATUS_DONE);
  const first = host.run(input);
  const output = host.tensor(1);
  expect(host.exports.reset()).toBe(abi.STATUS_DONE);
  expect([host.run(input), host.tensor(1)]).toEqual([first, output]);
  host.begin(input);
  expect(host.exports.reset()).toBe(abi.STATUS_STATE);
});
