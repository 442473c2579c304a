/** Random numbers of the augmentation: a stream of the calling thread's own, started anew for every sample. */

let state: u64 = 0;

export function seedRandom(low: u32, high: u32): void {
  state = ((<u64>high) << 32) | (<u64>low);
}

/** SplitMix64 (Steele, Lea and Flood 2014). */
// @ts-ignore: decorator
@inline
function next(): u64 {
  state += 0x9e3779b97f4a7c15;
  let z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/** Uniform in -1 .. 1, of the top 24 bits. */
export function symmetric(): f32 {
  return <f32>(<i32>(next() >> 40) - 0x800000) / <f32>0x800000;
}

/** Uniform in 0 .. 1, 1 left out. */
export function uniform(): f32 {
  return <f32>(<u32>(next() >> 40)) / <f32>0x1000000;
}

/** A whole number, 0 .. most. */
export function whole(most: i32): i32 {
  return <i32>(((next() >> 32) * <u64>(most + 1)) >> 32);
}

const PAIRS: u64 = 0x0000ffff0000ffff;
const SUM_MEAN: f32 = 4.0 * 65535.0;
/** √(8 ÷ 12) × 65,536 */
const SUM_DEVIATION: f32 = 53509.92;

/** Mean 0, variance 1: the sum of eight uniform numbers of 16 bits, which ends at ± 4.9 and needs no logarithm. */
export function normal(): f32 {
  const a = next();
  const b = next();
  const pairs = (a & PAIRS) + ((a >> 16) & PAIRS) + (b & PAIRS) + ((b >> 16) & PAIRS);
  return (<f32>(<u32>pairs + <u32>(pairs >> 32)) - SUM_MEAN) / SUM_DEVIATION;
}
