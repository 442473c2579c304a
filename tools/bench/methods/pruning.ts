/** Which weights go: magnitude by thresholds (Han et al. 2015), Optimal Brain Damage and Surgeon, Dynamic Network Surgery. */
import { rounded } from "../figure.js";
import { methodRecipe, runMethod, type MethodFamily } from "./family.js";

export const pruningMethods: MethodFamily = {
  name: "pruning",
  measure: async (options) => {
    const { testError, nonZeros, weights } = await runMethod("magnitude", methodRecipe("magnitude"), options);
    const left = rounded((100 * nonZeros) / weights);
    return [
      {
        id: "methods.magnitude.error",
        name: `LeNet-300-100, gradual magnitude pruning to ${left} % of its weights: test error`,
        value: testError,
        unit: "%",
      },
    ];
  },
};
