/** `mote compress`: a recipe, or a net and a goal that a recipe is searched for → a net of small integers, packed. */
import { STAGE_KINDS } from "../host/compress/recipe.js";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { MoteError } from "../host/errors.js";
import { parseAugmentation, type Augmentation } from "../host/train/augment.js";
import { packageRoot } from "../host/node/paths.js";
import { addCodecFlags } from "./codec-flags.js";
import { budget, bytes, count, points } from "./compress/amounts.js";
import { compareInit } from "./compress/compare-init.js";
import { flagOf } from "./flag-name.js";
import { explainNet, type ExplainFlags } from "./compress/explain-run.js";
import { compressByRecipe, type RecipeFlags } from "./compress/recipe-run.js";
import { compressToGoal, type SearchFlags } from "./compress/search-run.js";
import { addTaskFlags, addTrainingDataFlags } from "./training-flags.js";
import { wholeNumber } from "./whole-number.js";

interface Flags extends RecipeFlags, SearchFlags, ExplainFlags {
  readonly explain?: true;
  readonly net?: string;
  readonly compareInit?: string;
  readonly bits: number;
}

const EXAMPLES = `
Examples:
  mote compress models/lenet5.json -o lenet5.mote
  mote compress model.onnx --data train.npz --target 20kB -o model.mote --recipe-out recipe.json
  mote compress model.onnx --data pictures/ --max-drop 0.5 -o model.mote
  mote compress --net lenet5 --data fashion --target 4500 --budget 60 -o fashion.mote
  mote compress model.onnx --data train.npz --ram 32kB --instructions 5M --dry-run
  mote compress model.onnx --explain --target 20kB --data train.npz --recipe-out recipe.json
Stages of a recipe: ${STAGE_KINDS.join(", ")}. Scores of prune: rate, codec, lamp,
magnitude, obd (Optimal Brain Damage), obs (Surgeon: the others make up for what goes); or "quality", thresholds by σ.
A recipe has its own data, task and augmentation; --data and its like are for a search. docs/compress.md describes recipes and how one is searched for.`;

export function compressCommand(): Command {
  const command = new Command("compress")
    .description("prune, fine-tune on small integers and pack a net: by a recipe, or to a size, a loss or a device")
    .argument("[input]", "a recipe (.json); with a goal, a net: .onnx, .tflite, .safetensors, a graph (.json), lenet5")
    .option("-o, --out <file>", "where the result goes: a container (.mote) or the compressed net (.safetensors)")
    .option("--checkpoint <file>", "also write the compressed net (.safetensors), which `mote pack` takes")
    .option("--report <file>", "also write what the run has come to, as mote report does (.html)")
    .option("--from <file>", "start from this trained net (.safetensors) instead of the recipe's teacher")
    .option("--target <bytes>", "goal: a container of at most so many bytes (1800, 20kB), of the least error", bytes)
    .option(
      "--max-drop <points>",
      "goal: the smallest container that errs on at most so many points more, of mse percent",
      points,
    )
    .option("--ram <bytes>", "goal: memory of a run, as mote inspect has it", bytes)
    .option("--instructions <n>", "goal: instructions of an inference on a Cortex-M4, as the packer counts them", count)
    .option("--net <name>", "with a goal or --explain: the net, in the place of the argument");
  return addTaskFlags(addTrainingDataFlags(addCodecFlags(command)))
    .option(
      "--augment <x>",
      "0 none … 1 strong, or amounts: shift=2,noise=20; default: 0.3 for pictures, else none",
      augmentation,
    )
    .option(
      "--budget <amount>",
      "training of a search: minutes of two cores, or epochs (60epochs). The result depends on it, not on the time",
      budget,
      { minutes: 15 },
    )
    .option("--recipe-out <file>", "with a goal or --explain: also write the recipe that was found")
    .option("--dry-run", "with a goal: show what would be run first")
    .option(
      "--explain",
      "train nothing: what methods would make of the net, what they have cost elsewhere, and a recipe; goal and --data may be given",
    )
    .option("--seed <n>", "instead of the recipe's seed", wholeNumber(0, 2 ** 31 - 1))
    .option(
      "--threads <n>",
      "worker threads; the result does not depend on it",
      wholeNumber(1, 64),
      Math.min(4, availableParallelism()),
    )
    .option(
      "--work <folder>",
      "what finished stages and a stopped one have done: the same command goes on from there",
      join(packageRoot, "build", "work"),
    )
    .option(
      "--compare-init <file>",
      "instead of a recipe: k-means on this net from Forgy, density and linear starts, side by side; by --data (mnist)",
    )
    .option("--bits <n>", "codebook bits for --compare-init", wholeNumber(1, 8), 5)
    .option("--allow-chance", "write the result though it does no better than one that always answers the same class")
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText("after", EXAMPLES)
    .action((input: string | undefined, flags: Flags) => compress(input, flags));
}

const GOALS = ["target", "maxDrop", "ram", "instructions"] as const;
/** What samples are, and what is learnt of them. */
const OF_DATA = [
  "validation",
  "testData",
  "labels",
  "targets",
  "splitSeed",
  "validationCount",
  "validationCopies",
  "colours",
  "layout",
  "scale",
  "mean",
  "std",
  "loss",
  "metric",
  "classWeights",
  "augment",
] as const;
/** Of no use, and so a mistake, without a goal. */
const OF_SEARCH = ["net", "data", ...OF_DATA, "recipeOut", "dryRun"] as const;

/** What a run begins with or leaves. */
const OF_RUN = [
  "out",
  "checkpoint",
  "report",
  "from",
  "codec",
  "decodeCost",
  "container",
  "dryRun",
  "allowChance",
  "compareInit",
] as const;

/** Of no use beside --compare-init, which counts errors of classes on validation samples. */
const NOT_COMPARED = [
  ...GOALS,
  ...OF_RUN.filter((key) => key !== "compareInit"),
  "net",
  "testData",
  "targets",
  "loss",
  "metric",
  "classWeights",
  "augment",
  "recipeOut",
] as const;

async function compress(input: string | undefined, flags: Flags): Promise<void> {
  if (flags.explain) {
    const other = OF_RUN.find((key) => flags[key] !== undefined);
    if (other !== undefined)
      throw new MoteError("ARGUMENT", `${flagOf(other)}: --explain runs nothing; --recipe-out writes its recipe`);
    const idle = flags.data === undefined ? OF_DATA.find((key) => flags[key] !== undefined) : undefined;
    if (idle !== undefined) throw new MoteError("ARGUMENT", `${flagOf(idle)} needs --data, beside --explain`);
    explainNet(netOf(input, flags), flags);
    return;
  }
  if (flags.compareInit !== undefined) {
    const idle = NOT_COMPARED.find((key) => flags[key] !== undefined);
    if (input !== undefined || idle !== undefined)
      throw new MoteError("ARGUMENT", `${idle === undefined ? input : flagOf(idle)}: of no use beside --compare-init`);
    return compareInit(flags.compareInit, flags);
  }
  if (GOALS.some((goal) => flags[goal] !== undefined)) return search(input, flags);
  const idle = OF_SEARCH.find((key) => flags[key] !== undefined);
  if (idle !== undefined)
    throw new MoteError("ARGUMENT", `${flagOf(idle)} needs a goal: --target, --max-drop, --ram or --instructions`);
  if (input === undefined) throw new MoteError("ARGUMENT", "compress: expected a recipe; models/ has some");
  return compressByRecipe(input, flags);
}

/** @throws MoteError ARGUMENT unless there is one */
function netOf(input: string | undefined, { net: named }: Flags): string {
  const net = input ?? named;
  if (net === undefined || (input !== undefined && named !== undefined))
    throw new MoteError("ARGUMENT", "compress: expected one net to compress, an argument or --net");
  return net;
}

function search(input: string | undefined, flags: Flags): Promise<void> {
  const net = netOf(input, flags);
  if (flags.from !== undefined) throw new MoteError("ARGUMENT", "--from: with a goal, the argument is the net");
  return compressToGoal(net, flags);
}

function augmentation(text: string): Augmentation {
  try {
    return parseAugmentation(text, "--augment");
  } catch (error) {
    if (error instanceof MoteError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}
