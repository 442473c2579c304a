/** Exports of train.wasm as the host calls them; assembly/train documents each. Addresses, strides and offsets in bytes. */
import type { Descriptor } from "./descriptors.js";

export interface Kernels {
  gather(gather: Descriptor<"Gather">, out: number, w: number, x: number, bias: number, blocks: number): void;
  biasGradient(gradient: Descriptor<"ParameterGradient">, db: number, dout: number, blocks: number): void;
  weightGradient(gradient: Descriptor<"ParameterGradient">, dw: number, dout: number, x: number, blocks: number): void;
  sparseForward(
    survivors: Descriptor<"Survivors">,
    out: number,
    w: number,
    bias: number,
    x: number,
    blocks: number,
  ): void;
  sparseWeightGradient(survivors: Descriptor<"Survivors">, dw: number, dout: number, x: number, blocks: number): void;
  sparseInputGradient(survivors: Descriptor<"Survivors">, dx: number, dout: number, w: number, blocks: number): void;
  relu(y: number, x: number, bytes: number): void;
  reluGradient(dx: number, dy: number, y: number, bytes: number): void;
  maxPool(pool: Descriptor<"Pool">, y: number, x: number, planes: number): void;
  maxPoolGradient(pool: Descriptor<"Pool">, dx: number, dy: number, x: number, y: number, planes: number): void;
  avgPool(pool: Descriptor<"Pool">, y: number, x: number, planes: number): void;
  avgPoolGradient(pool: Descriptor<"Pool">, dx: number, dy: number, planes: number): void;
  addBorder(border: Descriptor<"Border">, wide: number, x: number, planes: number): void;
  dropBorder(border: Descriptor<"Border">, x: number, wide: number, planes: number): void;
  clear(from: number, bytes: number): void;
  loadPixels(block: number, lane: number, pixels: number, count: number): void;
  augmentImage(
    to: number,
    from: number,
    type: number,
    planes: number,
    height: number,
    width: number,
    seedLow: number,
    seedHigh: number,
    changes: number,
    scratch: number,
  ): void;
  augmentSignal(
    to: number,
    from: number,
    type: number,
    planes: number,
    steps: number,
    others: number,
    stepStride: number,
    otherStride: number,
    seedLow: number,
    seedHigh: number,
    changes: number,
    scratch: number,
  ): void;
  lossGradient(
    gradient: number,
    logits: number,
    labels: number,
    teacher: number,
    classes: number,
    samples: number,
    alpha: number,
    temperature: number,
    scale: number,
  ): number;
  unpackLogits(to: number, logits: number, classes: number, samples: number): void;
  adam(segment: Descriptor<"Segment">, from: number, to: number, rate: number, rootBias: number, keep: number): void;
  sparseAdam(
    segment: Descriptor<"Segment">,
    entries: number,
    from: number,
    to: number,
    rate: number,
    rootBias: number,
    keep: number,
  ): void;
  centroidGradient(
    segment: Descriptor<"Segment">,
    sums: number,
    centroids: number,
    assignment: number,
    entries: number,
    count: number,
  ): void;
  spreadCentroids(
    segment: Descriptor<"Segment">,
    centroids: number,
    assignment: number,
    entries: number,
    count: number,
  ): void;
}
