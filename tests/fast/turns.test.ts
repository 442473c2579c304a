/** Layers that go by lines: the same outputs in less memory, by the packer's tables in plain loops and by the kernels. */
import { describe, expect, it } from "vitest";
import { fastProgram, type FastLayout, type FastRam } from "../../host/fast/memory.js";
import { fastParts } from "../../host/fast/parts.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { runModel } from "../../host/engines/ops-i8.js";
import type { QModel, Shape } from "../../host/model/model.js";
import { outputsOf } from "../../host/model/edges.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { openEngine } from "../../host/node/engines/open.js";
import { buildModel, randomInput, type LayerSpec } from "../support/models.js";
import { interpretRuns } from "./interpret.js";

const full = { op: "conv2d", weights: "any", density: 1 } as const;
const pointwise = (out: number, rest = {}): LayerSpec => ({ ...full, kernel: [1, 1], out, ...rest });
const conv = (out: number, rest = {}): LayerSpec => ({ ...full, kernel: [3, 3], pad: 1, out, ...rest });
const depthwise = (out: number, rest = {}): LayerSpec => ({
  ...full,
  kernel: [3, 3],
  pad: 1,
  out,
  groups: out,
  ...rest,
});

/** @returns tensors that go by lines, and bytes of linear memory with and without */
function expectEqual(
  model: QModel,
  layout: FastLayout = { ram: "least" },
): { lines: number; least: number; whole: number } {
  const container = readContainer(writeContainer(model));
  const program = fastProgram(container, layout);
  const inputs = [1, 2, 3].map((seed) => randomInput(model, seed));
  const output = outputsOf(model)[0];
  const layer = output - model.tensors.length + model.layers.length;
  const expected = inputs.map((input) => runModel(model, input)[layer]);
  const interpreted = interpretRuns(
    program,
    inputs.map((input) => [input]),
  );
  const wasm = fastModule(program);
  const parts = fastParts(wasm);
  const lines = parts.tensors.filter(({ isByLines }) => isByLines).length;
  if (!parts.tensors[output].isByLines) expect(interpreted.map((outputs) => outputs[layer])).toEqual(expected);
  for (const name of ["v8", "wasm3"] as const) {
    const engine = openEngine(name, wasm);
    expect(
      inputs.map((input) => engine.run(input).slice()),
      name,
    ).toEqual(expected);
    engine.close();
  }
  return { lines, least: program.memory.bytes, whole: fastProgram(container).memory.bytes };
}

const NETS: readonly (readonly [name: string, shape: Shape, layers: LayerSpec[]])[] = [
  ["convolutions", [3, 40, 20], [conv(8), conv(8), conv(8), conv(4, { stride: 2 })]],
  ["without pads", [3, 40, 20], [conv(8, { pad: 0 }), conv(8, { pad: 0 }), conv(8, { pad: 0, stride: 2 })]],
  [
    "depthwise and 1 × 1",
    [3, 48, 24],
    [conv(8), depthwise(8), pointwise(16), depthwise(16, { stride: 2 }), pointwise(16)],
  ],
  ["an odd height", [2, 37, 21], [conv(8), depthwise(8), pointwise(12), depthwise(12, { stride: 2 }), pointwise(8)]],
  ["5 × 5", [2, 33, 20], [conv(8, { kernel: [5, 5], pad: 2 }), conv(8, { kernel: [5, 3], pad: [2, 1] }), conv(4)]],
  [
    "pools",
    [2, 40, 20],
    [
      conv(8),
      { op: "maxpool", kernel: 3, stride: 2, pad: 1 } as LayerSpec,
      conv(8),
      { op: "avgpool", kernel: 2, stride: 2 } as LayerSpec,
    ],
  ],
  [
    "a sum",
    [4, 32, 16],
    [
      conv(8),
      conv(8),
      conv(8),
      { op: "add", from: [1, 3] },
      conv(8, { stride: 2 }),
      pointwise(8, { from: 4, stride: 2 }),
      { op: "add", from: [5, 6] },
    ],
  ],
  ["a table", [4, 32, 16], [conv(8), { op: "lut" }, conv(8), pointwise(4)]],
  [
    "half of the weights",
    [4, 32, 16],
    [conv(16), conv(16, { density: 0.3 }), conv(16, { density: 0.2 }), pointwise(4)],
  ],
  [
    "a dense layer behind them",
    [3, 32, 16],
    [conv(8), conv(8), conv(8, { stride: 2 }), { op: "dense", out: 5, weights: "any", density: 1 }],
  ],
];

/** With the input by lines too. */
const COMING = ["depthwise and 1 × 1", "an odd height", "5 × 5", "pools", "a sum", "half of the weights"];

describe("layers by lines", () => {
  it.each(NETS)("%s", (_name, shape, layers) => {
    const { lines, least, whole } = expectEqual(buildModel(4, shape, layers));
    expect(lines).toBeGreaterThan(1);
    expect(least).toBeLessThan(whole);
  });

  it("names nets that there are", () => {
    expect(NETS.map(([name]) => name)).toEqual(expect.arrayContaining(COMING));
  });

  it.each(NETS.filter(([name]) => COMING.includes(name)))("%s, and the input", (_name, shape, layers) => {
    const model = buildModel(4, shape, layers);
    const { lines, least } = expectEqual(model, { inputRows: true });
    expect(lines).toBeGreaterThan(0);
    expect(least).toBeLessThan(fastProgram(readContainer(writeContainer(model)), { ram: "least" }).memory.bytes);
  });

  it("come with the input only where nobody else reads it, and it is the only one", () => {
    const programOf = (layers: LayerSpec[], rest = {}): (() => unknown) => {
      const container = readContainer(writeContainer(buildModel(4, [8, 32, 16], layers, rest)));
      return () => fastProgram(container, { inputRows: true });
    };
    expect(programOf([conv(8), { op: "add", from: [0, 1] }])).not.toThrow();
    const problem = (cause: string): string =>
      `its input cannot come by rows: ${cause}; expected one input, which only the first layers read, and these to be convolutions without a pool`;
    const resize: LayerSpec = { op: "resize", factor: [1, 1] };
    expect(programOf([conv(8), resize, { op: "add", from: [0, 2] }])).toThrow(
      problem("layer 1 (resize) does not go by them"),
    );
    expect(programOf([resize, conv(8)])).toThrow(problem("layer 0 (resize) does not go by them"));
    expect(programOf([conv(8, { pool: { size: 2, stride: 2 } })])).toThrow(
      problem("layer 0 (conv2d) does not go by them"),
    );
    expect(programOf([conv(8), { op: "add", from: [1, 2] }], { inputs: [[8, 32, 16]] })).toThrow(
      problem("the model has 2"),
    );
  });

  it("are the cheapest that take no more than is granted, and none where all planes do", () => {
    const model = buildModel(4, [4, 40, 24], [conv(8), conv(8), conv(8), conv(8), conv(4, { stride: 2 })]);
    const container = readContainer(writeContainer(model));
    const bytesOf = (ram?: FastRam): number => fastProgram(container, { ram }).memory.bytes;
    const [least, whole] = [bytesOf("least"), bytesOf()];
    const between = Math.ceil((least + whole) / 2);
    expect(bytesOf(whole)).toBe(whole);
    expect(bytesOf(between)).toBeLessThanOrEqual(between);
    expect(bytesOf(between)).toBeGreaterThan(least);
    expectEqual(model, { ram: between });
    expect(bytesOf(least - 1)).toBe(least);
  });
});
