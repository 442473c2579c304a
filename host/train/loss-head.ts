/** What a net's outputs are compared with, sample by sample, and the gradients that follow from it. */
import type { Samples } from "../data/samples.js";
import { BLOCK_SAMPLES } from "./arena.js";
import { tensorIndex } from "./check-samples.js";
import type { Kernels } from "./kernels.js";
import type { Task } from "./losses.js";
import type { Plan } from "./plan.js";

/** What a teacher teaches. */
export interface Distillation {
  /** Of the loss, 0 .. 1, the part that is drawn to the teacher's logits. */
  readonly alpha: number;
  readonly temperature: number;
  /** Mean squared difference of a tensor to the teacher's, times `weight`, is added to the loss. */
  readonly features?: { readonly tensor: string; readonly weight: number };
}

export interface LossSettings {
  readonly data: Samples;
  readonly task: Task;
  readonly distill: Distillation | null;
}

/** Tensors that a loss looks at: results, and what features are taught to. */
export function lossTensors(plan: Plan, { task, distill }: Omit<LossSettings, "data">): readonly number[] {
  const results = resultsFor(plan, task);
  const features = distill?.features;
  return features === undefined ? results : [...results, tensorIndex(plan, features.tensor)];
}

/** The results that a task's outputs are. */
export const resultsFor = ({ outputs }: Plan, { loss }: Task): readonly number[] =>
  loss === "softmax" ? outputs.slice(0, 1) : outputs;

export class LossHead {
  private readonly floats: Float32Array;
  private readonly labels: Uint16Array;
  /** Place of each of a shard's samples in the data. */
  private readonly indices: number[] = [];

  /** @param arena address of the thread's own memory */
  constructor(
    private readonly kernels: Kernels,
    memory: WebAssembly.Memory,
    private readonly plan: Plan,
    private readonly arena: number,
  ) {
    this.floats = new Float32Array(memory.buffer);
    this.labels = new Uint16Array(memory.buffer, arena + plan.scratch.labels, plan.shardSamples);
  }

  /** Makes sample `index` of the data the shard's sample `n`. */
  load({ data, task, distill }: LossSettings, index: number, n: number): void {
    const { plan, arena } = this;
    const { scratch, classes } = plan;
    this.indices[n] = index;
    const isTaught = distill !== null && data.logits !== undefined;
    if (task.loss === "softmax") {
      this.labels[n] = data.labels![index];
      if (!isTaught) return;
      const row = data.logits.subarray(index * classes, (index + 1) * classes);
      this.floats.set(row, (arena + scratch.teacher) / 4 + n * classes);
      return;
    }
    this.eachOutput((output, first, offset) => {
      this.spread(arena + scratch.targets + offset, n, output, data.targets!, index * plan.outputValues + first);
    });
    if (isTaught) this.spread(arena + scratch.teacher, n, classes, data.logits, index * classes);
  }

  /**
   * Writes the gradients of the outputs that the loss looks at.
   * @param begun told the tensors whose gradients are there now
   * @returns the sum of the samples' losses, but for that of features
   */
  gradients({ task, distill }: LossSettings, begun: (tensor: number) => void): number {
    const { plan, kernels, arena } = this;
    const { scratch, classes, outputs } = plan;
    const { alpha, temperature } = distill ?? { alpha: 0, temperature: 1 };
    const weights = task.classWeights === undefined ? 0 : arena + scratch.classWeights;
    if (weights !== 0) this.floats.set(task.classWeights!, weights / 4);
    const addressesOf = (output: number): readonly [gradient: number, value: number] => {
      const { gradient, activation } = plan.tensors[outputs[output]];
      begun(outputs[output]);
      return [arena + gradient, arena + activation];
    };
    if (task.loss === "softmax") {
      const [gradient, logits] = addressesOf(0);
      const [labels, teacher] = [arena + scratch.labels, arena + scratch.teacher];
      const { shardSamples, batch } = plan;
      return kernels.softmaxLoss(
        gradient,
        logits,
        labels,
        weights,
        teacher,
        classes,
        shardSamples,
        alpha,
        temperature,
        1 / batch,
      );
    }
    let total = 0;
    // The mean over all values, and over those that a teacher has an opinion of.
    const [each, taught] = [1 / plan.outputValues, 1 / classes];
    this.eachOutput((values, first, offset, output) => {
      const [gradient, x] = addressesOf(output);
      const targets = arena + scratch.targets + offset;
      const own = weights === 0 ? 0 : weights + first * 4;
      const teacher = arena + scratch.teacher;
      const soft = output === 0 ? alpha : 0;
      const hard = (1 - alpha) * each;
      const { batch, blocks } = plan;
      if (task.loss === "mse") {
        total += hard * kernels.squareLoss(gradient, x, targets, own, values, blocks, hard / batch, false);
        if (soft === 0) return;
        const scale = soft * taught;
        total += scale * kernels.squareLoss(gradient, x, teacher, own, values, blocks, scale / batch, true);
        return;
      }
      // What the kernel mixes by its own alpha is to be mixed by hard : soft × taught.
      const whole = hard + soft * taught;
      const part = whole === 0 ? 0 : (soft * taught) / whole;
      const scale = whole / batch;
      total +=
        whole * kernels.sigmoidLoss(gradient, x, targets, own, teacher, values, blocks, part, temperature, scale);
    });
    return total;
  }

  /**
   * Adds the gradient of the features' loss to a tensor's.
   * @param isBegun whether there is one
   * @returns the sum of the samples' losses
   */
  featureGradients({ data, distill }: LossSettings, tensor: number, isBegun: boolean): number {
    const { plan, arena, floats } = this;
    const { values, activation, gradient } = plan.tensors[tensor];
    const features = data.features!;
    const share = distill!.features!.weight / values;
    const to = (arena + gradient) / 4;
    const from = (arena + activation) / 4;
    if (!isBegun) floats.fill(0, to, to + values * plan.shardSamples);
    let total = 0;
    for (let n = 0; n < plan.shardSamples; n++) {
      const first = this.indices[n] * values;
      let lane = Math.floor(n / BLOCK_SAMPLES) * values * BLOCK_SAMPLES + (n % BLOCK_SAMPLES);
      for (let i = 0; i < values; i++, lane += BLOCK_SAMPLES) {
        const difference = floats[from + lane] - features[first + i];
        total += difference * difference;
        floats[to + lane] += (2 * share * difference) / plan.batch;
      }
    }
    return total * share;
  }

  /** Calls back with the values of each output, those before it, and where its targets begin in bytes. */
  private eachOutput(visit: (values: number, first: number, offset: number, output: number) => void): void {
    let first = 0;
    this.plan.outputs.forEach((tensor, output) => {
      const { values } = this.plan.tensors[tensor];
      visit(values, first, first * this.plan.shardSamples * 4, output);
      first += values;
    });
  }

  /** Copies numbers from `first` on to sample n of values at an address, as activations lie. */
  private spread(at: number, n: number, values: number, numbers: Float32Array, first: number): void {
    let lane = at / 4 + Math.floor(n / BLOCK_SAMPLES) * values * BLOCK_SAMPLES + (n % BLOCK_SAMPLES);
    for (let i = 0; i < values; i++, lane += BLOCK_SAMPLES) this.floats[lane] = numbers[first + i];
  }
}
