/** The containers that mutations start from: small models of every kind, and the smallest one shipped. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeContainer } from "../../host/container/write.js";
import { packageRoot } from "../../host/node/paths.js";
import { syntheticModels } from "../support/models.js";
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

export function makeCorpus(): Seed[] {
  const seeds = syntheticModels().map(({ name, model }) => makeSeed(name, writeContainer(model)));
  for (const { name, model } of syntheticModels().filter((one) => ARITHMETIC.includes(one.name)))
    seeds.push(makeSeed(`arithmetic ${name}`, writeContainer(model, { codec: "arithmetic" })));
  for (const { name, model } of syntheticModels().filter((one) => CABAC.includes(one.name)))
    seeds.push(makeSeed(`cabac ${name}`, writeContainer(model, { codec: "cabac" })));
  for (const { name, model } of syntheticModels()) {
    if (SMALL.includes(name)) seeds.push(makeSmallSeed(name, model));
  }
  const shipped = join(packageRoot, "models", "lenet5.mote");
  if (existsSync(shipped)) seeds.push(makeSeed("lenet5", new Uint8Array(readFileSync(shipped))));
  const small = seeds.filter(({ bytes }) => bytes.length <= MAX_SEED_BYTES && statedPlan(bytes, false) <= PAGE_BYTES);
  return [...small, ...small.map(makeRoomy).filter((seed) => seed !== undefined)];
}
