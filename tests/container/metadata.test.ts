import { describe, expect, test } from "vitest";
import { CRC_START } from "../../assembly/format.js";
import { bake } from "../../host/node/module/bake.js";
import { bakedContainer } from "../../host/module/baked.js";
import { crc32 } from "../../host/container/crc32.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { fastParts } from "../../host/fast/parts.js";
import { outputElements, writeMetadata } from "../../host/container/metadata.js";
import { readContainer } from "../../host/container/read.js";
import { isSealed } from "../../host/module/seal.js";
import { withMetadata, writeContainer } from "../../host/container/write.js";
import { MoteError } from "../../host/errors.js";
import { openEngine } from "../../host/node/engines/open.js";
import { randomInput, syntheticModels } from "../support/models.js";

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
  expect([...container.subarray(CRC_START + 1, metadataOffset)]).toEqual([...plain.subarray(CRC_START + 1)]);
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
      expect(engine.labels).toEqual(labels);
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
  ["two lists", [...entry(1, "a\nb\nc"), ...entry(1, "a\nb\nc")], /a second list of labels/],
  ["bytes that are not UTF-8", [1, 1, 0xff], /labels that are not UTF-8/],
  ["too few labels", entry(1, "a\nb"), /number of labels is 2, expected 3/],
  ["an empty label", entry(1, "a\n\nc"), /label 1 is empty/],
  ["a control character", entry(1, "a\nb\x1b[2J\nc"), /label 1 is not plain text: it has a control character/],
])("%s is refused", (_, bytes, message) => {
  expect(refusal(withBytes(...bytes))).toMatch(message);
});

test("a label of more than 255 bytes and metadata of more than 65,535 are refused", () => {
  const elements = outputElements(model);
  expect(writeMetadata({ labels: ["a", "b", "ä".repeat(127)] }, elements).length).toBe(4 + 3 + 254 + 1 - 1);
  expect(() => writeMetadata({ labels: ["a", "b", "ä".repeat(128)] }, elements)).toThrow(/label 2 is 256 bytes long/);
  const many = Array.from({ length: 300 }, () => "x".repeat(255));
  expect(() => writeMetadata({ labels: many }, many.length)).toThrow(/labels take 76803 bytes/);
  const bytes = withBytes(...entry(7, ""), ...new Uint8Array(65534));
  expect(refusal(bytes)).toMatch(/65536 bytes behind the last layer/);
});

test("metadata is under the checksum", () => {
  const changed = container.slice();
  changed[changed.length - 1] ^= 1;
  expect(crc32(changed.subarray(CRC_START))).not.toBe(crc32(container.subarray(CRC_START)));
  expect(refusal(changed)).toMatch(/crc/);
});
