import { encode } from "jpeg-js";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { PNG } from "pngjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fitSquares } from "../../host/data/fit-picture.js";
import { MoteError } from "../../host/errors.js";
import type { Shape } from "../../host/model/model.js";
import { loadData, loadFiles, type DataOptions } from "../../host/node/data/load.js";
import { packageRoot } from "../../host/node/paths.js";
import { npy, npyOf } from "../support/npy.js";

const GOLDEN = join(packageRoot, "tests/golden/data");
const SHAPE: Shape = [1, 3, 4];
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-data-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** @returns its path */
function file(name: string, content: Uint8Array | string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

const load = (spec: string, options: Partial<DataOptions> = {}): ReturnType<typeof loadData> =>
  loadData(spec, { shape: SHAPE, ...options });

function problem(spec: string, options: Partial<DataOptions> = {}): string {
  try {
    load(spec, options);
  } catch (error) {
    if (error instanceof MoteError) return `${error.code} ${error.message}`;
    throw error;
  }
  return "accepted";
}

const pixels = Array.from({ length: 24 }, (_, i) => i);

describe("NumPy's own files", () => {
  it("an archive with parts: samples and labels by the part's name", () => {
    const test = load(`${join(GOLDEN, "parts.npz")}:test`);
    expect(test).toMatchObject({ count: 2, shape: [3, 4], source: "parts.npz" });
    expect([...test.images]).toEqual(pixels);
    expect([...test.labels!]).toEqual([0, 3]);
    const train = load(`${join(GOLDEN, "parts.npz")}:train`);
    expect([...train.images.subarray(0, 4)]).toEqual([3, 2, 1, 0]);
    expect([...train.labels!]).toEqual([1, 0]);
  });

  it("an archive without names, stored, of float16", () => {
    const set = load(join(GOLDEN, "stored.npz"));
    expect(set.images).toBeInstanceOf(Float32Array);
    expect([...set.images]).toEqual(pixels.map((pixel) => pixel / 8));
    expect([...set.labels!]).toEqual([2, 1]);
  });

  it("an array in the order of Fortran, big-endian", () => {
    expect([...load(join(GOLDEN, "fortran.npy")).images]).toEqual(pixels.map((pixel) => pixel - 12));
  });

  it("says which arrays there are where that is not clear", () => {
    const path = join(GOLDEN, "parts.npz");
    expect(problem(path)).toMatch(
      /^ARGUMENT .*which array has the samples\? .*one of x_train, y_train, x_test, y_test$/,
    );
    expect(problem(`${path}:x`)).toMatch(/^ARGUMENT .*no array x, expected one of x_train, y_train, x_test, y_test$/);
    expect([...load(`${path}:x_test:1`).images]).toEqual(pixels.slice(0, 12));
    expect([...load(`${path}:x_test`, { labels: `${path}:y_train` }).labels!]).toEqual([1, 0]);
  });
});

describe("arrays", () => {
  const array = (name: string, ...of: Parameters<typeof npyOf>): string => file(name, npyOf(...of));

  it("keep bytes and int8, and make all else float32", () => {
    expect(load(array("u1.npy", Uint8Array.from(pixels), 2, 3, 4)).images).toBeInstanceOf(Uint8Array);
    expect(load(array("i1.npy", Int8Array.from(pixels), 2, 3, 4)).images).toBeInstanceOf(Int8Array);
    expect(load(array("i4.npy", Int32Array.from(pixels), 2, 3, 4)).images).toEqual(Float32Array.from(pixels));
  });

  it("take labels from .npy, CSV and idx, packed or not", () => {
    const samples = array("three.npy", new Uint8Array(36), 3, 12);
    const idx = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 3, 5, 6, 300 & 255);
    for (const labels of [
      array("labels.npy", Int32Array.of(5, 6, 44), 3),
      file("labels.csv", "label\n5\n6\n44\n"),
      file("bare.csv", "5\n6\n44\n"),
      file("labels.idx", idx),
      file("labels.idx.gz", gzipSync(idx)),
    ]) {
      expect([...load(samples, { labels }).labels!], labels).toEqual([5, 6, 44]);
    }
  });

  it("number the words of a file of labels as a column's, or as the net names them", () => {
    const samples = array("three.npy", new Uint8Array(36), 3, 12);
    const labels = file("words.csv", "label\ndog\ncat\ndog\n");
    const set = load(samples, { labels });
    expect([[...set.labels!], set.classes]).toEqual([
      [1, 0, 1],
      ["cat", "dog"],
    ]);
    const known = load(samples, { labels, classes: ["dog", "ant", "cat"] });
    expect([[...known.labels!], known.classes]).toEqual([
      [0, 2, 0],
      ["dog", "ant", "cat"],
    ]);
    // Those of the samples' own column are not its own.
    const column = file("column.csv", "a,label\n1,x\n2,y\n3,x\n");
    const plain = load(column, { labels: file("plain.csv", "5\n6\n7\n") });
    expect([[...plain.labels!], plain.classes]).toEqual([[5, 6, 7], undefined]);
  });

  it("are refused where something does not fit", () => {
    const samples = array("three.npy", new Uint8Array(36), 3, 12);
    expect(problem(samples, { labels: array("two.npy", Int32Array.of(1, 2), 2) })).toMatch(
      /^MISMATCH .*two\.npy: 2 labels for the 3 samples of .*three\.npy$/,
    );
    expect(problem(samples, { labels: array("minus.npy", Int32Array.of(1, -2, 0), 3) })).toMatch(
      /^FORMAT .*minus\.npy: label 1 is -2, expected a class, 0 \.\. 65535$/,
    );
    expect(problem(samples, { labels: array("half.npy", Float32Array.of(1, 2, 0.5), 3) })).toMatch(/label 2 is 0\.5/);
    expect(problem(samples, { labels: array("hot.npy", new Uint8Array(30), 3, 10) })).toMatch(
      /labels of \[3, 10\], expected a class for each sample/,
    );
    expect(problem(array("nan.npy", Float32Array.of(1, NaN), 2, 1))).toMatch(/^FORMAT .*nan\.npy: element 1 is NaN/);
    expect(problem(array("none.npy", new Uint8Array(0), 0, 12))).toMatch(/^FORMAT .*none\.npy: no samples$/);
    const places = npy("|u1", [5_000_000_000, 0], new Uint8Array(0));
    for (const spec of [":5", ":test", ""])
      expect(problem(file("places.npy", places) + spec)).toMatch(
        /^FORMAT .*places\.npy: samples of \[0\], expected at least one value each$/,
      );
    expect(problem(`${samples}:4`)).toMatch(/^ARGUMENT .*expected 1 \.\. 3 samples, got 4$/);
    expect(problem(`${samples}:0`)).toMatch(/^ARGUMENT .*expected 1 \.\. 3 samples, got 0$/);
    expect(problem(`${samples}:x`)).toMatch(/^ARGUMENT .*three\.npy is no \.npz archive with an array x$/);
    expect(problem(join(folder, "nowhere.npy"))).toMatch(/^ARGUMENT --data .*nowhere\.npy: expected mnist:test, /);
    expect(problem(file("model.mote", "MOTE...."))).toMatch(/^FORMAT .*expected a PNG.*this is a Mote container$/);
  });
});

describe("splits", () => {
  it("have every sample once, and another order for another seed", () => {
    const path = file(
      "split.npy",
      npyOf(
        Uint8Array.from({ length: 50 }, (_, i) => i),
        50,
        1,
      ),
    );
    const part = (spec: string): number[] => [...load(`${path}:${spec}`).images];
    const parts = ["train", "validation", "test"].map(part);
    expect(parts.map(({ length }) => length)).toEqual([40, 5, 5]);
    expect(parts.flat().toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(part("test@1")).toEqual(parts[2]);
    expect(part("test@2")).not.toEqual(parts[2]);
    expect(part("test:2")).toEqual(parts[2].slice(0, 2));
  });
});

describe("zip archives that lie", () => {
  const archive = (): Uint8Array => zipSync({ "x.npy": npyOf(new Uint8Array(100_000), 100, 1000) });
  /** Of the directory's only entry, by APPNOTE.TXT 4.3.12. */
  const entry = (bytes: Uint8Array): number =>
    bytes.findIndex((_, i) => bytes[i] === 0x50 && bytes[i + 1] === 0x4b && bytes[i + 2] === 1);
  const edited = (at: number, value: number): string => {
    const bytes = archive();
    new DataView(bytes.buffer).setUint32(entry(bytes) + at, value, true);
    return file("lies.npz", bytes);
  };

  it("are refused before anything is unpacked", () => {
    expect(load(file("whole.npz", archive())).count).toBe(100);
    expect(problem(edited(24, 0xfffffff0))).toMatch(/^FORMAT .*x: \d+ bytes of the archive cannot become 4294967280$/);
    expect(problem(edited(24, 1000))).toMatch(
      /^FORMAT .*x: \[100, 1000\] of uint8 takes 100000 bytes, the file has \d+$/,
    );
    expect(problem(edited(20, 0xfffffff0))).toMatch(/^FORMAT .*x: 4294967280 bytes of the archive cannot become/);
    expect(problem(edited(10, 99))).toMatch(/^UNSUPPORTED .*x: zip's method 99 is not read/);
  });

  it("and damaged ones are", () => {
    const bytes = archive();
    expect(problem(file("cut.npz", bytes.subarray(0, bytes.length - 30)))).toMatch(
      /^FORMAT .*cut\.npz: broken zip archive/,
    );
    const many = bytes.slice();
    new DataView(many.buffer).setUint16(many.length - 14, 0xffff, true);
    expect(problem(file("many.npz", many))).toMatch(
      /^FORMAT .*many\.npz: broken zip archive: its directory is longer than the archive$/,
    );
    expect(problem(file("none.npz", zipSync({ "readme.txt": new Uint8Array(3) })))).toMatch(/without arrays/);
    for (let at = 30; at < bytes.length; at += 3) {
      const damaged = bytes.slice();
      damaged[at] ^= 0x55;
      expect(problem(file("damaged.npz", damaged))).toMatch(/^accepted$|^(FORMAT|UNSUPPORTED|ARGUMENT) /);
    }
  });
});

describe("gzip", () => {
  const images = Uint8Array.from([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, ...pixels]);

  it("of idx files is unpacked, as far as their header says", () => {
    expect([...load(file("images.gz", gzipSync(images))).images]).toEqual(pixels);
    const long = Buffer.concat([images, Buffer.alloc(10_000_000)]);
    expect(problem(file("bomb.gz", gzipSync(long)))).toMatch(/^FORMAT .*bomb\.gz: what is compressed in it is larger/);
    expect(problem(file("cut.gz", gzipSync(images).subarray(0, 20)))).toMatch(/^FORMAT .*cut\.gz: .*is damaged$/);
    const claims = Uint8Array.from([0, 0, 8, 3, ...Array<number>(12).fill(255)]);
    expect(problem(file("claims.gz", gzipSync(claims)))).toMatch(/^FORMAT .*claims\.gz: /);
  });
});

describe("CSV", () => {
  it("takes a column called label, heads or a number for it, and words for classes", () => {
    const set = load(file("a.csv", "\ufeffa, label ,b\r\n1,5,2\r\n\r\n3,6,-4.5e1\r\n"));
    expect(set).toMatchObject({ count: 2, shape: [2] });
    expect([...set.images]).toEqual([1, 2, 3, -45]);
    expect([...set.labels!]).toEqual([5, 6]);
    const named = load(file("b.csv", 'x,kind\n1,"dog"\n2,cat\n3,dog\n'), { labels: "column:kind" });
    expect(named).toMatchObject({ shape: [1], classes: ["cat", "dog"] });
    expect([...named.labels!]).toEqual([1, 0, 1]);
    const bare = load(file("c.csv", "7,0.5,1\n8,0.25,2\n"), { labels: "column:0" });
    expect([...bare.labels!, ...bare.images]).toEqual([7, 8, 0.5, 1, 0.25, 2]);
    expect(load(file("d.csv", "7,0.5\n8,0.25\n")).labels).toBeUndefined();
  });

  it("sees heads by other columns than the label's, unless that tells them", () => {
    const read = (text: string, column: number): unknown => {
      const { images, labels, classes } = load(file("f.csv", text), { labels: `column:${column}` });
      return [[...images], [...labels!], classes];
    };
    const words = ["cat", "dog"];
    expect(read("1,2,dog\n3,4,cat\n", 2)).toEqual([[1, 2, 3, 4], [1, 0], words]);
    expect(read("a,b,kind\n1,2,dog\n3,4,cat\n", 2)).toEqual([[1, 2, 3, 4], [1, 0], words]);
    expect(read("0,1,Label\n1,2,dog\n3,4,cat\n", 2)).toEqual([[1, 2, 3, 4], [1, 0], words]);
    // Of numbers, as data frames write columns without names.
    expect(read("digit,0,1\n7,1,2\n8,3,4\n", 0)).toEqual([[1, 2, 3, 4], [7, 8], undefined]);
    expect(read("1,2,dog\n", 2)).toEqual([[1, 2], [0], ["dog"]]);
  });

  it("is numbered as the net names the classes, with all of its names or none", () => {
    const path = file("g.csv", "x,label\n1,dog\n2,cat\n3,dog\n");
    const numbers = (classes: readonly string[]): number[] => [...load(path, { classes }).labels!];
    expect(numbers(["dog", "ant", "cat"])).toEqual([0, 2, 0]);
    expect(numbers(["a", "b"])).toEqual([1, 0, 1]);
    expect(problem(path, { classes: ["cat", "cow"] })).toMatch(
      /^MISMATCH .*g\.csv: class dog is none of the model's: cat, cow$/,
    );
  });

  it.each([
    ["a cell that is no number", "a,b\n1,2\n3,x\n", /line 3, column b: expected a number, got "x"$/],
    ["an empty cell", "1,2\n3,\n", /line 2, column 1: expected a number, got ""$/],
    ["a shorter line", "1,2\n3\n", /Invalid Record Length/],
    ["a quote without end", '1,2\n"3,4\n', /Quote Not Closed/],
    ["heads alone", "a,b\n", /no lines of numbers$/],
    ["a label alone", "label\n1\n", /a column of labels alone/],
  ])("refuses %s", (_, text, expected) => {
    expect(problem(file("bad.csv", text))).toMatch(expected);
    expect(problem(file("bad.csv", text))).toMatch(/^FORMAT .*bad\.csv: /);
  });

  it("refuses a column that is not there", () => {
    const path = file("e.csv", "a,b\n1,2\n");
    expect(problem(path, { labels: "column:c" })).toMatch(
      /^ARGUMENT .*no column c, expected one of a, b, or 0 \.\. 1$/,
    );
    expect(problem(path, { labels: "column:2" })).toMatch(/^ARGUMENT .*no column 2/);
  });
});

describe("pictures", () => {
  /** A PNG or JPEG of one colour. */
  const picture = (width: number, height: number, rgb: readonly number[], isJpeg = false): Uint8Array => {
    const data = Buffer.from(Array.from({ length: width * height }, () => [...rgb, 255]).flat());
    if (isJpeg) return new Uint8Array(encode({ width, height, data }, 100).data);
    const png = new PNG({ width, height });
    data.copy(png.data);
    return PNG.sync.write(png);
  };
  const RED = [200, 10, 20];

  it("by class: in the order of names, of the numbers that they are, or as the model names them", () => {
    for (const [of, names] of [
      ["words", ["ant", "bee", "cat"]],
      ["numbers", ["2", "10", "1"]],
    ] as const) {
      names.forEach((name, i) => file(`${of}/${name}/one.${i === 1 ? "jpg" : "png"}`, picture(4, 3, RED, i === 1)));
      file(`${of}/${names[0]}/notes.txt`, "none");
      symlinkSync("nowhere", join(folder, of, "broken"));
    }
    const words = load(join(folder, "words"));
    expect([...words.labels!]).toEqual([0, 1, 2]);
    expect(words).toMatchObject({
      names: ["ant/one.png", "bee/one.jpg", "cat/one.png"],
      classes: ["ant", "bee", "cat"],
    });
    expect(words.images.length).toBe(36);
    const numbers = load(join(folder, "numbers"));
    expect([...numbers.labels!]).toEqual([1, 2, 10]);
    expect(numbers.names).toEqual(["1/one.png", "2/one.png", "10/one.jpg"]);
    const named = load(join(folder, "words"), { classes: ["cat", "dog", "bee", "ant"] });
    expect([...named.labels!]).toEqual([0, 2, 3]);
    expect(named.names).toEqual(["cat/one.png", "bee/one.jpg", "ant/one.png"]);
    expect(problem(join(folder, "words"), { classes: ["cat", "dog", "ant"] })).toMatch(
      /^MISMATCH .*words: class bee is none of the model's: cat, dog, ant$/,
    );
    expect([...load(join(folder, "words"), { classes: ["x", "y", "z"] }).labels!]).toEqual([0, 1, 2]);
    expect(load(`${join(folder, "words")}:2`).count).toBe(2);
    mkdirSync(join(folder, "linked"));
    symlinkSync(join(folder, "words/bee"), join(folder, "linked/bees"));
    expect(load(join(folder, "linked"))).toMatchObject({ count: 1, classes: ["bees"] });
  });

  it("become planes of colour, or brightness", () => {
    const path = file("red.png", picture(8, 8, RED));
    expect([...load(path, { shape: [3, 1, 2] }).images]).toEqual([200, 200, 10, 10, 20, 20]);
    const grey = Math.round(0.299 * 200 + 0.587 * 10 + 0.114 * 20);
    expect([...load(path, { shape: [1, 2, 2] }).images]).toEqual([grey, grey, grey, grey]);
    const jpeg = load(file("red.jpeg", picture(8, 8, RED, true)), { shape: [3, 1, 1] });
    jpeg.images.forEach((value, i) => expect(Math.abs(value - RED[i])).toBeLessThanOrEqual(2));
    expect(problem(path, { shape: [2, 2, 2] })).toMatch(
      /^MISMATCH .*a picture has 1 or 3 channels, the model takes 2; expected samples of numbers, such as \.npy$/,
    );
  });

  it("of digits are resized as files of them, for nets of smaller squares alone", () => {
    const digits = load("mnist:test:2", { shape: [1, 28, 28] });
    const png = new PNG({ width: 28, height: 28 });
    digits.images.subarray(784).forEach((value, i) => png.data.set([value, value, value, 255], 4 * i));
    const path = file("seven.png", PNG.sync.write(png));
    const small = load("mnist:test:2", { shape: [1, 16, 16] });
    expect(small).toMatchObject({ count: 2, shape: [1, 16, 16], labels: digits.labels, source: "mnist:test" });
    expect(small.images.subarray(256)).toEqual(load(path, { shape: [1, 16, 16] }).images);
    expect(load("mnist:test:2", { shape: [1, 27, 27] }).images.length).toBe(2 * 27 * 27);
    for (const shape of [
      [1, 1, 1],
      [1, 29, 29],
      [1, 14, 16],
      [3, 16, 16],
      [784, 1, 1],
    ] as const)
      expect(load("mnist:test:2", { shape })).toEqual(digits);
  });

  it("given to run have their digits found before these are resized", () => {
    const png = new PNG({ width: 60, height: 50 });
    for (let i = 0; i < 3000; i++)
      png.data
        .fill(i % 60 > 8 && i % 60 < 14 && i > 300 && i < 2400 ? 20 : 240, 4 * i, 4 * i + 3)
        .fill(255, 4 * i + 3, 4 * i + 4);
    const paths = [file("one.png", PNG.sync.write(png))];
    const [digit, small] = [28, 16].map((side) => loadFiles(paths, { shape: [1, side, side] }));
    expect(small).toMatchObject({ count: 1, shape: [1, 16, 16], names: ["one.png"], doubts: digit.doubts });
    expect(small.images).toEqual(fitSquares(digit.images as Uint8Array, 28, 16));
    expect(small.images).not.toEqual(load(paths[0], { shape: [1, 16, 16] }).images);
    expect(loadFiles(paths, { shape: [1, 32, 32] }).doubts).toBeUndefined();
  });

  it("given to run are named where one of them is missing", () => {
    const missing = join(folder, "nowhere.png");
    const there = file("there.png", PNG.sync.write(new PNG({ width: 4, height: 3 })));
    expect(() => loadFiles([there, missing], { shape: SHAPE })).toThrow(`${missing}: cannot be read: no such file`);
  });

  it("that are broken or claim too much are refused", () => {
    const whole = picture(40, 40, RED, true);
    expect(problem(file("cut.jpg", whole.subarray(0, 300)))).toMatch(/^FORMAT .*cut\.jpg: broken JPEG: /);
    const huge = whole.slice();
    const frame = huge.findIndex((_, i) => huge[i] === 0xff && huge[i + 1] === 0xc0);
    new DataView(huge.buffer).setUint32(frame + 5, 0xffffffff);
    expect(problem(file("huge.jpg", huge))).toMatch(/^FORMAT .*huge\.jpg: JPEG of 65535 × 65535 pixels, at most/);
    for (let at = 2; at < whole.length; at += 5) {
      const damaged = whole.slice();
      damaged[at] ^= 0x3c;
      expect(problem(file("damaged.jpg", damaged))).toMatch(/^accepted$|^FORMAT /);
    }
    expect(problem(file("empty-folder/class/readme.txt", "x").replace(/.class.readme.txt$/, ""))).toMatch(
      /no \.png, \.jpg/,
    );
    expect(problem(join(folder, "empty-folder/class"))).toMatch(/expected a folder for each class, there is none$/);
  });
});
