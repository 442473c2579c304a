/** The containers that mutations start from: small models of every kind, and the smallest one shipped. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeContainer } from "../../host/container/write.js";
import { packageRoot } from "../../host/node/paths.js";
import { syntheticModels, type NamedModel } from "../support/models.js";
import { wideModels } from "../support/wide.js";
import { makeRoomy, makeSeed, makeSmallSeed, statedPlan, type Seed } from "./mutate.js";

/** Above this a case costs too much to run many of. */
const MAX_SEED_BYTES = 4096;
const PAGE_BYTES = 65536;
/** Those that are small containers as well. */
const SMALL = ["tiny", "per channel", "streaming", "concatenations"];

/** Those that are written by codec 2 as well. */
const ARITHMETIC = ["tiny", "padded", "groups", "codebook", "dead columns", "no weights"];
/** And by codec 3. */
const CABAC = ["tiny", "groups", "codebook", "per channel"];
/** And by codec 4. */
const GAUSSIAN = ["dense codec", "signs", "one dense output"];

function seedsOf({ name, model }: NamedModel, title: string): Seed[] {
  const seeds = [makeSeed(title, writeContainer(model))];
  if (ARITHMETIC.includes(name))
    seeds.push(makeSeed(`arithmetic ${title}`, writeContainer(model, { codec: "arithmetic" })));
  if (CABAC.includes(name)) seeds.push(makeSeed(`cabac ${title}`, writeContainer(model, { codec: "cabac" })));
  if (GAUSSIAN.includes(name)) seeds.push(makeSeed(`gaussian ${title}`, writeContainer(model, { codec: "gaussian" })));
  if (SMALL.includes(name)) seeds.push(makeSmallSeed(title, model));
  return seeds;
}

/** Of int8 elements, and the same models of int16. */
export function makeCorpus(): Seed[] {
  const seeds = [
    ...syntheticModels().flatMap((one) => seedsOf(one, one.name)),
    ...wideModels().flatMap((one) => seedsOf(one, `wide ${one.name}`)),
  ];
  const shipped = join(packageRoot, "models", "lenet5.mote");
  if (existsSync(shipped)) seeds.push(makeSeed("lenet5", new Uint8Array(readFileSync(shipped))));
  const small = seeds.filter(({ bytes }) => bytes.length <= MAX_SEED_BYTES && statedPlan(bytes, false) <= PAGE_BYTES);
  return [...small, ...small.map(makeRoomy).filter((seed) => seed !== undefined)];
}
