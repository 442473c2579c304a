/**
 * How well an autoencoder tells faults: each spectrum's mean squared difference from what the model makes of it, and the area under the
 * curve of true against false alarms (AUC): how often a fault has the larger one.
 * Example: node dist/examples/autoencoder/score.js autoencoder.mote build/autoencoder/test.npz
 */
import { readFileSync } from "node:fs";
import { openNpz } from "../../host/data/npz.js";
import { MoteError } from "../../host/errors.js";
import { valuesOf } from "../../host/model/geometry.js";
import { openEngine } from "../../host/node/engines/open.js";
import { BANDS, FRAMES, UNITS } from "./make-data.js";

/**
 * The differences, one a spectrum.
 * @param spectra [count, FRAMES × BANDS], integers of UNITS
 * @throws MoteError MISMATCH for a model that does not give such spectra again
 */
export function differences(model: Uint8Array, spectra: ArrayLike<number>): Float64Array {
  const engine = openEngine("v8", model);
  const { input, output } = engine;
  const size = valuesOf(input.shape);
  if (size !== FRAMES * BANDS || valuesOf(output.shape) !== size) {
    throw new MoteError(
      "MISMATCH",
      `the model takes ${size} numbers and gives ${valuesOf(output.shape)}, expected ${FRAMES * BANDS} of both`,
    );
  }
  const result = Float64Array.from({ length: spectra.length / size }, (_, index) => {
    const values = Float64Array.from({ length: size }, (_, i) => spectra[index * size + i] / UNITS);
    const quantized = Int8Array.from(values, (value) =>
      Math.max(-128, Math.min(127, Math.round(value / input.scale) + input.zeroPoint)),
    );
    const again = engine.run(quantized);
    return (
      values.reduce((sum, value, i) => sum + ((again[i] - output.zeroPoint) * output.scale - value) ** 2, 0) / size
    );
  });
  engine.close();
  return result;
}

/** The share of pairs of a fault and none of which the fault has the larger score; equal ones are half. */
export function auc(scores: ArrayLike<number>, isFault: (index: number) => boolean): number {
  const order = Array.from(scores, (score, index) => ({ score, fault: isFault(index) })).toSorted(
    (a, b) => a.score - b.score,
  );
  let [well, pairs] = [0, 0];
  for (let first = 0, next = 0; first < order.length; first = next) {
    while (next < order.length && order[next].score === order[first].score) next++;
    const equal = order.slice(first, next);
    const wellHere = equal.filter(({ fault }) => !fault).length;
    pairs += (equal.length - wellHere) * (well + wellHere / 2);
    well += wellHere;
  }
  return pairs / (well * (order.length - well));
}

if (process.argv[1]?.endsWith("score.js")) {
  const [model, data] = process.argv.slice(2);
  if (data === undefined) {
    console.error("usage: node score.js MODEL SPECTRA.npz");
    process.exit(2);
  }
  const npz = openNpz(readFileSync(data), data);
  const faults = npz.array("y").values;
  const scores = differences(readFileSync(model), npz.array("x").values as ArrayLike<number>);
  console.log(`AUC ${auc(scores, (index) => Number(faults[index]) === 1).toFixed(4)} of ${scores.length} spectra`);
}
