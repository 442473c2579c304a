/** The training within a stage: piece by piece, with what is pruned, frozen or shared, and able to go on from where it was stopped. */
import { shareSamples, type Samples } from "../data/samples.js";
import { MoteError } from "../errors.js";
import type { FloatTensor, Net } from "../model/model.js";
import type { Augmentation } from "../train/augment.js";
import type { Checkpoint } from "../train/checkpoint.js";
import { rateOf, type Dropout } from "../train/dropout.js";
import type { Task } from "../train/losses.js";
import { roundToFixedPoint, type FixedPoint } from "../train/fixed-point.js";
import { cosine } from "../train/schedule.js";
import { Slices } from "../turn.js";
import { Trainer, type Sharing, type TrainingRuntime, type TrainJob, type TrainResult } from "../train/trainer.js";
import { foldableBiases } from "./dead-units.js";
import { weightedLayers } from "./integer-stages.js";
import type { Latent } from "./latent.js";
import { prunableShapes, survivors, type PrunableLayer } from "./prune.js";
import type { Recipe, Regularization, Schedule } from "./recipe.js";
import type { Keeper } from "./work-folder.js";

/** What a stage's training takes from the recipe and from the stages before. */
export interface TrainingContext {
  readonly runtime: TrainingRuntime;
  readonly seed: number;
  readonly threads: number;
  readonly batch: number;
  /** What students train on: the training split, or a bank of augmented copies of it. */
  readonly data: Samples;
  /** The training split, not augmented. */
  readonly train: Samples;
  readonly augment: Augmentation;
  readonly task?: Task;
  readonly distill?: NonNullable<Recipe["distill"]>;
  /** Layers whose weights an earlier stage has brought to their integers: no longer trained, but for their biases. */
  readonly fixed: readonly string[];
  /** Gets the state after each epoch, and when stopped. */
  readonly keeper: Keeper;
  readonly signal?: AbortSignal;
  /** A stage that trains nothing has no loss. */
  readonly onProgress?: (done: number, total: number, loss?: number) => void;
}

/**
 * One stage's training: a trainer that holds the net with what is pruned, and a schedule that is run piece by piece. A stage does the
 * same from its start whether an earlier run was stopped in it or not; pieces that were done then are passed over.
 */
export class Retraining {
  /** Steps done. */
  private done = 0;
  /** Calls of `until` before the one at hand. */
  private piece = 0;
  private readonly slices = new Slices();
  readonly total: number;
  /** What the trainer was given, by layer; the stage may change the arrays of sharings and frozen flags. */
  private readonly masks = new Map<string, Uint8Array>();
  private readonly frozen = new Map<string, Uint8Array>();
  private readonly frozenBiases = new Map<string, Uint8Array>();
  private readonly sharings = new Map<string, Sharing>();
  /** Real weights behind those that are trained with, by layer. */
  private readonly latents = new Map<string, Latent>();
  private fixedPoint: FixedPoint | undefined;
  /** What else the stage goes by. */
  private readonly kept = new Map<string, Float32Array | Uint8Array>();

  private constructor(
    readonly trainer: Trainer,
    private readonly schedule: Schedule & Regularization,
    /** Times that rates go from the first to the last. */
    private readonly cycles: number,
    private readonly context: TrainingContext,
    /** Of an earlier run, until its piece is reached. */
    private earlier: Checkpoint | undefined,
  ) {
    this.total = cycles * this.stepsFor(schedule.epochs);
  }

  static async start(
    net: Net,
    schedule: Schedule & Regularization,
    context: TrainingContext,
    cycles: number,
  ): Promise<Retraining> {
    const { runtime, seed, threads, batch } = context;
    const trainer = await Trainer.create({ runtime, graph: net.graph, seed, threads, batch });
    try {
      trainer.load(net);
      // Pieces may be as short as a step: samples are not to be copied for each.
      const shared = { ...context, data: shareSamples(context.data) };
      const run = new Retraining(trainer, schedule, cycles, shared, context.keeper.load());
      run.maskZeros();
      for (const name of context.fixed) run.setFrozen(name, new Uint8Array(trainer.weight(name).length).fill(1));
      // The next layer's bias does the work of these.
      for (const name of foldableBiases(net.graph)) {
        const bias = trainer.bias(name);
        if (bias.every((b) => b === 0)) trainer.setFrozenBias(name, new Uint8Array(bias.length).fill(1));
      }
      return run;
    } catch (error) {
      await trainer.close();
      throw error;
    }
  }

  stepsFor(epochs: number): number {
    return Math.round((epochs * this.context.train.count) / this.context.batch);
  }

  /** Weights that are exactly 0 are pruned and stay so. A layer without any needs no mask. */
  maskZeros(): void {
    for (const { name } of weightedLayers(this.trainer.graph)) {
      const weight = this.trainer.weight(name);
      const mask = Uint8Array.from(weight, (w) => (w === 0 ? 0 : 1));
      this.setMask(name, mask.includes(0) ? mask : null);
    }
  }

  /** As the trainer's. */
  setMask(layer: string, mask: Uint8Array | null): void {
    if (mask === null) this.masks.delete(layer);
    else this.masks.set(layer, mask);
    this.trainer.setMask(layer, mask);
  }

  setFrozen(layer: string, frozen: Uint8Array): void {
    this.frozen.set(layer, frozen);
    this.trainer.setFrozen(layer, frozen);
  }

  setFrozenBias(layer: string, frozen: Uint8Array): void {
    this.frozenBiases.set(layer, frozen);
    this.trainer.setFrozenBias(layer, frozen);
  }

  setSharing(layer: string, sharing: Sharing): void {
    this.sharings.set(layer, sharing);
    this.trainer.setSharing(layer, sharing);
  }

  /** From now on what a layer's weights learn goes to the real ones behind them. */
  setLatent(layer: string, latent: Latent): void {
    this.latents.set(layer, latent);
  }

  /** From now on all numbers of the training are rounded; those that there are at once. */
  setFixedPoint(format: FixedPoint): void {
    this.fixedPoint = format;
    this.roundWeights(0);
  }

  /** Brings weights and biases, which step `step` has changed, to the numbers of fixed point that there are. */
  private roundWeights(step: number): void {
    const { trainer, fixedPoint, context } = this;
    if (fixedPoint === undefined) return;
    weightedLayers(trainer.graph).forEach(({ name }, i) => {
      roundToFixedPoint(trainer.weight(name), fixedPoint, context.seed, step, i, 0);
      roundToFixedPoint(trainer.bias(name), fixedPoint, context.seed, step, i, 1);
    });
  }

  /** The same for a step, or for as many as there are where nothing is done after each. */
  private async learn(given: TrainJob): Promise<TrainResult> {
    const { fixedPoint } = this;
    const job = { ...given, ...(fixedPoint && { fixedPoint }) };
    if (this.latents.size === 0 && fixedPoint === undefined) return this.trainer.train(job);
    const before = [...this.latents].map(([name, latent]) => {
      const weights = this.trainer.weight(name);
      latent.show(weights, job.firstStep);
      return { latent, weights, shown: weights.slice() };
    });
    const result = await this.trainer.train({ ...job, steps: 1 });
    for (const { latent, weights, shown } of before) {
      const { values } = latent;
      for (let i = 0; i < values.length; i++) values[i] += weights[i] - shown[i];
      latent.limit?.();
    }
    this.roundWeights(job.firstStep + 1);
    return result;
  }

  /** Has an array of the stage's own kept with the state; one that was kept is put into it. */
  keep(name: string, values: Float32Array | Uint8Array): void {
    this.kept.set(name, values);
  }

  /**
   * Trains up to step `step` of the schedule.
   * @returns whether what follows the piece is still to be done: not where an earlier run got further
   * @throws MoteError INTERRUPTED when stopped, with the state kept
   */
  async until(step: number): Promise<boolean> {
    const piece = this.piece;
    if (this.earlier !== undefined) {
      if (piece < Number(this.earlier.progress?.piece)) {
        this.piece++;
        return false;
      }
      this.restore(this.earlier);
      this.earlier = undefined;
    }
    const { data, augment, task, distill, signal, onProgress } = this.context;
    const dropout = this.dropoutNow();
    const end = Math.min(step, this.total);
    const epoch = Math.max(1, this.stepsFor(1));
    const cycle = this.total / this.cycles;
    const rate = cosine(this.schedule, cycle);
    const lr = (step: number): number => rate(step % cycle);
    for (;;) {
      if (signal?.aborted) {
        this.save();
        throw new MoteError("INTERRUPTED", "stopped");
      }
      const before = this.done;
      if (before >= end) break;
      if (before > 0 && before % epoch === 0) this.save();
      const result = await this.learn({
        data,
        steps: Math.min(end, before - (before % epoch) + epoch) - before,
        firstStep: before,
        lr,
        weightDecay: this.schedule.weightDecay ?? 0,
        l1: this.schedule.l1 ?? 0,
        ...(dropout && { dropout }),
        augment,
        ...(task && { task }),
        ...(distill && { distill }),
        ...(signal && { signal }),
        onProgress: (done, _, loss) => onProgress?.(before + done, this.total, loss),
      });
      this.done += result.steps;
    }
    this.piece++;
    return true;
  }

  /**
   * Lets signals in while a stage computes behind a piece, before it has changed anything. May be called often.
   * @throws MoteError INTERRUPTED when stopped, with the end of the piece kept, from which it computes anew
   */
  async breathe(): Promise<void> {
    if (!this.slices.isOver()) return;
    await this.slices.next();
    if (!this.context.signal?.aborted) return;
    this.piece--;
    this.save();
    throw new MoteError("INTERRUPTED", "stopped");
  }

  /** Rates of the piece at hand: by the masks, which change between pieces alone. L1 makes weights 0 at every step. */
  private dropoutNow(): Dropout | undefined {
    const { dropout } = this.schedule;
    if (dropout === undefined) return undefined;
    const rates = Object.entries(dropout).map(([name, rate]) => {
      const mask = this.masks.get(name);
      return [name, mask === undefined ? rate : rateOf(rate, survivors(mask), mask.length)] as const;
    });
    return Object.fromEntries(rates);
  }

  /** Weights, moments and what else decides the next step, with its place. */
  private save(): void {
    const { trainer, piece, done } = this;
    const { updates, tensors } = trainer.optimizerState();
    const all = new Map(tensors);
    const add = (name: string, values: ArrayLike<number>): void => {
      all.set(name, { shape: [values.length], data: Float32Array.from(values) });
    };
    for (const [layer, mask] of this.masks) add(`${layer}.mask`, mask);
    for (const [layer, frozen] of this.frozen) add(`${layer}.frozen`, frozen);
    for (const [layer, frozen] of this.frozenBiases) add(`${layer}.frozenBias`, frozen);
    for (const [layer, { centroids }] of this.sharings) add(`${layer}.centroids`, centroids);
    for (const [layer, { values }] of this.latents) add(`${layer}.latent`, values);
    for (const [name, values] of this.kept) add(name, values);
    this.context.keeper.save({
      net: trainer.toNet(),
      optimizer: { updates, tensors: all },
      progress: { piece, step: done },
    });
  }

  /** What `save` kept, in a run that has done all that comes before the pieces. @throws MoteError MISMATCH */
  private restore({ net, optimizer, progress }: Checkpoint): void {
    const { trainer } = this;
    const moments = optimizer?.tensors ?? new Map<string, FloatTensor>();
    const put = (name: string, from: FloatTensor | undefined, to: Float32Array | Uint8Array): void => {
      if (from?.data.length !== to.length) throw foreignState(name);
      to.set(from.data);
    };
    const step = Number(progress?.step);
    if (!(step >= 0 && step <= this.total)) throw foreignState("its step");
    for (const [name, { data }] of trainer.parameters()) put(name, net.tensors.get(name), data);
    for (const { name } of weightedLayers(trainer.graph)) {
      const mask = new Uint8Array(trainer.weight(name).length);
      const kept = moments.get(`${name}.mask`);
      if (kept !== undefined) put(`${name}.mask`, kept, mask);
      this.setMask(name, kept === undefined ? null : mask);
    }
    for (const [name, flags] of this.frozen) {
      put(`${name}.frozen`, moments.get(`${name}.frozen`), flags);
      trainer.setFrozen(name, flags);
    }
    for (const [name, flags] of this.frozenBiases) {
      put(`${name}.frozenBias`, moments.get(`${name}.frozenBias`), flags);
      trainer.setFrozenBias(name, flags);
    }
    for (const [name, sharing] of this.sharings) {
      put(`${name}.centroids`, moments.get(`${name}.centroids`), sharing.centroids);
      trainer.setSharing(name, sharing);
    }
    for (const [name, { values }] of this.latents) put(`${name}.latent`, moments.get(`${name}.latent`), values);
    for (const [name, values] of this.kept) put(name, moments.get(name), values);
    if (optimizer !== undefined) trainer.restoreOptimizer(optimizer);
    this.done = step;
  }

  /** @throws MoteError MISMATCH when the stage has fewer pieces than the earlier run had done */
  expectResumed(): void {
    if (this.earlier !== undefined) throw foreignState("its piece");
  }

  prunable(): PrunableLayer[] {
    return prunableShapes(this.trainer.graph).map((shape) => ({
      ...shape,
      weights: this.trainer.weight(shape.name),
      secondMoment: this.trainer.secondMoment(shape.name),
    }));
  }
}

const foreignState = (what: string): MoteError =>
  new MoteError("MISMATCH", `the state of a stopped stage in the work folder: ${what} does not fit the stage`);

/**
 * Runs `body` on a trainer and ends its threads whatever happens.
 * @param cycles how often the schedule is gone through
 */
export async function retrain(
  net: Net,
  schedule: Schedule & Regularization,
  context: TrainingContext,
  body: (run: Retraining) => Promise<void>,
  cycles = 1,
): Promise<Net> {
  const run = await Retraining.start(net, schedule, context, cycles);
  try {
    await body(run);
    run.expectResumed();
    const trained = run.trainer.toNet();
    const tensors = new Map(
      [...trained.tensors].map(([name, tensor]) => [name, keepIntegers(tensor, net.tensors.get(name))]),
    );
    return { ...trained, tensors, ...(net.compression && { compression: net.compression }) };
  } finally {
    await run.trainer.close();
  }
}

/** Weights on their integers are not trained. Pruned they may be. */
function keepIntegers(tensor: FloatTensor, before: FloatTensor | undefined): FloatTensor {
  const integers = before?.integers?.map((q, i) => (tensor.data[i] === 0 ? 0 : q));
  return integers === undefined ? tensor : { ...tensor, integers };
}
