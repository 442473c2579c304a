/** Whether a recipe fits the net that it is for: all of it, before anything is trained; and which layers its settings select. */
import { MoteError } from "../errors.js";
import type { Graph, WeightedLayer } from "../model/model.js";
import { parameterShapes } from "../model/shapes.js";
import { isStep } from "../ops/functions.js";
import { floatWeights } from "../ops/index.js";
import type { Dropout } from "../train/dropout.js";
import { binarizedGraph } from "./binarize.js";
import { foldedGraph } from "./fold-batchnorm.js";
import { bringsIntegers, checkComplete, layersKey, weightedLayers } from "./integer-stages.js";
import { narrowGraph } from "./narrow.js";
import { Channels } from "./channels.js";
import { checkProductWork } from "./product.js";
import { checkKeep, type Keep } from "./prune.js";
import type { CalibrateStage, ChannelsStage, PruneStage, Recipe, Stage } from "./recipe.js";
import { byLayer, isName } from "./select.js";
import { checkSplit, splitGraph, splitsLayers } from "./split-stages.js";

/**
 * @param teacherGraph of a teacher that is another net
 * @returns the recipe with layers' names in the place of patterns and ops
 * @throws MoteError RECIPE naming the place, such as `stages[2].keep.conv3: no such layer; there are …`
 */
export function checkRecipe(recipe: Recipe, graph: Graph, teacherGraph = graph): Recipe {
  /** As the stages before leave it, as far as that is known before they run. */
  let reached = graph;
  let layers = weightedLayers(graph);
  /** Those that no stage before has brought to their integers. */
  let open = layers;
  const stages = recipe.stages.map((stage, i): Stage => {
    const place = `stages[${i}]`;
    if (stage.kind === "narrow") {
      const units = unitsOf(stage.units, layers, graph, `${place}.`);
      reached = narrowGraph(graph, units);
      return { ...stage, units };
    }
    if (stage.kind === "channels") return { ...stage, keep: channelsOf(stage, layers, reached, `${place}.`) };
    if (splitsLayers(stage)) {
      const checked = checkSplit(stage, reached, place);
      reached = splitGraph(checked, reached);
      open = layers = weightedLayers(reached);
      return checked;
    }
    if (stage.kind === "prune") {
      if (graph.states !== undefined && (stage.score === "obd" || stage.score === "obs"))
        throw new MoteError(
          "RECIPE",
          `${place}.score: ${stage.score} is not for a net with states, whose weights work in each step`,
        );
      return {
        ...stage,
        ...keepOf(stage, layers, `${place}.keep`),
        ...qualityOf(stage, layers, `${place}.quality`),
        ...dropoutOf(stage, reached, `${place}.dropout`),
      };
    }
    if (stage.kind === "train") return { ...stage, ...dropoutOf(stage, reached, `${place}.dropout`) };
    if (stage.kind === "surgery") return { ...stage, ...keepOf(stage, layers, `${place}.keep`) };
    if (stage.kind === "near") open = [];
    if (stage.kind === "calibrate") checkElements(stage, reached, place);
    if (!bringsIntegers(stage)) return stage;
    const settle = <T>(values: Readonly<Record<string, T>>, key: string): Record<string, T> => {
      const settled = ofOpenLayers(values, layers, open, `${place}.${key}`);
      open = open.filter(({ name }) => !Object.hasOwn(settled, name));
      return settled;
    };
    const key = layersKey(stage);
    const values = settle((stage as unknown as Record<string, Readonly<Record<string, never>>>)[key], key);
    if (stage.kind === "pq") checkPq(values, reached, `${place}.centroids`);
    if (stage.kind === "binarize")
      reached = at(`${place}: `, () => foldedGraph(binarizedGraph(reached, Object.keys(values))));
    return { ...stage, [key]: values };
  });
  checkComplete(stages, open);
  const { teacher } = recipe;
  const settled = teacher && { teacher: { ...teacher, ...dropoutOf(teacher, teacherGraph, "teacher.dropout") } };
  return {
    ...recipe,
    ...settled,
    stages,
    pack: { ...recipe.pack, biasBits: byLayer(recipe.pack.biasBits, layers, "pack.biasBits") },
  };
}

/** Functions are tables of all int8 elements; a step is a part of the layer before it. */
function checkElements({ activationBits }: CalibrateStage, { layers }: Graph, place: string): void {
  const table = layers.find((layer) => layer.op === "map" && !isStep(layer));
  if (activationBits !== 16 || table === undefined) return;
  throw new MoteError(
    "RECIPE",
    `${place}.activationBits: expected 8, as ${table.name} is a function by a table of int8 elements, got 16`,
  );
}

/** Counts, of which what is below 1 is a share of a layer's units. A pattern leaves the last layer's alone: they are the results. */
function unitsOf(
  units: Readonly<Record<string, number>>,
  layers: readonly WeightedLayer[],
  graph: Graph,
  place: string,
): Record<string, number> {
  const last = layers[layers.length - 1];
  return at(place, () => {
    for (const key of Object.keys(units))
      if (isName(key)) narrowGraph(graph, { [key]: Math.max(1, Math.round(units[key])) });
    const selected = byLayer(units, layers, "units");
    const counts = layers.flatMap((layer): [string, number][] => {
      if (!Object.hasOwn(selected, layer.name) || (layer === last && !Object.hasOwn(units, layer.name))) return [];
      const value = selected[layer.name];
      return [
        [layer.name, value < 1 ? Math.max(1, Math.round(value * floatWeights(layer).rows(layer))) : Math.round(value)],
      ];
    });
    const result = Object.fromEntries(counts);
    narrowGraph(graph, result);
    return result;
  });
}

/** What `make` makes; its errors get their place. */
function at<T>(place: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof MoteError)) throw error;
    throw new MoteError(error.code, place + error.message, { cause: error });
  }
}

function keepOf(
  { keep }: Pick<PruneStage, "keep">,
  layers: readonly WeightedLayer[],
  place: string,
): { readonly keep?: Record<string, number> } {
  if (typeof keep !== "object") return {};
  const selected = byLayer(keep, layers, place);
  checkKeep(
    selected,
    layers.map(({ name }) => name),
    place,
  );
  return { keep: selected };
}

/** Layers may be left out: nothing of them goes. */
const qualityOf = (
  { quality }: PruneStage,
  layers: readonly WeightedLayer[],
  place: string,
): Pick<PruneStage, "quality"> => (quality === undefined ? {} : { quality: byLayer(quality, layers, place) });

function checkPq(centroids: Readonly<Record<string, number>>, graph: Graph, place: string): void {
  const shapes = parameterShapes(graph);
  for (const [name, k] of Object.entries(centroids)) {
    const weights = shapes.get(`${name}.weight`)!.reduce((a, b) => a * b, 1);
    checkProductWork(name, weights, k, place);
  }
}

/**
 * Of dense layers. A pattern leaves alone those that read the net's input, of which half of the values would be missing.
 * @throws MoteError RECIPE for another layer that is named, and where no layer is left
 */
function dropoutOf(
  { dropout }: { readonly dropout?: Dropout },
  graph: Graph,
  place: string,
): { readonly dropout?: Dropout } {
  if (dropout === undefined) return {};
  const selected = byLayer(dropout, weightedLayers(graph), place);
  const named = (name: string): boolean => isName(name) && Object.hasOwn(dropout, name);
  const other = weightedLayers(graph).find(({ name, op }) => named(name) && op !== "dense");
  if (other !== undefined)
    throw new MoteError("RECIPE", `${place}.${other.name}: is a ${other.op} layer, expected a dense one`);
  const layers = weightedLayers(graph).filter(
    ({ name, op, input }) =>
      Object.hasOwn(selected, name) && op === "dense" && (named(name) || input !== graph.input.name),
  );
  if (layers.length === 0)
    throw new MoteError("RECIPE", `${place}: selects no dense layer that reads what others have made`);
  return { dropout: Object.fromEntries(layers.map(({ name }) => [name, selected[name]])) };
}

/** Layers may be left out: they keep their channels, but for those that are tied to others'. */
function channelsOf({ keep }: ChannelsStage, layers: readonly WeightedLayer[], graph: Graph, place: string): Keep {
  const selected = typeof keep === "object" ? byLayer(keep, layers, `${place}keep`) : keep;
  at(place, () => new Channels(graph, selected));
  return selected;
}

/** A pattern is for those that are left, a name must be one of them. */
function ofOpenLayers<T>(
  values: Readonly<Record<string, T>>,
  layers: readonly WeightedLayer[],
  open: readonly WeightedLayer[],
  place: string,
): Record<string, T> {
  const selected = byLayer(values, layers, place);
  for (const { name } of layers) {
    if (Object.hasOwn(values, name) && !open.some((layer) => layer.name === name))
      throw new MoteError("RECIPE", `${place}.${name}: an earlier stage has brought this layer to its integers`);
  }
  const settled = Object.fromEntries(
    open.flatMap(({ name }) => (Object.hasOwn(selected, name) ? [[name, selected[name]]] : [])),
  );
  if (Object.keys(settled).length > 0) return settled;
  throw new MoteError("RECIPE", `${place}: earlier stages have brought all its layers to their integers`);
}
