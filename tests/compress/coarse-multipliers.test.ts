import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { hasWeights, isWeighted } from "../../host/ops/index.js";
import type { Graph, Layer, Net } from "../../host/model/model.js";
import { coarseScales } from "../../host/quantize/coarse-multipliers.js";
import { quantize } from "../../host/quantize/quantize.js";
import { requantizeFactor } from "../../host/quantize/requantize.js";
import { parseCompression } from "../../host/train/metadata.js";
import { namedNet } from "../../host/train/nets.js";
import { compressedNet } from "../support/nets.js";

const separable = JSON.parse(readFileSync("recipes/nets/separable.json", "utf8")) as Graph;

/** As the stage makes it. */
function coarse(net: Net, multiplierBits: number): Net {
  const { weightScale, activations } = net.compression!;
  const scales = coarseScales(net.graph, weightScale, activations, multiplierBits);
  return { ...net, compression: { ...net.compression!, activations: scales, multiplierBits } };
}

const multipliersOf = (net: Net): number[] =>
  quantize(net)
    .layers.filter(isWeighted)
    .flatMap(({ multiplier }) => [...multiplier]);

describe("requantizeFactor", () => {
  it("rounds to so many bits behind the first", () => {
    expect(requantizeFactor(0.3, 0)).toEqual({ multiplier: 2 ** 30, shift: 32 });
    expect(requantizeFactor(0.3, 3)).toEqual({ multiplier: 10 * 2 ** 27, shift: 32 });
    expect(requantizeFactor(0.99, 3)).toEqual({ multiplier: 2 ** 30, shift: 30 });
    expect(requantizeFactor(0.3)).toEqual({ multiplier: 1288490189, shift: 32 });
  });
});

describe("coarseScales", () => {
  it.each([
    ["separable", separable],
    ["lenet5", namedNet("lenet5")],
  ])("gives multipliers few bits without multiplying wrongly: %s", (_, graph) => {
    const net = compressedNet(graph, 4);
    expect(multipliersOf(net).some((multiplier) => multiplier % 2 ** 27 !== 0)).toBe(true);
    for (const bits of [0, 3]) {
      const other = coarse(net, bits);
      for (const multiplier of multipliersOf(other)) expect(multiplier % 2 ** (30 - bits)).toBe(0);
      // What the scales say and what is multiplied with is the same.
      const { activations, multiplierBits: __, ...rest } = other.compression!;
      const exact = multipliersOf({ ...other, compression: { ...rest, activations } });
      multipliersOf(other).forEach((multiplier, i) => {
        const apart = Math.abs(exact[i] / multiplier - 1);
        // Either side of a power of two.
        expect(Math.min(apart, Math.abs(apart - 1))).toBeLessThan(1e-6);
      });
      const most = 2 ** (1 / 2 ** (bits + 1)) * 1.08;
      for (const [tensor, { scale, zeroPoint }] of Object.entries(activations)) {
        const before = net.compression!.activations[tensor];
        expect(zeroPoint).toBe(before.zeroPoint);
        expect(Math.max(scale / before.scale, before.scale / scale)).toBeLessThan(most);
      }
      expect(activations.image).toEqual(net.compression!.activations.image);
    }
  });

  const dense = (name: string, input: string, outFeatures: number): Layer => {
    return { op: "dense", name, input, output: name, outFeatures };
  };
  const relu: Layer = { op: "relu", name: "r", input: "mix", output: "r" };
  it.each<[string, Layer[]]>([
    [
      "a layer reads a state before it is made",
      [
        dense("wx", "x", 6),
        dense("uh", "h", 6),
        { op: "add", name: "s", inputs: ["wx", "uh"], output: "s" },
        dense("mix", "s", 6),
        relu,
      ],
    ],
    [
      "a layer reads what it makes itself",
      [{ op: "concat", name: "xh", inputs: ["x", "h"], output: "xh" }, dense("mix", "xh", 6), relu],
    ],
  ])("multiplies rightly where %s", (_, layers) => {
    const graph: Graph = {
      name: "rnn",
      input: { name: "x", shape: [8, 1, 1] },
      steps: 4,
      states: [{ tensor: "h", shape: [6, 1, 1], source: "r" }],
      layers: [...layers, dense("o", "r", 4)],
    };
    for (const bits of [0, 3]) {
      const net = coarse(compressedNet(graph, 4), bits);
      const { activations, weightScale } = net.compression!;
      const found = quantize(net).layers.filter(isWeighted);
      graph.layers.filter(hasWeights).forEach(({ name, input }, index) => {
        // A relu is a part of its layer.
        const output = name === "mix" ? "r" : name;
        const real = (activations[input].scale * (weightScale[name] as number)) / activations[output].scale;
        const { multiplier, shift } = found[index];
        expect(multiplier[0] / 2 ** shift[0] / real).toBeCloseTo(1, 6);
      });
      expect(found.at(-1)!.multiplier[0] % 2 ** (30 - bits)).toBe(0);
    }
  });

  it("leaves layers alone whose rows have scales of their own", () => {
    const net = compressedNet(namedNet("lenet300"), 1, true);
    const other = coarse(net, 2);
    expect(other.compression!.activations).toEqual(net.compression!.activations);
    expect(multipliersOf(other)).toEqual(multipliersOf(net));
  });
});

it("a checkpoint's bits are 0 … 30", () => {
  const text = (multiplierBits: unknown): string =>
    JSON.stringify({ nominalChannels: {}, weightScale: {}, activations: {}, multiplierBits });
  expect(parseCompression(text(3), "a").multiplierBits).toBe(3);
  expect(parseCompression(text(undefined), "a").multiplierBits).toBeUndefined();
  expect(() => parseCompression(text(31), "a")).toThrow(/multiplierBits/);
});
