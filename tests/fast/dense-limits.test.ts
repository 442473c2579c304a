/** Kernels for layers with most of their weights, at their limits: any budget, hosts that fail, runs that are given up. */
import { describe, expect, it } from "vitest";
import * as abi from "../../assembly/abi.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { fastProgram, type FastLayout } from "../../host/fast/memory.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { runModel } from "../../host/engines/ops-i8.js";
import type { QModel } from "../../host/model/model.js";
import { reportFast } from "../../host/report/fast.js";
import { buildModel, randomInput } from "../support/models.js";
import { TestHost } from "./test-host.js";

const full = { weights: "any", density: 1 } as const;
const convolutions = buildModel(
  11,
  [2, 9, 9],
  [
    { op: "conv2d", kernel: [3, 3], out: 24, pad: 1, ...full },
    { op: "conv2d", kernel: [3, 3], out: 24, pad: 1, groups: 24, ...full },
    { op: "conv2d", kernel: [1, 1], out: 100, ...full },
    { op: "conv2d", kernel: [1, 1], out: 60, weights: "any", density: 0.1 },
    { op: "avgpool", kernel: 9, stride: 9 },
  ],
);
const dense = buildModel(
  12,
  [5, 5, 7],
  [
    { op: "dense", out: 70, ...full },
    { op: "dense", out: 30, ...full },
    { op: "dense", out: 10, ...full },
  ],
);

/** Groups of all lengths: some that take a window, some of one element. */
const shared = buildModel(
  13,
  [5, 5, 21],
  [
    { op: "dense", out: 40, weights: "single", density: 0.6 },
    { op: "dense", out: 70, weights: "grid", density: 0.4 },
    { op: "dense", out: 10, weights: "codebook", density: 0.9 },
  ],
);

/** Lots of several outputs, and of one; rows that take the window. */
const signs = { weights: "signs", density: 1, step: true } as const;
const bits = buildModel(
  14,
  [1, 12, 12],
  [
    { op: "conv2d", kernel: [3, 3], out: 20, ...signs },
    { op: "conv2d", kernel: [3, 3], out: 30, pool: { size: 2, stride: 2 }, ...signs },
    { op: "conv2d", kernel: [3, 3], out: 80, ...signs },
    { op: "dense", out: 70, ...signs },
    { op: "dense", out: 20, weights: "signs", density: 1 },
  ],
);

describe.each<[name: string, model: QModel, kernels: string[], layout?: FastLayout]>([
  [
    "convolutions",
    convolutions,
    ["conv2d by two filters", "conv2d by channels", "conv2d by two filters", "conv2d by gaps", "avgpool"],
  ],
  ["dense layers", dense, Array<string>(3).fill("dense by six rows")],
  ["layers by bits", bits, ["conv2d by two filters", ...Array<string>(4).fill("by bits")]],
  ["dense layers by values", shared, Array<string>(3).fill("dense by values"), { bytePrice: 1e6 }],
])("%s", (_name, model, kernels, layout) => {
  const input = randomInput(model, 1);
  const expected = runModel(model, input).at(-1)!;
  const wasm = fastModule(fastProgram(readContainer(writeContainer(model)), layout));

  it("are by these kernels", () => {
    expect(reportFast(new TestHost(wasm).parts).map(({ kernel }) => kernel)).toEqual(kernels);
  });

  it.each([1, 31, 97, 1000, 2 ** 31 - 1, 0, -1])("give the same with a budget of %i", (budget) => {
    const host = new TestHost(wasm);
    for (let run = 0; run < 2; run++) {
      expect(host.run(input, budget)).toBe(abi.STATUS_DONE);
      expect(host.output()).toEqual(expected);
    }
  });

  describe("hosts that fail", () => {
    const counting = new TestHost(wasm);
    counting.run(input);

    it.each([1, 10_000])("at any read end the run, and the next one is right, with a budget of %i", (budget) => {
      expect(counting.reads).toBeGreaterThan(5);
      const host = new TestHost(wasm);
      for (let failing = 1; failing <= counting.reads; failing++) {
        host.reads = 0;
        host.failing = failing;
        expect(host.run(input, budget), `read ${failing}`).toBe(abi.STATUS_READ);
        host.failing = 0;
        expect(host.run(input, 10_000)).toBe(abi.STATUS_DONE);
        expect(host.output()).toEqual(expected);
      }
    });
  });

  it("begin again where a run is given up", () => {
    const host = new TestHost(wasm);
    for (let steps = 1; steps < 1500; steps += 37) {
      host.begin(input);
      for (let step = 0; step < steps; step++) host.exports.step(1);
      expect(host.run(input)).toBe(abi.STATUS_DONE);
      expect(host.output()).toEqual(expected);
    }
  });
});
