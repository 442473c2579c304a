/** What the variants of host/compress/variants.ts cost on two nets: the table that `mote compress --explain` reads. */
import { SEARCH_BIAS_BITS } from "../../host/compress/candidates.js";
import { COST_NETS, encodeCosts, type Cost, type CostNet } from "../../host/compress/costs.js";
import { weightedLayers } from "../../host/compress/integer-stages.js";
import { narrowGraph } from "../../host/compress/narrow.js";
import { parseRecipe } from "../../host/compress/recipe.js";
import { LAST_STAGES, VARIANTS } from "../../host/compress/variants.js";
import type { Graph } from "../../host/model/model.js";
import { loadMnist } from "../../host/node/data/mnist.js";
import { measureIntegers, packed } from "../../host/node/compress/integer-model.js";
import { runRecipe } from "../../host/node/compress/run-recipe.js";
import { lenet300, lenet5 } from "../../host/train/nets.js";
import { rounded, type BenchOptions, type Figure, type Group } from "./figure.js";
import { WORK } from "./methods/family.js";

/** Of a variant, in all. */
const EPOCHS = 3;

const UNITS = { conv1: 8, conv2: 16, fc1: 64 };

interface Measured {
  readonly name: string;
  /** As variants find it. */
  readonly graph: Graph;
  readonly head: object;
  /** Stages that bring the net to where variants begin. */
  readonly first: readonly object[];
}

const NETS: Readonly<Record<CostNet, Measured>> = {
  dense: {
    name: "LeNet-300-100",
    graph: lenet300,
    head: { net: "lenet300", teacher: { epochs: 3, lr: 0.002, weightDecay: 0.01 } },
    first: [],
  },
  conv: {
    name: "LeNet-5 of 8-16-64 units",
    graph: narrowGraph(lenet5, UNITS),
    head: { net: "lenet5", teacher: { epochs: 0 } },
    first: [
      { kind: "narrow", units: UNITS },
      { kind: "train", epochs: 3, lr: 0.002, lrEnd: 1e-5 },
    ],
  },
};

export const costsGroup: Group = {
  name: "costs",
  summary:
    "points that each way to compress costs on two small nets, kept in build/work/methods; compress --explain reads them",
  measure: async (options) => {
    const figures: Figure[] = [];
    for (const net of COST_NETS) figures.push(...(await costsOf(net, options)));
    return figures;
  },
  files: (figures, { command, commit }) => [["costs.json", costsFile(figures, command, commit)]],
};

async function costsOf(net: CostNet, { threads, note }: BenchOptions): Promise<Figure[]> {
  const { name, graph, head, first } = NETS[net];
  const { train, validation } = loadMnist();
  const figures: Figure[] = [];
  for (const { id, name: method, problem, stages } of VARIANTS) {
    if (problem !== undefined && weightedLayers(graph).every((layer) => problem(graph)(layer) !== null)) continue;
    note(`${name}, ${method}`);
    const recipe = {
      ...head,
      stages: [...first, ...stages(graph, EPOCHS), ...LAST_STAGES],
      pack: { biasBits: SEARCH_BIAS_BITS },
    };
    const parsed = parseRecipe(JSON.stringify(recipe), `costs of ${id}`);
    const run = await runRecipe({ recipe: parsed, data: { train, validation }, work: WORK, threads });
    const model = packed(run.net, parsed.pack);
    const float = run.reports[first.length].error;
    const { error } = measureIntegers(model, validation, undefined);
    figures.push({
      id: `costs.${net}.${id}`,
      name: `${name}, ${method}, ${EPOCHS} epochs: validation error above the float net's ${rounded(float)} %`,
      value: rounded(error - float),
      unit: "points",
      detail: { bytes: model.length },
    });
  }
  return figures;
}

/** What of these figures `compress --explain` reads. */
export function costsFile(figures: readonly Figure[], command: string, commit: string): string {
  const costs = figures.flatMap(({ id, value, detail }): Cost[] => {
    const [group, net, variant] = id.split(".");
    if (group !== "costs") return [];
    return [{ variant, net: net as CostNet, points: value as number, bytes: detail!.bytes }];
  });
  const nets = Object.fromEntries(COST_NETS.map((net) => [net, NETS[net].name])) as Record<CostNet, string>;
  return encodeCosts({ command, commit, epochs: EPOCHS, nets, costs });
}
