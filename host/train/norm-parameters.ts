/** The parameters of a batch normalization in shared memory: gamma and beta, which are trained, and the statistics kept for use. */
import type { FloatTensor } from "../model/model.js";
import type { SharedHeap } from "./heap.js";
import { FREE } from "./layer-parameters.js";
import type { Parameters } from "./plan.js";
import type { PlannedNorm } from "./plan-layers.js";

export class NormParameters {
  /** Passes values on as they are but for epsilon. */
  constructor(
    private readonly heap: SharedHeap,
    private readonly parameters: Parameters,
    private readonly planned: PlannedNorm,
  ) {
    const { gammaAt, betaAt, varianceAt, channels } = planned;
    this.floatsAt(parameters.values, gammaAt).fill(1);
    this.floatsAt(parameters.values, varianceAt).fill(1);
    for (const at of [gammaAt, betaAt]) heap.u8(parameters.state + at, channels).fill(FREE);
  }

  /** By their names in Net. */
  tensors(): [string, FloatTensor][] {
    const { name, gammaAt, betaAt, meanAt, varianceAt } = this.planned;
    return [
      [`${name}.weight`, this.tensorAt(this.parameters.values, gammaAt)],
      [`${name}.bias`, this.tensorAt(this.parameters.values, betaAt)],
      [`${name}.mean`, this.tensorAt(this.parameters.values, meanAt)],
      [`${name}.variance`, this.tensorAt(this.parameters.values, varianceAt)],
    ];
  }

  moments(): [string, FloatTensor][] {
    const { name, gammaAt, betaAt } = this.planned;
    const { first, second } = this.parameters;
    return [
      [`${name}.weight.m`, this.tensorAt(first, gammaAt)],
      [`${name}.bias.m`, this.tensorAt(first, betaAt)],
      [`${name}.weight.v`, this.tensorAt(second, gammaAt)],
      [`${name}.bias.v`, this.tensorAt(second, betaAt)],
    ];
  }

  private floatsAt(base: number, at: number): Float32Array {
    return this.heap.f32(base + at * 4, this.planned.channels);
  }

  private tensorAt(base: number, at: number): FloatTensor {
    return { shape: [this.planned.channels], data: this.floatsAt(base, at) };
  }
}
