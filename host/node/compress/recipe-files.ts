/** What a recipe names: its net and its data, from files relative to it. */
import { readFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import type { TrainingSamples } from "../../compress/digest.js";
import { parseRecipe, type Recipe } from "../../compress/recipe.js";
import { MoteError } from "../../errors.js";
import { valuesOf } from "../../model/geometry.js";
import type { Net } from "../../model/model.js";
import { resultsOf } from "../../model/edges.js";
import { tensorShapes } from "../../model/shapes.js";
import { CLASSES, lossValues } from "../../train/losses.js";
import { isNamedNet, namedNet } from "../../train/nets.js";
import { loadTrainingData, type TrainingData } from "../data/training-data.js";
import { readNet, type ReadNetOptions } from "../import/read-net.js";
import { describeSystemError } from "../write-file.js";

/** A recipe with what it names. */
export interface RecipeFiles {
  readonly recipe: Recipe;
  /** Without tensors where it is a graph alone. */
  readonly net: Net;
  readonly data: TrainingData & TrainingSamples;
}

/** @throws MoteError FILE, RECIPE */
export function readRecipe(path: string): Recipe {
  try {
    return parseRecipe(readFileSync(path, "utf8"), path);
  } catch (error) {
    if (error instanceof MoteError) throw error;
    throw new MoteError("FILE", `${path}: cannot be read: ${describeSystemError(error)}`, { cause: error });
  }
}

/**
 * @param folder that the recipe's paths are relative to
 * @throws MoteError as `readNet` and `loadTrainingData`; RECIPE for a net that is neither one of ours nor a file
 */
export function openRecipe(recipe: Recipe, folder: string, options: ReadNetOptions = {}): RecipeFiles {
  const net = netOf(recipe.net, folder, options);
  return { recipe, net, data: dataOf(recipe, net, folder) };
}

/** @param path of the recipe, whose folder is theirs */
export const folderOf = (path: string): string => dirname(path);

/** A net of ours by its name, or of a file. */
export function netOf(name: string, folder: string, options: ReadNetOptions = {}): Net {
  if (isNamedNet(name)) return { graph: namedNet(name), tensors: new Map() };
  return readNet(isAbsolute(name) ? name : join(folder, name), options);
}

export function dataOf(
  { data, task }: Pick<Recipe, "data" | "task">,
  { graph }: Net,
  folder: string,
): RecipeFiles["data"] {
  const shapes = tensorShapes(graph);
  const results = resultsOf(graph).map((name) => valuesOf(shapes.get(name)!));
  const { loss } = task ?? CLASSES;
  const outputs = lossValues(
    { loss },
    results[0],
    results.reduce((a, b) => a + b, 0),
  );
  const takes = loss === "softmax" ? "labels" : "targets";
  const loaded = loadTrainingData(data, { shape: graph.input.shape, outputs, takes, folder });
  return { ...loaded, digest: `${loaded.digests.train}${loaded.digests.validation}` };
}
