/** Exports of train.wasm: the kernels of the training engine. host/train/execute.ts strings them together. */
export { gather } from "./gather";
export { biasGradient, weightGradient } from "./gradient";
export { sparseForward, sparseInputGradient, sparseWeightGradient } from "./sparse";
export { add, clamp, clampGradient, multiply, multiplySum, relu, reluGradient, step, sumInto } from "./pointwise";
export { interpolate, interpolateGradient } from "./interpolate";
export { avgPool, avgPoolGradient, maxPool, maxPoolGradient } from "./pool";
export { batchStatistics, keepStatistics, normalize, normalizeGradient } from "./batchnorm";
export { addBorder, clear, dropBorder, loadNumbers, loadPixels, resize, resizeGradient, sumBlocks } from "./planes";
export { sigmoidLoss, softmaxLoss, squareLoss } from "./loss";
export { adam, centroidGradient, sparseAdam, spreadCentroids } from "./optimizer";
export { augmentImage } from "./augment";
export { augmentSignal } from "./augment-signal";
