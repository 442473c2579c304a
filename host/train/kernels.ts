/** Exports of train.wasm as the host calls them; assembly/train documents each. Addresses, strides and offsets in bytes. */
import type { Descriptor } from "./descriptors.js";

export interface Kernels {
  gather(gather: Descriptor<"Gather">, out: number, w: number, x: number, bias: number, blocks: number): void;
  biasGradient(
    gradient: Descriptor<"ParameterGradient">,
    db: number,
    dout: number,
    blocks: number,
    adds: boolean,
  ): void;
  weightGradient(gradient: Descriptor<"ParameterGradient">, dw: number, dout: number, x: number, blocks: number): void;
  sparseForward(
    survivors: Descriptor<"Survivors">,
    out: number,
    w: number,
    bias: number,
    x: number,
    blocks: number,
  ): void;
  sparseWeightGradient(
    survivors: Descriptor<"Survivors">,
    dw: number,
    dout: number,
    x: number,
    blocks: number,
    adds: boolean,
  ): void;
  sparseInputGradient(survivors: Descriptor<"Survivors">, dx: number, dout: number, w: number, blocks: number): void;
  relu(y: number, x: number, bytes: number): void;
  reluGradient(dx: number, dy: number, y: number, bytes: number, adds: boolean): void;
  clamp(y: number, x: number, bytes: number, low: number, high: number): void;
  clampGradient(dx: number, dy: number, x: number, bytes: number, low: number, high: number, adds: boolean): void;
  step(y: number, x: number, bytes: number): void;
  add(y: number, a: number, b: number, bytes: number, sign: number): void;
  sumInto(to: number, from: number, bytes: number, factor: number, adds: boolean): void;
  sumBlocks(
    to: number,
    toBlock: number,
    from: number,
    fromBlock: number,
    bytes: number,
    blocks: number,
    factor: number,
    adds: boolean,
  ): void;
  multiply(y: number, a: number, b: number, planes: number, positions: number, adds: boolean): void;
  multiplySum(db: number, dy: number, a: number, planes: number, positions: number, adds: boolean): void;
  interpolate(table: number, y: number, x: number, bytes: number): void;
  interpolateGradient(table: number, dx: number, dy: number, x: number, bytes: number, adds: boolean): void;
  maxPool(pool: Descriptor<"Pool">, y: number, x: number, planes: number): void;
  maxPoolGradient(pool: Descriptor<"Pool">, dx: number, dy: number, x: number, y: number, planes: number): void;
  avgPool(pool: Descriptor<"Pool">, y: number, x: number, planes: number): void;
  avgPoolGradient(pool: Descriptor<"Pool">, dx: number, dy: number, planes: number): void;
  batchStatistics(norm: Descriptor<"BatchNorm">, mean: number, variance: number, x: number, blocks: number): void;
  normalize(
    norm: Descriptor<"BatchNorm">,
    y: number,
    x: number,
    mean: number,
    variance: number,
    gamma: number,
    beta: number,
    epsilon: number,
    blocks: number,
  ): void;
  normalizeGradient(
    norm: Descriptor<"BatchNorm">,
    dx: number,
    dgamma: number,
    dbeta: number,
    dy: number,
    x: number,
    mean: number,
    variance: number,
    gamma: number,
    epsilon: number,
    blocks: number,
    adds: boolean,
  ): void;
  keepStatistics(
    kept: number,
    statistics: number,
    shardBytes: number,
    shards: number,
    count: number,
    momentum: number,
    factor: number,
  ): void;
  addBorder(border: Descriptor<"Border">, wide: number, x: number, planes: number): void;
  dropBorder(border: Descriptor<"Border">, x: number, wide: number, planes: number, adds: boolean): void;
  resize(resize: Descriptor<"Resize">, y: number, x: number, planes: number): void;
  resizeGradient(resize: Descriptor<"Resize">, dx: number, dy: number, planes: number): void;
  clear(from: number, bytes: number): void;
  loadPixels(block: number, lane: number, pixels: number, count: number): void;
  loadNumbers(
    block: number,
    lane: number,
    kind: number,
    numbers: number,
    count: number,
    scale: number,
    offset: number,
  ): void;
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
  softmaxLoss(
    gradient: number,
    logits: number,
    labels: number,
    weights: number,
    teacher: number,
    classes: number,
    samples: number,
    alpha: number,
    temperature: number,
    scale: number,
  ): number;
  sigmoidLoss(
    gradient: number,
    logits: number,
    targets: number,
    weights: number,
    teacher: number,
    values: number,
    blocks: number,
    alpha: number,
    temperature: number,
    scale: number,
  ): number;
  squareLoss(
    gradient: number,
    x: number,
    targets: number,
    weights: number,
    values: number,
    blocks: number,
    scale: number,
    adds: boolean,
  ): number;
  adam(
    segment: Descriptor<"Segment">,
    from: number,
    to: number,
    rate: number,
    rootBias: number,
    keep: number,
    shrink: number,
  ): void;
  sparseAdam(
    segment: Descriptor<"Segment">,
    entries: number,
    from: number,
    to: number,
    rate: number,
    rootBias: number,
    keep: number,
    shrink: number,
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
