/**
 * Methods of the field, each as a recipe on MNIST beside what its paper claims. A family of methods is a file in tools/bench/methods and a
 * line here.
 */
import type { Group } from "./figure.js";
import type { MethodFamily } from "./methods/family.js";
import { activationMethods } from "./methods/activation-bits.js";
import { bitsMethods } from "./methods/bits16.js";
import { fewValues } from "./methods/few-values.js";
import { fixedPointMethods } from "./methods/fixed-point.js";
import { methodPlots } from "./methods/plots.js";
import { productMethods } from "./methods/product.js";
import { pruningMethods } from "./methods/pruning.js";
import { rankMethods } from "./methods/rank.js";
import { recurrentMethods } from "./methods/recurrent.js";
import { surgeryMethods } from "./methods/surgery.js";
import { xnorMethods } from "./methods/xnor.js";

const FAMILIES: readonly MethodFamily[] = [
  surgeryMethods,
  pruningMethods,
  rankMethods,
  fewValues,
  bitsMethods,
  xnorMethods,
  productMethods,
  fixedPointMethods,
  activationMethods,
  recurrentMethods,
];

export const methodsGroup: Group = {
  name: "methods",
  summary:
    "methods of the field beside what their papers claim: short trainings, of LeNet-300-100 for the most part, kept in build/work/methods",
  parts: FAMILIES.map(({ name }) => name),
  measure: async (options) => {
    const figures = [];
    for (const { name, measure } of FAMILIES) {
      if (options.parts?.includes(name) === false) continue;
      figures.push(...(await measure({ ...options, note: (text) => options.note(`${name}, ${text}`) })));
    }
    return figures;
  },
  files: methodPlots,
};
