/**
 * Parameter updates. Gradients lie in one buffer a shard, `shardBytes` apart, and are added up here in the order of the
 * shards, so that the sum does not depend on which thread computed which shard. A parameter is updated when its state
 * byte is FREE; frozen and pruned ones stay as they are, shared ones are moved by their centroid.
 *
 * Weight decay is decoupled (Loshchilov and Hutter 2019): w is multiplied by `keep` = 1 - lr × weightDecay, and the
 * moments see the gradient of the loss alone, which makes Adam's second moment a Fisher estimate for pruning. So is L1: the magnitude is made smaller by
 * `shrink` = lr × l1, down to 0, before the step.
 */
import { Segment } from "./descriptors";

/** State byte of a parameter: 0 is FREE. */
const SHARED: u8 = 2;
const ENTRY_BYTES: usize = 8;

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/** All lanes set where the state byte is FREE. */
// @ts-ignore: decorator
@inline
function freeLanes(state: usize): v128 {
  const wide = i16x8.extend_low_i8x16_u(v128.load32_zero(state));
  return i32x4.eq(i32x4.extend_low_i16x8_u(wide), i32x4.splat(0));
}

// @ts-ignore: decorator
@inline
function gradient4(g: usize, shardBytes: usize, shards: i32): v128 {
  let sum = v128.load(g);
  for (let s = 1; s < shards; s++) {
    g += shardBytes;
    sum = f32x4.add(sum, v128.load(g));
  }
  return sum;
}

// @ts-ignore: decorator
@inline
function gradient1(g: usize, shardBytes: usize, shards: i32): f32 {
  let sum = load<f32>(g);
  for (let s = 1; s < shards; s++) {
    g += shardBytes;
    sum += load<f32>(g);
  }
  return sum;
}

/**
 * Adam on parameters from .. to - 1, multiples of four.
 * @param rate lr / (1 - beta1^t)
 * @param rootBias sqrt(1 - beta2^t)
 */
export function adam(segment: Segment, from: i32, to: i32, rate: f32, rootBias: f32, keep: f32, shrink: f32): void {
  const w = segment.values;
  const m = segment.first;
  const v = segment.second;
  const state = segment.state;
  const g = segment.gradients;
  const shardBytes = segment.shardBytes;
  const shards = segment.shards;
  const unbias = f32x4.splat(<f32>1 / rootBias);
  for (let i = from; i < to; i += 4) {
    const free = freeLanes(state + <usize>i);
    if (!v128.any_true(free)) continue;
    const at = (<usize>i) << 2;
    const gradient = gradient4(g + at, shardBytes, shards);
    const oldM = v128.load(m + at);
    const oldV = v128.load(v + at);
    const oldW = v128.load(w + at);
    const newM = f32x4.add(f32x4.mul(oldM, f32x4.splat(BETA1)), f32x4.mul(gradient, f32x4.splat(1 - BETA1)));
    const square = f32x4.mul(gradient, gradient);
    const newV = f32x4.add(f32x4.mul(oldV, f32x4.splat(BETA2)), f32x4.mul(square, f32x4.splat(1 - BETA2)));
    const root = f32x4.add(f32x4.mul(f32x4.sqrt(newV), unbias), f32x4.splat(EPSILON));
    const move = f32x4.div(f32x4.mul(newM, f32x4.splat(rate)), root);
    const decayed = f32x4.mul(oldW, f32x4.splat(keep));
    const size = f32x4.max(f32x4.sub(f32x4.abs(decayed), f32x4.splat(shrink)), f32x4.splat(0));
    const newW = f32x4.sub(v128.bitselect(decayed, size, i32x4.splat(i32.MIN_VALUE)), move);
    v128.store(m + at, v128.bitselect(newM, oldM, free));
    v128.store(v + at, v128.bitselect(newV, oldV, free));
    v128.store(w + at, v128.bitselect(newW, oldW, free));
  }
}

/** Adam on the survivors from .. to - 1 of a layer's entry table (see sparse.ts); there is a gradient an entry. */
export function sparseAdam(
  segment: Segment,
  entries: usize,
  from: i32,
  to: i32,
  rate: f32,
  rootBias: f32,
  keep: f32,
  shrink: f32,
): void {
  const w = segment.values;
  const m = segment.first;
  const v = segment.second;
  const state = segment.state;
  const g = segment.gradients;
  const shardBytes = segment.shardBytes;
  const shards = segment.shards;
  const unbias = <f32>1 / rootBias;
  for (let k = from; k < to; k++) {
    const at = <usize>load<u32>(entries + <usize>k * ENTRY_BYTES);
    if (load<u8>(state + (at >> 2)) != 0) continue;
    const gradient = gradient1(g + ((<usize>k) << 2), shardBytes, shards);
    const newM = load<f32>(m + at) * BETA1 + gradient * (1 - BETA1);
    const newV = load<f32>(v + at) * BETA2 + gradient * gradient * (1 - BETA2);
    store<f32>(m + at, newM);
    store<f32>(v + at, newV);
    const root = sqrt<f32>(newV) * unbias + EPSILON;
    const decayed = load<f32>(w + at) * keep;
    const size = max<f32>(abs<f32>(decayed) - shrink, 0);
    store<f32>(w + at, copysign<f32>(size, decayed) - (newM * rate) / root);
  }
}

/**
 * Gradient of each centroid: the sum of its members' gradients (Deep Compression, eq. 3).
 * @param sums f32[centroids], zeroed here
 * @param assignment i32 a weight; looked at for weights whose state is SHARED
 * @param entries of the layer, or 0 when there is a gradient a weight; `count` is the number of either
 */
export function centroidGradient(
  segment: Segment,
  sums: usize,
  centroids: i32,
  assignment: usize,
  entries: usize,
  count: i32,
): void {
  const state = segment.state;
  const g = segment.gradients;
  const shardBytes = segment.shardBytes;
  const shards = segment.shards;
  memory.fill(sums, 0, (<usize>centroids) << 2);
  for (let k = 0; k < count; k++) {
    const i = entries == 0 ? <usize>k : <usize>(load<u32>(entries + <usize>k * ENTRY_BYTES) >> 2);
    if (load<u8>(state + i) != SHARED) continue;
    const sum = sums + ((<usize>load<u32>(assignment + (i << 2))) << 2);
    store<f32>(sum, load<f32>(sum) + gradient1(g + ((<usize>k) << 2), shardBytes, shards));
  }
}

/** Sets every shared weight to its centroid. Arguments as centroidGradient's. */
export function spreadCentroids(
  segment: Segment,
  centroids: usize,
  assignment: usize,
  entries: usize,
  count: i32,
): void {
  const w = segment.values;
  const state = segment.state;
  for (let k = 0; k < count; k++) {
    const i = entries == 0 ? <usize>k : <usize>(load<u32>(entries + <usize>k * ENTRY_BYTES) >> 2);
    if (load<u8>(state + i) != SHARED) continue;
    store<f32>(w + (i << 2), load<f32>(centroids + ((<usize>load<u32>(assignment + (i << 2))) << 2)));
  }
}
