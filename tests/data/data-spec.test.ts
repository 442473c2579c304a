import { describe, expect, test } from "vitest";
import { checkDataSpec } from "../../host/data/data-spec.js";

describe("the key data of a recipe", () => {
  test("is a text, or what a set is made of", () => {
    expect(checkDataSpec("mnist", "data")).toEqual({ train: "mnist" });
    const whole = {
      train: "a.npz",
      validation: "b.npz",
      test: "c.npz",
      labels: ["x", "y", "z"],
      targets: "input",
      split: { seed: 3, stratified: false, validation: 0.2, test: 0 },
      validationCopies: { copies: 2, augment: { distort: 0.3 } },
      layout: "nhwc",
      colours: "bgr",
      scale: 0.5,
      mean: [1, 2, 3],
      std: [1],
    };
    expect(checkDataSpec(whole, "data")).toEqual(whole);
    const copies = { train: "mnist", split: { validation: 10_000 }, validationCopies: { copies: 1 } };
    expect(checkDataSpec(copies, "data")).toEqual({ ...copies, validationCopies: { copies: 1, augment: 0.4 } });
    expect(checkDataSpec({ train: "a", mean: 0.5, std: 2 }, "data")).toEqual({ train: "a", mean: [0.5], std: [2] });
  });

  test.each([
    [7, "data: expected an object, got 7"],
    ["", "data: expected a text"],
    [{}, "data.train: expected a text, got nothing"],
    [{ train: "a", trian: "b" }, "data.trian: unknown key; known are train, validation"],
    [{ train: "a", validationCopies: { copies: 0 } }, "data.validationCopies.copies: expected a whole number"],
    [{ train: "a", split: { validation: 1.5 } }, "data.split.validation: expected a whole number"],
    [{ train: "a", labels: [1] }, "data.labels[0]: expected a text, got 1"],
    [{ train: "a", split: { seed: -1 } }, "data.split.seed: expected a whole number"],
    [{ train: "a", split: { stratified: 1 } }, "data.split.stratified: expected true or false"],
    [{ train: "a", split: { validation: 0.95 } }, "data.split: expected shares for validation and test that leave"],
    [{ train: "a", layout: "chw" }, "data.layout: expected one of nchw, nhwc"],
    [{ train: "a", scale: 0 }, "data.scale: expected a number"],
    [{ train: "a", mean: [] }, "data.mean: expected a number, or one for each channel"],
    [{ train: "a", std: [1, 0] }, "data.std[1]: expected a number"],
    [{ train: "a", mean: ["1"] }, "data.mean[0]: expected a number"],
  ])("is not %j", (value, message) => {
    expect(() => checkDataSpec(value, "data")).toThrow(message);
  });
});
