/** Graphs in JSON over safetensors: what is read of them, and what is refused. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readGraphJson } from "../../host/import/graph-json.js";
import { memorySource, type ImportedGraph } from "../../host/import/graph.js";
import { isGraphName, openGraph } from "../../host/node/import/open-graph.js";
import { packageRoot } from "../../host/node/paths.js";
import { goldenBytes } from "../support/onnx.js";
import { scratchFolder } from "../cli/support.js";
import { problem } from "../support/problem.js";

const scratch = scratchFolder();

/** A safetensors file of tensors by name: dtype, shape, bytes. */
function safetensors(tensors: Record<string, readonly [string, readonly number[], Uint8Array]>): Uint8Array {
  let at = 0;
  const header: Record<string, unknown> = {};
  for (const [name, [dtype, shape, { length }]] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [at, (at += length)] };
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const head = new Uint8Array(8);
  new DataView(head.buffer).setBigUint64(0, BigInt(json.length), true);
  return Uint8Array.from([...head, ...json, ...Object.values(tensors).flatMap(([, , bytes]) => [...bytes])]);
}

const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const WEIGHTS = safetensors({ w: ["F32", [2, 3], floats(1, 2, 3, 4, 5, 6)], b: ["F32", [2], floats(0.5, -0.5)] });

const GRAPH = {
  format: "mote-graph",
  version: 1,
  inputs: [{ name: "x", shape: ["N", 3] }],
  outputs: ["y"],
  nodes: [{ name: "fc", op: "Gemm", inputs: ["x", "w", "b"], outputs: ["y"], attributes: { transB: 1 } }],
};

const encoded = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

function read(graph: unknown, weights = WEIGHTS): ImportedGraph {
  return readGraphJson({ source: memorySource(encoded(graph)), path: "net.json" }, (name = "net.safetensors") => ({
    source: memorySource(weights),
    path: name,
  }));
}

const withNode = (node: object): unknown => ({ ...GRAPH, nodes: [{ ...GRAPH.nodes[0], ...node }] });

describe("a graph", () => {
  it("has nodes and tensors by name, of ONNX's opset 13", () => {
    const graph = read(GRAPH);
    expect(graph).toMatchObject({ format: "onnx", version: "opset 13", opset: 13 });
    expect(graph.nodes).toEqual([
      { name: "fc", op: "Gemm", inputs: [0, 1, 2], outputs: [3], attributes: { transB: 1 } },
    ]);
    expect(graph.tensors.map(({ name, shape }) => [name, shape])).toEqual([
      ["x", ["N", 3]],
      ["w", [2, 3]],
      ["b", [2]],
      ["y", undefined],
    ]);
  });

  it("may leave names and attributes out, and inputs by empty names", () => {
    const { nodes } = read(withNode({ name: undefined, attributes: undefined, inputs: ["x", "", "b"] }));
    expect(nodes[0]).toMatchObject({ name: "Gemm #0", inputs: [0, -1, 2], attributes: {} });
  });

  it.each([
    ["F32", floats(1.5, -2), [1.5, -2]],
    ["F16", Uint8Array.of(0x00, 0x3e, 0x00, 0xc0), [1.5, -2]],
    ["BF16", Uint8Array.of(0xc0, 0x3f, 0x00, 0xc0), [1.5, -2]],
    ["I8", Uint8Array.of(1, 0xfe), [1, -2]],
    ["I64", new Uint8Array(BigInt64Array.of(1n, -2n).buffer), [1, -2]],
  ])("takes weights of %s", (dtype, bytes, expected) => {
    const graph = read(withNode({ op: "Add", inputs: ["x", "w"] }), safetensors({ w: [dtype, [2], bytes] }));
    expect([...graph.tensors[1].constant!.values()]).toEqual(expected);
  });

  it("shares the memory of the weights where they are aligned", () => {
    const shared = [0, 1, 2, 3].map((shift) => {
      const moved = new Uint8Array(WEIGHTS.length + shift).subarray(shift);
      moved.set(WEIGHTS);
      const values = read(GRAPH, moved).tensors[1].constant!.values();
      expect([...values]).toEqual([1, 2, 3, 4, 5, 6]);
      return values.buffer === moved.buffer;
    });
    expect(shared.filter(Boolean)).toHaveLength(1);
  });

  it.each<[string, unknown, string]>([
    ["another format", { ...GRAPH, format: "recipe" }, 'FORMAT net.json: format: expected "mote-graph"'],
    ["another version", { ...GRAPH, version: 2 }, "UNSUPPORTED net.json: version 2, expected 1"],
    ["an opset of tomorrow", { ...GRAPH, opset: 99 }, "FORMAT net.json: opset: expected 7 … 24"],
    [
      "what nobody knows",
      { ...GRAPH, layers: [] },
      "FORMAT net.json: the graph: layers is none of format, version, opset, weights, inputs, outputs, nodes",
    ],
    ["a list", [], "FORMAT net.json: the graph: expected an object"],
    ["no nodes", { ...GRAPH, nodes: undefined }, "FORMAT net.json: nodes: expected a list"],
    [
      "no input",
      { ...GRAPH, inputs: [], nodes: [], outputs: ["w"] },
      "FORMAT net.json: the graph: expected an input and an output at least",
    ],
    [
      "an input without sizes",
      { ...GRAPH, inputs: [{ name: "x" }] },
      "FORMAT net.json: inputs[0].shape: expected a list",
    ],
    [
      "a size of 0",
      { ...GRAPH, inputs: [{ name: "x", shape: [1, 0] }] },
      "FORMAT net.json: inputs[0].shape[1]: expected a size of at least 1, or the name of one that is open",
    ],
    [
      "an input of a weight's name",
      { ...GRAPH, inputs: [{ name: "w", shape: [1] }] },
      "FORMAT net.json: net.safetensors: two things make w",
    ],
    [
      "an output that nothing makes",
      { ...GRAPH, outputs: ["z"] },
      "FORMAT net.json: outputs[0]: z is no input, weight or output of a node before",
    ],
    [
      "a node that reads what is not there",
      withNode({ inputs: ["x", "W"] }),
      "FORMAT net.json: nodes[0].inputs[1]: W is no input, weight or output of a node before",
    ],
    ["a node that makes a weight", withNode({ outputs: ["w"] }), "FORMAT net.json: nodes[0]: two things make w"],
    ["a node without an op", withNode({ op: undefined }), "FORMAT net.json: nodes[0].op: expected a text"],
    [
      "an attribute of another kind",
      withNode({ attributes: { transB: true } }),
      "FORMAT net.json: nodes[0].attributes.transB: expected a number, a text, or a list of them",
    ],
    [
      "a list of mixed kinds",
      withNode({ attributes: { pads: [1, "1"] } }),
      "FORMAT net.json: nodes[0].attributes.pads: expected a number, a text, or a list of them",
    ],
  ])("with %s is refused", (_, graph, expected) => {
    expect(problem(() => read(graph))).toBe(expected);
  });

  it("that is no JSON is refused", () => {
    const work = (): unknown =>
      readGraphJson({ source: memorySource(new TextEncoder().encode("{")), path: "net.json" }, () =>
        expect.unreachable(),
      );
    expect(problem(work)).toBe("FORMAT net.json: the graph: not JSON");
  });

  it.each<[string, Uint8Array, RegExp]>([
    [
      "of an unknown type",
      safetensors({ w: ["F8_E4M3", [1], Uint8Array.of(1)] }),
      /^FORMAT net\.safetensors: offset 8: w: expected dtype F64, .* or BOOL, got "F8_E4M3"$/,
    ],
    [
      "that are fewer than their shape says",
      safetensors({ w: ["F32", [3], floats(1, 2)] }),
      /w: expected 12 bytes from here for \[3\], got 0 \.\. 8$/,
    ],
    [
      "of 17 dimensions",
      safetensors({ w: ["I8", Array.from({ length: 17 }, () => 1), Uint8Array.of(1)] }),
      /w has 17 dimensions, expected at most 16$/,
    ],
    [
      "without an end",
      WEIGHTS.subarray(0, 20),
      /^FORMAT net\.safetensors: offset 0: the header should have \d+ bytes, only 12 follow$/,
    ],
  ])("over weights %s is refused", (_, weights, expected) => {
    expect(problem(() => read(GRAPH, weights))).toMatch(expected);
  });
});

it("of the documents is one", () => {
  const [, block] = /## Schema\n\n```\n([^`]+)```/.exec(readFileSync(join(packageRoot, "docs/graph-json.md"), "utf8"))!;
  const graph = read(JSON.parse(block), goldenBytes("graph.safetensors"));
  expect(graph.nodes).toMatchObject([{ name: "first", op: "Conv", attributes: { pads: [1, 1, 1, 1] } }]);
});

describe("files", () => {
  const at = (name: string): string => scratch.path(name);
  const put = (name: string, content: Uint8Array): void => writeFileSync(at(name), content);

  it("are a net by their names: the graph, or the weights with the graph beside them", () => {
    put("net.json", encoded(GRAPH));
    put("net.safetensors", WEIGHTS);
    for (const name of ["net.json", "net.safetensors"]) {
      expect(isGraphName(at(name))).toBe(true);
      const { graph, fileBytes, close } = openGraph(at(name));
      expect([...graph.tensors[2].constant!.values()]).toEqual([0.5, -0.5]);
      expect(fileBytes).toBe(WEIGHTS.length + (name === "net.json" ? encoded(GRAPH).length : 0));
      close();
    }
  });

  it("of a trained net beside its recipe are none", () => {
    put("trained.json", encoded({ name: "a recipe" }));
    put("trained.safetensors", WEIGHTS);
    put("alone.safetensors", WEIGHTS);
    for (const name of ["trained.json", "trained.safetensors"]) expect(isGraphName(at(name))).toBe(false);
    expect(isGraphName(at("alone.safetensors"))).toBe(false);
  });

  it("may have weights of another name, in the folder of the graph", () => {
    put("named.json", encoded({ ...GRAPH, weights: "net.safetensors" }));
    openGraph(at("named.json")).close();
    mkdirSync(at("below"));
    writeFileSync(at("below/net.json"), encoded({ ...GRAPH, weights: "../net.safetensors" }));
    expect(problem(() => openGraph(at("below/net.json")))).toMatch(/^FILE .*leads out of the model's folder/);
    put("missing.json", encoded(GRAPH));
    expect(problem(() => openGraph(at("missing.json")))).toMatch(/^FILE .*missing\.safetensors: cannot be read: /);
  });
});
