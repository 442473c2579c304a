/** Softmax cross-entropy, alone or mixed with a teacher's softened targets (Hinton et al. 2015). Sums are doubles. */

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

/**
 * Writes d loss / d logits, times `scale`, for `samples` samples and zeros for the rest of their last block.
 * loss = (1 - alpha) · CE(label) + alpha · T² · KL(softmax(teacher / T) || softmax(logits / T))
 * @param labels u8 a sample
 * @param teacher f32[samples][classes], or 0 when alpha is 0
 * @param temperature T > 0
 * @returns the sum of the losses, not scaled
 */
export function lossGradient(
  gradient: usize,
  logits: usize,
  labels: usize,
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
    const label = <i32>load<u8>(labels + <usize>n);
    const top = maximum(z, CLASS_BYTES, classes);
    const logSum = logSumExp(z, CLASS_BYTES, classes, top, 1);
    const hard = 1 - alpha;
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

/** Copies logits to rows: f32[samples][classes]. */
export function unpackLogits(to: usize, logits: usize, classes: i32, samples: i32): void {
  const blockBytes = <usize>classes * CLASS_BYTES;
  for (let n = 0; n < samples; n++) {
    let z = logits + <usize>(n >> 3) * blockBytes + ((<usize>(n & 7)) << 2);
    for (let c = 0; c < classes; c++) {
      store<f32>(to, load<f32>(z));
      z += CLASS_BYTES;
      to += 4;
    }
  }
}
