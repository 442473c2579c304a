/** Caffe's nets: the golden ones beside what OpenCV makes of them, and messages put together here. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readCaffe } from "../../host/import/caffe.js";
import { runFloat } from "../../host/import/float-run.js";
import type { ImportedGraph, NamedSource } from "../../host/import/graph.js";
import { lowerGraph } from "../../host/import/import.js";
import { inferShapes } from "../../host/import/shapes.js";
import { openGraph } from "../../host/node/import/open-graph.js";
import { scratchFolder } from "../cli/support.js";
import { field, goldenBytes, IMPORT_FOLDER, integer, memorySource } from "../support/onnx.js";
import { problem } from "../support/problem.js";

const scratch = scratchFolder();
const NOTHING = new Uint8Array(0);

const text = (prototxt: string): NamedSource => ({
  source: memorySource(new TextEncoder().encode(prototxt)),
  path: "net.prototxt",
});

/** A net without weights. */
function described(prototxt: string): ImportedGraph {
  return readCaffe(memorySource(NOTHING), text(prototxt));
}

const INPUT =
  'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 4 dim: 6 dim: 6 } } }\n';

/** A layer in place over an input of 1 × 4 × 6 × 6. */
const over = (layer: string): ImportedGraph =>
  described(`${INPUT}layer { name: "it" bottom: "data" top: "it" ${layer} }`);

/** Why a layer does not run. */
const refusal = (layer: string): string =>
  problem(() => lowerGraph(inferShapes(over(layer), { batch: 1 }))).replace("UNSUPPORTED the net does not run: ", "");

const ops = ({ nodes }: ImportedGraph): string[] => nodes.map(({ name, op }) => `${name}: ${op}`);
const shapesOf = ({ tensors, outputs }: ImportedGraph): (readonly (number | string)[] | undefined)[] =>
  outputs.map((index) => tensors[index].shape);

/** Packed floats, as a field. */
const packed = (number: number, ...values: number[]): number[] =>
  field(number, new Uint8Array(Float32Array.from(values).buffer));

describe("a caffemodel by itself", () => {
  const bytes = goldenBytes("caffe-alone.caffemodel");
  const runs = (
    JSON.parse(readFileSync(join(IMPORT_FOLDER, "caffe-outputs.json"), "utf8")) as Record<
      string,
      { input: number[]; output: number[] }[]
    >
  )["caffe-alone.caffemodel"];

  it("gives what OpenCV gives, its data layer of the training being the input", () => {
    const graph = readCaffe(memorySource(bytes));
    expect(graph).toMatchObject({ format: "onnx", kind: "Caffe net", version: "4 layers", opset: 13 });
    expect(graph.inputs.map((index) => graph.tensors[index].name)).toEqual(["data"]);
    expect(graph.outputs.map((index) => graph.tensors[index].name)).toEqual(["fc"]);
    const net = lowerGraph(inferShapes(graph, { shapes: new Map([["data", [1, 2, 6, 6]]]), batch: 1 }));
    for (const { input, output } of runs) {
      const [got] = runFloat(net, [Float32Array.from(input)]);
      output.forEach((value, i) => expect(got[i]).toBeCloseTo(value, 5));
    }
  });

  it("says how to fix the shape that it leaves open", () => {
    expect(problem(() => lowerGraph(inferShapes(readCaffe(memorySource(bytes)), { batch: 1 })))).toMatch(
      /input data has open sizes, \?; --shape data=\.\.\. fixes them/,
    );
  });

  it("shares the memory of the file where elements are aligned", () => {
    const model = (pad: number): Uint8Array =>
      Uint8Array.from([
        ...field(1, "n".repeat(pad)),
        ...field(100, field(1, "d"), field(2, "Input"), field(4, "x"), field(143, field(1, field(1, [1, 1, 1, 2])))),
        ...field(
          100,
          field(1, "ip"),
          field(2, "InnerProduct"),
          field(3, "x"),
          field(4, "y"),
          field(117, integer(1, 1), integer(2, 0)),
          field(7, packed(5, 0.5, -2)),
        ),
      ]);
    const shared = [0, 1, 2, 3].map((pad) => {
      const bytes = model(pad);
      const { tensors } = readCaffe(memorySource(bytes));
      const values = tensors.find(({ name }) => name === "ip.weights")!.constant!.values();
      expect([...values]).toEqual([0.5, -2]);
      return values.buffer === bytes.buffer;
    });
    expect(shared.filter(Boolean)).toHaveLength(1);
  });

  it.each([
    ["packed", packed(5, 1, -2, 3)],
    ["one by one", [1, -2, 3].flatMap((value) => [5 * 8 + 5, ...new Uint8Array(Float32Array.of(value).buffer)])],
    ["in two fields", [...packed(5, 1), ...packed(5, -2, 3)]],
    ["as doubles", field(8, new Uint8Array(Float64Array.of(1, -2, 3).buffer))],
    ["with sizes of before 2014", [...packed(5, 1, -2, 3), ...[1, 1, 1, 3].flatMap((n, i) => integer(i + 1, n))]],
  ])("reads elements that stand %s", (_, blob) => {
    const layer = [field(1, "ip"), field(2, "InnerProduct"), field(3, "x"), field(4, "y"), field(7, blob)];
    const bytes = Uint8Array.from([
      ...field(3, "x"),
      ...field(8, field(1, [1, 3])),
      ...field(100, ...layer, field(117, integer(1, 1), integer(2, 0))),
    ]);
    const { tensors } = readCaffe(memorySource(bytes));
    expect([...tensors.find(({ name }) => name === "ip.weights")!.constant!.values()]).toEqual([1, -2, 3]);
  });

  it.each<[string, number[], RegExp]>([
    [
      "elements that are not those of the shape",
      [...packed(5, 1), ...field(7, field(1, [2]))],
      /BlobProto: has 1 elements, expected those of \[2\]/,
    ],
    [
      "elements of both kinds",
      [...packed(5, 1), ...field(8, new Uint8Array(8))],
      /has elements in data and double_data/,
    ],
    ["three bytes of a float", field(5, [0, 0, 0]), /field 5 is 3 bytes of numbers of 4/],
    ["another number than the layer takes", packed(5, 1, 2), /BlobProto: has 2 elements, expected 3/],
  ])("refuses %s", (_, blob, expected) => {
    const layer = [field(1, "ip"), field(2, "InnerProduct"), field(3, "x"), field(4, "y"), field(7, blob)];
    const bytes = Uint8Array.from([
      ...field(3, "x"),
      ...field(8, field(1, [1, 3])),
      ...field(100, ...layer, field(117, integer(1, 1), integer(2, 0))),
    ]);
    expect(problem(() => readCaffe(memorySource(bytes)))).toMatch(expected);
  });
});

describe("a prototxt", () => {
  it("is found beside the model: by its name, or as deploy.prototxt", () => {
    const folder = scratch.path("beside");
    mkdirSync(folder);
    const [model, deploy] = ["caffe-v1.caffemodel", "caffe-v1.prototxt"].map(goldenBytes);
    writeFileSync(join(folder, "net.caffemodel"), model);
    writeFileSync(join(folder, "deploy.prototxt"), deploy);
    const open = (): ImportedGraph => {
      const { graph, close } = openGraph(join(folder, "net.caffemodel"));
      close();
      return graph;
    };
    expect(ops(open())).toContain("prob: Softmax");
    writeFileSync(join(folder, "net.prototxt"), new TextDecoder().decode(deploy).replace('"prob"', '"last"'));
    expect(ops(open())).toContain("last: Softmax");
  });

  it("takes the layers that are there when a net is tested", () => {
    const graph = described(`
      state { level: 1 stage: "deploy" }
      ${INPUT}
      layer { name: "train" type: "ReLU" bottom: "data" top: "a" include { phase: TRAIN } }
      layer { name: "test" type: "ReLU" bottom: "data" top: "a" include { phase: TEST } include { phase: TRAIN stage: "x" } }
      layer { name: "low" type: "TanH" bottom: "a" top: "a" include { max_level: 0 } }
      layer { name: "high" type: "TanH" bottom: "a" top: "a" exclude { max_level: 0 } }
      layer { name: "stage" type: "Sigmoid" bottom: "a" top: "a" include { stage: "deploy" not_stage: "other" } }
      layer { name: "not" type: "Sigmoid" bottom: "a" top: "a" exclude { stage: "deploy" } }
      layer { name: "accuracy" type: "Accuracy" bottom: "a" top: "accuracy" }
      layer { name: "loss" type: "SoftmaxWithLoss" bottom: "a" bottom: "label" }`);
    expect(ops(graph)).toEqual(["test: Relu", "high: Tanh", "stage: Sigmoid"]);
    expect(shapesOf(graph)).toEqual([[1, 4, 6, 6]]);
  });

  it("may have all that the text form allows", () => {
    const graph = described(`
      # a comment
      input: 'da' "ta" # of two pieces
      input_shape: { dim: [0x1, 03, 8, 8] };
      layer < name: "p" type: "Pooling", bottom: ["data"] top: "p"; pooling_param: < kernel_size: 2 pool: 1 > >
      layer { name: "r\\"q" type: "ReLU" bottom: "p" top: "r" relu_param { negative_slope: -.5e-1f } param { lr_mult: -inf } }`);
    expect(shapesOf(graph)).toEqual([[1, 3, 7, 7]]);
    expect(graph.nodes[0]).toMatchObject({ op: "AveragePool", attributes: { kernel_shape: [2, 2] } });
    expect(graph.nodes[1]).toMatchObject({ name: 'r"q', op: "LeakyRelu", attributes: { alpha: -0.05 } });
  });

  it.each<[string, string]>([
    ["layer {", "FORMAT net.prototxt: line 1: the message of line 1 has no end"],
    ["\n\nlayer }", "FORMAT net.prototxt: line 3: expected a colon, got }"],
    ["name: 5", "FORMAT net.prototxt: line 1: name is 5, expected a text"],
    ['name: "open', "FORMAT net.prototxt: line 1: a text has no end"],
    ['name: "\\x41"', "FORMAT net.prototxt: line 1: a text with an escape that Mote does not read"],
    ["input_dim: 1.5", "FORMAT net.prototxt: line 1: input_dim is 1.5, expected a whole number"],
    ["input: 'x' input_dim: 09", "FORMAT net.prototxt: line 1: input_dim is 09, expected a whole number"],
    [
      "input_dim: 99999999999999999",
      "FORMAT net.prototxt: line 1: input_dim is 99999999999999999, expected a whole number",
    ],
    ["layer: 5", "FORMAT net.prototxt: line 1: layer is 5, expected a LayerParameter in braces"],
    ["name { }", "FORMAT net.prototxt: line 1: name is a message, expected a text"],
    ["input_dim: [1 2]", "FORMAT net.prototxt: line 1: expected , or ], got 2"],
    ["5", "FORMAT net.prototxt: line 1: expected the name of a field, got 5"],
    ["name:", "FORMAT net.prototxt: line 1: expected a value of name, got the end"],
    ["x { ".repeat(40), "FORMAT net.prototxt: line 1: more than 32 messages within one another"],
    ["state { phase: DEPLOY }", "FORMAT net.prototxt: line 1: phase is DEPLOY, expected one of TRAIN, TEST"],
    ['name: "a" name: "b" layer { }', "FORMAT net.prototxt: line 1: LayerParameter: a layer has no type"],
    [
      "layers { layer { } }",
      "FORMAT net.prototxt: line 1: V1LayerParameter: a layer has no type; of nets before 2014 caffe's upgrade_net_proto_binary makes newer ones",
    ],
    [
      'input: "data" input_dim: 3',
      "FORMAT net.prototxt: line 1: NetParameter: has 1 values of input_dim, expected 4 for each of 1 inputs",
    ],
    ["input: 'x' input_shape { dim: 0 }", "FORMAT net.prototxt: line 1: an input of [0]"],
    ["", "FORMAT net.prototxt: line 1: NetParameter: has no layers"],
  ])("that is wrong is refused with the line: %j", (prototxt, expected) => {
    expect(problem(() => described(prototxt))).toBe(expected);
  });

  it.each<[string, string]>([
    [
      'type: "Convolution" convolution_param { num_output: 2 kernel_size: 3 }',
      "FORMAT layer it has no weights in the file of weights",
    ],
    [
      'type: "Pooling" pooling_param { kernel_size: 3 kernel_h: 2 kernel_w: 2 }',
      "FORMAT net.prototxt: line 2: PoolingParameter: has kernel_size and kernel_h or kernel_w, expected one of both",
    ],
    [
      'type: "Pooling" pooling_param { kernel_h: 2 }',
      "FORMAT net.prototxt: line 2: PoolingParameter: has one of kernel_h and kernel_w",
    ],
    [
      'type: "Pooling" pooling_param { kernel_size: 2 kernel_size: 2 kernel_size: 2 }',
      "FORMAT net.prototxt: line 2: PoolingParameter: has 3 values of kernel_size, expected 1 or 2",
    ],
    [
      'type: "Eltwise" bottom: "data" eltwise_param { coeff: 1 }',
      "FORMAT net.prototxt: line 2: EltwiseParameter: has 1 coefficients of a SUM of 2 bottoms",
    ],
    ['type: "ReLU" bottom: "data" top: "more"', "FORMAT layer it: has 2 tops, expected one"],
    ['type: "Eltwise" bottom: "none"', "FORMAT layer it: reads none, which no layer before it makes"],
    [
      'type: "LRN" lrn_param { local_size: 4 }',
      "FORMAT net.prototxt: line 2: LRNParameter: local_size is 4, expected an odd number",
    ],
    [
      'type: "Flatten" flatten_param { axis: 4 }',
      "FORMAT net.prototxt: line 2: FlattenParameter: from axis 4 to 3 of 4",
    ],
  ])("with a layer that is wrong is refused by name: %j", (layer, expected) => {
    expect(problem(() => over(layer))).toBe(expected);
  });

  it.each<[string, string]>([
    [
      'type: "LRN" lrn_param { norm_region: WITHIN_CHANNEL }',
      "caffe::LRN it: norm_region is WITHIN_CHANNEL; expected ACROSS_CHANNELS",
    ],
    [
      'type: "MVN"',
      "MeanVarianceNormalization it: normalizes by each sample's own values; expected BatchNormalization",
    ],
    ['type: "SPP" spp_param { }', "caffe::SPP it: an op of its maker's own; expected standard ones"],
    [
      'type: "Deconvolution" convolution_param { num_output: 2 }',
      "ConvTranspose it: no transposed convolution; a nearest Resize before a Conv enlarges too",
    ],
    ['type: "Slice"', "Split it: takes a part of a tensor; expected layers that read all of it"],
    [
      'type: "Pooling" pooling_param { kernel_size: 2 round_mode: FLOOR }',
      "caffe::Pooling it: has pooling_param.round_mode, which Mote does not know",
    ],
    [
      'type: "Pooling" pooling_param { kernel_size: 2 pool: STOCHASTIC }',
      "caffe::Pooling it: pools at random; expected MAX or AVE",
    ],
    [
      'type: "Pooling" pooling_param { kernel_size: 3 stride: 2 pool: AVE }',
      "AveragePool it: its last window reaches beyond the end, where fewer elements count; expected windows that fit",
    ],
    [
      'type: "Eltwise" bottom: "data" eltwise_param { operation: MAX }',
      "Max it: of two tensors; expected one beside one constant value",
    ],
    [
      'type: "BatchNorm" batch_norm_param { use_global_stats: false }',
      "caffe::BatchNorm it: use_global_stats is false; expected the statistics of the training",
    ],
    [
      'type: "Power" power_param { power: 2 }',
      "Pow it: no table is made for it; expected Relu, Clip, LeakyRelu, Sigmoid, Tanh, HardSigmoid, HardSwish, Elu, Swish or Gelu",
    ],
  ])("with what does not run says why: %j", (layer, expected) => {
    expect(refusal(layer)).toBe(expected);
  });

  it("has all that does not run in one message", () => {
    const graph = described(
      `${INPUT}layer { name: "a" type: "Exp" bottom: "data" top: "a" } layer { name: "b" type: "Crop" bottom: "a" top: "b" }
       layer { name: "c" type: "ReLU" bottom: "b" top: "b" } layer { name: "d" type: "MVN" bottom: "b" top: "d" }`,
    );
    expect(problem(() => lowerGraph(inferShapes(graph, { batch: 1 })))).toMatch(
      /: Exp a: .+; caffe::Crop b: .+; MeanVarianceNormalization d: /,
    );
  });

  it.each<[string, string[], (number | string)[]]>([
    [
      'type: "Eltwise" bottom: "data" bottom: "data" eltwise_param { coeff: 1 coeff: 1 coeff: 2 }',
      ["it (coefficient 3): Mul", "it (2 of 3): Add", "it: Add"],
      [1, 4, 6, 6],
    ],
    ['type: "Flatten" flatten_param { axis: -2 }', ["it: Reshape"], [1, 4, 36]],
    ['type: "Reshape" reshape_param { axis: 1 shape { dim: 2 dim: -1 } }', ["it: Reshape"], [1, 2, 72]],
    ['type: "Permute" permute_param { order: 0 order: 2 }', ["it: Transpose"], [1, 6, 4, 6]],
    ['type: "Pooling" pooling_param { kernel_size: 3 stride: 2 }', ["it: MaxPool"], [1, 4, 3, 3]],
    ['type: "Pooling" pooling_param { kernel_size: 2 stride: 2 pad: 1 }', ["it: MaxPool"], [1, 4, 4, 4]],
    ['type: "Concat" bottom: "data" concat_param { concat_dim: 2 }', ["it: Concat"], [1, 4, 12, 6]],
  ])("with %j has these nodes and this shape", (layer, expected, shape) => {
    const graph = over(layer);
    expect(ops(graph)).toEqual(expected);
    expect(shapesOf(inferShapes(graph, { batch: 1 }))).toEqual([shape]);
  });
});
