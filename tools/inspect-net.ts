/** `mote inspect` of a float net: its graph, and how far it is from a model. */
import type { Net } from "../host/model/model.js";
import { parameterShapes, tensorShapes } from "../host/model/shapes.js";
import { readCheckpoint } from "../host/node/train/checkpoint.js";
import { grouped } from "./model-file.js";
import type { Output } from "./output.js";

interface LayerReport {
  readonly name: string;
  readonly op: string;
  /** Of the output. */
  readonly shape: readonly number[];
  readonly weights?: {
    readonly shape: readonly number[];
    readonly count: number;
    readonly nonZeros: number;
    readonly biases: number;
    /** Of the compression: every weight is a multiple of it, or of its row's. */
    readonly scale?: number | readonly number[];
  };
}

export function inspectNet(path: string, fileBytes: number, output: Output): void {
  const { net, progress, optimizer } = readCheckpoint(path);
  const { graph, compression } = net;
  const layers = describeLayers(net);
  const sum = (of: (weights: NonNullable<LayerReport["weights"]>) => number): number =>
    layers.reduce((total, { weights }) => total + (weights === undefined ? 0 : of(weights)), 0);
  const [count, nonZeros, biases] = [sum((w) => w.count), sum((w) => w.nonZeros), sum((w) => w.biases)];
  output.line(`${path}: float net ${graph.name} of ${grouped(fileBytes)} bytes`);
  output.pairs([
    ["input", graph.input.shape.join(" × ")],
    ...(graph.steps === undefined
      ? []
      : [["states", `${graph.states!.length}, over ${graph.steps} steps a sample`] as const]),
    ["parameters", `${grouped(count + biases)}: ${grouped(count)} weights and ${grouped(biases)} biases`],
    ["weights", `${grouped(nonZeros)} of ${grouped(count)} are not zero, sparsity ${sparsity(nonZeros, count)}`],
    ["compressed", compression === undefined ? "no; mote compress does it" : "yes; mote pack makes a model of it"],
    ...(progress === undefined ? [] : [["training", describeProgress(progress)] as const]),
    ...(optimizer === undefined
      ? []
      : [["optimizer", `its state after ${grouped(optimizer.updates)} updates`] as const]),
  ]);
  output.line();
  output.table(
    [
      ["layer", "op", "output", "weight", "parameters", "not zero", "sparsity"],
      ...layers.map(({ name, op, shape, weights: w }) => [
        name,
        op,
        shape.join(" × "),
        ...(w === undefined
          ? ["", "", "", ""]
          : [w.shape.join(" × "), grouped(w.count + w.biases), grouped(w.nonZeros), sparsity(w.nonZeros, w.count)]),
      ]),
    ],
    [0, 1],
  );
  output.json(() => ({
    file: path,
    kind: "float net",
    fileBytes,
    name: graph.name,
    input: graph.input.shape,
    ...(graph.steps !== undefined && { states: graph.states, steps: graph.steps }),
    parameters: count + biases,
    weights: count,
    nonZeros,
    layers,
    compression: compression ?? null,
    progress: progress ?? null,
    optimizerUpdates: optimizer?.updates ?? null,
  }));
}

function describeLayers({ graph, tensors, compression }: Net): LayerReport[] {
  const outputs = tensorShapes(graph);
  const parameters = parameterShapes(graph);
  return graph.layers.map(({ name, op, output }) => {
    const shape = outputs.get(output)!;
    const weight = tensors.get(`${name}.weight`);
    if (weight === undefined || !parameters.has(`${name}.weight`)) return { name, op, shape };
    const scale = compression?.weightScale[name];
    const weights = {
      shape: weight.shape,
      count: weight.data.length,
      nonZeros: weight.data.reduce((some, value) => some + (value === 0 ? 0 : 1), 0),
      biases: tensors.get(`${name}.bias`)!.data.length,
      ...(scale === undefined ? {} : { scale }),
    };
    return { name, op, shape, weights };
  });
}

/** Share of the weights that are zero. */
function sparsity(nonZeros: number, count: number): string {
  return `${(100 * (1 - nonZeros / count)).toFixed(2)} %`;
}

function describeProgress(progress: Readonly<Record<string, unknown>>): string {
  return Object.entries(progress)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(", ");
}
