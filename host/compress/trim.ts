/**
 * A packed model's file made smaller without training: its weights stay the integers that they are. Units go in the order that codes best (reorder.ts),
 * biases and multipliers lose the bits that decide nothing, which samples tell.
 */
import { uncertified } from "../container/certificate.js";
import { biasForm } from "../container/write.js";
import type { QModel, QTensor } from "../model/model.js";
import { isWeighted, type QWeightedLayer } from "../ops/index.js";
import { quantizeBias } from "../quantize/quantize.js";
import { requantizeFactor } from "../quantize/requantize.js";
import { reorderModel } from "./reorder.js";

/** For each group of units. */
const TRIES = 4000;
/** Of a bias, none of which is 0: a sign and a magnitude. */
const LEAST_BIAS_BITS = 2;
/** Of a multiplier behind its first bit. */
const MULTIPLIER_BITS = 30;
/** Of an output's scale behind its first bit, where multipliers lose theirs: a fifth of a percent. */
const SCALE_BITS = 8;

export interface TrimOptions {
  /** Of a model's file. */
  readonly bytesOf: (model: QModel) => number;
  /** How many samples a model takes for what they are not. */
  readonly errorsOf: (model: QModel) => Promise<number>;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface Trimmed {
  readonly model: QModel;
  readonly errors: { readonly before: number; readonly after: number };
}

/**
 * The fewest bits of each layer's biases, of the layer with the most first, then of its multipliers, with which the model errs on no more samples than
 * the one given. Nothing is changed that does not make the file smaller.
 * @returns a model without what the one given says for people alone of its units, and without its certificate, which vouches for that one
 */
export async function trim(given: QModel, { bytesOf, errorsOf, onProgress }: TrimOptions): Promise<Trimmed> {
  const before = await errorsOf(given);
  let model = plain(given);
  let bytes = bytesOf(model);
  const isAsGood = async (changed: QModel): Promise<boolean> => (await errorsOf(changed)) <= before;
  const takeSmaller = (changed: QModel, size = bytesOf(changed)): void => {
    if (size < bytes) [model, bytes] = [changed, size];
  };
  const layers = [...model.layers.entries()]
    .flatMap(([index, layer]) => (isWeighted(layer) ? { index, biases: layer.bias.length } : []))
    .toSorted((a, b) => b.biases - a.biases);
  const steps = 3 * layers.length;
  let done = layers.length;

  const ordered = await reorderModel(model, {
    tries: TRIES,
    seed: 1,
    onProgress: (turn, turns) => onProgress?.(Math.floor((turn * layers.length) / turns), steps),
  });
  takeSmaller(ordered);

  for (const { index } of layers) {
    onProgress?.(done++, steps);
    const { bias } = model.layers[index] as QWeightedLayer;
    const coarse = (bits: number): QModel => withBiases(model, index, bits);
    // Fewer bits are rarely better: what is as good is looked for by halves.
    let [tooFew, enough] = [LEAST_BIAS_BITS - 1, biasForm(bias).biasBits];
    while (enough - tooFew > 1) {
      const middle = (tooFew + enough) >> 1;
      if (await isAsGood(coarse(middle))) enough = middle;
      else tooFew = middle;
    }
    takeSmaller(coarse(enough));
  }

  for (const { index } of layers) {
    onProgress?.(done++, steps);
    for (let bits = 0; bits < MULTIPLIER_BITS; bits++) {
      const coarse = withMultipliers(model, index, bits);
      const size = bytesOf(coarse);
      if (size >= bytes) break;
      if (!(await isAsGood(coarse))) continue;
      takeSmaller(coarse, size);
      break;
    }
  }
  return { model, errors: { before, after: await errorsOf(model) } };
}

function plain(model: QModel): QModel {
  return {
    ...uncertified(model),
    tensors: model.tensors.map((tensor) => ({ ...tensor, nominalChannels: tensor.shape[0] })),
  };
}

function withBiases(model: QModel, index: number, bits: number): QModel {
  const layer = model.layers[index] as QWeightedLayer;
  const bias = quantizeBias(layer.bias, Float64Array.of(1), bits, `layer ${index}`);
  return { ...model, layers: model.layers.with(index, { ...layer, bias }) };
}

/** Where the layer makes a result by one multiplier, its scale makes up for that: real outputs stay about what they are. */
function withMultipliers(model: QModel, index: number, bits: number): QModel {
  const layer = model.layers[index] as QWeightedLayer;
  const factorOf = (multiplier: number, shift: number): number => multiplier / 2 ** shift;
  const coarse = Array.from(layer.multiplier, (multiplier, i) => {
    const shift = layer.shift[i];
    // The largest factors have no other form.
    return shift === 1 ? { multiplier, shift } : requantizeFactor(factorOf(multiplier, shift), bits);
  });
  const changed = {
    ...layer,
    multiplier: Int32Array.from(coarse, ({ multiplier }) => multiplier),
    shift: Uint8Array.from(coarse, ({ shift }) => shift),
  };
  const layers = model.layers.with(index, changed);
  const { scale, ...tensor } = model.tensors[layer.output];
  if (scale === undefined || coarse.length > 1) return { ...model, layers };
  const grown = factorOf(coarse[0].multiplier, coarse[0].shift) / factorOf(layer.multiplier[0], layer.shift[0]);
  const output: QTensor = { ...tensor, scale: roundedTo(scale / grown, SCALE_BITS) };
  return { ...model, layers, tensors: model.tensors.with(layer.output, output) };
}

/** @param bits behind the first @param value above 0 */
function roundedTo(value: number, bits: number): number {
  const unit = 2 ** (Math.floor(Math.log2(value)) - bits);
  return Math.round(value / unit) * unit;
}
