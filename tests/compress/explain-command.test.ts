/** `mote compress NET --explain` as it is called. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { readContainer } from "../../host/container/read.js";
import type { Graph } from "../../host/model/model.js";
import { writeCheckpoint } from "../../host/node/train/checkpoint.js";
import { lastJson, mote, scratchFolder } from "../cli/support.js";
import { barSamples, smallNet, startedNet } from "../train/support.js";

const { path: at } = scratchFolder();

const graph: Graph = {
  name: "parity",
  input: { name: "x", shape: [2, 1, 1] },
  layers: [
    { op: "dense", name: "fc1", input: "x", output: "fc1", outFeatures: 64 },
    { op: "relu", name: "relu", input: "fc1", output: "relu" },
    { op: "dense", name: "fc2", input: "relu", output: "fc2", outFeatures: 2 },
  ],
};

beforeAll(async () => {
  mkdirSync(at("recipes"));
  const rows = Array.from({ length: 200 }, (_, i) => `${i / 200},${((3 * i) % 5) / 5},${i % 2}`);
  writeFileSync(at("data.csv"), ["a,b,class", ...rows].join("\n"));
  const samples = { count: 32, images: new Uint8Array(64), labels: new Uint8Array(32) };
  writeCheckpoint(at("net.safetensors"), { net: await startedNet(graph, samples) });
  writeCheckpoint(at("bars.safetensors"), { net: await startedNet(smallNet, barSamples(32, 1)) });
  writeFileSync(at("graph.json"), JSON.stringify(graph));
});

const explain = (net: string, ...args: string[]): ReturnType<typeof mote> =>
  mote(["compress", net, "--explain", ...args], { cwd: at(".") });
const data = ["--data", "data.csv", "--labels", "column:class", "--budget", "1epochs"];

test("the recipe that it writes runs as it is", async () => {
  const explained = await explain(
    "net.safetensors",
    "--target",
    "200",
    ...data,
    "--recipe-out",
    "recipes/best.json",
    "--json",
  );
  expect(explained.stderr).not.toContain("mote:");
  expect(lastJson(explained)).toMatchObject({ goal: { bytes: 200 }, proposed: { isWithin: true } });
  const recipe = JSON.parse(readFileSync(at("recipes/best.json"), "utf8")) as object;
  expect(recipe).toMatchObject({ net: "../net.safetensors", data: { train: "../data.csv", labels: "column:class" } });
  const options = ["--work", at("work"), "--threads", "1", "--allow-chance"];
  const run = await mote(["compress", at("recipes/best.json"), "-o", at("best.mote"), ...options]);
  expect(run.stderr.replaceAll(/.*warning.*\n/g, "")).not.toContain("mote:");
  expect(readContainer(readFileSync(at("best.mote"))).model.tensors[0].shape).toEqual([2, 1, 1]);
}, 60_000);

test("says what is estimated, what does not suit, and what is missing", async () => {
  const { stdout, code } = await explain("bars.safetensors", "--target", "500");
  expect(code).toBe(0);
  expect(stdout).toContain("goal: 500 bytes. Nothing was trained.");
  expect(stdout).toContain("are estimates");
  expect(stdout).toMatch(/flattened convolutions, grid: fc1, fc2: is a dense layer/);
  expect(stdout).toContain("the recipe, which still has to say what it trains on (--data):");
});

test("a net is for MNIST by its input and its outputs", async () => {
  const ofClasses = async (classes: number): Promise<string> => {
    const name = `of-${classes}.safetensors`;
    const fc = { op: "dense", name: "fc", input: "x", output: "fc", outFeatures: classes } as const;
    const digits: Graph = { name: "digits", input: { name: "x", shape: [1, 28, 28] }, layers: [fc] };
    const samples = { count: 32, images: new Uint8Array(32 * 784), labels: new Uint8Array(32) };
    writeCheckpoint(at(name), { net: await startedNet(digits, samples) });
    return name;
  };
  const ten = await explain(await ofClasses(10), "--target", "2000");
  expect(ten.stdout).toContain("it trains on MNIST");
  const two = await ofClasses(2);
  expect((await explain(two, "--target", "2000")).stdout).toContain(
    "the recipe, which still has to say what it trains",
  );
  expect((await explain(two, "--recipe-out", "two.json")).stderr).toContain("--data is missing");
});

test.each([
  ["two nets", ["net.safetensors", "--net", "lenet5"], "expected one net"],
  ["a model to write", ["net.safetensors", "-o", "x.mote"], "--out: --explain runs nothing"],
  ["a report", ["net.safetensors", "--report", "x.html"], "--report: --explain runs nothing"],
  ["a dry run", ["net.safetensors", "--target", "500", "--dry-run"], "--dry-run: --explain runs nothing"],
  ["a codec", ["net.safetensors", "--codec", "auto"], "--codec: --explain runs nothing"],
  ["labels of no data", ["net.safetensors", "--labels", "column:class"], "--labels needs --data"],
  ["a recipe that names no data", ["net.safetensors", "--recipe-out", "x.json"], "--data is missing"],
  ["a graph without weights", ["graph.json"], "parity has no weights"],
  ["a size out of reach", ["net.safetensors", "--target", "20"], "no method is within the goal"],
  ["a file of something else", ["data.csv"], "expected an ONNX or TFLite model; this is text"],
])("%s is refused with the reason", async (_, [net, ...args], message) => {
  const { code, stderr, stdout } = await explain(net, ...args);
  expect(stderr).toContain(message);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  expect(stdout).not.toContain("proposed");
  expect(code).toBeGreaterThan(0);
});
