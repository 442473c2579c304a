import { expect, test } from "vitest";
import { parseRecipe } from "../../host/compress/recipe.js";
import type { Sensitivity } from "../../host/compress/sensitivity.js";
import type { StageReport } from "../../host/compress/run-recipe.js";
import { isRecordName, isRecordOf, parseRunRecord, RunRecorder, type RunRecord } from "../../host/report/run-record.js";

const recipe = parseRecipe(
  JSON.stringify({
    net: "lenet300",
    teacher: { epochs: 2, lr: 0.1, augment: 0 },
    bank: { copies: 1, augment: 0 },
    stages: [
      { kind: "prune", keep: 0.1, epochs: 3, lr: 0.1 },
      { kind: "grid", step: { fc1: 1, fc2: 1, fc3: 1 }, epochs: 4, lr: 0 },
      { kind: "calibrate" },
    ],
  }),
  "recipe",
);
const digest = (n: number): string => String(n).repeat(16);
const names = [`teacher-${digest(1)}`, "bank-2.f32", ...[3, 4, 5].map((n) => `stage-${digest(n)}`)];
const reportOf = (stage: string, seconds: number): StageReport => {
  return {
    stage,
    error: 2.5,
    metric: "accuracy",
    validationErrors: 5,
    validationErrorPercent: 2.5,
    nonZeros: 7,
    weights: 9,
    estimatedBytes: 11,
    seconds,
  };
};

class Memory {
  readonly files = new Map<string, Uint8Array>();
  readBytes(name: string): Uint8Array | undefined {
    return this.files.get(name);
  }
  writeBytes(name: string, bytes: Uint8Array): void {
    this.files.set(name, bytes);
  }
  text(name: string): string {
    return new TextDecoder().decode(this.files.get(name));
  }
}

function record(folder: Memory, stages: readonly StageReport[]): { record: RunRecord; name: string } {
  const recorder = new RunRecorder(folder, { recipe, names, data: "mnist", folder: "/recipes" });
  for (const stage of stages) recorder.stage(stage);
  return recorder.finish({ bytes: 100, error: 3.25 });
}

test("a record names each stage's result, and what it took though a later run finds it there", () => {
  const folder = new Memory();
  // The first run is stopped behind its second result.
  const recorder = new RunRecorder(folder, { recipe, names, data: "mnist", folder: "/recipes" });
  recorder.stage(reportOf("teacher", 12.5));
  recorder.stage(reportOf("1 prune", 3));
  const grid = { ...reportOf("2 grid", 4), sensitivity };
  const later = [reportOf("teacher", 0), reportOf("1 prune", 0), grid, reportOf("3 calibrate", 1)];
  const { record: made, name } = record(folder, later);
  expect(made.stages.map(({ stage, result, seconds, epochs }) => [stage, result, seconds, epochs])).toEqual([
    ["teacher", names[0], 12.5, 2],
    ["1 prune", names[2], 3, 3],
    ["2 grid", names[3], 4, 4],
    ["3 calibrate", names[4], 1, 0],
  ]);
  expect([name, isRecordName(name), isRecordName("../run-5.json")]).toEqual([`run-${digest(5)}.json`, true, false]);
  expect(made.stages.map((one) => one.sensitivity)).toEqual([undefined, undefined, sensitivity, undefined]);
  expect(parseRunRecord(folder.text(name), name)).toEqual(made);
  expect(isRecordOf(made, recipe)).toBe(true);
  expect(isRecordOf(parseRunRecord(folder.text(name), name), { ...recipe, seed: 2 })).toBe(false);
});

test("a net that was given has no result, and a cost that nobody wrote down is not known", () => {
  const recorder = new RunRecorder(new Memory(), { recipe, names: names.slice(1), data: "mnist", folder: "/recipes" });
  recorder.stage(reportOf("given net", 0));
  recorder.stage(reportOf("1 prune", 0));
  const { record: made } = recorder.finish({ bytes: 100, error: 3.25 });
  expect(made.stages.map(({ result, seconds }) => [result, seconds])).toEqual([
    [null, null],
    [names[2], null],
  ]);
});

const stage = {
  stage: "teacher",
  result: names[0],
  error: 1,
  nonZeros: 1,
  weights: 2,
  bytes: 3,
  seconds: 1,
  epochs: 1,
};
const sensitivity: Sensitivity = {
  knob: "step",
  settings: [0.1, 0.2],
  samples: 20,
  loss: 0.5,
  layers: [{ layer: "fc1", weights: 9, rises: [0, 0.25], lost: 2 }],
};
const whole = {
  kind: "mote run",
  version: 1,
  net: "n",
  data: "mnist",
  metric: "accuracy",
  recipe: {},
  folder: "/recipes",
  stages: [stage],
  model: { bytes: 1, error: 2 },
};
test.each<[string, unknown, string]>([
  ["nothing", null, "no record of a run"],
  ["a recipe", { net: "lenet5" }, "no record of a run"],
  ["another version", { ...whole, version: 2 }, "version: expected 1, got 2"],
  ["an unknown key", { ...whole, html: "<script>" }, "record.html: unknown key"],
  ["no name", { ...whole, net: "" }, "net: expected a text"],
  ["a long name", { ...whole, net: "x".repeat(301) }, "net: expected a text of 1 .. 300"],
  ["another metric", { ...whole, metric: "luck" }, "metric: expected one of accuracy"],
  ["no folder", { ...whole, folder: 3 }, "folder: expected a text of 1 .. 4096 letters, got 3"],
  ["no stages", { ...whole, stages: [] }, "stages: expected a list"],
  [
    "too many stages",
    { ...whole, stages: Array(1001).fill(stage) },
    "stages: expected a list of 1 .. 1000 stages, got 1001",
  ],
  ["a stage that is none", { ...whole, stages: [7] }, "stages[0]: expected an object, got 7"],
  [
    "a path",
    { ...whole, stages: [{ ...stage, result: "../../etc/passwd" }] },
    "stages[0].result: expected the name of a result",
  ],
  [
    "no number",
    { ...whole, stages: [{ ...stage, error: "1" }] },
    'stages[0].error: expected a number of 0 or more, got "1"',
  ],
  ["a negative number", { ...whole, stages: [{ ...stage, seconds: -1 }] }, "stages[0].seconds"],
  [
    "a table of another width",
    { ...whole, stages: [{ ...stage, sensitivity: { ...sensitivity, settings: [1] } }] },
    "stages[0].sensitivity.layers[0].rises: expected 1 numbers, one a setting, got 2",
  ],
  [
    "a setting of another kind",
    { ...whole, stages: [{ ...stage, sensitivity: { ...sensitivity, knob: "luck" } }] },
    "stages[0].sensitivity.knob: expected one of density, step, bits",
  ],
  ["a part of a byte", { ...whole, model: { bytes: 1.5, error: 0 } }, "model.bytes: expected a whole number"],
  ["what steers a terminal", { ...whole, stages: [{ ...stage, "\u001b[2J": 1 }] }, "stages[0].\\x1b[2J: unknown key"],
])("refuses %s", (_, value, message) => {
  let error: unknown;
  try {
    parseRunRecord(JSON.stringify(value), "run.json");
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({ code: "FORMAT", message: expect.stringContaining(message) });
  expect((error as Error).message).toMatch(/^run\.json: /);
  expect((error as Error).message.length).toBeLessThan(250);
});

test("takes a whole one, and refuses what is no JSON", () => {
  expect(parseRunRecord(JSON.stringify(whole), "run.json").stages).toEqual([stage]);
  expect(() => parseRunRecord('{"kind": "mote run", ', "run.json")).toThrow("not JSON");
});
