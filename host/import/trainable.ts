/** A lowered net of another format as one that is trained and compressed: every cut, pool and function a layer of its own, with a name. */
import { MoteError } from "../errors.js";
import type { Axes, FloatTensor, Graph, GraphState, Layer, Net } from "../model/model.js";
import { tensorShapes } from "../model/shapes.js";
import { isBelow } from "../ops/append.js";
import type { Padding, PerAxis } from "../ops/attributes.js";
import { floatOp } from "../ops/index.js";
import { preprocessingOf, type GivenPreprocessing } from "./import.js";
import type { BatchNorm, Clamp, ImportedNet, NetLayer, NetWeights, Pads } from "./net.js";
import { realNet } from "./real-net.js";
import { realRows } from "./rows.js";
import { withWindows } from "./stream-windows.js";

/** A layer without name and edges. */
type Part = Layer extends infer L ? (L extends Layer ? Omit<L, "name" | "input" | "inputs" | "output"> : never) : never;

/**
 * @param imported of real numbers, or int8, which becomes real numbers
 * @param name of the graph
 * @param given how samples are to be read, in place of what the net tells
 * @returns a net of one tensor for each of the net's, in the order of its layers; a softmax at the end is left out already
 * @throws MoteError UNSUPPORTED for a net of several inputs, one whose output is its input, or one with states whose file has no
 *   number of steps, or has a sequence as an output
 */
export function trainableNet(imported: ImportedNet, name: string, given: GivenPreprocessing = {}): Net {
  if (imported.inputs.length !== 1) {
    const inputs = imported.inputs.map((input) => input.name).join(", ");
    throw new MoteError(
      "UNSUPPORTED",
      `${name}: has ${imported.inputs.length} inputs (${inputs}); a net of one is trained`,
    );
  }
  const real = imported.isQuantized ? realNet(imported) : imported;
  // What a step keeps is a whole window then, without crops of rows.
  const net = real.states.length === 0 ? real : withWindows(real);
  const [input] = net.inputs;
  const { shape } = net.tensors[input.tensor];
  const steps = stepsOf(net, name);
  const taken = { layers: new Names("layer"), tensors: new Names("tensor") };
  const tensorNames = new Map([[input.tensor, taken.tensors.take(net.tensors[input.tensor].name)]]);
  for (const { tensor } of net.states) tensorNames.set(tensor, taken.tensors.take(net.tensors[tensor].name));
  const layers: Layer[] = [];
  const tensors = new Map<string, FloatTensor>();
  for (const layer of net.layers) {
    const parts = partsOf(layer, net);
    const inputs = layer.inputs.map((tensor) => tensorNames.get(tensor)!);
    if (parts.length === 0) tensorNames.set(layer.output, inputs[0]);
    let read = inputs;
    parts.forEach((part, index) => {
      const called = taken.layers.take(index === 0 ? layer.name : `${layer.name}_${part.op}`);
      const isLast = index === parts.length - 1;
      const output = taken.tensors.take(isLast ? net.tensors[layer.output].name : called);
      if (isLast) tensorNames.set(layer.output, output);
      layers.push(edged(part, called, read, output));
      for (const [kind, tensor] of index === 0 ? parametersOf(layer) : []) tensors.set(`${called}.${kind}`, tensor);
      read = [output];
    });
  }

  const results = new Map(net.outputs.map((end) => [tensorNames.get(end.tensor)!, end.name]));
  const inputName = tensorNames.get(input.tensor)!;
  if (results.has(inputName))
    throw new MoteError("UNSUPPORTED", `${name}: an output is an input, and no layer is between them`);
  const outputs = layers.map(({ output }) => output).filter((output) => results.has(output));
  const names = [input.name, ...outputs.map((output) => results.get(output)!)];
  const preprocessing = preprocessingOf(imported, given);
  const ends = {
    ...(names.every((end) => end !== "") ? { names } : {}),
    ...(preprocessing === undefined ? {} : { preprocessing }),
  };
  const states = net.states.map(({ tensor, source }): GraphState => {
    return { tensor: tensorNames.get(tensor)!, shape: net.tensors[tensor].shape, source: tensorNames.get(source)! };
  });
  const graph: Graph = {
    name: cleanName(name),
    input: { name: inputName, shape },
    ...(steps !== undefined && { states, steps }),
    layers,
    outputs,
    ends,
  };
  tensorShapes(graph);
  return { graph, tensors };
}

/** Of a sample; undefined of a net without states. @throws MoteError UNSUPPORTED where the file has no sequence, or gives one */
function stepsOf({ states, steps, sequences = [] }: ImportedNet, name: string): number | undefined {
  if (sequences.length > 0) {
    const given = `its output "${sequences[0]}" is of all ${steps} steps`;
    throw new MoteError("UNSUPPORTED", `${name}: ${given}; a net is trained whose outputs are of the last`);
  }
  if (states.length === 0 || steps !== undefined) return steps;
  const kept = `keeps ${states.length} states from step to step`;
  throw new MoteError(
    "UNSUPPORTED",
    `${name}: ${kept}, and does not tell of how many a sample is: mote train --steps does`,
  );
}

/** Letters, digits, dots, dashes; whatever else a file has in a name, such as `/` and `:`, is one `_`. */
const cleanName = (name: string): string => name.replaceAll(/[^\p{L}\p{N}._-]+/gu, "_").replaceAll(/^_+|_+$/g, "");

/** Names that have been given, each once. */
class Names {
  readonly #taken = new Set<string>();

  /** @param nameless what a thing is called whose name is empty */
  constructor(readonly nameless: string) {}

  take(wanted: string): string {
    const clean = cleanName(wanted) || this.nameless;
    let name = clean;
    for (let count = 2; this.#taken.has(name); count++) name = `${clean}_${count}`;
    this.#taken.add(name);
    return name;
  }
}

function edged(part: Part, name: string, inputs: readonly string[], output: string): Layer {
  const { op, ...attributes } = part;
  const isJoin = floatOp({ op, name }).joins !== undefined;
  return { op, name, ...(isJoin ? { inputs } : { input: inputs[0] }), output, ...attributes } as unknown as Layer;
}

const perAxis = ([y, x]: Axes): PerAxis => (y === x ? y : [y, x]);
const padding = (pads: Pads): Padding => (pads.every((zeros) => zeros === pads[0]) ? pads[0] : pads);

/** None for one that gives what it reads. */
function partsOf(layer: NetLayer, { tensors }: ImportedNet): Part[] {
  const cut = "clamp" in layer ? cutOf(layer.clamp) : [];
  switch (layer.op) {
    case "conv2d": {
      if (layer.batchNorm !== undefined) return [{ op: "batchnorm", epsilon: layer.batchNorm.epsilon }, ...cut];
      const { kernel, stride, pads, groups, pool, weights } = layer;
      return [
        {
          op: "conv2d",
          outChannels: weights.rows,
          kernel,
          stride: perAxis(stride),
          pad: padding(pads),
          groups,
        },
        ...(pool ? [{ op: "maxpool", kernel: perAxis(pool.size), stride: perAxis(pool.stride) } as const] : []),
        ...cut,
      ];
    }
    case "dense":
      return [{ op: "dense", outFeatures: layer.weights.rows }, ...cut];
    case "maxpool":
    case "avgpool": {
      const { op, kernel, stride, pads } = layer;
      const pad = padding(pads);
      if ([...kernel, ...stride].every((size) => size === 1) && pad === 0) return cut;
      return [{ op, kernel: perAxis(kernel), stride: perAxis(stride), ...(pad === 0 ? {} : { pad }) }, ...cut];
    }
    case "add":
      return [{ op: "add", ...(layer.sign === 1 ? {} : { sign: layer.sign }) }, ...cut];
    case "mul":
      return [{ op: "mul" }, ...cut];
    case "concat":
      return [{ op: "concat" }];
    case "resize":
      return [{ op: "resize", factor: layer.factor }];
    case "crop": {
      const [[channels, ...plane], from] = [tensors[layer.output].shape, tensors[layer.inputs[0]].shape];
      if (plane.join() !== from.slice(1).join())
        throw new MoteError("UNSUPPORTED", `${layer.name}: a crop of rows or columns is not trained here`);
      return [{ op: "crop", channel: layer.first[0], channels }];
    }
    case "append": {
      const { shape } = tensors[layer.output];
      const inputs = layer.inputs.map((input) => tensors[input].shape);
      return [{ op: "append", ...(isBelow(inputs, shape) ? { rows: shape[1] } : { columns: shape[2] }) }];
    }
    case "lut": {
      const { called, parameters } = layer;
      if (called === "identity") return [];
      if (called === "clamp") return cutOf({ low: parameters[0], high: parameters[1] });
      return [{ op: "map", function: called, ...(parameters.length === 0 ? {} : { parameters }) }];
    }
  }
}

function cutOf({ low, high }: Clamp): Part[] {
  if (low === -Infinity && high === Infinity) return [];
  if (low === 0 && high === Infinity) return [{ op: "relu" }];
  return [{ op: "clamp", ...(low === -Infinity ? {} : { low }), ...(high === Infinity ? {} : { high }) }];
}

function parametersOf(layer: NetLayer): [kind: string, FloatTensor][] {
  if (layer.op === "conv2d") {
    if (layer.batchNorm !== undefined) return normalizationOf(layer.batchNorm);
    const [height, width] = layer.kernel;
    return weightsOf(layer.weights, [layer.weights.columns / (height * width), height, width]);
  }
  return layer.op === "dense" ? weightsOf(layer.weights, [layer.weights.columns]) : [];
}

function weightsOf(weights: NetWeights, columns: readonly number[]): [string, FloatTensor][] {
  const { rows, bias } = weights;
  return [
    ["weight", { shape: [rows, ...columns], data: realRows(weights, 0, rows).slice() }],
    ["bias", { shape: [rows], data: Float32Array.from(bias) }],
  ];
}

const normalizationOf = ({ weight, bias, mean, variance }: BatchNorm): [string, FloatTensor][] =>
  Object.entries({ weight, bias, mean, variance }).map(([kind, data]) => [kind, { shape: [data.length], data }]);
