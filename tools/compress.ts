/** `mote compress`: a recipe → a net whose weights are integers on a scale, and the container packed from it. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { MoteError } from "../host/errors.js";
import { packageRoot } from "../host/node/paths.js";
import { compareInit } from "./compress/compare-init.js";
import { compressByRecipe, type RecipeFlags } from "./compress/recipe-run.js";
import { wholeNumber } from "./whole-number.js";

interface Flags extends RecipeFlags {
  readonly compareInit?: string;
  readonly bits: number;
}

export function compressCommand(): Command {
  return new Command("compress")
    .description("prune, share weights, fine-tune and calibrate a net by a recipe")
    .argument("[recipe]", "JSON file, such as models/lenet5.json; docs/compress.md describes its keys")
    .option("-o, --out <file>", "where the result goes: a container (.mote) or the compressed net (.safetensors)")
    .option("--checkpoint <file>", "also write the compressed net (.safetensors), which `mote pack` takes")
    .option("--from <file>", "start from this trained net (.safetensors) instead of the recipe's teacher")
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
      "instead of a recipe: k-means on this net from Forgy, density and linear starts, side by side",
    )
    .option("--bits <n>", "codebook bits for --compare-init", wholeNumber(1, 8), 5)
    .option("--allow-chance", "write the result though it does no better than one that always answers the same class")
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      "\nExample:\n  mote compress models/lenet5.json --out lenet5.mote --checkpoint lenet5.safetensors",
    )
    .action(async (recipe: string | undefined, flags: Flags) => {
      if (flags.compareInit !== undefined) await compareInit(flags.compareInit, flags);
      else if (recipe === undefined) throw new MoteError("ARGUMENT", "compress: expected a recipe; models/ has some");
      else await compressByRecipe(recipe, flags);
    });
}
