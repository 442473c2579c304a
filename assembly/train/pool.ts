/** Pooling. Planes as in gather.ts: 32 bytes a value; a pool that pads reads planes with a border of zeros. */
import { Pool } from "./descriptors";

const VALUE_BYTES: usize = 32;

/** Max-pooling of `planes` planes. */
export function maxPool(pool: Pool, y: usize, x: usize, planes: i32): void {
  const kernelHeight = pool.kernelHeight;
  const outHeight = pool.outHeight;
  const outWidth = pool.outWidth;
  const rowBytes = <usize>pool.width * VALUE_BYTES;
  const planeBytes = <usize>pool.height * rowBytes;
  const stepDown = <usize>pool.strideY * rowBytes;
  const kernelBytes = <usize>pool.kernelWidth * VALUE_BYTES;
  const stepBytes = <usize>pool.strideX * VALUE_BYTES;
  for (let plane = 0; plane < planes; plane++) {
    for (let oy = 0; oy < outHeight; oy++) {
      let corner = x + <usize>oy * stepDown;
      for (let ox = 0; ox < outWidth; ox++) {
        let m0 = v128.load(corner);
        let m1 = v128.load(corner, 16);
        let row = corner;
        for (let ky = 0; ky < kernelHeight; ky++) {
          for (let v = row; v < row + kernelBytes; v += VALUE_BYTES) {
            m0 = f32x4.pmax(m0, v128.load(v));
            m1 = f32x4.pmax(m1, v128.load(v, 16));
          }
          row += rowBytes;
        }
        v128.store(y, m0);
        v128.store(y, m1, 16);
        y += VALUE_BYTES;
        corner += stepBytes;
      }
    }
    x += planeBytes;
  }
}

// @ts-ignore: decorator
@inline
function routeMax(dx: usize, x: usize, best: v128, gradient: v128, open: v128): v128 {
  const hit = v128.and(f32x4.eq(v128.load(x), best), open);
  v128.store(dx, f32x4.add(v128.load(dx), v128.and(gradient, hit)));
  return v128.andnot(open, hit);
}

/** Adds dy to the first maximum of each window, row by row: blank areas tie, and the gradient must not be counted twice. */
export function maxPoolGradient(pool: Pool, dx: usize, dy: usize, x: usize, y: usize, planes: i32): void {
  const kernelHeight = pool.kernelHeight;
  const outHeight = pool.outHeight;
  const outWidth = pool.outWidth;
  const rowBytes = <usize>pool.width * VALUE_BYTES;
  const planeBytes = <usize>pool.height * rowBytes;
  const stepDown = <usize>pool.strideY * rowBytes;
  const kernelBytes = <usize>pool.kernelWidth * VALUE_BYTES;
  const stepBytes = <usize>pool.strideX * VALUE_BYTES;
  for (let plane = 0; plane < planes; plane++) {
    for (let oy = 0; oy < outHeight; oy++) {
      let corner = <usize>oy * stepDown;
      for (let ox = 0; ox < outWidth; ox++) {
        const best0 = v128.load(y);
        const best1 = v128.load(y, 16);
        const g0 = v128.load(dy);
        const g1 = v128.load(dy, 16);
        let open0 = i32x4.splat(-1);
        let open1 = open0;
        let row = corner;
        for (let ky = 0; ky < kernelHeight; ky++) {
          for (let v = row; v < row + kernelBytes; v += VALUE_BYTES) {
            open0 = routeMax(dx + v, x + v, best0, g0, open0);
            open1 = routeMax(dx + v + 16, x + v + 16, best1, g1, open1);
          }
          row += rowBytes;
        }
        y += VALUE_BYTES;
        dy += VALUE_BYTES;
        corner += stepBytes;
      }
    }
    x += planeBytes;
    dx += planeBytes;
  }
}

/** Mean of each window. */
export function avgPool(pool: Pool, y: usize, x: usize, planes: i32): void {
  const scale = f32x4.splat(<f32>1 / <f32>(pool.kernelHeight * pool.kernelWidth));
  const kernelHeight = pool.kernelHeight;
  const outHeight = pool.outHeight;
  const outWidth = pool.outWidth;
  const rowBytes = <usize>pool.width * VALUE_BYTES;
  const planeBytes = <usize>pool.height * rowBytes;
  const stepDown = <usize>pool.strideY * rowBytes;
  const kernelBytes = <usize>pool.kernelWidth * VALUE_BYTES;
  const stepBytes = <usize>pool.strideX * VALUE_BYTES;
  for (let plane = 0; plane < planes; plane++) {
    for (let oy = 0; oy < outHeight; oy++) {
      let corner = x + <usize>oy * stepDown;
      for (let ox = 0; ox < outWidth; ox++) {
        let sum0 = f32x4.splat(0);
        let sum1 = sum0;
        let row = corner;
        for (let ky = 0; ky < kernelHeight; ky++) {
          for (let v = row; v < row + kernelBytes; v += VALUE_BYTES) {
            sum0 = f32x4.add(sum0, v128.load(v));
            sum1 = f32x4.add(sum1, v128.load(v, 16));
          }
          row += rowBytes;
        }
        v128.store(y, f32x4.mul(sum0, scale));
        v128.store(y, f32x4.mul(sum1, scale), 16);
        y += VALUE_BYTES;
        corner += stepBytes;
      }
    }
    x += planeBytes;
  }
}

/** Adds dy, divided by the values of a window, to each of them. */
export function avgPoolGradient(pool: Pool, dx: usize, dy: usize, planes: i32): void {
  const scale = f32x4.splat(<f32>1 / <f32>(pool.kernelHeight * pool.kernelWidth));
  const kernelHeight = pool.kernelHeight;
  const outHeight = pool.outHeight;
  const outWidth = pool.outWidth;
  const rowBytes = <usize>pool.width * VALUE_BYTES;
  const planeBytes = <usize>pool.height * rowBytes;
  const stepDown = <usize>pool.strideY * rowBytes;
  const kernelBytes = <usize>pool.kernelWidth * VALUE_BYTES;
  const stepBytes = <usize>pool.strideX * VALUE_BYTES;
  for (let plane = 0; plane < planes; plane++) {
    for (let oy = 0; oy < outHeight; oy++) {
      let corner = dx + <usize>oy * stepDown;
      for (let ox = 0; ox < outWidth; ox++) {
        const g0 = f32x4.mul(v128.load(dy), scale);
        const g1 = f32x4.mul(v128.load(dy, 16), scale);
        let row = corner;
        for (let ky = 0; ky < kernelHeight; ky++) {
          for (let v = row; v < row + kernelBytes; v += VALUE_BYTES) {
            v128.store(v, f32x4.add(v128.load(v), g0));
            v128.store(v, f32x4.add(v128.load(v, 16), g1), 16);
          }
          row += rowBytes;
        }
        dy += VALUE_BYTES;
        corner += stepBytes;
      }
    }
    dx += planeBytes;
  }
}
