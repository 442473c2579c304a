/** What the threads of one training job agree on: a barrier, a request to stop, and the losses. */

const ARRIVED = 0;
const GENERATION = 1;
const STOP_REQUESTED = 2;
const STOPPING = 3;
const FAILED = 4;
const DONE = 5;
const DIVERGED = 6;
const WORDS = 8;
/** Turns a thread looks at the barrier before it sleeps: a few microseconds, about what a wake-up costs. */
const SPINS = 2_000;

/** Thrown in threads that wait for one that failed; the failed one reports the cause. */
export class OtherThreadFailed extends Error {}

export class Control {
  private readonly words: Int32Array;
  /** [0] = sum over the steps done, then one loss a shard of the step at hand */
  private readonly losses: Float64Array;

  /** @param buffer of another thread's Control, to join it */
  constructor(
    private readonly threads: number,
    shards: number,
    readonly buffer: SharedArrayBuffer = new SharedArrayBuffer(WORDS * 4 + (1 + shards) * 8),
  ) {
    this.words = new Int32Array(buffer, 0, WORDS);
    this.losses = new Float64Array(buffer, WORDS * 4, 1 + shards);
  }

  /** Returns once all threads have come here. @throws OtherThreadFailed */
  barrier(): void {
    if (this.threads === 1) return;
    const { words } = this;
    const generation = Atomics.load(words, GENERATION);
    // Those that failed before do not come: the generation that they raised is the one just read.
    if (Atomics.load(words, FAILED) !== 0) throw new OtherThreadFailed();
    if (Atomics.add(words, ARRIVED, 1) === this.threads - 1) {
      Atomics.store(words, ARRIVED, 0);
      Atomics.add(words, GENERATION, 1);
      Atomics.notify(words, GENERATION);
      return;
    }
    for (let spin = 0; Atomics.load(words, GENERATION) === generation; spin++) {
      if (spin >= SPINS) Atomics.wait(words, GENERATION, generation);
    }
    if (Atomics.load(words, FAILED) !== 0) throw new OtherThreadFailed();
  }

  /** Lets the threads that wait at the barrier go, and those that come to it later, with OtherThreadFailed. */
  fail(): void {
    Atomics.store(this.words, FAILED, 1);
    Atomics.add(this.words, GENERATION, 1);
    Atomics.notify(this.words, GENERATION);
  }

  requestStop(): void {
    Atomics.store(this.words, STOP_REQUESTED, 1);
  }

  setLoss(shard: number, loss: number): void {
    this.losses[1 + shard] = loss;
  }

  /**
   * By one thread between the two barriers of a step: adds up the shards in order and decides whether this step is the last. A step
   * whose loss is not finite is, and does not count as done.
   */
  finishStep(samples: number): void {
    let sum = 0;
    for (let shard = 1; shard < this.losses.length; shard++) sum += this.losses[shard];
    if (!Number.isFinite(sum)) {
      Atomics.store(this.words, DIVERGED, 1);
      Atomics.store(this.words, STOPPING, 1);
      return;
    }
    this.losses[0] += sum / samples;
    Atomics.add(this.words, DONE, 1);
    Atomics.store(this.words, STOPPING, Atomics.load(this.words, STOP_REQUESTED));
  }

  /** The same answer on every thread after the second barrier. */
  get stopping(): boolean {
    return Atomics.load(this.words, STOPPING) !== 0;
  }

  /** Steps done, and the sum of their mean losses. */
  get progress(): { readonly done: number; readonly lossSum: number } {
    return { done: Atomics.load(this.words, DONE), lossSum: this.losses[0] };
  }

  /** Whether the loss of the step after those done was no finite number. */
  get diverged(): boolean {
    return Atomics.load(this.words, DIVERGED) !== 0;
  }
}
