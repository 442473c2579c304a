/** Training with few bits behind the point (Gupta et al. 2015): where rounding to the nearest loses what stochastic rounding keeps. */
import type { Stage } from "../../../host/compress/recipe.js";
import type { Figure } from "../figure.js";
import { methodRecipe, runMethod, type MethodFamily } from "./family.js";

/** Bits before the point and behind it, 16 together as the paper has them. */
const FORMATS = [
  [8, 8],
  [6, 10],
  [4, 12],
] as const;

export const fixedPointMethods: MethodFamily = {
  name: "fixed-point",
  measure: async (options) => {
    const base = methodRecipe("fixed-point");
    const [stage, ...rest] = base.stages;
    const figures: Figure[] = [];
    for (const [integerBits, fractionBits] of FORMATS) {
      for (const rounding of ["nearest", "stochastic"]) {
        const stages = [{ ...stage, integerBits, fractionBits, rounding } as Stage, ...rest];
        const { testError } = await runMethod(`fixed-point-${rounding}-${fractionBits}`, { ...base, stages }, options);
        figures.push({
          id: `methods.fixed-point.${rounding}.${fractionBits}`,
          name: `LeNet-300-100, half an epoch in fixed point of ${integerBits} + ${fractionBits} bits, ${rounding}: test error`,
          value: testError,
          unit: "%",
        });
      }
    }
    return figures;
  },
};
