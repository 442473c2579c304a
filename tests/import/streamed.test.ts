/** Weights that are too many to be kept are read from the file in parts, and nothing else changes. */
import { describe, expect, test } from "vitest";
import { calibrate } from "../../host/import/calibrate.js";
import { runFloat } from "../../host/import/float-run.js";
import { readCaffe } from "../../host/import/caffe.js";
import { readGraphJson } from "../../host/import/graph-json.js";
import type { ByteSource, ImportedGraph } from "../../host/import/graph.js";
import { lowerGraph } from "../../host/import/import.js";
import { readOnnx } from "../../host/import/onnx.js";
import { leb128 } from "../../host/module/leb128.js";
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

const input = Float32Array.from({ length: COLUMNS }, (_, i) => (i % 5) - 2);

/** The file of weights with bytes in front. */
function behind(front: readonly number[] | Uint8Array): ByteSource & { longestRead: number } {
  const [head, weights] = [Uint8Array.from(front), weightFile()];
  return {
    size: head.length + weights.size,
    read: (offset, length) =>
      offset < head.length ? head.slice(offset, offset + length) : weights.read(offset - head.length, length),
    get longestRead() {
      return weights.longestRead;
    },
  };
}

/** The beginning of a field that so many bytes more belong to. */
const begun = (number: number, content: readonly number[], more: number): number[] => [
  ...leb128(8 * number + 2),
  ...leb128(content.length + more),
  ...content,
];

describe.each<[string, () => { file: ReturnType<typeof behind>; graph: ImportedGraph }]>([
  [
    "safetensors",
    () => {
      const json = JSON.stringify({
        w: { dtype: "F32", shape: [ROWS, COLUMNS], data_offsets: [0, 4 * ROWS * COLUMNS] },
      });
      const text = json.padEnd(Math.ceil(json.length / 8) * 8);
      const file = behind([
        ...new Uint8Array(BigUint64Array.of(BigInt(text.length)).buffer),
        ...new TextEncoder().encode(text),
      ]);
      const graph = JSON.stringify({
        format: "mote-graph",
        version: 1,
        inputs: [{ name: "x", shape: [1, COLUMNS] }],
        nodes: [{ op: "Gemm", inputs: ["x", "w"], outputs: ["y"], attributes: { transB: 1 } }],
        outputs: ["y"],
      });
      const source = memorySource(new TextEncoder().encode(graph));
      return { file, graph: readGraphJson({ source, path: "net.json" }, () => ({ source: file, path: "w" })) };
    },
  ],
  [
    "a caffemodel",
    () => {
      const bytes = 4 * ROWS * COLUMNS;
      const shape = field(7, field(1, [...leb128(ROWS), ...leb128(COLUMNS)]));
      const blob = begun(7, [...shape, ...begun(5, [], bytes)], bytes);
      const layer = begun(100, [...field(1, "fc"), ...field(2, "InnerProduct"), ...blob], bytes);
      const file = behind(layer);
      const text = `input: "x" input_shape { dim: 1 dim: ${COLUMNS} }
        layer { name: "fc" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: ${ROWS} bias_term: false } }`;
      const prototxt = { source: memorySource(new TextEncoder().encode(text)), path: "net.prototxt" };
      return { file, graph: readCaffe(file, prototxt) };
    },
  ],
])("weights of %s", (_, open) => {
  test("are read in parts", () => {
    const { file, graph } = open();
    const net = lowerGraph(inferShapes(graph, { batch: 1 }));
    expect(file.longestRead).toBe(0);
    const [y] = runFloat(net, [input]);
    for (const row of [0, 1, 2000, ROWS - 1]) {
      expect(y[row]).toBe(input.reduce((sum, x, column) => sum + weight(row * COLUMNS + column) * x, 0));
    }
    expect(file.longestRead).toBeGreaterThan(0);
    expect(file.longestRead).toBeLessThanOrEqual(2 ** 22);
  });
});

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
