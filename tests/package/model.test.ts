/** The runtime: every kind of model file gives what the reference gives, pictures become what the host makes of them, hostile bytes an error. */
import { describe, expect, it } from "vitest";
import { CONTROL_VERSION, INTERFACE_VERSION } from "../../assembly/abi.js";
import { CRC_START, MAX_BYTES } from "../../assembly/format.js";
import type { Elements } from "../../host/model/elements.js";
import { crc32 } from "../../host/container/crc32.js";
import { readContainer } from "../../host/container/read.js";
import { withMetadata, writeContainer } from "../../host/container/write.js";
import { pixelTable } from "../../host/engines/fill-input.js";
import { probability } from "../../host/engines/values.js";
import type { Engine, TensorInfo } from "../../host/engines/engine.js";
import { modelInputs } from "../../host/model/edges.js";
import type { QModel } from "../../host/model/model.js";
import { openReference } from "../../host/engines/reference.js";
import { outlineModule } from "../../host/module/module-outline.js";
import { sealModule } from "../../host/module/seal.js";
import { bake } from "../../host/node/module/bake.js";
import { openEngine } from "../../host/node/engines/open.js";
import { fastProgram } from "../../host/fast/memory.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { MoteError, openModel, type Model, type ModelSource, type Pixels } from "../../runtime/index.js";
import { openModel as openModule } from "../../runtime/module.js";
import { openModel as openSimd } from "../../runtime/simd.js";
import { SMALL_TAG_WIDE } from "../../assembly/format.js";
import { activationBits } from "../../host/model/elements.js";
import { goldenModels } from "../golden/models.js";
import { Random } from "../../host/rng.js";
import { buildModel, randomInput, syntheticModels } from "../support/models.js";

const models = syntheticModels();
const named = (wanted: string) => models.find(({ name }) => name === wanted)!.model;
const tiny = writeContainer(named("tiny"));
const tinyInput = randomInput(named("tiny"), 1);

const inputsOf = (model: QModel, seed: number): Int8Array[] =>
  modelInputs(model).map((tensor) => randomInput(model, seed, tensor));

/** All outputs of a run. */
function resultsOf(engine: Engine, inputs: readonly Int8Array[]): Elements[] {
  engine.run(inputs);
  return engine.outputs.map((_, index) => engine.result(index));
}

/** 1 layer for a picture of each shape, so that classes follow what the picture became. */
const picture = (channels: number) =>
  buildModel(channels, [channels, 4, 4], [{ op: "dense", out: 5, weights: "any", density: 1 }]);

async function errorOf(action: () => unknown): Promise<{ name: string; code?: string; message: string }> {
  try {
    await action();
  } catch (error) {
    const { name, message } = error as Error;
    return error instanceof MoteError ? { name, code: error.code, message } : { name, message };
  }
  throw new Error("nothing was thrown");
}

/** RGBA of grey values 0 .. 255. */
function grey(width: number, height: number, values: ArrayLike<number>): Pixels {
  const data = Uint8ClampedArray.from({ length: 4 * width * height }, (_, i) => (i % 4 === 3 ? 255 : values[i >> 2]));
  return { width, height, data };
}

describe.each(models)("$name", ({ model }) => {
  const container = writeContainer(model);
  const [packed, fast] = [bake(container), fastModule(container)];
  const inputs = inputsOf(model, 3);
  const reference = openReference(container);
  // Twice, since states make another answer of the second run.
  const expected = [resultsOf(reference, inputs), resultsOf(reference, inputs)];

  it.each([
    ["a container", openModel, () => container],
    ["a packed module", openModel, () => packed],
    ["a packed module, without the core,", openModule, () => packed],
    ["a fast module", openModel, () => fast],
    ["a fast module, without the core,", openModule, () => fast],
  ])("gives as %s what the reference gives, in as much memory as V8's engine", async (_, open, make) => {
    const file = make();
    const opened = await open(file);
    for (const outputs of [...expected, expected[0]]) {
      if (outputs === expected[0]) opened.reset();
      expect(opened.run(inputs)).toEqual(outputs);
    }
    const engine = openEngine("v8", file);
    expect([opened.memoryBytes, opened.work]).toEqual([engine.linearMemoryBytes, engine.work]);
    const named = (name: string) => (end: TensorInfo, nth: number) => ({ name: name + (nth || ""), ...end });
    expect(opened.inputs.map(({ preprocessing: _said, ...end }) => end)).toEqual(engine.inputs.map(named("input")));
    expect(opened.outputs).toEqual(engine.outputs.map(named("output")));
    expect(opened.inputs[0].preprocessing).toEqual(model.preprocessing);
    const { memoryBytes } = opened;
    expect((await open(file, { memoryLimit: memoryBytes })).run(inputs)).toEqual(expected[0]);
    expect(await errorOf(() => open(file, { memoryLimit: memoryBytes - 1 }))).toMatchObject({ code: "MEMORY" });
  });
});

it("tells of each layer what the reference makes of it", async () => {
  const seen = (visit: (take: (layer: number, output: Elements) => void) => void): Elements[] => {
    const layers: Elements[] = [];
    visit((layer, output) => (layers[layer] = output));
    return layers;
  };
  for (const { model } of models) {
    const container = writeContainer(model);
    const inputs = inputsOf(model, 5);
    const expected = seen((take) => openReference(container).run(inputs, take));
    expect(expected).toHaveLength(model.layers.length);
    const opened = await openModel(container);
    expect(seen((take) => opened.run(inputs, take))).toEqual(expected);
  }
  const shapes: string[] = [];
  const opened = await openModel(writeContainer(picture(3)));
  opened.classify(grey(4, 4, Array(16).fill(9)), (layer, output, shape) =>
    shapes.push(`${layer}: ${output.length}, ${shape.join()}`),
  );
  expect(shapes).toEqual(["0: 5, 5,1,1"]);
});

it("runs the golden containers, and refuses those of 16-bit activations", async () => {
  for (const { bytes, model } of goldenModels()) {
    if (activationBits(model) === 16) {
      await expect(openModel(bytes)).rejects.toMatchObject({
        name: "MoteError",
        code: bytes[0] === SMALL_TAG_WIDE ? "FORMAT" : "UNSUPPORTED",
      });
      continue;
    }
    const inputs = inputsOf(model, 7);
    expect((await openModel(bytes)).run(inputs)).toEqual(resultsOf(openReference(bytes), inputs));
  }
});

it.each([openModel, openModule])("gives a module lines of its input as it asks for them", async (open) => {
  const model = buildModel(
    5,
    [2, 21, 9],
    [{ op: "conv2d", kernel: [3, 3], pad: 1, out: 4, weights: "any", density: 1 }],
  );
  const container = writeContainer(model);
  const opened = await open(fastModule(fastProgram(readContainer(container), { inputRows: true })));
  expect(opened.memoryBytes).toBeLessThan((await open(fastModule(container))).memoryBytes);
  for (const seed of [1, 2]) {
    const input = randomInput(model, seed);
    expect(opened.run(input)).toEqual(openReference(container).run(input));
  }
});

it("takes plans above a page of memory", async () => {
  const wide = named("wide tensor");
  const container = writeContainer(wide);
  const model = await openModel(container);
  expect(model.memoryBytes).toBeGreaterThan(65536);
  const input = randomInput(wide, 1);
  expect(model.run(input)).toEqual(openReference(container).run(input));
});

describe("openModel", () => {
  const response = (init: { ok: boolean; status: number }) => ({
    ...init,
    arrayBuffer: async () => tiny.slice().buffer,
  });
  const sources: [string, () => ModelSource | Promise<ModelSource>][] = [
    ["a Uint8Array", () => tiny],
    ["a part of a buffer", () => Uint8Array.of(1, 2, 3, ...tiny, 4).subarray(3, 3 + tiny.length)],
    ["an ArrayBuffer", () => tiny.slice().buffer],
    ["a Blob", () => new Blob([tiny as Uint8Array<ArrayBuffer>])],
    ["a Response", () => new Response(tiny as Uint8Array<ArrayBuffer>)],
    ["a promise of one", async () => response({ ok: true, status: 200 })],
  ];
  it.each(sources)("takes %s", async (_, source) => {
    const model = await openModel(source());
    expect(model.run(tinyInput)).toEqual(openReference(tiny).run(tinyInput));
  });

  it("copies the bytes", async () => {
    const bytes = tiny.slice();
    const model = await openModel(bytes);
    bytes.fill(0);
    expect(model.run(tinyInput)).toEqual(openReference(tiny).run(tinyInput));
  });

  it("says what a server answered in place of a model", async () => {
    const error = await errorOf(() => openModel(response({ ok: false, status: 404 })));
    expect(error).toEqual({ name: "MoteError", code: "FILE", message: "openModel: the server answered 404" });
  });

  it.each([
    ["an object", {}, "object"],
    ["numbers", [...tiny], "object"],
    ["a path", "model.mote", "string"],
    ["nothing", undefined, "undefined"],
    ["null", null, "object"],
    ["what has no bytes after all", { arrayBuffer: async () => ({}) }, "object"],
  ])("refuses %s, which is no source, in every entry", async (_, source, kind) => {
    for (const open of [openModel, openModule, openSimd]) {
      expect(await errorOf(() => open(source as Uint8Array))).toEqual({
        name: "TypeError",
        message: `openModel: expected bytes or a Response, got ${kind}`,
      });
    }
  });

  it.each([
    [{ engine: "simd" as "core" }, "engine: expected core, got simd"],
    [{ memoryLimit: 0 }, "memoryLimit: expected a number of bytes above 0, got 0"],
    [{ memoryLimit: Number.NaN }, "memoryLimit: expected a number of bytes above 0, got NaN"],
  ])("refuses the options %j", async (options, message) => {
    expect(await errorOf(() => openModel(tiny, options))).toEqual({ name: "RangeError", message });
  });
});

describe("openModel without the core", () => {
  it.each([
    ["a container", tiny],
    ["a page of the server's", new TextEncoder().encode("<!doctype html>")],
    ["nothing", new Uint8Array(0)],
  ])("refuses %s, and says what to do", async (_, bytes) => {
    expect(await errorOf(() => openModule(bytes))).toEqual({
      name: "MoteError",
      code: "FORMAT",
      message:
        "not a module: mote-nn/module opens what npx mote pack model.mote --out model.wasm makes; openModel of mote-nn opens a .mote too",
    });
  });

  it("refuses a damaged module, and a limit that is none", async () => {
    const damaged = bake(tiny);
    damaged[damaged.length >> 1] ^= 1;
    const message = "not a module that mote pack --format wasm made: its checksum is missing or wrong";
    expect(await errorOf(() => openModule(damaged))).toEqual({ name: "MoteError", code: "FORMAT", message });
    expect(await errorOf(() => openModule(damaged, { memoryLimit: 0 }))).toMatchObject({ name: "RangeError" });
  });
});

describe("a model", () => {
  it("names outputs by their labels", async () => {
    const model = await openModel(writeContainer(named("labels")));
    expect(model.outputs[0].labels).toEqual(["one", "zwei ½", "三"]);
  });

  it.each([
    ["bytes of another kind", new Uint8Array(36), "Uint8Array(36)"],
    ["too few", new Int8Array(35), "Int8Array(35)"],
    ["a list of two", [new Int8Array(36), new Int8Array(36)], "Int8Array(36),Int8Array(36)"],
    ["none", undefined, "undefined(undefined)"],
    ["numbers", [1, 2], "Number(undefined),Number(undefined)"],
  ])("refuses %s as its input and stays as it is", async (_, wrong, got) => {
    const model = await openModel(tiny);
    const error = await errorOf(() => model.run(wrong as Int8Array));
    expect(error).toEqual({ name: "TypeError", message: `run: expected Int8Array(36), got ${got}` });
    expect(model.run(tinyInput)).toEqual(openReference(tiny).run(tinyInput));
  });

  describe("takes and gives real numbers", () => {
    // So many inputs, all alike, that a step of one shows in the outputs.
    const summing = writeContainer(buildModel(2, [64, 1, 1], [{ op: "dense", out: 6, weights: "any", density: 1 }]));
    const fill = (value: number): Float32Array => new Float32Array(64).fill(value);

    it.each([
      ["0", 0, 0],
      ["half a step up", 0.5, 1],
      ["less than half", 0.49, 0],
      ["half a step down, rounded up", -0.5, 0],
      ["more than half down", -0.51, -1],
      ["beyond all elements", 300, 300],
      ["not a number", Number.NaN, 0],
      ["infinite", Infinity, 300],
    ])("%s", async (_, steps, rounded) => {
      const model = await openModel(summing);
      const [{ scale, zeroPoint }] = model.inputs;
      const run = (element: number): number[] => [
        ...model.run(new Int8Array(64).fill(Math.min(Math.max(zeroPoint + element, -128), 127))),
      ];
      // Down to -128 there may be no room for a step.
      if (zeroPoint > -128 && rounded < 100) expect(run(rounded)).not.toEqual(run(rounded + 1));
      const [output] = model.outputs;
      const expected = Float32Array.from(run(rounded), (q) => output.scale * (q - output.zeroPoint));
      expect(model.runFloat(fill(Math.fround(steps * scale)))).toEqual(expected);
      expect(model.runFloat([fill(Math.fround(steps * scale))])).toEqual([expected]);
    });

    it("and nothing else", async () => {
      const model = await openModel(summing);
      const error = await errorOf(() => model.runFloat(new Int8Array(64) as unknown as Float32Array));
      expect(error).toEqual({ name: "TypeError", message: "run: expected Float32Array(64), got Int8Array(64)" });
    });
  });

  it("is closed once, and by using", async () => {
    let kept: Model;
    {
      using model = await openModel(tiny);
      kept = model;
    }
    expect(await errorOf(() => kept.run(tinyInput))).toMatchObject({
      code: "ENGINE",
      message: "the model is closed",
    });
    kept.close();
  });
});

describe("classify", () => {
  const random = new Random(11);
  const values = Array.from({ length: 16 }, () => random.integer(256));

  it("makes of a grey picture of the model's size what the host makes of its pixels", async () => {
    const container = writeContainer(picture(1));
    const model = await openModel(container);
    const engine = openReference(container);
    const table = pixelTable(engine.input);
    const logits = engine.run(Int8Array.from(values, (value) => table[value]));
    const predictions = model.classify(grey(4, 4, values));
    expect(predictions.map(({ index }) => index)).toEqual(
      [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b),
    );
    for (const { label, index, probability: p } of predictions) {
      expect(label).toBe(String(index));
      expect(p).toBeCloseTo(probability(logits, index, engine.output), 12);
    }
    expect(predictions.reduce((sum, { probability: p }) => sum + p, 0)).toBeCloseTo(1, 12);
  });

  it("has the labels", async () => {
    const model = await openModel(writeContainer(named("labels")));
    const labels = model
      .classify(
        grey(
          5,
          5,
          Array.from({ length: 25 }, () => 255),
        ),
      )
      .map(({ label }) => label);
    expect(labels.toSorted()).toEqual(["one", "zwei ½", "三"].toSorted());
  });

  it("scales by area: whole blocks, parts of pixels, and up", async () => {
    const model = await openModel(writeContainer(picture(1)));
    const small = model.classify(grey(4, 4, values));
    const enlarged = Array.from(
      { length: 12 * 8 },
      (_, i) => values[4 * Math.floor(i / 12 / 2) + Math.floor((i % 12) / 3)],
    );
    expect(model.classify(grey(12, 8, enlarged))).toEqual(small);
    // Of 6 pixels in a row a piece of 4 gets one and a half: 1, ½ | ½, 1 | …
    const row = [0, 60, 120, 30, 90, 240];
    const pieces = [(0 + 60 / 2) / 1.5, (60 / 2 + 120) / 1.5, (30 + 90 / 2) / 1.5, (90 / 2 + 240) / 1.5];
    const wide = Array.from({ length: 24 }, (_, i) => row[i % 6]);
    expect(model.classify(grey(6, 4, wide))).toEqual(
      model.classify(
        grey(
          4,
          4,
          Array.from({ length: 16 }, (_, i) => pieces[i % 4]),
        ),
      ),
    );
    // One pixel is everywhere the same.
    expect(model.classify(grey(1, 1, [77]))).toEqual(
      model.classify(
        grey(
          4,
          4,
          Array.from({ length: 16 }, () => 77),
        ),
      ),
    );
  });

  it("takes luma for one channel, red, green and blue for three, over black", async () => {
    const colours = Uint8ClampedArray.from({ length: 64 }, (_, i) =>
      i % 4 === 3 ? 51 * (i % 6) : random.integer(256),
    );
    const image = { width: 4, height: 4, data: colours };
    const at = (pixel: number, channel: number) => (colours[4 * pixel + channel] * colours[4 * pixel + 3]) / 255;
    for (const channels of [1, 3]) {
      const model = await openModel(writeContainer(picture(channels)));
      const reals = Float32Array.from({ length: 16 * channels }, (_, i) => {
        const value =
          channels === 3 ? at(i % 16, Math.floor(i / 16)) : 0.299 * at(i, 0) + 0.587 * at(i, 1) + 0.114 * at(i, 2);
        return value / 255;
      });
      const [output] = model.outputs;
      const logits = Int8Array.from(
        model.runFloat(reals),
        (real) => Math.round(real / output.scale) + output.zeroPoint,
      );
      const best = model.classify(image)[0];
      expect(best.probability).toBeCloseTo(probability(logits, best.index, output), 6);
    }
  });

  it.each([
    [
      2,
      { width: 4, height: 4, data: new Uint8Array(64) },
      "classify: expected a model of 1 or 3 channels, got one of 2",
    ],
    [1, { width: 4, height: 4, data: new Uint8Array(16) }, "classify: expected 4 × 4 × 4 bytes of RGBA, got 16"],
    [1, { width: 0, height: 4, data: new Uint8Array(0) }, "classify: expected 4 × 0 × 4 bytes of RGBA, got 0"],
    [1, { width: -4, height: -4, data: new Uint8Array(64) }, "classify: expected 4 × -4 × -4 bytes of RGBA, got 64"],
  ])("refuses, of %i channels, %j", async (channels, image, message) => {
    const model = await openModel(writeContainer(picture(channels)));
    expect(await errorOf(() => model.classify(image))).toEqual({ name: "MoteError", code: "MISMATCH", message });
  });
});

describe("several ends", () => {
  const streaming = named("streaming");
  const [inputs, count] = [inputsOf(streaming, 1), modelInputs(streaming).length + streaming.outputs.length];

  it("have the model's names, or numbers", async () => {
    const names = Array.from({ length: count }, (_, i) => `end ${i}`);
    const model = await openModel(writeContainer({ ...streaming, names }));
    expect([...model.inputs, ...model.outputs].map(({ name }) => name)).toEqual(names);
    const plain = await openModel(writeContainer(streaming));
    expect(plain.inputs.map(({ name }) => name)).toEqual(["input", "input1"]);
    expect(plain.outputs.map(({ name }) => name)).toEqual(["output", "output1", "output2", "output3"]);
  });

  it("are all asked for and all given", async () => {
    const model = await openModel(writeContainer(streaming));
    const [first, second] = inputs.map(({ length }) => length);
    expect(await errorOf(() => model.run(inputs[0]))).toEqual({
      name: "TypeError",
      message: `run: expected Int8Array(${first}),Int8Array(${second}), got Int8Array(${first})`,
    });
    expect(model.run(inputs)).toHaveLength(4);
  });

  it("begin anew behind a reset, which a closed model does not do", async () => {
    const model = await openModel(writeContainer(streaming));
    const first = model.run(inputs);
    expect(model.run(inputs)).not.toEqual(first);
    model.reset();
    expect(model.run(inputs)).toEqual(first);
    model.close();
    expect(await errorOf(() => model.reset())).toMatchObject({ code: "ENGINE", message: "the model is closed" });
  });
});

describe("preprocessing", () => {
  const net = picture(3);
  const preprocessing = {
    layout: "interleaved",
    colours: "bgr",
    mean: [10, 20.5, 30].map(Math.fround),
    std: [1.5, 2, 400].map(Math.fround),
  } as const;
  const random = new Random(3);
  const rgba = Uint8Array.from({ length: 64 }, (_, i) => (i % 4 === 3 ? 255 : random.integer(256)));
  /** Blue, green, red of each pixel: what the model wants of the user. */
  const bgr = Float32Array.from({ length: 48 }, (_, i) => rgba[4 * Math.floor(i / 3) + 2 - (i % 3)]);

  it("turns a picture, and the user's values, into the input", async () => {
    const container = writeContainer({ ...net, preprocessing });
    const model = await openModel(container);
    expect(model.inputs[0].preprocessing).toEqual(preprocessing);
    const [{ scale, zeroPoint }] = model.inputs;
    const input = Int8Array.from({ length: 48 }, (_, i) => {
      const channel = Math.floor(i / 16);
      const real = (bgr[3 * (i % 16) + channel] - preprocessing.mean[channel]) / preprocessing.std[channel];
      return Math.min(Math.max(zeroPoint + Math.floor(real / scale + 0.5), -128), 127);
    });
    const [output] = model.outputs;
    const logits = openReference(container).run(input);
    expect(model.runFloat(bgr)).toEqual(Float32Array.from(logits, (q) => output.scale * (q - output.zeroPoint)));
    const predictions = model.classify({ width: 4, height: 4, data: rgba });
    for (const { index, probability: p } of predictions) expect(p).toBeCloseTo(probability(logits, index, output), 12);
    // Neither order nor numbers are those of a net without it.
    expect(input).not.toEqual(Int8Array.from(rgba.filter((_, i) => i % 4 !== 3)));
  });

  it("may leave the order as it is", async () => {
    const planar = { ...preprocessing, layout: "planar", colours: "rgb" } as const;
    const model = await openModel(writeContainer({ ...net, preprocessing: planar }));
    const values = Float32Array.from({ length: 48 }, (_, i) => rgba[4 * (i % 16) + Math.floor(i / 16)]);
    const [output] = model.outputs;
    const best = model.classify({ width: 4, height: 4, data: rgba })[0];
    const logits = model.runFloat(values).map((real) => Math.round(real / output.scale) + output.zeroPoint);
    expect(best.probability).toBeCloseTo(probability(Int8Array.from(logits), best.index, output), 6);
  });
});

describe("hostile bytes", () => {
  const refusal = async (bytes: Uint8Array) => errorOf(() => openModel(bytes));

  it.each([
    ["nothing", new Uint8Array(0), "FORMAT", "STATUS_TRUNCATED"],
    ["zeros", new Uint8Array(300), "FORMAT", "STATUS_MAGIC, not a .mote file"],
    ["half a container", tiny.subarray(0, tiny.length / 2), "FORMAT", "core: load failed"],
    ["another version", tiny.with(3, 9), "UNSUPPORTED", "STATUS_VERSION, a version this core does not know"],
    ["a changed byte", tiny.with(tiny.length - 1, tiny[tiny.length - 1] ^ 1), "FORMAT", "STATUS_CRC"],
    ["an empty module", Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0), "FORMAT", "its checksum is missing or wrong"],
    ["4 bytes of a module", Uint8Array.of(0, 0x61, 0x73, 0x6d), "FORMAT", "its checksum is missing or wrong"],
  ])("%s", async (_, bytes, code, message) => {
    const error = await refusal(bytes);
    expect(error).toMatchObject({ name: "MoteError", code });
    expect(error.message).toContain(message);
  });

  it("a sealed module of another kind", async () => {
    const empty = sealModule(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    expect(await refusal(empty)).toMatchObject({ name: "MoteError", code: "ENGINE" });
  });

  it.each([
    ["too few", [1, 3, 0x61, 0x0a, 0x62], "metadata: expected 3 labels of plain text, got 2"],
    ["an empty one", [1, 4, 0x61, 0x0a, 0x0a, 0x62], "metadata: expected 3 labels of plain text, got 3"],
    [
      "one that steers a terminal",
      [1, 6, 0x61, 0x0a, 0x1b, 0x0a, 0x62, 0x63],
      "metadata: expected 3 labels of plain text, got 3",
    ],
    ["a length beyond the file", [1, 0xff, 0xff, 3, 0x61], "metadata: expected 3 labels of plain text, got 1"],
  ])("labels: %s", async (_, metadata, message) => {
    const plain = writeContainer({ ...named("labels"), labels: undefined } as never);
    const file = withMetadata(plain, readContainer(plain), Uint8Array.from(metadata));
    expect(await refusal(file)).toMatchObject({ code: "FORMAT", message });
  });

  const floats = (...values: number[]): number[] => [...new Uint8Array(Float32Array.from(values).buffer)];
  const PREPROCESSING = "metadata: expected a preprocessing of 3 channels";
  it.each([
    ["names: too few", [2, 1, 0x61], "metadata: expected 2 names of plain text, got 1"],
    ["preprocessing: nothing", [3, 0], PREPROCESSING],
    ["preprocessing: one channel", [3, 10, 0, 0, ...floats(0, 1)], PREPROCESSING],
    ["preprocessing: another layout", [3, 26, 2, 0, ...floats(0, 1, 0, 1, 0, 1)], PREPROCESSING],
    ["preprocessing: other colours", [3, 26, 0, 3, ...floats(0, 1, 0, 1, 0, 1)], PREPROCESSING],
    ["preprocessing: no number", [3, 26, 0, 1, ...floats(0, 1, Number.NaN, 1, 0, 1)], PREPROCESSING],
    ["preprocessing: nothing to divide by", [3, 26, 0, 1, ...floats(0, 1, 0, 0, 0, 1)], PREPROCESSING],
  ])("%s", async (_, metadata, message) => {
    const plain = writeContainer(picture(3));
    const file = withMetadata(plain, readContainer(plain), Uint8Array.from(metadata));
    expect(await refusal(file)).toMatchObject({ code: "FORMAT", message });
  });

  it("preprocessing: colours of one channel", async () => {
    const plain = writeContainer(picture(1));
    const file = withMetadata(plain, readContainer(plain), Uint8Array.of(3, 10, 0, 1, ...floats(0, 1)));
    expect((await refusal(file)).message).toBe("metadata: expected a preprocessing of 1 channels");
  });

  it("a module of another version of the interface", async () => {
    const module = fastModule(tiny);
    const data = outlineModule(module).segments.find(({ address }) => address === 0)!.bytes;
    expect(data[CONTROL_VERSION]).toBe(INTERFACE_VERSION);
    data[CONTROL_VERSION] = 9;
    expect(await refusal(sealModule(module.slice(0, -15)))).toMatchObject({
      code: "UNSUPPORTED",
      message: "module: interface version 9; this build knows 2 and 3",
    });
  });

  it("a codec that the core does not have, by its number", async () => {
    const bytes = tiny.slice();
    bytes[CRC_START + 1] |= 1 << 6; // of the head's codecs, behind a byte of ops
    const error = await refusal(sealed(bytes));
    expect(error).toMatchObject({
      code: "UNSUPPORTED",
      message: "core: load failed: STATUS_CODEC, a codec this core does not have: number 6",
    });
  });

  /** Opens and runs; whatever happens is an answer or an error of ours. */
  async function expectAnswer(bytes: Uint8Array): Promise<"ran" | "refused"> {
    try {
      const model = await openModel(bytes, { memoryLimit: 1 << 20 });
      if (model.work < 1e6) model.run(model.inputs.map(({ shape }) => new Int8Array(shape[0] * shape[1] * shape[2])));
      return "ran";
    } catch (error) {
      if (!(error instanceof MoteError)) throw error;
      return "refused";
    }
  }

  it.each([
    ["container", tiny, (bytes: Uint8Array) => sealed(bytes)],
    ["packed module", bake(tiny), sealModule],
  ])("a %s with changed bytes and a right checksum gives an answer or an error", async (_, file, seal) => {
    const random = new Random(5);
    const answers = { ran: 0, refused: 0 };
    for (let i = 0; i < 400; i++) {
      const bytes = file.slice();
      // Of a module its data, behind the code: changed code may go on for ever, which nobody promises it does not.
      const first = file === tiny ? CRC_START : file.length - 15 - tiny.length;
      for (let changes = 1 + random.integer(3); changes > 0; changes--) {
        bytes[first + random.integer(file.length - 15 - first)] = random.integer(256);
      }
      answers[await expectAnswer(seal(bytes))]++;
    }
    expect(answers.refused).toBeGreaterThan(20);
  });

  it("asks for no more memory than it may", async () => {
    expect(MAX_BYTES).toBe(2 ** 28);
    const wide = writeContainer(named("wide tensor"));
    expect(await errorOf(() => openModel(wide, { memoryLimit: 65536 }))).toMatchObject({
      code: "MEMORY",
      message: expect.stringMatching(/^core: the model takes \d{5,} bytes of memory, the limit is 65536$/),
    });
  });
});

function sealed(container: Uint8Array): Uint8Array {
  new DataView(container.buffer).setUint32(4, crc32(container.subarray(CRC_START)), true);
  return container;
}
