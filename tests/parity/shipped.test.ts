import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bake } from "../../host/node/module/bake.js";
import { loadMnist } from "../../host/node/data/mnist.js";
import { packageRoot } from "../../host/node/paths.js";
import { pixelTable } from "../../host/engines/fill-input.js";
import { describeDifference, firstDifference } from "../../host/engines/compare.js";
import type { EngineOptions } from "../../host/engines/engine.js";
import { ENGINE_NAMES } from "../../host/engines/open.js";
import { openEngine } from "../../host/node/engines/open.js";

/** All 10,000: mote verify models/lenet5.mote --data mnist:test */
const DIGITS = 300;
const SHIPPED = ["lenet300-paper.mote", "lenet300.mote", "lenet5-paper.mote", "lenet5.mote"];
const folder = join(packageRoot, "models");

it("ships four models", () => {
  expect(
    readdirSync(folder)
      .filter((name) => name.endsWith(".mote"))
      .sort(),
  ).toEqual(SHIPPED);
});

describe.each(SHIPPED)("%s", (name) => {
  const container = new Uint8Array(readFileSync(join(folder, name)));
  const { images } = loadMnist().test;

  /** @param file the container, or a packed module */
  function expectParity(file: Uint8Array, digits: number, options: EngineOptions): void {
    const engines = ENGINE_NAMES.map((engine) => openEngine(engine, file, options));
    const table = pixelTable(engines[0].input);
    for (let digit = 0; digit < digits; digit++) {
      const input = Int8Array.from(images.subarray(digit * 784, (digit + 1) * 784), (pixel) => table[pixel]);
      const difference = firstDifference(engines, input);
      expect(difference && describeDifference(difference, digit)).toBeUndefined();
    }
    for (const engine of engines) engine.close();
  }

  it(`reference = V8 = wasm3, layer by layer, on ${DIGITS} digits`, () => expectParity(container, DIGITS, {}));

  it("the same with the model in linear memory, and packed into a .wasm", () => {
    expectParity(container, DIGITS / 10, { resident: true });
    expectParity(bake(container), DIGITS / 10, {});
  });
});
