/** Several nets of one graph as one: a teacher whose logits are the mean of its members'. */
import { inputsOf, resultsOf } from "../model/edges.js";
import type { FloatTensor, Graph, Layer, Net } from "../model/model.js";
import { parameterShapes, tensorShapes } from "../model/shapes.js";
import { neededLayers } from "../train/unroll.js";

const INPUT = "input";

/**
 * The nets side by side on one input; their first results are summed and divided by their number. Names of the first begin with `1.`,
 * and so on.
 * @param nets two or more of one graph, none of them compressed
 */
export function meanOfNets(nets: readonly Net[]): Net {
  const { graph } = nets[0];
  const [result] = resultsOf(graph);
  const [channels] = tensorShapes(graph).get(result)!;
  const namings = nets.map((_, i) => (name: string) => (name === graph.input.name ? INPUT : `${i + 1}.${name}`));
  const needed = new Set(
    neededLayers({ ...graph, outputs: [result] }, graph.steps ?? 1).flatMap((ofStep) => [...ofStep]),
  );
  const layers = graph.layers.filter((layer) => needed.has(layer));
  const read = new Set(layers.flatMap(inputsOf));
  const members = namings.flatMap((named) => layers.map((layer) => renamed(layer, named)));
  const sums = namings.slice(1).map((named, i): Layer => {
    const before = i === 0 ? namings[0](result) : `sum.${i}`;
    return { op: "add", name: `sum.${i + 1}`, inputs: [before, named(result)], output: `sum.${i + 1}` };
  });
  const mean: Layer = {
    op: "conv2d",
    name: "mean",
    input: `sum.${sums.length}`,
    output: "mean",
    outChannels: channels,
    kernel: [1, 1],
    stride: 1,
    pad: 0,
    groups: channels,
  };
  const states = namings.flatMap((named) =>
    (graph.states ?? [])
      .filter(({ tensor }) => read.has(tensor))
      .map(({ tensor, shape, source }) => ({ tensor: named(tensor), shape, source: named(source) })),
  );
  const { outputs: _outputs, states: _states, ends: _ends, ...rest } = graph;
  const whole: Graph = {
    ...rest,
    input: { ...graph.input, name: INPUT },
    layers: [...members, ...sums, mean],
    ...(states.length > 0 && { states }),
  };
  const shapes = parameterShapes(whole);
  const tensors = new Map<string, FloatTensor>(
    nets
      .flatMap((net, i) => [...net.tensors].map(([name, tensor]) => [`${i + 1}.${name}`, tensor] as const))
      .filter(([name]) => shapes.has(name)),
  );
  tensors.set("mean.weight", { shape: [channels, 1, 1, 1], data: new Float32Array(channels).fill(1 / nets.length) });
  tensors.set("mean.bias", { shape: [channels], data: new Float32Array(channels) });
  return { graph: whole, tensors };
}

function renamed(layer: Layer, named: (name: string) => string): Layer {
  const inputs = inputsOf(layer).map(named);
  const edges = "inputs" in layer ? { inputs } : { input: inputs[0] };
  return { ...layer, name: named(layer.name), output: named(layer.output), ...edges } as Layer;
}
