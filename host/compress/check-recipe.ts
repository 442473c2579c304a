/** Whether a recipe fits the net that it is for: all of it, before anything is trained. */
import { MoteError } from "../errors.js";
import type { Graph } from "../model/model.js";
import { checkIntegerStages, weightedLayers } from "./integer-stages.js";
import { narrowGraph } from "./narrow.js";
import { checkKeep } from "./prune.js";
import type { Recipe, Stage } from "./recipe.js";

/** @throws MoteError RECIPE naming the place, such as `stages[2].keep.conv3: no such layer; there are …` */
export function checkRecipe({ stages, pack }: Recipe, graph: Graph): void {
  const names = weightedLayers(graph).map(({ name }) => name);
  stages.forEach((stage, i) => {
    try {
      checkStage(stage, graph, names);
    } catch (error) {
      if (!(error instanceof MoteError)) throw error;
      throw new MoteError(error.code, `stages[${i}].${error.message}`, { cause: error });
    }
  });
  checkIntegerStages(stages, graph);
  const unknown = Object.keys(pack.biasBits).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new MoteError("RECIPE", `pack.biasBits.${unknown}: no such layer; there are ${names.join(", ")}`);
}

function checkStage(stage: Stage, graph: Graph, names: readonly string[]): void {
  if (stage.kind === "narrow") narrowGraph(graph, stage.units);
  if (stage.kind === "prune") checkKeep(stage.keep, names);
}
