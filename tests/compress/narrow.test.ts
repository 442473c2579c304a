import { expect, test } from "vitest";
import { channelsByTensor, narrowGraph } from "../../host/compress/narrow.js";
import { tensorShapes } from "../../host/model/shapes.js";
import { lenet300, lenet5 } from "../../host/train/nets.js";

test("LeNet-5's shapes are the published ones", () => {
  expect(Object.fromEntries(tensorShapes(lenet5))).toEqual({
    image: [1, 28, 28],
    conv1: [20, 24, 24],
    pool1: [20, 12, 12],
    conv2: [50, 8, 8],
    pool2: [50, 4, 4],
    fc1: [500, 1, 1],
    relu1: [500, 1, 1],
    logits: [10, 1, 1],
  });
});

test("a narrow net keeps everything but its unit counts", () => {
  const narrow = narrowGraph(lenet5, { conv1: 10, conv2: 18, fc1: 44 });
  expect(channelsByTensor(narrow)).toEqual({
    image: 1,
    conv1: 10,
    pool1: 10,
    conv2: 18,
    pool2: 18,
    fc1: 44,
    relu1: 44,
    logits: 10,
  });
  expect(channelsByTensor(lenet5).fc1).toBe(500);
  expect(narrowGraph(lenet300, {})).toEqual(lenet300);
});

test.each([
  [{ conv3: 4 }, "units.conv3: lenet5 has no layer with weights of that name"],
  [{ pool1: 4 }, "units.pool1: lenet5 has no layer with weights of that name"],
  [
    { fc2: 4 },
    "units.fc2: the layer's units stay: channels of results, states, crops or convolutions in groups, or tied to another layer's",
  ],
  [{ fc1: 501 }, "units.fc1: expected 1 .. 500, got 501"],
])("%j is refused", (units, message) => {
  expect(() => narrowGraph(lenet5, units as Record<string, number>)).toThrow(message);
});
