/**
 * Nets that see bytes as they are, 0 .. 255, have weights a hundred times smaller than others in their first layer, which an optimizer's steps of
 * one size for all would blow away. Such a net is trained as one that sees value / 255, whose first weights are as much larger.
 */
import type { Samples } from "../data/samples.js";
import type { TrainingSamples } from "./digest.js";
import { inputsOf } from "../model/edges.js";
import type { Compression, FloatTensor, Graph, Net, WeightedLayer } from "../model/model.js";
import { hasWeights } from "../ops/index.js";
import { own } from "../own.js";

/** How bytes are seen without a reading. */
const USUAL = 1 / 255;

/** What the usual reading's values are multiplied by in this one; 1 where it is another kind, or the net's beginning does not allow for it. */
export function inputFactor(graph: Graph, { images, reading }: Samples): number {
  if (reading === undefined || !(images instanceof Uint8Array)) return 1;
  const [scale] = reading.scale;
  const isPlain = reading.scale.every((one) => one === scale) && reading.offset.every((one) => one === 0);
  return isPlain && readers(graph) !== undefined ? scale / USUAL : 1;
}

/** The layers that read the input, if all of them are sums of weights × elements. */
function readers(graph: Graph): WeightedLayer[] | undefined {
  const layers = graph.layers.filter((layer) => inputsOf(layer).includes(graph.input.name));
  return layers.every(hasWeights) ? layers : undefined;
}

/** The net that gives the same for an input of `factor` times less. */
export function scaleInput(net: Net, factor: number): Net {
  if (factor === 1 || net.tensors.size === 0) return net;
  const names = readers(net.graph)!.map(({ name }) => name);
  const times = (scale: Scale): Scale =>
    typeof scale === "number" ? Math.fround(scale * factor) : scale.map((one) => Math.fround(one * factor));
  const { compression } = net;
  const scales = new Map(Object.entries<Scale>(compression?.weightScale ?? {}));
  for (const name of names) if (scales.has(name)) scales.set(name, times(scales.get(name)!));
  const tensors = new Map<string, FloatTensor>(net.tensors);
  for (const name of names) {
    const tensor = tensors.get(`${name}.weight`)!;
    tensors.set(`${name}.weight`, { ...tensor, data: scaled(tensor, factor, scales.get(name)) });
  }
  if (compression === undefined) return { ...net, tensors };
  const input = own(compression.activations, net.graph.input.name);
  const activations = input && { [net.graph.input.name]: { ...input, scale: input.scale / factor } };
  return {
    ...net,
    tensors,
    compression: {
      ...compression,
      weightScale: Object.fromEntries(scales) as typeof compression.weightScale,
      activations: { ...compression.activations, ...activations },
    },
  };
}

/** One for all rows, or one for each. */
type Scale = Compression["weightScale"][string];

/** Weights that are integers stay what they are, times their scale. */
function scaled({ data, integers, shape }: FloatTensor, factor: number, scale: Scale | undefined): Float32Array {
  if (integers === undefined || scale === undefined) return data.map((w) => w * factor);
  const columns = data.length / shape[0];
  return Float32Array.from(
    integers,
    (q, i) => q * (typeof scale === "number" ? scale : scale[Math.floor(i / columns)]),
  );
}

/** The same bytes, seen as value / 255. */
export function usualReading({ train, validation }: TrainingSamples): TrainingSamples {
  const usual = (samples: Samples): Samples => {
    const { reading: _reading, ...others } = samples;
    return others;
  };
  return { train: usual(train), validation: usual(validation) };
}
