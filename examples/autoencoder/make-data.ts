/**
 * Makes spectra of a pump: train.npz of one that runs well, and test.npz of which half has a fault (y is 1).
 * Example: node dist/examples/autoencoder/make-data.js build/autoencoder
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeNpz } from "../../host/data/npz.js";
import { Random } from "../../host/rng.js";

/** Spectra one after the other, of so many bands. */
export const FRAMES = 4;
export const BANDS = 24;
/** Integers for a factor of e in a band's energy. */
export const UNITS = 16;

const FAULTS = ["bearing", "cavitation", "imbalance"] as const;
type State = "well" | (typeof FAULTS)[number];

const between = (random: Random, low: number, high: number): number => low + (high - low) * random.uniform();

/** What a tone of `frequency` Hz gives to a band; bands are a fifth of an octave and a bit, from 50 Hz on. */
const response = (band: number, frequency: number): number => {
  const distance = band - Math.log2(frequency / 50) * 4.5;
  return Math.exp(-(distance ** 2) / 0.8);
};

/** Logarithms of the bands' energies, [FRAMES, BANDS], as integers. */
function spectrum(state: State, random: Random): Int8Array {
  const speed = between(random, 55, 95);
  const load = between(random, 0.3, 1);
  const fault = between(random, 0.6, 1.4);
  const ring = between(random, 900, 1700);
  const result = new Int8Array(FRAMES * BANDS);
  for (let frame = 0; frame < FRAMES; frame++) {
    const wobble = speed * (1 + 0.01 * random.normal());
    // Bearings click now and then.
    const click = state === "bearing" && random.integer(3) > 0 ? fault : 0;
    for (let band = 0; band < BANDS; band++) {
      let energy = 0.05 * Math.exp(-band / 10) * (1 + load);
      for (let harmonic = 1; harmonic <= 6; harmonic++) {
        const extra = state === "imbalance" && harmonic === 2 ? 6 * fault : 1;
        energy += (load * extra * response(band, wobble * harmonic)) / harmonic ** 1.5;
      }
      // The blades' tone, which the load makes louder.
      energy += 0.5 * load ** 2 * response(band, wobble * 7);
      energy += 0.25 * click * response(band, ring);
      if (state === "cavitation") energy += 0.05 * fault * Math.exp((band - BANDS) / 12);
      const units = Math.round((Math.log(energy) + 0.1 * random.normal()) * UNITS) + 40;
      result[frame * BANDS + band] = Math.max(-128, Math.min(127, units));
    }
  }
  return result;
}

/** The bytes of an .npz with x, [count, 1, FRAMES, BANDS], and where there are some, y, [count]: 1 for a fault. @param share of faults, 0 .. 1 */
function spectra(count: number, share: number, seed: number): Uint8Array {
  const random = new Random(seed);
  const x = new Int8Array(count * FRAMES * BANDS);
  const y = new Int8Array(count);
  for (let i = 0; i < count; i++) {
    y[i] = random.uniform() < share ? 1 : 0;
    const state = y[i] === 1 ? FAULTS[random.integer(FAULTS.length)] : "well";
    x.set(spectrum(state, random), i * FRAMES * BANDS);
  }
  const arrays = new Map([["x", { shape: [count, 1, FRAMES, BANDS], values: x }]]);
  if (share > 0) arrays.set("y", { shape: [count], values: y });
  return writeNpz(arrays);
}

/** The bytes of test.npz. */
export const testData = (count = 2000): Uint8Array => spectra(count, 0.5, 2);

/** @param count of samples to train with; there are a quarter of it to test by */
export function makeData(folder: string, count = 8000): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "train.npz"), spectra(count, 0, 1));
  writeFileSync(join(folder, "test.npz"), testData(count / 4));
}

if (process.argv[1]?.endsWith("make-data.js")) makeData(process.argv[2] ?? "build/autoencoder");
