/** A float net as int8 and not compressed: each layer's largest weight is 127. What compression is compared with. */
import { foldBatchNorm } from "../compress/fold-batchnorm.js";
import { weightedLayers } from "../compress/integer-stages.js";
import { channelsByTensor } from "../compress/narrow.js";
import { runStage } from "../compress/stages.js";
import { roundCodebook } from "../compress/share.js";
import { sliceSamples, type Samples } from "../data/samples.js";
import type { FloatTensor, Net } from "../model/model.js";
import type { Task } from "../train/losses.js";
import type { TrainingRuntime } from "../train/pool.js";

const CALIBRATED = 2000;
const BATCH = 128;

/** @param samples of which the first are calibrated with */
export function denseInt8(given: Net, samples: Samples, runtime: TrainingRuntime, task?: Task): Promise<Net> {
  const net = foldBatchNorm(given);
  const tensors = new Map<string, FloatTensor>(net.tensors);
  const scales = new Map<string, number>();
  for (const { name } of weightedLayers(net.graph)) {
    const { shape, data } = net.tensors.get(`${name}.weight`)!;
    const { scale, codes } = roundCodebook(data);
    tensors.set(`${name}.weight`, { shape, data: Float32Array.from(codes, (q) => q * scale), integers: codes });
    scales.set(name, scale);
  }
  const weightScale = Object.fromEntries(scales);
  const nominalChannels = channelsByTensor(net.graph);
  const count = Math.min(CALIBRATED, samples.count);
  return runStage(
    { graph: net.graph, tensors, compression: { nominalChannels, weightScale, activations: {} } },
    { kind: "calibrate", samples: count, range: "error" },
    {
      runtime,
      ...(task && { task }),
      seed: 0,
      threads: 1,
      batch: BATCH,
      data: samples,
      train: samples,
      validation: samples,
      augment: 0,
      fixed: [],
      biasBits: {},
      keeper: { load: () => undefined, save: () => undefined },
    },
    sliceSamples(samples, 0, count),
  );
}
