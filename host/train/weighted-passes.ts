/** Convolutions and dense layers, forwards and backwards. */
import type { Kernels } from "./kernels.js";
import type { Passes } from "./passes.js";
import type { Plan } from "./plan.js";
import type { PlannedWeighted } from "./plan-layers.js";
import { VALUE_BYTES } from "./arena.js";

/** @param arena address of the thread's own memory */
export function weightedPasses(kernels: Kernels, plan: Plan, arena: number): Passes<PlannedWeighted> {
  const { parameters, blocks, tensors } = plan;
  const planesOf = ({ inputs }: PlannedWeighted, count: number): number => count * tensors[inputs[0]].shape[0];

  const parameterGradients = (
    layer: PlannedWeighted,
    input: number,
    dy: number,
    shard: number,
    adds: boolean,
  ): void => {
    const gradients = parameters.gradients + shard * parameters.shardBytes;
    const dw = gradients + layer.weightAt * 4;
    kernels.biasGradient(layer.parameterGradient, gradients + layer.biasAt * 4, dy, blocks, adds);
    const x = layer.border === null ? input : arena + layer.border.activation;
    if (layer.survivors !== null) {
      kernels.sparseWeightGradient(layer.survivors.descriptor, dw, dy, x, blocks, adds);
      return;
    }
    if (!adds) kernels.clear(dw, layer.groups * layer.groupRows * layer.columns * 4);
    kernels.weightGradient(layer.parameterGradient, dw, dy, x, blocks);
  };

  const inputGradient = (layer: PlannedWeighted, dx: number, dy: number, adds: boolean): void => {
    const weight = parameters.values + layer.weightAt * 4;
    const { survivors, border } = layer;
    if (survivors !== null && border !== null) {
      const wide = arena + plan.scratch.wide;
      kernels.clear(wide, border.bytes);
      kernels.sparseInputGradient(survivors.descriptor, wide, dy, weight, blocks);
      kernels.dropBorder(border.descriptor, dx, wide, planesOf(layer, blocks), adds);
      return;
    }
    if (!adds) kernels.clear(dx, blocks * tensors[layer.inputs[0]].values * VALUE_BYTES);
    if (survivors !== null) kernels.sparseInputGradient(survivors.descriptor, dx, dy, weight, blocks);
    else for (const gather of layer.inputGradient) kernels.gather(gather, dx, weight, dy, 0, blocks);
  };

  return {
    forward(layer, [input], y, count) {
      const weight = parameters.values + layer.weightAt * 4;
      const bias = parameters.values + layer.biasAt * 4;
      const { border, survivors } = layer;
      let x = input;
      if (border !== null) {
        x = arena + border.activation;
        kernels.addBorder(border.descriptor, x, input, planesOf(layer, count));
      }
      if (survivors !== null) kernels.sparseForward(survivors.descriptor, y, weight, bias, x, count);
      else kernels.gather(layer.forward, y, weight, x, bias, count);
    },
    backward(layer, { x, dx: [dx], dy, adds: [adds], addsParameters }, shard) {
      parameterGradients(layer, x[0], dy, shard, addsParameters);
      if (dx !== null) inputGradient(layer, dx, dy, adds);
    },
  };
}
