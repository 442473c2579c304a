import { expect, test } from "vitest";
import { byLayer } from "../../host/compress/select.js";

const layers = (["conv1", "conv2", "conv10", "fc1", "logits"] as const).map((name) => ({
  name,
  op: name.startsWith("conv") ? ("conv2d" as const) : ("dense" as const),
}));
const select = (values: Record<string, number>) => byLayer(values, layers, "keep");

test("the most specific key has its way, in whatever order they stand", () => {
  const values = { "*": 1, "op:dense": 2, "conv*": 3, "conv1*": 4, conv1: 5 };
  const expected = { conv1: 5, conv2: 3, conv10: 4, fc1: 2, logits: 2 };
  expect(select(values)).toEqual(expected);
  expect(select(Object.fromEntries(Object.entries(values).reverse()))).toEqual(expected);
});

test("a layer that no key selects has no value", () => {
  expect(select({ "op:conv2d": 1 })).toEqual({ conv1: 1, conv2: 1, conv10: 1 });
});

test.each([
  ["*1", ["conv1", "fc1"]],
  ["c*1*", ["conv1", "conv10"]],
  ["*o*i*s", ["logits"]],
  ["**", ["conv1", "conv2", "conv10", "fc1", "logits"]],
])("%s selects %j", (pattern, names) => {
  expect(Object.keys(select({ [pattern]: 1 }))).toEqual(names);
});

test.each(["conv3", "conv1*1", "conv1*conv1", "op:relu", "conv", "constructor", "fc?", "(.*)"])(
  "%s selects none",
  (key) => {
    expect(() => select({ "*": 1, [key]: 2 })).toThrow(
      `keep.${key}: no such layer; there are conv1, conv2, conv10, fc1, logits`,
    );
  },
);
