/**
 * Retraining that lets few weights leave the integers that they have in a net that is installed, so that what devices are sent is a small patch. A third of
 * the training shows which weights want to go farthest; the others go back to where they were, and in the second third those few learn to make up for
 * them. In the last one they are integers, and biases alone learn.
 */
import { MoteError } from "../errors.js";
import type { Net } from "../model/model.js";
import { own } from "../own.js";
import { stepOf } from "./grid.js";
import { weightedLayers } from "./integer-stages.js";
import { withIntegers, type Integers } from "./integers.js";
import type { NearStage } from "./method-stages.js";
import { retrain, type Retraining, type TrainingContext } from "./retraining.js";
import { movesOfSameCodes } from "./same-codes.js";

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
    const pieces = [(): void => holdBack(layers, stage.weights), (): Promise<void> => toIntegers(layers, run)];
    for (const [piece, work] of pieces.entries()) {
      if (!(await run.until(Math.round((run.total * (piece + 1)) / 3)))) continue;
      await work();
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

/** Weights become the nearest of the integers that their layer has already, and stay so, where the codes stay the same. What is pruned stays pruned. */
async function toIntegers(layers: readonly NearLayer[], run: Retraining): Promise<void> {
  const moved: ReadonlyMap<number, number>[] = [];
  for (const layer of layers) moved.push(await movedIntegers(layer, run));
  layers.forEach(({ weights, installed, steps, frozen }, i) => {
    weights.set(installed);
    for (const [index, q] of moved[i]) weights[index] = Math.fround(q * stepOf({ weights, steps }, index));
    frozen.fill(1);
  });
}

/** By index. Positions have not changed, and neither may the Huffman codes of the values: what would change them goes back. */
async function movedIntegers(
  { weights, installed, steps, values, frozen }: NearLayer,
  run: Retraining,
): Promise<ReadonlyMap<number, number>> {
  const step = (index: number): number => stepOf({ weights, steps }, index);
  const before = Int8Array.from(installed, (w, index) => Math.round(w / step(index)));
  const after = before.map((q, index) =>
    frozen[index] === 1 || q === 0 ? q : nearest(values, weights[index] / step(index)),
  );
  const way = (index: number): number => Math.abs(weights[index] / step(index) - before[index]);
  const stay = await movesOfSameCodes(before, after, way, () => run.breathe());
  return new Map(stay.map((index) => [index, after[index]]));
}

const nearest = (values: readonly number[], q: number): number =>
  values.reduce((best, value) => (Math.abs(value - q) < Math.abs(best - q) ? value : best));
