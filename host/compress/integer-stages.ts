/** Which stage of a recipe brings which layers' weights to their integers: each layer exactly one. */
import { MoteError } from "../errors.js";
import type { Graph, WeightedLayer } from "../model/model.js";
import { hasWeights } from "../ops/index.js";
import {
  INTEGER_STAGES,
  type GridStage,
  type InqStage,
  type RdoqStage,
  type ShareStage,
  type Stage,
} from "./recipe.js";
import type { BinarizeStage, BinaryConnectStage, LevelsStage, PqStage } from "./method-stages.js";

export const weightedLayers = (graph: Graph): WeightedLayer[] => graph.layers.filter(hasWeights);

type IntegerStage =
  ShareStage | GridStage | RdoqStage | InqStage | BinaryConnectStage | BinarizeStage | LevelsStage | PqStage;

/** The key whose values by layer say which layers a stage is for. */
export function layersKey({ kind }: IntegerStage): "bits" | "step" | "rounding" | "levels" | "centroids" {
  switch (kind) {
    case "share":
    case "inq":
      return "bits";
    case "grid":
    case "rdoq":
      return "step";
    case "binary-connect":
    case "binarize":
      return "rounding";
    case "levels":
      return "levels";
    case "pq":
      return "centroids";
  }
}

const layersOf = (stage: IntegerStage): string[] =>
  Object.keys((stage as unknown as Record<string, object>)[layersKey(stage)]);

/** Whether a stage brings weights to their integers. */
export const bringsIntegers = (stage: Stage): stage is IntegerStage => INTEGER_STAGES.includes(stage.kind);

/** Names of the layers whose weights are integers after these stages of a checked recipe, in the stages' order. */
export const integerLayers = (stages: readonly Stage[]): string[] => stages.filter(bringsIntegers).flatMap(layersOf);

/**
 * @param left layers that none of the stages is for
 * @throws MoteError RECIPE naming the last of these stages, its key and the layer
 */
export function checkComplete(stages: readonly Stage[], left: readonly WeightedLayer[]): void {
  if (left.length === 0) return;
  const at = stages.findLastIndex(bringsIntegers);
  const key = layersKey(stages[at] as IntegerStage);
  throw new MoteError(
    "RECIPE",
    `stages[${at}].${key}.${left[0].name}: missing; every layer with weights needs one, here or before`,
  );
}
