/**
 * Retraining that lets few weights leave the integers that they have in a net that is installed, so that what devices are sent is a small patch. A third of
 * the training shows which weights want to go farthest; the others go back to where they were, and in the second third those few learn to make up for
 * them. In the last one they are integers, and biases alone learn.
 */
import { MAX_CODE_LENGTH } from "../../assembly/format.js";
import { codeLengths, minimumLimit } from "../codecs/huffman-codes.js";
import { MoteError } from "../errors.js";
import type { Net } from "../model/model.js";
import { own } from "../own.js";
import { stepOf } from "./grid.js";
import { weightedLayers } from "./integer-stages.js";
import { withIntegers, type Integers } from "./integers.js";
import type { NearStage } from "./method-stages.js";
import { retrain, type TrainingContext } from "./retraining.js";

/** A layer as it is installed, and as it is trained. */
interface NearLayer {
  readonly name: string;
  readonly installed: Float32Array;
  /** One, or one a row. */
  readonly steps: Float32Array;
  /** Of its integers, without 0, in order. */
  readonly values: readonly number[];
  readonly weights: Float32Array;
  /** 1: stays. */
  readonly frozen: Uint8Array;
}

/** @throws MoteError RECIPE for a net that is not compressed */
export async function near(net: Net, stage: NearStage, context: TrainingContext): Promise<Net> {
  const installed = weightedLayers(net.graph).map(({ name }) => ({ name, ...installedLayer(net, name) }));
  const moved = new Map<string, Integers>();
  const trained = await retrain(net, stage, context, async (run) => {
    const layers = installed.map((layer): NearLayer => {
      const weights = run.trainer.weight(layer.name);
      const frozen = new Uint8Array(weights.length);
      run.setFrozen(layer.name, frozen);
      return { ...layer, weights, frozen };
    });
    const pieces = [(): void => holdBack(layers, stage.weights), (): void => layers.forEach(toIntegers)];
    for (const [piece, work] of pieces.entries()) {
      if (!(await run.until(Math.round((run.total * (piece + 1)) / 3)))) continue;
      work();
      for (const { name, frozen } of layers) run.setFrozen(name, frozen);
    }
    await run.until(run.total);
    for (const { name, weights, steps } of layers)
      moved.set(name, {
        scales: steps,
        integers: Int8Array.from(weights, (w, index) => Math.round(w / stepOf({ weights, steps }, index))),
      });
  });
  return withIntegers(trained, moved);
}

function installedLayer(net: Net, name: string): Omit<NearLayer, "name" | "weights" | "frozen"> {
  const { data, integers } = net.tensors.get(`${name}.weight`)!;
  const scale = own(net.compression?.weightScale ?? {}, name);
  if (integers === undefined || scale === undefined || Object.keys(net.compression!.activations).length === 0)
    throw new MoteError("RECIPE", `kind: near begins with a compressed net (--checkpoint), ${name} has no integers`);
  const values = [...new Set(integers)].filter((q) => q !== 0).toSorted((a, b) => a - b);
  return {
    installed: data,
    steps: typeof scale === "number" ? Float32Array.of(scale) : Float32Array.from(scale),
    values,
  };
}

/** Puts all but the `count` weights that are farthest from where they were, in steps of their grids, back there for good. */
function holdBack(layers: readonly NearLayer[], count: number): void {
  const all = layers.flatMap((layer) =>
    Array.from(layer.weights, (w, index) => ({
      layer,
      index,
      way: Math.abs(w - layer.installed[index]) / stepOf({ weights: layer.weights, steps: layer.steps }, index),
    })).filter(({ way }) => way > 0),
  );
  // Weights that go equally far in the net's order: the sort is stable.
  all.sort((a, b) => b.way - a.way);
  for (const { frozen } of layers) frozen.fill(1);
  for (const { layer, index } of all.slice(0, count)) layer.frozen[index] = 0;
  for (const { weights, installed, frozen } of layers)
    frozen.forEach((stays, index) => {
      if (stays === 1) weights[index] = installed[index];
    });
}

/** Weights become the nearest of the integers that their layer has already, and stay so. What is pruned stays pruned. */
function toIntegers({ weights, installed, steps, values, frozen }: NearLayer): void {
  const step = (index: number): number => stepOf({ weights, steps }, index);
  const before = Int8Array.from(installed, (w, index) => Math.round(w / step(index)));
  const integers = before.map((q, index) =>
    frozen[index] === 1 || q === 0 ? q : nearest(values, weights[index] / step(index)),
  );
  const way = (index: number): number => Math.abs(weights[index] / step(index) - before[index]);
  const moved = [...integers.keys()].filter((index) => integers[index] !== before[index]);
  moved.sort((a, b) => way(a) - way(b));
  if (moved.length > 0) keepCodes(moved, integers, before, values);
  integers.forEach((q, index) => {
    weights[index] = q === before[index] ? installed[index] : Math.fround(q * step(index));
  });
  frozen.fill(1);
}

/**
 * Positions have not changed, and neither may the Huffman codes of the values, of which other ones would change every bit behind them: until that holds, one
 * weight after another goes back to where it was, that by which codes are most alike.
 */
function keepCodes(moved: number[], integers: Int8Array, before: Int8Array, values: readonly number[]): void {
  const counts = countsOf(integers, values);
  const codes = codesOf(countsOf(before, values));
  while (distance(codesOf(counts), codes) > 0) {
    const index = bestBack(moved, integers, before, counts, codes);
    moveCount(counts, integers[index], before[index]);
    integers[index] = before[index];
    moved.splice(moved.indexOf(index), 1);
  }
}

/** Of those that have moved alike, the one that has gone least far stands for all. */
function bestBack(
  moved: readonly number[],
  integers: Int8Array,
  before: Int8Array,
  counts: Counts,
  codes: readonly Uint8Array[],
): number {
  let [best, least] = [moved[0], Infinity];
  const seen = new Set<string>();
  for (const index of moved) {
    const [from, to] = [integers[index], before[index]];
    if (seen.has(`${from} ${to}`)) continue;
    seen.add(`${from} ${to}`);
    moveCount(counts, from, to);
    const away = distance(codesOf(counts), codes);
    moveCount(counts, to, from);
    if (away < least) [best, least] = [index, away];
  }
  return best;
}

const nearest = (values: readonly number[], q: number): number =>
  values.reduce((best, value) => (Math.abs(value - q) < Math.abs(best - q) ? value : best));

/** How often each integer occurs, in their order. */
type Counts = Map<number, number>;

/** Zeros are one of the values where they are not the most, as the packer has it. */
function countsOf(integers: Int8Array, values: readonly number[]): Counts {
  const counts: Counts = new Map([...values, 0].toSorted((a, b) => a - b).map((value) => [value, 0]));
  for (const q of integers) counts.set(q, counts.get(q)! + 1);
  if (2 * counts.get(0)! > integers.length) counts.delete(0);
  return counts;
}

function moveCount(counts: Counts, from: number, to: number): void {
  counts.set(from, counts.get(from)! - 1);
  counts.set(to, counts.get(to)! + 1);
}

/** Lengths of the values' codes, for each limit of theirs. */
function codesOf(counts: Counts): Uint8Array[] {
  const all = [...counts.values()];
  const codes: Uint8Array[] = [];
  for (let limit = MAX_CODE_LENGTH; limit >= minimumLimit(all); limit--) codes.push(codeLengths(all, limit).lengths);
  return codes;
}

/** Bits by which codes differ in their lengths. */
const distance = (a: readonly Uint8Array[], b: readonly Uint8Array[]): number =>
  a.length !== b.length
    ? Infinity
    : a.reduce((sum, lengths, i) => lengths.reduce((all, length, k) => all + Math.abs(length - b[i][k]), sum), 0);
