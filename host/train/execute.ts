/**
 * One thread's share of the forward and backward passes: strings the kernels together as a plan says. The main thread and the workers run the
 * same code; a shard's result depends on the shard alone, never on the thread that computes it.
 */
import type { Samples } from "../data/samples.js";
import { mixWords, permuteIndex } from "../rng.js";
import type { FloatOpTable } from "../ops/index.js";
import type { Augmentation } from "./augment.js";
import { augmenter, isNone, type Augment } from "./augmenter.js";
import type { Kernels } from "./kernels.js";
import { BLOCK_SAMPLES, VALUE_BYTES } from "./arena.js";
import type { Plan, PlannedLayer, PlannedPool, PlannedRelu, PlannedWeighted } from "./plan.js";

export interface Distillation {
  readonly alpha: number;
  readonly temperature: number;
}

/** What a training job needs on every thread; plain data. */
export interface StepSettings {
  readonly data: Samples;
  readonly seed: number;
  readonly weightDecay: number;
  readonly augment: Augmentation;
  readonly distill: Distillation | null;
}

/** Addresses of a layer's input and output and of their gradients; no input gradient where none is needed. */
interface Addresses {
  readonly x: number;
  readonly y: number;
  readonly dx: number | null;
  readonly dy: number;
}

/** An op's kernels. */
interface Passes<L extends PlannedLayer> {
  forward(layer: L, x: number, y: number, blocks: number): void;
  /** Adds to the gradients of the shard's parameters, and writes those of the input. */
  backward(layer: L, at: Addresses, shard: number): void;
}

type PassTable = Pick<FloatOpTable<Passes<PlannedLayer>>, PlannedLayer["op"]>;

export class Executor {
  private readonly arena: number;
  private readonly bytes: Uint8Array;
  private readonly floats: Float32Array;
  private readonly passes: PassTable;

  /** @param thread which of the plan's arenas is this executor's own, and which of the shards: one in `threads` */
  constructor(
    private readonly kernels: Kernels,
    memory: WebAssembly.Memory,
    private readonly plan: Plan,
    private readonly thread: number,
    private readonly threads: number,
  ) {
    this.arena = plan.arenas[thread];
    this.bytes = new Uint8Array(memory.buffer);
    this.floats = new Float32Array(memory.buffer);
    this.passes = this.makePasses();
  }

  /** Shards of a step that are this thread's. */
  *ownShards(): Generator<number> {
    for (let shard = this.thread; shard < this.plan.shards; shard += this.threads) yield shard;
  }

  /**
   * Forward and backward pass of one shard of one step; its gradients are left in the shard's buffer.
   * @returns the sum of the samples' losses
   */
  trainShard(settings: StepSettings, step: number, shard: number): number {
    const { plan } = this;
    const { data, seed } = settings;
    const { scratch } = plan;
    const pixels = plan.tensors[0].values;
    const augment = this.augmenter(settings);
    for (let n = 0; n < plan.shardSamples; n++) {
      const position = step * plan.batch + shard * plan.shardSamples + n;
      const epoch = Math.floor(position / data.count);
      const index = permuteIndex(position % data.count, data.count, mixWords(seed, epoch, 0));
      let image = this.arena + scratch.pixels;
      this.bytes.set(data.images.subarray(index * pixels, (index + 1) * pixels), image);
      if (augment !== null) {
        const changed = this.arena + scratch.changed;
        augment(changed, image, mixWords(seed, epoch, index, 1), mixWords(seed, epoch, index, 2));
        image = changed;
      }
      this.loadImage(n, image);
      this.bytes[this.arena + scratch.labels + n] = data.labels![index];
      if (settings.distill !== null && data.logits !== undefined) {
        const row = data.logits.subarray(index * plan.classes, (index + 1) * plan.classes);
        this.floats.set(row, (this.arena + scratch.teacher) / 4 + n * plan.classes);
      }
    }
    this.forward(plan.blocks);
    const output = plan.tensors[plan.tensors.length - 1];
    const { alpha, temperature } = settings.distill ?? { alpha: 0, temperature: 1 };
    const loss = this.kernels.lossGradient(
      this.arena + output.gradient,
      this.arena + output.activation,
      this.arena + scratch.labels,
      this.arena + scratch.teacher,
      plan.classes,
      plan.shardSamples,
      alpha,
      temperature,
      1 / plan.batch,
    );
    for (let i = plan.layers.length - 1; i >= 0 && plan.tensors[i + 1].gradient >= 0; i--) {
      this.layerBackward(plan.layers[i], shard);
    }
    return loss;
  }

  /** Logits of samples from .. to - 1, at most a shard, written to rows of `out` ([count, classes]). */
  logits(data: Samples, from: number, to: number, out: Float32Array): void {
    const { plan } = this;
    this.loadSamples(data, from, to);
    this.forward(Math.ceil((to - from) / BLOCK_SAMPLES));
    const output = plan.tensors[plan.tensors.length - 1];
    const rows = this.arena + plan.scratch.logits;
    this.kernels.unpackLogits(rows, this.arena + output.activation, plan.classes, to - from);
    out.set(this.floats.subarray(rows / 4, rows / 4 + (to - from) * plan.classes), from * plan.classes);
  }

  /** Runs samples from .. to - 1, at most a shard, and hands over each tensor as [values, to - from]. */
  activations(
    data: Samples,
    from: number,
    to: number,
    visit: (tensor: string, values: Float32Array, n: number) => void,
  ): void {
    this.loadSamples(data, from, to);
    const n = to - from;
    this.forward(Math.ceil(n / BLOCK_SAMPLES));
    for (const tensor of this.plan.tensors) {
      const values = new Float32Array(tensor.values * n);
      const first = (this.arena + tensor.activation) / 4;
      for (let s = 0; s < n; s++) {
        const lane = first + Math.floor(s / BLOCK_SAMPLES) * tensor.values * BLOCK_SAMPLES + (s % BLOCK_SAMPLES);
        for (let i = 0; i < tensor.values; i++) values[i * n + s] = this.floats[lane + i * BLOCK_SAMPLES];
      }
      visit(tensor.name, values, n);
    }
  }

  /** What changes a sample, where anything does. */
  private augmenter({ augment, data }: StepSettings): Augment | null {
    if (isNone(augment)) return null;
    const scratch = this.arena + this.plan.scratch.augment;
    return augmenter(this.kernels, this.floats, scratch, this.plan.tensors[0].shape, augment, data.images);
  }

  private loadSamples(data: Samples, from: number, to: number): void {
    const pixels = this.plan.tensors[0].values;
    const image = this.arena + this.plan.scratch.pixels;
    for (let i = from; i < to; i++) {
      this.bytes.set(data.images.subarray(i * pixels, (i + 1) * pixels), image);
      this.loadImage(i - from, image);
    }
  }

  private loadImage(sample: number, image: number): void {
    const input = this.plan.tensors[0];
    const block = this.arena + input.activation + Math.floor(sample / BLOCK_SAMPLES) * input.values * VALUE_BYTES;
    this.kernels.loadPixels(block, sample % BLOCK_SAMPLES, image, input.values);
  }

  private forward(blocks: number): void {
    for (const layer of this.plan.layers) this.layerForward(layer, blocks);
  }

  private layerForward(layer: PlannedLayer, blocks: number): void {
    const { arena } = this;
    const input = this.plan.tensors[layer.input];
    const output = this.plan.tensors[layer.output];
    const x = arena + input.activation;
    const y = arena + output.activation;
    this.passes[layer.op].forward(layer, x, y, blocks);
  }

  /** A line an op; layers with weights are convolutions, see plan.ts. */
  private makePasses(): PassTable {
    const { kernels, plan } = this;
    const weighted: Passes<PlannedWeighted> = {
      forward: (layer, x, y, blocks) => this.weightedForward(layer, this.wideInput(layer, x, blocks), y, blocks),
      backward: (layer, { x, dx, dy }, shard) => {
        this.parameterGradients(layer, x, dy, shard);
        if (dx !== null) this.inputGradient(layer, dx, dy);
      },
    };
    const planes = (layer: PlannedPool, blocks: number): number => blocks * plan.tensors[layer.input].shape[0];
    const maxpool: Passes<PlannedPool> = {
      forward: (layer, x, y, blocks) => kernels.maxPool(layer.descriptor, y, x, planes(layer, blocks)),
      backward: (layer, { x, y, dx, dy }) => {
        if (dx === null) return;
        this.clearInputGradient(layer, dx);
        kernels.maxPoolGradient(layer.descriptor, dx, dy, x, y, planes(layer, plan.blocks));
      },
    };
    const avgpool: Passes<PlannedPool> = {
      forward: (layer, x, y, blocks) => kernels.avgPool(layer.descriptor, y, x, planes(layer, blocks)),
      backward: (layer, { dx, dy }) => {
        if (dx === null) return;
        this.clearInputGradient(layer, dx);
        kernels.avgPoolGradient(layer.descriptor, dx, dy, planes(layer, plan.blocks));
      },
    };
    const relu: Passes<PlannedRelu> = {
      forward: (layer, x, y, blocks) => kernels.relu(y, x, blocks * plan.tensors[layer.output].values * VALUE_BYTES),
      backward: (layer, { y, dx, dy }) => {
        if (dx === null) return;
        kernels.reluGradient(dx, dy, y, plan.blocks * plan.tensors[layer.output].values * VALUE_BYTES);
      },
    };
    return { conv2d: weighted, dense: weighted, maxpool, avgpool, relu };
  }

  /** The input as the kernels read it: with its border where the layer pads. */
  private wideInput(layer: PlannedWeighted, x: number, blocks: number): number {
    if (layer.border === null) return x;
    const wide = this.arena + layer.border.activation;
    this.kernels.addBorder(layer.border.descriptor, wide, x, blocks * this.plan.tensors[layer.input].shape[0]);
    return wide;
  }

  private weightedForward(layer: PlannedWeighted, x: number, y: number, blocks: number): void {
    const { kernels } = this;
    const values = this.plan.parameters.values;
    const weight = values + layer.weightAt * 4;
    const bias = values + layer.biasAt * 4;
    if (layer.survivors !== null) {
      kernels.sparseForward(layer.survivors.descriptor, y, weight, bias, x, blocks);
      return;
    }
    kernels.gather(layer.forward, y, weight, x, bias, blocks);
  }

  private layerBackward(layer: PlannedLayer, shard: number): void {
    const { arena } = this;
    const input = this.plan.tensors[layer.input];
    const output = this.plan.tensors[layer.output];
    const dx = input.gradient < 0 ? null : arena + input.gradient;
    const at = { x: arena + input.activation, y: arena + output.activation, dx, dy: arena + output.gradient };
    this.passes[layer.op].backward(layer, at, shard);
  }

  private clearInputGradient(layer: PlannedLayer, dx: number): void {
    const { blocks, tensors } = this.plan;
    this.kernels.clear(dx, blocks * tensors[layer.input].values * VALUE_BYTES);
  }

  private parameterGradients(layer: PlannedWeighted, input: number, dy: number, shard: number): void {
    const { kernels, plan } = this;
    const { blocks } = plan;
    const gradients = plan.parameters.gradients + shard * plan.parameters.shardBytes;
    const dw = gradients + layer.weightAt * 4;
    kernels.biasGradient(layer.parameterGradient, gradients + layer.biasAt * 4, dy, blocks);
    const x = layer.border === null ? input : this.arena + layer.border.activation;
    if (layer.survivors !== null) {
      kernels.sparseWeightGradient(layer.survivors.descriptor, dw, dy, x, blocks);
      return;
    }
    kernels.clear(dw, layer.groups * layer.groupRows * layer.columns * 4);
    kernels.weightGradient(layer.parameterGradient, dw, dy, x, blocks);
  }

  private inputGradient(layer: PlannedWeighted, dx: number, dy: number): void {
    const { kernels, plan } = this;
    const { blocks } = plan;
    const weight = plan.parameters.values + layer.weightAt * 4;
    if (layer.survivors !== null) {
      const wide = layer.border === null ? dx : this.arena + layer.border.gradient;
      kernels.clear(wide, blocks * layer.xBlock);
      kernels.sparseInputGradient(layer.survivors.descriptor, wide, dy, weight, blocks);
      if (layer.border === null) return;
      kernels.dropBorder(layer.border.descriptor, dx, wide, blocks * plan.tensors[layer.input].shape[0]);
      return;
    }
    this.clearInputGradient(layer, dx);
    for (const gather of layer.inputGradient) kernels.gather(gather, dx, weight, dy, 0, blocks);
  }
}
