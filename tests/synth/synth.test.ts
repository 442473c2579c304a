import { readFileSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { firstDifference } from "../../host/engines/compare.js";
import { openReference } from "../../host/engines/reference.js";
import { openEngine } from "../../host/node/engines/open.js";
import { reportContainer } from "../../host/report/container.js";
import { drawWeights, levelsOf } from "../../host/synth/draw.js";
import { momentsOf } from "../../host/synth/moments.js";
import { countNet, placeLayers, type SynthNet } from "../../host/synth/net.js";
import { SYNTH_NETS, synthNet } from "../../host/synth/nets.js";
import { synthesize, type SynthOptions } from "../../host/synth/synthesize.js";
import { Random } from "../../host/rng.js";
import { expectOneLine, lastJson, mote, moteProcess, scratchFolder } from "../cli/support.js";

const bytesOf = (name: string, options?: SynthOptions): Uint8Array => writeContainer(synthesize(name, options));

/** All ops and a second branch, small. */
const EVERY_OP: SynthNet = {
  name: "every-op",
  title: "Every op",
  source: "none",
  input: [3, 33, 33],
  pixels: "photo",
  layers: [
    { op: "conv2d", name: "conv", channels: 16, kernel: 3, stride: 2, pad: 1, density: 1, bits: 6 },
    { op: "lrn", name: "norm", size: 5 },
    { op: "maxpool", name: "pool", kernel: 3, stride: 2 },
    { op: "conv2d", name: "depthwise", channels: 16, groups: 16, kernel: 3, pad: 1, density: 1, bits: 8 },
    { op: "conv2d", name: "left", from: ["depthwise"], channels: 16, kernel: 1, density: 0.5, bits: 5, relu: false },
    { op: "conv2d", name: "right", from: ["pool"], channels: 16, kernel: 1, density: 0.5, bits: 5, relu: false },
    { op: "add", name: "sum", from: ["left", "right"] },
    { op: "conv2d", name: "expand1", from: ["sum"], channels: 24, kernel: 1, density: 0.3, bits: 8 },
    { op: "conv2d", name: "expand3", from: ["sum"], channels: 24, kernel: 3, pad: 1, density: 0.3, bits: 8 },
    { op: "concat", name: "both", from: ["expand1", "expand3"] },
    { op: "avgpool", name: "mean", kernel: 8, stride: 1 },
    { op: "dense", name: "classes", outputs: 40, density: 0.4, bits: 4, relu: false },
  ],
  published: [],
};

describe("the tables", () => {
  // Weights as the papers count them, and the share that their last lines have left.
  test.each([
    ["lenet300", 266_200, 0.08],
    ["lenet5", 430_500, 0.08],
    ["alexnet", 60_954_656, 0.11],
    ["vgg16", 138_344_128, 0.075],
    ["squeezenet", 1_244_448, 0.335],
    ["resnet50", 25_502_912, 0.2],
    ["mobilenet", 4_209_088, 0.505],
  ])("%s adds up to the paper's totals", (name, weights, left) => {
    const counts = countNet(synthNet(name));
    expect(counts.weights).toBe(weights);
    expect(counts.nonZeros / weights).toBeCloseTo(left, 2);
  });

  it("has all nets in it that there are", () => {
    expect(SYNTH_NETS.map(({ name }) => name).sort()).toEqual(
      ["lenet300", "lenet5", "alexnet", "vgg16", "squeezenet", "resnet50", "mobilenet"].sort(),
    );
  });

  it("SqueezeNet's parameters after pruning are those of its table 1", () => {
    const { nonZeros, biases } = countNet(synthNet("squeezenet"));
    expect(Math.abs(nonZeros + biases - 421_098)).toBeLessThan(10);
  });

  test.each([
    [{ from: ["nowhere"] }, /every-op\/classes: no layer nowhere before it/],
    [{ op: "conv2d", channels: 4, kernel: 2 }, /every-op\/classes: does not fit 48 × 1 × 1/],
  ])("refuses a layer that does not fit: %o", (changed, message) => {
    const layers = [...EVERY_OP.layers.slice(0, -1), { ...EVERY_OP.layers.at(-1)!, ...changed } as never];
    expect(() => placeLayers({ ...EVERY_OP, layers })).toThrow(message);
  });
});

describe("a synthetic net", () => {
  it("is the same for the same seed, and another for another", () => {
    const bytes = bytesOf("lenet300");
    expect(bytesOf("lenet300", { seed: 1, weights: "laplace" })).toEqual(bytes);
    expect(bytesOf("lenet300", { seed: 2 })).not.toEqual(bytes);
    expect(bytesOf("lenet300", { weights: "gauss" })).not.toEqual(bytes);
  });

  it("has the densities and bits of its table", () => {
    const net = synthNet("lenet5");
    const report = reportContainer(readContainer(bytesOf("lenet5")));
    const weighted = report.layers.flatMap(({ weights }) => weights ?? []);
    const wanted = placeLayers(net).filter(({ rows }) => rows > 0);
    expect(weighted).toHaveLength(wanted.length);
    weighted.forEach(({ nonZeros, nominalWeights, values, fixedWidth }, index) => {
      const { layer, rows, columns } = wanted[index];
      if (!("density" in layer)) throw new Error("a layer without weights");
      expect(nominalWeights).toBe(rows * columns);
      // Four standard deviations of so many draws.
      const spread = 4 * Math.sqrt((layer.density * (1 - layer.density)) / nominalWeights);
      expect(Math.abs(nonZeros / nominalWeights - layer.density)).toBeLessThan(spread);
      expect(values).toBeLessThan(2 ** layer.bits);
      expect(fixedWidth.weightBits).toBeLessThanOrEqual(layer.bits);
    });
    // Deep Compression's 44 KB; ours are at independent positions, and have fewer tables.
    expect(report.fileBytes).toBeGreaterThan(40_000);
    expect(report.fileBytes).toBeLessThan(46_000);
  });

  it("neither dies nor is cut off, in any layer", () => {
    const engine = openReference(writeContainer(synthesize(EVERY_OP)));
    const { model } = readContainer(writeContainer(synthesize(EVERY_OP)));
    const random = new Random(3);
    const pixels = Int8Array.from({ length: 3 * 33 * 33 }, () => random.integer(256) - 128);
    engine.run(pixels, (index, output) => {
      const { op } = model.layers[index];
      const share = (is: (value: number) => boolean): number => output.filter(is).length / output.length;
      // A factor is 1 where all its squares are 0.
      expect(
        share((value) => value === 127),
        `${op} ${index}`,
      ).toBeLessThan(op === "lut" ? 0.2 : 0.05);
      expect(
        share((value) => value === -128),
        `${op} ${index}`,
      ).toBeLessThan(0.7);
      expect(new Set(output).size, `${op} ${index}`).toBeGreaterThan(20);
    });
  });

  it("gives the same in V8 as by the reference", () => {
    const bytes = writeContainer(synthesize(EVERY_OP));
    const engines = [openEngine("v8", bytes), openReference(bytes)];
    const random = new Random(4);
    const pixels = Int8Array.from({ length: 3 * 33 * 33 }, () => random.integer(256) - 128);
    expect(firstDifference(engines, pixels)).toBeUndefined();
    for (const engine of engines) engine.close();
  });

  it("tells how pictures become its input", () => {
    const { model } = readContainer(writeContainer(synthesize(EVERY_OP)));
    expect(model.preprocessing).toEqual({
      layout: "interleaved",
      colours: "rgb",
      mean: [128, 128, 128],
      std: [64, 64, 64],
    });
    expect(model.names).toEqual(["image", "logits"]);
  });
});

describe("weights", () => {
  test.each(["laplace", "gauss"] as const)("of a %s distribution are of both signs alike, the largest 127", (kind) => {
    const levels = levelsOf(kind, 1e6, 0.1, 5);
    const { values, cumulative } = levels;
    expect(values.length).toBeLessThan(32);
    expect(Array.from(values, (value) => -value).sort((a, b) => a - b)).toEqual([...values]);
    expect(values.at(-1)).toBe(127);
    expect(cumulative.at(-1)).toBe(2 ** 32);
    // What is cut off leaves a gap around 0.
    expect(Math.min(...values.map(Math.abs))).toBeGreaterThan(10);
    const { weights, sums, squares } = drawWeights(100, 1000, 0.1, levels, new Random(1));
    expect(sums[7]).toBe(weights.subarray(7000, 8000).reduce((sum, value) => sum + value, 0));
    expect(squares).toBeCloseTo(Array.from(weights, (w) => w * w).reduce((a, b) => a + b) / 100);
  });

  it("of a layer that is not pruned are none of them 0", () => {
    expect(drawWeights(8, 100, 1, levelsOf("laplace", 800, 1, 4), new Random(1)).weights).not.toContain(0);
  });
});

test("moments of a rectified normal element, and of the largest of two", () => {
  const rectified = momentsOf({ mean: 0, variance: 1 }, true, 1);
  expect(rectified.mean).toBeCloseTo(1 / Math.sqrt(2 * Math.PI), 3);
  expect(rectified.variance).toBeCloseTo(0.5 - 1 / (2 * Math.PI), 3);
  expect(momentsOf({ mean: 0, variance: 1 }, false, 2).mean).toBeCloseTo(1 / Math.sqrt(Math.PI), 3);
});

describe("mote synth", () => {
  const { path, names } = scratchFolder();

  it("writes the model, and says what it is of", async () => {
    const outcome = await moteProcess(["synth", "lenet300", "--out", path("a.mote"), "--seed", "7", "--json"]);
    expect(outcome.code).toBe(0);
    expect(outcome.stderr).toContain("published  0.027 MB by Deep Compression");
    const bytes = bytesOf("lenet300", { seed: 7 });
    expect(new Uint8Array(readFileSync(path("a.mote")))).toEqual(bytes);
    expect(lastJson(outcome)).toMatchObject({ net: "lenet300", weights: 266_200, bytes: bytes.length, seed: 7 });
  });

  it("lists the nets", async () => {
    const outcome = await mote(["synth", "--json"]);
    expect(outcome.code).toBe(0);
    expect((lastJson(outcome).nets as { net: string }[]).map(({ net }) => net)).toEqual(SYNTH_NETS.map((n) => n.name));
  });

  it("answers wrong use with exit code 2 and one line", async () => {
    const out = path("b.mote");
    const cases: [string[], RegExp][] = [
      [["vgg19", "--out", out], /^mote: no net vgg19; there are lenet300, lenet5, alexnet, vgg16, squeezenet, /],
      [["lenet5"], /^mote: lenet5: expected --out, the file that it goes to$/],
      [["--out", out], /^mote: --out .*: expected the name of a net as well$/],
      [["lenet5", "--out", out, "--seed", "4294967296"], /^mote: option '--seed <n>' argument '4294967296' is invalid/],
      [["lenet5", "--out", out, "--weights", "cauchy"], /^mote: option '--weights <distribution>' argument 'cauchy'/],
    ];
    for (const [args, message] of cases) expectOneLine(await mote(["synth", ...args]), message, 2);
    expect(names()).not.toContain("b.mote");
  });
});
