import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkRecipe } from "../../host/compress/check-recipe.js";
import { parseRecipe, type GridStage, type Recipe } from "../../host/compress/recipe.js";
import { packageRoot } from "../../host/node/paths.js";
import { lenet300, namedNet } from "../../host/train/nets.js";

const grid = { kind: "grid", step: { fc1: 0.5, fc2: 0.5, fc3: 0.5 }, epochs: 1, lr: 0.001 };
const end = [grid, { kind: "calibrate" }];
const prune = (keep: unknown) => ({ kind: "prune", keep, epochs: 1, lr: 0.001 });
const check = (stages: unknown[], pack: unknown = {}): Recipe =>
  checkRecipe(parseRecipe(JSON.stringify({ net: "lenet300", stages, pack }), "r.json"), lenet300);

test("recipes that fit, the shipped ones among them", () => {
  expect(() => check([{ kind: "narrow", units: { fc1: 300, fc2: 1 } }, prune(0.5), ...end])).not.toThrow();
  expect(() => check([prune({ fc1: 1, fc2: 0.5, fc3: 7 }), ...end], { biasBits: { fc3: 2 } })).not.toThrow();
  const folder = join(packageRoot, "models");
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
  expect(files.length).toBeGreaterThanOrEqual(4);
  for (const file of files) {
    const recipe = parseRecipe(readFileSync(join(folder, file), "utf8"), file);
    expect(() => checkRecipe(recipe, namedNet(recipe.net)), file).not.toThrow();
  }
});

test("names in the place of patterns and ops, shares of units as counts", () => {
  const { stages, pack } = check(
    [
      { kind: "narrow", units: { "fc*": 0.5, fc2: 7 } },
      prune({ "*": 0.1, fc3: 0.5 }),
      { kind: "share", bits: { fc3: 5 } },
      { kind: "grid", step: { "op:dense": 0.6, fc1: "auto" } },
      end[1],
    ],
    { biasBits: 6 },
  );
  expect(stages[0]).toEqual({ kind: "narrow", units: { fc1: 150, fc2: 7 } });
  // A count that is not whole is rounded, of a name as of a pattern.
  for (const key of ["fc2", "*2"])
    expect(check([{ kind: "narrow", units: { [key]: 7.5 } }, ...end]).stages[0]).toMatchObject({ units: { fc2: 8 } });
  expect(stages[1]).toMatchObject({ keep: { fc1: 0.1, fc2: 0.1, fc3: 0.5 } });
  expect(stages[2]).toMatchObject({ bits: { fc3: 5 } });
  expect((stages[3] as GridStage).step).toEqual({ fc1: "auto", fc2: 0.6 });
  expect(pack.biasBits).toEqual({ fc1: 6, fc2: 6, fc3: 6 });
});

test.each<[string, unknown[], unknown, string]>([
  ["keep for no layer", [prune({ fc1: 1, fc2: 1, fc3: 1, fc4: 1 }), ...end], {}, "stages[0].keep.fc4: no such layer"],
  ["keep without a layer", [prune(1), prune({ fc1: 1, fc3: 1 }), ...end], {}, "stages[1].keep.fc2: missing"],
  ["a pattern that selects none", [prune({ "*": 1, "conv*": 1 }), ...end], {}, "stages[0].keep.conv*: no such layer"],
  ["an op that selects none", [prune({ "*": 1, "op:conv2d": 1 }), ...end], {}, "stages[0].keep.op:conv2d: no such"],
  ["a pattern for layers that are through", [grid, { ...grid, step: 0.5 }, end[1]], {}, "stages[1].step: earlier"],
  ["keep for a relu", [prune({ fc1: 1, fc2: 1, fc3: 1, relu1: 1 }), ...end], {}, "stages[0].keep.relu1: no such"],
  ["units of no layer", [{ kind: "narrow", units: { fc9: 1 } }, ...end], {}, "stages[0].units.fc9: lenet300 has no"],
  [
    "units above the layer's",
    [{ kind: "narrow", units: { fc1: 301 } }, ...end],
    {},
    "stages[0].units.fc1: expected 1 .. 300",
  ],
  [
    "units of the classes",
    [{ kind: "narrow", units: { fc3: 5 } }, ...end],
    {},
    "stages[0].units.fc3: the layer's units stay: channels of results",
  ],
  ["a step for no layer", [{ ...grid, step: { ...grid.step, x: 1 } }, end[1]], {}, "stages[0].step.x: no such layer"],
  ["a layer that stays float", [{ ...grid, step: { fc1: 1, fc2: 1 } }, end[1]], {}, "stages[0].step.fc3: missing"],
  [
    "bias bits of no layer",
    end,
    { biasBits: { fc1: 8, conv1: 8 } },
    "pack.biasBits.conv1: no such layer; there are fc1, fc2",
  ],
  ["bias bits of constructor", end, { biasBits: { constructor: 8 } }, "pack.biasBits.constructor: no such layer"],
  [
    "units of toString",
    [{ kind: "narrow", units: { toString: 1 } }, ...end],
    {},
    "stages[0].units.toString: lenet300 has",
  ],
])("%s", (_, stages, pack, message) => {
  expect(() => check(stages, pack)).toThrow(message);
});

test("functions have no 16-bit activations, which is said before anything is trained", () => {
  const [fc1, relu, ...others] = lenet300.layers;
  const curve = { op: "map", name: "curve", function: "sigmoid", input: relu.output, output: "curved" } as const;
  const behind = others.map((layer) =>
    "input" in layer && layer.input === relu.output ? { ...layer, input: "curved" } : layer,
  );
  const graph = { ...lenet300, layers: [fc1, relu, curve, ...behind] };
  const checked = (activationBits: number): Recipe => {
    const stages = [{ kind: "grid" }, { kind: "calibrate", activationBits }];
    return checkRecipe(parseRecipe(JSON.stringify({ net: "lenet300", stages }), "r.json"), graph);
  };
  expect(() => checked(16)).toThrow(
    "stages[1].activationBits: expected 8, as curve is a function by a table of int8 elements, got 16",
  );
  expect(() => checked(8)).not.toThrow();
});
