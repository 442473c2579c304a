/** Dense layers by the values that a row's weights share: at the edges of what a group holds, and where they are chosen. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { GROUP_GAPS, GROUP_HEAD_BYTES, GROUP_OFFSET_BITS, ROW_BYTES } from "../../assembly/fast/layout.js";
import { readContainer } from "../../host/container/read.js";
import { firstDifference } from "../../host/engines/compare.js";
import { pixelTable } from "../../host/engines/fill-input.js";
import { fastProgram } from "../../host/fast/memory.js";
import { fastParts } from "../../host/fast/parts.js";
import type { QDense, QModel } from "../../host/model/model.js";
import { loadMnist } from "../../host/node/data/mnist.js";
import { openEngine } from "../../host/node/engines/open.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { packageRoot } from "../../host/node/paths.js";
import { reportFast, type FastLayerReport } from "../../host/report/fast.js";
import { buildModel, randomInput, type LayerSpec } from "../support/models.js";
import { expectEqual } from "./expect-equal.js";

/** So much that the shortest stream is chosen. */
const SHORTEST = { bytePrice: 1e6 };

/** Inputs at random and where all elements are as far as they go. */
function reportOf(model: QModel): FastLayerReport[] {
  const [input] = model.tensors;
  const [random, another] = [1, 2].map((seed) => randomInput({ ...model, tensors: [input] }, seed));
  const alike = [-128, 127].map((element) => random.slice().fill(element));
  return expectEqual(model, [random, another, ...alike], SHORTEST);
}

/** A dense layer of a row for each list of weights, `times` over: few bytes more than the kernel's would not pay. */
function denseOf(rows: readonly (readonly number[])[], times: number): QModel {
  const [first] = rows;
  const spec: LayerSpec = { op: "dense", out: rows.length * times, weights: "single", density: 1 };
  const model = buildModel(2, [first.length, 1, 1], [spec]);
  const [layer] = model.layers as [QDense];
  const weights = Array.from({ length: times }, () => rows.flat()).flat();
  return { ...model, layers: [{ ...layer, weights: Int8Array.from(weights) }] };
}

const line = (inputs: number, weight: (at: number) => number): number[] =>
  Array.from({ length: inputs }, (_, at) => weight(at));

const bytesOf = (groups: number, gaps: number): number => ROW_BYTES + GROUP_HEAD_BYTES * groups + gaps;

describe("a row by values", () => {
  it("of any number of equal weights is one group, or two where they are more than it takes", () => {
    const most = GROUP_GAPS + 1;
    const counts = Array.from({ length: most + 6 }, (_, before) => before + 1);
    const [report] = reportOf(
      denseOf(
        counts.map((count) => line(200, (at) => (at < count ? -3 : 0))),
        1,
      ),
    );
    expect(report).toMatchObject({ kernel: "dense by values", zeros: 0 });
    const bytes = counts.map((count) => (count > most ? bytesOf(2, count - 2) : bytesOf(1, count - 1)));
    expect(report.streamBytes).toBe(bytes.reduce((sum, row) => sum + row));
  });

  it("has another group behind a gap that is no byte", () => {
    const gap = (second: number): QModel =>
      denseOf([line(400, (at) => (at === 7 || (at >= second && at < second + 90) ? 9 : 0))], 8);
    expect(reportOf(gap(7 + 255))[0].streamBytes).toBe(8 * bytesOf(1, 90));
    expect(reportOf(gap(7 + 256))[0].streamBytes).toBe(8 * bytesOf(2, 89));
  });

  it("without weights has a group of value 0", () => {
    const full = line(80, (at) => 1 + (at % 2));
    const [report] = reportOf(denseOf([full, line(80, () => 0), full], 5));
    expect(report).toMatchObject({ kernel: "dense by values", records: 5 * 161, zeros: 5 });
    expect(report.streamBytes).toBe(5 * (2 * bytesOf(2, 78) + bytesOf(1, 0)));
  });

  it("of all values there are", () => {
    const rows = [3, 5].map((step) => line(256 * 7, (at) => ((Math.floor(at / 7) * step) % 256) - 128));
    const [report] = reportOf(denseOf(rows, 1));
    expect(report).toMatchObject({ kernel: "dense by values", records: 2 * 255 * 7, zeros: 0 });
    expect(report.streamBytes).toBe(2 * bytesOf(255, 255 * 6));
  });

  it.each<[inputs: number, times: number]>([
    [1, 99],
    [2, 64],
    [256, 4],
    [257, 4],
    [2 ** GROUP_OFFSET_BITS, 4],
  ])("of %i inputs", (inputs, times) => {
    const rows = [line(inputs, (at) => (at % 3) - 1), line(inputs, (at) => -(at & 1))];
    expect(reportOf(denseOf(rows, times))[0].kernel).toBe("dense by values");
  });

  it("of more inputs than an offset reaches is none", () => {
    const inputs = 2 ** GROUP_OFFSET_BITS + 1;
    expect(reportOf(denseOf([line(inputs, (at) => (at % 9) - 1)], 4))[0].kernel).toBe("dense by six rows");
  });
});

it("reads elements behind a convolution, across the border that another layer reads", () => {
  const grid = { weights: "grid", density: 0.6 } as const;
  const layers: LayerSpec[] = [
    { op: "conv2d", kernel: [3, 3], out: 4, pad: 1, pool: { size: 2, stride: 2 }, ...grid },
    { op: "dense", out: 40, relu: true, perChannel: true, ...grid },
    { op: "conv2d", kernel: [3, 3], out: 3, pad: 1, from: 1, ...grid },
    { op: "dense", out: 8, from: 3, ...grid },
  ];
  const kernels = reportOf(buildModel(7, [2, 12, 14], layers)).map(({ kernel }) => kernel);
  expect([kernels[1], kernels[3]]).toEqual(Array(2).fill("dense by values"));
});

describe("lenet5", () => {
  const container = new Uint8Array(readFileSync(join(packageRoot, "models/lenet5.mote")));
  const programs = [0, 30].map((bytePrice) => fastProgram(readContainer(container), { bytePrice }));
  const modules = programs.map((program) => fastModule(program));

  it("has its dense layers by pairs at no price for bytes, and by values at 30 instructions", () => {
    const kernels = modules.map((wasm) =>
      reportFast(fastParts(wasm))
        .map(({ kernel }) => kernel)
        .slice(2),
    );
    expect(kernels).toEqual([Array(2).fill("dense"), Array(2).fill("dense by values")]);
    const [pairs, values] = programs.map(({ choices }) => choices[2].chosen.bytes.length);
    expect(values).toBeLessThan(0.7 * pairs);
    expect(modules[1].length).toBeLessThan(0.86 * modules[0].length);
    expect(fastModule(fastProgram(readContainer(container)))).toEqual(modules[0]);
  });

  it("gives the reference's outputs of 100 digits", () => {
    const engines = [
      openEngine("reference", container),
      openEngine("v8", modules[1]),
      openEngine("wasm3", modules[1]),
      openEngine("wasm3", fastModule(programs[1], "sram")),
    ];
    const table = pixelTable(engines[0].input);
    const { images } = loadMnist().test;
    for (let digit = 0; digit < 100; digit++) {
      const pixels = images.subarray(784 * digit, 784 * (digit + 1));
      expect(firstDifference(engines, [Int8Array.from(pixels, (pixel) => table[pixel])])).toBeUndefined();
    }
    for (const engine of engines) engine.close();
  });
});
