/** An LSTM over the rows of digits, pruned and retrained as by Han et al. 2015, beside the same net with all its weights. */
import { atMost, rounded, type Figure } from "../figure.js";
import { methodRecipe, runMethod, type MethodFamily } from "./family.js";

/** Points of the test error that pruning may cost. */
const MOST_LOST = 1;

export const recurrentMethods: MethodFamily = {
  name: "recurrent",
  measure: async (options): Promise<Figure[]> => {
    const dense = await runMethod("lstm-dense", methodRecipe("lstm-dense"), options);
    const pruned = await runMethod("lstm", methodRecipe("lstm"), options);
    const name = "LSTM of 64 units over MNIST's rows";
    const left = `${rounded((100 * pruned.nonZeros) / pruned.weights)} % of its weights`;
    const limit = rounded(dense.testError + MOST_LOST, 4);
    return [
      { id: "methods.lstm.dense.error", name: `${name}, all weights: test error`, value: dense.testError, unit: "%" },
      { id: "methods.lstm.dense.bytes", name: `${name}, all weights: bytes`, value: dense.bytes, unit: "B" },
      atMost("methods.lstm.pruned.error", `${name}, ${left}: test error`, pruned.testError, "%", limit),
      { id: "methods.lstm.pruned.bytes", name: `${name}, ${left}: bytes`, value: pruned.bytes, unit: "B" },
    ];
  },
};
