/** Weights of few values: BinaryConnect (Courbariaux et al. 2015), ternary (Li et al. 2016) and two-bit weights (BitNetMCU). */
import { rounded, type Figure } from "../figure.js";
import { methodRecipe, runMethod, type MethodFamily } from "./family.js";

const METHODS = [
  ["binary.deterministic", "binary-deterministic", "BinaryConnect, deterministic"],
  ["binary.stochastic", "binary-stochastic", "BinaryConnect, stochastic"],
  ["ternary", "ternary", "ternary"],
  ["ternary.two-bit", "two-bit", "weights ± 1 and ± 3"],
] as const;

export const fewValues: MethodFamily = {
  name: "few-values",
  measure: async (options) => {
    const figures: Figure[] = [];
    for (const [id, recipe, text] of METHODS) {
      const { errors, testError, bytes, weights } = await runMethod(recipe, methodRecipe(recipe), options);
      const name = `LeNet-300-100, ${text}`;
      if (figures.length === 0) {
        const [teacher] = errors;
        const float = "LeNet-300-100 before, float: validation error";
        figures.push({ id: "methods.binary.float", name: float, value: rounded(teacher), unit: "%" });
      }
      figures.push(
        { id: `methods.${id}.error`, name: `${name}: test error`, value: testError, unit: "%" },
        { id: `methods.${id}.bytes`, name: `${name}: bytes`, value: bytes, unit: "B" },
        { id: `methods.${id}.bits`, name: `${name}: bits a weight`, value: rounded((8 * bytes) / weights), unit: "" },
      );
    }
    return figures;
  },
};
