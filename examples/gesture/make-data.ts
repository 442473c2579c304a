/**
 * Makes accelerometer recordings of five gestures: train.npz and test.npz in a folder, with labels.txt.
 * Example: node dist/examples/gesture/make-data.js build/gesture
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeNpz } from "../../host/data/npz.js";
import { Random } from "../../host/rng.js";

/** 1.28 s at 50 Hz. */
export const SAMPLES = 64;
const RATE = 50;
export const AXES = 3;
/** Integers for 1 g: a sensor of 8 bits that reads up to 4 g. */
export const UNITS = 32;
export const GESTURES = ["rest", "shake", "circle", "lift", "knock"] as const;
type Gesture = (typeof GESTURES)[number];

type Vector = readonly [x: number, y: number, z: number];

/** A number between `low` and `high`. */
const between = (random: Random, low: number, high: number): number => low + (high - low) * random.uniform();

/** A bump of width `width` seconds around `centre`. */
const bump = (t: number, centre: number, width: number): number => Math.exp(-(((t - centre) / width) ** 2));

/** What the hand does, in g, at time t: without gravity. */
function motion(gesture: Gesture, random: Random): (t: number) => Vector {
  const size = between(random, 0.6, 1.4);
  const start = between(random, 0.3, 0.7);
  const phase = between(random, 0, 2 * Math.PI);
  const way = random.integer(2) === 0 ? 1 : -1;
  const turns = 2 * Math.PI * between(random, 0.9, 1.8);
  const shakes = 2 * Math.PI * between(random, 3, 6);
  const within = (t: number): number => bump(t, 0.64, 0.45);
  switch (gesture) {
    case "rest":
      return () => [0, 0, 0];
    case "shake":
      return (t) => [1.2 * size * within(t) * Math.sin(shakes * t + phase), 0, 0];
    case "circle":
      return (t) => [0.7 * size * Math.cos(turns * t + phase), 0, 0.7 * way * size * Math.sin(turns * t + phase)];
    case "lift":
      // Up and stop: faster first, slower then.
      return (t) => [0, 0, 0.9 * way * size * (bump(t, start, 0.12) - bump(t, start + 0.3, 0.12))];
    case "knock":
      return (t) => {
        const gap = 0.2 + phase / 60;
        const knock = (at: number): number => bump(t, at, 0.02) - 0.5 * bump(t, at + 0.05, 0.03);
        return [0, 2.2 * size * (knock(start) + knock(start + gap)), 0];
      };
  }
}

/** Turns about x and y by as much as a wrist is held differently, in radians. */
function tilted([x, y, z]: Vector, a: number, b: number): Vector {
  const [y1, z1] = [y * Math.cos(a) - z * Math.sin(a), y * Math.sin(a) + z * Math.cos(a)];
  return [x * Math.cos(b) + z1 * Math.sin(b), y1, z1 * Math.cos(b) - x * Math.sin(b)];
}

/** [AXES, 1, SAMPLES] */
function recording(gesture: Gesture, random: Random): Int8Array {
  const move = motion(gesture, random);
  const [a, b] = [between(random, -0.5, 0.5), between(random, -0.5, 0.5)];
  const [sway, noise] = [between(random, 0, 0.15), between(random, 0.02, 0.1)];
  const result = new Int8Array(AXES * SAMPLES);
  for (let i = 0; i < SAMPLES; i++) {
    const t = i / RATE;
    const [x, y, z] = move(t);
    const held = tilted([x + sway * Math.sin(4 * t), y, z + 1], a, b);
    held.forEach((value, axis) => {
      const units = Math.round((value + noise * random.normal()) * UNITS);
      result[axis * SAMPLES + i] = Math.max(-128, Math.min(127, units));
    });
  }
  return result;
}

/** The bytes of an .npz with x, [count, AXES, 1, SAMPLES], and y, [count]. */
function recordings(count: number, seed: number): Uint8Array {
  const random = new Random(seed);
  const x = new Int8Array(count * AXES * SAMPLES);
  const y = new Int8Array(count);
  for (let i = 0; i < count; i++) {
    y[i] = random.integer(GESTURES.length);
    x.set(recording(GESTURES[y[i]], random), i * AXES * SAMPLES);
  }
  return writeNpz(
    new Map([
      ["x", { shape: [count, AXES, 1, SAMPLES], values: x }],
      ["y", { shape: [count], values: y }],
    ]),
  );
}

/** The bytes of test.npz. */
export const testData = (count = 2000): Uint8Array => recordings(count, 2);

/** @param count of samples to train with; there are a quarter of it to test by */
export function makeData(folder: string, count = 8000): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "train.npz"), recordings(count, 1));
  writeFileSync(join(folder, "test.npz"), testData(count / 4));
}

if (process.argv[1]?.endsWith("make-data.js")) makeData(process.argv[2] ?? "build/gesture");
