/** Product quantization (Gong et al. 2014) beside shared weights: bytes with codes at their entropy, as no codec here has them, and as containers. */
import type { Stage } from "../../../host/compress/recipe.js";
import { productBytes } from "../../../host/compress/product.js";
import { weightedLayers } from "../../../host/compress/integer-stages.js";
import type { Net } from "../../../host/model/model.js";
import type { Figure } from "../figure.js";
import { methodRecipe, runMethod, type MethodFamily } from "./family.js";

/** Weights of a sub-vector and centroids of a sub-space, of LeNet-300-100's two large layers. */
const CODEBOOKS = [
  [2, 4],
  [4, 4],
  [8, 4],
  [4, 16],
] as const;
const LAYERS = ["fc1", "fc2"];
/** Of shared weights. */
const BITS = [1, 2];

export const productMethods: MethodFamily = {
  name: "product",
  measure: async (options) => {
    const figures: Figure[] = [];
    const add = async (id: string, name: string, base: string, change: object, width: number | "shared") => {
      const recipe = methodRecipe(base);
      const [stage, ...rest] = recipe.stages;
      const stages = [{ ...stage, ...change } as Stage, ...rest];
      const { testError, bytes, net } = await runMethod(`${base}-${id}`, { ...recipe, stages }, options);
      const figure = (part: string, what: string, value: number, unit: string): Figure => {
        return { id: `methods.${id}.${part}`, name: `LeNet-300-100, ${name}: ${what}`, value, unit };
      };
      figures.push(
        figure("error", "test error", testError, "%"),
        figure("bytes", "bytes with codes at their entropy", entropyBytes(net, width), "B"),
        figure("container", "bytes of the container", bytes, "B"),
      );
    };
    for (const [width, k] of CODEBOOKS) {
      const centroids = Object.fromEntries(LAYERS.map((layer) => [layer, k]));
      await add(`pq.${width}.${k}`, `${k} centroids of ${width} weights`, "pq", { width, centroids }, width);
    }
    for (const bits of BITS) {
      const each = Object.fromEntries(LAYERS.map((layer) => [layer, bits]));
      await add(`pq.shared.${bits}`, `shared weights of ${bits} bits`, "pq-against", { bits: each }, "shared");
    }
    return figures;
  },
};

/** Of all weights; the last layer's are shared. Biases and fields, which both have, are left out. */
function entropyBytes({ graph, tensors }: Net, width: number | "shared"): number {
  return weightedLayers(graph).reduce((sum, { name }) => {
    const { integers, shape } = tensors.get(`${name}.weight`)!;
    return sum + productBytes(integers!, shape[0], LAYERS.includes(name) ? width : "shared");
  }, 0);
}
