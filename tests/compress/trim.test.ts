import { beforeAll, describe, expect, it } from "vitest";
import { reorderModel } from "../../host/compress/reorder.js";
import { trim, type Trimmed } from "../../host/compress/trim.js";
import { writeContainer, type WriteOptions } from "../../host/container/write.js";
import { argmax } from "../../host/engines/classify.js";
import { openReference } from "../../host/engines/reference.js";
import type { QModel } from "../../host/model/model.js";
import { isWeighted, type QWeightedLayer } from "../../host/ops/index.js";
import { buildModel, randomInput, randomInputs, syntheticModels } from "../support/models.js";

const SMALL: WriteOptions = { container: "small", codec: "arithmetic" };
const bytesOf = (model: QModel): number => writeContainer(model, SMALL).length;

/** Of some runs one behind the other, all outputs. */
function outputsOf(model: QModel): number[] {
  const engine = openReference(writeContainer(model));
  engine.reset();
  return [1, 2, 3].flatMap((seed) => {
    engine.run(randomInputs(model, seed));
    return engine.outputs.flatMap((_, index) => [...engine.result(index)]);
  });
}

const classOf = (model: QModel, seed: number): number =>
  argmax(openReference(writeContainer(model)).run(randomInput(model, seed)));

/** A convolution, a dense layer of a multiplier each row, and one of classes. */
const classifier = (): QModel =>
  buildModel(
    5,
    [1, 12, 12],
    [
      { op: "conv2d", kernel: [3, 3], weights: "grid", density: 0.5, out: 6, pool: { size: 2, stride: 2 }, relu: true },
      { op: "dense", weights: "grid", density: 0.3, out: 12, relu: true, perChannel: true },
      { op: "dense", weights: "grid", density: 0.5, out: 5 },
    ],
  );

describe("reorderModel", () => {
  it.each(syntheticModels().map(({ name, model }) => [name, model] as const))(
    "leaves the outputs alone: %s",
    async (_, model) => {
      const ordered = await reorderModel(model, { tries: 6, seed: 1 });
      expect(outputsOf(ordered)).toEqual(outputsOf(model));
    },
  );

  it("takes the multiplier of each row along", async () => {
    const ordered = await reorderModel(classifier(), { tries: 60, seed: 1 });
    const [given, moved] = [classifier(), ordered].map(({ layers }) => layers[1]);
    expect(isWeighted(given) && isWeighted(moved)).toBe(true);
    if (!isWeighted(given) || !isWeighted(moved)) return;
    expect(moved.multiplier).not.toEqual(given.multiplier);
    expect([...moved.multiplier].sort()).toEqual([...given.multiplier].sort());
  });
});

describe("trim", () => {
  const seeds = Array.from({ length: 40 }, (_, seed) => seed);
  const given = classifier();
  const labels = seeds.map((seed) => classOf(given, seed));
  const errorsOf = (model: QModel): Promise<number> =>
    Promise.resolve(seeds.filter((seed, i) => classOf(model, seed) !== labels[i]).length);

  const seen: [number, number][] = [];
  let trimmed: Trimmed;
  beforeAll(async () => {
    trimmed = await trim(given, { bytesOf, errorsOf, onProgress: (done, total) => seen.push([done, total]) });
  });

  it("makes the file smaller, keeps the weights, and takes no more samples for what they are not", async () => {
    const { model, errors } = trimmed;
    expect(errors).toEqual({ before: 0, after: 0 });
    expect(await errorsOf(model)).toBe(0);
    expect(bytesOf(model)).toBeLessThan(bytesOf(given) - 20);
    const weightsOf = ({ layers }: QModel) =>
      layers.map((layer) => (isWeighted(layer) ? [...layer.weights].sort((a, b) => a - b) : []));
    expect(weightsOf(model)).toEqual(weightsOf(given));
    expect(seen.map(([, total]) => total).every((total) => total === 9)).toBe(true);
    expect(seen.map(([done]) => done)).toEqual(seen.map(([done]) => done).toSorted((a, b) => a - b));
    expect(seen.at(-1)![0]).toBeLessThan(9);
  });

  it("leaves biases and multipliers as they are where nothing else is as good", async () => {
    const { model, errors } = await trim(given, {
      bytesOf,
      errorsOf: (changed) => Promise.resolve(outputsOf(changed).join() === outputsOf(given).join() ? 3 : 4),
    });
    expect(errors).toEqual({ before: 3, after: 3 });
    expect(outputsOf(model)).toEqual(outputsOf(given));
  });

  it("keeps the real numbers that outputs stand for", async () => {
    const layers = given.layers.map((layer) =>
      isWeighted(layer) ? { ...layer, multiplier: layer.multiplier.map(() => 1.4 * 2 ** 30) } : layer,
    );
    const model = { ...given, layers };
    const result = await trim(model, { bytesOf, errorsOf: () => Promise.resolve(0) });
    const last = ({ layers: all }: QModel) => all.at(-1) as QWeightedLayer;
    expect([...last(result.model).multiplier]).toEqual([2 ** 30]);
    /** Of a unit of the sum. */
    const real = (of: QModel): number => of.tensors.at(-1)!.scale! * (last(of).multiplier[0] / 2 ** last(of).shift[0]);
    expect(Math.abs(real(result.model) / real(model) - 1)).toBeLessThan(1 / 256);
  });

  it("drops a certificate, and takes factors that have one form only", async () => {
    const layers = given.layers.map((layer) =>
      isWeighted(layer) ? { ...layer, shift: layer.shift.map(() => 1) } : layer,
    );
    const model = { ...given, layers, certificate: Uint8Array.of(1, 2, 3) };
    const result = await trim(model, { bytesOf, errorsOf: () => Promise.resolve(0) });
    expect(result.model.certificate).toBeUndefined();
    for (const layer of result.model.layers) if (isWeighted(layer)) expect(new Set(layer.shift)).toEqual(new Set([1]));
  });
});
