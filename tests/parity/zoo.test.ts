/** The nets of others in the folder MOTE_ZOO, by the SIMD engine and by the core. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeContainer } from "../../host/container/write.js";
import { describeDifference, firstDifference } from "../../host/engines/compare.js";
import { importedModel } from "../../host/import/import.js";
import { openEngine } from "../../host/node/engines/open.js";
import { loadNet } from "../../tools/net-samples.js";
import { randomInputs } from "../support/models.js";

const folder = process.env.MOTE_ZOO;
/** Of integers, with nothing that does not run: docs/import.md. */
const NAMES = /^(tiny-.*_int8|tflm-(hello|micro_speech|person_detect)_int8|tinymaix-.*_q)\.tflite$/;

describe.skipIf(folder === undefined)("the nets of MOTE_ZOO", () => {
  const names = folder === undefined ? [] : readdirSync(folder).filter((name) => NAMES.test(name));

  it("are there", () => expect(names.length).toBeGreaterThan(8));

  it.each(names)("%s", (name) => {
    const model = importedModel(loadNet(join(folder!, name), undefined));
    const container = writeContainer(model);
    const engines = (["v8", "simd"] as const).map((engine) => openEngine(engine, container));
    for (const seed of [1, 2]) {
      const difference = firstDifference(engines, randomInputs(model, seed));
      expect(difference && describeDifference(difference, seed)).toBeUndefined();
    }
    for (const engine of engines) engine.close();
  });
});
