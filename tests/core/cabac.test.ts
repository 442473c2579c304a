/** Codec 3 in the core: every synthetic model coded by it, in V8 and wasm3 and packed, and what its bins may take. */
import { describe, expect, test } from "vitest";
import * as abi from "../../assembly/abi.js";
import { CODEC_CABAC, MAX_CABAC_ENTRIES } from "../../assembly/format.js";
import type { Elements } from "../../host/model/elements.js";
import { contextCount } from "../../host/codecs/cabac-contexts.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { openReference } from "../../host/engines/reference.js";
import { givenTensors } from "../../host/model/edges.js";
import type { QModel } from "../../host/model/model.js";
import { bakedContainer } from "../../host/module/baked.js";
import { openEngine } from "../../host/node/engines/open.js";
import { bake } from "../../host/node/module/bake.js";
import { isWeighted } from "../../host/ops/index.js";
import { Random } from "../../host/rng.js";
import { makeRoomy, makeSeed } from "../fuzz/mutate.js";
import { expectBounds, withStream } from "../support/codec-parity.js";
import { buildModel, leNets, randomInputs, syntheticModels } from "../support/models.js";

const models = syntheticModels().filter(({ model }) => model.layers.some(isWeighted));
const coded = (model: QModel): Uint8Array => writeContainer(model, { codec: "cabac", windowBytes: 128 });

describe.each(models)("$name", ({ model }) => {
  const container = coded(model);
  const inputs = randomInputs(model, 1);
  const layersOf = (run: (visit: (layer: number, output: Elements) => void) => void): Elements[] => {
    const layers: Elements[] = [];
    run((_, output) => layers.push(output.slice()));
    return layers;
  };

  test("gives in the core what the reference gives of the weights as they were", () => {
    expect(readContainer(container).model.layers).toEqual(model.layers);
    const reference = openReference(writeContainer(model), {});
    const expected = layersOf((visit) => void reference.run(inputs, visit));
    expect(expected.length).toBe(model.tensors.length - givenTensors(model));
    for (const budget of [1, 65536]) {
      const engine = openEngine("v8", container, { budget });
      expect(layersOf((visit) => void engine.run(inputs, visit))).toEqual(expected);
      engine.close();
    }
    const wasm3 = openEngine("wasm3", container);
    expect(layersOf((visit) => void wasm3.run(inputs, visit))).toEqual(expected);
    wasm3.close();
  });

  test("keeps to the bounds of a slice and of a run", () => {
    expect(expectBounds(container)).toBe(abi.STATUS_DONE);
  });
});

describe("a hostile stream", () => {
  const model = buildModel(3, [60, 1, 1], [{ op: "dense", out: 40, density: 1, weights: "grid" }]);
  const roomy = makeRoomy(makeSeed("any", coded(model)))!.bytes;
  const random = new Random(1);

  test.each<[string, (at: number) => number]>([
    ["zeros", () => 0],
    ["ones", () => 255],
    ["both in turn", (at) => (at % 2) * 255],
    ["random bytes", () => random.integer(256)],
  ])("of %s keeps to the bounds, whatever the settings", (_name, fill) => {
    const seen = new Set<number>();
    for (const flags of [0, 1, 15]) {
      for (const fast of [0, 7]) {
        for (const slow of [0, 7]) {
          seen.add(
            expectBounds(
              withStream(
                roomy,
                CODEC_CABAC,
                [
                  [flags, 4],
                  [fast, 3],
                  [slow, 3],
                  [0, 1],
                ],
                fill,
              ),
            ),
          );
        }
      }
    }
    for (const status of seen) expect([abi.STATUS_DONE, abi.STATUS_RANGE, abi.STATUS_STREAM]).toContain(status);
  });

  test("of a codebook of more than 255 values is refused", () => {
    const settings = [
      [0, 4],
      [0, 3],
      [0, 3],
      [1, 1],
      [200, 8],
      [55, 8],
    ] as const;
    expect(expectBounds(withStream(roomy, CODEC_CABAC, settings, () => 0))).toBe(abi.STATUS_RANGE);
    expect(MAX_CABAC_ENTRIES).toBe(255);
  });

  test("needs its tables in the plan", () => {
    // One weight a row, whose records are 8 bytes: no room to spare.
    const narrow = coded(buildModel(3, [1, 1, 1], [{ op: "dense", out: 40, density: 1, weights: "grid" }]));
    expect(readContainer(narrow).layers[0].section!.tableBytes).toBeLessThan(4 * contextCount(15) - 8);
    const settings = [
      [15, 4],
      [0, 3],
      [0, 3],
      [0, 1],
    ] as const;
    expect(expectBounds(withStream(narrow, CODEC_CABAC, settings, () => 0))).toBe(abi.STATUS_PLAN);
  });
});

describe("a packed module", () => {
  const { model } = leNets()[0];
  const codeBytes = (container: Uint8Array): number => bakedContainer(bake(container)).codeBytes;

  test("gives the same", () => {
    const engine = openEngine("v8", bake(coded(model)));
    const inputs = randomInputs(model, 1);
    expect(engine.run(inputs)).toEqual(openReference(writeContainer(model), {}).run(inputs));
  });

  test("has the one codec that the model needs", () => {
    const [ours, usual] = [codeBytes(coded(model)), codeBytes(writeContainer(model))];
    // Codec 1 has tables to make, codec 3 a range to divide. Both together would be 900 bytes more.
    expect(ours).toBeLessThanOrEqual(usual);
  });
});
