/** A paper's net as it was before pruning: of real numbers, with all its weights, for what runs such nets. */
import { elementsOf } from "../../host/import/constants.js";
import { IMAGE, placeLayers, type SynthNet } from "../../host/synth/net.js";
import { attribute, edge, node, type FloatGraph, type RandomTensor } from "./onnx-file.js";

type Attributes = Readonly<Record<string, number | readonly number[]>>;

/** Its numbers are random: they stand for any, as no time depends on them. */
export function floatGraph(net: SynthNet): FloatGraph {
  const nodes: number[][] = [];
  const tensors: RandomTensor[] = [];
  const add = (op: string, inputs: readonly string[], output: string, attributes: Attributes = {}): void => {
    const fields = Object.entries(attributes).map(([name, value]) => attribute(name, value));
    nodes.push(node(op, inputs, [output], ...fields));
  };
  /** Weights as large as He et al. 2015 have them: what comes out is as large as what goes in. */
  const weights = (name: string, shape: readonly number[]): string[] => {
    const fanIn = elementsOf(shape.slice(1));
    tensors.push({ name: `${name}.weight`, shape, deviation: Math.sqrt(2 / fanIn) });
    tensors.push({ name: `${name}.bias`, shape: [shape[0]], deviation: 0.01 });
    return [`${name}.weight`, `${name}.bias`];
  };
  const layers = placeLayers(net);
  for (const { layer, from, inputs, rows, columns } of layers) {
    const { name } = layer;
    const hasRelu = "density" in layer ? layer.relu !== false : layer.op === "add";
    const made = hasRelu ? `${name}.sum` : name;
    switch (layer.op) {
      case "conv2d": {
        const { kernel, groups = 1 } = layer;
        const shape = [rows, inputs[0][0] / groups, kernel, kernel];
        add("Conv", [...from, ...weights(name, shape)], made, { ...windowOf(layer), group: groups });
        break;
      }
      case "dense":
        add("Flatten", from, `${name}.flat`);
        add("Gemm", [`${name}.flat`, ...weights(name, [rows, columns])], made, { transB: 1 });
        break;
      case "maxpool":
      case "avgpool":
        add(layer.op === "maxpool" ? "MaxPool" : "AveragePool", from, made, windowOf(layer));
        break;
      case "lrn":
        // Its other numbers are Caffe's by default.
        add("LRN", from, made, { size: layer.size });
        break;
      case "add":
        add("Add", from, made);
        break;
      case "concat":
        add("Concat", from, made, { axis: 1 });
    }
    if (hasRelu) add("Relu", [made], name);
  }
  const input = [1, ...net.input];
  const last = layers[layers.length - 1];
  const output = last.layer.op === "dense" ? [1, last.rows] : [1, ...last.output];
  const ends = [edge(11, IMAGE, input), edge(12, last.layer.name, output)];
  return { name: net.name, input, fields: [...nodes, ...ends], tensors };
}

function windowOf({ kernel, stride = 1, pad = 0 }: { kernel: number; stride?: number; pad?: number }): Attributes {
  return { kernel_shape: [kernel, kernel], strides: [stride, stride], pads: [pad, pad, pad, pad] };
}
