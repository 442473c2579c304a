/** What the worker of the Shrink room does, without a browser: the same files in, the same bytes out as by the command. */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { unzipSync, zipSync } from "fflate";
import { beforeAll, describe, expect, it } from "vitest";
import { writeContainer } from "../../host/container/write.js";
import { memorySource } from "../../host/import/graph.js";
import { lowerGraph, importedModel } from "../../host/import/import.js";
import { readTflite } from "../../host/import/tflite.js";
import { inferShapes } from "../../host/import/shapes.js";
import { bake } from "../../host/node/module/bake.js";
import { builtModule } from "../../host/node/built.js";
import { nodeConvolve } from "../../host/node/import/convolve.js";
import { decodePng } from "../../host/node/data/png.js";
import { packageRoot } from "../../host/node/paths.js";
import { Random } from "../../host/rng.js";
import { boardFits } from "../../web/shrink/boards.js";
import { fileOf } from "../../web/shrink/files.js";
import type { Dropped } from "../../web/shrink/net-file.js";
import { parseShapes, RefusedError, shrink, type Made, type Platform } from "../../web/shrink/pipeline.js";
import { DEFAULT_OPTIONS, type Progress, type Refused, type ShrinkOptions } from "../../web/shrink/protocol.js";
import { buildModel } from "../support/models.js";
import { npyOf } from "../support/npy.js";

const inRepo = (path: string): Dropped => given(basename(path), readFileSync(join(packageRoot, path)));
const golden = (name: string): Dropped => inRepo(`tests/golden/import/${name}`);
const given = (name: string, bytes: Uint8Array): Dropped => ({ name, source: memorySource(bytes) });

const platform: Platform = {
  core: () => Promise.resolve(builtModule("build/core.wasm")),
  convolve: () => Promise.resolve(nodeConvolve()),
  decodePicture: (bytes, name) => Promise.resolve(decodePng(bytes, name)),
};

const made = (files: readonly Dropped[], options: Partial<ShrinkOptions> = {}, seen: Progress[] = []): Promise<Made> =>
  shrink(files, { ...DEFAULT_OPTIONS, ...options }, platform, (progress) => seen.push(progress));

const named = (): Promise<Uint8Array> => Promise.resolve(builtModule("build/core-named.wasm"));

async function refusal(files: readonly Dropped[], options: Partial<ShrinkOptions> = {}): Promise<Refused> {
  try {
    await made(files, options);
  } catch (error) {
    if (error instanceof RefusedError) return error.refused;
    return { message: (error as Error).message, reasons: [] };
  }
  throw new Error("was taken");
}

describe("a quantized net", () => {
  const file = golden("conv-int8.tflite");
  let result: Made;
  beforeAll(async () => {
    result = await made([file]);
  });

  it("becomes the container that mote pack writes, without samples", () => {
    const graph = inferShapes(readTflite(file.source), { shapes: new Map(), batch: 1 });
    expect(result.container).toEqual(writeContainer(importedModel(lowerGraph(graph)), {}));
    expect(result.shrunk.samples).toBeUndefined();
    expect(result.shrunk.netBytes).toBe(5408);
    expect(result.shrunk.report.fileBytes).toBe(result.container.length);
  });

  it("can be had as every file, the packed module as mote pack bakes it", async () => {
    const file = (format: Parameters<typeof fileOf>[1]): ReturnType<typeof fileOf> =>
      fileOf(result, format, named, undefined);
    expect((await file("mote")).bytes).toEqual(new Uint8Array(result.container));
    const { name, bytes } = await file("wasm");
    expect(name).toBe("conv-int8.wasm");
    expect(bytes).toEqual(new Uint8Array(bake(result.container)));
    const c = unzipSync((await file("c")).bytes);
    expect(Object.keys(c)).toEqual(["conv-int8.h", "conv-int8.c"]);
    expect(new TextDecoder().decode(c["conv-int8.h"])).toContain(`BYTES ${result.container.length}u`);
    const json = JSON.parse(new TextDecoder().decode((await file("json")).bytes)) as { report: { fileBytes: number } };
    expect(json.report.fileBytes).toBe(result.container.length);
    const html = new TextDecoder().decode((await file("html")).bytes);
    expect(html).toMatch(/^<!doctype html>/);
    expect(html).not.toMatch(/src=|href=|url\(/);
    for (const { op } of result.shrunk.layers) expect(html).toContain(`<td>${op}</td>`);
  });

  it("has both graphs, whose boxes lie apart and whose lines join them", () => {
    const { model, file: ofFile } = result.shrunk.graphs;
    expect(model.boxes.filter(({ layer }) => layer !== undefined)).toHaveLength(result.shrunk.layers.length);
    for (const { boxes, edges, width, height } of [model, ofFile!]) {
      expect(edges.length).toBeGreaterThanOrEqual(boxes.length - 1);
      boxes.forEach((box, i) => {
        expect(box.x >= 0 && box.x + box.width <= width && box.y >= 0 && box.y + box.height <= height).toBe(true);
        for (const other of boxes.slice(i + 1)) {
          const isApart =
            box.x + box.width <= other.x ||
            other.x + other.width <= box.x ||
            box.y + box.height <= other.y ||
            other.y + other.height <= box.y;
          expect(isApart, `${box.title} and ${other.title}`).toBe(true);
        }
      });
      for (const { from, to } of edges) expect(boxes[from].y).toBeLessThan(boxes[to].y);
    }
  });

  it("has weights of fewer values where that is asked for, shown beside those before", async () => {
    const { shrunk } = await made([file], { bits: 2 });
    const before = result.shrunk.layers.flatMap(({ weightCounts }) => weightCounts?.packed ?? []);
    const shared = shrunk.layers.flatMap(({ weightCounts }) => weightCounts ?? []);
    expect(shared.flatMap((counts) => counts.before!)).toEqual(before);
    for (const { packed } of shared) expect(packed.filter((count) => count > 0).length).toBeLessThanOrEqual(4);
    expect(shrunk.report.fileBytes).toBeLessThan(result.shrunk.report.fileBytes);
  });

  it("says which boards it fits, and what lacks on others", () => {
    const fits = boardFits(result.container, {
      core: () => builtModule("build/core-named.wasm"),
      fast: () => builtModule("build/fast-named.wasm"),
    });
    expect(fits.map(({ name }) => name)).toContain("microbit");
    for (const { engines, ramBytes, flashBytes } of fits) {
      for (const { sram, flash, lack } of engines) {
        expect(lack).toBe(Math.max(0, sram - ramBytes, flash - flashBytes));
      }
    }
    // What cannot fit is not tried: it takes no module.
    const none = (): never => {
      throw new Error("is asked for");
    };
    const large = writeContainer(buildModel(7, [64, 200, 200], [{ op: "maxpool", kernel: [2, 2], stride: [2, 2] }]));
    for (const { engines } of boardFits(large, { core: none, fast: none })) {
      for (const { lack } of engines) expect(lack).toBeGreaterThan(1e6);
    }
  });
});

describe("a net of real numbers", () => {
  const file = golden("torch-blocks.onnx");

  it("is quantized by the samples that are dropped with it", async () => {
    const random = new Random(1);
    const values = Float32Array.from({ length: 6 * 3 * 8 * 12 }, () => random.normal());
    const seen: Progress[] = [];
    const { shrunk } = await made([given("samples.npy", npyOf(values, 6, 3, 8, 12)), file], {}, seen);
    expect(shrunk.samples).toEqual({ count: 6, source: "samples.npy", isGenerated: false });
    expect(shrunk.outputDecibels).toBeGreaterThan(10);
    expect(shrunk.layers.every(({ decibels, name }) => decibels !== undefined && name !== undefined)).toBe(true);
    expect(seen.map(({ done }) => done).filter((done) => done !== undefined)).toEqual(
      Array.from({ length: 12 }, (_, i) => i + 1),
    );
  });

  it("takes as many sequences as samples of a step, each whole", async () => {
    const values = Float32Array.from({ length: 513 * 6 * 5 }, (_, i) => Math.sin(i));
    const sequences = given("sequences.npy", npyOf(values, 513, 6, 5));
    const { shrunk } = await made([sequences, golden("gru.onnx")]);
    expect(shrunk.samples).toEqual({
      count: 512,
      source: "the first 512 samples of sequences.npy",
      isGenerated: false,
    });
  });

  it("takes pictures, and archives of arrays", async () => {
    const net = golden("torch-digits.onnx");
    const { shrunk } = await made([net, inRepo("examples/digit.png")]);
    expect(shrunk.samples).toEqual({ count: 1, source: "1 picture", isGenerated: false });
    const pixels = npyOf(new Uint8Array(3 * 28 * 28).fill(90), 3, 28, 28);
    const archive = given("s.npz", zipSync({ "x.npy": pixels, "y.npy": npyOf(new Uint8Array(3), 3) }));
    expect((await made([archive, net])).shrunk.samples).toMatchObject({ count: 3, source: "s.npz" });
  });

  it("without samples is quantized by generated ones, the same at any time, and says so", async () => {
    const [first, second] = [await made([file]), await made([file])];
    expect(first.shrunk.samples).toMatchObject({ isGenerated: true });
    expect(first.shrunk.samples!.source).toMatch(/^\d+ generated samples$/);
    expect(second.container).toEqual(first.container);
    const html = await fileOf(first, "html", named, undefined);
    expect(new TextDecoder().decode(html.bytes)).toContain("generated samples, not from data");
  });

  it.each([
    [["graph.json", "graph.safetensors"], /^net by its graph, opset/],
    [["caffe-blocks.caffemodel", "caffe-blocks.prototxt"], /^Caffe net/],
    [["deep-compression.net", "deep-compression.prototxt"], /^Deep Compression|^Caffe/],
    [["external.onnx", "external.bin"], /^ONNX net/],
  ])("%s belong together, in any order", async (names, kind) => {
    const files = names.map(golden);
    const { shrunk, container } = await made(files);
    expect(shrunk.kind).toMatch(kind);
    expect((await made(files.toReversed())).container).toEqual(container);
  });
});

describe("a model", () => {
  it("is opened, from a container and from a packed module", async () => {
    const lenet = inRepo("models/lenet5.mote");
    const { shrunk, container } = await made([lenet]);
    expect(container.length).toBe(2922);
    expect(shrunk).toMatchObject({ name: "lenet5", kind: "Mote container", netBytes: undefined });
    expect(shrunk.energy.dense.total / shrunk.energy.packed.total).toBeGreaterThan(100);
    expect(shrunk.memory.lives.at(-1)!.last).toBe(shrunk.memory.steps);
    const packed = await made([given("lenet5.wasm", bake(container))]);
    expect(new Uint8Array(packed.container)).toEqual(new Uint8Array(container));
    expect(packed.shrunk.kind).toBe("packed module");
    const others = [given("a.txt", new Uint8Array(3)), given("s.npy", npyOf(new Float32Array(2), 2))];
    const { notes } = (await made([...others, lenet], { bits: 4 })).shrunk;
    expect(notes).toEqual([expect.stringMatching(/^a model is shown as it is/), "not used: s.npy, a.txt"]);
  });
});

describe("a net of int16 activations", () => {
  it("becomes the container that mote pack writes, and no file that is for int8 alone", async () => {
    const net = golden("conv-int16.tflite");
    const result = await made([net]);
    const graph = inferShapes(readTflite(net.source), { shapes: new Map(), batch: 1 });
    expect(result.container).toEqual(writeContainer(importedModel(lowerGraph(graph)), {}));
    for (const format of ["wasm", "c"] as const) {
      await expect(fileOf(result, format, named, undefined)).rejects.toThrow(
        /the model has 16-bit activations, expected int8; they run as \.mote or \.wasm/,
      );
    }
  });
});

describe("what cannot be taken", () => {
  it("says all reasons at once, with the boxes of the graph that they are for", async () => {
    const { reasons, graph } = await refusal([golden("refused.onnx")]);
    expect(reasons.length).toBeGreaterThan(1);
    const marked = graph!.boxes.flatMap(({ look }, index) => (look === "refused" ? [index] : []));
    expect(reasons.flatMap(({ boxes }) => boxes).toSorted((a, b) => a - b)).toEqual(marked);
    expect(marked.length).toBeGreaterThan(1);
  });

  it.each([
    ["two nets", [golden("conv-int8.tflite"), golden("torch-digits.onnx")], /are a net each, expected one/],
    ["no net", [inRepo("examples/digit.png")], /^digit\.png: expected a net \(\.onnx.*; this is a PNG picture$/],
    ["an empty file", [given("a.onnx", new Uint8Array())], /^a\.onnx: is empty$/],
    ["a description alone", [golden("caffe-blocks.prototxt")], /dropped together with its model$/],
    ["weights alone", [golden("graph.safetensors")], /^graph\.safetensors: /],
    ["a part that is missing", [golden("external.onnx")], /external\.bin belongs to it; drop both together/],
    [
      "a file that ends early",
      [given("b.mote", readFileSync(join(packageRoot, "models/lenet5.mote")).subarray(0, 99))],
      /^b\.mote: /,
    ],
    ["bytes by chance", [given("c.tflite", new Uint8Array(999).fill(7))], /^c\.tflite: /],
    [
      "samples of another size",
      [golden("torch-digits.onnx"), given("s.npy", npyOf(new Float32Array(8), 2, 4))],
      /takes images of/,
    ],
  ])("%s", async (_, files, message) => {
    expect((await refusal(files)).message).toMatch(message);
  });

  it("a file that is larger than a page can take, before it is read", async () => {
    const size = 2 ** 31 + 1;
    const read = (): never => {
      throw new Error("is read");
    };
    const { message } = await refusal([{ name: "huge.onnx", source: { size, read } }]);
    expect(message).toMatch(/^huge\.onnx: has 2,147,483,649 bytes, expected at most 2,147,483,648; mote pack takes/);
  });

  it("sizes that are no sizes", () => {
    expect(parseShapes(" image=1,3,8,8  b=2 ")).toEqual(
      new Map([
        ["image", [1, 3, 8, 8]],
        ["b", [2]],
      ]),
    );
    for (const text of ["image", "=1,2", "image=0,2", "image=1,x"]) {
      expect(() => parseShapes(text)).toThrow(/expected a name and sizes/);
    }
  });
});
