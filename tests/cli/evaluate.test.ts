import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PNG } from "pngjs";
import { beforeAll, describe, expect, it } from "vitest";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { loadMnist } from "../../host/node/data/mnist.js";
import { packageRoot } from "../../host/node/paths.js";
import { buildModel, syntheticModels } from "../support/models.js";
import { npyOf } from "../support/npy.js";
import { expectOneLine, mote, moteProcess, scratchFolder } from "./support.js";

const scratch = scratchFolder();
const model = join(packageRoot, "models/lenet5.mote");

interface Result {
  readonly samples: number;
  readonly errors: number;
  readonly accuracyPercent: number;
  readonly top5Percent: number;
  readonly confusion: number[][];
  readonly confusionPairs?: { label: number; class: number; samples: number }[];
  readonly worst: { index: number; file?: string; label: number; class: number; labelProbability: number }[];
}

interface Distorted extends Result {
  readonly distorted: { id: string; samples: number; errorPercent: number }[];
}

describe("mote evaluate", () => {
  it("prints a table for people and one object for scripts, which agree", async () => {
    const outcome = await moteProcess(["evaluate", model, "--data", "mnist:test:1000", "--worst", "3", "--json"]);
    expect(outcome.code).toBe(0);
    const result = JSON.parse(outcome.stdout) as Result;
    const counts = result.confusion.flat();
    const right = result.confusion.reduce((sum, row, label) => sum + row[label], 0);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1000);
    expect(result).toMatchObject({ samples: 1000, errors: 1000 - right, accuracyPercent: right / 10 });
    expect(result.errors).toBeGreaterThan(0);
    expect(result.worst).toHaveLength(Math.min(3, result.errors));
    const { labels } = loadMnist().test;
    for (const { index, label, class: taken, labelProbability } of result.worst) {
      expect(labels[index]).toBe(label);
      expect(taken).not.toBe(label);
      expect(labelProbability).toBeLessThan(0.5);
    }
    expect(outcome.stderr).toContain(`accuracy    ${result.accuracyPercent.toFixed(2)} % (${result.errors} wrong)`);
    expect(outcome.stderr).toMatch(/^0 {2,}\d+ .*\d\.\d\d$/m);
    expect(outcome.stderr).toMatch(new RegExp(`^${result.worst[0].index} +${result.worst[0].label} `, "m"));
  });

  it("measures distorted pictures too when asked", async () => {
    const args = ["evaluate", model, "--data", "mnist:validation:100", "--distort", "--worst", "0", "--json"];
    const { code, stdout, stderr } = await mote(args);
    expect(code).toBe(0);
    const { errors, distorted } = JSON.parse(stdout) as Distorted;
    expect(distorted.map(({ id, samples }) => [id, samples])).toEqual([
      ["clean", 100],
      ["shift2", 400],
      ["shift3", 400],
      ["rotate10", 200],
      ["noise25", 100],
      ["noise50", 100],
      ["background40", 100],
      ["pepper5", 100],
    ]);
    expect(distorted[0].errorPercent).toBe(errors);
    expect(distorted[2].errorPercent).toBeGreaterThan(distorted[0].errorPercent);
    expect(stderr).toMatch(/^shifted by 3 pixels, mean of four directions +400 +\d+\.\d\d$/m);
  });

  it("takes distorted pictures for the steps of a stream, too", async () => {
    const [stream, x, y] = ["windows.mote", "stream.x.npy", "stream.y.npy"].map((name) => scratch.path(name));
    writeFileSync(stream, writeContainer(syntheticModels().find(({ name }) => name === "windows")!.model));
    const pixels = Uint8Array.from({ length: 20 * 60 }, (_, i) => (i * 37) % 251);
    writeFileSync(x, npyOf(pixels, 20, 3, 4, 5));
    const evaluated = async (labels: Uint8Array, ...flags: string[]): Promise<Distorted> => {
      writeFileSync(y, npyOf(labels, 20));
      const args = ["evaluate", stream, "--data", x, "--labels", y, "--worst", "20", "--json", ...flags];
      return JSON.parse((await mote(args)).stdout) as Distorted;
    };
    const { worst } = await evaluated(new Uint8Array(20), "--steps", "all");
    const classes = new Uint8Array(20);
    for (const mistake of worst) classes[mistake.index] = mistake.class;
    const steps = await evaluated(classes, "--steps", "all", "--distort");
    const alone = await evaluated(classes, "--distort");
    expect([steps.errors, steps.distorted[0].errorPercent]).toEqual([0, 0]);
    expect(alone.distorted[0].errorPercent).toBeGreaterThan(0);
  });

  it("names files and classes of a folder of pictures", async () => {
    const { images, labels } = loadMnist().test;
    for (let i = 0; i < 4; i++) {
      const png = new PNG({ width: 28, height: 28 });
      for (let k = 0; k < 784; k++)
        png.data.fill(images[i * 784 + k], 4 * k, 4 * k + 3).fill(255, 4 * k + 3, 4 * k + 4);
      // The second one lies in the folder of another digit.
      const folder = scratch.path(`digits/${i === 1 ? 3 : labels[i]}`);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `${i}.png`), PNG.sync.write(png));
    }
    const outcome = await mote(["evaluate", model, "--data", scratch.path("digits"), "--json"]);
    const { errors, worst } = JSON.parse(outcome.stdout) as Result;
    expect(errors).toBe(1);
    expect(worst).toMatchObject([{ file: join("3", "1.png"), label: 3, class: 2 }]);
    expect(outcome.stderr).toMatch(/^3\/1\.png +3 +2 /m);
  });

  it("has the pairs that occur in place of a matrix of many classes, which words and names number alike", async () => {
    const [many, x, y] = ["many.mote", "many.npy", "many.csv"].map((name) => scratch.path(name));
    const dense = buildModel(3, [4, 1, 1], [{ op: "dense", out: 300, density: 1, weights: "any" }]);
    const labels = Array.from({ length: 300 }, (_, at) => `class ${299 - at}`);
    writeFileSync(many, writeContainer({ ...dense, labels }));
    writeFileSync(
      x,
      npyOf(
        Uint8Array.from({ length: 16 }, (_, i) => (i * 37) % 251),
        4,
        4,
      ),
    );
    const evaluated = async (words: readonly string[]): ReturnType<typeof mote> => {
      writeFileSync(y, `label\n${words.join("\n")}\n`);
      return mote(["evaluate", many, "--data", x, "--labels", y, "--json"]);
    };
    const { worst } = JSON.parse((await evaluated(Array<string>(4).fill("class 299"))).stdout) as Result;
    const taken = Array<string>(4).fill("class 299");
    for (const mistake of worst) taken[mistake.index] = labels[mistake.class];
    const right = JSON.parse((await evaluated(taken)).stdout) as Result;
    expect([right.errors, right.confusion]).toEqual([0, null]);
    expect(right.confusionPairs!.reduce((sum, { samples }) => sum + samples, 0)).toBe(4);
    for (const pair of right.confusionPairs!) expect(pair.class).toBe(pair.label);
    const other = await evaluated([...taken.slice(1), "class 300"]);
    expectOneLine(other, /many\.csv: class class 300 is none of the model's: class 299, class 298, .*, …$/, 1);
  });

  it("needs samples, and labels for them", async () => {
    const path = scratch.path("bare.npy");
    writeFileSync(path, npyOf(new Uint8Array(784), 1, 28, 28));
    expectOneLine(await mote(["evaluate", model]), /expected --data, samples to evaluate the model on$/, 2);
    expectOneLine(await mote(["evaluate", model, "--data", path]), /bare\.npy has no labels: expected --labels/, 2);
  });
});

describe("mote evaluate --float", () => {
  const golden = (name: string): string => join(packageRoot, "tests/golden/import", name);
  const runs = (
    JSON.parse(readFileSync(golden("outputs.json"), "utf8")) as Record<string, { input: number[]; output: number[] }[]>
  )["torch-digits.onnx"];
  /** The class that onnxruntime gives. */
  const classes = runs.map(({ output }) => output.indexOf(Math.max(...output)));
  const [packed, samples] = ["digits.mote", "digits.npy"].map((name) => () => scratch.path(name));

  beforeAll(async () => {
    writeFileSync(samples(), npyOf(Float32Array.from(runs.flatMap(({ input }) => input)), runs.length, 1, 28, 28));
    const pack = ["pack", golden("torch-digits.onnx"), "--calibrate", samples(), "-o", packed()];
    expect((await mote(pack)).code).toBe(0);
  });

  const evaluated = (labels: readonly number[], net: string): ReturnType<typeof mote> => {
    const path = scratch.path("labels.npy");
    writeFileSync(path, npyOf(Int32Array.from(labels), labels.length));
    return mote(["evaluate", packed(), "--data", samples(), "--labels", path, "--float", golden(net), "--json"]);
  };

  it("has the accuracy of both, and how often they agree", async () => {
    const outcome = await evaluated(classes, "torch-digits.onnx");
    expect(outcome.code).toBe(0);
    expect(outcome.stderr).toMatch(/^ +int8 +float\naccuracy, % +100\.00 +100\.00\nright alone, samples +0 +0$/m);
    expect(outcome.stderr).toMatch(/^The same class for 100\.00 % of the samples\.$/m);
    const wrong = [classes[0], (classes[1] + 1) % 5];
    const { accuracyPercent, float } = JSON.parse((await evaluated(wrong, "torch-digits.onnx")).stdout) as {
      accuracyPercent: number;
      float: object;
    };
    expect(accuracyPercent).toBe(50);
    expect(float).toEqual({
      net: golden("torch-digits.onnx"),
      errors: 1,
      accuracyPercent: 50,
      top5Percent: null,
      agreementPercent: 100,
      rightAlone: { int8: 0, float: 0 },
    });
  });

  it("tells a model that is another from its net", async () => {
    const { model: digits } = readContainer(readFileSync(packed()));
    // Biases lift the class that neither sample has, and lower all others.
    const other = [0, 1, 2, 3, 4].find((candidate) => !classes.includes(candidate))!;
    const layers = digits.layers.map((layer, index) =>
      index === digits.layers.length - 1 && "bias" in layer
        ? { ...layer, bias: layer.bias.map((_, row) => (row === other ? 2 ** 24 : -(2 ** 24))) }
        : layer,
    );
    writeFileSync(packed(), writeContainer({ ...digits, layers }));
    const { accuracyPercent, float } = JSON.parse((await evaluated(classes, "torch-digits.onnx")).stdout) as {
      accuracyPercent: number;
      float: object;
    };
    expect(accuracyPercent).toBe(0);
    expect(float).toMatchObject({ accuracyPercent: 100, agreementPercent: 0, rightAlone: { int8: 0, float: 2 } });
  });

  it("refuses a quantized net, and one of another shape", async () => {
    const ofShape = await evaluated(classes, "conv-float.tflite");
    expect(ofShape.stderr).toMatch(/conv-float\.tflite: the net's input is 3 × 12 × 10, the model's 1 × 28 × 28$/m);
    const quantized = await evaluated(classes, "quantized-qdq.onnx");
    expect(quantized.stderr).toMatch(/quantized-qdq\.onnx: the net is quantized; expected one of real numbers$/m);
    expect([ofShape.code, quantized.code]).toEqual([1, 1]);
  });
});
