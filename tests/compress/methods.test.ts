import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkRecipe } from "../../host/compress/check-recipe.js";
import { parseRecipe } from "../../host/compress/recipe.js";
import { packageRoot } from "../../host/node/paths.js";
import { namedNet } from "../../host/train/nets.js";

const folder = join(packageRoot, "recipes/methods");

test.each(readdirSync(folder).filter((name) => name.endsWith(".json")))("recipes/methods/%s fits its net", (name) => {
  const recipe = parseRecipe(readFileSync(join(folder, name), "utf8"), name);
  expect(checkRecipe(recipe, namedNet(recipe.net)).stages.at(-1)!.kind).toBe("calibrate");
});
