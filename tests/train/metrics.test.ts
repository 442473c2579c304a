/** Losses and metrics, by numbers worked out by hand and by their definitions. */
import { describe, expect, test } from "vitest";
import { Random } from "../../host/rng.js";
import { checkTask, metricOf } from "../../host/train/losses.js";
import { evaluateOutputs, macroAuc, macroF1 } from "../../host/train/metrics.js";

const samples = <T extends object>(values: T) => ({ count: 4, images: new Uint8Array(4), ...values });

describe("classes", () => {
  // Found: 0, 1, 2, 0; the second is a tie, of which the first counts.
  const logits = Float32Array.of(3, 1, 0, 0, 2, 2, -1, 0, 1, 5, 4, 0);
  const data = samples({ labels: Uint16Array.of(0, 1, 1, 1) });

  test("accuracy, loss and wrong ones", () => {
    const entropy = (row: number[], label: number): number =>
      Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0)) - row[label];
    const each = [entropy([3, 1, 0], 0), entropy([0, 2, 2], 1), entropy([-1, 0, 1], 1), entropy([5, 4, 0], 1)];
    const evaluation = evaluateOutputs({ loss: "softmax" }, logits, 3, data);
    expect(evaluation).toMatchObject({ metric: "accuracy", value: 0.5, error: 0.5, errors: 2 });
    expect(evaluation.loss).toBeCloseTo(each.reduce((a, b) => a + b, 0) / 4, 6);
    const weighted = evaluateOutputs({ loss: "softmax", classWeights: [3, 1, 1] }, logits, 3, data);
    expect(weighted.loss).toBeCloseTo((3 * each[0] + each[1] + each[2] + each[3]) / 4, 6);
  });

  test("F1: (2/3 + 2/4 + 0) / 3", () => {
    const { value } = evaluateOutputs({ loss: "softmax", metric: "f1" }, logits, 3, data);
    expect(value).toBeCloseTo((2 / 3 + 1 / 2 + 0) / 3, 10);
  });

  test("AUC is of probabilities, of the classes that there are others beside", () => {
    const { value } = evaluateOutputs({ loss: "softmax", metric: "auc" }, logits, 3, data);
    // Class 0: .84 against .06, .09, .73: 1. Class 1: .47, .24, .27 against .11: 1.
    expect(value).toBe(1);
  });
});

describe("several labels", () => {
  const logits = Float32Array.of(1, -1, 2, 1, -1, 1, -2, -1);
  const data = samples({ targets: Float32Array.of(1, 0, 0, 1, 1, 1, 0, 0) });

  test("accuracy counts labels", () => {
    const evaluation = evaluateOutputs({ loss: "sigmoid", metric: "accuracy" }, logits, 2, data);
    expect(evaluation).toMatchObject({ value: 6 / 8, error: 2 / 8 });
    const softplus = (z: number): number => Math.log(1 + Math.exp(z));
    const losses = [...logits].map((z, i) => (data.targets[i] === 1 ? softplus(-z) : softplus(z)));
    expect(evaluation.loss).toBeCloseTo(losses.reduce((a, b) => a + b, 0) / 8, 6);
  });

  test("AUC and F1 are means over labels", () => {
    // First label: 1 and -1 against 2 and -2: 2 of 4 pairs. Second: 1, 1 against -1, -1.
    expect(evaluateOutputs({ loss: "sigmoid" }, logits, 2, data).value).toBe((0.5 + 1) / 2);
    expect(evaluateOutputs({ loss: "sigmoid", metric: "f1" }, logits, 2, data).value).toBe((0.5 + 1) / 2);
  });
});

test("AUC is the share of pairs in the right order, ties for half, whatever they are", () => {
  const random = new Random(4);
  const scores = Float32Array.from({ length: 60 }, () => random.integer(6));
  const is = Array.from(scores, (score) => random.integer(8) < score);
  let right = 0;
  let pairs = 0;
  for (let a = 0; a < 60; a++) {
    for (let b = 0; b < 60; b++) {
      if (!is[a] || is[b]) continue;
      pairs++;
      right += scores[a] > scores[b] ? 1 : scores[a] === scores[b] ? 0.5 : 0;
    }
  }
  expect(macroAuc(scores, 1, (n) => is[n])).toBeCloseTo(right / pairs, 10);
});

test("nothing to tell apart", () => {
  expect(macroAuc([1, 2], 1, () => true)).toBe(0.5);
  expect(
    macroF1(
      2,
      1,
      () => false,
      () => false,
    ),
  ).toBe(0);
  const nothing = { count: 0, images: new Uint8Array(), labels: new Uint8Array(), targets: new Float32Array() };
  expect(evaluateOutputs({ loss: "mse" }, new Float32Array(), 2, nothing)).toMatchObject({ value: 0, loss: 0 });
});

test("the mean of squares is of all values alike, the loss weighs them", () => {
  const data = samples({ targets: Float32Array.of(0, 0, 0, 0, 0, 0, 0, 0) });
  const outputs = Float32Array.of(1, 2, 1, 2, 1, 2, 1, 2);
  const evaluation = evaluateOutputs({ loss: "mse", classWeights: [1, 0.5] }, outputs, 2, data);
  expect(evaluation).toEqual({ metric: "mse", value: 2.5, error: 2.5, loss: 1.5 });
});

test("tasks that make no sense", () => {
  expect(metricOf({ loss: "sigmoid" })).toBe("auc");
  expect(() => metricOf({ loss: "softmax", metric: "mse" })).toThrow(
    "metric mse does not suit loss softmax; accuracy, auc, f1 do",
  );
  expect(() => checkTask({ loss: "softmax", classWeights: [1, -1] }, 2)).toThrow("-1 is not a number of at least 0");
  expect(() => checkTask({ loss: "softmax", classWeights: [1] }, 2)).toThrow("1 of them, the net has 2 values");
});
