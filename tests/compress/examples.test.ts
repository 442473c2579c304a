/** examples/gesture and examples/autoencoder by their scripts and recipes, cut short. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import * as pump from "../../examples/autoencoder/make-data.js";
import { auc, differences } from "../../examples/autoencoder/score.js";
import * as gesture from "../../examples/gesture/make-data.js";
import { openNpz } from "../../host/data/npz.js";
import { packageRoot } from "../../host/node/paths.js";
import { lastJson, mote, scratchFolder } from "../cli/support.js";

const scratch = scratchFolder();
const example = (path: string): string => join(packageRoot, "examples", path);

/** The recipe of an example on `count` samples, its epochs cut to `share`. */
function shortened(
  name: string,
  data: { makeData: (folder: string, count: number) => void },
  count: number,
  share: number,
): string {
  const folder = scratch.path(name);
  mkdirSync(folder);
  data.makeData(folder, count);
  const recipe = JSON.parse(readFileSync(example(`${name}/recipe.json`), "utf8")) as {
    net: string;
    data: { train: string };
    teacher: { epochs: number };
    stages: { epochs?: number }[];
  };
  const cut = <T extends { epochs?: number }>(stage: T): T =>
    stage.epochs === undefined ? stage : { ...stage, epochs: Math.ceil(share * stage.epochs) };
  const path = join(folder, "short.json");
  const short = {
    ...recipe,
    net: example(`${name}/net.json`),
    data: { ...recipe.data, train: "train.npz" },
    teacher: cut(recipe.teacher),
    stages: recipe.stages.map(cut),
  };
  writeFileSync(path, JSON.stringify(short));
  return path;
}

const arrays = (bytes: Uint8Array) => {
  const npz = openNpz(bytes, "test.npz");
  const [x, y] = [npz.array("x"), npz.array("y")];
  return { x: x.values as Int8Array, y: Array.from(y.values as Int8Array), shape: x.shape };
};

describe("examples/gesture", () => {
  test("the recipe's model tells gestures apart", async () => {
    const recipe = shortened("gesture", gesture, 2000, 0.25);
    const [out, work] = [scratch.path("gesture.mote"), scratch.path("gesture-work")];
    const { code, stderr } = await mote(["compress", recipe, "-o", out, "--work", work, "--threads", "1"]);
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    const data = join(scratch.path("gesture"), "test.npz");
    const evaluated = await mote(["evaluate", out, "--data", data, "--json"]);
    expect(lastJson(evaluated)).toMatchObject({ samples: 500 });
    expect((lastJson(evaluated) as { accuracyPercent: number }).accuracyPercent).toBeGreaterThan(70);
  });

  test("recordings are as many of each gesture, and none is like another", () => {
    const { x, y, shape } = arrays(gesture.testData(500));
    expect(shape).toEqual([500, 3, 1, 64]);
    gesture.GESTURES.forEach((_, label) => expect(y.filter((one) => one === label).length).toBeGreaterThan(60));
    expect(Buffer.from(x.subarray(0, 192)).equals(Buffer.from(x.subarray(192, 384)))).toBe(false);
    // Gravity, 1 g, is on z but for the tilt.
    expect(x.subarray(128, 192).reduce((a, b) => a + b) / 64).toBeGreaterThan(gesture.UNITS / 2);
  });
});

describe("examples/autoencoder", () => {
  test("the recipe's model gives faults larger differences", async () => {
    const recipe = shortened("autoencoder", pump, 2000, 0.25);
    const [out, work] = [scratch.path("autoencoder.mote"), scratch.path("autoencoder-work")];
    const { code, stderr } = await mote(["compress", recipe, "-o", out, "--work", work, "--threads", "1"]);
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    const { x, y } = arrays(pump.testData(400));
    expect(auc(differences(readFileSync(out), x), (index) => y[index] === 1)).toBeGreaterThan(0.85);
  });

  test.each([
    [[1, 2, 3, 4], [false, false, true, true], 1],
    [[4, 3, 2, 1], [false, false, true, true], 0],
    [[1, 1, 1, 1], [false, true, false, true], 0.5],
    [[1, 2, 2, 3], [false, true, false, true], 0.875],
  ])("the area of %j, faults %j", (scores, faults, area) => {
    expect(auc(scores, (index) => faults[index])).toBe(area);
  });
});

test("the autoencoder's score refuses a model that does not give its input again", () => {
  const model = readFileSync(join(packageRoot, "models/lenet5.mote"));
  const { x } = arrays(pump.testData(8));
  expect(() => differences(model, x)).toThrow("the model takes 784 numbers and gives 10, expected 96 of both");
});
