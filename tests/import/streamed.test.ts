/** Weights that are too many to be kept are read from the file in parts, and nothing else changes. */
import { describe, expect, test } from "vitest";
import { calibrate } from "../../host/import/calibrate.js";
import { runFloat } from "../../host/import/float-run.js";
import type { ByteSource } from "../../host/import/graph.js";
import { lowerGraph } from "../../host/import/import.js";
import { readOnnx } from "../../host/import/onnx.js";
import { inferShapes } from "../../host/import/shapes.js";
import { attribute, edge, field, floats, integer, memorySource, model, node } from "../support/onnx.js";

const COLUMNS = 4096;
/** One more than are kept at most. */
const ROWS = 4097;
const ALPHA = 0.5;

const PERIOD = 13;
/** At an index of the file. */
const weight = (index: number): number => (index % PERIOD) - 6;

/** A file of weights that come into being when they are read. */
function weightFile(): ByteSource & { longestRead: number } {
  const file = {
    size: 4 * ROWS * COLUMNS,
    longestRead: 0,
    read(offset: number, length: number): Uint8Array {
      file.longestRead = Math.max(file.longestRead, length);
      const values = new Float32Array(length / 4);
      for (let i = 0, at = offset / 4; i < values.length; i++, at++) values[i] = weight(at);
      return new Uint8Array(values.buffer);
    },
  };
  return file;
}

describe.each([true, false])("a Gemm whose weights are transposed: %s", (isTransposed) => {
  const shape = isTransposed ? [ROWS, COLUMNS] : [COLUMNS, ROWS];
  const file = weightFile();
  const weightOf = (row: number, column: number): number =>
    weight(isTransposed ? row * COLUMNS + column : column * ROWS + row);
  const alpha = field(
    5,
    field(1, "alpha"),
    [2 * 8 + 5, ...new Uint8Array(Float32Array.of(ALPHA).buffer)],
    integer(20, 1),
  );
  const bytes = model(
    13,
    edge(11, "x", [1, COLUMNS]),
    edge(12, "y", [1, ROWS]),
    field(
      5,
      ...shape.map((size) => integer(1, size)),
      integer(2, 1),
      field(8, "w"),
      field(13, field(1, "location"), field(2, "w.bin")),
      integer(14, 1),
    ),
    node("Gemm", ["x", "w"], ["h"], attribute("transB", isTransposed ? 1 : 0), alpha),
    node("Relu", ["h"], ["y"]),
  );
  const net = lowerGraph(inferShapes(readOnnx(memorySource(bytes), () => file)));
  const input = Float32Array.from({ length: COLUMNS }, (_, i) => (i % 5) - 2);

  test("runs, and is read in parts", () => {
    expect(file.longestRead).toBe(0);
    const expected = Float32Array.from({ length: ROWS }, (_, row) =>
      Math.max(
        0,
        input.reduce((sum, x, column) => sum + ALPHA * weightOf(row, column) * x, 0),
      ),
    );
    expect(runFloat(net, [input])[0]).toEqual(expected);
    expect(file.longestRead).toBeGreaterThan(0);
    expect(file.longestRead).toBeLessThanOrEqual(2 ** 22);
  });

  test("is made int8", () => {
    const [layer] = calibrate(net, [[input]], { range: "all" }).layers;
    if (!("weights" in layer)) throw new Error("expected weights");
    const { values, scales } = layer.weights;
    if (!(values instanceof Int8Array)) throw new Error("expected int8");
    for (const row of [0, 1, 2000, ROWS - 1]) {
      for (const column of [0, 1, 3000, COLUMNS - 1]) {
        const error = values[row * COLUMNS + column] * scales![row] - ALPHA * weightOf(row, column);
        expect(Math.abs(error)).toBeLessThanOrEqual(scales![row] / 2 + 1e-6);
      }
    }
  });
});

test("parts of a constant are its elements", () => {
  const bytes = model(
    13,
    edge(11, "x", [2, 3]),
    edge(12, "y", [2, 3]),
    floats("w", [2, 3], [1, 2, 3, 4, 5, 6]),
    node("Add", ["x", "w"], ["y"]),
  );
  const { constant } = readOnnx(memorySource(bytes)).tensors.find(({ name }) => name === "w")!;
  expect(constant!.part!(2, 3)).toEqual(constant!.values().subarray(2, 5));
});
