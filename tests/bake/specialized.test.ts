/** Cores made for one model, to which any other may be given: they run it as every core does, or refuse it. */
import { describe, expect, test } from "vitest";
import type { Elements } from "../../host/model/elements.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import type { Engine } from "../../host/engines/engine.js";
import { openReference } from "../../host/engines/reference.js";
import { instantiateV8 } from "../../host/engines/v8.js";
import { openCore } from "../../host/engines/wasm.js";
import { MoteError } from "../../host/errors.js";
import { contentsOf, type CoreContents } from "../../host/module/contents.js";
import { coreWith, specialize } from "../../host/node/module/bake.js";
import { randomInputs, syntheticModels } from "../support/models.js";

const others = syntheticModels().map(({ name, model }) => {
  const container = writeContainer(model);
  return { name, model, container, parsed: readContainer(container), expected: runs(openReference(container, {})) };

  function runs(engine: Engine): Elements[][] {
    return runTwice(engine, randomInputs(model, 3));
  }
});

/** Twice, for models with states. */
function runTwice(engine: Engine, inputs: readonly Elements[]): Elements[][] {
  return [0, 1].map(() => {
    const layers: Elements[] = [];
    engine.run(inputs, (_, output) => layers.push(output));
    return layers;
  });
}

/** What is refused, of all models. */
const refused: string[] = [];

describe.each(others)("the core of $name", ({ name: own, container }) => {
  const wasm = specialize(container);

  test("runs a model as it is, or refuses it", () => {
    for (const { name, model, container, parsed, expected } of others) {
      let engine: Engine;
      try {
        engine = openCore("v8", instantiateV8, { wasm, container, packed: false, ...parsed });
      } catch (error) {
        expect(error).toBeInstanceOf(MoteError);
        expect(name).not.toBe(own);
        refused.push(name);
        continue;
      }
      expect(runTwice(engine, randomInputs(model, 3)), name).toEqual(expected);
      engine.close();
    }
  });
});

test("some are refused and some are not", () => {
  expect(refused.length).toBeGreaterThan(others.length);
  expect(refused.length).toBeLessThan(others.length * (others.length - 1));
});

describe("a core without what a model needs", () => {
  const { container, parsed } = others.find(({ name }) => name === "residual")!;
  const { ops, codecs } = contentsOf(parsed);
  const opened = (contents: CoreContents): Engine =>
    openCore("v8", instantiateV8, { wasm: coreWith(contents), container, packed: false, ...parsed });

  test.each(ops)("refuses it for want of %s, by name", (missing) => {
    const without = { ops: ops.filter((op) => op !== missing), codecs };
    expect(() => opened(without)).toThrow(new RegExp(`STATUS_OP, an op this core does not have: ${missing}$`));
  });

  test.each(codecs)("refuses it for want of the codec %s, by name", (missing) => {
    const without = { ops, codecs: codecs.filter((codec) => codec !== missing) };
    expect(() => opened(without)).toThrow(new RegExp(`STATUS_CODEC, a codec this core does not have: ${missing}$`));
  });

  test("has no more than that", () => {
    expect(ops).toContain("add");
    opened({ ops, codecs }).close();
  });
});
