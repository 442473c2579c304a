/** Fewer weights by other layers: low rank (Denton et al. 2014) beside pruning, flattened convolutions (Jin et al. 2014). */
import type { Stage } from "../../../host/compress/recipe.js";
import { rounded, type BenchOptions, type Figure } from "../figure.js";
import { methodRecipe, runMethod, type MethodFamily, type RecipeResult } from "./family.js";

/** Shares of the weights of LeNet-300-100's two large layers, and the ranks that leave as many. */
const KEPT = [
  { share: 0.2, ranks: { fc1: 43, fc2: 15 } },
  { share: 0.1, ranks: { fc1: 22, fc2: 8 } },
  { share: 0.05, ranks: { fc1: 11, fc2: 4 } },
] as const;

/** Figure 6 of Deep Compression: error against what is left, by singular values and by pruning as many weights, retrained alike. */
async function againstPruning(options: BenchOptions): Promise<Figure[]> {
  const base = methodRecipe("low-rank");
  const [lowRank, ...rest] = base.stages;
  const pruning = methodRecipe("low-rank-against").stages[0];
  const figures: Figure[] = [];
  for (const { share, ranks } of KEPT) {
    const split = await runMethod(
      `low-rank-${100 * share}`,
      { ...base, stages: [{ ...lowRank, rank: ranks } as Stage, ...rest] },
      options,
    );
    const stages = [{ ...pruning, keep: split.weights } as Stage, ...rest];
    const cut = await runMethod(`low-rank-against-${100 * share}`, { ...base, stages }, options);
    const weights = rounded(split.weights / 1000);
    figures.push(
      ...sizeAndError(`low-rank.${100 * share}`, `LeNet-300-100, low rank, ${weights} thousand weights`, split),
      ...sizeAndError(`low-rank.pruning.${100 * share}`, `LeNet-300-100, pruned to ${weights} thousand weights`, cut),
    );
  }
  return figures;
}

const sizeAndError = (id: string, name: string, { testError, bytes }: RecipeResult): Figure[] => [
  { id: `methods.${id}.error`, name: `${name}: test error`, value: testError, unit: "%" },
  { id: `methods.${id}.bytes`, name: `${name}: bytes`, value: bytes, unit: "B" },
];

async function pruned(options: BenchOptions): Promise<Figure[]> {
  const result = await runMethod("low-rank-pruned", methodRecipe("low-rank-pruned"), options);
  const name = `LeNet-300-100, low rank, pruned to ${rounded(result.nonZeros / 1000)} thousand weights and shared`;
  return sizeAndError("low-rank.pruned", name, result);
}

/** Of a LeNet-5 of 8-16-64 units, so that trainings are short: what its convolutions become. */
const FLAT = [
  ["dense", "with its convolutions"],
  ["trained", "flattened as it is trained"],
  ["scratch", "flattened and drawn anew"],
  ["components", "flattened to sums of 6 and 16 components"],
] as const;

async function flattened(options: BenchOptions): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [id, text] of FLAT) {
    const result = await runMethod(`flatten-${id}`, methodRecipe(`flatten-${id}`), options);
    const name = `LeNet-5 of 8-16-64 units, ${text}`;
    const figure = (part: string, what: string, value: number, unit: string): Figure => {
      return { id: `methods.flatten.${id}.${part}`, name: `${name}: ${what}`, value, unit };
    };
    figures.push(
      figure("weights", "weights", result.weights, ""),
      figure("multiplications", "multiplications of all weights", rounded(result.multiplications / 1e6, 3), "M"),
      figure("instructions", "instructions on a Cortex-M4", rounded(result.instructions / 1e6, 3), "M"),
      figure("ram", "memory of a run", result.ram, "B"),
      ...sizeAndError(`flatten.${id}`, name, result),
    );
  }
  return figures;
}

export const rankMethods: MethodFamily = {
  name: "rank",
  measure: async (options) => [
    ...(await againstPruning(options)),
    ...(await pruned(options)),
    ...(await flattened(options)),
  ],
};
