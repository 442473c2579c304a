/**
 * One thread's share of the forward and backward passes: strings the kernels together as a plan says. The main thread and the workers run the
 * same code; a shard's result depends on the shard alone, never on the thread that computes it.
 */
import type { Samples } from "../data/samples.js";
import { mixWords, permuteIndex } from "../rng.js";
import type { FloatOpTable } from "../ops/index.js";
import { own } from "../own.js";
import type { Augmentation } from "./augment.js";
import { augmenter, isNone, type Augment } from "./augmenter.js";
import { tensorIndex } from "./check-samples.js";
import type { Kernels } from "./kernels.js";
import { BLOCK_SAMPLES, VALUE_BYTES } from "./arena.js";
import { dropValues, type Dropout } from "./dropout.js";
import { roundToFixedPoint, type FixedPoint } from "./fixed-point.js";
import { LossHead, type LossSettings } from "./loss-head.js";
import { makePasses, type Passes } from "./passes.js";
import type { Plan } from "./plan.js";
import { isPlannedWeighted, type PlannedLayer } from "./plan-layers.js";

export type { Distillation } from "./loss-head.js";

/** What a training job needs on every thread; plain data. */
export interface StepSettings extends LossSettings {
  readonly seed: number;
  readonly weightDecay: number;
  readonly l1: number;
  readonly augment: Augmentation;
  /** What activations and gradients are rounded to, each layer's as it is made; null: they are float32. */
  readonly fixedPoint: FixedPoint | null;
  readonly dropout: Dropout;
}

/** Gradients that are sent back through a net, and who looks at what reaches its layers. */
export interface Backpropagation {
  /** Times that each sample's are. */
  readonly passes: number;
  /** Writes those of a sample's outputs for a pass. @param outputs of the net @param to as many */
  readonly gradients: (sample: number, outputs: Float32Array, pass: number, to: Float32Array) => void;
  /** Sees, of each layer with weights, copies of its input and of the gradients of its output: [values, n], sample innermost. */
  readonly visit: (
    layer: string,
    pass: number,
    shown: { readonly x: () => Float32Array; readonly dy: () => Float32Array },
    n: number,
  ) => void;
}

/** Where there are gradients on the way back: of which tensors, and of the parameters of which layers. */
interface Begun {
  readonly tensors: boolean[];
  readonly layers: Set<string>;
}

export class Executor {
  private readonly arena: number;
  private readonly bytes: Uint8Array;
  private readonly floats: Float32Array;
  private readonly passes: FloatOpTable<Passes<PlannedLayer>>;
  private readonly head: LossHead;
  /** Of the shard in training. */
  private rounded: { readonly format: FixedPoint; readonly seed: number } | null = null;
  /** Of the shard in training. */
  private dropped: { readonly rates: Dropout; readonly seed: number } | null = null;

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
    this.passes = makePasses(kernels, plan, this.arena);
    this.head = new LossHead(kernels, memory, plan, this.arena);
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
    const augment = this.augmenter(settings);
    for (let n = 0; n < plan.shardSamples; n++) {
      const position = step * plan.batch + shard * plan.shardSamples + n;
      const epoch = Math.floor(position / data.count);
      const index = permuteIndex(position % data.count, data.count, mixWords(seed, epoch, 0));
      let image = this.arena + scratch.pixels;
      this.copySample(data, index, image);
      if (augment !== null) {
        const changed = this.arena + scratch.changed;
        augment(changed, image, mixWords(seed, epoch, index, 1), mixWords(seed, epoch, index, 2));
        image = changed;
      }
      this.loadSample(data, n, image);
      this.head.load(settings, index, n);
    }
    const drawn = mixWords(seed, step, shard);
    this.rounded = settings.fixedPoint && { format: settings.fixedPoint, seed: drawn };
    this.dropped = { rates: settings.dropout, seed: drawn };
    try {
      this.forward(plan.blocks, shard);
      return this.backward(settings, shard);
    } finally {
      this.rounded = null;
      this.dropped = null;
    }
  }

  /** Rounds values of a tensor in training at fixed point. @param address of the activations, or of the gradients */
  private round(tensor: number, address: number): void {
    if (this.rounded === null) return;
    const { format, seed } = this.rounded;
    const count = this.plan.tensors[tensor].values * this.plan.blocks * BLOCK_SAMPLES;
    const at = (this.arena + address) / 4;
    roundToFixedPoint(this.floats.subarray(at, at + count), format, seed, address);
  }

  /** Runs a layer's pass, in training on dropped values where it has a rate: what others read, or have made, stays as it is. */
  private withDropped(layer: PlannedLayer, pass: () => void): void {
    const drop = this.dropOf(layer);
    if (drop === null) return pass();
    const [read] = layer.inputs;
    const values = this.valuesOf(read, this.plan.tensors[read].activation);
    const kept = values.slice();
    drop(values);
    pass();
    values.set(kept);
  }

  /** What drops values, and gradients, of a layer's input; the same ones each time in a step. */
  private dropOf({ name, output }: PlannedLayer): ((values: Float32Array) => void) | null {
    const rate = this.dropped === null ? undefined : own(this.dropped.rates, name);
    if (rate === undefined || rate === 0) return null;
    const { seed } = this.dropped!;
    return (values) => dropValues(values, rate, seed, output);
  }

  /** Live view of a tensor's activations, or gradients, of all samples of the shard. */
  private valuesOf(tensor: number, address: number): Float32Array {
    const first = (this.arena + address) / 4;
    return this.floats.subarray(first, first + this.plan.tensors[tensor].values * this.plan.shardSamples);
  }

  /** Values of tensors for samples from .. to - 1, at most a shard, one tensor behind the other in rows of `out` ([count, values]). */
  rows(data: Samples, from: number, to: number, tensors: readonly number[], out: Float32Array): void {
    const { plan } = this;
    this.loadSamples(data, from, to);
    this.forward(Math.ceil((to - from) / BLOCK_SAMPLES), null);
    const rowValues = tensors.reduce((sum, tensor) => sum + plan.tensors[tensor].values, 0);
    for (let n = 0; n < to - from; n++) {
      let at = (from + n) * rowValues;
      for (const tensor of tensors) {
        const { values } = plan.tensors[tensor];
        const lane = this.laneOf(tensor, n);
        for (let i = 0; i < values; i++) out[at++] = this.floats[lane + i * BLOCK_SAMPLES];
      }
    }
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
    this.forward(Math.ceil(n / BLOCK_SAMPLES), null);
    this.plan.tensors.forEach(({ name }, index) => visit(name, this.copyOf(index, n), n));
  }

  /**
   * Runs samples from .. to - 1, at most a shard, and sends gradients of the outputs back through the net, several times.
   * @param outputs that get gradients, indices of tensors
   */
  backpropagate(
    data: Samples,
    from: number,
    to: number,
    outputs: readonly number[],
    { passes, gradients, visit }: Backpropagation,
  ): void {
    const { plan } = this;
    this.loadSamples(data, from, to);
    this.forward(plan.blocks, null);
    const n = to - from;
    const values = outputs.map((tensor) => plan.tensors[tensor].values);
    const row = new Float32Array(values.reduce((sum, count) => sum + count, 0));
    const gradient = new Float32Array(row.length);
    for (let pass = 0; pass < passes; pass++) {
      for (const tensor of outputs) this.valuesOf(tensor, plan.tensors[tensor].gradient).fill(0);
      for (let s = 0; s < n; s++) {
        this.eachValue(outputs, s, (at, i) => (row[i] = this.floats[at]));
        gradients(from + s, row, pass, gradient);
        this.eachValue(outputs, s, (at, i, tensor) => {
          const { activation, gradient: place } = plan.tensors[tensor];
          this.floats[at + (place - activation) / 4] = gradient[i];
        });
      }
      const begun = this.begin();
      for (const tensor of outputs) begun.tensors[tensor] = true;
      for (const layer of plan.layers.toReversed()) {
        if (!begun.tensors[layer.output] || plan.tensors[layer.output].gradient < 0) continue;
        if (isPlannedWeighted(layer)) {
          const { activation, gradient: place } = plan.tensors[layer.output];
          const shown = {
            x: () => this.copyOf(layer.inputs[0], n),
            dy: () => this.copyOf(layer.output, n, place - activation),
          };
          visit(layer.name, pass, shown, n);
        }
        this.layerBackward(layer, 0, begun);
      }
    }
  }

  /** Calls back with the number of each float of a sample's values of tensors, one tensor behind the other. */
  private eachValue(
    tensors: readonly number[],
    sample: number,
    visit: (at: number, i: number, tensor: number) => void,
  ): void {
    let i = 0;
    for (const tensor of tensors) {
      const lane = this.laneOf(tensor, sample);
      for (let v = 0; v < this.plan.tensors[tensor].values; v++) visit(lane + v * BLOCK_SAMPLES, i++, tensor);
    }
  }

  /** A tensor's values, [values, n]. @param offset in bytes from them to what is copied in their place */
  private copyOf(tensor: number, n: number, offset = 0): Float32Array {
    const { values } = this.plan.tensors[tensor];
    const copy = new Float32Array(values * n);
    for (let s = 0; s < n; s++) {
      const lane = this.laneOf(tensor, s) + offset / 4;
      for (let i = 0; i < values; i++) copy[i * n + s] = this.floats[lane + i * BLOCK_SAMPLES];
    }
    return copy;
  }

  /** What changes a sample, where anything does. */
  private augmenter({ augment, data }: StepSettings): Augment | null {
    if (isNone(augment)) return null;
    const scratch = this.arena + this.plan.scratch.augment;
    return augmenter(this.kernels, this.floats, scratch, this.plan.sample, augment, data.images);
  }

  /** Number of the float that is a sample's first value of a tensor; the next ones lie eight floats apart. */
  private laneOf(tensor: number, sample: number): number {
    const { activation, values } = this.plan.tensors[tensor];
    const block = Math.floor(sample / BLOCK_SAMPLES) * values * BLOCK_SAMPLES;
    return (this.arena + activation) / 4 + block + (sample % BLOCK_SAMPLES);
  }

  private loadSamples(data: Samples, from: number, to: number): void {
    const image = this.arena + this.plan.scratch.pixels;
    for (let i = from; i < to; i++) {
      this.copySample(data, i, image);
      this.loadSample(data, i - from, image);
    }
  }

  /** Copies a sample to an address as the data has it. */
  private copySample({ images }: Samples, index: number, to: number): void {
    const { values } = this.plan.tensors[0];
    const sample = images.subarray(index * values, (index + 1) * values);
    if (sample instanceof Float32Array) this.floats.set(sample, to / 4);
    else this.bytes.set(sample, to);
  }

  /** Makes what lies at an address the shard's sample `n`, as the net is to see it. */
  private loadSample({ images, reading }: Samples, n: number, from: number): void {
    const { kernels } = this;
    const { sample } = this.plan;
    const [input] = this.plan.tensors;
    const lane = n % BLOCK_SAMPLES;
    let block = this.arena + input.activation + Math.floor(n / BLOCK_SAMPLES) * input.values * VALUE_BYTES;
    if (reading === undefined && images instanceof Uint8Array) {
      kernels.loadPixels(block, lane, from, input.values);
      return;
    }
    const [kind, bytes] = images instanceof Uint8Array ? [0, 1] : images instanceof Int8Array ? [1, 1] : [2, 4];
    const [channels] = sample;
    const plane = input.values / channels;
    for (let c = 0; c < channels; c++) {
      const [scale, offset] = reading === undefined ? [1 / 255, 0] : [reading.scale[c], reading.offset[c]];
      kernels.loadNumbers(block, lane, kind, from + c * plane * bytes, plane, scale, offset);
      block += plane * VALUE_BYTES;
    }
  }

  /** @param shard whose batch statistics normalizations take; null: those that are kept for use */
  private forward(blocks: number, shard: number | null): void {
    const { arena, plan } = this;
    const addressOf = (tensor: number): number => arena + plan.tensors[tensor].activation;
    for (const layer of plan.layers) {
      this.withDropped(layer, () =>
        this.passes[layer.op].forward(layer, layer.inputs.map(addressOf), addressOf(layer.output), blocks, shard),
      );
      this.round(layer.output, plan.tensors[layer.output].activation);
    }
  }

  /** From the losses back to the first layer that is trained. A tensor's first reader writes its gradient, the others add to it. */
  private backward(settings: StepSettings, shard: number): number {
    const { plan } = this;
    const begun = this.begin();
    let loss = this.head.gradients(settings, (tensor) => (begun.tensors[tensor] = true));
    const features = settings.distill?.features;
    const taught = features === undefined ? -1 : tensorIndex(plan, features.tensor);
    for (let i = plan.layers.length - 1; i >= 0; i--) {
      const layer = plan.layers[i];
      const { gradient } = plan.tensors[layer.output];
      if (gradient < 0) continue;
      if (layer.output === taught) {
        loss += this.head.featureGradients(settings, taught, begun.tensors[taught]);
        begun.tensors[taught] = true;
      }
      // All that reads the tensor has added to its gradient.
      this.round(layer.output, gradient);
      if (begun.tensors[layer.output]) this.layerBackward(layer, shard, begun);
    }
    return loss;
  }

  private begin(): Begun {
    return { tensors: this.plan.tensors.map(() => false), layers: new Set() };
  }

  private layerBackward(layer: PlannedLayer, shard: number, begun: Begun): void {
    const { arena, plan } = this;
    const addressOf = (tensor: number): number => arena + plan.tensors[tensor].activation;
    const gradientOf = (tensor: number): number => arena + plan.tensors[tensor].gradient;
    const adds = layer.inputs.map((tensor) => {
      const isBegun = begun.tensors[tensor];
      begun.tensors[tensor] = true;
      return isBegun;
    });
    const addsParameters = begun.layers.has(layer.name);
    begun.layers.add(layer.name);
    const [read] = layer.inputs;
    const { gradient } = plan.tensors[read];
    const drop = this.dropOf(layer);
    // A dropped value passes no gradient on: this layer's part is by itself until it has been dropped, too.
    const dx = drop !== null && gradient >= 0 ? this.valuesOf(read, gradient) : null;
    const others = dx !== null && adds[0] ? dx.slice() : null;
    this.withDropped(layer, () =>
      this.passes[layer.op].backward(
        layer,
        {
          x: layer.inputs.map(addressOf),
          y: addressOf(layer.output),
          dx: layer.inputs.map((tensor) => (plan.tensors[tensor].gradient < 0 ? null : gradientOf(tensor))),
          dy: gradientOf(layer.output),
          adds: others === null ? adds : [false],
          addsParameters,
        },
        shard,
      ),
    );
    if (dx === null) return;
    drop!(dx);
    others?.forEach((value, i) => (dx[i] += value));
  }
}
