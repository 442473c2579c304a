import { readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { CODEC_ARITHMETIC, CODEC_GAUSSIAN } from "../../assembly/format.js";
import { argmax } from "../../host/engines/classify.js";
import { pixelTable } from "../../host/engines/fill-input.js";
import { openReference } from "../../host/engines/reference.js";
import { bakedContainer } from "../../host/module/baked.js";
import { readContainer, type Container } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { outputOf } from "../../host/model/edges.js";
import { quantize } from "../../host/quantize/quantize.js";
import { Random } from "../../host/rng.js";
import type { LayerFormats } from "../../host/report/matrix-formats.js";
import { lenet5 } from "../../host/train/nets.js";
import { openNpz } from "../../host/data/npz.js";
import { writeCheckpoint } from "../../host/node/train/checkpoint.js";
import { buildModel, syntheticModels } from "../support/models.js";
import { compressedNet } from "../support/nets.js";
import { npyOf } from "../support/npy.js";
import { expectOneLine, lastJson, mote, scratchFolder } from "./support.js";

const scratch = scratchFolder();
const net = compressedNet(lenet5, 1);
const container = writeContainer(quantize(net));
const bytesOf = (name: string): Uint8Array => new Uint8Array(readFileSync(scratch.path(name)));

beforeAll(() => {
  writeCheckpoint(scratch.path("net.safetensors"), { net });
  writeFileSync(scratch.path("model.mote"), container);
});

describe("pack --vectors", () => {
  const arraysOf = (name: string): Record<string, { shape: readonly number[]; values: Int8Array }> => {
    const npz = openNpz(bytesOf(name), name);
    return Object.fromEntries(
      npz.names.map((array) => {
        const { shape, type, values } = npz.array(array);
        expect(type).toBe("int8");
        return [array, { shape, values: values as Int8Array }];
      }),
    );
  };

  it("writes inputs with the outputs of the reference beside it, the same bytes each time", async () => {
    const args = ["pack", scratch.path("model.mote"), "--vectors", "3", "--json", "-o"];
    const outcome = await mote([...args, scratch.path("tested.wasm")]);
    expect(outcome.code).toBe(0);
    const path = scratch.path("tested.vectors.npz");
    expect(lastJson(outcome).files).toContainEqual({ path, bytes: bytesOf("tested.vectors.npz").length });
    const { input0, output0, ...others } = arraysOf("tested.vectors.npz");
    expect([input0.shape, output0.shape, Object.keys(others)]).toEqual([[3, 1, 28, 28], [3, 10, 1, 1], []]);
    const engine = openReference(container);
    for (const index of [0, 1, 2]) {
      const expected = engine.run(input0.values.slice(784 * index, 784 * (index + 1)));
      expect(output0.values.slice(10 * index, 10 * (index + 1))).toEqual(expected);
    }
    expect(new Set([0, 1, 2].map((index) => input0.values[784 * index + 5])).size).toBeGreaterThan(1);
    expect((await mote([...args, scratch.path("again.mote")])).code).toBe(0);
    expect(Buffer.compare(bytesOf("again.vectors.npz"), bytesOf("tested.vectors.npz"))).toBe(0);
    // As samples of --data.
    const run = await mote(["run", scratch.path("again.mote"), "--data", scratch.path("again.vectors.npz"), "--json"]);
    const best = [0, 1, 2].map((index) => argmax(output0.values.subarray(10 * index, 10 * (index + 1))));
    expect((lastJson(run).results as { class: number }[]).map((result) => result.class)).toEqual(best);
  });

  it("has an array for each of several inputs and outputs, of a stream in which states go on", async () => {
    const { model } = syntheticModels().find(({ name }) => name === "streaming")!;
    writeFileSync(scratch.path("streaming.mote"), writeContainer(model));
    const pack = ["pack", scratch.path("streaming.mote"), "-o", scratch.path("copy.mote")];
    expect((await mote([...pack, "--vectors", "2"])).code).toBe(0);
    const arrays = arraysOf("copy.vectors.npz");
    const engine = openReference(writeContainer(model));
    expect(Object.keys(arrays)).toEqual([
      ...engine.inputs.map((_, index) => `input${index}`),
      ...engine.outputs.map((_, index) => `output${index}`),
    ]);
    for (const run of [0, 1]) {
      const of = (name: string): Int8Array => {
        const { shape, values } = arrays[name];
        expect(shape.slice(0, 2)).toEqual([1, 2]);
        return values.slice((run * values.length) / 2, ((run + 1) * values.length) / 2);
      };
      engine.run(engine.inputs.map((_, index) => of(`input${index}`)));
      engine.outputs.forEach((_, index) => expect(of(`output${index}`)).toEqual(engine.result(index)));
    }
    // The archive is samples for them, too.
    const data = ["--vectors", "1", "--vectors-data", scratch.path("copy.vectors.npz")];
    expect((await mote([...pack.slice(0, 3), scratch.path("third.mote"), ...data])).code).toBe(0);
    expect(Buffer.compare(bytesOf("third.vectors.npz"), bytesOf("copy.vectors.npz"))).toBe(0);
  });

  it("takes samples of several steps, each from a reset on, or samples for the steps of streams", async () => {
    const { model } = syntheticModels().find(({ name }) => name === "windows")!;
    const bytes = writeContainer(model);
    writeFileSync(scratch.path("windows.mote"), bytes);
    const frames = Float32Array.from({ length: 6 * 60 }, (_, i) => ((i * 37) % 256) / 255);
    writeFileSync(scratch.path("threes.npy"), npyOf(frames, 2, 3, 3, 4, 5));
    writeFileSync(scratch.path("frames.npy"), npyOf(frames, 6, 3, 4, 5));
    const pack = ["pack", scratch.path("windows.mote"), "-o", scratch.path("steps.mote")];
    const made = (file: string, vectors: number, ...flags: string[]) =>
      mote([...pack, "--vectors", String(vectors), "--vectors-data", scratch.path(file), ...flags]);
    expect((await made("threes.npy", 2)).code).toBe(0);
    const threes = bytesOf("steps.vectors.npz");
    const { input0, output0 } = arraysOf("steps.vectors.npz");
    expect(input0.shape).toEqual([2, 3, 3, 4, 5]);
    const engine = openReference(bytes);
    const steps = Array.from({ length: 6 }, (_, run) => {
      if (run % 3 === 0) engine.reset();
      return [...engine.run(input0.values.slice(60 * run, 60 * (run + 1)) as Int8Array)];
    });
    expect([...output0.values]).toEqual(steps.flat());
    expect((await made("frames.npy", 6, "--steps", "3")).code).toBe(0);
    expect(Buffer.compare(bytesOf("steps.vectors.npz"), threes)).toBe(0);
    expect((await made("frames.npy", 6)).code).toBe(0);
    expect(arraysOf("steps.vectors.npz").input0.shape).toEqual([6, 3, 4, 5]);
    expectOneLine(await made("frames.npy", 5, "--steps", "3"), /5 vectors: expected a multiple of 3, the steps of/, 2);
    expectOneLine(await made("threes.npy", 3), /3 vectors: threes\.npy has 2 samples/, 2);
    expectOneLine(
      await mote([...pack, "--steps", "3"]),
      /--steps: .* expected --calibrate, --vectors-data or --trim$/,
      2,
    );
  });

  it("takes samples, as many as there are; writes nothing where they do not fit", async () => {
    writeFileSync(scratch.path("x.npy"), npyOf(new Uint8Array(2 * 784).fill(255), 2, 28, 28));
    writeFileSync(scratch.path("small.npy"), npyOf(new Uint8Array(8), 2, 4));
    const pack = ["pack", scratch.path("model.mote"), "-o", scratch.path("none.mote")];
    const data = (name: string, count = "2"): string[] => [
      ...pack,
      "--vectors",
      count,
      "--vectors-data",
      scratch.path(name),
    ];
    expectOneLine(await mote(data("x.npy", "3")), /3 vectors: x\.npy has 2 samples$/, 2);
    expectOneLine(await mote(data("small.npy")), /the model takes images of \[1, 28, 28\], got \[4\]$/);
    expectOneLine(await mote([...pack, "--vectors-data", scratch.path("x.npy")]), /expected --vectors, how many/, 2);
    expect(scratch.names().filter((name) => name.startsWith("none"))).toEqual([]);
    expect((await mote(data("x.npy"))).code).toBe(0);
    const { input0 } = arraysOf("none.vectors.npz");
    expect(new Set(input0.values)).toEqual(new Set([pixelTable(openReference(container).input)[255]]));
    // Seen otherwise: as if 255 were 128.
    expect((await mote([...data("x.npy"), "--scale", String(128 / 255 / 255)])).code).toBe(0);
    const halves = new Set([pixelTable(openReference(container).input)[128]]);
    expect(new Set(arraysOf("none.vectors.npz").input0.values)).toEqual(halves);
  });
});

describe("pack --trim", () => {
  const count = 60;
  const small = writeContainer(
    buildModel(
      3,
      [1, 12, 12],
      [
        { op: "conv2d", kernel: [3, 3], weights: "grid", density: 0.4, out: 4, pool: { size: 2, stride: 2 } },
        { op: "dense", weights: "grid", density: 0.4, out: 6 },
      ],
    ),
  );
  const packArgs = (): string[] => ["pack", scratch.path("small.mote"), "-o", scratch.path("trimmed.mote")];
  const trimArgs = (...flags: string[]): string[] => [...packArgs(), "--trim", scratch.path("pictures.npy"), ...flags];
  const labelArgs = (name = "classes.npy"): string[] => ["--trim-labels", scratch.path(name)];
  const isWritten = (): boolean => scratch.names().some((name) => name.startsWith("trimmed"));

  beforeAll(() => {
    writeFileSync(scratch.path("small.mote"), small);
    const engine = openReference(small);
    const random = new Random(1);
    const pixels = Uint8Array.from({ length: count * 144 }, () => random.integer(256));
    const table = pixelTable(engine.input);
    const classes = Array.from({ length: count }, (_, n) =>
      argmax(engine.run(Int8Array.from(pixels.subarray(144 * n, 144 * (n + 1)), (pixel) => table[pixel]))),
    );
    expect(new Set(classes).size).toBeGreaterThan(2);
    writeFileSync(scratch.path("pictures.npy"), npyOf(pixels, count, 12, 12));
    writeFileSync(scratch.path("classes.npy"), npyOf(Uint8Array.from(classes), count));
    writeFileSync(
      scratch.path("others.npy"),
      npyOf(
        Uint8Array.from(classes, (label) => (label + 1) % 6),
        count,
      ),
    );
  });

  it("makes a file smaller that takes no more samples for what they are not", async () => {
    const outcome = await mote([...trimArgs("--container", "small", ...labelArgs()), "--json"]);
    expect(outcome.code).toBe(0);
    const { trim, containerBytes } = lastJson(outcome) as { trim: Record<string, number>; containerBytes: number };
    const { model } = readContainer(small);
    const plain = writeContainer(model, { container: "small" });
    expect(trim).toEqual({ bytesBefore: plain.length, samples: count, errorsBefore: 0, errors: 0 });
    expect(containerBytes).toBeLessThan(plain.length);
    expect(bytesOf("trimmed.mote")).toHaveLength(containerBytes);
    const data = ["--data", scratch.path("pictures.npy"), "--labels", scratch.path("classes.npy"), "--json"];
    expect(lastJson(await mote(["run", scratch.path("trimmed.mote"), ...data])).errors).toBe(0);
  });

  it("codes weights as they were, and says what it did", async () => {
    const { code, stdout } = await mote(trimArgs(...labelArgs()));
    expect(code).toBe(0);
    expect(stdout.replace(/\s+/g, " ")).toMatch(/ trimmed from [\d,]+ bytes; 0 of 60 samples wrong, 0 before /);
    const codecs = readContainer(bytesOf("trimmed.mote")).layers.map(({ section }) => section?.codec);
    expect(codecs).toEqual(readContainer(small).layers.map(({ section }) => section?.codec));
  });

  it("refuses samples that it cannot go by, and writes nothing", async () => {
    const before = isWritten() ? bytesOf("trimmed.mote") : undefined;
    expectOneLine(await mote(trimArgs()), /pictures\.npy has no labels: expected --trim-labels, a file of them$/, 2);
    expectOneLine(
      await mote(trimArgs(...labelArgs("others.npy"))),
      /--trim .*pictures\.npy: the model takes 60 of 60 for what they are not, no better than chance; expected/,
      2,
    );
    const { model } = syntheticModels().find((named) => named.model.outputs.length > 1)!;
    writeFileSync(scratch.path("several.mote"), writeContainer(model));
    expectOneLine(
      await mote(["pack", scratch.path("several.mote"), ...trimArgs(...labelArgs()).slice(2)]),
      /--trim: the model has \d outputs, expected one, whose classes are judged$/,
    );
    const out = ["-o", scratch.path("net.c"), "--optimize", "flash"];
    expectOneLine(await mote([...trimArgs(), ...out]), /--trim: for containers; --optimize flash codes weights its/, 2);
    expectOneLine(
      await mote([...packArgs(), ...labelArgs()]),
      /--trim-labels: labels of the samples to trim by; expected --trim$/,
      2,
    );
    expect(isWritten() ? bytesOf("trimmed.mote") : undefined).toEqual(before);
  });
});

describe("pack", () => {
  it("codes the weights of a small container by the codecs that it has", async () => {
    const layers = [
      { op: "conv2d", kernel: [3, 3], weights: "grid", density: 1, out: 4 },
      { op: "dense", weights: "grid", density: 0.05, out: 6 },
    ] as const;
    const file = writeContainer(buildModel(3, [1, 12, 12], layers), { container: "small", codec: "gaussian" });
    const codecs = readContainer(file).layers.map(({ section }) => section!.codec);
    expect(codecs).toEqual([CODEC_GAUSSIAN, CODEC_ARITHMETIC]);
    writeFileSync(scratch.path("gaussian.mote"), file);
    expect((await mote(["pack", scratch.path("gaussian.mote"), "-o", scratch.path("gaussian.wasm")])).code).toBe(0);
    const { container } = bakedContainer(bytesOf("gaussian.wasm"));
    expect(readContainer(container).layers.map(({ section }) => section!.codec)).toEqual(codecs);
  });

  it("writes a compressed net as a container", async () => {
    const outcome = await mote(["pack", scratch.path("net.safetensors"), "-o", scratch.path("out.mote"), "--json"]);
    expect(outcome.code).toBe(0);
    expect(Buffer.compare(bytesOf("out.mote"), container)).toBe(0);
    expect(lastJson(outcome)).toMatchObject({ format: "mote", containerBytes: container.length });
  });

  it("takes another window and smaller tables", async () => {
    const out = scratch.path("window.mote");
    expect(
      (await mote(["pack", scratch.path("net.safetensors"), "-o", out, "--window", "512", "--tables", "150"])).code,
    ).toBe(0);
    const packed = readContainer(bytesOf("window.mote"));
    const { plan, model } = packed;
    expect(plan.window).toBe(512);
    const tablesOf = (file: Container): number => Math.max(...file.layers.map(({ section }) => section!.tableBytes));
    expect(tablesOf(packed)).toBeLessThanOrEqual(150);
    expect(tablesOf(readContainer(container))).toBeGreaterThan(150);
    expect(model.layers).toEqual(readContainer(container).model.layers);
  });

  it("codes weights by the codec that is asked for, also of a container, and weighs bytes against decoding", async () => {
    const codecs = async (...flags: string[]): Promise<(number | undefined)[]> => {
      const { code } = await mote(["pack", scratch.path("model.mote"), "-o", scratch.path("coded.mote"), ...flags]);
      expect(code).toBe(0);
      const read = readContainer(bytesOf("coded.mote"));
      expect(read.model).toEqual(readContainer(container).model);
      return read.layers.flatMap(({ section }) => section?.codec ?? []);
    };
    expect(await codecs("--codec", "huffman")).toEqual([1, 1, 1, 1]);
    expect(bytesOf("coded.mote")).toEqual(container);
    expect(await codecs("--codec", "auto")).toContain(2);
    expect(bytesOf("coded.mote").length).toBeLessThan(container.length);
    expect(await codecs("--codec", "auto", "--decode-cost", "1")).not.toContain(2);
    expectOneLine(
      await mote(["pack", scratch.path("model.mote"), "-o", scratch.path("x.mote"), "--decode-cost", "-1"]),
      /--decode-cost/,
      2,
    );
  });

  it("wraps a container as .wasm, and a .wasm as the same container", async () => {
    const wasm = scratch.path("model.wasm");
    expect((await mote(["pack", scratch.path("model.mote"), "-o", wasm])).code).toBe(0);
    expect(Buffer.compare(bakedContainer(bytesOf("model.wasm")).container, container)).toBe(0);
    expect((await mote(["pack", wasm, "-o", scratch.path("again.mote")])).code).toBe(0);
    expect(Buffer.compare(bytesOf("again.mote"), container)).toBe(0);
  });

  it("takes labels, which travel on to whatever is made of the container", async () => {
    const { model } = readContainer(container);
    const outputs = model.tensors[outputOf(model)].shape[0];
    const labels = Array.from({ length: outputs }, (_, i) => `class ${i}`);
    writeFileSync(scratch.path("labels.txt"), "\ufeff" + labels.join("\r\n") + "\r\n");
    const named = scratch.path("named.mote");
    const args = ["pack", scratch.path("model.mote"), "-o", named, "--labels"];
    expect((await mote([...args, scratch.path("labels.txt")])).code).toBe(0);
    expect((await mote(["pack", named, "-o", scratch.path("named.wasm")])).code).toBe(0);
    expect((await mote(["pack", scratch.path("named.wasm"), "-o", scratch.path("named-again.mote")])).code).toBe(0);
    expect(Buffer.compare(bytesOf("named-again.mote"), bytesOf("named.mote"))).toBe(0);
    expect(readContainer(bytesOf("named.mote")).model.labels).toEqual(labels);

    writeFileSync(scratch.path("few.txt"), "one\ntwo");
    expectOneLine(
      await mote([...args, scratch.path("few.txt")]),
      new RegExp(`few.txt: number of labels is 2, expected ${outputs}`),
    );
    writeFileSync(scratch.path("latin.txt"), Buffer.from([0xe4, 0x0a]));
    expectOneLine(
      await mote([...args, scratch.path("latin.txt")]),
      /latin.txt: expected UTF-8 text with a label a line/,
    );
    expect(bytesOf("named.mote").length).toBeGreaterThan(container.length); // as it was
  });

  it("writes C source and its header", async () => {
    const outcome = await mote(["pack", scratch.path("model.mote"), "-o", scratch.path("digits.c"), "--json"]);
    expect(outcome.code).toBe(0);
    expect(readFileSync(scratch.path("digits.c"), "utf8")).toContain('#include "digits.h"');
    expect(readFileSync(scratch.path("digits.h"), "utf8")).toContain(`DIGITS_MODEL_BYTES ${container.length}u`);
  });

  it("fits a model to the byte, and says what each buffer takes when it does not", async () => {
    const args = ["pack", scratch.path("model.mote"), "-o", scratch.path("fits.mote")];
    const { linearMemoryBytes: bytes } = lastJson(await mote([...args, "--json"])) as { linearMemoryBytes: number };
    expect((await mote([...args, "--sram", String(bytes)])).code).toBe(0);
    expectOneLine(
      await mote([...args, "--sram", String(bytes - 1)]),
      new RegExp(
        `needs ${bytes} bytes of linear memory, --sram grants ${bytes - 1}: scratch 5912 \\(layer 2: tables 2056, channels 2000, columns 1600, records 256\\), arena 3680 \\(tensors of 784, 2880, 800, 500, 10\\), `,
      ),
    );
  });

  it.each<[string, string[], RegExp]>([
    [
      "an output it cannot tell the format of",
      ["-o", "out.bin"],
      /--out out\.bin: expected a name ending in \.mote, \.wasm or \.c/,
    ],
    ["a window that is too small", ["-o", "out.mote", "--window", "100"], /--window 100: expected at least 128/],
    [
      "a window for what is packed already",
      ["-o", "out.mote", "--window", "256"],
      /model\.mote is packed already: --window and --tables/,
    ],
  ])("refuses %s", async (_name, flags, message) => {
    expectOneLine(await mote(["pack", scratch.path("model.mote"), ...flags]), message, 2);
  });
});

describe("inspect", () => {
  it("shows layers, sections and memory", async () => {
    const { code, stdout } = await mote(["inspect", scratch.path("model.mote")], { env: { COLUMNS: "120" } });
    expect(code).toBe(0);
    expect(stdout).toMatch(/units +all of 20-50-500-10/);
    expect(stdout).toMatch(/^0 +conv2d +20 × 12 × 12/m);
    expect(stdout).toMatch(/^ +\d+ +\d+ {2}scratch: what a layer's weights are decoded with$/m);
    expect(stdout).toMatch(/^ +\d+ +\d+ {4}layer 2, records: decoded weights of a row$/m);
    expect(stdout).toMatch(/ in all$/m);
  });

  it("--json has the same figures", async () => {
    const report = lastJson(await mote(["inspect", scratch.path("model.mote"), "--json"]));
    expect(report).toMatchObject({ kind: "container", fileBytes: container.length, nominalBytes: 1724320 });
    expect((report.layers as object[]).length).toBe(4);
  });

  it("--paper has a row for each layer and the total", async () => {
    const { stdout } = await mote(["inspect", scratch.path("model.mote"), "--paper"], { env: { COLUMNS: "160" } });
    expect(stdout).toMatch(
      /#weights +weights P +weight bits P\+Q +weight bits P\+Q\+H +index bits P\+Q +index bits P\+Q\+H +rate P\+Q +rate P\+Q\+H/,
    );
    expect(stdout.trimEnd().split("\n").length).toBe(6);
    expect(stdout).toMatch(/^total +430,500/m);
  });

  it("--matrix-formats has four rows for each layer and for a run, then bytes beside the container's", async () => {
    const args = ["inspect", scratch.path("model.mote"), "--matrix-formats"];
    const { stdout } = await mote(args, { env: { COLUMNS: "80" } });
    expect(stdout).toMatch(/^layer +format +entries +loads +multiplications +additions +writes$/m);
    expect(stdout).toMatch(/^2 dense +dense +400,000 +800,000 +400,000 +399,500 +500$/m);
    expect(stdout.match(/ CSER /g)).toHaveLength(6);
    const { matrixFormats } = lastJson(await mote([...args, "--json"])) as { matrixFormats: LayerFormats[] };
    const of = (format: "CER" | "CSR"): number =>
      matrixFormats.reduce((sum, { formats, places }) => sum + formats[format].multiplications * places, 0);
    expect(of("CER")).toBeLessThan(of("CSR"));
    expect(stdout).toMatch(new RegExp(`^a run +CER .* ${of("CER").toLocaleString("en")} `, "m"));
    const coded = matrixFormats.reduce((sum, { codedBytes }) => sum + codedBytes, 0);
    expect(stdout).toMatch(new RegExp(`^total .* ${coded.toLocaleString("en")}$`, "m"));
    expect(lastJson(await mote(["inspect", scratch.path("model.mote"), "--json"]))).not.toHaveProperty("matrixFormats");
  });

  it("--energy compares with dense float", async () => {
    const { stdout } = await mote(["inspect", scratch.path("model.mote"), "--energy"]);
    expect(stdout).toMatch(/dense float32, weights in DRAM/);
    expect(stdout).toMatch(/times less/);
  });
});
