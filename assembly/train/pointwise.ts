/** Layers that look at one place at a time. Planes as in gather.ts: 32 bytes a value. Gradients are written, or added where `adds` is set. */
const VALUE_BYTES: usize = 32;

/** to = value, or to + value. `adds` is a constant at every call. */
// @ts-ignore: decorator
@inline
export function put(to: usize, value: v128, adds: bool): void {
  v128.store(to, adds ? f32x4.add(v128.load(to), value) : value);
}

/** y = max(x, 0). @param bytes a multiple of 32 */
export function relu(y: usize, x: usize, bytes: usize): void {
  const zero = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += VALUE_BYTES) {
    v128.store(y + i, f32x4.pmax(zero, v128.load(x + i)));
    v128.store(y + i, f32x4.pmax(zero, v128.load(x + i, 16)), 16);
  }
}

// @ts-ignore: decorator
@inline
function putRelu(dx: usize, dy: usize, y: usize, bytes: usize, adds: bool): void {
  const zero = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += VALUE_BYTES) {
    put(dx + i, v128.and(v128.load(dy + i), f32x4.gt(v128.load(y + i), zero)), adds);
    put(dx + i + 16, v128.and(v128.load(dy + i, 16), f32x4.gt(v128.load(y + i, 16), zero)), adds);
  }
}

/** dx = y > 0 ? dy : 0. */
export function reluGradient(dx: usize, dy: usize, y: usize, bytes: usize, adds: bool): void {
  if (adds) putRelu(dx, dy, y, bytes, true);
  else putRelu(dx, dy, y, bytes, false);
}

/** y = x cut off below `low` and above `high`, which may be infinite. */
export function clamp(y: usize, x: usize, bytes: usize, low: f32, high: f32): void {
  const least = f32x4.splat(low);
  const most = f32x4.splat(high);
  for (let i: usize = 0; i < bytes; i += VALUE_BYTES) {
    v128.store(y + i, f32x4.pmin(f32x4.pmax(v128.load(x + i), least), most));
    v128.store(y + i, f32x4.pmin(f32x4.pmax(v128.load(x + i, 16), least), most), 16);
  }
}

// @ts-ignore: decorator
@inline
function between(x: v128, least: v128, most: v128): v128 {
  return v128.and(f32x4.gt(x, least), f32x4.lt(x, most));
}

// @ts-ignore: decorator
@inline
function putClamp(dx: usize, dy: usize, x: usize, bytes: usize, least: v128, most: v128, adds: bool): void {
  for (let i: usize = 0; i < bytes; i += VALUE_BYTES) {
    put(dx + i, v128.and(v128.load(dy + i), between(v128.load(x + i), least, most)), adds);
    put(dx + i + 16, v128.and(v128.load(dy + i, 16), between(v128.load(x + i, 16), least, most)), adds);
  }
}

/** dx = low < x < high ? dy : 0. */
export function clampGradient(dx: usize, dy: usize, x: usize, bytes: usize, low: f32, high: f32, adds: bool): void {
  const least = f32x4.splat(low);
  const most = f32x4.splat(high);
  if (adds) putClamp(dx, dy, x, bytes, least, most, true);
  else putClamp(dx, dy, x, bytes, least, most, false);
}

/** y = x > 0 ? 1 : 0. */
export function step(y: usize, x: usize, bytes: usize): void {
  const zero = f32x4.splat(0);
  const one = f32x4.splat(1);
  for (let i: usize = 0; i < bytes; i += VALUE_BYTES) {
    v128.store(y + i, v128.and(f32x4.gt(v128.load(x + i), zero), one));
    v128.store(y + i, v128.and(f32x4.gt(v128.load(x + i, 16), zero), one), 16);
  }
}

/** y = a + b × sign. */
export function add(y: usize, a: usize, b: usize, bytes: usize, sign: f32): void {
  const factor = f32x4.splat(sign);
  for (let i: usize = 0; i < bytes; i += VALUE_BYTES) {
    v128.store(y + i, f32x4.add(v128.load(a + i), f32x4.mul(v128.load(b + i), factor)));
    v128.store(y + i, f32x4.add(v128.load(a + i, 16), f32x4.mul(v128.load(b + i, 16), factor)), 16);
  }
}

/** to = from × factor, or to + from × factor. */
export function sumInto(to: usize, from: usize, bytes: usize, factor: f32, adds: bool): void {
  if (!adds && factor == 1) {
    memory.copy(to, from, bytes);
    return;
  }
  const f = f32x4.splat(factor);
  if (adds) {
    for (let i: usize = 0; i < bytes; i += VALUE_BYTES) {
      put(to + i, f32x4.mul(v128.load(from + i), f), true);
      put(to + i + 16, f32x4.mul(v128.load(from + i, 16), f), true);
    }
  } else {
    for (let i: usize = 0; i < bytes; i += VALUE_BYTES) {
      put(to + i, f32x4.mul(v128.load(from + i), f), false);
      put(to + i + 16, f32x4.mul(v128.load(from + i, 16), f), false);
    }
  }
}

// @ts-ignore: decorator
@inline
function putProduct(y: usize, a: usize, b: usize, planes: i32, planeBytes: usize, adds: bool): void {
  for (let p = 0; p < planes; p++) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    for (const end = y + planeBytes; y < end; y += VALUE_BYTES) {
      put(y, f32x4.mul(v128.load(a), b0), adds);
      put(y + 16, f32x4.mul(v128.load(a, 16), b1), adds);
      a += VALUE_BYTES;
    }
    b += VALUE_BYTES;
  }
}

/** y = a × b for planes of `positions` values of a, for each of which there is one value of b. */
export function multiply(y: usize, a: usize, b: usize, planes: i32, positions: i32, adds: bool): void {
  const planeBytes = <usize>positions * VALUE_BYTES;
  if (adds) putProduct(y, a, b, planes, planeBytes, true);
  else putProduct(y, a, b, planes, planeBytes, false);
}

/** db = the sum over a plane of dy × a: what `multiply` gives back to b. */
export function multiplySum(db: usize, dy: usize, a: usize, planes: i32, positions: i32, adds: bool): void {
  const planeBytes = <usize>positions * VALUE_BYTES;
  for (let p = 0; p < planes; p++) {
    let sum0 = adds ? v128.load(db) : f32x4.splat(0);
    let sum1 = adds ? v128.load(db, 16) : f32x4.splat(0);
    for (const end = dy + planeBytes; dy < end; dy += VALUE_BYTES) {
      sum0 = f32x4.add(sum0, f32x4.mul(v128.load(dy), v128.load(a)));
      sum1 = f32x4.add(sum1, f32x4.mul(v128.load(dy, 16), v128.load(a, 16)));
      a += VALUE_BYTES;
    }
    v128.store(db, sum0);
    v128.store(db, sum1, 16);
    db += VALUE_BYTES;
  }
}
