import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readContainer } from "../../host/container/read.js";
import { Random } from "../../host/rng.js";
import { budget, bytes, count, points } from "../../tools/compress/amounts.js";
import { compressCommand } from "../../tools/compress.js";

let folder: string;
const at = (name: string): string => join(folder, name);

/** 8 numbers, of which one of four is greater than the others. */
function table(samples: number): string {
  const random = new Random(5);
  const rows = Array.from({ length: samples }, () => {
    const label = random.integer(4);
    const values = Array.from({ length: 8 }, (_, i) => 0.5 * random.uniform() + (i === label ? 0.45 : 0));
    return [...values.map((value) => value.toFixed(3)), label].join();
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

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-search-command-"));
  mkdirSync(at("recipes"));
  writeFileSync(at("data.csv"), table(400));
  writeFileSync(at("net.json"), JSON.stringify(graph));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function compress(...args: string[]): Promise<Record<string, unknown>> {
  const write = process.stdout.write.bind(process.stdout);
  const error = process.stderr.write.bind(process.stderr);
  let printed = "";
  process.stdout.write = (text: string | Uint8Array) => ((printed += String(text)), true);
  process.stderr.write = () => true;
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
  args.map((arg) => (/\.(csv|json|mote)$/.test(arg) ? relative(".", at(arg)) : arg));

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
  expect((again.stages as { seconds: number }[]).map(({ seconds }) => seconds)).toEqual(Array(6).fill(0));
}, 60_000);

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
