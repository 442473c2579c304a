/** Weights as Deep Compression's SqueezeNet file has them, put together here, and the file itself where MOTE_ZOO names its folder. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readDeepCompression } from "../../host/import/deep-compression.js";
import { memorySource, type ImportedGraph } from "../../host/import/graph.js";
import { lowerGraph } from "../../host/import/import.js";
import { inferShapes } from "../../host/import/shapes.js";
import { openGraph } from "../../host/node/import/open-graph.js";
import { scratchFolder } from "../cli/support.js";
import { problem } from "../support/problem.js";

const scratch = scratchFolder();

/** One dense layer: codebooks of 16 values, codes of 4 bits. */
const prototxt = (columns: number): string => `
  input: "x" input_shape { dim: 1 dim: ${columns} }
  layer { name: "fc" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 1 } }`;

const CODEBOOK = Float32Array.from({ length: 16 }, (_, i) => i / 2);

function file(count: number, codes: readonly number[], distances: readonly number[]): Uint8Array {
  const floats = [CODEBOOK, Float32Array.of(0.25)].flatMap((part) => [...new Uint8Array(part.buffer)]);
  return Uint8Array.from([count, 0, 0, 0, ...floats, ...codes, ...distances]);
}

function read(columns: number, bytes: Uint8Array): ImportedGraph {
  return readDeepCompression(memorySource(bytes), {
    source: memorySource(new TextEncoder().encode(prototxt(columns))),
    path: "net.prototxt",
  });
}

const weights = (graph: ImportedGraph): number[] => [
  ...graph.tensors.find(({ name }) => name === "fc.weights")!.constant!.values(),
];

describe("weights", () => {
  it("stand behind so many zeros as their distance says, of two in a byte the first in the lower half", () => {
    const graph = read(8, file(3, [0x42, 0x06], [0x21, 0x00]));
    expect(weights(graph)).toEqual([0, 1, 0, 0, 2, 3, 0, 0]);
    expect([...graph.tensors.find(({ name }) => name === "fc.biases")!.constant!.values()]).toEqual([0.25]);
  });

  it("stand behind longer runs of zeros after fillers", () => {
    const all = weights(read(20, file(2, [0x70], [0x1f])));
    expect(all.map((value, i) => [i, value]).filter(([, value]) => value !== 0)).toEqual([[17, 3.5]]);
  });

  it.each<[string, number, Uint8Array, string]>([
    [
      "behind the end of the layer",
      4,
      file(2, [0x11], [0x30]),
      "FORMAT layer fc: a weight stands at 4, the layer has 4",
    ],
    [
      "in a file that ends too early",
      4,
      file(40, [0x11], [0x30]),
      "FORMAT offset 72: the codes of layer fc take 20 bytes, of which 2 are there; is it the prototxt's?",
    ],
    [
      "in a file that goes on",
      4,
      file(1, [1], [0, 0]),
      "FORMAT offset 74: the last layer ends here, the file at 75; is it the prototxt's?",
    ],
    [
      "of a far smaller layer",
      1 << 20,
      file(1, [1], [0]),
      "FORMAT layer fc: has 1 codes for 1048576 weights; is it the prototxt's?",
    ],
    [
      "in an empty file",
      4,
      new Uint8Array(0),
      "FORMAT offset 0: counts of 1 layers take 4 bytes, of which 0 are there; is it the prototxt's?",
    ],
  ])("%s are refused", (_, columns, bytes, expected) => {
    expect(problem(() => weights(read(columns, bytes)))).toBe(expected);
  });

  it("without a prototxt beside them say what is missing", () => {
    const folder = scratch.path("alone");
    mkdirSync(folder);
    writeFileSync(join(folder, "fire.net"), file(1, [1], [0]));
    expect(problem(() => openGraph(join(folder, "fire.net")))).toBe(
      "FILE fire.prototxt is not beside it, and describes the net",
    );
  });
});

const squeezenet = join(process.env.MOTE_ZOO ?? "", "squeezenet-deep-compression.net");

describe.skipIf(!existsSync(squeezenet))("SqueezeNet", () => {
  it("has the weights that numpy finds, and runs", () => {
    const { graph, close } = openGraph(squeezenet);
    const statistics = (name: string): number[] => {
      const values = [...graph.tensors.find((tensor) => tensor.name === name)!.constant!.values()];
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
      return [values.length, values.filter((value) => value !== 0).length, mean, Math.sqrt(square)];
    };
    const expected: [string, number[]][] = [
      ["conv1.weights", [14112, 13902, -4.00754e-5, 0.100907]],
      ["fire8/conv3x3_2.weights", [147456, 44144, -0.00195283, 0.0344608]],
      ["conv_final.weights", [512000, 102323, -0.0034492, 0.0322301]],
    ];
    for (const [name, numbers] of expected) {
      statistics(name).forEach((value, i) => expect(value, name).toBeCloseTo(numbers[i], 6));
    }
    const net = lowerGraph(inferShapes(graph, { batch: 1 }));
    close();
    expect(net.tensors[net.inputs[0].tensor].shape).toEqual([3, 227, 227]);
    expect(net.tensors[net.outputs[0].tensor].shape).toEqual([1000, 1, 1]);
  });
});
