import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zipSync } from "fflate";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { readCheckpoint, writeCheckpoint } from "../../host/node/train/checkpoint.js";
import { Random } from "../../host/rng.js";
import { Trainer } from "../../host/train/trainer.js";
import { npyOf } from "../support/npy.js";
import { trainCommand } from "../../tools/train.js";

let folder: string;
let file: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-train-"));
  file = join(folder, "net.safetensors");
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the command and gives the lines that it printed to stdout and to stderr. */
async function mote(...args: string[]): Promise<{ stdout: string[]; stderr: string[] }> {
  const lines = { stdout: [] as string[], stderr: [] as string[] };
  for (const name of ["stdout", "stderr"] as const) {
    vi.spyOn(process[name], "write").mockImplementation((text) => lines[name].push(String(text).trimEnd()) > 0);
  }
  await trainCommand().exitOverride().parseAsync(args, { from: "user" });
  return lines;
}

describe("mote train", () => {
  const tiny = ["--net", "lenet300", "--epochs", "0.05", "--threads", "1", "--seed", "3"];

  test("trains, reports and can be resumed after its end", async () => {
    const { stdout, stderr } = await mote(...tiny, "--out", file, "--json");
    expect(stdout).toHaveLength(1);
    expect(stderr.find((line) => line.startsWith("epoch"))).toMatch(
      /^epoch 1 {2}loss \d\.\d{4} {2}validation error \d+\.\d\d % \(\d+ of 5000\)$/,
    );
    const report = JSON.parse(stdout[0]) as Record<string, unknown>;
    expect(report).toMatchObject({ net: "lenet300", steps: 22, seed: 3, epochs: 0.05, threads: 1 });
    expect(report.validationErrorPercent).toBeLessThan(25);
    expect(report).not.toHaveProperty("testErrors");
    expect(readCheckpoint(file).net.graph.name).toBe("lenet300");
    const again = await mote("--resume", "--out", file, "--json");
    expect((JSON.parse(again.stdout[0]) as Record<string, unknown>).validationErrors).toBe(report.validationErrors);
  });

  test("a resumed run does not change its settings in silence", async () => {
    await expect(mote("--resume", "--out", file, "--lr", "0.5")).rejects.toThrow(
      /--lr 0\.5: .*net\.safetensors was started with 0\.0015/,
    );
    await expect(mote("--resume", "--out", file, "--net", "lenet5")).rejects.toThrow(/holds a lenet300/);
  });

  describe("on own data", () => {
    /** 2 × 2 bytes: the brighter half says the class. */
    const halves = (count: number, seed: number): Record<"x" | "y", Uint8Array> => {
      const random = new Random(seed);
      const classes = Int32Array.from({ length: count }, () => random.integer(2));
      const pixel = (_: unknown, i: number): number =>
        random.integer(100) + (Math.floor((i % 4) / 2) === classes[i >> 2] ? 150 : 0);
      return {
        x: npyOf(Uint8Array.from({ length: 4 * count }, pixel), count, 2, 2),
        y: npyOf(classes, count),
      };
    };
    const put = (name: string, content: Uint8Array | string): string => {
      const path = join(folder, name);
      writeFileSync(path, content);
      return path;
    };
    const archive = (name: string, arrays: Record<string, Uint8Array>): string =>
      put(name, zipSync(Object.fromEntries(Object.entries(arrays).map(([key, array]) => [`${key}.npy`, array]))));
    const graph = (outFeatures: number): string =>
      JSON.stringify({
        name: "tiny",
        input: { name: "x", shape: [1, 2, 2] },
        layers: [{ op: "dense", name: "fc", input: "x", output: "y", outFeatures }],
      });
    const few = ["--epochs", "8", "--lr", "0.05", "--threads", "1", "--json"];
    const out = (): string => join(folder, "tiny.safetensors");

    test("trains a graph from a file, keeps what it was trained on, and resumes on that alone", async () => {
      const net = put("tiny.json", graph(2));
      const data = archive("own.npz", halves(400, 1));
      const flags = ["--net", net, "--data", data, "--scale", "0.004", "--class-weights", "balanced", "--test"];
      const { stdout, stderr } = await mote(...flags, ...few, "--out", out());
      const report = JSON.parse(stdout[0]) as Record<string, number>;
      expect(report).toMatchObject({ net: "tiny", data: "own.npz", loss: "softmax", metric: "accuracy", batch: 32 });
      expect([report.validationErrors, report.testErrors]).toEqual([0, 0]);
      expect(stderr.filter((line) => line.startsWith("mote: warning"))).toEqual([]);
      const { net: trained, data: records } = readCheckpoint(out());
      expect(trained.graph.ends!.preprocessing).toEqual({ layout: "planar", colours: "none", mean: [0], std: [250] });
      expect(records).toMatchObject([{ source: "own.npz", count: 320, spec: { train: data, scale: 0.004 } }]);

      const again = await mote("--resume", "--out", out(), "--json");
      expect(JSON.parse(again.stdout[0])).toMatchObject({ validationErrors: 0, steps: report.steps });
      await expect(mote("--resume", "--out", out(), "--loss", "mse")).rejects.toThrow(/was started with .*softmax/);
      await expect(mote("--resume", "--out", out(), "--data", data, "--scale", "1")).rejects.toThrow(
        /tiny\.safetensors: the train samples are others, [\da-f]{16}: it was started with own\.npz, 320 samples/,
      );
      archive("own.npz", halves(400, 2));
      await expect(mote("--resume", "--out", out())).rejects.toMatchObject({ code: "MISMATCH" });
      archive("own.npz", halves(400, 1));
    });

    test("resumes with the data it was started with but for what flags say otherwise, and not on other data", async () => {
      const data = archive("parts.npz", halves(400, 5));
      const validation = archive("chosen.npz", halves(60, 6));
      const start = ["--net", put("tiny.json", graph(2)), "--data", data];
      const [split, parts] = [join(folder, "split.safetensors"), join(folder, "parts.safetensors")];
      await mote(...start, "--validation-count", "50", "--validation-copies", "2", ...few, "--out", split);
      await mote(...start, "--validation", validation, ...few, "--out", parts);
      const resume = (out: string, ...flags: string[]) => mote("--resume", "--out", out, "--json", ...flags);
      await resume(split, "--validation-copies", "2");
      await resume(split, "--split-seed", "1");
      await expect(resume(split, "--validation-copies", "3")).rejects.toThrow(/the validation samples are others/);
      await expect(resume(split, "--validation-count", "51")).rejects.toThrow(
        /the (train|validation) samples are others/,
      );
      await expect(resume(split, "--split-seed", "7")).rejects.toThrow(/the train samples are others/);
      await resume(parts, "--validation", validation);
      await expect(resume(parts, "--split-seed", "7")).rejects.toThrow(/a split: not with validation samples of their/);
      await expect(resume(parts, "--validation", data)).rejects.toThrow(/the validation samples are others/);
      await expect(resume(parts, "--test-data", validation, "--scale", "1")).rejects.toThrow(/the train samples are/);
    });

    test("what a run was not started with is no flag to resume it with", async () => {
      const [data, net] = [archive("uneven.npz", halves(401, 8)), put("tiny.json", graph(2))];
      const file2 = join(folder, "flags.safetensors");
      await mote("--net", net, "--data", data, ...few, "--out", file2);
      const resume = (...flags: string[]) => mote("--resume", "--out", file2, ...flags);
      await expect(resume("--steps", "7")).rejects.toThrow(/--steps 7: .*flags\.safetensors was started with none/);
      await expect(resume("--keep-batchnorm")).rejects.toThrow(/--keep-batchnorm: .*without batch normalizations/);
      await expect(resume("--class-weights", "balanced")).rejects.toThrow(/"classWeights":\[.*was started with/);
      await mote("--net", net, "--data", data, "--class-weights", "balanced", ...few, "--out", file2);
      await resume("--class-weights", "balanced");
    });

    test("test samples take no more memory than the training's", async () => {
      const create = vi.spyOn(Trainer, "create");
      const data = archive("own.npz", halves(400, 1));
      const net = put("tiny.json", graph(2));
      const file2 = join(folder, "tested.safetensors");
      const { stdout } = await mote("--net", net, "--data", data, ...few, "--test", "--out", file2);
      expect(JSON.parse(stdout[0])).toHaveProperty("testErrors");
      expect(create.mock.calls.map(([{ batch }]) => batch)).toEqual([32]);
    });

    test("warns of samples that the net has seen, and of those in both parts", async () => {
      const data = archive("own.npz", halves(400, 1));
      const other = ["--net", out(), "--data", data, "--split-seed", "2", "--scale", "0.004"];
      const file2 = join(folder, "second.safetensors");
      const { stderr } = await mote(...other, ...few, "--out", file2);
      const [warning] = stderr.filter((line) => line.startsWith("mote: warning"));
      // Some four fifths of a tenth of 400; vectors of so few values are told apart by each of them.
      expect(warning).toMatch(
        /tiny\.safetensors has been trained on (2[5-9]|3\d) of the 40 validation samples, by own\.npz/,
      );
      expect(readCheckpoint(file2).data).toHaveLength(2);
      const both = ["--net", join(folder, "tiny.json"), "--data", data, "--validation", `${data}:7`];
      const twice = await mote(...both, ...few, "--out", join(folder, "third.safetensors"));
      expect(twice.stderr.join()).toMatch(/7 of the 7 validation samples are among the training samples as well/);
    });

    test("of numbers, and its own input", async () => {
      const { x } = halves(400, 3);
      const net = put("auto.json", graph(4));
      const samples = put("samples.npy", x);
      const auto = ["--net", net, "--data", samples, "--targets", "input", "--out", join(folder, "auto.safetensors")];
      const { stdout } = await mote(...auto, ...few, "--test");
      const report = JSON.parse(stdout[0]) as Record<string, number>;
      expect(report).toMatchObject({ loss: "mse", metric: "mse" });
      expect(report.validationMSE).toBeLessThan(0.01);
      expect(report).not.toHaveProperty("validationErrors");
    });

    test("keeps the batch normalizations of an ONNX file where it is told to", async () => {
      const random = new Random(4);
      const bytes = (count: number, below: number): Uint8Array =>
        Uint8Array.from({ length: count }, () => random.integer(below));
      const x = npyOf(bytes(40 * 28 * 28, 256), 40, 28, 28);
      const data = archive("pictures.npz", { x, y: npyOf(Int32Array.from(bytes(40, 5)), 40) });
      const ops = async (...flags: string[]): Promise<string[]> => {
        const how = [
          "--net",
          "tests/golden/import/torch-digits.onnx",
          "--data",
          data,
          "--epochs",
          "1",
          "--threads",
          "1",
        ];
        await mote(...how, ...flags, "--out", join(folder, "digits.safetensors"));
        return readCheckpoint(join(folder, "digits.safetensors")).net.graph.layers.map(({ op }) => op);
      };
      const folded = ["conv2d", "relu", "maxpool", "conv2d", "clamp", "dense"];
      expect(await ops()).toEqual(folded);
      expect(await ops("--keep-batchnorm")).toEqual(["conv2d", "batchnorm", ...folded.slice(1)]);
    });

    test("says what does not fit", async () => {
      const net = put("tiny.json", graph(2));
      const data = archive("own.npz", halves(40, 1));
      const fails = (...flags: string[]): Promise<unknown> =>
        mote("--out", join(folder, "x.safetensors"), ...flags).then(
          () => "accepted",
          (error: Error) => error.message,
        );
      expect(await fails("--net", net)).toMatch(/--data is missing/);
      expect(await fails("--net", join(folder, "none.onnx"), "--data", data)).toMatch(
        /expected lenet5, lenet300 or the/,
      );
      expect(await fails("--net", "lenet5", "--data", data)).toMatch(
        /own\.npz: the model takes images of \[1, 28, 28\]/,
      );
      expect(await fails("--net", net, "--data", data, "--metric", "mse")).toMatch(
        /metric mse does not suit loss softmax/,
      );
      expect(await fails("--net", net, "--data", data, "--class-weights", "1,2,3")).toMatch(/class weights: 3 of them/);
      expect(await fails("--net", net, "--data", data, "--class-weights", "x")).toMatch(
        /expected balanced, or numbers/,
      );
      expect(await fails("--net", net, "--data", data, "--targets", "y", "--class-weights", "balanced")).toMatch(
        /targets of 1 numbers for each sample, the net gives 2/,
      );
      expect(await fails("--net", net, "--data", data, "--validation", data, "--test")).toMatch(
        /there are no test samples/,
      );
    });
  });

  test("says what is missing or wrong", async () => {
    await expect(mote("--out", file)).rejects.toMatchObject({
      code: "ARGUMENT",
      message: expect.stringMatching(/--net is missing/),
    });
    await expect(mote("--resume", "--out", join(folder, "none"))).rejects.toMatchObject({ code: "FILE" });
    await expect(mote("--net", "vgg16", "--out", file)).rejects.toThrow(/--net vgg16: expected lenet5, lenet300 or/);
    const other = join(folder, "other");
    writeFileSync(other, "no checkpoint at all");
    await expect(mote("--resume", "--out", other)).rejects.toMatchObject({ code: "FORMAT" });
    writeCheckpoint(other, { net: { ...readCheckpoint(file).net } });
    await expect(mote("--resume", "--out", other)).rejects.toMatchObject({ code: "MISMATCH" });
    for (const flags of [
      ["--batch", "100"],
      ["--epochs", "0"],
      ["--lr", "fast"],
      ["--seed", "1.5"],
      ["--threads", "0"],
    ]) {
      await expect(mote(...flags, "--out", file), flags.join(" ")).rejects.toMatchObject({
        code: "commander.invalidArgument",
      });
    }
  });

  test("a file that cannot be written to is found out before the training", async () => {
    const blocked = join(file, "below-a-file");
    const endless = ["--net", "lenet300", "--epochs", "1000"];
    await expect(mote(...endless, "--out", blocked)).rejects.toMatchObject({
      code: "FILE",
      message: expect.stringMatching(/below-a-file/),
    });
  });
});
