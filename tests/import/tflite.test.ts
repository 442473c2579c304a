import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ByteSource, GraphTensor, ImportedGraph } from "../../host/import/graph.js";
import { readTflite } from "../../host/import/tflite.js";
import { packageRoot } from "../../host/node/paths.js";
import {
  bytes,
  f32s,
  flatBuffer,
  i32,
  i32s,
  i64s,
  table,
  tables,
  text,
  u64,
  u8,
  type Field,
  type Value,
} from "../support/flatbuffer.js";
import { problem } from "../support/problem.js";

const GOLDEN = join(packageRoot, "tests/golden/import");

function inMemory(file: Uint8Array): ByteSource {
  return { size: file.length, read: (offset, length) => file.subarray(offset, offset + length) };
}

function read(file: Uint8Array): ImportedGraph {
  return readTflite(inMemory(file));
}

/** As the script beside the files writes it. */
interface Description {
  readonly tensors: readonly {
    readonly name: string;
    readonly type: string;
    readonly shape: readonly number[];
    readonly signature: readonly number[] | null;
    readonly variable: boolean;
    readonly bytes: number;
    readonly first: readonly number[] | null;
    readonly quantization: readonly [readonly number[], readonly number[], number] | null;
  }[];
  readonly nodes: readonly {
    readonly op: string;
    readonly inputs: readonly number[];
    readonly outputs: readonly number[];
    readonly attributes: Readonly<Record<string, unknown>>;
  }[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly subgraphs: readonly string[];
  readonly signatures: readonly {
    readonly key: string;
    readonly inputs: Readonly<Record<string, number>>;
    readonly outputs: Readonly<Record<string, number>>;
  }[];
}

describe("files of TensorFlow's converter, compared with TensorFlow's own reading", () => {
  const names = readdirSync(GOLDEN).filter((name) => name.endsWith(".tflite") && !name.startsWith("sparse"));
  it.each(names)("%s", (name) => {
    const expected = JSON.parse(readFileSync(join(GOLDEN, `${name}.json`), "utf8")) as Description;
    const graph = read(new Uint8Array(readFileSync(join(GOLDEN, name))));
    expect(graph).toMatchObject({ format: "tflite", version: "schema 3", opset: 3 });
    expect([graph.inputs, graph.outputs]).toEqual([expected.inputs, expected.outputs]);
    expect(graph.tensors.map(describeTensor)).toEqual(
      expected.tensors.map(({ type, shape, signature, quantization, ...rest }) => ({
        ...rest,
        type: /resource/.test(type) ? "other" : type,
        shape: shape.map((size, i) => (signature?.[i] === -1 ? "?" : size)),
        quantization: quantization && [
          ...quantization.slice(0, 2),
          quantization[0].length === 1 ? undefined : quantization[2],
        ],
      })),
    );
    expect(graph.nodes.map(({ op, inputs, outputs }) => ({ op, inputs, outputs }))).toEqual(
      expected.nodes.map(({ op, inputs, outputs }) => ({ op, inputs, outputs })),
    );
    graph.nodes.forEach(({ name: called, op, attributes }, i) => {
      expect(called).toBe(`${op} #${i}`);
      const named = Object.entries(expected.nodes[i].attributes).map(([key, value]) => [
        key,
        key.endsWith("subgraph_index") ? { graph: expected.subgraphs[value as number] } : value,
      ]);
      expect(attributes, called).toEqual(Object.fromEntries(named));
    });
    const ends = (map: Readonly<Record<string, number>>): object[] =>
      Object.entries(map).map(([end, tensor]) => ({ name: end, tensor }));
    expect(graph.signatures ?? []).toEqual(
      expected.signatures.map(({ key, inputs, outputs }) => ({ key, inputs: ends(inputs), outputs: ends(outputs) })),
    );
  });

  function describeTensor({ name, type, shape, quantization, constant, isVariable }: GraphTensor): object {
    const first = ["float32", "float16", "int8", "int16", "int32"].includes(type)
      ? constant && Array.from(constant.values().subarray(0, 4))
      : undefined;
    return {
      name,
      type,
      shape,
      variable: isVariable ?? false,
      bytes: constant?.bytes ?? 0,
      first: first ?? null,
      quantization:
        quantization === undefined ? null : [[...quantization.scales], [...quantization.zeroPoints], quantization.axis],
    };
  }

  it("knows the ops whose names the description has", () => {
    const ops = names.flatMap((name) =>
      read(new Uint8Array(readFileSync(join(GOLDEN, name)))).nodes.map(({ op }) => op),
    );
    expect(new Set(ops).size).toBeGreaterThan(35);
    expect(ops).toContain("CUSTOM:Cholesky");
  });

  it("reads weights of 4 bits, the lower half first", () => {
    const { tensors } = read(new Uint8Array(readFileSync(join(GOLDEN, "states.tflite"))));
    const feature = tensors.find(({ name }) => name === "feature")!;
    expect([...feature.constant!.values()]).toEqual([1, 2, -8, -1, 0, 7, -6, -7]);
  });

  it("refuses sparse weights by their name", () => {
    const file = new Uint8Array(readFileSync(join(GOLDEN, "sparse-float.tflite")));
    expect(problem(() => read(file))).toMatch(
      /^UNSUPPORTED sparse tensors are not read: "StatefulPartitionedCall_1:01"; expected dense/,
    );
  });
});

/** Parts of a net of one fully connected layer: [1, 2] by [3, 2] and three biases gives [1, 3]. Each may be put in place of another. */
interface Parts {
  readonly version?: number;
  readonly input?: readonly Field[];
  readonly weights?: readonly Field[];
  readonly bias?: readonly Field[];
  readonly output?: readonly Field[];
  readonly more?: readonly Value[];
  readonly buffer?: readonly Field[];
  readonly code?: readonly Field[];
  readonly operator?: readonly Field[];
  readonly subgraphs?: Value;
  readonly inputs?: Value;
  readonly outputs?: Value;
  readonly signatures?: Value;
}

const INT8 = 9;
const FULLY_CONNECTED = 9;
const OPTIONS_TYPE = 8;

function quantized(scales: readonly number[], zeroPoints: readonly number[], axis = 0): Value {
  return table(undefined, undefined, f32s(...scales), i64s(...zeroPoints), undefined, undefined, i32(axis));
}

const tensor = (name: string, shape: readonly number[], buffer: number, scales = [0.5], zeroPoints = [0]): Field[] => [
  i32s(...shape),
  u8(INT8),
  i32(buffer),
  text(name),
  quantized(scales, zeroPoints),
];

const INPUT = tensor("x", [1, 2], 0);
const WEIGHTS = tensor("weights", [3, 2], 1, [0.5, 0.25, 0.125], [0, 0, 0]);
const BIAS = [i32s(3), u8(2), i32(2), text("bias"), quantized([1, 2, 3], [0, 0, 0], 3)];
const OUTPUT = tensor("y", [1, 3], 0, [0.5], [-128]);
const OPERATOR = [i32(0), i32s(0, 1, 2), i32s(3), u8(OPTIONS_TYPE), table(u8(1))];

function net(parts: Parts = {}): Uint8Array {
  const main = table(
    tables(
      ...[parts.input ?? INPUT, parts.weights ?? WEIGHTS, parts.bias ?? BIAS, parts.output ?? OUTPUT].map((fields) =>
        table(...fields),
      ),
      ...(parts.more ?? []),
    ),
    parts.inputs ?? i32s(0),
    parts.outputs ?? i32s(3),
    tables(table(...(parts.operator ?? OPERATOR))),
    text("main"),
  );
  return flatBuffer(
    "TFL3",
    table(
      i32(parts.version ?? 3),
      tables(table(...(parts.code ?? [u8(FULLY_CONNECTED), undefined, i32(1), i32(FULLY_CONNECTED)]))),
      parts.subgraphs ?? tables(main),
      text("by hand"),
      tables(
        table(),
        table(...(parts.buffer ?? [bytes(1, 2, 3, 4, 5, 255)])),
        table(bytes(1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0)),
      ),
      undefined,
      undefined,
      parts.signatures,
    ),
  );
}

describe("a net by hand", () => {
  it("is read, and a bias may have the axis of its weights", () => {
    const { tensors, nodes, inputs, outputs } = read(net());
    expect([inputs, outputs]).toEqual([[0], [3]]);
    expect(nodes[0].attributes).toMatchObject({ fused_activation_function: "RELU", keep_num_dims: false });
    expect([...tensors[1].constant!.values()]).toEqual([1, 2, 3, 4, 5, -1]);
    expect([...tensors[2].constant!.values()]).toEqual([1, 2, 3]);
    expect(tensors[1].quantization).toMatchObject({ axis: 0 });
    expect(tensors[2].quantization).toMatchObject({ axis: 0, scales: Float32Array.from([1, 2, 3]) });
    expect(tensors[3].quantization).toMatchObject({ axis: undefined, zeroPoints: Int32Array.from([-128]) });
  });

  it("has the names of its signature", () => {
    const signature = table(
      tables(table(text("image"), i32(0))),
      tables(table(text("class"), i32(3))),
      text("serve"),
      undefined,
      i32(0),
    );
    expect(read(net({ signatures: tables(signature) })).signatures).toEqual([
      { key: "serve", inputs: [{ name: "image", tensor: 0 }], outputs: [{ name: "class", tensor: 3 }] },
    ]);
  });

  it("takes a constant from behind 2 GiB", () => {
    const file = net({ buffer: [undefined, u64(3 * 2 ** 30), u64(6)] });
    const far = Uint8Array.from([9, 8, 7, 6, 5, 4]);
    const source: ByteSource = {
      size: 3 * 2 ** 30 + 6,
      read: (offset, length) =>
        offset === 3 * 2 ** 30 ? far.subarray(0, length) : Uint8Array.from({ length }, (_, i) => file[offset + i] ?? 0),
    };
    expect([...readTflite(source).tensors[1].constant!.values()]).toEqual([9, 8, 7, 6, 5, 4]);
    expect(problem(() => readTflite({ ...source, size: source.size - 1 }))).toMatch(/^FORMAT buffer 1: 6 bytes from/);
  });

  it("names an op that is newer than the reader by its number", () => {
    const code = [u8(127), undefined, i32(1), i32(4000)];
    expect(read(net({ code })).nodes[0]).toMatchObject({ name: "BUILTIN 4000 #0", op: "BUILTIN 4000", attributes: {} });
  });

  it("knows files whose op codes have the old field alone", () => {
    expect(read(net({ code: [u8(FULLY_CONNECTED)] })).nodes[0].op).toBe("FULLY_CONNECTED");
  });
});

const OTHER_QUANTIZATION = table(undefined, undefined, f32s(1), i64s(0), u8(2), table());

describe("what does not fit the schema or itself is refused, with its place", () => {
  const cases: readonly (readonly [what: string, parts: Parts, expected: RegExp])[] = [
    ["another schema", { version: 2 }, /^UNSUPPORTED schema 2 of TFLite is not read, expected 3$/],
    ["no subgraph", { subgraphs: tables() }, /^FORMAT model: subgraphs: there is none/],
    [
      "an op code that is not there",
      { operator: [i32(1), ...OPERATOR.slice(1)] },
      /operator 0: opcode_index: .* got 1$/,
    ],
    ["a tensor that is not there", { outputs: i32s(4) }, /subgraph 0: outputs: expected tensors, 0 \.\. 3, got 4$/],
    ["an absent output", { outputs: i32s(-1) }, /subgraph 0: outputs: expected tensors, 0 \.\. 3, got -1$/],
    ["an input below -1", { operator: [i32(0), i32s(0, -2), ...OPERATOR.slice(2)] }, /operator 0: inputs: .* got -2$/],
    [
      "options of another op",
      { operator: [i32(0), i32s(0, 1), i32s(3), u8(1), table(u8(1))] },
      /operator 0: builtin_options of FULLY_CONNECTED: expected type 8 .*, got 1$/,
    ],
    [
      "a buffer that is not there",
      { weights: tensor("weights", [3, 2], 9) },
      /tensor 1: buffer: expected 0 \.\. 2, got 9$/,
    ],
    [
      "a shape of other sizes",
      { weights: tensor("weights", [3, 3], 1) },
      /tensor 1: \[3, 3\] of int8 takes 9 bytes, buffer 1 has 6$/,
    ],
    [
      "half of a bias of 64 bits",
      { bias: [i32s(3), u8(4), i32(2), text("bias")] },
      /tensor 2: \[3\] of int64 takes 24 bytes, buffer 2 has 12$/,
    ],
    [
      "a negative size",
      { weights: tensor("weights", [-3, -2], 1) },
      /tensor 1: shape: expected sizes of at least 0, or -1/,
    ],
    [
      "a constant of an open shape",
      { weights: tensor("weights", [-1, 2], 1) },
      /tensor 1: a constant of the shape \[\?, 2\]/,
    ],
    [
      "sizes beyond all numbers",
      { weights: tensor("weights", Array<number>(40).fill(2 ** 31 - 1), 1) },
      /tensor 1: \[2147483647/,
    ],
    [
      "a scale that is no number",
      { input: tensor("x", [1, 2], 0, [NaN]) },
      /tensor 0: quantization: scale: .* got NaN$/,
    ],
    ["an infinite scale", { input: tensor("x", [1, 2], 0, [Infinity]) }, /scale: .* got Infinity$/],
    ["a negative scale", { input: tensor("x", [1, 2], 0, [-1]) }, /scale: expected numbers from 0 on, got -1$/],
    [
      "a zero point outside the type",
      { input: tensor("x", [1, 2], 0, [1], [128]) },
      /expected -128 \.\. 127 of int8, got 128$/,
    ],
    [
      "too few zero points",
      { weights: tensor("w", [3, 2], 1, [1, 1, 1], [0, 0]) },
      /zero_point: expected as many as the 3 scales, or one, got 2$/,
    ],
    [
      "scales along no axis",
      { weights: tensor("w", [3, 2], 1, [1, 1], [0, 0]) },
      /got 2 scales along axis 0 of \[3, 2\]$/,
    ],
    [
      "another quantization",
      { weights: [...WEIGHTS.slice(0, 4), OTHER_QUANTIZATION] },
      /^UNSUPPORTED only scales and zero points are read of a quantization: "weights"; expected/,
    ],
    [
      "all that is not read, at once",
      {
        weights: [...WEIGHTS.slice(0, 4), OTHER_QUANTIZATION],
        input: [...INPUT, undefined, table()],
        bias: [...BIAS, undefined, table()],
        output: [...OUTPUT, undefined, undefined, undefined, undefined, undefined, i32(1)],
      },
      /^UNSUPPORTED sparse tensors are not read: "x", "bias"; only scales.*: "weights"; values in other files are not read: "y"; /,
    ],
    [
      "a tensor that nothing writes",
      { inputs: i32s() },
      /FULLY_CONNECTED #0 reads tensor 0 "x", which nothing before it writes$/,
    ],
    ["a node that reads itself", { operator: [i32(0), i32s(0, 1, 3), ...OPERATOR.slice(2)] }, /#0 reads tensor 3 "y"/],
    [
      "a node that writes the input",
      { operator: [i32(0), i32s(1), i32s(0)] },
      /#0 writes tensor 0 "x", which has its values already$/,
    ],
    [
      "an output that nothing writes",
      { operator: [i32(0), i32s(1), i32s()] },
      /the output is tensor 3 "y", which nothing writes$/,
    ],
    [
      "a signature of a tensor that is not there",
      { signatures: tables(table(tables(table(text("image"), i32(4))))) },
      /signature 0, input 0: tensor_index: expected 0 \.\. 3, got 4$/,
    ],
    [
      "a subgraph that is not there",
      {
        code: [u8(127), undefined, i32(1), i32(129)],
        operator: [i32(0), i32s(1), i32s(3), u8(103), table(i32(1))],
      },
      /operator 0: CALL_ONCE: expected a subgraph, 0 \.\. 0, got 1$/,
    ],
  ];
  it.each(cases)("%s", (_, parts, expected) => {
    expect(problem(() => read(net(parts)))).toMatch(expected);
  });

  it("a file of another kind", () => {
    expect(problem(() => read(flatBuffer("TFL2", table())))).toBe(
      'FORMAT byte 4: expected the identifier TFL3, got "TFL2"',
    );
    expect(problem(() => read(new Uint8Array(7)))).toMatch(
      /^FORMAT a FlatBuffer has at least 8 bytes, this file has 7$/,
    );
  });
});

describe("offsets that lead elsewhere are refused", () => {
  const root = (edit: (file: number[], at: number) => void): string => {
    const file = [...flatBuffer("TFL3", table(i32(3), undefined, i32s(1)))];
    edit(file, file[0]);
    return problem(() => read(Uint8Array.from(file)));
  };
  const setShort = (file: number[], at: number, value: number): void => {
    file[at] = value & 255;
    file[at + 1] = value >> 8;
  };

  it.each<[string, (file: number[], at: number) => void, RegExp]>([
    ["nowhere", (file) => (file[0] = 0), /^FORMAT model at byte 0 is an offset of 0, expected one that leads forward$/],
    ["behind the end", (file) => (file[3] = 255), /^FORMAT model at byte \d+ ends at byte \d+, behind the file's end/],
    ["a table that is not aligned", (file) => file[0]++, /^FORMAT model at byte 25 is not aligned to 4 bytes$/],
    [
      "a vtable before the file",
      (file, at) => file.splice(at, 4, 255, 0, 0, 0),
      /the vtable of model at byte -\d+ lies before the file$/,
    ],
    [
      "a vtable behind the file",
      (file, at) => file.splice(at, 4, 0, 0, 0, 255),
      /the vtable of model at byte \d+ ends at/,
    ],
    [
      "a vtable of odd size",
      (file) => (file[8] = 7),
      /the vtable of model at byte 8 has 7 bytes, expected an even number from 4$/,
    ],
    ["a vtable of no size", (file) => (file[8] = 2), /the vtable of model at byte 8 has 2 bytes/],
    [
      "a vtable of more bytes than there are",
      (file) => setShort(file, 8, 65534),
      /the vtable of model at byte \d+ ends at/,
    ],
    [
      "a table of more bytes than there are",
      (file) => setShort(file, 10, 60000),
      /model at byte 24 has 60000 bytes, expected/,
    ],
    [
      "a field behind its table",
      (file) => setShort(file, 12, 9),
      /model: version at byte 33 does not lie within the table's bytes 4 \.\. 11$/,
    ],
    [
      "a field before its table's fields",
      (file) => setShort(file, 12, 2),
      /model: version at byte 26 does not lie within/,
    ],
    [
      "a number that is not aligned",
      (file) => setShort(file, 12, 5),
      /model: version at byte 29 is not aligned to 4 bytes$/,
    ],
    [
      "a vector longer than the file",
      (file) => (file[file.length - 5] = 255),
      /model: subgraphs, \d+ elements of 4 bytes, at byte/,
    ],
  ])("%s", (_, edit, expected) => {
    expect(root(edit)).toMatch(expected);
  });

  it("one part for everything: a file that would become more than it can hold", () => {
    // All tensors are the same table.
    let shared: number | undefined;
    const one: Value = (file) => (shared ??= table(...INPUT)(file));
    const file = net({ more: Array<Value>(20_000).fill(one) });
    expect(problem(() => read(file))).toMatch(/^FORMAT subgraph 0, tensor \d+.*: parts of the file are used so often/);
  });
});

describe.skipIf(process.env["MOTE_ZOO"] === undefined)("the files of MOTE_ZOO", () => {
  const folder = process.env["MOTE_ZOO"]!;

  it("have the ops of its index", () => {
    const rows = readFileSync(join(folder, "INDEX.md"), "utf8")
      .split("\n")
      .map((line) => line.split("|").map((cell) => cell.trim()))
      .filter((cells) => cells[1]?.endsWith(".tflite"));
    expect(rows.length).toBeGreaterThan(20);
    for (const [, name, , , , , , ops] of rows) {
      const graph = read(new Uint8Array(readFileSync(join(folder, name))));
      const counts = new Map<string, number>();
      for (const { op } of graph.nodes) counts.set(op, (counts.get(op) ?? 0) + 1);
      // The index counts what the subgraph of a CALL_ONCE has as well.
      const isWhole = !counts.has("CALL_ONCE");
      const found = [...counts].map(([op, count]) => (count === 1 || !isWhole ? op : `${op} × ${count}`));
      const indexed = isWhole ? ops : ops.replaceAll(/ × \d+/g, "");
      expect(found.toSorted(), name).toEqual(indexed.split(", ").toSorted());
      for (const { constant, type } of graph.tensors) if (type !== "other") constant?.values();
    }
  });
});
