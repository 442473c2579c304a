/** Recipes of recipes/records/, which take hours: that they are sound, and made as their names say. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkRecipe } from "../../host/compress/check-recipe.js";
import { readRecipe } from "../../host/node/compress/recipe-files.js";
import type { Graph } from "../../host/model/model.js";
import { isNamedNet, namedNet } from "../../host/train/nets.js";

const FOLDER = "recipes/records";
const files = readdirSync(FOLDER);

describe("recipes/records", () => {
  it.each(files.filter((name) => name.endsWith(".json")))("%s fits its net, and ends in the coder's order", (name) => {
    const path = join(FOLDER, name);
    const recipe = readRecipe(path);
    const graph = isNamedNet(recipe.net)
      ? namedNet(recipe.net)
      : (JSON.parse(readFileSync(join(dirname(path), recipe.net), "utf8")) as Graph);
    const { stages } = checkRecipe(recipe, graph);
    const kinds = stages.map(({ kind }) => kind).filter((kind) => kind !== "biases");
    const first = kinds.filter((kind) => kind === "narrow" || kind === "starts").slice(0, 1);
    const pruned = kinds.includes("prune") ? ["prune", "train"] : [];
    expect(kinds).toEqual([...first, "train", ...pruned, "grid", "dead-units", "calibrate", "reorder"]);
    for (const stage of stages)
      if (stage.kind === "prune") expect(stage).toMatchObject({ score: "codec", schedule: "gradual" });
  });

  it("has a recipe for each model", () => {
    const models = files.filter((name) => name.endsWith(".mote"));
    const recipes = models.map((name) => name.replace(/(?:-(?:[2-9]|1\d))?\.mote$/, ".json"));
    expect(files).toEqual(expect.arrayContaining(recipes));
  });
});
