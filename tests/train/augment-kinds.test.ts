/** What each kind of augmentation does to values and places, on bytes and on floats. */
import { describe, expect, test } from "vitest";
import { sharedBytes, sharedFloats, type Samples } from "../../host/data/samples.js";
import type { Shape } from "../../host/model/model.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { augmentBank } from "../../host/train/augment-bank.js";
import type { Augmentation } from "../../host/train/augment.js";

const SIDE = 24;
const IMAGE: Shape = [1, SIDE, SIDE];
const PIXELS = SIDE * SIDE;
const COPIES = 200;

/** One sample of one value throughout. */
const flat = (value: number): Samples => ({ count: 1, images: sharedBytes(PIXELS).fill(value) });

/** A gradient from left to right, other in each row. */
function slope(images: Uint8Array | Int8Array | Float32Array): Samples {
  images.forEach((_, i) => (images[i] = 40 + 5 * (i % SIDE) + Math.floor(i / SIDE)));
  return { count: 1, images };
}

/** Each changed copy of a bank of one sample. */
function copiesOf(samples: Samples, augmentation: Augmentation, shape = IMAGE, copies = COPIES): number[][] {
  const { images, count } = augmentBank(nodeRuntime.kernels(), samples, shape, copies, augmentation, 11);
  expect(count).toBe(copies);
  expect(images.constructor).toBe(samples.images.constructor);
  const size = images.length / copies;
  return Array.from({ length: copies }, (_, copy) => [...images.subarray(copy * size, (copy + 1) * size)]);
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function deviationOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)));
}

describe("values of images", () => {
  test("noise has mean 0, and a deviation drawn evenly from 0 to what is asked for", () => {
    const noisy = copiesOf(flat(128), { noise: 20 });
    const deviations = noisy.map(deviationOf);
    expect(Math.abs(meanOf(noisy.map(meanOf)) - 128)).toBeLessThan(0.1);
    expect(meanOf(deviations)).toBeGreaterThan(8.5);
    expect(meanOf(deviations)).toBeLessThan(11.5);
    expect(Math.max(...deviations)).toBeGreaterThan(18);
    expect(Math.max(...deviations)).toBeLessThan(21.5);
    expect(Math.min(...deviations)).toBeLessThan(2);
  });

  test("noise is Gaussian to three deviations", () => {
    const noise = copiesOf({ count: 1, images: sharedFloats(PIXELS) }, { noise: 1 }).flatMap((copy) => {
      const deviation = deviationOf(copy);
      return copy.map((value) => value / deviation);
    });
    const within = [1, 2, 3].map((limit) => noise.filter((x) => Math.abs(x) < limit).length / noise.length);
    for (const [i, share] of [0.6827, 0.9545, 0.9973].entries()) expect(Math.abs(within[i] - share)).toBeLessThan(0.01);
    expect(Math.abs(meanOf(noise.map((x) => x ** 3)))).toBeLessThan(0.05);
  });

  test("bytes end at 0 and 255, as in a device", () => {
    for (const [value, changes] of [
      [250, { background: 60 }],
      [5, { brightness: 60 }],
      [3, { noise: 60 }],
    ] as const) {
      const all = copiesOf(flat(value), changes).flat();
      expect(Math.min(...all)).toBe(value === 250 ? 250 : 0);
      expect(Math.max(...all)).toBeLessThanOrEqual(255);
      if (value === 250) expect(Math.max(...all)).toBe(255);
    }
  });

  test("the background is lifted, brightness goes both ways", () => {
    const lifts = copiesOf(flat(10), { background: 50 }).map((copy) => copy[0] - 10);
    expect(Math.min(...lifts)).toBeLessThan(3);
    expect(Math.max(...lifts)).toBeGreaterThan(47);
    expect(Math.max(...lifts)).toBeLessThanOrEqual(50);
    expect(Math.abs(meanOf(lifts) - 25)).toBeLessThan(4);
    const changes = copiesOf(flat(100), { brightness: 50 }).map((copy) => copy[0] - 100);
    expect(Math.min(...changes)).toBeLessThan(-45);
    expect(Math.max(...changes)).toBeGreaterThan(45);
    expect(Math.abs(meanOf(changes))).toBeLessThan(7);
  });

  test("contrast stretches about the mean, blur flattens and keeps it", () => {
    const original = slope(sharedBytes(PIXELS));
    const [mean, deviation] = [meanOf([...original.images]), deviationOf([...original.images])];
    const stretched = copiesOf(original, { contrast: 0.4 });
    const factors = stretched.map((copy) => deviationOf(copy) / deviation);
    for (const copy of stretched) expect(Math.abs(meanOf(copy) - mean)).toBeLessThan(0.1);
    expect(Math.min(...factors)).toBeLessThan(0.65);
    expect(Math.max(...factors)).toBeGreaterThan(1.35);
    expect(factors.every((factor) => factor > 0.59 && factor < 1.41)).toBe(true);
    const dot = flat(0);
    dot.images[12 * SIDE + 12] = 255;
    for (const copy of copiesOf(dot, { blur: 1 })) {
      expect(Math.abs(meanOf(copy) * PIXELS - 255)).toBeLessThan(13);
      expect(copy[12 * SIDE + 12]).toBeGreaterThan(255 / 6.5);
      expect(copy[12 * SIDE + 13]).toBe(copy[11 * SIDE + 12]);
    }
  });

  test("each happens to its share of the samples", () => {
    const touched = copiesOf(flat(128), { noise: 40, probability: 0.25 }).filter((copy) => deviationOf(copy) > 0);
    expect(touched.length).toBeGreaterThan(0.15 * COPIES);
    expect(touched.length).toBeLessThan(0.35 * COPIES);
  });
});

describe("places of images", () => {
  test("shifts by up to so many pixels to all sides, 0 coming in", () => {
    const dot = flat(0);
    dot.images[12 * SIDE + 12] = 200;
    const middles = copiesOf(dot, { shift: 3 }).map((copy) => {
      const total = copy.reduce((sum, value) => sum + value, 0);
      expect(Math.abs(total - 200)).toBeLessThan(3);
      const x = copy.reduce((sum, value, i) => sum + value * (i % SIDE), 0) / total;
      const y = copy.reduce((sum, value, i) => sum + value * Math.floor(i / SIDE), 0) / total;
      return [x - 12, y - 12];
    });
    for (const axis of [0, 1]) {
      const moved = middles.map((middle) => middle[axis]);
      expect(Math.min(...moved)).toBeLessThan(-2.7);
      expect(Math.max(...moved)).toBeGreaterThan(2.7);
      expect(moved.every((pixels) => Math.abs(pixels) < 3.1)).toBe(true);
    }
  });

  test("flips about half, and flips whole rows", () => {
    const original = slope(sharedBytes(PIXELS));
    const mirrored = [...original.images].map((_, i) => original.images[i - (i % SIDE) + SIDE - 1 - (i % SIDE)]);
    const copies = copiesOf(original, { flip: 0.5 });
    const flipped = copies.filter((copy) => copy.join() === mirrored.join()).length;
    expect(copies.filter((copy) => copy.join() === [...original.images].join()).length).toBe(COPIES - flipped);
    expect(Math.abs(flipped - COPIES / 2)).toBeLessThan(30);
  });

  test("what is named takes the place of its part of distort", () => {
    const original = slope(sharedBytes(PIXELS));
    const still = { distort: 0.7, rotate: 0, shear: 0, scale: 0, shift: 0, elastic: 0 };
    for (const copy of copiesOf(original, still, IMAGE, 3)) expect(copy).toEqual([...original.images]);
    expect(copiesOf(original, { distort: 0.7 }, IMAGE, 3)).toEqual(copiesOf(original, 0.7, IMAGE, 3));
    expect(copiesOf(original, { ...still, rotate: 20 }, IMAGE, 1)[0]).not.toEqual([...original.images]);
  });
});

describe("types of values", () => {
  const all: Augmentation = { distort: 0.5, flip: 0.5, blur: 1, contrast: 0.2, brightness: 9, background: 9, noise: 9 };

  test("floats and bytes change alike, but for rounding", () => {
    const bytes = copiesOf(slope(sharedBytes(PIXELS)), all, IMAGE, 20);
    const floats = copiesOf(slope(sharedFloats(PIXELS)), all, IMAGE, 20);
    bytes.forEach((copy, n) =>
      copy.forEach((value, i) =>
        expect(Math.abs(value - Math.min(255, Math.max(0, floats[n][i])))).toBeLessThan(0.501),
      ),
    );
    expect(floats[0].some((value) => value % 1 !== 0)).toBe(true);
  });

  test("int8 is rounded, and ends at -128 and 127", () => {
    const ints = new Int8Array(sharedBytes(PIXELS).buffer);
    const lifted = copiesOf({ count: 1, images: ints.fill(120) }, { background: 60 }).flat();
    expect([Math.min(...lifted), Math.max(...lifted)]).toEqual([120, 127]);
    const dimmed = copiesOf({ count: 1, images: ints.fill(-120) }, { brightness: 60 }).flat();
    expect([Math.min(...dimmed), Math.max(...dimmed)]).toEqual([-128, -61]);
    const noisy = copiesOf({ count: 1, images: ints.fill(-3) }, { noise: 4 }).flat();
    expect(Math.abs(meanOf(noisy) + 3)).toBeLessThan(0.05);
  });

  test("labels, targets and the reading go along, a teacher's logits do not", () => {
    const samples: Samples = {
      ...slope(sharedFloats(PIXELS)),
      reading: { scale: [2], offset: [1] },
      labels: Uint16Array.of(300),
      targets: Float32Array.of(0.5, 2),
      logits: Float32Array.of(1),
    };
    const { images: _, ...bank } = augmentBank(nodeRuntime.kernels(), samples, IMAGE, 2, all, 1);
    expect(bank).toEqual({
      count: 2,
      reading: samples.reading,
      labels: Uint16Array.of(300, 300),
      targets: Float32Array.of(0.5, 2, 0.5, 2),
    });
  });

  test("of nothing at all comes a copy, of no samples none", () => {
    const original = slope(sharedFloats(PIXELS));
    for (const none of [0, {}, { noise: 0, shift: 0 }, { kind: "series" }, { kind: "spectrogram" }] as const) {
      expect(copiesOf(original, none, IMAGE, 2)).toEqual([[...original.images], [...original.images]]);
    }
    expect(augmentBank(nodeRuntime.kernels(), { count: 0, images: sharedBytes(0) }, IMAGE, 2, all, 1).count).toBe(0);
  });
});

describe("what has a time axis", () => {
  const [FRAMES, BANDS] = [30, 10];
  const SOUND: Shape = [1, FRAMES, BANDS];
  /** Frame t holds 100 t + band. */
  const sound = (): Samples => {
    const images = sharedFloats(FRAMES * BANDS);
    images.forEach((_, i) => (images[i] = 100 * Math.floor(i / BANDS) + (i % BANDS)));
    return { count: 1, images };
  };
  const frame = (copy: readonly number[], t: number): number[] => copy.slice(t * BANDS, (t + 1) * BANDS);

  test("shifts whole frames and repeats the outermost", () => {
    const original = [...sound().images];
    const shifts = copiesOf(sound(), { kind: "spectrogram", timeShift: 4 }, SOUND).map((copy) => {
      const shift = 15 - Math.round(copy[15 * BANDS] / 100);
      for (let t = 0; t < FRAMES; t++) {
        expect(frame(copy, t)).toEqual(frame(original, Math.min(FRAMES - 1, Math.max(0, t - shift))));
      }
      return shift;
    });
    expect([...new Set(shifts)].sort((a, b) => a - b)).toEqual([-4, -3, -2, -1, 0, 1, 2, 3, 4]);
  });

  test("masks frames, or bands, with the sample's mean and leaves the others", () => {
    const original = [...sound().images];
    const mean = Math.fround(meanOf(original));
    for (const [changes, length, most, at] of [
      [{ timeMask: 6 }, FRAMES, 6, (i: number) => Math.floor(i / BANDS)],
      [{ frequencyMask: 3 }, BANDS, 3, (i: number) => i % BANDS],
    ] as const) {
      const firsts: number[] = [];
      const lasts: number[] = [];
      const widths = copiesOf(sound(), { kind: "spectrogram", ...changes }, SOUND).map((copy) => {
        const masked = new Set<number>();
        copy.forEach((value, i) => (value === original[i] ? 0 : (expect(value).toBe(mean), masked.add(at(i)))));
        if (masked.size > 0) {
          firsts.push(Math.min(...masked));
          lasts.push(Math.max(...masked));
          expect(lasts.at(-1)! - firsts.at(-1)!).toBe(masked.size - 1);
        }
        expect(copy.filter((value) => value === mean).length).toBe((masked.size * FRAMES * BANDS) / length);
        return masked.size;
      });
      expect(Math.min(...widths)).toBe(0);
      expect(Math.max(...widths)).toBe(most);
      expect([Math.min(...firsts), Math.max(...lasts)]).toEqual([0, length - 1]);
    }
  });

  test("the time goes along the longer axis, or the one that is named", () => {
    const wide = copiesOf(sound(), { kind: "spectrogram", timeMask: 6 }, [1, BANDS, FRAMES], 20);
    const named = copiesOf(sound(), { kind: "spectrogram", timeMask: 6, timeAxis: "width" }, [1, BANDS, FRAMES], 20);
    const other = copiesOf(sound(), { kind: "spectrogram", timeMask: 6, timeAxis: "height" }, [1, BANDS, FRAMES], 20);
    expect(named).toEqual(wide);
    expect(other).not.toEqual(wide);
  });

  test("series are jittered, scaled and warped, all channels alike", () => {
    const steps = 64;
    const images = sharedFloats(3 * steps);
    images.forEach((_, i) => (images[i] = 10 + Math.sin((i % steps) / 5)));
    const series: Samples = { count: 1, images };
    const shape: Shape = [3, 1, steps];
    const scaled = copiesOf(series, { kind: "series", scale: 0.3 }, shape).map((copy) => copy[7] / images[7]);
    expect(Math.min(...scaled)).toBeLessThan(0.77);
    expect(Math.max(...scaled)).toBeGreaterThan(1.3);
    expect(scaled.every((factor) => Math.abs(Math.log(factor)) < 0.3001)).toBe(true);
    const warped = copiesOf(series, { kind: "series", warp: 4 }, shape);
    for (const copy of warped) {
      expect(copy.slice(0, steps)).toEqual(copy.slice(steps, 2 * steps));
      expect(Math.max(...copy)).toBeLessThanOrEqual(11);
    }
    expect(warped.filter((copy) => Math.abs(copy[20] - images[20]) > 0.05).length).toBeGreaterThan(COPIES / 2);
    const jittered = copiesOf(series, { kind: "series", jitter: 0.2 }, shape);
    const deviations = jittered.map((copy) => deviationOf(copy.map((value, i) => value - images[i])));
    expect(Math.abs(meanOf(deviations) - 0.1)).toBeLessThan(0.02);
    const shifted = copiesOf(series, { kind: "series", shift: 2 }, shape).map((copy) => copy[30]);
    expect(new Set(shifted)).toEqual(new Set([28, 29, 30, 31, 32].map((t) => images[t])));
  });
});
