import { describe, expect, test } from "vitest";
import { parseVariation, variantsOf } from "../../host/sweep/vary.js";
import { tinyRecipe } from "./support.js";

const text = JSON.stringify(tinyRecipe);
const variants = (...vary: string[]) => variantsOf(text, "tiny.json", vary.map(parseVariation));

describe("--vary", () => {
  test.each<[string, unknown[], unknown[]]>([
    ["seed=1..4", ["seed"], [1, 2, 3, 4]],
    ["seed=-1..1", ["seed"], [-1, 0, 1]],
    ["stages[2].keep=2000,3e3", ["stages", 2, "keep"], [2000, 3000]],
    ["stages[2].score=magnitude, rate", ["stages", 2, "score"], ["magnitude", "rate"]],
    ['stages[0].units={"fc1":4,"fc2":[1,2]},{"fc1":5}', ["stages", 0, "units"], [{ fc1: 4, fc2: [1, 2] }, { fc1: 5 }]],
    ['pack.biasBits["a.b=[1]"]=8', ["pack", "biasBits", "a.b=[1]"], [8]],
    ['net="a,b",c', ["net"], ["a,b", "c"]],
  ])("%s", (given, keys, values) => {
    const path = given.startsWith("pack") ? 'pack.biasBits["a.b=[1]"]' : given.split("=")[0];
    expect(parseVariation(given)).toEqual({ path, keys, values });
  });

  test.each([
    ["seed", "expected PATH=VALUES"],
    ["=1", "expected PATH=VALUES"],
    ["seed=", "expected PATH=VALUES"],
    ["a..b=1", "expected keys joined by dots"],
    [".a=1", "expected keys joined by dots"],
    ["seed=1,,2", "a value is empty"],
    ["seed=4..1", "expected a range that goes up"],
    ["seed=1..100000", "expected at most 10000 values"],
    ["seed=1,2,1", "1 is there twice"],
    ["stages[0].units={a", "{a is not JSON"],
    ["stages[01].keep=1,2", "[01] is not JSON between brackets, such as [2]"],
    ['["a\\q"]=1,2', '["a\\q"] is not JSON between brackets'],
    [`net=${"[".repeat(60_000)}${"]".repeat(60_000)}`, "expected at most 50 brackets in one another"],
    ["a\u001b[2J=1", "\\x1b"],
  ])("%j is refused: %s", (given, message) => {
    expect(() => parseVariation(given)).toThrow(message);
  });
});

describe("variants", () => {
  test("are every combination, the last place changing fastest, and the recipe itself without any", () => {
    const made = variants("seed=1,2", "stages[2].keep=200,300");
    expect(made.map(({ values }) => values)).toEqual([
      { seed: 1, "stages[2].keep": 200 },
      { seed: 1, "stages[2].keep": 300 },
      { seed: 2, "stages[2].keep": 200 },
      { seed: 2, "stages[2].keep": 300 },
    ]);
    expect(made.map(({ recipe }) => [recipe.seed, (recipe.stages[2] as { keep: number }).keep])).toEqual([
      [1, 200],
      [1, 300],
      [2, 200],
      [2, 300],
    ]);
    expect(variants()).toMatchObject([{ values: {}, recipe: { seed: 1 } }]);
  });

  test.each([
    [["sede=1"], "tiny.json has no sede; there are net, data, seed, batch, teacher, bank, distill, stages"],
    [["stages[5].keep=1"], "stages has no [5]; there are [0] to [4]"],
    [["stages[2].kep=1"], "stages[2] has no kep; there are kind, keep, epochs, lr"],
    [["stages[2].keep.fc1=1"], "stages[2].keep has no fc1; it is a single value"],
    [["stages.keep=1"], "stages has no keep"],
    [["__proto__.x=1"], "tiny.json has no __proto__"],
    [["stages[2].keep=1", "stages[2]={}"], "stages[2].keep varies the same place"],
    [["seed=1..200", "batch=1..200"], "40,000 variants, expected at most 10000"],
    [["stages[2].keep=300,-1"], "tiny.json with stages[2].keep=-1: stages[2].keep: expected a number"],
    [["batch=32,33"], "tiny.json with batch=33: batch: expected a multiple of 32"],
    [
      ["seed=1", "stages[2].kind=prune,pruen"],
      'tiny.json with seed=1 stages[2].kind="pruen": stages[2].kind: expected one of',
    ],
  ])("%j are refused before anything is run", (vary, message) => {
    expect(() => variants(...vary)).toThrow(message);
  });

  test("of a file that is no recipe are none", () => {
    expect(() => variantsOf("{", "broken.json", [])).toThrow("broken.json: not JSON");
  });
});
