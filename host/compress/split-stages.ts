/** The stages that put several layers in the place of one, and the graph that a recipe ends with. */
import type { Graph, Net } from "../model/model.js";
import { checkLowRank, lowRankGraph, lowRankNet } from "./low-rank.js";
import type { LowRankStage } from "./method-stages.js";
import type { Recipe, Stage } from "./recipe.js";

export type SplitStage = LowRankStage;

export const splitsLayers = (stage: Stage): stage is SplitStage => stage.kind === "low-rank";

/** With layers' names in the place of patterns. @throws MoteError RECIPE for what does not fit the graph, which is that before the stage */
export const checkSplit = (stage: SplitStage, graph: Graph, place: string): SplitStage =>
  checkLowRank(stage, graph, place);

/** @param stage a checked one @returns the graph behind it, which may have fewer units where ranks depend on the weights */
export const splitGraph = (stage: SplitStage, graph: Graph): Graph => lowRankGraph(stage, graph);

/** The net behind a checked stage, before it is trained. @throws MoteError RECIPE where the weights do not allow what is asked for */
export const splitNet = (stage: SplitStage, net: Net, biasBits: Readonly<Record<string, number>>): Net =>
  lowRankNet(net, stage, biasBits);

/** The graph that a checked recipe ends with, but for units that its stages take away. */
export const lastGraph = ({ stages }: Pick<Recipe, "stages">, graph: Graph): Graph =>
  stages.filter(splitsLayers).reduce((reached, stage) => splitGraph(stage, reached), graph);
