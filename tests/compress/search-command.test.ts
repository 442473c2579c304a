import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readContainer } from "../../host/container/read.js";
import { parseRecipe } from "../../host/compress/recipe.js";
import type { Graph, Net } from "../../host/model/model.js";
import { parameterShapes } from "../../host/model/shapes.js";
import { openRecipe } from "../../host/node/compress/recipe-files.js";
import { findRun } from "../../host/node/report/run-files.js";
import { readCheckpoint, writeCheckpoint } from "../../host/node/train/checkpoint.js";
import { Random } from "../../host/rng.js";
import { budget, bytes, count, points } from "../../tools/compress/amounts.js";
import { compressCommand } from "../../tools/compress.js";

let folder: string;
const at = (name: string): string => join(folder, name);

/** 8 numbers, of which one of four is greater than the others. */
function table(samples: number, seed = 5, words?: readonly string[]): string {
  const random = new Random(seed);
  const rows = Array.from({ length: samples }, () => {
    const label = random.integer(4);
    const values = Array.from({ length: 8 }, (_, i) => 0.5 * random.uniform() + (i === label ? 0.45 : 0));
    return [...values.map((value) => value.toFixed(3)), words?.[label] ?? label].join();
  });
  return ["a,b,c,d,e,f,g,h,class", ...rows].join("\n");
}

const graph = {
  name: "largest",
  input: { name: "x", shape: [8, 1, 1] },
  layers: [
    { op: "dense", name: "fc1", input: "x", output: "fc1", outFeatures: 16 },
    { op: "relu", name: "relu", input: "fc1", output: "relu" },
    { op: "dense", name: "fc2", input: "relu", output: "fc2", outFeatures: 4 },
  ],
};

const WORDS = ["ant", "bee", "cow", "dog"];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-search-command-"));
  mkdirSync(at("recipes"));
  writeFileSync(at("data.csv"), table(400));
  writeFileSync(at("words.csv"), table(300, 6, WORDS));
  writeFileSync(at("more.csv"), table(100, 7, WORDS));
  writeFileSync(at("net.json"), JSON.stringify(graph));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let said = "";
async function compress(...args: string[]): Promise<Record<string, unknown>> {
  const write = process.stdout.write.bind(process.stdout);
  const error = process.stderr.write.bind(process.stderr);
  let printed = "";
  said = "";
  process.stdout.write = (text: string | Uint8Array) => ((printed += String(text)), true);
  process.stderr.write = (text: string | Uint8Array) => ((said += String(text)), true);
  try {
    await compressCommand().parseAsync([...args, "--work", at("work"), "--threads", "1", "--json"], { from: "user" });
  } finally {
    process.stdout.write = write;
    process.stderr.write = error;
  }
  return JSON.parse(printed) as Record<string, unknown>;
}

const goal = ["--data", "data.csv", "--labels", "column:class", "--target", "170", "--budget", "40epochs"];
/** Seen from the working folder, as a recipe elsewhere cannot have them. */
const inFolder = (args: readonly string[]): string[] =>
  args.map((arg) => (/\.(csv|html|json|mote|safetensors)$/.test(arg) ? relative(".", at(arg)) : arg));

test("a graph and a table by flags alone: a model of the size, and a recipe that gives it again", async () => {
  const out = ["-o", "model.mote", "--recipe-out", "recipes/best.json"];
  const result = await compress(...inFolder(["net.json", ...goal, ...out]));
  const model = readFileSync(at("model.mote"));
  expect(result).toMatchObject({ goal: { bytes: 170 }, containerBytes: model.length });
  expect(model.length).toBeLessThanOrEqual(170);
  expect(readContainer(model).model.tensors[0].shape).toEqual([8, 1, 1]);
  // Three of four guesses are wrong.
  expect(result.validationError).toBeLessThan(40);
  expect(result.trials).toHaveLength(6);

  const recipe = JSON.parse(readFileSync(at("recipes/best.json"), "utf8")) as Record<string, unknown>;
  expect(recipe).toMatchObject({ net: "../net.json", data: { train: "../data.csv", labels: "column:class" } });
  const again = await compress(at("recipes/best.json"), "-o", at("again.mote"));
  expect(readFileSync(at("again.mote")).equals(model)).toBe(true);
  // All of it was there.
  expect((again.stages as { seconds: number }[]).map(({ seconds }) => seconds)).toEqual(Array(7).fill(0));
}, 60_000);

test("codec and container of the flags stand in the recipe, which a flag overrides", async () => {
  const flags = ["--codec", "arithmetic", "--container", "small", "--recipe-out", "recipes/small.json"];
  await compress(...inFolder(["net.json", ...goal, ...flags, "-o", "small.mote"]));
  const recipe = JSON.parse(readFileSync(at("recipes/small.json"), "utf8")) as Record<string, unknown>;
  expect(recipe.pack).toEqual({ biasBits: 7, codec: "arithmetic", container: "small" });
  const [small, plain] = [at("small-again.mote"), at("plain.mote")];
  const isPlain = (path: string): boolean => readFileSync(path, "latin1").startsWith("MOT");
  await compress(at("recipes/small.json"), "-o", small);
  expect(readFileSync(small).equals(readFileSync(at("small.mote")))).toBe(true);
  expect(isPlain(small)).toBe(false);
  await compress(at("recipes/small.json"), "--container", "plain", "-o", plain);
  expect(isPlain(plain)).toBe(true);
}, 60_000);

test("classes go with the result, which keeps what it was trained on; the recipe has all of the data", async () => {
  const data =
    "--data words.csv --validation more.csv --labels column:class --labels column:class --mean 0.4 --std 0.25";
  const task = "--class-weights balanced --metric f1 --target 190 --budget 6epochs --allow-chance";
  const out = ["-o", "words.mote", "--checkpoint", "words.safetensors", "--recipe-out", "recipes/words.json"];
  const report = ["--report", "words.html"];
  const result = await compress(...inFolder(["net.json", ...`${data} ${task}`.split(" "), ...out, ...report]));
  expect(readContainer(readFileSync(at("words.mote"))).model.labels).toEqual(WORDS);
  const { net, data: records } = readCheckpoint(at("words.safetensors"));
  expect(net.graph.ends!.labels).toEqual(WORDS);
  expect(records).toMatchObject([{ count: 300, spec: { train: relative(".", at("words.csv")) } }]);

  const page = readFileSync(at("words.html"), "utf8");
  for (const name of [...WORDS, "3 grid", "4 dead-units"]) expect(page).toContain(name);
  // Real numbers, as the net sees them.
  for (const part of ["quality", "sensitivity", "speed"]) expect(page).toContain(`<h2 id="${part}">`);
  const recipe = JSON.parse(readFileSync(at("recipes/words.json"), "utf8")) as Record<string, unknown>;
  expect(recipe).toMatchObject({
    net: "../net.json",
    data: { train: "../words.csv", validation: "../more.csv", labels: ["column:class", "column:class"], mean: [0.4] },
    task: { loss: "softmax", metric: "f1", classWeights: expect.any(Array) },
  });
  const { record } = findRun(at("recipes/words.json"), at("work"));
  expect(record.model.bytes).toBe(result.containerBytes);
  // The same recipe elsewhere is of other files.
  mkdirSync(at("others/recipes"), { recursive: true });
  copyFileSync(at("recipes/words.json"), at("others/recipes/words.json"));
  expect(() => findRun(at("others/recipes/words.json"), at("work"))).toThrow("holds no record of it");
  expect(record.stages.map(({ seconds }) => seconds !== null && seconds > 0)).toEqual(Array(7).fill(true));
  // Its paths are the recipe's, wherever the command runs.
  expect(openRecipe(parseRecipe(JSON.stringify(record.recipe), "r"), record.folder).data.train.count).toBe(300);

  // By another part of the same samples.
  const again = [
    "--data",
    "more.csv",
    "--validation",
    "words.csv",
    "--labels",
    "column:class",
    "--mean",
    "0.4",
    "--std",
    "0.25",
  ];
  const start = { graph: net.graph, tensors: trainedTensors(net.graph) };
  writeCheckpoint(at("start.safetensors"), { net: start, data: records! });
  await compress(...inFolder(["start.safetensors", ...again, "--target", "300", "--budget", "1epochs", "--dry-run"]));
  expect(said).toContain("start.safetensors has been trained on 300 of the 300 validation samples");
}, 60_000);

/** Any weights. */
function trainedTensors(of: Graph): Net["tensors"] {
  const random = new Random(1);
  return new Map(
    [...parameterShapes(of)].map(([name, shape]) => {
      const count = shape.reduce((a, b) => a * b, 1);
      return [name, { shape, data: Float32Array.from({ length: count }, () => random.uniform() - 0.5) }];
    }),
  );
}

test("a dry run shows what would come, and writes nothing", async () => {
  const result = await compress(...inFolder(["net.json", ...goal, "--dry-run"]));
  expect(result).toMatchObject({
    epochs: 40,
    first: [{ candidate: "even" }, { candidate: "finer" }, { candidate: "coarser" }],
  });
}, 60_000);

test("amounts", () => {
  expect(["1800", "20kB", "1.5KiB", "2 MB"].map(bytes)).toEqual([1800, 20_000, 1536, 2_000_000]);
  expect(["250", "250k", "1.5M"].map(count)).toEqual([250, 250_000, 1_500_000]);
  expect(["0", "0.5"].map(points)).toEqual([0, 0.5]);
  expect(["15", "2.5min", "60epochs"].map(budget)).toEqual([{ minutes: 15 }, { minutes: 2.5 }, { epochs: 60 }]);
});
