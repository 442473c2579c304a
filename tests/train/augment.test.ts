import { describe, expect, test } from "vitest";
import { sharedBytes, type LabelledPictures } from "../../host/data/samples.js";
import type { Shape } from "../../host/model/model.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { mixWords, permuteIndex, Random } from "../../host/rng.js";
import { augmentBank } from "../../host/train/augment-bank.js";

const bankOf = (
  samples: LabelledPictures,
  copies: number,
  strength: number,
  seed: number,
  shape: Shape = [1, 28, 28],
) => augmentBank(nodeRuntime.kernels(), samples, shape, copies, strength, seed);

/** A filled square in the middle of 28 × 28, and a blank image. */
function squares(): LabelledPictures {
  const images = sharedBytes(2 * 784);
  for (let y = 9; y < 19; y++) images.fill(255, y * 28 + 9, y * 28 + 19);
  return { count: 2, images, labels: Uint8Array.of(1, 2) };
}

const sum = (pixels: Uint8Array): number => pixels.reduce((a, b) => a + b, 0);
const difference = (a: Uint8Array, b: Uint8Array): number => a.reduce((total, p, i) => total + Math.abs(p - b[i]), 0);

describe("distorted copies", () => {
  test("strength 0 copies", () => {
    const samples = squares();
    const bank = bankOf(samples, 2, 0, 1);
    expect(bank.count).toBe(4);
    expect([...bank.labels]).toEqual([1, 2, 1, 2]);
    expect(bank.images.subarray(0, 1568)).toEqual(samples.images);
    expect(bank.images.subarray(1568)).toEqual(samples.images);
  });

  test("the seed, the copy and the index decide, and nothing else", () => {
    const samples = squares();
    const bank = bankOf(samples, 3, 1, 7);
    expect(bankOf(samples, 3, 1, 7).images).toEqual(bank.images);
    expect(bankOf(samples, 1, 1, 7).images).toEqual(bank.images.subarray(0, 1568));
    const copies = [0, 2, 4].map((i) => bank.images.subarray(i * 784, (i + 1) * 784));
    expect(difference(copies[0], copies[1])).toBeGreaterThan(1000);
    expect(difference(copies[0], bankOf(samples, 1, 1, 8).images.subarray(0, 784))).toBeGreaterThan(1000);
  });

  test("a strength has had its bits since the first models", () => {
    // Golden values: a change here changes what every recipe makes.
    const { images } = bankOf(squares(), 2, 0.75, 7);
    const position = images.reduce((total, pixel, i) => total + pixel * (i + 1), 0);
    expect([sum(images), position]).toEqual([53347, 58830949]);
  });

  test("the stronger the further, and a digit stays a digit", () => {
    const samples = squares();
    const original = samples.images.subarray(0, 784);
    const far = [0.1, 0.5, 1].map((strength) => {
      const bank = bankOf(samples, 40, strength, 3);
      let total = 0;
      for (let copy = 0; copy < 40; copy++) {
        const image = bank.images.subarray(copy * 1568, copy * 1568 + 784);
        // Scaled by at most e^0.3 in area at strength 1, sheared and displaced: never gone, never filling the image.
        expect(sum(image)).toBeGreaterThan(0.5 * sum(original));
        expect(sum(image)).toBeLessThan(2 * sum(original));
        total += difference(image, original);
      }
      return total / 40;
    });
    expect(far[0]).toBeGreaterThan(0);
    expect(far[1]).toBeGreaterThan(2 * far[0]);
    expect(far[2]).toBeGreaterThan(far[1]);
  });

  test("a blank image stays blank, and nothing comes in from outside", () => {
    const bank = bankOf(squares(), 20, 1, 5);
    for (let copy = 0; copy < 20; copy++)
      expect(sum(bank.images.subarray(copy * 1568 + 784, (copy + 1) * 1568))).toBe(0);
  });

  test("several channels are distorted alike; shapes are checked", () => {
    const { images, labels } = squares();
    const bank = bankOf({ count: 1, images, labels: labels.subarray(0, 1) }, 1, 0.8, 4, [2, 28, 28]);
    expect(sum(bank.images.subarray(784))).toBe(0);
    const twice = sharedBytes(1568);
    twice.set(images.subarray(0, 784));
    twice.set(images.subarray(0, 784), 784);
    const both = bankOf({ count: 1, images: twice, labels: labels.subarray(0, 1) }, 1, 0.8, 4, [2, 28, 28]).images;
    expect(both.subarray(0, 784)).toEqual(both.subarray(784));
    expect(() => bankOf(squares(), 1, 1, 1, [1, 28, 27])).toThrow(RangeError);
  });
});

describe("random numbers", () => {
  test("are the same everywhere", () => {
    // Golden values: a change here changes every seeded result.
    const random = new Random(1, 2);
    expect([mixWords(), mixWords(0), mixWords(1, 2, 3), random.nextU32(), random.nextU32()]).toMatchInlineSnapshot(`
      [
        33350994,
        3423852544,
        2046294384,
        2415326767,
        4164889095,
      ]
    `);
  });

  test("are spread evenly", () => {
    const random = new Random(3);
    const counts = new Uint32Array(10);
    let normals = 0;
    let squared = 0;
    for (let i = 0; i < 20_000; i++) {
      counts[random.integer(10)]++;
      const x = random.normal();
      normals += x;
      squared += x * x;
    }
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(200);
    expect(Math.abs(normals / 20_000)).toBeLessThan(0.03);
    expect(Math.abs(squared / 20_000 - 1)).toBeLessThan(0.05);
  });

  test.each([1, 2, 3, 5, 64, 1000, 55_000])("permuteIndex goes through all %d indices once", (count) => {
    const seen = new Set<number>();
    for (let i = 0; i < count; i++) seen.add(permuteIndex(i, count, 9));
    expect(seen.size).toBe(count);
    expect(Math.max(...[...seen].slice(0, 1000))).toBeLessThan(count);
    if (count < 64) return;
    const others = Array.from({ length: count }, (_, i) => permuteIndex(i, count, 10));
    expect(others.filter((at, i) => at === permuteIndex(i, count, 9)).length).toBeLessThan(20);
    expect(others.filter((at, i) => at === i).length).toBeLessThan(20);
  });
});
