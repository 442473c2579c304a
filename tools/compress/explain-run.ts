/** `mote compress NET --explain`: what methods would make of a net, and a recipe; see host/compress/explain.ts. */
import { dirname } from "node:path";
import { round, type RecipeHead } from "../../host/compress/candidates.js";
import { parseCosts, type Costs } from "../../host/compress/costs.js";
import {
  explain,
  LAYER_VARIANTS,
  NOISE,
  USUAL_DROP,
  type Explanation,
  type MethodSizes,
} from "../../host/compress/explain.js";
import { goalText, stepLines } from "../../host/compress/goal.js";
import { headFor } from "../../host/compress/recipe-head.js";
import { trainingEpochs, type Budget } from "../../host/compress/search.js";
import { MoteError, printable } from "../../host/errors.js";
import { resultsOf } from "../../host/model/edges.js";
import { valuesOf } from "../../host/model/geometry.js";
import type { Graph, Net } from "../../host/model/model.js";
import { sampleShape, tensorShapes } from "../../host/model/shapes.js";
import { checkWritable } from "../../host/node/check-writable.js";
import { movedNet, movedRecipe } from "../../host/node/compress/recipe-files.js";
import { builtFile } from "../../host/node/paths.js";
import { readFile } from "../../host/node/read-file.js";
import { openNet, withData, type OpenedNet } from "../../host/node/train/open-net.js";
import { writeFileAtomic } from "../../host/node/write-file.js";
import type { OwnData } from "../../host/data/data-spec.js";
import { CLASSES, taskText } from "../../host/train/losses.js";
import type { Augmentation } from "../../host/train/augment.js";
import { Output } from "../output.js";
import { balancedTask, dataSpecOf, taskOf, type TaskFlags, type TrainingDataFlags } from "../training-flags.js";
import { goalOf, type GoalFlags } from "./search-run.js";

export interface ExplainFlags extends TrainingDataFlags, TaskFlags, GoalFlags {
  readonly budget: Budget;
  readonly seed?: number;
  readonly augment?: Augmentation;
  readonly recipeOut?: string;
  readonly json?: true;
}

/** What a recipe without `data` is for. */
const MNIST = { values: 784, classes: 10, samples: 60_000 };
/** Of a recipe: what a stage may have at most, and less than which teaches nothing. */
const EPOCHS = { least: 0.5, most: 1000 };

/** @param name a file or one of ours */
export function explainNet(name: string, flags: ExplainFlags): void {
  const { recipeOut, data } = flags;
  const output = new Output({ json: flags.json, files: [recipeOut] });
  if (recipeOut !== undefined) checkWritable(recipeOut);
  const opened = openNet(name, { colours: flags.colours, note: (line) => output.line(`${name}: ${line}`) });
  const isOfMnist = takesMnist(opened.net.graph);
  if (recipeOut !== undefined && data === undefined && !isOfMnist)
    throw new MoteError("ARGUMENT", "--recipe-out: the recipe has to say what it trains on; --data is missing");
  const { head, given, epochs } =
    data === undefined ? withoutData(name, opened, flags) : withTheirData(name, opened, flags);
  const goal = goalOf(flags);
  const costs = readCosts();
  const explanation = explain({ net: given, goal, costs, head, epochs });
  const goalWords = goalText(goal) || `at most ${USUAL_DROP} points more error, since no goal is given`;
  output.lines([`goal: ${goalWords}. Nothing was trained.`, ...stepLines(given.graph)]);
  show(explanation, costs, output);
  const written = recipeOut === undefined ? [] : [recipeOut];
  if (recipeOut !== undefined) {
    const recipe = moved(explanation.recipe, dirname(recipeOut));
    writeFileAtomic(recipeOut, Buffer.from(`${JSON.stringify(recipe, null, 2)}\n`));
  }
  output.lines([
    data !== undefined || isOfMnist
      ? `the recipe, as mote compress takes it${data === undefined ? "; it trains on MNIST, and --data names other samples" : ""}:`
      : "the recipe, which still has to say what it trains on (--data):",
  ]);
  for (const line of JSON.stringify(explanation.recipe, null, 1).split("\n")) output.line(line);
  for (const file of written) output.line(`wrote ${file}`);
  output.json(() => ({ net: name, goal, ...explanation, measuredBy: costs.command, written }));
}

/** Whether each digit fits the input, and each class has an output. */
const takesMnist = (graph: Graph): boolean =>
  valuesOf(sampleShape(graph)) === MNIST.values &&
  valuesOf(tensorShapes(graph).get(resultsOf(graph)[0])!) === MNIST.classes;

interface Start {
  readonly head: RecipeHead;
  readonly given: Net;
  readonly epochs: number;
}

function withoutData(name: string, { net }: OpenedNet, { seed = 1, budget }: ExplainFlags): Start {
  return { head: { net: name, seed }, given: net, epochs: epochsOf(budget, net, MNIST.samples) };
}

function withTheirData(name: string, opened: OpenedNet, flags: ExplainFlags): Start {
  const { seed = 1, budget, augment } = flags;
  const asked = taskOf(flags, flags);
  const { net, data, warnings } = withData(name, opened, dataSpecOf(flags, undefined), asked);
  for (const warning of warnings) process.stderr.write(`mote: warning: ${printable(warning)}\n`);
  const balanced = balancedTask(flags, asked, net.graph, data);
  const task = taskText(balanced) === taskText(CLASSES) ? undefined : balanced;
  const head = headFor({ net: name, given: net, data: data.spec, train: data.train, task, seed, budget, augment });
  return { head, given: net, epochs: epochsOf(budget, net, data.train.count) };
}

const epochsOf = (budget: Budget, { graph }: Net, count: number): number =>
  round(Math.min(EPOCHS.most, Math.max(EPOCHS.least, trainingEpochs(budget, graph, count))), 3);

/** As seen from the folder that it is written to. */
function moved(recipe: RecipeHead, folder: string): object {
  return recipe.data === undefined
    ? { ...recipe, net: movedNet(recipe.net, ".", folder) }
    : movedRecipe({ ...recipe, data: recipe.data as OwnData }, ".", folder);
}

function readCosts(): Costs {
  const path = builtFile("bench/costs.json");
  return parseCosts(Buffer.from(readFile(path)).toString("utf8"), path);
}

const bytesOf = (bytes: number | null): string => (bytes === null ? "-" : String(Math.round(bytes)));

function show({ like, layers, methods, proposed }: Explanation, costs: Costs, output: Output): void {
  output.line("bytes of each layer, by the packer, if it were ...");
  output.table([
    ["layer", "weights", "multipl.", "grid", "10 %", "rank", "1 bit", "ternary", "4 bits"],
    ...layers.map(({ layer, weights, multiplications, bytes }) => [
      layer,
      String(weights),
      String(multiplications),
      ...LAYER_VARIANTS.map((id) => bytesOf(bytes[id])),
    ]),
  ]);
  output.line();
  const isLimited = (key: "ram" | "instructions"): boolean =>
    methods.some(({ figures }) => figures?.[key] !== undefined);
  const keys = (["ram", "instructions"] as const).filter(isLimited);
  output.table([
    ["method", "bytes", ...keys.map((key) => ({ ram: "RAM", instructions: "instructions" })[key]), "points", "fits"],
    ...methods.map((method) => [method.name, ...cells(method, keys)]),
  ]);
  output.line();
  output.lines([
    "Bytes, RAM and instructions are estimates: of the weights as they are, by size alone; training moves them.",
    `Points are what a method has cost on ${costs.nets[like]}, MNIST, in ${costs.epochs} epochs (${costs.command}, ${costs.commit}): short trainings of one seed, where ${NOISE} points are chance. ` +
      "They tell methods apart; what they cost here a run has to show.",
    ...methods.flatMap(notes),
    `proposed: ${proposed.name}${proposed.points === null ? ", of which so few weights were not measured" : `, ${signed(proposed.points)} points there`}`,
  ]);
}

const cells = ({ figures, points, isWithin }: MethodSizes, keys: readonly ("ram" | "instructions")[]): string[] => [
  bytesOf(figures?.bytes ?? null),
  ...keys.map((key) => bytesOf(figures?.[key] ?? null)),
  points === null ? "-" : signed(points),
  figures === null ? "-" : isWithin ? "yes" : "no",
];

const signed = (points: number): string => `${points < 0 ? "-" : "+"}${Math.abs(points).toFixed(2)}`;

/** Layers that a method leaves alone, those of a reason together. */
function notes({ name, passesOver, problem }: MethodSizes): string[] {
  const by = new Map<string, string[]>();
  for (const [layer, why] of Object.entries(passesOver)) by.set(why, [...(by.get(why) ?? []), layer]);
  const reasons = [...by].map(([why, layers]) => `${layers.join(", ")}: ${why}`);
  const all = [...(problem === null ? [] : [problem]), ...reasons];
  return all.length === 0 ? [] : [`${name}: ${all.join("; ")}`];
}
