/**
 * One run of the packing benches in its own process: `node dist/tools/bench/pack-synthetic.js WEIGHTS` or a net of `mote synth`, with `fast` behind it
 * for its fast module's streams, prints a PackRun.
 */
import { readFileSync } from "node:fs";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { fastProgram } from "../../host/fast/memory.js";
import type { QModel } from "../../host/model/model.js";
import { Random } from "../../host/rng.js";
import { synthesize } from "../../host/synth/synthesize.js";
import type { PackRun } from "./packing.js";

const COLUMNS = 4000;
const DENSITY = 0.08;
/** 5 bits: ± 1 … 16 levels of a codebook. */
const LEVELS = 16;

/** One dense layer, 8 % of its weights left at random places, magnitudes falling off as a Laplace distribution's do. */
function synthetic(count: number): QModel {
  const rows = Math.round(count / COLUMNS);
  const weights = new Int8Array(rows * COLUMNS);
  const random = new Random(20);
  for (let i = 0; i < weights.length; i++) {
    if (random.uniform() >= DENSITY) continue;
    const level = Math.min(LEVELS, 1 + Math.floor(-4 * Math.log(1 - random.uniform())));
    weights[i] = (random.uniform() < 0.5 ? -1 : 1) * (level * 7 + (level & 1));
  }
  return {
    tensors: [
      { shape: [COLUMNS, 1, 1], nominalChannels: COLUMNS, border: 0, scale: 1 / 255, zeroPoint: -128 },
      { shape: [rows, 1, 1], nominalChannels: rows, border: 0, scale: 1, zeroPoint: 0 },
    ],
    layers: [
      {
        op: "dense",
        inputs: [0],
        output: 1,
        weights,
        bias: new Int32Array(rows),
        multiplier: Int32Array.of(2 ** 30),
        shift: Uint8Array.of(40),
        clamp: [-128, 127],
      },
    ],
    outputs: [1],
  };
}

const [, , what, form] = process.argv;
const model = /^\d+$/.test(what) ? synthetic(Number(what)) : synthesize(what);

/** Linux hands the parent's peak in resourceUsage down through exec, so its own count is asked first. */
function peakBytes(): number {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    if (kilobytes !== undefined) return Number(kilobytes) * 1024;
  } catch {
    // Not Linux.
  }
  return process.resourceUsage().maxRSS * 1024;
}

const basePeakBytes = peakBytes();
let began = performance.now();
let { length } = writeContainer(model);
if (form === "fast") {
  const container = readContainer(writeContainer(model));
  began = performance.now();
  ({ length } = fastProgram(container).stream);
}
const result: PackRun = {
  weights: model.layers.reduce((sum, layer) => sum + ("weights" in layer ? layer.weights.length : 0), 0),
  seconds: (performance.now() - began) / 1000,
  bytes: length,
  peakBytes: peakBytes(),
  basePeakBytes,
};
process.stdout.write(JSON.stringify(result) + "\n");
