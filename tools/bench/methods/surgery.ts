/** Dynamic network surgery (Guo et al. 2016): beside gradual magnitude pruning of as many weights and epochs, and LeNet-5 beside the paper's. */
import { atMost, rounded } from "../figure.js";
import { methodRecipe, runMethod, shareLeft, type MethodFamily, type RecipeResult } from "./family.js";

export const surgeryMethods: MethodFamily = {
  name: "surgery",
  measure: async (options) => {
    const run = (name: string): Promise<RecipeResult> => runMethod(name, methodRecipe(name), options);
    const [plain, operated] = [await run("magnitude"), await run("surgery")];
    const large = await run("surgery-lenet5");
    const fewer = rounded(large.weights / large.nonZeros, 3);
    const error = {
      id: "methods.magnitude.error",
      name: `LeNet-300-100 pruned by magnitude to ${shareLeft(plain)}: test error`,
      unit: "%",
    };
    return [
      { ...error, value: plain.testError },
      {
        ...atMost(
          "methods.surgery.error",
          `by dynamic network surgery to ${shareLeft(operated)}: test error`,
          operated.testError,
          "%",
          plain.testError,
        ),
        beside: { "Guo et al. 2016, 1.8 % of the weights": 1.99 },
      },
      {
        ...atMost(
          "methods.surgery.lenet5.error",
          `LeNet-5 by surgery to ${fewer} times fewer weights, ${large.bytes.toLocaleString("en")} bytes: test error`,
          large.testError,
          "%",
          0.91,
        ),
        beside: { "Guo et al. 2016, 108 times fewer": 0.91 },
      },
    ];
  },
};
