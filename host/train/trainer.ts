/** The training engine's one entry: a net in shared memory, trained by data-parallel threads. */
import { sharedFloats, shareSamples, type Samples } from "../data/samples.js";
import { MoteError } from "../errors.js";
import { firstNotFinite } from "../finite.js";
import { inputsOf } from "../model/edges.js";
import type { FloatTensor, Graph, Net } from "../model/model.js";
import { Random } from "../rng.js";
import { overSteps, type Augmentation } from "./augment.js";
import { checkDistillation, checkSamples, checkTaught, tensorIndex } from "./check-samples.js";
import type { Dropout } from "./dropout.js";
import { Executor, type Backpropagation, type Distillation } from "./execute.js";
import type { FixedPoint } from "./fixed-point.js";
import { SharedHeap } from "./heap.js";
import { FIXED, LayerParameters, type Sharing } from "./layer-parameters.js";
import { resultsFor } from "./loss-head.js";
import { CLASSES, lossValues, type Task } from "./losses.js";
import { evaluateOutputs, type ClassEvaluation, type Evaluation } from "./metrics.js";
import { NormParameters } from "./norm-parameters.js";
import { planTraining, type Plan } from "./plan.js";
import { isPlannedNorm, isPlannedWeighted, weightedOf } from "./plan-layers.js";
import { ThreadPool, type TrainingRuntime } from "./pool.js";
import { floatOp } from "../ops/index.js";
import { parameterShapes } from "../model/shapes.js";
import { nextTurn } from "../turn.js";

export type { Sharing } from "./layer-parameters.js";
export type { TrainingRuntime } from "./pool.js";

export interface TrainerOptions {
  readonly runtime: TrainingRuntime;
  readonly graph: Graph;
  /** Decides the initial weights, the order of the samples and the augmentation. */
  readonly seed: number;
  /** 1 runs on the calling thread. The result does not depend on it. */
  readonly threads: number;
  /** Samples a step, a multiple of shards × 8. Default 128. */
  readonly batch?: number;
  /** Equal parts of a batch, each with its own gradient sum; more threads than shards are no use. Default 4. */
  readonly shards?: number;
}

export interface TrainJob {
  readonly data: Samples;
  readonly steps: number;
  /** Number of the first step counted from the start of the run: it decides which samples come and how they are augmented. */
  readonly firstStep: number;
  /** Learning rate at an absolute step number; called on this thread, once for each step. */
  readonly lr: (step: number) => number;
  /** Decoupled: every step multiplies the weights, not the biases, by 1 - lr × weightDecay. Layers that the loss does not depend on stay as they are. */
  readonly weightDecay: number;
  /** Decoupled, too: every step takes lr × l1 off the magnitudes of the weights, down to 0. Default: 0. */
  readonly l1?: number;
  /** Default: none. */
  readonly augment?: Augmentation;
  /** What is made small, and what the samples need for it. Default: softmax cross-entropy of the labels. */
  readonly task?: Task;
  /**
   * Needs `data.logits` where alpha > 0. Loss = (1 - alpha) × CE(labels) + alpha × T² × KL(teacher || student), both softened by T; with
   * other tasks their loss to the teacher's first output takes the place of KL. `features` need `data.features`.
   */
  readonly distill?: Distillation;
  /** What activations and gradients are rounded to. Default: they are float32. Weights are the caller's to round. */
  readonly fixedPoint?: FixedPoint;
  /** By layer. Default: nothing is dropped. */
  readonly dropout?: Dropout;
  /** About twice a second, and at the end; `loss` is the mean since the last call. */
  readonly onProgress?: (done: number, total: number, loss: number) => void;
  /** Stops after the step at hand; train() then returns with fewer steps. */
  readonly signal?: AbortSignal;
}

export interface TrainResult {
  /** Mean loss over the steps done. */
  readonly loss: number;
  /** Steps done: all, unless `signal` stopped the job. */
  readonly steps: number;
}

/** Everything besides weights that a resumed run needs. Tensors are named `conv1.weight.m`, `conv1.weight.v` and so on. */
export interface OptimizerState {
  /** Updates since the last reset (Adam's bias correction). */
  readonly updates: number;
  readonly tensors: ReadonlyMap<string, FloatTensor>;
}

/** Keeps the random numbers of the initial weights apart from others of the same seed. */
const INITIAL_STREAM = 0x696e6974;

/** One job at a time; between jobs, weights and what is pruned, frozen or shared may be changed. */
export class Trainer {
  private readonly layers = new Map<string, LayerParameters>();
  private readonly norms: readonly NormParameters[];
  /** Updates since the optimizer's reset. */
  private updates = 0;

  private constructor(
    readonly options: TrainerOptions,
    private readonly heap: SharedHeap,
    private readonly plan: Plan,
    private readonly pool: ThreadPool,
  ) {
    // What lies between the segments of layers is never to be updated.
    heap.u8(plan.parameters.state, plan.parameters.count).fill(FIXED);
    const shapes = parameterShapes(options.graph);
    const weighted = plan.layers.filter(isPlannedWeighted);
    for (const { name } of weightedOf(plan.layers)) {
      const steps = weighted.filter((layer) => layer.name === name);
      const shape = shapes.get(`${name}.weight`)!;
      this.layers.set(name, new LayerParameters(heap, plan.parameters, steps, shape));
    }
    this.norms = plan.layers.filter(isPlannedNorm).map((layer) => new NormParameters(heap, plan.parameters, layer));
  }

  /**
   * Weights start as He (before a relu) or Glorot uniform noise from the seed, biases at 0; normalizations do nothing at first.
   * @throws MoteError UNSUPPORTED for a graph without weights or with attributes out of range, MEMORY for one that takes more than 4 GiB, ENGINE when
   *   train.wasm was not built
   */
  static async create(options: TrainerOptions): Promise<Trainer> {
    const { runtime, graph, threads, batch = 128, shards = 4 } = options;
    if (!Number.isInteger(threads) || threads < 1) throw new RangeError(`threads must be at least 1, got ${threads}`);
    const heap = new SharedHeap();
    const useful = Math.min(threads, shards);
    const plan = planTraining(heap, graph, batch, shards, useful);
    const trainer = new Trainer(options, heap, plan, await ThreadPool.create(runtime, heap, useful));
    trainer.initialise();
    return trainer;
  }

  get graph(): Graph {
    return this.options.graph;
  }

  /** Floating-point operations of one training step, all weights dense: two for each multiplication of the three passes. */
  get stepFlops(): number {
    let multiplications = 0;
    for (const { name, positions, inputGradient } of this.plan.layers.filter(isPlannedWeighted)) {
      multiplications += this.layer(name).weightCount * positions * (inputGradient.length > 0 ? 3 : 2);
    }
    return 2 * multiplications * this.plan.batch;
  }

  get batch(): number {
    return this.plan.batch;
  }

  /** Values of the outputs that a loss looks at. */
  outputValues(loss: Task["loss"]): number {
    return loss === "softmax" ? this.plan.classes : this.plan.outputValues;
  }

  /** Threads at work: no more than asked for, no more than shards, 1 where none can be started. */
  get threads(): number {
    return this.pool.threads;
  }

  /** Steps that make one epoch of `count` samples, rounded to the nearest whole number, at least 1. */
  stepsPerEpoch(count: number): number {
    return Math.max(1, Math.round(count / this.plan.batch));
  }

  /**
   * Takes over weights. Masks, frozen flags and sharing are dropped, the optimizer is reset.
   * @throws MoteError MISMATCH when a tensor is missing, unknown or of another shape; nothing is changed then
   */
  load(net: Net): void {
    const where = `${net.graph.name}: `;
    const wanted = this.parameters();
    for (const [name, { shape }] of wanted) {
      const tensor = net.tensors.get(name);
      if (tensor === undefined) throw new MoteError("MISMATCH", `${where}tensor ${name} is missing`);
      if (tensor.shape.join() !== shape.join()) {
        throw new MoteError("MISMATCH", `${where}${name}: expected shape [${shape}], got [${tensor.shape}]`);
      }
    }
    const unknown = [...net.tensors.keys()].find((name) => !wanted.has(name));
    if (unknown !== undefined)
      throw new MoteError("MISMATCH", `${where}tensor ${unknown} belongs to no layer of ${this.options.graph.name}`);
    for (const [name, { data }] of wanted) data.set(net.tensors.get(name)!.data);
    for (const layer of this.layers.values()) layer.release();
    this.resetOptimizer();
  }

  /** A copy of the weights as they are now. */
  toNet(): Net {
    const tensors = new Map<string, FloatTensor>();
    for (const [name, { shape, data }] of this.parameters()) tensors.set(name, { shape, data: new Float32Array(data) });
    return { graph: this.graph, tensors };
  }

  /** Live views of all parameters, by their names in Net. */
  parameters(): ReadonlyMap<string, FloatTensor> {
    return new Map([...this.layers.values(), ...this.norms].flatMap((layer) => layer.tensors()));
  }

  /** Live view, [rows, columns] row-major. */
  weight(layer: string): Float32Array {
    return this.layer(layer).weight;
  }

  /** Live view, [rows]. */
  bias(layer: string): Float32Array {
    return this.layer(layer).bias;
  }

  /** Adam's running mean of squared gradients for each weight, live view. */
  secondMoment(layer: string): Float32Array {
    return this.layer(layer).weightSecond;
  }

  /** The same for biases, [rows]. */
  biasSecondMoment(layer: string): Float32Array {
    return this.layer(layer).biasSecond;
  }

  /** 0 = pruned: set to 0 now and kept at 0. Moments of pruned weights are cleared. null: no mask. */
  setMask(layer: string, mask: Uint8Array | null): void {
    this.layer(layer).setMask(mask);
  }

  /** 1 = the weight takes part but is not updated. null: none frozen. */
  setFrozen(layer: string, frozen: Uint8Array | null): void {
    this.layer(layer).setFrozen(frozen);
  }

  /** The same for biases, [rows]. */
  setFrozenBias(layer: string, frozen: Uint8Array | null): void {
    this.layer(layer).setFrozenBias(frozen);
  }

  /**
   * Sets the weights to their centroids now, and trains the centroids from then on. Pruned and frozen weights do not move
   * and do not count. null: none shared.
   */
  setSharing(layer: string, sharing: Sharing | null): void {
    this.layer(layer).setSharing(sharing);
  }

  /** Forgets all moments, of centroids too. */
  resetOptimizer(): void {
    this.updates = 0;
    const { first, second, count } = this.plan.parameters;
    this.heap.f32(first, count).fill(0);
    this.heap.f32(second, count).fill(0);
    for (const layer of this.layers.values()) layer.clearCentroidMoments();
  }

  /** A copy. Moments of centroids come as `conv1.centroid.m` and `.v`. */
  optimizerState(): OptimizerState {
    const tensors = new Map<string, FloatTensor>();
    for (const [name, { shape, data }] of this.momentViews())
      tensors.set(name, { shape, data: new Float32Array(data) });
    return { updates: this.updates, tensors };
  }

  /**
   * Puts back what optimizerState gave, after load() and after the sharing was set.
   * @throws MoteError MISMATCH
   */
  restoreOptimizer(state: OptimizerState): void {
    const views = this.momentViews();
    for (const [name, { shape }] of views) {
      const got = state.tensors.get(name);
      if (got === undefined || got.shape.join() !== shape.join()) {
        const found = got === undefined ? "nothing" : `[${got.shape}]`;
        throw new MoteError("MISMATCH", `optimizer state: expected ${name} of shape [${shape}], got ${found}`);
      }
    }
    for (const [name, { data }] of views) data.set(state.tensors.get(name)!.data);
    this.updates = state.updates;
  }

  /**
   * Runs `job.steps` steps.
   * @throws MoteError DIVERGED when a step's loss or what it leaves is not finite: the weights are of no use then. MISMATCH for labels or targets
   *   that do not suit the net, or no samples; ARGUMENT for a task that makes no sense, RangeError for other data that do not fit it
   */
  async train(job: TrainJob): Promise<TrainResult> {
    const { task = CLASSES, distill } = job;
    checkTaught(this.plan, job.data, task);
    if (job.data.count === 0) throw new MoteError("MISMATCH", "samples: there are none, expected some to train on");
    if (distill !== undefined) checkDistillation(this.plan, job.data, distill);
    if (job.signal?.aborted === true || job.steps === 0) return { loss: 0, steps: 0 };
    const rates = Float64Array.from({ length: job.steps }, (_, i) => job.lr(job.firstStep + i));
    let lastDone = 0;
    let lastSum = 0;
    const report = (done: number, lossSum: number): void => {
      if (done === lastDone) return;
      job.onProgress?.(done, job.steps, (lossSum - lastSum) / (done - lastDone));
      lastDone = done;
      lastSum = lossSum;
    };
    const { done, lossSum, diverged } = await this.pool.run(
      {
        kind: "train",
        plan: this.plan,
        settings: {
          data: shareSamples(job.data),
          seed: this.options.seed,
          weightDecay: job.weightDecay,
          l1: job.l1 ?? 0,
          augment: overSteps(job.augment ?? 0, this.graph.steps),
          task,
          distill: distill ?? null,
          fixedPoint: job.fixedPoint ?? null,
          dropout: job.dropout ?? {},
        },
        firstStep: job.firstStep,
        rates,
        updates: this.updates,
      },
      report,
      job.signal,
    );
    this.updates += done;
    report(done, lossSum);
    // A relu makes 0 of NaN: weights can be lost while the loss still looks well.
    if (diverged || !this.isFinite()) {
      const last = Math.min(done, job.steps - 1);
      const what = diverged ? "the loss is" : "weights are";
      const advice = `a lower learning rate than its ${Number(rates[last].toPrecision(3))} usually helps`;
      throw new MoteError("DIVERGED", `step ${job.firstStep + last + 1}: ${what} no longer finite; ${advice}`);
    }
    for (const layer of this.layers.values()) layer.readCentroids();
    return { loss: lossSum / done, steps: done };
  }

  /**
   * Loss and metric of samples; of classes, also how many are wrong (argmax, first maximum).
   * @throws MoteError MISMATCH, ARGUMENT, RangeError, as `train`
   */
  evaluate(data: Samples): Promise<ClassEvaluation>;
  evaluate(data: Samples, task: Task): Promise<Evaluation>;
  async evaluate(data: Samples, task: Task = CLASSES): Promise<Evaluation> {
    checkTaught(this.plan, data, task);
    const outputs = task.loss === "softmax" ? await this.logits(data) : await this.outputs(data);
    return evaluateOutputs(task, outputs, lossValues(task, this.plan.classes, this.plan.outputValues), data);
  }

  /** [count, classes], SharedArrayBuffer-backed: the first output. */
  logits(data: Samples): Promise<Float32Array> {
    return this.rows(data, this.plan.outputs.slice(0, 1));
  }

  /** [count, values of all outputs], SharedArrayBuffer-backed. */
  outputs(data: Samples): Promise<Float32Array> {
    return this.rows(data, this.plan.outputs);
  }

  /** [count, values of the tensor], SharedArrayBuffer-backed: what a student's `distill.features` are drawn to. @throws RangeError for no tensor's name */
  features(data: Samples, tensor: string): Promise<Float32Array> {
    return this.rows(data, [tensorIndex(this.plan, tensor)]);
  }

  /** Calls `visit` with the values of every tensor, input and output included, chunk by chunk: [C × H × W, n], sample innermost. */
  async activations(data: Samples, visit: (tensor: string, values: Float32Array, n: number) => void): Promise<void> {
    checkSamples(this.plan, data);
    const executor = new Executor(this.pool.kernels, this.heap.memory, this.plan, 0, 1);
    const chunk = this.plan.shardSamples;
    for (let from = 0; from < data.count; from += chunk) {
      executor.activations(data, from, Math.min(from + chunk, data.count), visit);
      await nextTurn();
    }
  }

  /** Sends gradients of the outputs that the task looks at back through the net, chunk by chunk. Nothing is trained. */
  async backpropagate(data: Samples, task: Task, job: Backpropagation): Promise<void> {
    checkSamples(this.plan, data);
    const executor = new Executor(this.pool.kernels, this.heap.memory, this.plan, 0, 1);
    const outputs = resultsFor(this.plan, task);
    const chunk = this.plan.shardSamples;
    for (let from = 0; from < data.count; from += chunk) {
      executor.backpropagate(data, from, Math.min(from + chunk, data.count), outputs, job);
      await nextTurn();
    }
  }

  /** Ends the threads; the trainer is of no use afterwards. */
  close(): Promise<void> {
    return this.pool.close();
  }

  private layer(name: string): LayerParameters {
    const layer = this.layers.get(name);
    if (layer === undefined) throw new RangeError(`${this.graph.name} has no layer with weights named ${name}`);
    return layer;
  }

  private initialise(): void {
    const random = new Random(this.options.seed, INITIAL_STREAM);
    this.graph.layers.forEach((layer) => {
      const parameters = this.layers.get(layer.name);
      if (parameters === undefined) return;
      const { columns, groupRows, groupInputs } = parameters.planned;
      const fanOut = (groupRows * columns) / groupInputs;
      const beforeRelu = this.isRectified(layer.output);
      const limit = Math.sqrt(6 / (beforeRelu ? columns : columns + fanOut));
      const weights = parameters.weight;
      for (let w = 0; w < weights.length; w++) weights[w] = (2 * random.uniform() - 1) * limit;
    });
  }

  /** Whether a layer reads the tensor, as it is or normalized, that cuts off what is below 0. */
  private isRectified(tensor: string): boolean {
    return this.graph.layers.some(
      (layer) =>
        inputsOf(layer).includes(tensor) &&
        (floatOp(layer).isRectifier ||
          (layer.op === "clamp" && layer.low === 0) ||
          (layer.op === "batchnorm" && this.isRectified(layer.output))),
    );
  }

  /** Whether all weights and moments are. */
  private isFinite(): boolean {
    const { values, first, second, count } = this.plan.parameters;
    return [values, first, second].every((at) => firstNotFinite(this.heap.f32(at, count)) < 0);
  }

  private momentViews(): Map<string, FloatTensor> {
    return new Map([...this.layers.values(), ...this.norms].flatMap((layer) => layer.moments()));
  }

  private async rows(data: Samples, tensors: readonly number[]): Promise<Float32Array> {
    checkSamples(this.plan, data);
    const values = tensors.reduce((sum, tensor) => sum + this.plan.tensors[tensor].values, 0);
    const out = sharedFloats(data.count * values);
    await this.pool.run({ kind: "rows", plan: this.plan, data: shareSamples(data), tensors, out });
    return out;
  }
}
