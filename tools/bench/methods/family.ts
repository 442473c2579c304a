/** What families of the group `methods` share: recipes run to their ends. */
import { join } from "node:path";
import type { Net } from "../../../host/model/model.js";
import { workOf } from "../../../host/compress/candidates.js";
import { figuresOf } from "../../../host/compress/figures.js";
import type { Recipe } from "../../../host/compress/recipe.js";
import { loadData } from "../../../host/node/data/load.js";
import { packed } from "../../../host/node/compress/integer-model.js";
import { openRecipe, readRecipe } from "../../../host/node/compress/recipe-files.js";
import { runRecipe } from "../../../host/node/compress/run-recipe.js";
import { builtFile } from "../../../host/node/paths.js";
import { rounded, type BenchOptions, type Figure } from "../figure.js";
import { testError } from "../test-error.js";

/** Methods of one kind, such as pruning. Ids of its figures are `methods.METHOD.…`. */
export interface MethodFamily {
  /** As `--only methods:NAME` has it. */
  readonly name: string;
  readonly measure: (options: BenchOptions) => Promise<Figure[]>;
}

/** Checkpoints of the trainings; a command that was stopped goes on from there. */
export const WORK = builtFile("build/work/methods");

/** Of the recipes, whose nets are files as seen from there. */
export const RECIPES = builtFile("recipes/methods");

/** A recipe of recipes/methods. @param name but for `.json` */
export const methodRecipe = (name: string): Recipe => readRecipe(join(RECIPES, `${name}.json`));

/** What has become of a recipe on MNIST. */
export interface RecipeResult {
  /** After each stage, by the float net: percent of the validation digits. The teacher comes first. */
  readonly errors: readonly number[];
  /** Weights that are left, and that there were. */
  readonly nonZeros: number;
  readonly weights: number;
  readonly container: Uint8Array;
  /** Of the container. */
  readonly bytes: number;
  /** Of the packed integers, percent of the 10,000 test digits. */
  readonly testError: number;
  /** Of an inference: of the float net with all weights, and instructions and memory as a search counts them. */
  readonly multiplications: number;
  readonly instructions: number;
  readonly ram: number;
  /** As it was packed. */
  readonly net: Net;
}

/** For a figure's name. */
export const shareLeft = ({ nonZeros, weights }: Pick<RecipeResult, "nonZeros" | "weights">): string =>
  `${rounded((100 * nonZeros) / weights)} % of its weights`;

/** Runs a recipe on MNIST to its packed model. The work folder keeps its stages, which recipes that begin alike share; what they are packed to is made anew. */
export async function runMethod(name: string, recipe: Recipe, { threads, note }: BenchOptions): Promise<RecipeResult> {
  note(name);
  const { net: given, teacher, data } = openRecipe(recipe, RECIPES);
  const { net, reports } = await runRecipe({
    recipe,
    data,
    net: given,
    ...(teacher && { teacher }),
    work: WORK,
    threads,
  });
  const { nonZeros, weights } = reports.at(-1)!;
  const model = packed(net, recipe.pack);
  const { instructions, ram } = figuresOf(model);
  return {
    multiplications: workOf(net.graph),
    instructions,
    ram,
    errors: reports.map(({ error }) => error),
    nonZeros,
    weights,
    container: model,
    bytes: model.length,
    net,
    testError: await testError(model, loadData("mnist:test", { shape: net.graph.input.shape })),
  };
}
