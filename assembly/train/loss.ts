/**
 * Losses and their gradients, alone or mixed with what a teacher says (Hinton et al. 2015). Sums are doubles. Logits, targets and
 * gradients are values of eight samples a block; a loss returned is the sum over samples, not scaled.
 */
import { storeSum } from "./gather";

/** Bytes from one class to the next within a block of eight samples. */
const CLASS_BYTES: usize = 32;

/** log Σ exp(z / temperature) over the classes, z relative to `top`. */
function logSumExp(z: usize, classBytes: usize, classes: i32, top: f64, temperature: f64): f64 {
  let sum: f64 = 0;
  for (let c = 0; c < classes; c++) {
    sum += Math.exp((<f64>load<f32>(z) - top) / temperature);
    z += classBytes;
  }
  return Math.log(sum);
}

function maximum(z: usize, classBytes: usize, classes: i32): f64 {
  let top = load<f32>(z);
  for (let c = 1; c < classes; c++) {
    z += classBytes;
    top = max(top, load<f32>(z));
  }
  return <f64>top;
}

/** What class or value `i` counts: 1 where there are no weights. */
// @ts-ignore: decorator
@inline
function weightOf(weights: usize, i: i32): f64 {
  return weights == 0 ? 1 : <f64>load<f32>(weights + ((<usize>i) << 2));
}

/**
 * Writes d loss / d logits, times `scale`, for `samples` samples and zeros for the rest of their last block.
 * loss = (1 - alpha) · CE(label) + alpha · T² · KL(softmax(teacher / T) || softmax(logits / T))
 * @param labels u16 a sample
 * @param weights f32[classes]: what CE counts for a label, or 0: 1
 * @param teacher f32[samples][classes], or 0 when alpha is 0
 * @param temperature T > 0
 */
export function softmaxLoss(
  gradient: usize,
  logits: usize,
  labels: usize,
  weights: usize,
  teacher: usize,
  classes: i32,
  samples: i32,
  alpha: f64,
  temperature: f64,
  scale: f64,
): f64 {
  const blockBytes = <usize>classes * CLASS_BYTES;
  memory.fill(gradient, 0, blockBytes * <usize>((samples + 7) >> 3));
  let total: f64 = 0;
  for (let n = 0; n < samples; n++) {
    const lane = <usize>(n >> 3) * blockBytes + ((<usize>(n & 7)) << 2);
    const z = logits + lane;
    const dz = gradient + lane;
    const label = <i32>load<u16>(labels + ((<usize>n) << 1));
    const top = maximum(z, CLASS_BYTES, classes);
    const logSum = logSumExp(z, CLASS_BYTES, classes, top, 1);
    const hard = (1 - alpha) * weightOf(weights, label);
    total += hard * (logSum - (<f64>load<f32>(z + <usize>label * CLASS_BYTES) - top));
    let t = teacher + <usize>n * <usize>classes * 4;
    let teacherTop: f64 = 0;
    let teacherLogSum: f64 = 0;
    let softLogSum: f64 = 0;
    if (alpha != 0) {
      teacherTop = maximum(t, 4, classes);
      teacherLogSum = logSumExp(t, 4, classes, teacherTop, temperature);
      softLogSum = logSumExp(z, CLASS_BYTES, classes, top, temperature);
    }
    for (let c = 0; c < classes; c++) {
      const offset = <usize>c * CLASS_BYTES;
      const relative = <f64>load<f32>(z + offset) - top;
      let d = hard * (Math.exp(relative - logSum) - (c == label ? 1 : 0));
      if (alpha != 0) {
        const logTeacher = (<f64>load<f32>(t) - teacherTop) / temperature - teacherLogSum;
        const logStudent = relative / temperature - softLogSum;
        const target = Math.exp(logTeacher);
        total += alpha * temperature * temperature * target * (logTeacher - logStudent);
        d += alpha * temperature * (Math.exp(logStudent) - target);
        t += 4;
      }
      store<f32>(dz + offset, <f32>(d * scale));
    }
  }
  return total;
}

// @ts-ignore: decorator
@inline
function sigmoid(z: f64): f64 {
  return 1 / (1 + Math.exp(-z));
}

/** Cross-entropy of a target 0 .. 1 and the probability whose logit is z. */
// @ts-ignore: decorator
@inline
function binaryEntropy(z: f64, target: f64): f64 {
  return max<f64>(z, 0) - z * target + Math.log1p(Math.exp(-abs<f64>(z)));
}

/**
 * Writes d loss / d logits of each value's own cross-entropy, times `scale`, for `values` values of `blocks` blocks.
 * loss = Σ weight · ((1 - alpha) · CE(target) + alpha · T² · CE of sigmoid(teacher / T) and sigmoid(logit / T), less its least)
 * @param targets 0 .. 1
 * @param weights f32[values], or 0: 1
 * @param teacher logits, or 0 when alpha is 0
 */
export function sigmoidLoss(
  gradient: usize,
  logits: usize,
  targets: usize,
  weights: usize,
  teacher: usize,
  values: i32,
  blocks: i32,
  alpha: f64,
  temperature: f64,
  scale: f64,
): f64 {
  let total: f64 = 0;
  let offset: usize = 0;
  for (let b = 0; b < blocks; b++) {
    for (let i = 0; i < values; i++) {
      const weight = weightOf(weights, i);
      for (const end = offset + CLASS_BYTES; offset < end; offset += 4) {
        const z = <f64>load<f32>(logits + offset);
        let d: f64 = 0;
        if (alpha != 1) {
          const target = <f64>load<f32>(targets + offset);
          total += weight * (1 - alpha) * binaryEntropy(z, target);
          d = (1 - alpha) * (sigmoid(z) - target);
        }
        if (alpha != 0) {
          const t = <f64>load<f32>(teacher + offset) / temperature;
          const target = sigmoid(t);
          const soft = binaryEntropy(z / temperature, target) - binaryEntropy(t, target);
          total += weight * alpha * temperature * temperature * soft;
          d += alpha * temperature * (sigmoid(z / temperature) - target);
        }
        store<f32>(gradient + offset, <f32>(weight * d * scale));
      }
    }
  }
  return total;
}

/**
 * Writes, or adds, d loss / d value, times `scale`. loss = Σ weight · (value - target)²
 * @param weights f32[values], or 0: 1
 */
export function squareLoss(
  gradient: usize,
  x: usize,
  targets: usize,
  weights: usize,
  values: i32,
  blocks: i32,
  scale: f64,
  adds: bool,
): f64 {
  let total: f64 = 0;
  let offset: usize = 0;
  for (let b = 0; b < blocks; b++) {
    for (let i = 0; i < values; i++) {
      const weight = weightOf(weights, i);
      for (const end = offset + CLASS_BYTES; offset < end; offset += 4) {
        const difference = <f64>load<f32>(x + offset) - <f64>load<f32>(targets + offset);
        total += weight * difference * difference;
        storeSum(gradient + offset, <f32>(2 * weight * difference * scale), adds);
      }
    }
  }
  return total;
}
