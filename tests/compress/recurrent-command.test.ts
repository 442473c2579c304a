/** A net with states from a table to a model, by the commands. */
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readContainer } from "../../host/container/read.js";
import { statesOf } from "../../host/model/edges.js";
import { Random } from "../../host/rng.js";
import { lastJson, mote, scratchFolder } from "../cli/support.js";
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
