import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseRecipe, type GridStage } from "../../host/compress/recipe.js";
import { MoteError } from "../../host/errors.js";
import { packageRoot } from "../../host/node/paths.js";

const minimal = {
  net: "lenet5",
  stages: [{ kind: "grid", epochs: 1, lr: 0.001, step: { fc1: 0.5 } }, { kind: "calibrate" }],
};
const parse = (value: unknown) => parseRecipe(JSON.stringify(value), "r.json");

describe("recipes", () => {
  test("defaults are filled in", () => {
    expect(parse(minimal)).toEqual({
      net: "lenet5",
      data: { train: "mnist" },
      augment: 0,
      seed: 1,
      batch: 128,
      stages: [
        {
          kind: "grid",
          epochs: 1,
          lr: 0.001,
          lrEnd: 5e-5,
          step: { fc1: 0.5 },
          tolerance: 0.02,
          parts: 40,
          limit: 127,
          scales: "layer",
        },
        { kind: "calibrate", samples: 2000, range: "error" },
      ],
      pack: { biasBits: {} },
    });
  });

  test("a short one is a whole one", () => {
    const stages = [{ kind: "prune", keep: 0.1 }, { kind: "grid" }, { kind: "calibrate" }];
    const short = parse({ net: "model.onnx", augment: 0.3, bank: {}, distill: {}, stages, pack: { biasBits: 6 } });
    expect(short).toMatchObject({
      net: "model.onnx",
      bank: { copies: 4, augment: 0.3 },
      distill: { alpha: 0.7, temperature: 2 },
      stages: [{ score: "rate", schedule: "gradual", epochs: 10, lr: 0.001, keep: 0.1 }, { step: { "*": "auto" } }, {}],
      pack: { biasBits: { "*": 6 } },
    });
  });

  test("the shipped ones fit the schema", () => {
    const folder = join(packageRoot, "models");
    const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
    expect(files.length).toBeGreaterThanOrEqual(4);
    for (const file of files) parseRecipe(readFileSync(join(folder, file), "utf8"), file);
  });

  test("codebooks for the layers that a grid leaves out", () => {
    const share = { kind: "share", epochs: 0, lr: 0, bits: { fc2: 5 } };
    const { stages } = parse({ ...minimal, stages: [minimal.stages[0], share, minimal.stages[1]] });
    expect(stages.map(({ kind }) => kind)).toEqual(["grid", "share", "calibrate"]);
  });

  test("augmentation is a strength or changes by name", () => {
    const augment = { distort: 0.4, shift: 2.5, noise: 60 };
    const teacher = { epochs: 1, lr: 0.001, augment };
    expect(parse({ ...minimal, teacher, bank: { copies: 2, augment: 0.4 } })).toMatchObject({
      teacher: { augment },
      bank: { augment: 0.4 },
    });
    const wrong = { ...minimal, teacher, bank: { copies: 2, augment: { noize: 60 } } };
    expect(() => parse(wrong)).toThrow("r.json: bank.augment.noize: unknown key; known of kind image are distort,");
  });

  test("a byte order mark before the text is no part of it", () => {
    expect(parseRecipe("\uFEFF" + JSON.stringify(minimal), "r.json")).toEqual(parse(minimal));
  });

  test("what steers a terminal is spelled out in every error", () => {
    const text = (key: string): string => `{"net": "lenet5", "${key}": 1}`;
    for (const [key, shown] of [
      ["\\u001b[31m", "\\x1b[31m"],
      ["\u009b2J", "\\x9b2J"],
      ["\u202egpj", "\\u202egpj"],
      ["a\\nmote: done", "a\\x0amote: done"],
    ]) {
      expect(() => parseRecipe(text(key), "r.json"), shown).toThrow(`r.json: ${shown}: unknown key`);
    }
    for (const bad of ['{"net": "\u009b2J"}', "\u001b[31m{", `{"net": "lenet5", "stages": [{"kind": "\u202e"}]}`]) {
      // oxlint-disable-next-line no-control-regex
      expect(() => parseRecipe(bad, "r\u001b.json")).toThrow(/^[^\u0000-\u001f\u007f-\u009f\u202e]+$/);
    }
  });

  test.each(["__proto__", "constructor", "toString", "hasOwnProperty"])("%s is a name like any other", (name) => {
    const stage = `{"kind": "grid", "epochs": 1, "lr": 0.001, "step": {"${name}": 0.5}}`;
    const { stages } = parseRecipe(`{"net": "lenet5", "stages": [${stage}, {"kind": "calibrate"}]}`, "r.json");
    expect(Object.entries((stages[0] as GridStage).step)).toEqual([[name, 0.5]]);
    expect(() => parseRecipe(`{"net": "lenet5", "${name}": 1}`, "r.json")).toThrow(`r.json: ${name}: unknown key`);
    expect(() => parseRecipe(`{"stages": [{"kind": "${name}"}], "net": "lenet5"}`, "r.json")).toThrow(
      "stages[0].kind: ",
    );
    const empty = stage.replace(/\{"[^{}]*0\.5\}/, `{"${name}": {}}`);
    expect(() => parseRecipe(`{"net": "lenet5", "stages": [${empty}]}`, "r.json")).toThrow(
      `stages[0].step.${name}: expected a number`,
    );
  });

  test.each([
    ["lists in one another", "net", "[".repeat(200_000) + "]".repeat(200_000), "a text, got what is nested too deeply"],
    ["a long text", "batch", `"${"7".repeat(3e6)}"`, `32 .. 1024, got "${"7".repeat(79)}…`],
    ["a long key", "k".repeat(3e6), "1", `r.json: ${"k".repeat(80)}…: unknown key`],
    ["a strength of lists", "augment", "[".repeat(200_000) + "]".repeat(200_000), "an object, got what is nested"],
  ])("%s: one line that can be read", (_, key, value, message) => {
    const others = Object.entries(minimal).filter(([name]) => name !== key);
    const text = JSON.stringify(Object.fromEntries(others)).replace(/\}$/, `,"${key}":${value}}`);
    const read = (): unknown => parseRecipe(text, "r.json");
    expect(read).toThrow(message);
    expect(read).toThrow(/^.{0,400}$/);
  });

  const train = { kind: "train", epochs: 1, lr: 0.1 };
  test.each<[string, unknown, string]>([
    ["no JSON", undefined, "r.json: not JSON"],
    ["a list", [], "r.json: recipe: expected an object, got []"],
    [
      "an unknown key",
      { ...minimal, sedd: 1 },
      "r.json: sedd: unknown key; known are net, data, task, augment, seed, batch,",
    ],
    [
      "an unknown key deep down",
      { ...minimal, stages: [{ kind: "train", epoch: 1 }] },
      "r.json: stages[0].epoch: unknown key; known are kind, epochs, lr, lrEnd",
    ],
    [
      "a missing key",
      { ...minimal, stages: [{ kind: "prune", lr: 0.1 }, ...minimal.stages] },
      "r.json: stages[0].keep: missing",
    ],
    ["a number out of range", { ...minimal, batch: 7 }, "r.json: batch: expected a whole number, 32 .. 1024, got 7"],
    [
      "a batch that threads cannot share",
      { ...minimal, batch: 40 },
      "r.json: batch: expected a multiple of 32, got 40",
    ],
    [
      "a word for a number",
      { ...minimal, seed: "1" },
      'r.json: seed: expected a whole number, 0 .. 2147483647, got "1"',
    ],
    [
      "an unknown kind",
      { ...minimal, stages: [{ kind: "prun" }] },
      'r.json: stages[0].kind: expected one of narrow, starts, train, prune, channels, surgery, share, grid, rdoq, inq, dead-units, reorder, calibrate, biases, low-rank, flatten, binary-connect, binarize, levels, pq, fixed-point, near, got "prun"',
    ],
    [
      "a layer's bits",
      { ...minimal, stages: [{ kind: "share", epochs: 0, lr: 0, bits: { fc1: 9 } }] },
      "r.json: stages[0].bits.fc1: expected a whole number, 1 .. 8, got 9",
    ],
    [
      "biases of one bit",
      { ...minimal, pack: { biasBits: { fc1: 1 } } },
      "r.json: pack.biasBits.fc1: expected a whole number, 2 .. 32, got 1",
    ],
    [
      "biases of 33 bits",
      { ...minimal, pack: { biasBits: { fc1: 33 } } },
      "r.json: pack.biasBits.fc1: expected a whole",
    ],
    ["a net that is no text", { ...minimal, net: 5 }, "r.json: net: expected a text, got 5"],
    [
      "keep by layer where it is to be measured",
      { ...minimal, stages: [{ kind: "prune", sparsity: "auto", keep: { fc1: 1 } }, ...minimal.stages] },
      "r.json: stages[0].keep: expected one number",
    ],
    ["no stages", { ...minimal, stages: [] }, "r.json: stages: expected a list of stages, got []"],
    [
      "nothing that makes integers",
      { ...minimal, stages: [train, { kind: "calibrate" }] },
      "r.json: stages: one share, grid, rdoq, inq, binary-connect, binarize, levels, pq stage",
    ],
    ["no calibration", { ...minimal, stages: [minimal.stages[0]] }, "r.json: stages: a calibrate stage must end"],
    [
      "activations of another width",
      { ...minimal, stages: [minimal.stages[0], { kind: "calibrate", activationBits: 12 }] },
      "r.json: stages[1].activationBits: expected 8 or 16, got 12",
    ],
    [
      "training after the grid",
      { ...minimal, stages: [minimal.stages[0], train, minimal.stages[1]] },
      "r.json: stages[1]: train cannot follow grid",
    ],
    [
      "biases before there are scales",
      { ...minimal, stages: [minimal.stages[0], { kind: "biases" }, minimal.stages[1]] },
      "r.json: stages[1]: biases must follow calibrate",
    ],
    [
      "more points than there are",
      { ...minimal, stages: [...minimal.stages, { kind: "biases", tolerance: 101 }] },
      "r.json: stages[2].tolerance: expected a number, 0 .. 100, got 101",
    ],
    [
      "narrow in the middle",
      { ...minimal, stages: [train, { kind: "narrow", units: {} }, ...minimal.stages] },
      "r.json: stages[1]: narrow must come first",
    ],
    [
      "distillation without a bank",
      { ...minimal, distill: { alpha: 0.5, temperature: 2 } },
      "r.json: distill: needs a bank",
    ],
    [
      "a codec that is none",
      { ...minimal, pack: { codec: "zip" } },
      'r.json: pack.codec: expected one of dense, huffman, arithmetic, auto, gaussian, cabac, got "zip"',
    ],
    [
      "another teacher whose answers nobody learns",
      { ...minimal, teacher: { net: "lenet5" }, bank: {} },
      "r.json: teacher.net: needs distill",
    ],
    [
      "several teachers, where the net begins as its teacher",
      { ...minimal, teacher: { members: 2 }, bank: {}, distill: {} },
      "r.json: teacher.members: needs teacher.net",
    ],
    [
      "rate without gradients",
      {
        ...minimal,
        stages: [{ ...train, kind: "prune", keep: 0.1, score: "rate", schedule: "one-shot" }, ...minimal.stages],
      },
      "r.json: stages[0].score: rate needs",
    ],
  ])("%s", (_, value, message) => {
    let error: unknown;
    try {
      if (value === undefined) parseRecipe("{", "r.json");
      else parse(value);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(MoteError);
    expect((error as MoteError).code).toBe("RECIPE");
    expect((error as MoteError).message).toContain(message);
  });
});
