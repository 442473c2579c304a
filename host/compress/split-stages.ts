/** The stages that put several layers in the place of one, and the graph that a recipe ends with. */
import type { Graph } from "../model/model.js";
import { checkFlatten, flatGraph } from "./flatten.js";
import { checkLowRank, lowRankGraph } from "./low-rank.js";
import type { FlattenStage, LowRankStage } from "./method-stages.js";
import type { Recipe, Stage } from "./recipe.js";

export type SplitStage = LowRankStage | FlattenStage;

export const splitsLayers = (stage: Stage): stage is SplitStage =>
  stage.kind === "low-rank" || stage.kind === "flatten";

/** With layers' names in the place of patterns. @throws MoteError RECIPE for what does not fit the graph, which is that before the stage */
export const checkSplit = (stage: SplitStage, graph: Graph, place: string): SplitStage =>
  stage.kind === "low-rank" ? checkLowRank(stage, graph, place) : checkFlatten(stage, graph, place);

/** @param stage a checked one @returns the graph behind it, which may have fewer units where ranks depend on the weights */
export const splitGraph = (stage: SplitStage, graph: Graph): Graph =>
  stage.kind === "low-rank" ? lowRankGraph(stage, graph) : flatGraph(stage, graph);

/** The graph that a checked recipe ends with, but for units that its stages take away. */
export const lastGraph = ({ stages }: Pick<Recipe, "stages">, graph: Graph): Graph =>
  stages.filter(splitsLayers).reduce((reached, stage) => splitGraph(stage, reached), graph);
