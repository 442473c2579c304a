/**
 * Batch normalization (Ioffe and Szegedy 2015): each channel by its own mean and variance over places and samples,
 *
 *   y = (x - mean) × gamma / √(variance + epsilon) + beta
 *
 * Planes as in gather.ts; mean, variance, gamma and beta are a float a channel. A channel's plane of a block is summed in floats, eight
 * lanes, and planes are added up in doubles.
 */
import { BatchNorm } from "./descriptors";
import { laneSum } from "./gather";

const VALUE_BYTES: usize = 32;

/** Σ (x - shift)^power over a plane, power 1 or 2. `power` is a constant at every call. */
// @ts-ignore: decorator
@inline
function planeSum(x: usize, bytes: usize, shift: v128, power: i32): f64 {
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  for (const end = x + bytes; x < end; x += VALUE_BYTES) {
    const d0 = f32x4.sub(v128.load(x), shift);
    const d1 = f32x4.sub(v128.load(x, 16), shift);
    sum0 = f32x4.add(sum0, power == 1 ? d0 : f32x4.mul(d0, d0));
    sum1 = f32x4.add(sum1, power == 1 ? d1 : f32x4.mul(d1, d1));
  }
  return <f64>laneSum(f32x4.add(sum0, sum1));
}

/** Writes mean and variance (of the samples at hand, divided by their number) of each channel. */
export function batchStatistics(d: BatchNorm, mean: usize, variance: usize, x: usize, blocks: i32): void {
  const bytes = <usize>d.positions * VALUE_BYTES;
  const count = <f64>(blocks * 8) * <f64>d.positions;
  for (let c = 0; c < d.channels; c++) {
    let sum: f64 = 0;
    for (let b = 0; b < blocks; b++) sum += planeSum(x + <usize>b * d.block, bytes, f32x4.splat(0), 1);
    const middle = <f32>(sum / count);
    let squares: f64 = 0;
    for (let b = 0; b < blocks; b++) squares += planeSum(x + <usize>b * d.block, bytes, f32x4.splat(middle), 2);
    store<f32>(mean, middle);
    store<f32>(variance, <f32>(squares / count));
    mean += 4;
    variance += 4;
    x += bytes;
  }
}

// @ts-ignore: decorator
@inline
function inverseDeviation(variance: usize, epsilon: f64): f64 {
  return 1 / Math.sqrt(<f64>load<f32>(variance) + epsilon);
}

/** y from x by the mean and variance given: the batch's, or those kept for use. */
export function normalize(
  d: BatchNorm,
  y: usize,
  x: usize,
  mean: usize,
  variance: usize,
  gamma: usize,
  beta: usize,
  epsilon: f64,
  blocks: i32,
): void {
  const bytes = <usize>d.positions * VALUE_BYTES;
  for (let c = 0; c < d.channels; c++) {
    const at = (<usize>c) << 2;
    const middle = v128.load32_splat(mean + at);
    const scale = f32x4.splat(<f32>(<f64>load<f32>(gamma + at) * inverseDeviation(variance + at, epsilon)));
    const shift = v128.load32_splat(beta + at);
    for (let b = 0; b < blocks; b++) {
      const offset = <usize>b * d.block + <usize>c * bytes;
      let from = x + offset;
      let to = y + offset;
      for (const end = to + bytes; to < end; to += VALUE_BYTES) {
        v128.store(to, f32x4.add(f32x4.mul(f32x4.sub(v128.load(from), middle), scale), shift));
        v128.store(to, f32x4.add(f32x4.mul(f32x4.sub(v128.load(from, 16), middle), scale), shift), 16);
        from += VALUE_BYTES;
      }
    }
  }
}

/** dx (+)= dy × a + (x - mean) × b + c. `adds` is a constant at every call. */
// @ts-ignore: decorator
@inline
function putPlane(
  dx: usize,
  dy: usize,
  x: usize,
  bytes: usize,
  middle: v128,
  a: v128,
  b: v128,
  c: v128,
  adds: bool,
): void {
  for (const end = dx + bytes; dx < end; dx += VALUE_BYTES) {
    const d0 = f32x4.add(f32x4.mul(f32x4.sub(v128.load(x), middle), b), c);
    const d1 = f32x4.add(f32x4.mul(f32x4.sub(v128.load(x, 16), middle), b), c);
    const g0 = f32x4.add(f32x4.mul(v128.load(dy), a), d0);
    const g1 = f32x4.add(f32x4.mul(v128.load(dy, 16), a), d1);
    v128.store(dx, adds ? f32x4.add(v128.load(dx), g0) : g0);
    v128.store(dx, adds ? f32x4.add(v128.load(dx, 16), g1) : g1, 16);
    dy += VALUE_BYTES;
    x += VALUE_BYTES;
  }
}

/**
 * Writes the gradients of gamma and beta, and writes or adds that of x, on which mean and variance depend.
 * @param dx 0: none is wanted
 */
export function normalizeGradient(
  d: BatchNorm,
  dx: usize,
  dgamma: usize,
  dbeta: usize,
  dy: usize,
  x: usize,
  mean: usize,
  variance: usize,
  gamma: usize,
  epsilon: f64,
  blocks: i32,
  adds: bool,
): void {
  const bytes = <usize>d.positions * VALUE_BYTES;
  const count = <f64>(blocks * 8) * <f64>d.positions;
  for (let c = 0; c < d.channels; c++) {
    const at = (<usize>c) << 2;
    const middle = v128.load32_splat(mean + at);
    let sum: f64 = 0;
    let product: f64 = 0;
    for (let b = 0; b < blocks; b++) {
      const offset = <usize>b * d.block + <usize>c * bytes;
      let g = dy + offset;
      let v = x + offset;
      let sum0 = f32x4.splat(0);
      let sum1 = sum0;
      let product0 = sum0;
      let product1 = sum0;
      for (const end = g + bytes; g < end; g += VALUE_BYTES) {
        const g0 = v128.load(g);
        const g1 = v128.load(g, 16);
        sum0 = f32x4.add(sum0, g0);
        sum1 = f32x4.add(sum1, g1);
        product0 = f32x4.add(product0, f32x4.mul(g0, f32x4.sub(v128.load(v), middle)));
        product1 = f32x4.add(product1, f32x4.mul(g1, f32x4.sub(v128.load(v, 16), middle)));
        v += VALUE_BYTES;
      }
      sum += <f64>laneSum(f32x4.add(sum0, sum1));
      product += <f64>laneSum(f32x4.add(product0, product1));
    }
    const inverse = inverseDeviation(variance + at, epsilon);
    store<f32>(dgamma + at, <f32>(product * inverse));
    store<f32>(dbeta + at, <f32>sum);
    if (dx == 0) continue;
    const factor = <f64>load<f32>(gamma + at) * inverse;
    const own = f32x4.splat(<f32>factor);
    const byX = f32x4.splat(<f32>((-factor * product * inverse * inverse) / count));
    const constant = f32x4.splat(<f32>((-factor * sum) / count));
    for (let b = 0; b < blocks; b++) {
      const offset = <usize>b * d.block + <usize>c * bytes;
      if (adds) putPlane(dx + offset, dy + offset, x + offset, bytes, middle, own, byX, constant, true);
      else putPlane(dx + offset, dy + offset, x + offset, bytes, middle, own, byX, constant, false);
    }
  }
}

/**
 * kept = kept × (1 - momentum) + momentum × factor × the mean of the shards' statistics, in their order.
 * @param statistics of the first shard; those of the next lie `shardBytes` further
 */
export function keepStatistics(
  kept: usize,
  statistics: usize,
  shardBytes: usize,
  shards: i32,
  count: i32,
  momentum: f64,
  factor: f64,
): void {
  for (let i = 0; i < count; i++) {
    const at = (<usize>i) << 2;
    let sum: f64 = 0;
    for (let s = 0; s < shards; s++) sum += <f64>load<f32>(statistics + <usize>s * shardBytes + at);
    const mean = (sum / <f64>shards) * factor;
    store<f32>(kept + at, <f32>(<f64>load<f32>(kept + at) * (1 - momentum) + momentum * mean));
  }
}
