/** The training engine's one entry: a net in shared memory, trained by data-parallel threads. */
import { sharedFloats, shareSamples, type Samples } from "../data/samples.js";
import { MoteError } from "../errors.js";
import type { FloatTensor, Graph, Net } from "../model.js";
import { Random } from "../rng.js";
import { Executor, type Distillation, type Optimizer } from "./execute.js";
import { SharedHeap } from "./heap.js";
import { planTraining, type Plan, type PlannedWeighted, type SharedWeights, type Survivors } from "./plan.js";
import { ThreadPool } from "./pool.js";
import { planSurvivors } from "./survivors.js";

export type { Distillation, Optimizer } from "./execute.js";

export interface TrainerOptions {
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
  readonly optimizer: Optimizer;
  /** 0 = none (the default), 1 = strong. */
  readonly augment?: number;
  /** Needs `data.logits`. Loss = (1 - alpha) × CE(labels) + alpha × T² × KL(teacher || student), both softened by T. */
  readonly distill?: Distillation;
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

/** Weights of one layer that share values. */
export interface Sharing {
  /** Centroid of each weight, -1 for a weight of its own. */
  readonly assignment: Int32Array;
  /** Updated in place by train(). */
  readonly centroids: Float32Array;
}

/** Everything besides weights that a resumed run needs. Tensors are named `conv1.weight.m`, `conv1.weight.v` and so on. */
export interface OptimizerState {
  /** Updates since the last reset (Adam's bias correction). */
  readonly updates: number;
  readonly tensors: ReadonlyMap<string, FloatTensor>;
}

/** What the trainer remembers about a weighted layer beside the plan. */
interface LayerState {
  readonly layer: PlannedWeighted;
  readonly weightShape: readonly number[];
  readonly weightCount: number;
  readonly rows: number;
  mask: Uint8Array | null;
  frozen: Uint8Array | null;
  frozenBias: Uint8Array | null;
  sharing: Sharing | null;
  /** Memory of the last survivor table and of the last sharing, for the next ones. */
  table: { readonly survivors: Survivors; readonly capacity: number } | null;
  sharedRoom: { readonly place: SharedWeights; readonly capacity: number } | null;
}

/** State bytes of assembly/train/optimizer.ts. */
const FREE = 0;
const FIXED = 1;
const SHARED = 2;

export class Trainer {
  private readonly layers = new Map<string, LayerState>();
  /** Updates since the optimizer's reset. */
  private updates = 0;

  private constructor(
    readonly options: TrainerOptions,
    private readonly heap: SharedHeap,
    private readonly plan: Plan,
    private readonly pool: ThreadPool,
  ) {
    const { graph } = options;
    const fixed = heap.u8(plan.parameters.state, plan.parameters.count).fill(FIXED);
    plan.layers.forEach((layer, i) => {
      if (!("weightAt" in layer)) return;
      const described = graph.layers[i];
      const rows = layer.groups * layer.groupRows;
      const weightShape =
        described.op === "conv2d" ? [rows, layer.groupInputs, ...described.kernel] : [rows, layer.columns];
      const weightCount = rows * layer.columns;
      fixed.fill(FREE, layer.weightAt, layer.weightAt + weightCount);
      fixed.fill(FREE, layer.biasAt, layer.biasAt + rows);
      const none = { mask: null, frozen: null, frozenBias: null, sharing: null, table: null, sharedRoom: null };
      this.layers.set(layer.name, { layer, weightShape, weightCount, rows, ...none });
    });
  }

  /**
   * Weights start as He (before a relu) or Glorot uniform noise from the seed, biases at 0.
   * @throws MoteError UNSUPPORTED for a graph that is not a chain, FILE when train.wasm was not built
   */
  static async create(options: TrainerOptions): Promise<Trainer> {
    const { graph, threads, batch = 128, shards = 4 } = options;
    if (!Number.isInteger(threads) || threads < 1) throw new RangeError(`threads must be at least 1, got ${threads}`);
    const heap = new SharedHeap();
    const useful = Math.min(threads, shards);
    const plan = planTraining(heap, graph, batch, shards, useful);
    const trainer = new Trainer(options, heap, plan, await ThreadPool.create(heap, useful));
    trainer.initialise();
    return trainer;
  }

  get graph(): Graph {
    return this.options.graph;
  }

  /** Floating-point operations of one training step, all weights dense: two for each multiplication of the three passes. */
  get stepFlops(): number {
    let multiplications = 0;
    for (const { layer, weightCount } of this.layers.values()) {
      multiplications += weightCount * layer.positions * (layer.inputGradient ? 3 : 2);
    }
    return 2 * multiplications * this.plan.batch;
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
    const wanted = this.tensorViews();
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
    for (const state of this.layers.values()) {
      state.mask = state.frozen = state.frozenBias = state.sharing = null;
      this.refresh(state);
    }
    this.resetOptimizer();
  }

  /** A copy of the weights as they are now. */
  toNet(): Net {
    const tensors = new Map<string, FloatTensor>();
    for (const [name, { shape, data }] of this.tensorViews())
      tensors.set(name, { shape, data: new Float32Array(data) });
    return { graph: this.graph, tensors };
  }

  /** Live view, [rows, columns] row-major. */
  weight(layer: string): Float32Array {
    const { layer: planned, weightCount } = this.state(layer);
    return this.heap.f32(this.plan.parameters.values + planned.weightAt * 4, weightCount);
  }

  /** Live view, [rows]. */
  bias(layer: string): Float32Array {
    const { layer: planned, rows } = this.state(layer);
    return this.heap.f32(this.plan.parameters.values + planned.biasAt * 4, rows);
  }

  /** Adam's running mean of squared gradients for each weight, live view. */
  secondMoment(layer: string): Float32Array {
    const { layer: planned, weightCount } = this.state(layer);
    return this.heap.f32(this.plan.parameters.second + planned.weightAt * 4, weightCount);
  }

  /** 0 = pruned: set to 0 now and kept at 0. Moments of pruned weights are cleared. null: no mask. */
  setMask(layer: string, mask: Uint8Array | null): void {
    const state = this.state(layer);
    state.mask = copyOf(layer, "mask", mask, state.weightCount);
    this.refresh(state);
  }

  /** 1 = the weight takes part but is not updated. null: none frozen. */
  setFrozen(layer: string, frozen: Uint8Array | null): void {
    const state = this.state(layer);
    state.frozen = copyOf(layer, "frozen", frozen, state.weightCount);
    this.refresh(state);
  }

  /** The same for biases, [rows]. */
  setFrozenBias(layer: string, frozen: Uint8Array | null): void {
    const state = this.state(layer);
    state.frozenBias = copyOf(layer, "frozen bias", frozen, state.rows);
    this.refresh(state);
  }

  /**
   * Sets the weights to their centroids now, and trains the centroids from then on. Pruned and frozen weights do not move
   * and do not count. null: none shared.
   */
  setSharing(layer: string, sharing: Sharing | null): void {
    const state = this.state(layer);
    state.sharing = sharing;
    const { layer: planned } = state;
    if (sharing === null) {
      planned.shared = null;
      this.refresh(state);
      return;
    }
    const { assignment, centroids } = sharing;
    if (assignment.length !== state.weightCount) {
      throw new RangeError(
        `${layer}: expected an assignment of ${state.weightCount} weights, got ${assignment.length}`,
      );
    }
    const wrong = assignment.findIndex((a) => a < -1 || a >= centroids.length);
    if (wrong >= 0) {
      throw new RangeError(`${layer}: weight ${wrong} has centroid ${assignment[wrong]} of ${centroids.length}`);
    }
    planned.shared = this.placeSharing(state, assignment, centroids);
    this.refresh(state);
    const states = this.heap.u8(this.plan.parameters.state + planned.weightAt, state.weightCount);
    const weights = this.weight(layer);
    for (let i = 0; i < weights.length; i++) if (states[i] === SHARED) weights[i] = centroids[assignment[i]];
  }

  /** Forgets all moments, of centroids too. */
  resetOptimizer(): void {
    this.updates = 0;
    const { first, second, count } = this.plan.parameters;
    this.heap.f32(first, count).fill(0);
    this.heap.f32(second, count).fill(0);
    for (const { layer } of this.layers.values()) {
      if (layer.shared === null) continue;
      this.heap.f32(layer.shared.first, layer.shared.count).fill(0);
      this.heap.f32(layer.shared.second, layer.shared.count).fill(0);
    }
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

  /** Runs `job.steps` steps. @throws RangeError for data that do not fit the net */
  async train(job: TrainJob): Promise<TrainResult> {
    this.checkSamples(job.data);
    if (job.data.labels.length !== job.data.count) {
      throw new RangeError(`samples: expected ${job.data.count} labels, got ${job.data.labels.length}`);
    }
    if (job.distill !== undefined && job.data.logits?.length !== job.data.count * this.plan.classes) {
      throw new RangeError(`distillation: expected ${this.plan.classes} teacher logits for each sample`);
    }
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
    const { done, lossSum } = await this.pool.run(
      {
        kind: "train",
        plan: this.plan,
        settings: {
          data: shareSamples(job.data),
          seed: this.options.seed,
          optimizer: job.optimizer,
          augment: job.augment ?? 0,
          distill: job.distill ?? null,
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
    for (const { layer, sharing } of this.layers.values()) {
      if (layer.shared === null || sharing === null) continue;
      sharing.centroids.set(this.heap.f32(layer.shared.centroids, sharing.centroids.length));
    }
    return { loss: lossSum / done, steps: done };
  }

  /** Wrong classes (argmax, first maximum) and mean cross-entropy. */
  async evaluate(data: Samples): Promise<{ errors: number; loss: number }> {
    const { classes } = this.plan;
    const logits = await this.logits(data);
    let errors = 0;
    let loss = 0;
    for (let n = 0; n < data.count; n++) {
      const row = logits.subarray(n * classes, (n + 1) * classes);
      let best = 0;
      for (let c = 1; c < classes; c++) if (row[c] > row[best]) best = c;
      if (best !== data.labels[n]) errors++;
      let sum = 0;
      for (const z of row) sum += Math.exp(z - row[best]);
      loss += Math.log(sum) + row[best] - row[data.labels[n]];
    }
    return { errors, loss: loss / Math.max(1, data.count) };
  }

  /** [count, classes], SharedArrayBuffer-backed. */
  async logits(data: Samples): Promise<Float32Array> {
    this.checkSamples(data);
    const out = sharedFloats(data.count * this.plan.classes);
    await this.pool.run({ kind: "logits", plan: this.plan, data: shareSamples(data), out });
    return out;
  }

  /** Calls `visit` with the values of every tensor, input and output included, chunk by chunk: [C × H × W, n], sample innermost. */
  async activations(data: Samples, visit: (tensor: string, values: Float32Array, n: number) => void): Promise<void> {
    this.checkSamples(data);
    const executor = new Executor(this.pool.kernels, this.heap.memory, this.plan, 0, 1);
    const chunk = this.plan.shardSamples;
    for (let from = 0; from < data.count; from += chunk) {
      executor.activations(data, from, Math.min(from + chunk, data.count), visit);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Ends the threads; the trainer is of no use afterwards. */
  close(): Promise<void> {
    return this.pool.close();
  }

  private state(layer: string): LayerState {
    const state = this.layers.get(layer);
    if (state === undefined)
      throw new RangeError(`${this.options.graph.name} has no layer with weights named ${layer}`);
    return state;
  }

  private initialise(): void {
    const random = new Random(this.options.seed, 0x696e6974);
    this.graph.layers.forEach((layer, i) => {
      const state = this.layers.get(layer.name);
      if (state === undefined) return;
      const { columns, groupRows } = state.layer;
      const kernelValues = columns / state.layer.groupInputs;
      const beforeRelu = this.options.graph.layers[i + 1]?.op === "relu";
      const limit = Math.sqrt(6 / (beforeRelu ? columns : columns + groupRows * kernelValues));
      const weights = this.weight(layer.name);
      for (let w = 0; w < weights.length; w++) weights[w] = (2 * random.uniform() - 1) * limit;
    });
  }

  /** Brings state bytes, pruned weights and survivor tables in line with mask, frozen flags and sharing. */
  private refresh(state: LayerState): void {
    const { layer, mask, frozen, frozenBias, sharing, weightCount, rows } = state;
    const { parameters } = this.plan;
    const states = this.heap.u8(parameters.state + layer.weightAt, weightCount);
    const weights = this.heap.f32(parameters.values + layer.weightAt * 4, weightCount);
    const first = this.heap.f32(parameters.first + layer.weightAt * 4, weightCount);
    const second = this.heap.f32(parameters.second + layer.weightAt * 4, weightCount);
    if (sharing === null) layer.shared = null;
    for (let i = 0; i < weightCount; i++) {
      states[i] = sharing !== null && sharing.assignment[i] >= 0 ? SHARED : FREE;
      if (frozen !== null && frozen[i] !== 0) states[i] = FIXED;
      if (mask === null || mask[i] !== 0) continue;
      states[i] = FIXED;
      weights[i] = first[i] = second[i] = 0;
    }
    const biasStates = this.heap.u8(parameters.state + layer.biasAt, rows);
    for (let row = 0; row < rows; row++) biasStates[row] = frozenBias !== null && frozenBias[row] !== 0 ? FIXED : FREE;
    const table = mask === null ? null : planSurvivors(this.heap, layer, mask, state.table);
    layer.survivors = table?.survivors ?? null;
    if (table !== null) state.table = table;
  }

  private placeSharing(state: LayerState, assignment: Int32Array, centroids: Float32Array): SharedWeights {
    const count = centroids.length;
    const { sharedRoom } = state;
    // Rounded up to the optimizer's vectors; what is added has no members, so that its gradient is 0.
    const bytes = Math.ceil(count / 4) * 16;
    const shared: SharedWeights =
      sharedRoom !== null && sharedRoom.capacity >= count
        ? { ...sharedRoom.place, count }
        : {
            assignment: sharedRoom?.place.assignment ?? this.heap.allocate(assignment.byteLength),
            centroids: this.heap.allocate(bytes),
            sums: this.heap.allocate(bytes),
            first: this.heap.allocate(bytes),
            second: this.heap.allocate(bytes),
            state: this.heap.allocate(bytes / 4),
            count,
          };
    state.sharedRoom = { place: shared, capacity: Math.max(count, sharedRoom?.capacity ?? 0) };
    this.heap.i32(shared.assignment, assignment.length).set(assignment);
    this.heap.f32(shared.centroids, count).set(centroids);
    this.heap.f32(shared.first, count).fill(0);
    this.heap.f32(shared.second, count).fill(0);
    return shared;
  }

  private tensorViews(): Map<string, FloatTensor> {
    const views = new Map<string, FloatTensor>();
    for (const [name, { weightShape, rows }] of this.layers) {
      views.set(`${name}.weight`, { shape: weightShape, data: this.weight(name) });
      views.set(`${name}.bias`, { shape: [rows], data: this.bias(name) });
    }
    return views;
  }

  private momentViews(): Map<string, FloatTensor> {
    const views = new Map<string, FloatTensor>();
    const { first, second } = this.plan.parameters;
    for (const [name, { layer, weightShape, weightCount, rows }] of this.layers) {
      for (const [letter, at] of [
        ["m", first],
        ["v", second],
      ] as const) {
        views.set(`${name}.weight.${letter}`, {
          shape: weightShape,
          data: this.heap.f32(at + layer.weightAt * 4, weightCount),
        });
        views.set(`${name}.bias.${letter}`, { shape: [rows], data: this.heap.f32(at + layer.biasAt * 4, rows) });
      }
      if (layer.shared === null) continue;
      const { first: m, second: v, count } = layer.shared;
      views.set(`${name}.centroid.m`, { shape: [count], data: this.heap.f32(m, count) });
      views.set(`${name}.centroid.v`, { shape: [count], data: this.heap.f32(v, count) });
    }
    return views;
  }

  private checkSamples(data: Samples): void {
    const { values, shape } = this.plan.tensors[0];
    if (data.images.length === data.count * values) return;
    throw new RangeError(`samples: expected ${data.count} images of [${shape}], got ${data.images.length} bytes`);
  }
}

function copyOf(layer: string, what: string, flags: Uint8Array | null, count: number): Uint8Array | null {
  if (flags === null) return null;
  if (flags.length !== count)
    throw new RangeError(`${layer}: expected a ${what} of ${count} bytes, got ${flags.length}`);
  return new Uint8Array(flags);
}
