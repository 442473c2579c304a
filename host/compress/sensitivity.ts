/**
 * What each layer bears: the rise of the loss when it alone is pruned, put on a grid or given a codebook, without retraining. The
 * settings that "auto" stands for follow: every layer is taken to where its loss alone rises equally much.
 */
import { sliceSamples, type Samples } from "../data/samples.js";
import { parseJson } from "../json.js";
import type { Net } from "../model/model.js";
import { CLASSES, type Task } from "../train/losses.js";
import { Trainer, type TrainingRuntime } from "../train/trainer.js";
import { fail, integer, number, object, oneOf, text, type Check } from "./check-value.js";
import { digest } from "./digest.js";
import { gridStep, toGrid } from "./grid.js";
import { keepBest, magnitudeScore } from "./prune.js";
import { kMeans } from "./share.js";
import type { WorkFolder } from "./work-folder.js";

/** What is varied: share of the weights kept, grid step ÷ mean magnitude, bits of a codebook. */
const KNOBS = ["density", "step", "bits"] as const;
export type Knob = (typeof KNOBS)[number];

/** Each from what leaves a layer as it is to what takes most of it. */
export const SETTINGS: Readonly<Record<Knob, readonly number[]>> = {
  density: [0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05, 0.02],
  step: [0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8],
  bits: [8, 7, 6, 5, 4, 3, 2, 1],
};

export interface LayerSensitivity {
  readonly layer: string;
  readonly weights: number;
  /** Rise of the loss at each of `settings`; never less than at a setting before. */
  readonly rises: readonly number[];
  /** Rise of the loss when all its weights are 0. */
  readonly lost: number;
}

export interface Sensitivity {
  readonly knob: Knob;
  readonly settings: readonly number[];
  readonly samples: number;
  /** Of the net as it is. */
  readonly loss: number;
  readonly layers: readonly LayerSensitivity[];
}

const MOST_LAYERS = 10_000;
const amount = number(0, 3e38);

/** @param most items */
const list =
  <T>(check: Check<T>, most: number): Check<T[]> =>
  (value, path) =>
    Array.isArray(value) && value.length > 0 && value.length <= most
      ? value.map((item, i) => check(item, `${path}[${i}]`))
      : fail(path, `a list of 1 .. ${most}`, undefined);

const shape = object({
  knob: oneOf(...KNOBS),
  settings: list(amount, 100),
  samples: integer(1, 2 ** 31),
  loss: amount,
  layers: list(
    object({ layer: text, weights: integer(1, 2 ** 31), rises: list(amount, 100), lost: amount }),
    MOST_LAYERS,
  ),
});

/** Of what a file has. @throws MoteError RECIPE naming the place */
export const checkSensitivity: Check<Sensitivity> = (value, path) => {
  const found = shape(value, path);
  for (const [i, { rises }] of found.layers.entries())
    if (rises.length !== found.settings.length)
      fail(`${path}.layers[${i}].rises`, `${found.settings.length} numbers, one a setting`, rises.length);
  return found;
};

export interface SensitivityOptions {
  readonly runtime: TrainingRuntime;
  readonly threads: number;
  readonly batch: number;
  readonly task?: Task;
  /** Of which the first are used, see `SAMPLES`. */
  readonly samples: Samples;
}

/** As many samples as this work allows, of a forward pass for each setting of each layer: about a minute. */
const WORK_FLOPS = 4e11;
const SAMPLES = { least: 200, most: 2000 };

/** A layer's weights at a setting. */
const APPLY: Readonly<Record<Knob, (weights: Float32Array, setting: number) => Float32Array>> = {
  density: (weights, density) => {
    const [mask] = keepBest([magnitudeScore(weights)], Math.round(density * weights.length));
    return weights.map((w, i) => w * mask[i]);
  },
  step: (weights, factor) => {
    const step = gridStep(weights, factor);
    return weights.map((w) => toGrid(w, step, 127) * step);
  },
  bits: (weights, bits) => {
    const { centroids, assignment } = kMeans(weights, 2 ** bits, "linear", 0);
    return weights.map((_, i) => (assignment[i] < 0 ? 0 : centroids[assignment[i]]));
  },
};

/** @param names of the layers to vary */
export async function measureSensitivity(
  net: Net,
  knob: Knob,
  names: readonly string[],
  options: SensitivityOptions,
): Promise<Sensitivity> {
  const { runtime, threads, batch, task = CLASSES } = options;
  const settings = SETTINGS[knob];
  const trainer = await Trainer.create({ runtime, graph: net.graph, seed: 0, threads, batch });
  try {
    trainer.load(net);
    // A training step is three passes.
    const affordable = Math.floor((3 * batch * WORK_FLOPS) / (trainer.stepFlops * names.length * settings.length));
    const count = Math.min(Math.max(SAMPLES.least, Math.min(affordable, SAMPLES.most)), options.samples.count);
    const samples = sliceSamples(options.samples, 0, count);
    const loss = async (): Promise<number> => (await trainer.evaluate(samples, task)).loss;
    const base = await loss();
    const layers: LayerSensitivity[] = [];
    for (const layer of names) {
      const live = trainer.weight(layer);
      const weights = live.slice();
      const rises: number[] = [];
      for (const setting of settings) {
        live.set(APPLY[knob](weights, setting));
        rises.push(Math.max(rises.at(-1) ?? 0, (await loss()) - base));
      }
      live.fill(0);
      const lost = Math.max(rises.at(-1)!, (await loss()) - base);
      live.set(weights);
      layers.push({ layer, weights: weights.length, rises, lost });
    }
    return { knob, settings, samples: count, loss: base, layers };
  } finally {
    await trainer.close();
  }
}

/** The rise that a share of the greatest loss allows: what losing the worst layer does is 1. */
export const allowedRise = ({ layers }: Sensitivity, tolerance: number): number =>
  tolerance * layers.reduce((most, { lost }) => Math.max(most, lost), 0);

/** The last setting of each layer at which its loss rises by at most so much, or the first of all. */
export function settingsAt({ layers, settings }: Sensitivity, rise: number): Record<string, number> {
  return Object.fromEntries(
    layers.map(({ layer, rises }) => [
      layer,
      settings[
        Math.max(
          0,
          rises.findLastIndex((one) => one <= rise),
        )
      ],
    ]),
  );
}

/** The density of each layer at which its loss rises by so much, along straight lines between the logarithms of those measured. */
export function densitiesAt({ layers, settings }: Sensitivity, rise: number): Record<string, number> {
  return Object.fromEntries(
    layers.map(({ layer, rises }) => {
      const above = rises.findIndex((one) => one > rise);
      if (above < 0) return [layer, settings[settings.length - 1]];
      const [from, to] = [above === 0 ? 1 : settings[above - 1], settings[above]];
      const before = above === 0 ? 0 : rises[above - 1];
      return [layer, from * (to / from) ** ((rise - before) / (rises[above] - before))];
    }),
  );
}

/** Halvings of a range of rises from a billionth to all: a weight more or less is no matter. */
const ROUNDS = 50;

/**
 * The densities of one common rise that keep so many weights together.
 * @param keep a count, or, up to 1, a share of all weights
 */
export function densitiesFor(sensitivity: Sensitivity, keep: number): Record<string, number> {
  const { layers } = sensitivity;
  const total = layers.reduce((sum, { weights }) => sum + weights, 0);
  const wanted = keep <= 1 ? keep * total : Math.min(keep, total);
  const kept = (densities: Readonly<Record<string, number>>): number =>
    layers.reduce((sum, { layer, weights }) => sum + densities[layer] * weights, 0);
  const most = allowedRise(sensitivity, 1) + 1e-9;
  let [low, high] = [most * 1e-9, most];
  for (let i = 0; i < ROUNDS; i++) {
    const middle = Math.sqrt(low * high);
    if (kept(densitiesAt(sensitivity, middle)) > wanted) low = middle;
    else high = middle;
  }
  const densities = densitiesAt(sensitivity, high);
  // Below the least density that was measured, and above the greatest, all layers go alike.
  const factor = wanted / kept(densities);
  return Object.fromEntries(Object.entries(densities).map(([name, d]) => [name, Math.min(1, d * factor)]));
}

/** What was measured before, or measured and kept. @param key of all that the net depends on */
export async function keptSensitivity(
  folder: WorkFolder,
  key: string,
  net: Net,
  knob: Knob,
  names: readonly string[],
  options: SensitivityOptions,
): Promise<Sensitivity> {
  const name = `sensitivity-${await digest(key, options.task ?? null, options.batch, knob, SETTINGS[knob], names)}.json`;
  const bytes = await folder.readBytes(name);
  if (bytes !== undefined) return checkSensitivity(parseJson(new TextDecoder().decode(bytes), folder.path, name), name);
  const made = await measureSensitivity(net, knob, names, options);
  folder.writeBytes(name, new TextEncoder().encode(JSON.stringify(made)));
  return made;
}
