import { describe, expect, test } from "vitest";
import { DISTORTIONS, distortedSets } from "../../host/data/distortions.js";

const [HEIGHT, WIDTH] = [20, 24];
const PIXELS = HEIGHT * WIDTH;

/** A bright rectangle, one corner brighter. */
function picture(): Uint8Array {
  const pixels = new Uint8Array(PIXELS);
  for (let y = 6; y < 12; y++) pixels.fill(100, y * WIDTH + 8, y * WIDTH + 18);
  pixels[6 * WIDTH + 8] = 240;
  return pixels;
}

function variantsOf(id: string, images = picture(), shape: readonly number[] = [HEIGHT, WIDTH], channels = 1) {
  const distortion = DISTORTIONS.find((one) => one.id === id)!;
  const count = images.length / (channels * PIXELS);
  return [...distortedSets({ images, count, shape }, distortion, channels)].map((set) => set.images);
}

const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((total, value) => total + value, 0);

describe("distortions", () => {
  test("each has a name, and takes its mean over variants that differ", () => {
    expect(DISTORTIONS.map(({ id, variants }) => [id, variants.length])).toEqual([
      ["clean", 1],
      ["shift2", 4],
      ["shift3", 4],
      ["rotate10", 2],
      ["noise25", 1],
      ["noise50", 1],
      ["background40", 1],
      ["pepper5", 1],
    ]);
    for (const { id } of DISTORTIONS) {
      const images = variantsOf(id).map((image) => image.join());
      expect(new Set(images).size).toBe(images.length);
      expect(images.includes(picture().join())).toBe(id === "clean");
    }
  });

  test("shifts move whole pixels right, left, down and up, and 0 comes in", () => {
    const corners = variantsOf("shift3").map((image) => {
      expect(sum(image)).toBe(sum(picture()));
      return image.indexOf(240);
    });
    const corner = 6 * WIDTH + 8;
    expect(corners).toEqual([corner + 3, corner - 3, corner + 3 * WIDTH, corner - 3 * WIDTH]);
    const [right, left, down, up] = variantsOf("shift2", new Uint8Array(PIXELS).fill(9));
    for (const image of [right, left]) expect(sum(image)).toBe(9 * HEIGHT * (WIDTH - 2));
    for (const image of [down, up]) expect(sum(image)).toBe(9 * WIDTH * (HEIGHT - 2));
  });

  test("rotations turn about the middle, one back to where the other came from", () => {
    const dot = new Uint8Array(PIXELS);
    for (let y = 9; y <= 10; y++) dot.fill(200, y * WIDTH + 19, y * WIDTH + 21);
    const rows = variantsOf("rotate10", dot).map((image) => {
      const total = sum(image);
      expect(Math.abs(total - 800)).toBeLessThan(12);
      return Array.from(image).reduce((mean, value, i) => mean + (value * Math.floor(i / WIDTH)) / total, 0) - 9.5;
    });
    expect(rows[0]).toBeCloseTo(-8 * Math.sin(Math.PI / 18), 1);
    expect(rows[1]).toBeCloseTo(8 * Math.sin(Math.PI / 18), 1);
  });

  test("noise has its deviation, other for each sample, and is the same each time", () => {
    const grey = new Uint8Array(20 * PIXELS).fill(128);
    for (const [id, deviation] of [
      ["noise25", 25],
      ["noise50", 49.5],
    ] as const) {
      const [image] = variantsOf(id, grey);
      const mean = sum(image) / image.length;
      expect(Math.abs(mean - 128)).toBeLessThan(1.5);
      const spread = Math.sqrt(sum(Array.from(image, (value) => (value - mean) ** 2)) / image.length);
      expect(Math.abs(spread - deviation)).toBeLessThan(1);
      expect(image.subarray(0, PIXELS)).not.toEqual(image.subarray(PIXELS, 2 * PIXELS));
      expect(variantsOf(id, grey)[0]).toEqual(image);
    }
  });

  test("the background is lifted and clipped, one pixel of twenty turns black or white", () => {
    const [lifted] = variantsOf("background40");
    expect([lifted[0], lifted[7 * WIDTH + 9], lifted[6 * WIDTH + 8]]).toEqual([40, 140, 255]);
    const [peppered] = variantsOf("pepper5", new Uint8Array(40 * PIXELS).fill(128));
    const share = (value: number): number => peppered.filter((pixel) => pixel === value).length / peppered.length;
    expect(Math.abs(share(0) - 0.025)).toBeLessThan(0.004);
    expect(Math.abs(share(255) - 0.025)).toBeLessThan(0.004);
    expect(new Set(peppered)).toEqual(new Set([0, 128, 255]));
  });

  test("channels follow one another; other samples are refused", () => {
    const two = new Uint8Array(2 * PIXELS);
    two.set(picture(), PIXELS);
    expect(sum(variantsOf("shift2", two, [2, HEIGHT, WIDTH], 2)[0].subarray(0, PIXELS))).toBe(0);
    expect(variantsOf("shift2", picture(), [HEIGHT, WIDTH, 1])).toEqual(variantsOf("shift2"));
    expect(() => variantsOf("shift2", two, [HEIGHT, WIDTH, 2], 2)).toThrow(/one channel after the other, got samples/);
    const set = { images: new Float32Array(PIXELS), count: 1, shape: [HEIGHT, WIDTH] };
    expect(() => [...distortedSets(set, DISTORTIONS[0], 1)]).toThrow(/pictures of bytes/);
  });
});
