import { describe, expect, test } from "vitest";
import { CRC_START } from "../../assembly/format.js";
import { bake } from "../../host/node/module/bake.js";
import { bakedContainer } from "../../host/module/baked.js";
import { crc32 } from "../../host/container/crc32.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { fastParts } from "../../host/fast/parts.js";
import { writeMetadata } from "../../host/container/metadata.js";
import { readContainer } from "../../host/container/read.js";
import { isSealed } from "../../host/module/seal.js";
import { withMetadata, writeContainer } from "../../host/container/write.js";
import { MoteError } from "../../host/errors.js";
import { openEngine } from "../../host/node/engines/open.js";
import { modelInputs, outputsOf } from "../../host/model/edges.js";
import { valuesOf } from "../../host/model/geometry.js";
import type { Preprocessing } from "../../host/model/model.js";
import { leb128 } from "../../host/module/leb128.js";
import { buildModel, randomInput, syntheticModels } from "../support/models.js";

const { model } = syntheticModels().find(({ name }) => name === "labels")!;
const { labels, ...unlabelled } = model;
const container = writeContainer(model);
const plain = writeContainer(unlabelled);

/** A container without metadata, with these bytes behind its last layer. */
const withBytes = (...bytes: number[]): Uint8Array => withMetadata(plain, readContainer(plain), Uint8Array.from(bytes));

const entry = (kind: number, text: string): number[] => {
  const content = [...new TextEncoder().encode(text)];
  return [kind, content.length, ...content];
};

const refusal = (bytes: Uint8Array): string => {
  try {
    readContainer(bytes);
  } catch (error) {
    if (error instanceof MoteError) return error.message;
    throw error;
  }
  return "accepted";
};

test("labels stand behind the last layer and change nothing before it", () => {
  const { metadataOffset } = readContainer(container);
  expect([...container.subarray(metadataOffset)]).toEqual(entry(1, "one\nzwei ½\n三"));
  expect([...container.subarray(CRC_START, metadataOffset)]).toEqual([...plain.subarray(CRC_START)]);
  expect(withMetadata(container, readContainer(container), new Uint8Array(0))).toEqual(plain);
});

describe("a packed and a fast module", () => {
  const input = randomInput(model, 1);
  const expected = openEngine("reference", plain).run(input);

  test("have them in a section of their own, which takes no linear memory", () => {
    const packed = bake(container);
    expect(isSealed(packed)).toBe(true);
    const { resident, container: whole, planBytes } = bakedContainer(packed);
    expect(Buffer.compare(resident, plain)).toBe(0);
    expect(Buffer.compare(whole, container)).toBe(0);
    expect(planBytes).toBe(bakedContainer(bake(plain)).planBytes);
    expect(isSealed(fastModule(container))).toBe(true);
    expect(fastParts(fastModule(container)).labels).toEqual(labels);
    expect(fastParts(fastModule(plain)).labels).toBeUndefined();
  });

  test.each(["wasm3", "v8"] as const)("give them and the same outputs under %s", (name) => {
    for (const file of [container, bake(container), fastModule(container)]) {
      const engine = openEngine(name, file);
      expect(engine.output.labels).toEqual(labels);
      expect(engine.run(input)).toEqual(expected);
      engine.close();
    }
  });
});

test("an entry of an unknown kind is passed over", () => {
  expect(readContainer(withBytes(...entry(77, "?"), ...entry(1, "a\nb\nc"))).model.labels).toEqual(["a", "b", "c"]);
  expect(readContainer(withBytes(...entry(77, "?"))).model.labels).toBeUndefined();
});

test.each([
  ["a kind alone", [1], /ends within metadata length/],
  ["a length beyond the end", [1, 9, 97], /ends within metadata: 9 bytes wanted, 1 are left/],
  ["two lists of labels", [...entry(1, "a\nb\nc"), ...entry(1, "a\nb\nc")], /a second entry of kind 1, expected one/],
  ["two lists of names", [...entry(2, "a\nb"), ...entry(2, "a\nb")], /a second entry of kind 2, expected one/],
  ["bytes that are not UTF-8", [1, 1, 0xff], /metadata is text that is not UTF-8/],
  ["too few labels", entry(1, "a\nb"), /number of labels is 2, expected 3: one for each output/],
  ["too many labels", entry(1, "a\nb\nc\nd"), /number of labels is 4, expected 3/],
  ["an empty label", entry(1, "a\n\nc"), /label 1 is empty/],
  ["a control character", entry(1, "a\nb\x1b[2J\nc"), /label 1 is not plain text: it has a control character/],
  ["too few names", entry(2, "a"), /number of names is 1, expected 2: one for each input and output of the model/],
  ["too many names", entry(2, "a\nb\nc"), /number of names is 3, expected 2/],
  ["no names", [2, 0], /number of names is 1, expected 2/],
  ["an empty name", entry(2, "a\n"), /name 1 is empty/],
  ["a control character in a name", entry(2, "a\r\nb"), /name 0 is not plain text: it has a control character/],
])("%s is refused", (_, bytes, message) => {
  expect(refusal(withBytes(...bytes))).toMatch(message);
});

test("a label of more than 255 bytes and metadata of more than 65,535 are refused", () => {
  expect(writeMetadata({ ...unlabelled, labels: ["a", "b", "ä".repeat(127)] }).length).toBe(4 + 3 + 254 + 1 - 1);
  expect(() => writeMetadata({ ...unlabelled, labels: ["a", "b", "ä".repeat(128)] })).toThrow(
    /label 2 is 256 bytes long/,
  );
  expect(() => writeMetadata({ ...unlabelled, names: ["a", "ä".repeat(128)] })).toThrow(/name 1 is 256 bytes long/);
  const wide = buildModel(1, [1, 1, 1], [{ op: "dense", out: 300, density: 0, weights: "single" }]);
  const many = Array.from({ length: 300 }, () => "x".repeat(255));
  expect(() => writeMetadata({ ...wide, labels: many })).toThrow(
    /metadata takes 76803 bytes, at most 65535 are allowed/,
  );
  const full = withBytes(...entry(7, ""), 8, ...leb128(65529), ...new Uint8Array(65529));
  expect(full.length - plain.length).toBe(65535);
  expect(refusal(full)).toBe("accepted");
  const bytes = withBytes(...entry(7, ""), ...new Uint8Array(65534));
  expect(refusal(bytes)).toMatch(/65536 bytes behind the last layer/);
});

test("names are those of the inputs, then of the outputs, in the order of the tensors", () => {
  const streaming = syntheticModels().find(({ name }) => name === "streaming")!.model;
  const names = [...modelInputs(streaming).map((i) => `in ${i}`), ...outputsOf(streaming).map((i) => `out ${i}`)];
  expect(names).toEqual(["in 0", "in 1", "out 5", "out 6", "out 7", "out 9"]);
  const bytes = writeContainer({ ...streaming, names });
  expect(readContainer(bytes).model.names).toEqual(names);
  const { inputs, outputs } = openEngine("reference", bytes);
  expect([...inputs, ...outputs].map(({ name }) => name)).toEqual(names);
  expect(() => writeContainer({ ...streaming, names: names.slice(1) })).toThrow(
    "number of names is 5, expected 6: one for each input and output of the model",
  );
});

test("labels are those of the first output, whatever others there are", () => {
  const streaming = syntheticModels().find(({ name }) => name === "streaming")!.model;
  const [first] = outputsOf(streaming);
  const count = valuesOf(streaming.tensors[first].shape);
  const named = Array.from({ length: count }, (_, i) => `label ${i}`);
  const engine = openEngine("reference", writeContainer({ ...streaming, labels: named }));
  expect(engine.outputs.map((output) => output.labels)).toEqual([named, undefined, undefined, undefined]);
});

describe("preprocessing", () => {
  const pixels = buildModel(1, [3, 4, 4], [{ op: "dense", out: 2, density: 0.5, weights: "grid" }]);
  const rgb: Preprocessing = {
    layout: "interleaved",
    colours: "rgb",
    mean: [123.5, 116.25, -0.5],
    std: [58.5, 2 ** -126, 3e38],
  };
  const bare = writeContainer(pixels);
  const withEntry = (...content: number[]): Uint8Array =>
    withMetadata(bare, readContainer(bare), Uint8Array.of(3, content.length, ...content));
  const float = (value: number): number[] => [...new Uint8Array(Float32Array.of(value).buffer)];
  const pair = [...float(0), ...float(1)];

  test.each<[string, Preprocessing]>([
    ["of an image", rgb],
    ["of another order of colours", { ...rgb, colours: "bgr", layout: "planar" }],
    ["of no image", { ...rgb, colours: "none" }],
  ])("%s is read as it was written", (_, preprocessing) => {
    const bytes = writeContainer({ ...pixels, preprocessing });
    const stored = { ...preprocessing, std: preprocessing.std.map(Math.fround) };
    expect(readContainer(bytes).model.preprocessing).toEqual(stored);
    expect(writeContainer(readContainer(bytes).model)).toEqual(bytes);
  });

  test("is two bytes, and a mean and a standard deviation a channel", () => {
    const bytes = writeContainer({ ...pixels, preprocessing: { ...rgb, mean: [0, 0, 0], std: [1, 1, 1] } });
    expect([...bytes.subarray(readContainer(bytes).metadataOffset)]).toEqual([3, 26, 1, 1, ...pair, ...pair, ...pair]);
    expect(readContainer(withEntry(0, 2, ...pair, ...pair, ...pair)).model.preprocessing).toEqual({
      layout: "planar",
      colours: "bgr",
      mean: [0, 0, 0],
      std: [1, 1, 1],
    });
  });

  test.each<[string, number[], RegExp]>([
    ["nothing", [], /preprocessing: ends within layout: 1 bytes wanted, 0 are left/],
    [
      "a layout that there is not",
      [2, 0, ...pair, ...pair, ...pair],
      /preprocessing of a layout or colours that there are not/,
    ],
    [
      "colours that there are not",
      [0, 3, ...pair, ...pair, ...pair],
      /preprocessing of a layout or colours that there are not/,
    ],
    ["a channel too few", [0, 0, ...pair, ...pair], /preprocessing is for 2 channels, expected 3/],
    ["a channel too many", [0, 0, ...pair, ...pair, ...pair, ...pair], /preprocessing is for 4 channels, expected 3/],
    ["a mean alone", [0, 0, ...pair, ...pair, ...float(0)], /preprocessing: ends within std/],
    ["half a number", [0, 0, ...pair, ...pair, ...pair, 0, 0], /preprocessing: ends within mean/],
    [
      "a mean that is no number",
      [0, 0, ...pair, ...pair, ...float(NaN), ...float(1)],
      /preprocessing is by means 0, 0, NaN/,
    ],
    ["an endless mean", [0, 0, ...pair, ...pair, ...float(Infinity), ...float(1)], /by means 0, 0, Infinity/],
    [
      "a deviation of 0",
      [0, 0, ...pair, ...pair, ...float(0), ...float(0)],
      /by standard deviations 1, 1, 0, expected/,
    ],
    ["a deviation below 0", [0, 0, ...pair, ...pair, ...float(0), ...float(-1)], /by standard deviations 1, 1, -1/],
    [
      "an endless deviation",
      [0, 0, ...pair, ...pair, ...float(0), ...float(Infinity)],
      /standard deviations 1, 1, Inf/,
    ],
  ])("of %s is refused", (_, content, message) => {
    expect(refusal(withEntry(...content))).toMatch(message);
  });

  test("of colours needs three channels", () => {
    const grey = buildModel(1, [1, 4, 4], [{ op: "dense", out: 2, density: 0.5, weights: "grid" }]);
    const preprocessing: Preprocessing = { layout: "planar", colours: "rgb", mean: [0], std: [1] };
    expect(() => writeContainer({ ...grey, preprocessing })).toThrow("for colours, expected 3 channels, got 1");
    const none: Preprocessing = { ...preprocessing, colours: "none" };
    expect(readContainer(writeContainer({ ...grey, preprocessing: none })).model.preprocessing).toEqual(none);
  });

  test.each<[string, Partial<Preprocessing>, RegExp]>([
    ["a mean that an f32 does not hold", { mean: [0, 1e39, 0] }, /by means 0, 1e\+39, 0, expected finite numbers/],
    ["a deviation that an f32 does not hold", { std: [1, 1e39, 1] }, /by standard deviations 1, 1e\+39, 1/],
    ["a deviation that is 0 as an f32", { std: [1, 1, 1e-60] }, /by standard deviations 1, 1, 1e-60/],
    ["other numbers of means and deviations", { std: [1, 1] }, /expected 3: one for each of the input/],
  ])("with %s is not written", (_, change, message) => {
    expect(() => writeContainer({ ...pixels, preprocessing: { ...rgb, ...change } })).toThrow(message);
  });
});

test("metadata is under the checksum", () => {
  const changed = container.slice();
  changed[changed.length - 1] ^= 1;
  expect(crc32(changed.subarray(CRC_START))).not.toBe(crc32(container.subarray(CRC_START)));
  expect(refusal(changed)).toMatch(/crc/);
});
