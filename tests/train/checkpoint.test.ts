import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { MoteError } from "../../host/errors.js";
import type { Compression } from "../../host/model/model.js";
import { readCheckpoint, writeCheckpoint } from "../../host/node/train/checkpoint.js";
import type { Checkpoint } from "../../host/train/checkpoint.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { Trainer } from "../../host/train/trainer.js";
import { barSamples, netBytes, smallNet } from "./support.js";

let folder: string;
let file: string;
let full: Checkpoint;

const compression: Compression = {
  nominalChannels: { conv: 20 },
  weightScale: { conv: 0.01, fc1: 0.02 },
  activations: { image: { scale: 1 / 255, zeroPoint: -128 } },
  biasBits: { conv: 8 },
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "mote-checkpoint-"));
  const trainer = await Trainer.create({ runtime: nodeRuntime, graph: smallNet, seed: 1, threads: 1, batch: 32 });
  await trainer.train({
    data: barSamples(64, 1),
    steps: 3,
    firstStep: 0,
    lr: () => 1e-3,
    weightDecay: 0,
  });
  full = {
    net: { ...trainer.toNet(), compression },
    optimizer: trainer.optimizerState(),
    progress: { step: 3, note: "ünïcode", done: false },
  };
  await trainer.close();
});
beforeEach(() => {
  file = join(folder, "net.safetensors");
  writeCheckpoint(file, full);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The file with its JSON header changed; the tensors stay. */
function withHeader(change: (header: Record<string, any>) => void): void {
  const bytes = readFileSync(file);
  const headerBytes = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + headerBytes)) as Record<string, unknown>;
  change(header);
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(file, Buffer.concat([length, json, bytes.subarray(8 + headerBytes)]));
}

function readError(): MoteError {
  try {
    readCheckpoint(file);
  } catch (error) {
    if (error instanceof MoteError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("numbers that are not finite are not written", () => {
  const broken = (name: string, value: number): Checkpoint => {
    const data = full.net.tensors.get(name)!.data.slice();
    data[2] = value;
    const tensors = new Map(full.net.tensors).set(name, { ...full.net.tensors.get(name)!, data });
    return { ...full, net: { ...full.net, tensors } };
  };
  const scaled = (activation: { scale: number; zeroPoint: number }): Checkpoint => ({
    net: { ...full.net, compression: { ...compression, activations: { image: activation } } },
  });
  test.each<[string, () => Checkpoint, string]>([
    ["a weight", () => broken("fc1.weight", NaN), "fc1.weight[2] is NaN"],
    ["a bias", () => broken("fc2.bias", -Infinity), "fc2.bias[2] is -Infinity"],
    ["a scale of Infinity", () => scaled({ scale: Infinity, zeroPoint: 0 }), "mote.compression.activations.image"],
    ["a scale of 0", () => scaled({ scale: 0, zeroPoint: 0 }), "mote.compression.activations.image"],
  ])("%s", (_, checkpoint, message) => {
    const before = readFileSync(file);
    expect(() => writeCheckpoint(file, checkpoint())).toThrow(message);
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readdirSync(folder)).toEqual(["net.safetensors"]);
  });
});

describe("round trip", () => {
  test("net, compression, optimizer and progress come back", () => {
    const back = readCheckpoint(file);
    expect(back.net.graph).toEqual(smallNet);
    expect(netBytes(back.net).equals(netBytes(full.net))).toBe(true);
    expect(back.net.compression).toEqual(compression);
    expect(back.progress).toEqual(full.progress);
    expect(back.optimizer).toEqual(full.optimizer);
  });

  test("a net alone", () => {
    writeCheckpoint(file, { net: { graph: smallNet, tensors: full.net.tensors } });
    const back = readCheckpoint(file);
    expect(Object.keys(back)).toEqual(["net"]);
    expect(back.net.compression).toBeUndefined();
    expect(netBytes(back.net).equals(netBytes(full.net))).toBe(true);
  });

  test("the same net makes the same bytes", () => {
    const first = readFileSync(file);
    writeCheckpoint(file, readCheckpoint(file));
    expect(readFileSync(file).equals(first)).toBe(true);
  });

  test("is laid out as safetensors has it: aligned header, tensors without holes", () => {
    const bytes = readFileSync(file);
    const headerBytes = Number(bytes.readBigUInt64LE());
    expect(headerBytes % 8).toBe(0);
    const { __metadata__: metadata, ...tensors } = JSON.parse(bytes.toString("utf8", 8, 8 + headerBytes)) as Record<
      string,
      { dtype: string; shape: number[]; data_offsets: [number, number] }
    >;
    expect(Object.values(metadata).every((text) => typeof text === "string")).toBe(true);
    expect(tensors["conv.weight"]).toEqual({ dtype: "F32", shape: [6, 1, 3, 3], data_offsets: [0, 216] });
    const ends = Object.values(tensors).map(({ data_offsets: [, end] }) => end);
    expect(Math.max(...ends)).toBe(bytes.length - 8 - headerBytes);
    expect(bytes.readFloatLE(8 + headerBytes)).toBe(full.net.tensors.get("conv.weight")!.data[0]);
  });

  test("weights on their integers are a byte each, behind the floats, and come back by their scale", () => {
    const { shape, data } = full.net.tensors.get("fc1.weight")!;
    const integers = Int8Array.from(data, (_, i) => (i % 255) - 127);
    const tensor = { shape, data: Float32Array.from(integers, (q) => q * 0.02), integers };
    const checkpoint = { ...full, net: { ...full.net, tensors: new Map(full.net.tensors).set("fc1.weight", tensor) } };
    const before = readFileSync(file).length;
    writeCheckpoint(file, checkpoint);
    const bytes = readFileSync(file);
    expect(before - bytes.length).toBeGreaterThanOrEqual(3 * integers.length - 16);
    expect(bytes.subarray(-integers.length)).toEqual(Buffer.from(integers.buffer));
    expect(readCheckpoint(file).net.tensors).toEqual(checkpoint.net.tensors);
  });

  test("leaves no temporary file behind", () => {
    expect(readdirSync(folder)).toEqual(["net.safetensors"]);
  });
});

describe("integers without a scale", () => {
  const withIntegers = (compression: Compression | undefined): Checkpoint => {
    const { shape, data } = full.net.tensors.get("fc1.weight")!;
    const tensor = { shape, data, integers: new Int8Array(data.length).fill(1) };
    const tensors = new Map(full.net.tensors).set("fc1.weight", tensor);
    return { net: { graph: full.net.graph, tensors, ...(compression && { compression }) } };
  };

  test("are written as floats", () => {
    writeCheckpoint(file, withIntegers(undefined));
    expect(readCheckpoint(file).net.tensors).toEqual(full.net.tensors);
  });

  test("are refused", () => {
    writeCheckpoint(file, withIntegers(compression));
    withHeader(
      (header) => (header.__metadata__["mote.compression"] = JSON.stringify({ ...compression, weightScale: {} })),
    );
    expect(readError().code).toBe("MISMATCH");
    expect(readError().message).toMatch(/fc1\.weight is I8, but mote\.compression has no weightScale for its layer/);
  });
});

describe("damaged files", () => {
  test("missing", () => {
    rmSync(file);
    expect(readError()).toMatchObject({ code: "FILE", message: expect.stringContaining(file) });
  });

  test("any truncation is a FORMAT error that names the file and an offset", () => {
    const bytes = readFileSync(file);
    for (const length of [0, 7, 8, 9, 100, bytes.length - 1]) {
      writeFileSync(file, bytes.subarray(0, length));
      const error = readError();
      expect(error.code).toBe("FORMAT");
      expect(error.message).toMatch(/net\.safetensors: offset \d+: /);
    }
  });

  test("bytes behind the last tensor", () => {
    writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.alloc(4)]));
    expect(readError().message).toMatch(/the last tensor ends here/);
  });

  test("a header length beyond the file", () => {
    const bytes = readFileSync(file);
    bytes.writeBigUInt64LE(2n ** 63n);
    writeFileSync(file, bytes);
    expect(readError().message).toMatch(/offset 0: the header should have 9223372036854775808 bytes/);
  });

  test("a header that is not JSON, or not an object", () => {
    const bytes = readFileSync(file);
    bytes.write("x", 8);
    writeFileSync(file, bytes);
    expect(readError().message).toMatch(/offset 8: header: not JSON/);
    writeFileSync(file, Buffer.concat([Buffer.of(2, 0, 0, 0, 0, 0, 0, 0), Buffer.from("[]")]));
    expect(readError().message).toMatch(/not a JSON object/);
  });

  test("a value that is not a number", () => {
    const bytes = readFileSync(file);
    bytes.writeFloatLE(NaN, 8 + Number(bytes.readBigUInt64LE()) + 4);
    writeFileSync(file, bytes);
    expect(readError().message).toMatch(/conv\.weight: value 1 is not a finite number/);
  });

  const headers: readonly [string, (header: Record<string, any>) => void, string, RegExp][] = [
    ["another type", (h) => (h["fc1.bias"].dtype = "F16"), "FORMAT", /fc1\.bias: expected dtype F32 or I8, got "F16"/],
    ["a negative size", (h) => (h["fc1.bias"].shape = [-24]), "FORMAT", /shape of whole numbers/],
    ["no offsets", (h) => delete h["fc1.bias"].data_offsets, "FORMAT", /two data_offsets/],
    ["overlapping tensors", (h) => (h["fc1.bias"].data_offsets = [0, 96]), "FORMAT", /expected \d+ bytes from here/],
    ["a shape larger than its bytes", (h) => (h["fc1.bias"].shape = [25]), "FORMAT", /expected 100 bytes/],
    ["no graph", (h) => delete h.__metadata__["mote.graph"], "FORMAT", /no mote\.graph/],
    ["metadata that is no text", (h) => (h.__metadata__["mote.graph"] = 5), "FORMAT", /expected a string/],
    ["a graph that is not JSON", (h) => (h.__metadata__["mote.graph"] = "{"), "FORMAT", /mote\.graph: not JSON/],
    [
      "an unknown op",
      (h) => (h.__metadata__["mote.graph"] = h.__metadata__["mote.graph"].replace('"relu"', '"gelu"')),
      "UNSUPPORTED",
      /layers\[3\]: op "gelu"; this version has conv2d, dense/,
    ],
    [
      "an attribute out of range",
      (h) => (h.__metadata__["mote.graph"] = h.__metadata__["mote.graph"].replace('"stride":1', '"stride":0')),
      "FORMAT",
      /layers\[0\]\.stride: 0/,
    ],
    [
      "an unknown attribute",
      (h) =>
        (h.__metadata__["mote.graph"] = h.__metadata__["mote.graph"].replace('"stride":1', '"stride":1,"dilation":2')),
      "FORMAT",
      /unknown key "dilation"/,
    ],
    [
      "a layer without its input",
      (h) => (h.__metadata__["mote.graph"] = h.__metadata__["mote.graph"].replace('"input":"pool"', '"input":"pole"')),
      "FORMAT",
      /its input "pole" is made by no layer before/,
    ],
    [
      "a graph of another net",
      (h) =>
        (h.__metadata__["mote.graph"] = h.__metadata__["mote.graph"].replace('"outFeatures":24', '"outFeatures":25')),
      "MISMATCH",
      /fc1\.weight: expected shape \[25,96\], got \[24,96\]/,
    ],
    [
      "a tensor of no layer",
      (h) => {
        h.extra = h["fc2.bias"];
        delete h["fc2.bias"];
      },
      "MISMATCH",
      /fc2\.bias is missing/,
    ],
    [
      "a scale of 0",
      (h) => (h.__metadata__["mote.compression"] = h.__metadata__["mote.compression"].replace("0.01", "0")),
      "FORMAT",
      /weightScale\.conv: 0/,
    ],
    ["progress that is a list", (h) => (h.__metadata__["mote.progress"] = "[1]"), "FORMAT", /mote\.progress/],
    [
      "an update count below 0",
      (h) => (h.__metadata__["mote.optimizer"] = '{"updates":-1}'),
      "FORMAT",
      /mote\.optimizer/,
    ],
    ["moments without a count", (h) => delete h.__metadata__["mote.optimizer"], "FORMAT", /without mote\.optimizer/],
  ];
  test.each(headers)("%s", (_, change, code, message) => {
    withHeader((header) => void change(header));
    const error = readError();
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
  });

  test("any flipped byte gives a net or a MoteError", () => {
    const bytes = readFileSync(file);
    const end = 8 + Number(bytes.readBigUInt64LE());
    for (let at = 0; at < end; at += 3) {
      const mutated = Buffer.from(bytes);
      mutated[at] ^= 1 << (at % 8);
      writeFileSync(file, mutated);
      try {
        readCheckpoint(file);
      } catch (error) {
        expect(error).toBeInstanceOf(MoteError);
      }
    }
  });
});
