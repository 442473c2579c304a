/** The parameters of one layer in shared memory, and which of them are pruned, frozen or shared. */
import type { FloatTensor } from "../model/model.js";
import { writeDescriptor } from "./descriptors.js";
import type { SharedHeap } from "./heap.js";
import type { Parameters } from "./plan.js";
import type { PlannedWeighted, SharedWeights, Survivors } from "./plan-layers.js";
import { planSurvivors } from "./survivors.js";

/** State bytes of assembly/train/optimizer.ts. */
export const FREE = 0;
export const FIXED = 1;
const SHARED = 2;

/** Weights of one layer that share values. */
export interface Sharing {
  /** Centroid of each weight, -1 for a weight of its own. */
  readonly assignment: Int32Array;
  /** Updated in place by train(). */
  readonly centroids: Float32Array;
}

export class LayerParameters {
  readonly weightCount: number;
  readonly rows: number;
  private mask: Uint8Array | null = null;
  private frozen: Uint8Array | null = null;
  private frozenBias: Uint8Array | null = null;
  private sharing: Sharing | null = null;
  /** Memory of the last survivor table and of the last sharing, for the next ones. */
  private survivorRoom: { readonly survivors: Survivors; readonly capacity: number } | null = null;
  private sharedRoom: { readonly place: SharedWeights; readonly capacity: number } | null = null;

  /**
   * @param steps the layer as it stands in each step, with the same weights; of a net without states one
   * @param weightShape [C_OUT, C_IN / groups, KH, KW] or [OUT, IN]
   */
  constructor(
    private readonly heap: SharedHeap,
    private readonly parameters: Parameters,
    private readonly steps: readonly PlannedWeighted[],
    private readonly weightShape: readonly number[],
  ) {
    this.rows = weightShape[0];
    this.weightCount = this.rows * this.planned.columns;
    this.refresh();
  }

  get planned(): PlannedWeighted {
    return this.steps[0];
  }

  /** Live views, as all that follow. */
  get weight(): Float32Array {
    return this.weightsAt(this.parameters.values);
  }

  get bias(): Float32Array {
    return this.biasesAt(this.parameters.values);
  }

  get weightSecond(): Float32Array {
    return this.weightsAt(this.parameters.second);
  }

  get biasSecond(): Float32Array {
    return this.biasesAt(this.parameters.second);
  }

  /** Weights and biases by their names in Net. */
  tensors(): [string, FloatTensor][] {
    const { name } = this.planned;
    return [
      [`${name}.weight`, { shape: this.weightShape, data: this.weight }],
      [`${name}.bias`, { shape: [this.rows], data: this.bias }],
    ];
  }

  /** The optimizer's moments of weights, biases and centroids. */
  moments(): [string, FloatTensor][] {
    const { name, shared } = this.planned;
    const views: [string, FloatTensor][] = [];
    for (const [letter, at] of [
      ["m", this.parameters.first],
      ["v", this.parameters.second],
    ] as const) {
      views.push([`${name}.weight.${letter}`, { shape: this.weightShape, data: this.weightsAt(at) }]);
      views.push([`${name}.bias.${letter}`, { shape: [this.rows], data: this.biasesAt(at) }]);
    }
    if (shared === null) return views;
    const { first, second, count } = shared;
    views.push([`${name}.centroid.m`, { shape: [count], data: this.heap.f32(first, count) }]);
    views.push([`${name}.centroid.v`, { shape: [count], data: this.heap.f32(second, count) }]);
    return views;
  }

  setMask(mask: Uint8Array | null): void {
    this.mask = this.copyFlags("mask", mask, this.weightCount);
    this.refresh();
  }

  setFrozen(frozen: Uint8Array | null): void {
    this.frozen = this.copyFlags("frozen", frozen, this.weightCount);
    this.refresh();
  }

  setFrozenBias(frozen: Uint8Array | null): void {
    this.frozenBias = this.copyFlags("frozen bias", frozen, this.rows);
    this.refresh();
  }

  setSharing(sharing: Sharing | null): void {
    if (sharing !== null) this.checkSharing(sharing);
    this.sharing = sharing;
    this.share(sharing === null ? null : this.placeSharing(sharing));
    this.refresh();
    if (sharing === null) return;
    const states = this.weightStates;
    const weights = this.weight;
    for (let i = 0; i < weights.length; i++) {
      if (states[i] === SHARED) weights[i] = sharing.centroids[sharing.assignment[i]];
    }
  }

  /** No mask, nothing frozen, nothing shared. */
  release(): void {
    this.mask = this.frozen = this.frozenBias = this.sharing = null;
    this.share(null);
    this.refresh();
  }

  clearCentroidMoments(): void {
    const { shared } = this.planned;
    if (shared === null) return;
    this.heap.f32(shared.first, shared.count).fill(0);
    this.heap.f32(shared.second, shared.count).fill(0);
  }

  /** Copies the trained centroids to the array that setSharing was given. */
  readCentroids(): void {
    const { shared } = this.planned;
    if (shared !== null) this.sharing?.centroids.set(this.heap.f32(shared.centroids, shared.count));
  }

  private weightsAt(base: number): Float32Array {
    return this.heap.f32(base + this.planned.weightAt * 4, this.weightCount);
  }

  private biasesAt(base: number): Float32Array {
    return this.heap.f32(base + this.planned.biasAt * 4, this.rows);
  }

  private get weightStates(): Uint8Array {
    return this.heap.u8(this.parameters.state + this.planned.weightAt, this.weightCount);
  }

  /** Brings state bytes, pruned weights and the survivor table in line with mask, frozen flags and sharing. */
  private refresh(): void {
    const { mask, frozen, frozenBias, sharing, planned } = this;
    const states = this.weightStates;
    const weights = this.weight;
    const first = this.weightsAt(this.parameters.first);
    const second = this.weightSecond;
    for (let i = 0; i < states.length; i++) {
      states[i] = sharing !== null && sharing.assignment[i] >= 0 ? SHARED : FREE;
      if (frozen !== null && frozen[i] !== 0) states[i] = FIXED;
      if (mask === null || mask[i] !== 0) continue;
      states[i] = FIXED;
      weights[i] = first[i] = second[i] = 0;
    }
    const biasStates = this.heap.u8(this.parameters.state + planned.biasAt, this.rows);
    for (let row = 0; row < this.rows; row++) {
      biasStates[row] = frozenBias !== null && frozenBias[row] !== 0 ? FIXED : FREE;
    }
    const room = planSurvivors(this.heap, planned, mask, this.survivorRoom);
    for (const step of this.steps) step.survivors = room?.survivors ?? null;
    if (room !== null) this.survivorRoom = room;
  }

  private share(shared: SharedWeights | null): void {
    for (const step of this.steps) step.shared = shared;
  }

  private checkSharing({ assignment, centroids }: Sharing): void {
    const { name } = this.planned;
    if (assignment.length !== this.weightCount) {
      throw new RangeError(`${name}: expected an assignment of ${this.weightCount} weights, got ${assignment.length}`);
    }
    const wrong = assignment.findIndex((a) => a < -1 || a >= centroids.length);
    if (wrong >= 0) {
      throw new RangeError(`${name}: weight ${wrong} has centroid ${assignment[wrong]} of ${centroids.length}`);
    }
  }

  private placeSharing({ assignment, centroids }: Sharing): SharedWeights {
    const { heap, sharedRoom } = this;
    const count = centroids.length;
    // Rounded up to the optimizer's vectors; what is added has no members, so that its gradient is 0.
    const bytes = Math.ceil(count / 4) * 16;
    const shared: SharedWeights =
      sharedRoom !== null && sharedRoom.capacity >= count
        ? { ...sharedRoom.place, count }
        : {
            assignment: sharedRoom?.place.assignment ?? heap.allocate(assignment.byteLength),
            ...this.placeCentroids(bytes),
            count,
          };
    this.sharedRoom = { place: shared, capacity: Math.max(count, sharedRoom?.capacity ?? 0) };
    heap.i32(shared.assignment, assignment.length).set(assignment);
    heap.f32(shared.centroids, count).set(centroids);
    heap.f32(shared.first, count).fill(0);
    heap.f32(shared.second, count).fill(0);
    return shared;
  }

  private placeCentroids(bytes: number): Omit<SharedWeights, "assignment" | "count"> {
    const { heap } = this;
    const centroids = heap.allocate(bytes);
    const sums = heap.allocate(bytes);
    const first = heap.allocate(bytes);
    const second = heap.allocate(bytes);
    // Zero bytes, so that the optimizer takes every centroid as free.
    const state = heap.allocate(bytes / 4);
    const gradients = { gradients: sums, shardBytes: 0, shards: 1 };
    const segment = writeDescriptor(heap, "Segment", { values: centroids, first, second, state, ...gradients });
    return { centroids, sums, first, second, segment };
  }

  private copyFlags(what: string, flags: Uint8Array | null, count: number): Uint8Array | null {
    if (flags === null || flags.length === count) return flags && new Uint8Array(flags);
    throw new RangeError(`${this.planned.name}: expected a ${what} of ${count} bytes, got ${flags.length}`);
  }
}
