/** `mote pack` of nets of real numbers: calibrated by samples, with what int8 costs layer by layer. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zipSync } from "fflate";
import { PNG } from "pngjs";
import { beforeAll, describe, expect, it } from "vitest";
import { readContainer } from "../../host/container/read.js";
import { packageRoot } from "../../host/node/paths.js";
import { Random } from "../../host/rng.js";
import { edge, model, node } from "../support/onnx.js";
import { npyOf } from "../support/npy.js";
import { expectOneLine, lastJson, mote, scratchFolder } from "./support.js";

const scratch = scratchFolder();
const golden = (name: string): string => join(packageRoot, "tests/golden/import", name);
const blocks = golden("torch-blocks.onnx");

function randomArray(seed: number, ...shape: number[]): Uint8Array {
  const random = new Random(seed);
  const count = shape.reduce((product, size) => product * size, 1);
  return npyOf(
    Float32Array.from({ length: count }, () => random.normal()),
    ...shape,
  );
}

beforeAll(() => {
  writeFileSync(scratch.path("samples.npy"), randomArray(1, 6, 3, 8, 12));
});

describe("a net of real numbers", () => {
  it("is packed with a table of its least exact layers and a picture of all", async () => {
    const [out, plot] = [scratch.path("blocks.mote"), scratch.path("errors.svg")];
    const outcome = await mote(["pack", blocks, "--calibrate", scratch.path("samples.npy"), "-o", out, "--plot", plot]);
    expect(outcome.code).toBe(0);
    expect(outcome.stdout).toMatch(
      /^int8 beside the net's real numbers, 6 samples, the 12 least exact of 15 layers:\nlayer +node/m,
    );
    const ratios = [...outcome.stdout.matchAll(/^ +\d+ +\/.* (\d+\.\d)$/gm)].map(([, ratio]) => Number(ratio));
    expect(ratios).toHaveLength(12);
    expect(ratios).toEqual(ratios.toSorted((a, b) => a - b));
    for (const line of outcome.stdout.split("\n").slice(3)) expect(line.length).toBeLessThanOrEqual(80);
    expect(outcome.stdout).toMatch(/^outputs: \d\d\.\d dB$/m);
    const svg = readFileSync(plot, "utf8");
    expect(svg).toMatch(/^<svg xmlns/);
    expect(svg.match(/<g><title>layer \d+, /g)).toHaveLength(15);
    expect(readContainer(readFileSync(out)).model.layers).toHaveLength(15);
  });

  it("says the same in JSON, the whole of it, as verify says of the model", async () => {
    const [out, samples] = [scratch.path("blocks.mote"), scratch.path("samples.npy")];
    const packed = lastJson(await mote(["pack", blocks, "--calibrate", samples, "-o", out, "--json"]));
    const { samples: count, layers } = packed.calibration as { samples: number; layers: { snrDb: number }[] };
    expect(count).toBe(6);
    expect(layers).toHaveLength(15);
    const verified = lastJson(await mote(["verify", blocks, out, "--data", samples, "--json"]));
    // Which has the scales of inner tensors from the model's factors.
    (verified.layers as { snrDb: number }[]).forEach(({ snrDb }, index) => {
      expect(Math.abs(snrDb - layers[index].snrDb)).toBeLessThan(1);
    });
  });

  it("needs samples, and a picture needs what it draws", async () => {
    const out = ["-o", scratch.path("none.mote")];
    expectOneLine(
      await mote(["pack", blocks, ...out]),
      /torch-blocks\.onnx: the net has real numbers; expected --calibrate/,
      2,
    );
    const quantized = ["pack", golden("conv-int8.tflite"), ...out, "--plot", scratch.path("none.svg")];
    const outcome = await mote(quantized);
    expect(outcome.stderr).toMatch(/^mote: --plot: draws what calibration costs; expected --calibrate$/m);
    expect(outcome.code).toBe(2);
    expect(scratch.names()).not.toContain("none.svg");
    expect(scratch.names()).not.toContain("none.mote");
  });
});

describe("16-bit activations", () => {
  const digits = golden("torch-digits.onnx");
  const [wide, samples] = ["wide.mote", "digits.npy"].map((name) => () => scratch.path(name));
  const packWide = (...flags: string[]): ReturnType<typeof mote> =>
    mote(["pack", digits, "--calibrate", samples(), "--activation-bits", "16", ...flags]);

  beforeAll(() => writeFileSync(samples(), randomArray(2, 6, 1, 28, 28)));

  it("are packed by samples, far nearer to the real numbers than int8, and run wherever they can", async () => {
    const snr = async (bits: string): Promise<number[]> => {
      const outcome = await mote([
        "pack",
        digits,
        "--calibrate",
        samples(),
        "--activation-bits",
        bits,
        "-o",
        wide(),
        "--json",
      ]);
      return (lastJson(outcome).calibration as { layers: { snrDb: number }[] }).layers.map(({ snrDb }) => snrDb);
    };
    const byte = await snr("8");
    const short = await snr("16");
    expect(short.at(-1)!).toBeGreaterThan(byte.at(-1)!);
    expect((await packWide("-o", wide())).stdout).toMatch(/^int16 beside the net's real numbers, 6 samples/m);
    expect((await mote(["inspect", wide()])).stdout).toMatch(/^ *activations +int16$/m);
    const engines = /: 2 inputs \(random, seed 1\): wasm3 = v8 = reference, every layer$/m;
    expect((await mote(["verify", wide(), "--random", "2"])).stdout).toMatch(engines);
    const module = scratch.path("wide.wasm");
    expect((await mote(["pack", wide(), "-o", module])).code).toBe(0);
    expect((await mote(["verify", module, "--random", "2"])).stdout).toMatch(engines);
    const [ran, packed] = await Promise.all(
      [wide(), module].map(async (path) => lastJson(await mote(["run", path, "--data", samples(), "--json"]))),
    );
    expect(ran.results).toHaveLength(6);
    expect(packed.results).toEqual(ran.results);
    const labels = scratch.path("labels.npy");
    writeFileSync(
      labels,
      npyOf(
        Int32Array.from({ length: 6 }, (_, i) => i % 5),
        6,
      ),
    );
    const evaluated = await mote(["evaluate", wide(), "--data", samples(), "--labels", labels, "--float", digits]);
    expect(evaluated.stdout).toMatch(/^ +int16 +float$/m);
  });

  it("are refused by what is built for int8, and where there is nothing to calibrate", async () => {
    const refused = /the model has 16-bit activations, expected int8; they run as \.mote or \.wasm/;
    await packWide("-o", wide());
    for (const flags of [
      ["-o", scratch.path("none.wasm"), "--optimize", "speed"],
      ["-o", scratch.path("none.c")],
      ["-o", scratch.path("none.c"), "--format", "aot"],
      ["-o", scratch.path("none.c"), "--optimize", "flash"],
      ["-o", scratch.path("none.mote"), "--vectors", "1"],
    ]) {
      expectOneLine(await mote(["pack", wide(), ...flags]), refused);
    }
    expectOneLine(await mote(["run", wide(), "--data", samples(), "--engine", "simd"]), refused);
    expectOneLine(await mote(["verify", wide(), "--host", "true"]), refused);
    expect(scratch.names().filter((name) => name.startsWith("none."))).toEqual([]);
    const quantized = ["pack", golden("conv-int8.tflite"), "-o", scratch.path("none.mote"), "--activation-bits", "16"];
    expect((await mote(quantized)).stderr).toMatch(
      /^mote: .*--activation-bits: the net is quantized already, to int8/m,
    );
    const container = ["pack", wide(), "-o", scratch.path("none.mote"), "--activation-bits", "16"];
    expectOneLine(await mote(container), /--activation-bits: .*wide\.mote is no net of another format/, 2);
    expect((await packWide("-o", wide(), "--activation-bits", "12")).stderr).toMatch(/expected 8 or 16\./);
    const blocky = [
      "pack",
      blocks,
      "--calibrate",
      scratch.path("samples.npy"),
      "--activation-bits",
      "16",
      "-o",
      wide(),
    ];
    expect((await mote(blocky)).stderr).toMatch(
      /^mote: .*torch-blocks\.onnx: \/HardSigmoid: a function by a table of all int8 elements, which there is none of for 16-bit activations$/m,
    );
  });
});

describe("a net of two inputs", () => {
  const net = (): string => scratch.path("two.onnx");
  const archive = (name: string, arrays: Record<string, Uint8Array>): string => {
    writeFileSync(scratch.path(name), zipSync(arrays));
    return scratch.path(name);
  };

  beforeAll(() => {
    const graph = [
      node("Mul", ["image", "mask"], ["masked"]),
      node("Sigmoid", ["masked"], ["out"]),
      edge(11, "image", [1, 2, 3, 4]),
      edge(11, "mask", [1, 2, 3, 4]),
      edge(12, "out", [1, 2, 3, 4]),
    ];
    writeFileSync(net(), model(13, ...graph));
  });

  it("takes an array for each from an archive, to calibrate and to verify by", async () => {
    const samples = archive("two.npz", {
      "mask.npy": randomArray(1, 5, 2, 3, 4),
      "image.npy": randomArray(2, 5, 2, 3, 4),
    });
    const out = scratch.path("two.mote");
    const packed = await mote(["pack", net(), "--calibrate", samples, "-o", out, "--json"]);
    expect(packed.code).toBe(0);
    const outcome = await mote(["verify", net(), out, "--data", samples, "--json"]);
    expect(outcome.code).toBe(0);
    const { layers, inputs } = lastJson(outcome) as { layers: { op: string; snrDb: number }[]; inputs: number };
    expect(inputs).toBe(5);
    expect(layers.map(({ op }) => op)).toEqual(["mul", "lut"]);
    for (const { snrDb } of layers) expect(snrDb).toBeGreaterThan(30);
  });

  it("misses what is not there, or not as often", async () => {
    const pack = (samples: string): ReturnType<typeof mote> =>
      mote(["pack", net(), "--calibrate", samples, "-o", scratch.path("none.mote")]);
    const other = archive("other.npz", { "image.npy": randomArray(2, 5, 2, 3, 4), "x.npy": randomArray(1, 5, 2) });
    expectOneLine(await pack(other), /other\.npz: no array mask, expected one of image, x$/, 2);
    const fewer = archive("fewer.npz", {
      "image.npy": randomArray(2, 5, 2, 3, 4),
      "mask.npy": randomArray(1, 4, 2, 3, 4),
    });
    expectOneLine(await pack(fewer), /fewer\.npz: 5 samples of image and 4 of mask, expected as many$/);
    writeFileSync(scratch.path("alone.npy"), randomArray(2, 5, 2, 3, 4));
    expectOneLine(await pack(scratch.path("alone.npy")), /alone\.npy is no \.npz archive with an array image$/, 2);
  });
});

describe("what travels with an imported model", () => {
  const int8 = golden("conv-int8.tflite");

  it("are labels, and how bytes become its input: a photo gives what its bytes less 128 give", async () => {
    const labels = ["cat", "dog", "bird", "fish", "none of these"];
    writeFileSync(scratch.path("labels.txt"), labels.join("\n") + "\n");
    const out = scratch.path("photo.mote");
    const packed = await mote(["pack", int8, "--labels", scratch.path("labels.txt"), "-o", out]);
    expect(packed.code).toBe(0);
    const share = (100 * statSync(out).size) / statSync(int8).size;
    expect(packed.stdout).toContain(` bytes, ${share.toFixed(1)} % of the net's file\n`);
    // 12 rows of 10 pixels.
    const png = new PNG({ width: 10, height: 12 });
    const bytes = Uint8Array.from({ length: 360 }, (_, i) => (53 * i + 7 * (i % 3)) % 256);
    for (let i = 0; i < 120; i++) png.data.set([...bytes.subarray(3 * i, 3 * i + 3), 255], 4 * i);
    writeFileSync(scratch.path("photo.png"), PNG.sync.write(png));
    const integers = Int8Array.from(bytes, (byte) => byte - 128);
    writeFileSync(scratch.path("integers.npy"), npyOf(integers, 1, 12, 10, 3));
    const run = async (file: string): Promise<Record<string, unknown>> => {
      const outcome = await mote(["run", out, scratch.path(file), "--engine", "v8", "--top", "5", "--json"]);
      return (lastJson(outcome).results as Record<string, unknown>[])[0];
    };
    const { file, ...photo } = await run("photo.png");
    const { index, ...array } = await run("integers.npy");
    expect([file, index]).toEqual(["photo.png", 0]);
    expect(photo).toEqual(array);
    expect(labels).toContain(photo.name);
    expect(photo.others).toHaveLength(4);
  });

  it("are labels of a calibrated net, which are none of its samples", async () => {
    writeFileSync(scratch.path("eight.txt"), "12345678".split("").join("\n"));
    const out = scratch.path("labelled.mote");
    const samples = ["--calibrate", scratch.path("samples.npy"), "--labels", scratch.path("eight.txt")];
    expect((await mote(["pack", blocks, ...samples, "--mean", "0.5", "--colours", "bgr", "-o", out])).code).toBe(0);
    const { labels, preprocessing } = readContainer(readFileSync(out)).model;
    expect(labels).toEqual([..."12345678"]);
    expect(preprocessing).toEqual({
      layout: "planar",
      colours: "bgr",
      mean: Array(3).fill(127.5),
      std: Array(3).fill(255),
    });
  });

  it("is not for what is packed already", async () => {
    const out = scratch.path("again.mote");
    expect((await mote(["pack", int8, "-o", out])).code).toBe(0);
    expectOneLine(
      await mote(["pack", out, "-o", out, "--colours", "rgb"]),
      /--colours: .+ is no net of another format$/,
      2,
    );
  });
});
