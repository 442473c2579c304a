/** Which stage of a recipe brings which layers' weights to their integers: each layer exactly one, a `share` or a `grid`. */
import { MoteError } from "../errors.js";
import type { Graph, WeightedLayer } from "../model/model.js";
import { hasWeights } from "../ops/index.js";
import type { GridStage, ShareStage, Stage } from "./recipe.js";

export const weightedLayers = (graph: Graph): WeightedLayer[] => graph.layers.filter(hasWeights);

/** Whether a stage brings weights to their integers. */
const bringsIntegers = (stage: Stage): stage is ShareStage | GridStage =>
  stage.kind === "share" || stage.kind === "grid";

/** The setting by layer that says which layers a stage is for, and its key. */
const settingOf = (stage: ShareStage | GridStage): { key: string; values: Readonly<Record<string, number>> } =>
  stage.kind === "share" ? { key: "bits", values: stage.bits } : { key: "step", values: stage.step };

/** Names of the layers whose weights are integers after these stages, in the stages' order. */
export const integerLayers = (stages: readonly Stage[]): string[] =>
  stages.filter(bringsIntegers).flatMap((stage) => Object.keys(settingOf(stage).values));

/**
 * @throws MoteError RECIPE naming the stage, the key and the layer: one that the net does not have, one that a stage before fixed, or one
 *   that not even the last of these stages is for
 */
export function checkIntegerStages(stages: readonly Stage[], graph: Graph): void {
  const names = weightedLayers(graph).map(({ name }) => name);
  const missing = new Set(names);
  let lastKey = "";
  for (const [i, stage] of stages.entries()) {
    if (!bringsIntegers(stage)) continue;
    const { key: setting, values } = settingOf(stage);
    const key = `stages[${i}].${setting}`;
    for (const name of Object.keys(values)) {
      if (missing.delete(name)) continue;
      const problem = names.includes(name)
        ? "an earlier stage has brought this layer to its integers"
        : `no such layer; there are ${names.join(", ")}`;
      throw new MoteError("RECIPE", `${key}.${name}: ${problem}`);
    }
    lastKey = key;
  }
  for (const name of missing)
    throw new MoteError("RECIPE", `${lastKey}.${name}: missing; every layer with weights needs one, here or before`);
}
