/** 16-bit activations: what the format asks of them, who refuses them by name, and how they are made of real numbers. */
import { readFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { CONTROL_MODEL_BYTES, STATUS_MAGIC, STATUS_OP, STATUS_RANGE, STATUS_VERSION } from "../../assembly/abi.js";
import { MAX_SUM_FACTOR_WIDE, OP_LUT, PLAN_UNIT } from "../../assembly/format.js";
import { cSource } from "../../host/c/c-source.js";
import { chipSource } from "../../host/chip/chip-source.js";
import { readContainer } from "../../host/container/read.js";
import { StreamWriter } from "../../host/container/stream-writer.js";
import { writeContainer } from "../../host/container/write.js";
import { runNet } from "../../host/engines/ops-f32.js";
import { runModel } from "../../host/engines/ops-i8.js";
import { pixelTable } from "../../host/engines/fill-input.js";
import { endsOf } from "../../host/engines/ends.js";
import { instantiateV8 } from "../../host/engines/v8.js";
import { fastProgram } from "../../host/fast/memory.js";
import { calibrate as calibrateImported } from "../../host/import/calibrate.js";
import { integerModel } from "../../host/import/integer-model.js";
import type { ImportedNet } from "../../host/import/net.js";
import { elementsFor } from "../../host/model/elements.js";
import type { Graph, QModel } from "../../host/model/model.js";
import { leb128 } from "../../host/module/leb128.js";
import { openEngine } from "../../host/node/engines/open.js";
import { firmwareImage, genericImage } from "../../host/node/firmware/image.js";
import { builtFile } from "../../host/node/paths.js";
import { accumulatorReaches } from "../../host/quantize/accumulators.js";
import { calibrate, INPUT_SCALE } from "../../host/quantize/calibrate.js";
import { quantize } from "../../host/quantize/quantize.js";
import { requantize } from "../../host/quantize/requantize.js";
import { Random } from "../../host/rng.js";
import { mapFields, readVarint, type Field } from "../fuzz/fields.js";
import { fixCrc } from "../fuzz/mutate.js";
import { denseNet } from "../support/dense-net.js";
import { compressedNet, randomPixels } from "../support/nets.js";
import { problem } from "../support/problem.js";
import { syntheticModels } from "../support/models.js";
import { wideModels } from "../support/wide.js";

const named = (models: ReturnType<typeof wideModels>, wanted: string): QModel =>
  models.find(({ name }) => name === wanted)!.model;
const tiny = named(wideModels(), "tiny");
const narrow = named(syntheticModels(), "tiny");
const cores = ["core", "core16"].map((name) => new Uint8Array(readFileSync(builtFile(`build/${name}.wasm`))));

const PAGE_BYTES = 65536;

/** What a core says of a file when it is opened. */
function statusOf(core: Uint8Array, file: Uint8Array, memoryBytes = PAGE_BYTES): number {
  const instance = instantiateV8(core, memoryBytes, (offset, target, length) => {
    if (offset + length > file.length) return 1;
    instance.write(target, file.subarray(offset, offset + length));
    return 0;
  });
  instance.write(CONTROL_MODEL_BYTES, Uint8Array.of(file.length & 255, file.length >> 8, 0, 0));
  let status = instance.open(memoryBytes);
  while (status > 0) status = instance.step(1000);
  return status;
}

/** The first of that name. */
const fieldOf = (file: Uint8Array, name: string): Field | undefined =>
  mapFields(file).fields.find((field) => field.name === name);

/** The container with other bytes in the place of a field, and its checksum. */
function changed(file: Uint8Array, name: string, to: readonly number[]): Uint8Array {
  const { offset, length } = fieldOf(file, name)!;
  const bytes = Uint8Array.from([...file.subarray(0, offset), ...to, ...file.subarray(offset + length)]);
  fixCrc(bytes);
  return bytes;
}

describe("a core takes files of its own width alone", () => {
  test.each([
    ["plain", STATUS_VERSION],
    ["small", STATUS_MAGIC],
  ] as const)("%s", (container, refused) => {
    const files = [narrow, tiny].map((model) => writeContainer(model, { container }));
    expect(cores.map((core) => files.map((file) => statusOf(core, file)))).toEqual([
      [0, refused],
      [refused, 0],
    ]);
  });
});

describe("reader and core refuse", () => {
  const tinyFile = writeContainer(tiny);
  const residual = writeContainer(named(wideModels(), "residual"));
  const clamped = wideModels().find(({ model }) => fieldOf(writeContainer(model), "clampMin") !== undefined)!.model;
  const word = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >> shift) & 255);
  const short = (value: number): number[] => word(value).slice(0, 2);
  const { value: offset } = readVarint(tinyFile, fieldOf(tinyFile, "offset")!.offset);

  test.each<[string, Uint8Array, string, readonly number[], RegExp, number]>([
    ["a zero point", tinyFile, "zeroPoint", [1], /tensor 0: zeroPoint is 1, expected 0 … 0/, STATUS_RANGE],
    [
      "an odd offset",
      tinyFile,
      "offset",
      leb128(offset + 1),
      /tensor 0: offset is \d+, expected an even one/,
      STATUS_RANGE,
    ],
    [
      "a table",
      tinyFile,
      "ops",
      leb128(1 << OP_LUT),
      /ops is 0x80: the model needs op 7; which a model of 16-bit activations cannot have/,
      STATUS_OP,
    ],
    [
      "a clamp whose ends are the wrong way round",
      writeContainer(clamped),
      "clampMin",
      short(32767),
      /clampMax is -?\d+, expected 32767 … 32767/,
      STATUS_RANGE,
    ],
    ...["multiplier", "otherMultiplier"].flatMap((name) =>
      [MAX_SUM_FACTOR_WIDE + 1, -MAX_SUM_FACTOR_WIDE - 1].map(
        (factor): [string, Uint8Array, string, readonly number[], RegExp, number] => [
          `${name} ${factor}`,
          residual,
          name,
          word(factor),
          new RegExp(`${name} is ${factor}, expected -16384 … 16384`),
          STATUS_RANGE,
        ],
      ),
    ),
  ])("%s", (_, file, field, to, message, status) => {
    expect(statusOf(cores[1], file)).toBe(0);
    const hostile = changed(file, field, to);
    expect(problem(() => readContainer(hostile))).toMatch(message);
    expect(statusOf(cores[1], hostile)).toBe(status);
  });

  test.each<["i16" | "place" | "channels" | "dimension", number, RegExp]>([
    ["i16", 2 ** 16, /clampM(in|ax) is 65536, expected 0 … 65535/],
    ["place", 1, /tensor 0: offset is 1, expected an even one/],
    ["channels", 65536, /tensor 0 channels is 65536, expected 1 … 65535/],
    ["channels", 0, /tensor 0 channels is 0, expected 1 … 65535/],
    ["dimension", 2 * 65536, /tensor 0 height is 65536, expected 1 … 65535/],
    ["dimension", 1, /tensor 0 height is -1, expected 1 … 65535/],
    ["dimension", 2 ** 31 - 2, /tensor 0 height is 1073741823, expected 1 … 65535/],
  ])("%s out of range in a small container: %i", (field, number, message) => {
    const put = vi.spyOn(StreamWriter.prototype, field).mockImplementation(function (this: StreamWriter) {
      if (field === "place" || (field === "channels" && number > 0)) this.write(1, 1); // stated; a 0 is both
      this.varint(number);
    });
    const hostile = writeContainer(clamped, { container: "small" });
    expect(put).toHaveBeenCalled();
    put.mockRestore();
    expect(problem(() => readContainer(hostile))).toMatch(message);
    expect(statusOf(cores[1], hostile)).toBe(STATUS_RANGE);
  });

  test("a tensor of more than 2^24 bytes", () => {
    const [rows, columns] = [4096, 2048];
    const tensor = { bits: 16, nominalChannels: 1, border: 0, zeroPoint: 0, scale: 1 } as const;
    const file = writeContainer({
      tensors: [
        { ...tensor, shape: [1, rows, columns] },
        { ...tensor, shape: [1, 1, 1] },
      ],
      layers: [{ op: "crop", inputs: [0], output: 1, channel: 0, first: [0, 0] }],
      outputs: [1],
    });
    const memoryBytes = 2 ** 25;
    expect(problem(() => readContainer(file))).toBe("none");
    expect(statusOf(cores[1], file, memoryBytes)).toBe(0);
    // A column more, for which there is room in the arena.
    const { arena } = readContainer(file).plan;
    const wider = changed(file, "width", leb128(columns + 1));
    const hostile = changed(wider, "plan arena", leb128(arena / PLAN_UNIT + rows));
    expect(problem(() => readContainer(hostile))).toMatch(
      /tensor 0: takes 16785408 bytes with its border, at most 16777216 are allowed/,
    );
    expect(statusOf(cores[1], hostile, memoryBytes)).toBe(STATUS_RANGE);
  });
});

test("the writer refuses what the format cannot hold", () => {
  const [first, ...others] = tiny.tensors;
  const { bits: _, ...byte } = others[0];
  expect(problem(() => writeContainer({ ...tiny, tensors: [first, byte, ...others.slice(1)] }))).toMatch(
    /tensor 1: has elements of 8 bits, expected tensor 0's 16/,
  );
  const residual = named(wideModels(), "residual");
  const at = residual.layers.findIndex(({ op }) => op === "add");
  const sum = residual.layers[at];
  const withFactor = (factor: number): QModel => ({
    ...residual,
    layers: residual.layers.with(at, { ...sum, multipliers: [factor, 1] } as typeof sum),
  });
  expect(writeContainer(withFactor(MAX_SUM_FACTOR_WIDE))).toBeInstanceOf(Uint8Array);
  expect(problem(() => writeContainer(withFactor(MAX_SUM_FACTOR_WIDE + 1)))).toMatch(
    /\(add\): multiplier is 16385, expected -16384 … 16384/,
  );
});

test("a function by a table is refused by its layer's name", () => {
  const graph: Graph = {
    name: "curved",
    input: { name: "x", shape: [3, 1, 1] },
    layers: [{ op: "map", name: "squash", input: "x", output: "y", function: "sigmoid" }],
  };
  const activations = { x: { scale: 0.01, zeroPoint: 0 }, y: { scale: 0.01, zeroPoint: 0 } };
  const compression = { nominalChannels: {}, weightScale: {}, activationBits: 16, activations } as const;
  expect(problem(() => quantize({ graph, tensors: new Map(), compression }))).toMatch(
    /^UNSUPPORTED squash: a function by a table .* none of for 16-bit activations/,
  );
});

describe("what is built for int8 refuses such a model", () => {
  const file = writeContainer(tiny);
  test.each<[string, () => unknown]>([
    ["simd", () => openEngine("simd", file)],
    ["a fast module", () => fastProgram(readContainer(file))],
    ["C of its own", () => chipSource(tiny, "flash", "net")],
    ["C for firmware", () => cSource(file, readContainer(file).plan, "net")],
    ["firmware", () => firmwareImage(file, "size")],
    ["firmware", () => genericImage(file)],
  ])("%s", (name, use) => {
    expect(problem(use)).toMatch(`${name}: the model has 16-bit activations, expected int8`);
  });
});

test("an int8 array is no input of it, nor an int16 array one of int8", () => {
  const open = (model: QModel) => openEngine("reference", writeContainer(model));
  expect(() => open(tiny).run(new Int8Array(36))).toThrow("expected the input as an Int16Array, got Int8Array");
  expect(() => open(narrow).run(new Int16Array(36))).toThrow("expected the input as an Int8Array, got Int16Array");
});

test("requantization is exact to 16 bits at every shift", () => {
  const random = new Random(3);
  for (let shift = 1; shift <= 62; shift++) {
    for (let i = 0; i < 40; i++) {
      const acc = (random.integer(2 ** 32) - 2 ** 31) >> (i % 32);
      const multiplier = 2 ** 30 + random.integer(2 ** 30);
      const exact = (BigInt(acc) * BigInt(multiplier) + (1n << BigInt(shift - 1))) >> BigInt(shift);
      const cut = exact > 32767n ? 32767 : exact < -32768n ? -32768 : Number(exact);
      expect(requantize(acc, multiplier, shift, 0, -32768, 32767), `${acc} × ${multiplier} >> ${shift}`).toBe(cut);
    }
  }
});

describe("no sum leaves int32", () => {
  test.each([
    ["few weights, which keep all of int8", 500, 127],
    ["many weights, which are coarser", 3000, 21],
  ])("of %s", (_, columns, largest) => {
    const weights = Float32Array.from({ length: columns }, (__, i) => (i % 2 === 0 ? 0.5 : -0.5));
    const net = denseNet(weights, Float32Array.of(0.25));
    const samples = [1, 2, 3].map((seed) => {
      const random = new Random(seed);
      return [Float32Array.from({ length: columns }, () => random.normal())];
    });
    const model = integerModel(calibrateImported(net, samples, { range: "all", activationBits: 16 }));
    const [layer] = model.layers;
    expect("weights" in layer && layer.weights.reduce((most, w) => Math.max(most, Math.abs(w)), 0)).toBe(largest);
    for (const { down, up } of accumulatorReaches(model)) {
      expect(down).toBeGreaterThanOrEqual(-(2 ** 31));
      expect(up).toBeLessThan(2 ** 31);
    }
  });

  test("weights that are integers already are refused by the layer's name", () => {
    const net = denseNet(new Float32Array(517).fill(1), Float32Array.of(0));
    const [layer] = net.layers;
    if (!("weights" in layer)) throw new Error("no weights");
    const with127 = (count: number): ImportedNet => ({
      ...net,
      isQuantized: true,
      activationBits: 16,
      tensors: net.tensors.map((tensor) => ({ ...tensor, quantization: { scale: 0.01, zeroPoint: 0 } })),
      layers: [
        {
          ...layer,
          weights: {
            rows: 1,
            columns: 517,
            values: Int8Array.from({ length: 517 }, (_, i) => (i < count ? 127 : 0)),
            scales: Float32Array.of(0.01),
            bias: Int32Array.of(0),
          },
        },
      ],
    });
    expect(integerModel(with127(516)).layers).toHaveLength(1);
    expect(problem(() => integerModel(with127(517)))).toMatch(
      /^MISMATCH fc: the accumulator of row 0 may reach -2151514112 … 2151448453, expected an int32; fewer or smaller weights/,
    );
  });
});

describe("from real numbers", () => {
  const graph: Graph = {
    name: "net",
    input: { name: "image", shape: [1, 8, 8] },
    layers: [
      {
        op: "conv2d",
        name: "c",
        input: "image",
        output: "a",
        outChannels: 4,
        kernel: [3, 3],
        stride: 1,
        pad: 1,
        groups: 1,
      },
      { op: "relu", name: "r", input: "a", output: "b" },
      { op: "avgpool", name: "p", input: "b", output: "d", kernel: 2, stride: 2 },
      { op: "add", name: "s", inputs: ["d", "d"], output: "e" },
      { op: "mul", name: "m", inputs: ["e", "d"], output: "f" },
      { op: "dense", name: "fc", input: "f", output: "y", outFeatures: 5 },
    ],
  };
  const net = compressedNet(graph, 5);
  const pixels = (seed: number): Uint8Array =>
    Uint8Array.from(randomPixels(graph.input.shape, seed), (v) => Math.round(255 * v));
  const real = (of: Uint8Array): Float32Array => Float32Array.from(of, (value) => value / 255);

  /** Noise of the output in parts of its signal, over some images. */
  function noiseOf(model: QModel): number {
    const [input] = endsOf(model.tensors, [0], model.outputs, model).inputs;
    const table = pixelTable(input);
    const { scale = 1, zeroPoint } = model.tensors[model.outputs[0]];
    let [signal, noise] = [0, 0];
    for (let seed = 0; seed < 10; seed++) {
      const image = pixels(seed);
      const given = elementsFor(
        input,
        Array.from(image, (pixel) => table[pixel]),
      );
      const found = runModel(model, [given]).at(-1)!;
      runNet(net, real(image))
        .get("y")!
        .forEach((exact, i) => {
          signal += exact ** 2;
          noise += (exact - scale * (found[i] - zeroPoint)) ** 2;
        });
    }
    return noise / signal;
  }

  test("scales are symmetric, bytes of the input exact, and results far nearer than by int8", async () => {
    const activations = await calibrate(
      graph,
      undefined,
      (visit) => {
        for (let seed = 0; seed < 10; seed++)
          for (const [name, values] of runNet(net, real(pixels(seed)))) visit(name, Float32Array.from(values), 1);
        return Promise.resolve();
      },
      "error",
      INPUT_SCALE,
      16,
    );
    expect(Object.values(activations).every(({ zeroPoint }) => zeroPoint === 0)).toBe(true);
    const model = quantize({ ...net, compression: { ...net.compression, activations, activationBits: 16 } });
    expect([...pixelTable(endsOf(model.tensors, [0], model.outputs, model).inputs[0])]).toEqual(
      Array.from({ length: 256 }, (_, pixel) => 128 * pixel),
    );
    const [wide, byte] = [noiseOf(model), noiseOf(quantize(net))];
    expect(wide).toBeLessThan(1e-6);
    expect(byte).toBeGreaterThan(100 * wide);
  });
});
