/** Exports of train.wasm: the kernels of the training engine. host/train/execute.ts strings them together. */
export { gather } from "./gather";
export { biasGradient, weightGradient } from "./gradient";
export { sparseForward, sparseInputGradient, sparseWeightGradient } from "./sparse";
export {
  addBorder,
  avgPool,
  avgPoolGradient,
  clear,
  dropBorder,
  loadPixels,
  maxPool,
  maxPoolGradient,
  relu,
  reluGradient,
} from "./pointwise";
export { lossGradient, unpackLogits } from "./loss";
export { adam, centroidGradient, sparseAdam, spreadCentroids } from "./optimizer";
export { augmentImage } from "./augment";
export { augmentSignal } from "./augment-signal";
