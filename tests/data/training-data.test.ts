import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { zipSync } from "fflate";
import { PNG } from "pngjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DataSpec } from "../../host/data/data-spec.js";
import type { Samples } from "../../host/data/samples.js";
import { splitIndices, PARTS } from "../../host/data/split.js";
import { loadTrainingData, type TrainingDataOptions } from "../../host/node/data/training-data.js";
import { netEnds } from "../../host/train/net-ends.js";
import { lstm } from "../train/recurrent-nets.js";
import { npyOf } from "../support/npy.js";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-training-data-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** @returns its name in the folder */
function file(name: string, content: Uint8Array | string): string {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), content);
  return name;
}

const load = (data: DataSpec, options: Partial<TrainingDataOptions> = {}): ReturnType<typeof loadTrainingData> =>
  loadTrainingData(data, { shape: [1, 2, 2], outputs: 3, takes: "labels", folder, ...options });

/** `count` samples of 2 × 2, each with its index in it, of the classes 0, 1, 2, 0, … */
const bytes = (count: number, from = 0): Uint8Array =>
  Uint8Array.from({ length: 4 * count }, (_, i) => from + (i >> 2));
const classes = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i % 3);
const npz = (arrays: Record<string, Uint8Array>): Uint8Array =>
  zipSync(Object.fromEntries(Object.entries(arrays).map(([name, array]) => [`${name}.npy`, array])));
const own = (count: number): Uint8Array =>
  npz({ x: npyOf(bytes(count), count, 2, 2), y: npyOf(classes(count), count) });

/** The first value of each sample. */
const indices = ({ images, count }: Samples): number[] =>
  Array.from({ length: count }, (_, n) => images[(n * images.length) / count]);

describe("a set that is split", () => {
  test("gives each part each class, each sample once, another order for another seed", () => {
    const name = file("sixty.npz", own(60));
    const { train, validation, test, notes, source } = load(name);
    expect([train, validation, test!].map(({ count }) => count)).toEqual([48, 6, 6]);
    expect([train, validation, test!].flatMap(indices).toSorted((a, b) => a - b)).toEqual(
      [...bytes(60)].filter((_, i) => i % 4 === 0),
    );
    for (const part of [validation, test!]) expect([...part.labels!].toSorted()).toEqual([0, 0, 1, 1, 2, 2]);
    expect(indices(train)).not.toEqual(indices(load({ train: name, split: { seed: 2 } }).train));
    expect([notes, source]).toEqual([[], "sixty.npz"]);
    // As the parts of --data.
    expect(indices(load({ train: name, validation: `${name}:test` }).validation)).toEqual(indices(test!));
  });

  test("takes how many are to choose by, and puts changed copies of these behind them", () => {
    const name = file("sixty.npz", own(60));
    const plain = load({ train: name, split: { validation: 9 } });
    expect([plain.train.count, plain.validation.count, plain.test!.count]).toEqual([45, 9, 6]);
    const most = load({ train: file("many.npz", own(125)), split: { validation: 100 } });
    expect([most.train.count, most.validation.count, most.test!.count]).toEqual([13, 100, 12]);
    const data: DataSpec = { train: name, split: { validation: 9 } };
    const wide = load({ ...data, validationCopies: { copies: 2, augment: { shift: 1 } } });
    const { count, images, labels } = wide.validation;
    expect(count).toBe(27);
    expect(images.subarray(0, 36)).toEqual(plain.validation.images);
    expect(images.subarray(36, 72)).not.toEqual(plain.validation.images);
    const once = [...plain.validation.labels!];
    expect([...labels!]).toEqual([...once, ...once, ...once]);
    // What is chosen by other samples is another run.
    expect(wide.digests).toEqual({ ...plain.digests, validation: expect.not.stringMatching(plain.digests.validation) });
    expect(wide.train).toEqual(plain.train);
    const same = load({ ...data, validationCopies: { copies: 2, augment: { shift: 1 } } });
    expect(same.validation).toEqual(wide.validation);
  });

  test("of MNIST takes more of the last training digits to choose by, and nothing else", () => {
    const shape = [1, 28, 28] as const;
    const usual = load("mnist", { shape, outputs: 10 });
    const wide = load({ train: "mnist", split: { validation: 10_000 } }, { shape, outputs: 10 });
    expect([wide.train.count, wide.validation.count]).toEqual([50_000, 10_000]);
    expect(wide.validation.labels!.subarray(5000)).toEqual(usual.validation.labels);
    const seeded = { train: "mnist", split: { validation: 10_000, seed: 2 } };
    expect(() => load(seeded, { shape, outputs: 10 })).toThrow(
      /expected none with it, but for how many are for validation/,
    );
  });

  test("says where nothing is left to train on", () => {
    const name = file("sixty.npz", own(60));
    expect(() => load({ train: name, split: { validation: 57 } })).toThrow(/of 60 samples none is left for train/);
  });

  test("takes other shares, and test samples of their own", () => {
    const name = file("sixty.npz", own(60));
    const halves = load({ train: name, split: { validation: 0.5, test: 0 } });
    expect([halves.train.count, halves.validation.count, halves.test]).toEqual([30, 30, undefined]);
    const beside = load({ train: name, test: file("five.npz", own(5)) });
    expect([beside.train.count, beside.validation.count, beside.test!.count]).toEqual([54, 6, 5]);
    expect(beside.notes).toEqual(["5 of the 5 test samples are among the training samples as well"]);
  });

  test("counts classes that a part does not have", () => {
    const labels = Int32Array.from({ length: 20 }, (_, i) => (i < 2 ? 2 : i % 2));
    const name = file("rare.npz", npz({ x: npyOf(bytes(20), 20, 2, 2), y: npyOf(labels, 20) }));
    const parts = load({ train: name, split: { seed: 1 } });
    const lacking = (part: Samples): boolean => !part.labels!.includes(2);
    expect(lacking(parts.train)).toBe(false);
    expect(lacking(parts.validation) || lacking(parts.test!)).toBe(true);
    expect(parts.notes.join()).toMatch(/^no (validation|test) sample is of class 2/);
  });

  test("and is refused where a part is left without samples, or there is nothing to stratify by", () => {
    const few = file("four.npz", own(4));
    expect(() => load(few)).toThrow(/four\.npz: of 4 samples none is left for (validation|test)$/);
    const bare = file("bare.npy", npyOf(bytes(30), 30, 2, 2));
    expect(() => load({ train: bare, split: { stratified: true } })).toThrow(/stratified split needs labels/);
    expect(() => load({ train: few, validation: few, split: { seed: 1 } })).toThrow(/not with validation samples/);
  });
});

test("a count of samples to choose by is that count, where the share to test by ends between two samples, too", () => {
  for (const count of [65, 125, 145, 345, 565]) {
    const all = Array.from({ length: count }, (_, i) => i);
    for (let validation = 1; validation < 0.9 * count; validation++) {
      const parts = PARTS.map((part) => splitIndices(count, part, { seed: 1, validation, test: 0.1 }));
      expect(parts[1].length, `${validation} of ${count}`).toBe(validation);
      expect(parts.flat().toSorted((a, b) => a - b)).toEqual(all);
    }
  }
  const none = { seed: 1, validation: 60, test: 0.1 };
  expect(splitIndices(60, "train", none)).toEqual([]);
});

test("a stratified order is fair to classes of any size", () => {
  const labels = Uint8Array.from({ length: 1000 }, (_, i) => (i < 900 ? 0 : i < 990 ? 1 : 2));
  const parts = PARTS.map((part) => splitIndices(1000, part, { seed: 5, validation: 0.1, test: 0.2 }, labels));
  expect(parts.map(({ length }) => length)).toEqual([700, 100, 200]);
  expect(parts.flat().toSorted((a, b) => a - b)).toEqual(Array.from(labels, (_, i) => i));
  parts.forEach((part, at) => {
    [900, 90, 10].forEach((total, label) => {
      const share = total * [0.7, 0.1, 0.2][at];
      const found = part.filter((i) => labels[i] === label).length;
      expect(Math.abs(found - share), `${PARTS[at]} ${label}`).toBeLessThanOrEqual(2);
    });
  });
});

describe("separate files", () => {
  test("have labels each, in the order train, validation, test", () => {
    const samples = [9, 6, 3].map((count, i) => file(`x${i}.npy`, npyOf(bytes(count, 50 * i), count, 2, 2)));
    const labels = [9, 6, 3].map((count, i) => file(`y${i}.npy`, npyOf(classes(count), count)));
    const [train, validation, test] = samples;
    const data = load({ train, validation, test, labels });
    expect([...data.test!.labels!]).toEqual([0, 1, 2]);
    expect(indices(data.validation)).toEqual([50, 51, 52, 53, 54, 55]);
    expect(() => load({ train, validation, labels: labels[0] })).toThrow(/one file for train, validation: expected 2$/);
    expect(() => load({ train, validation, test, labels: labels.slice(1) })).toThrow(
      /labels: 2 for train, validation, test/,
    );
    expect(() => load({ train, validation, test, labels: [...labels.slice(0, 2), labels[0]] })).toThrow(
      /9 labels for the 3 samples/,
    );
    expect(() => load({ train, validation })).toThrow(/^train, x0\.npy: expected labels, a class for each sample/);
    expect(() => load({ train, validation, labels: "y9.npy" })).toThrow(
      /labels y9\.npy: expected column:NAME, or a file/,
    );
  });

  test("number their classes alike, by words or folders", () => {
    const train = file("train.csv", "a,b,c,d,label\n1,2,3,4,cat\n1,2,3,5,dog\n1,2,3,6,ant\n");
    const validation = file("validation.csv", "a,b,c,d,label\n7,2,3,4,dog\n8,2,3,4,cat\n");
    const data = load({ train, validation });
    expect(data.classes).toEqual(["ant", "cat", "dog"]);
    expect([[...data.train.labels!], [...data.validation.labels!]]).toEqual([
      [1, 2, 0],
      [2, 1],
    ]);
    const other = file("other.csv", "a,b,c,d,label\n7,2,3,4,cow\n");
    expect(() => load({ train, validation: other })).toThrow(/class cow is none of those for training: ant, cat, dog$/);

    const x = [3, 2].map((count) => file(`x${count}.npy`, npyOf(bytes(count), count, 2, 2)));
    const y = ["cat\ndog\nant", "dog\ncat", "dog\ncow"].map((words, i) => file(`y${i}.csv`, `label\n${words}\n`));
    const beside = load({ train: x[0], validation: x[1], labels: y.slice(0, 2) });
    expect([beside.classes, [...beside.validation.labels!]]).toEqual([
      ["ant", "cat", "dog"],
      [2, 1],
    ]);
    expect(() => load({ train: x[0], validation: x[1], labels: [y[0], y[2]] })).toThrow(/class cow is none of those/);

    const png = new PNG({ width: 2, height: 2 });
    for (const name of ["t/ant/1", "t/bee/1", "t/cow/1", "v/bee/1"]) file(`${name}.png`, PNG.sync.write(png));
    const folders = load({ train: "t", validation: "v" });
    expect([folders.classes, [...folders.validation.labels!]]).toEqual([["ant", "bee", "cow"], [1]]);
    expect(folders.notes).toContain("no validation sample is of class ant, cow");
  });

  test("must have the same kind of values, and fit the net", () => {
    const train = file("a.npz", own(9));
    const reals = npz({ x: npyOf(new Float32Array(24), 6, 2, 2), y: npyOf(classes(6), 6) });
    expect(() => load({ train, validation: file("b.npz", reals) })).toThrow(
      /^validation, b\.npz: values are a Float32Array, those for training a Uint8Array: expected the same$/,
    );
    expect(() => load({ train, validation: train }, { shape: [1, 4, 2] })).toThrow(
      /^train, a\.npz: the model takes images of \[1, 4, 2\], got \[2, 2\]$/,
    );
    expect(() => load({ train, validation: train }, { outputs: 2 })).toThrow(
      /^train, a\.npz: labels: the label of sample 2 is 2, expected 0 \.\. 1, one of 2 classes$/,
    );
    const nan = npz({ x: npyOf(Float32Array.of(1, 2, NaN, 4), 1, 2, 2), y: npyOf(classes(1), 1) });
    expect(() => load({ train, validation: file("nan.npz", nan) })).toThrow(/nan\.npz: x: element 2 is NaN/);
  });
});

describe("targets", () => {
  const ends = { takes: "targets", outputs: 2 } as const;
  const x = npyOf(
    Float32Array.from({ length: 40 }, (_, i) => i),
    10,
    2,
    2,
  );
  const t = npyOf(
    Float32Array.from({ length: 20 }, (_, i) => i / 20),
    10,
    2,
  );

  test("are an array, columns, a file, classes, or the input itself", () => {
    const split = { validation: 0.2, test: 0.2 };
    const archive = load({ train: file("t.npz", npz({ x, t })), targets: "t", split }, ends);
    // The first value of a sample is four times its index, as its first target is a tenth of it.
    expect(archive.train.targets).toHaveLength(12);
    indices(archive.train).forEach((value, n) => expect(archive.train.targets![2 * n]).toBeCloseTo(value / 40));
    const rows = Array.from({ length: 10 }, (_, i) => `${i},2,3,4,${i / 2},${-i}`).join("\n");
    const csv = load({ train: file("t.csv", `a,b,c,d,u,v\n${rows}\n`), targets: "column:v,u", split }, ends);
    expect(csv.train.images).toHaveLength(24);
    expect([...csv.validation.targets!]).toEqual(indices(csv.validation).flatMap((i) => [0 - i, i / 2]));
    const beside = load({ train: file("x.npy", x), targets: file("t.npy", t), split }, ends);
    expect(indices(beside.validation).map((value) => value / 40)).toHaveLength(2);
    expect(beside.train.targets![0]).toBeCloseTo(indices(beside.train)[0] / 40);
    const hot = load(file("sixty.npz", own(60)), { takes: "targets" });
    expect([...hot.validation.targets!]).toEqual(
      [...hot.validation.labels!].flatMap((c) => [0, 1, 2].map((i) => Number(i === c))),
    );
    const one = load(file("sixty.npz", own(60)), { takes: "targets", outputs: 1 });
    expect([...one.test!.targets!]).toEqual([...one.test!.labels!]);
    const input = load({ train: "sixty.npz", targets: "input", mean: [0.5] }, { takes: "targets", outputs: 4 });
    expect(input.train.targets![4]).toBeCloseTo(indices(input.train)[1] / 255 - 0.5);
  });

  test("that do not fit the net or the samples are refused", () => {
    expect(() => load({ train: file("t.npz", npz({ x, t })), targets: "t" }, { ...ends, outputs: 3 })).toThrow(
      /targets of 2 numbers for each sample, the net gives 3$/,
    );
    expect(() => load({ train: "t.npz", targets: "nowhere" }, ends)).toThrow(
      /t\.npz: no array nowhere, expected one of x, t$/,
    );
    expect(() => load({ train: file("x.npy", x) }, ends)).toThrow(
      /expected targets, numbers for each sample; there are none$/,
    );
    expect(() => load({ train: "x.npy", targets: "t" }, ends)).toThrow(/x\.npy is no \.npz archive with an array t$/);
    const short = file("short.npy", npyOf(new Float32Array(6), 3, 2));
    expect(() => load({ train: "x.npy", targets: short }, ends)).toThrow(/targets of 3 samples for the 10 of /);
    expect(() => load({ train: file("t.csv", "a,b\n1,2\n"), targets: "column:c" }, ends)).toThrow(/no column c/);
  });
});

describe("readings", () => {
  test("are by channel, and known to the model where they are not the usual", () => {
    const train = file("a.npz", own(9));
    expect(load({ train, validation: train })).toMatchObject({ kind: "image" });
    expect(load({ train, validation: train }).preprocessing).toBeUndefined();
    const raw = load({ train, validation: train, scale: 1 });
    expect(raw.train.reading).toEqual({ scale: [1], offset: [0] });
    expect(raw.preprocessing).toEqual({ layout: "planar", colours: "none", mean: [0], std: [1] });
    const shifted = load({ train, validation: train, mean: [0.5], std: [0.25] });
    expect(shifted.train.reading).toEqual({ scale: [1 / 255 / 0.25], offset: [-2] });
    expect(shifted.preprocessing).toMatchObject({ mean: [127.5], std: [63.75] });
    expect(shifted.digests.train).not.toBe(raw.digests.train);
    expect(() => load({ train, validation: train, mean: [1, 2] })).toThrow(/mean: expected one, got 2$/);
  });

  test("put channels that lie together into planes", () => {
    const pixels = Uint8Array.from({ length: 24 }, (_, i) => 10 * (i % 3) + Math.floor(i / 3));
    const train = file("rgb.npz", npz({ x: npyOf(pixels, 2, 2, 2, 3), y: npyOf(classes(2), 2) }));
    const data = load({ train, validation: train }, { shape: [3, 2, 2] });
    expect([...data.train.images.subarray(0, 12)]).toEqual([0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23]);
    expect(data.preprocessing).toEqual({
      layout: "interleaved",
      colours: "none",
      mean: [0, 0, 0],
      std: [255, 255, 255],
    });
    expect(() => load({ train, validation: train, layout: "nchw" }, { shape: [3, 2, 2] })).toThrow(
      /takes images of \[3, 2, 2\]/,
    );
  });

  test("of int8 must be said", () => {
    const train = file("int8.npz", npz({ x: npyOf(new Int8Array(12), 3, 2, 2), y: npyOf(classes(3), 3) }));
    expect(() => load({ train, validation: train })).toThrow(/int8 samples are a quantized input's integers/);
    const said = load({ train, validation: train, scale: 0.5 });
    expect(said.train.reading).toEqual({ scale: [0.5], offset: [0] });
    expect(said.notes[0]).toMatch(/^a model keeps no reading of real numbers/);
  });

  test("that a net's file knows hold for bytes of which nothing is said", () => {
    const train = file("a.npz", own(9));
    const usual = { layout: "planar", colours: "none", mean: [128], std: [2] } as const;
    const data = load({ train, validation: train }, { usual });
    expect([data.train.reading, data.preprocessing]).toEqual([{ scale: [0.5], offset: [-64] }, undefined]);
    const told = load({ train, validation: train, scale: 1 }, { usual });
    expect(told.preprocessing).toEqual({ layout: "planar", colours: "none", mean: [0], std: [1] });
    const same = load({ train, validation: train }, { usual: { ...usual, mean: [0], std: [255] } });
    expect(same.train.reading).toBeUndefined();
  });
});

test("named data has its parts, and takes a reading", () => {
  const shape = [1, 28, 28] as const;
  const { train, validation, test, source } = load("mnist", { shape, outputs: 10 });
  expect([train, validation, test!].map(({ count }) => count)).toEqual([55_000, 5_000, 10_000]);
  expect(source).toBe("mnist");
  expect(() => load({ train: "mnist", labels: "column:1" }, { shape, outputs: 10 })).toThrow(
    /labels and a split of its own/,
  );
});

test("named data is resized for a net of smaller squares, and refused for any other", () => {
  const wide = load("mnist", { shape: [1, 28, 28], outputs: 10 });
  const { train, validation, test, prints } = load("mnist", { shape: [1, 16, 16], outputs: 10 });
  expect([train, validation, test!].map(({ images }) => images.length / 256)).toEqual([55_000, 5_000, 10_000]);
  expect(train.images.buffer).toBeInstanceOf(SharedArrayBuffer);
  expect(train.labels).toEqual(wide.train.labels);
  // Means over what a pixel covers: as much ink, on fewer pixels.
  const ink = ({ images }: Samples): number => {
    let sum = 0;
    for (const value of images) sum += value;
    return sum / images.length;
  };
  expect(Math.abs(ink(train) / ink(wide.train) - 1)).toBeLessThan(0.01);
  expect(new Set(prints.test!).size).toBeGreaterThan(9_900);
  for (const shape of [
    [1, 32, 32],
    [1, 16, 20],
    [3, 16, 16],
    [1, 65_535, 65_535],
  ] as const)
    expect(() => load("mnist", { shape, outputs: 10 })).toThrow(
      /the model takes images of \[\d+, \d+, \d+\].*, got \[1, 28, 28\]/,
    );
});

test("named data is not resized for steps as wide as long, for which models would not have it resized either", () => {
  const sizes = { units: 4, classes: 10 };
  const ends = (side: number) => netEnds(lstm({ ...sizes, features: side, steps: side }), { loss: "softmax" });
  expect(load("mnist", ends(28)).train.images.length).toBe(55_000 * 784);
  expect(() => load("mnist", ends(16))).toThrow("the model takes images of [1, 16, 16], got [1, 28, 28]");
});
