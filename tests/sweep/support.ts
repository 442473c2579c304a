/** A sweep so small that it takes seconds: a few hundred samples, a handful of units, a few steps. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { openNet } from "../../host/node/train/open-net.js";
import { openStore } from "../../host/node/sweep/open-store.js";
import { Sweep } from "../../host/node/sweep/run-sweep.js";
import type { SweepRow } from "../../host/sweep/summary.js";
import { parseVariation, variantsOf } from "../../host/sweep/vary.js";
import { sharedBytes, type Samples } from "../../host/data/samples.js";
import { Random } from "../../host/rng.js";

/** Ten easy classes: one of ten bands of a picture is bright. */
function bands(count: number, seed: number): Samples {
  const random = new Random(seed);
  const images = sharedBytes(count * 784);
  const labels = sharedBytes(count);
  for (let i = 0; i < count; i++) {
    labels[i] = random.integer(10);
    for (let p = 0; p < 784; p++)
      images[i * 784 + p] = random.integer(60) + (Math.floor(p / 79) === labels[i] ? 150 : 0);
  }
  return { count, images, labels };
}

export const data = { train: bands(200, 1), validation: bands(60, 2) };

export const tinyRecipe = {
  net: "lenet300",
  // Of this name only: `planIn` has the samples.
  data: "bands.npz",
  seed: 1,
  batch: 32,
  teacher: { epochs: 0.3, lr: 0.002, augment: 0, seed: 1 },
  bank: { copies: 1, augment: 0.1 },
  distill: { alpha: 0.5, temperature: 2 },
  stages: [
    { kind: "narrow", units: { fc1: 6, fc2: 5 } },
    { kind: "train", epochs: 2, lr: 0.003 },
    { kind: "prune", keep: 300, epochs: 1, lr: 0.002 },
    { kind: "grid", epochs: 0.5, lr: 0.002, step: { fc1: 0.5, fc2: 0.5, fc3: 0.5 }, parts: 2 },
    { kind: "calibrate", samples: 60 },
  ],
};

/** Eight models by 10 jobs: teacher and bank, the training of each of 2 seeds, what differs by `keep`. */
export const eight = variantsOf(JSON.stringify({ ...tinyRecipe }), "tiny.json", [
  parseVariation("seed=1,2"),
  parseVariation("stages[2].keep=200,250,300,350"),
]);

/** @param storeName a folder or a bucket */
export const planIn = async (storeName: string, variants = eight, env?: NodeJS.ProcessEnv): Promise<Sweep> =>
  Sweep.plan({
    variants,
    open: ({ net }) => ({ net: openNet(net).net, data }),
    store: await openStore(storeName, env),
  });

/** Of each variant's model. */
export const modelsOf = (sweep: Sweep, rows: readonly SweepRow[]): Promise<string[]> =>
  Promise.all(rows.map(async (row) => Buffer.from(await sweep.model(row)).toString("hex")));

/** A folder for the tests of one file, removed behind them. */
export function sweepFolder(): { readonly path: (name: string) => string } {
  let folder = "";
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "mote-sweep-"))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return { path: (name) => join(folder, name) };
}
