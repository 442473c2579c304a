/** A net with states from a table to a model, by the commands. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readContainer } from "../../host/container/read.js";
import { statesOf } from "../../host/model/edges.js";
import { Random } from "../../host/rng.js";
import { lastJson, mote, scratchFolder } from "../cli/support.js";
import { IMPORT_FOLDER } from "../support/onnx.js";
import { lstm } from "../train/recurrent-nets.js";

const { path: at } = scratchFolder();

test("is trained, explained, searched for and compressed", async () => {
  const random = new Random(3);
  const rows = Array.from({ length: 96 }, () => {
    const values = Array.from({ length: 6 }, () => random.uniform());
    return [...values.map((value) => value.toFixed(3)), values[0] > values[4] ? 1 : 0].join();
  });
  writeFileSync(at("data.csv"), ["a,b,c,d,e,f,class", ...rows].join("\n"));
  writeFileSync(at("net.json"), JSON.stringify(lstm({ features: 2, units: 3, steps: 3, classes: 2 })));
  const data = ["--data", at("data.csv"), "--labels", "column:class"];
  const threads = ["--threads", "1"];
  const net = at("net.safetensors");
  const trained = await mote(["train", "--net", at("net.json"), ...data, "--epochs", "2", ...threads, "--out", net]);
  expect(trained.stderr).not.toContain("mote: error");
  expect(trained.code).toBe(0);

  const of = "Multiplications and instructions are of one step; a sample has 3.";
  const goal = ["--target", "2000", "--budget", "1epochs", ...data];
  const explained = await mote(["compress", net, "--explain", ...goal, "--recipe-out", at("recipe.json")]);
  expect(explained.stdout).toContain(of);
  const planned = await mote(["compress", net, ...goal, "--dry-run", ...threads]);
  expect(planned.stdout).toContain(of);

  const work = ["--work", at("work"), ...threads, "--allow-chance"];
  const run = await mote(["compress", at("recipe.json"), "-o", at("net.mote"), ...work, "--json"]);
  const bytes = readFileSync(at("net.mote"));
  expect(lastJson(run)).toMatchObject({ containerBytes: bytes.length });
  const { model } = readContainer(bytes);
  expect(statesOf(model).map((tensor) => model.tensors[tensor].shape)).toEqual([
    [3, 1, 1],
    [3, 1, 1],
  ]);
}, 60_000);

test("a net of a stream is trained on samples of so many steps, and compressed with its windows", async () => {
  const random = new Random(5);
  const names = Array.from({ length: 4 * 8 }, (_, i) => `x${i}`);
  const rows = Array.from({ length: 96 }, () => {
    const values = names.map(() => random.normal());
    return [...values.map((value) => value.toFixed(3)), values[0] > values[31] ? 2 : random.integer(2)].join();
  });
  writeFileSync(at("stream.csv"), [[...names, "class"].join(), ...rows].join("\n"));
  const net = at("stream.safetensors");
  const args = ["train", "--net", join(IMPORT_FOLDER, "svdf-float.tflite"), "--data", at("stream.csv")];
  const train = (...more: string[]) =>
    mote([...args, "--labels", "column:class", "--epochs", "1", "--threads", "1", "--out", net, ...more]);
  const without = await train();
  expect([without.code, without.stderr]).toEqual([
    1,
    expect.stringContaining("keeps 2 states from step to step, and does not tell of how many a sample is"),
  ]);
  expect((await train("--steps", "1001")).stderr).toContain("steps is 1001, with states expected 2 … 1000");
  expect(await train("--steps", "4")).toMatchObject({ code: 0 });
  const again = await mote([
    ...args.with(2, net),
    "--steps",
    "5",
    "--labels",
    "column:class",
    "--out",
    at("other.safetensors"),
  ]);
  expect(again.stderr).toContain("has samples of 4 steps; 5 steps are given");
  const none = await mote([
    "train",
    "--net",
    "lenet5",
    "--steps",
    "5",
    "--data",
    "mnist",
    "--out",
    at("other.safetensors"),
  ]);
  expect(none.stderr).toContain("lenet5: has no states, and a sample no steps; 5 steps are given");

  const recipe = {
    net,
    data: { train: at("stream.csv"), labels: "column:class" },
    stages: [{ kind: "share", bits: 5 }, { kind: "calibrate" }],
  };
  writeFileSync(at("stream.json"), JSON.stringify(recipe));
  const work = ["--work", at("work"), "--threads", "1", "--allow-chance"];
  const run = await mote(["compress", at("stream.json"), "-o", at("stream.mote"), ...work]);
  expect(run.code).toBe(0);
  const { model } = readContainer(readFileSync(at("stream.mote")));
  expect(model.layers.filter(({ op }) => op === "append").length).toBe(2);
}, 60_000);
