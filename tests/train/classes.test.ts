import { describe, expect, test } from "vitest";
import type { Samples } from "../../host/data/samples.js";
import type { Graph } from "../../host/model/model.js";
import { checkTrainable, noBetterThanChance } from "../../host/train/classes.js";
import { barSamples, smallNet } from "./support.js";

const good = barSamples(20, 1);

function withLabel(index: number, label: number): Samples {
  const labels = good.labels.slice();
  labels[index] = label;
  return { ...good, labels };
}

describe("what is to be trained", () => {
  test("labels within the classes pass", () => {
    expect(() => checkTrainable(smallNet, { train: good, validation: withLabel(19, 3) })).not.toThrow();
  });

  test.each([4, 10, 255])("label %i of four classes is named with its place", (label) => {
    const expected = `the label of sample 7 is ${label}, expected 0 .. 3, one of 4 classes`;
    const bad = withLabel(7, label);
    expect(() => checkTrainable(smallNet, { train: bad, validation: good })).toThrow(`training: ${expected}`);
    expect(() => checkTrainable(smallNet, { train: good, validation: bad })).toThrow(`validation: ${expected}`);
  });

  test("a net of one class", () => {
    const layers = [...smallNet.layers.slice(0, 4), { ...smallNet.layers[4], outFeatures: 1 } as never];
    const one: Graph = { ...smallNet, layers };
    expect(() => checkTrainable(one, { train: good, validation: good })).toThrow(
      "small/fc2: the net has one output, expected two classes or more",
    );
  });
});

/** 100 labels of class 1, then `others` of class 0. */
const labels = (others: number): Uint8Array => Uint8Array.from({ length: 100 + others }, (_, i) => (i < 100 ? 1 : 0));

describe("chance", () => {
  // Of 4,000 samples 1,000 are of the most common class: a deviation of √(1,000 × 3,000 / 4,000) = 27.39, three of them 82.16.
  const even = Uint8Array.from({ length: 4000 }, (_, i) => i % 4);
  test.each([
    [4000, true],
    [3000, true],
    [2918, true],
    [2917, false],
    [0, false],
  ])("%i of 4,000 wrong among four classes", (errors, expected) => {
    expect(noBetterThanChance(errors, even)).toBe(expected);
  });

  test("to answer the most common class is chance however common it is", () => {
    for (const others of [0, 1, 10, 100]) expect(noBetterThanChance(others, labels(others))).toBe(true);
    expect(noBetterThanChance(0, labels(100))).toBe(false);
  });

  test("one class, or no sample, proves nothing", () => {
    expect(noBetterThanChance(0, labels(0))).toBe(true);
    expect(noBetterThanChance(0, new Uint8Array())).toBe(true);
  });
});
