/** Float nets made from a seed, compressed on paper: weights on a grid, activation scales from a few inputs. */
import { channelsByTensor } from "../../host/compress/narrow.js";
import { sampleShape, tensorShapes } from "../../host/model/shapes.js";
import type { Compression, FloatTensor, Graph, Net, Shape } from "../../host/model/model.js";
import { runNet } from "../../host/engines/ops-f32.js";
import { scaleGroups } from "../../host/quantize/calibrate.js";
import { Random } from "../../host/rng.js";

export function randomPixels(shape: Shape, seed: number): Float32Array {
  const random = new Random(seed, 11);
  return Float32Array.from(
    { length: shape[0] * shape[1] * shape[2] },
    () => Math.max(0, random.integer(511) - 255) / 255,
  );
}

/**
 * @param byRow whether each row has a scale of its own, from a quarter to four times the usual
 * @returns the net with `compression`, ready for `quantize`
 */
export function compressedNet(graph: Graph, seed: number, byRow = false): Net & { readonly compression: Compression } {
  const random = new Random(seed);
  const shapes = tensorShapes(graph);
  const tensors = new Map<string, FloatTensor>();
  const weightScale: Record<string, number | number[]> = {};
  for (const layer of graph.layers) {
    if (layer.op === "batchnorm") throw new Error(`${layer.name}: fold it`);
    if (layer.op !== "conv2d" && layer.op !== "dense") continue;
    const [channels, height, width] = shapes.get(layer.input)!;
    const shape =
      layer.op === "conv2d"
        ? [layer.outChannels, channels / layer.groups, ...layer.kernel]
        : [layer.outFeatures, channels * height * width];
    const columns = shape.slice(1).reduce((a, b) => a * b);
    const scale = 0.37 / Math.sqrt(columns);
    const scales = Array.from({ length: shape[0] }, (_, row) => scale * 4 ** ((row % 3) - 1));
    weightScale[layer.name] = byRow ? scales : scale;
    const integers = Int8Array.from({ length: shape[0] * columns }, () => Math.round(random.normal() * 3));
    const data = Float32Array.from(integers, (q, i) => q * (byRow ? scales[Math.floor(i / columns)] : scale));
    tensors.set(`${layer.name}.weight`, { shape, data, integers });
    tensors.set(`${layer.name}.bias`, {
      shape: [shape[0]],
      data: Float32Array.from({ length: shape[0] }, () => random.normal() * 0.1),
    });
  }
  const activations = calibrated({ graph, tensors });
  return { graph, tensors, compression: { nominalChannels: channelsByTensor(graph), weightScale, activations } };
}

/** Full range over ten inputs. */
function calibrated(net: Net): Compression["activations"] {
  const low = new Map<string, number>();
  const high = new Map<string, number>();
  for (let seed = 0; seed < 10; seed++) {
    for (const [name, values] of runNet(net, randomPixels(sampleShape(net.graph), seed))) {
      low.set(
        name,
        values.reduce((a, b) => Math.min(a, b), low.get(name) ?? 0),
      );
      high.set(
        name,
        values.reduce((a, b) => Math.max(a, b), high.get(name) ?? 0),
      );
    }
  }
  const activations: Record<string, { scale: number; zeroPoint: number }> = {
    [net.graph.input.name]: { scale: Math.fround(1 / 255), zeroPoint: -128 },
  };
  for (const { tensors, role } of scaleGroups(net.graph)) {
    const [least, most] = [
      Math.min(...tensors.map((name) => low.get(name)!)),
      Math.max(...tensors.map((name) => high.get(name)!)),
    ];
    const scale = Math.fround((most - least) / 255);
    const own = { scale, zeroPoint: Math.round(-128 - least / scale) };
    for (const name of tensors) activations[name] = role === "input" ? activations[net.graph.input.name] : own;
  }
  return activations;
}
