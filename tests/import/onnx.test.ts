import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ImportedGraph } from "../../host/import/graph.js";
import { readOnnx } from "../../host/import/onnx.js";
import { FilesBeside, openFileSource } from "../../host/node/file-source.js";
import { scratchFolder } from "../cli/support.js";
import {
  edge,
  field,
  goldenBytes,
  goldenNets,
  integer,
  IMPORT_FOLDER,
  memorySource,
  model,
  node,
} from "../support/onnx.js";
import { problem } from "../support/problem.js";

const scratch = scratchFolder();

const elements = JSON.parse(new TextDecoder().decode(goldenBytes("onnx-elements.json"))) as Record<
  string,
  Record<string, number[]>
>;

function read(bytes: Uint8Array): ImportedGraph {
  return readOnnx(memorySource(bytes));
}

function valuesOf(graph: ImportedGraph, name: string): number[] {
  return [...graph.tensors.find((tensor) => tensor.name === name)!.constant!.values()];
}

/** What is wrong with an initializer of these fields. */
function tensorProblem(...fields: number[][]): string {
  return problem(() => {
    const graph = read(model(13, field(5, ...fields)));
    for (const { constant } of graph.tensors) constant?.values();
  });
}

describe("elements", () => {
  const beside = new FilesBeside(join(IMPORT_FOLDER, "external.onnx"));
  const cases = Object.entries(elements).flatMap(([net, tensors]) =>
    Object.entries(tensors).map(([name, values]): [string, string, number[]] => [net, name, values]),
  );
  const graphs = new Map(
    Object.keys(elements).map((net) => [
      net,
      readOnnx(memorySource(goldenBytes(`${net}.onnx`)), (at) => beside.open(at)),
    ]),
  );

  it.each(cases)("of %s: %s are those that onnx reads", (net, name, expected) => {
    expect(valuesOf(graphs.get(net)!, name)).toEqual(expected);
  });

  it("share the memory of the file where they are aligned", () => {
    const bytes = goldenBytes("torch-digits.onnx");
    const graph = read(bytes);
    const { constant } = graph.tensors.find(({ name }) => name === "conv1.weight")!;
    for (let shift = 0; shift < 4; shift++) {
      const moved = new Uint8Array(bytes.length + shift).subarray(shift);
      moved.set(bytes);
      const values = read(moved)
        .tensors.find(({ name }) => name === "conv1.weight")!
        .constant!.values();
      expect(values).toEqual(constant!.values());
      if (values.buffer === moved.buffer) return;
    }
    expect.unreachable("no shift made them aligned");
  });
});

describe("a graph", () => {
  it("is what the file says: nodes, edges, attributes, what is given and asked for", () => {
    const graph = read(goldenBytes("torch-digits.onnx"));
    const name = (index: number): string => graph.tensors[index].name;
    expect(graph).toMatchObject({ format: "onnx", version: "opset 13", opset: 13 });
    expect(graph.inputs.map(name)).toEqual(["image"]);
    expect(graph.outputs.map(name)).toEqual(["scores"]);
    expect(graph.nodes.map(({ op }) => op)).toEqual(
      "Identity Identity Conv BatchNormalization Relu MaxPool Conv Cast Cast Clip Flatten Gemm Softmax".split(" "),
    );
    const conv = graph.nodes[6];
    expect(conv.inputs.map(name).slice(1)).toEqual(["conv2.weight", "conv2.bias"]);
    expect(conv.attributes).toEqual({
      dilations: [1, 1],
      group: 4,
      kernel_shape: [3, 3],
      pads: [0, 0, 0, 0],
      strides: [2, 2],
    });
    expect(graph.tensors[graph.inputs[0]]).toMatchObject({ shape: [1, 1, 28, 28], type: "float32" });
    expect(graph.nodes[3].attributes.epsilon).toBe(Math.fround(1e-5));
  });

  it("has constants in place of Constant nodes and of inputs with a default", () => {
    const old = read(goldenBytes("opset-7.onnx"));
    expect(old.inputs.map((index) => old.tensors[index].name)).toEqual(["x"]);
    const constant = (...attribute: number[][]): ImportedGraph =>
      read(model(13, node("Constant", [], ["c"], field(5, ...attribute))));
    const one = constant(field(1, "value_int"), integer(3, 7), integer(20, 2));
    expect(one.nodes).toEqual([]);
    expect(one.tensors[0]).toMatchObject({ name: "c", type: "int64", shape: [] });
    expect(valuesOf(one, "c")).toEqual([7]);
    const list = constant(field(1, "value_floats"), field(7, [0, 0, 0, 63]), integer(20, 6));
    expect(list.tensors[0]).toMatchObject({ name: "c", type: "float32", shape: [1] });
    expect(valuesOf(list, "c")).toEqual([0.5]);
    const none = constant(field(1, "value_ints"), integer(20, 7));
    expect(none.tensors[0]).toMatchObject({ type: "int64", shape: [0] });
  });

  it("has symbols for open dimensions, names for nodes without one and domains in front of ops", () => {
    const open = read(goldenBytes("opset-24.onnx"));
    expect(open.tensors[open.inputs[0]].shape).toEqual(["N", 3, 5, 7]);
    expect(open.nodes[1].name).toBe("Conv #1");
    const refused = read(goldenBytes("refused.onnx"));
    expect(refused.nodes.map(({ op }) => op)).toContain("com.example::Special");
    expect(refused.nodes.find(({ op }) => op === "If")!.attributes).toEqual({
      then_branch: { graph: "then" },
      else_branch: { graph: "else" },
    });
    expect(refused.nodes.find(({ name }) => name === "smooth")!.inputs[1]).toBe(-1);
  });

  it("is the same from a file as from memory", () => {
    for (const name of goldenNets()) {
      const source = openFileSource(join(IMPORT_FOLDER, `${name}.onnx`));
      const shown = (graph: ImportedGraph): string => JSON.stringify(graph);
      expect(shown(readOnnx(source)), name).toBe(shown(read(goldenBytes(`${name}.onnx`))));
      source.close();
    }
  });

  it("is read without its weights", () => {
    const bytes = goldenBytes("torch-digits.onnx");
    const weights = 8 * 6 * 6 * 5 * 4;
    const far = field(
      9,
      Array.from({ length: 1 << 20 }, () => 1),
    );
    const large = model(
      13,
      field(5, integer(1, 1 << 18), integer(2, 1), field(8, "w"), far),
      node("Identity", ["w"], ["y"]),
      edge(12, "y", [1 << 18]),
    );
    for (const [file, limit] of [
      [bytes, bytes.length - weights + 65_536],
      [large, 3 * 65_536],
    ] as const) {
      let most = 0;
      readOnnx({
        size: file.length,
        read: (offset, length) => {
          most += length;
          return file.subarray(offset, offset + length);
        },
      });
      expect(most).toBeLessThanOrEqual(limit);
    }
  });
});

describe("what is no sound model is refused with the place", () => {
  const given = edge(11, "x", [1]);
  const asked = edge(12, "y", [1]);

  it.each<[string, Uint8Array, string]>([
    ["nothing", new Uint8Array(0), "FORMAT offset 0: ModelProto: has no graph"],
    [
      "a future opset",
      model(25, given),
      "UNSUPPORTED its operators are of opset 25, expected 7 … 24; onnx.version_converter converts it",
    ],
    [
      "an old one",
      model(6, given),
      "UNSUPPORTED its operators are of opset 6, expected 7 … 24; onnx.version_converter converts it",
    ],
    [
      "no opset",
      Uint8Array.from(field(7, given)),
      "FORMAT offset 0: ModelProto: names no version of the ai.onnx operators",
    ],
    ["two graphs", Uint8Array.from([...model(13), ...field(7)]), "FORMAT offset 10: ModelProto: has two graphs"],
    [
      "a length beyond the end",
      Uint8Array.from([0x3a, 5, 0]),
      "FORMAT offset 0: ModelProto: field 7 takes 5 bytes, of which 1 are there",
    ],
    [
      "a negative length",
      Uint8Array.from([0x3a, ...Array.from({ length: 9 }, () => 0xff), 1]),
      "FORMAT offset 0: ModelProto: field 7 takes -1 bytes, of which 0 are there",
    ],
    ["a number cut off", Uint8Array.from([8, 0x80]), "FORMAT offset 1: ModelProto: a number is cut off"],
    [
      "a number of 11 bytes",
      Uint8Array.from([8, ...Array.from({ length: 11 }, () => 0x80), 0]),
      "FORMAT offset 1: ModelProto: a number has more than 10 bytes",
    ],
    ["field 0", Uint8Array.from([0, 0]), "FORMAT offset 0: ModelProto: a field has the number 0"],
    [
      "a group",
      Uint8Array.from([0x0b, 0]),
      "FORMAT offset 0: ModelProto: field 1 has wire type 3, expected 0, 1, 2 or 5",
    ],
    [
      "a number for a graph",
      Uint8Array.from(integer(7, 1)),
      "FORMAT offset 1: ModelProto: field 7 has wire type 0, expected 2",
    ],
    ["a node without an op", model(13, field(1, field(2, "y"))), "FORMAT offset 10: NodeProto: node 0 has no op_type"],
    [
      "a loop",
      model(13, node("Relu", ["b"], ["a"]), node("Relu", ["a"], ["b"])),
      "FORMAT offset 8: GraphProto: node Relu #0 reads b, which nothing before it makes",
    ],
    [
      "a tensor made twice",
      model(13, given, node("Relu", ["x"], ["y"]), node("Relu", ["x"], ["y"])),
      "FORMAT offset 8: GraphProto: two things make y",
    ],
    [
      "an output that nothing makes",
      model(13, given, asked),
      "FORMAT offset 8: GraphProto: nothing makes its output y",
    ],
    [
      "a name that is no text",
      model(13, field(1, field(3, [0xff]))),
      "FORMAT offset 12: NodeProto: field 3 is not UTF-8",
    ],
    [
      "an attribute twice",
      model(13, node("Relu", [], ["y"], ...[1, 2].map((i) => field(5, field(1, "a"), integer(3, i))))),
      "FORMAT offset 10: NodeProto: node 0 (Relu) has an attribute twice",
    ],
    [
      "an attribute of nothing",
      model(13, node("Relu", [], ["y"], field(5, field(1, "a")))),
      "FORMAT offset 21: AttributeProto: attribute a has no value",
    ],
    [
      "a sparse initializer",
      model(13, field(15)),
      "FORMAT offset 10: GraphProto: has a sparse initializer, expected dense ones",
    ],
  ])("%s", (_, bytes, message) => {
    expect(problem(() => read(bytes))).toBe(message);
  });

  it.each<[string, number[][], RegExp]>([
    [
      "too few bytes",
      [integer(1, 3), integer(2, 1), field(8, "w"), field(9, [1, 2, 3])],
      /^FORMAT offset \d+: TensorProto: initializer w: raw_data has 3 bytes, expected 12 for \[3\] float32$/,
    ],
    [
      "too few of a list",
      [integer(1, 3), integer(2, 3), field(8, "w"), field(5, [1, 2, 0x80, 1])],
      /^FORMAT .*initializer w: 128 is not of int8$/,
    ],
    [
      "too many of a list",
      [integer(1, 1), integer(2, 7), field(8, "w"), field(7, [1, 2])],
      /^FORMAT .*initializer w: int64_data has 2 entries, expected 1$/,
    ],
    [
      "a list shorter than its shape",
      [integer(1, 9), integer(2, 7), field(8, "w"), field(7, [1, 2])],
      /^FORMAT .*int64_data has less than 9 entries$/,
    ],
    [
      "a large shape and nothing",
      [integer(1, 2 ** 40), integer(2, 1), field(8, "w")],
      /^FORMAT .*has no elements, expected 1099511627776$/,
    ],
    [
      "more elements than can be counted",
      [integer(1, 2 ** 40), integer(1, 2 ** 40), integer(2, 1), field(8, "w")],
      /^FORMAT .*the shape \[1099511627776, 1099511627776\] has too many elements$/,
    ],
    [
      "seventeen dimensions",
      [...Array.from({ length: 17 }, () => integer(1, 1)), field(8, "w")],
      /^FORMAT .*has more than 16 dimensions$/,
    ],
    [
      "a negative dimension",
      [[8, ...Array.from({ length: 9 }, () => 0xff), 1], field(8, "w")],
      /^FORMAT .*a dimension is -1$/,
    ],
    [
      "two fields of elements",
      [integer(1, 1), integer(2, 1), field(9, [0, 0, 0, 0]), field(4, [0, 0, 0, 0]), field(8, "w")],
      /has elements in raw_data and float_data, expected one field$/,
    ],
    [
      "a field of another type",
      [integer(1, 1), integer(2, 1), field(5, [1]), field(8, "w")],
      /initializer w: float32 in int32_data$/,
    ],
    [
      "strings asked for as numbers",
      [integer(1, 1), integer(2, 8), field(6, "a"), field(8, "w")],
      /^UNSUPPORTED elements of strings; expected numbers$/,
    ],
    [
      "complex numbers",
      [integer(1, 1), integer(2, 14), field(9, [1, 2, 3, 4, 5, 6, 7, 8]), field(8, "w")],
      /^UNSUPPORTED elements of a type that Mote does not read; expected numbers$/,
    ],
    ["no name", [integer(1, 0), integer(2, 1)], /an initializer has no name$/],
  ])("an initializer with %s", (_, fields, message) => {
    expect(tensorProblem(...fields)).toMatch(message);
  });
});

describe("external data", () => {
  const tensor = (location: string, ...entries: (readonly [string, string])[]): Uint8Array =>
    model(
      13,
      field(
        5,
        integer(1, 2),
        integer(2, 1),
        field(8, "w"),
        integer(14, 1),
        ...[["location", location] as const, ...entries].map(([key, value]) =>
          field(13, field(1, key), field(2, value)),
        ),
      ),
    );

  it.each(["", "/etc/passwd", "../w.bin", "a/../../w.bin", "a//b", "./w", "C:\\w", "a\\b", "a\0b"])(
    "never leaves the model's folder: %j",
    (location) => {
      expect(problem(() => read(tensor(location)))).toMatch(/^FORMAT .*, expected a path below the model's folder$/s);
    },
  );

  it.each<[(readonly [string, string])[], RegExp]>([
    [[["offset", "-1"]], /external data's offset is "-1", expected a number of bytes$/],
    [[["length", "1e3"]], /external data's length is "1e3", expected a number of bytes$/],
    [[["length", "9"]], /external data of 9 bytes, expected 8 for \[2\] float32$/],
    [
      [
        ["offset", "0"],
        ["offset", "1"],
      ],
      /external data has two entries offset$/,
    ],
    [[], /^FILE initializer w: its elements are in w\.bin, a file beside the model that was not given$/],
  ])("says what is wrong: %j", (entries, message) => {
    expect(problem(() => valuesOf(read(tensor("w.bin", ...entries)), "w"))).toMatch(message);
  });

  it("is looked for beside the model, and within its folder only", () => {
    const folder = scratch.path("beside");
    mkdirSync(join(folder, "part"), { recursive: true });
    writeFileSync(scratch.path("outside.bin"), new Uint8Array(8));
    writeFileSync(join(folder, "part/w.bin"), Uint8Array.of(0, 0, 0, 63, 0, 0, 128, 191, 9));
    symlinkSync(scratch.path("outside.bin"), join(folder, "link.bin"));
    const values = (location: string, ...entries: (readonly [string, string])[]): number[] => {
      const beside = new FilesBeside(join(folder, "net.onnx"));
      const graph = readOnnx(memorySource(tensor(location, ...entries)), (name) => beside.open(name));
      try {
        return valuesOf(graph, "w");
      } finally {
        beside.close();
      }
    };
    expect(values("part/w.bin")).toEqual([0.5, -1]);
    expect(problem(() => values("part/w.bin", ["offset", "2"]))).toBe(
      "FORMAT part/w.bin: initializer w is at byte 2 and takes 8, the file has 9",
    );
    expect(problem(() => values("link.bin"))).toMatch(
      /link\.bin: is a link that leads out of the model's folder; expected the file itself$/,
    );
    expect(problem(() => values("part"))).toMatch(/^FILE .*part: cannot be read: not a regular file$/);
    expect(problem(() => values("none.bin"))).toMatch(/^FILE .*none\.bin: cannot be read: /);
  });
});
