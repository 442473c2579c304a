/** A codec of weights on every engine, the bounds on its work, and streams that no encoder writes. */
import { expect, test } from "vitest";
import * as abi from "../../assembly/abi.js";
import { MIN_WINDOW_BYTES } from "../../assembly/format.js";
import type { CodecChoice } from "../../host/codecs/index.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { describeDifference, firstDifference } from "../../host/engines/compare.js";
import type { QModel } from "../../host/model/model.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { openEngine } from "../../host/node/engines/open.js";
import { bake } from "../../host/node/module/bake.js";
import { Random } from "../../host/rng.js";
import { fixCrc } from "../fuzz/mutate.js";
import { MeteredCore } from "./metered-core.js";
import { randomInputs } from "./models.js";

/** A model whose weights become what `value` makes of them, zeros aside. */
export function withWeights(model: QModel, value: (weight: number, random: Random) => number): QModel {
  const random = new Random(5);
  for (const layer of model.layers) {
    if ("weights" in layer) layer.weights.set(layer.weights.map((w) => (w === 0 ? 0 : value(w, random))));
  }
  return model;
}

export const normal = (random: Random, spread: number): number =>
  Math.max(-128, Math.min(127, Math.round(random.normal() * spread))) || 1;

/** The tests of a model whose layers are to be coded by the codec of that number. */
export function expectParity(model: QModel, codec: CodecChoice, number: number): void {
  const container = writeContainer(model, { codec, windowBytes: MIN_WINDOW_BYTES });
  const read = readContainer(container);
  const inputs = [0, 1].map((seed) => randomInputs(model, seed));

  test("is coded so, and read back as it was", () => {
    for (const { section } of read.layers) if (section !== undefined) expect(section.codec).toBe(number);
    expect(read.model.layers).toEqual(model.layers);
  });

  test("runs alike on all engines", () => {
    const plain = writeContainer(model);
    const engines = [
      openEngine("reference", plain),
      openEngine("v8", container),
      openEngine("v8", container, { resident: true }),
      openEngine("v8", container, { budget: 1 }),
      openEngine("wasm3", container),
      openEngine("wasm3", bake(container)),
      openEngine("simd", container),
      openEngine("v8", fastModule(container)),
    ];
    inputs.forEach((input, index) => {
      const difference = firstDifference(engines, input);
      expect(difference && describeDifference(difference, index)).toBeUndefined();
    });
    for (const engine of engines) engine.close();
  });

  test("keeps to the bounds on work and memory", () => {
    for (const budget of [0, 3000]) expect(expectBounds(container, budget)).toBe(abi.STATUS_DONE);
  });
}

/** Opens it and runs it, every slice within its bounds, and the run within its own. @returns the first status that is no success, else STATUS_DONE */
export function expectBounds(container: Uint8Array, budget = 0): number {
  const core = new MeteredCore(container);
  let work = 0;
  for (const begin of [() => core.open(), () => core.start()]) {
    let slice = begin();
    for (work = 0; slice.status === abi.STATUS_BUSY; work += slice.work) {
      slice = core.step(budget);
      if (slice.work > budget + 600 || slice.instructions > 32 * slice.work)
        expect.fail(`a slice of ${slice.work} units and ${slice.instructions} instructions`);
    }
    if (slice.status !== abi.STATUS_DONE) return slice.status;
  }
  expect(work).toBeLessThanOrEqual(core.word(abi.CONTROL_WORK));
  return abi.STATUS_DONE;
}

/** The file with part 3 of its first layer's section, of that codec, made of `settings`, values and their bits, and bytes of `fill` behind them. */
export function withStream(
  container: Uint8Array,
  codec: number,
  settings: readonly (readonly [value: number, bits: number])[],
  fill: (at: number) => number,
): Uint8Array {
  const file = container.slice();
  const { codec: found, offset, bytes, requantizeBits, biasBitsTotal } = readContainer(container).layers[0].section!;
  expect(found).toBe(codec);
  let bit = 8 * offset + requantizeBits + biasBitsTotal;
  const put = (value: number, bits: number): void => {
    for (let i = 0; i < bits; i++, bit++) {
      file[bit >> 3] = (file[bit >> 3] & ~(1 << (bit & 7))) | (((value >> i) & 1) << (bit & 7));
    }
  };
  for (const [value, bits] of settings) put(value, bits);
  for (let at = 0; bit + 8 <= 8 * (offset + bytes); at++) put(fill(at), 8);
  put(0, 8 * (offset + bytes) - bit);
  fixCrc(file);
  return file;
}
