/**
 * Distorted copies of images: one affine map (shift, rotation, scale, shear) and an elastic field (Simard et al. 2003; here
 * a coarse grid of random displacements with smooth interpolation in place of a blurred noise field). Bytes in, bytes out:
 * the net trains on the whole pixel values that a device would be given.
 */

/** Extremes at strength 1. Angles in radians; shifts and displacements as a part of the image's width or height. */
const MAX_SHIFT: f32 = 0.09;
const MAX_ROTATION: f32 = 0.26;
const MAX_SHEAR: f32 = 0.2;
const MAX_LOG_SCALE: f32 = 0.15;
const MAX_DISPLACEMENT: f32 = 0.055;
/** Nodes of the elastic grid along each axis, the outermost on the image's edges. */
const NODES: i32 = 5;

const FIELD_BYTES: usize = <usize>NODES * <usize>NODES * 4;

let random: u64 = 0;

/** SplitMix64 (Steele, Lea and Flood 2014), the top 24 bits: uniform in -1 .. 1. */
function symmetric(): f32 {
  random += 0x9e3779b97f4a7c15;
  let z = random;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  z ^= z >> 31;
  return <f32>(<i32>(z >> 40) - 0x800000) / <f32>0x800000;
}

// @ts-ignore: decorator
@inline
function pixel(image: usize, height: i32, width: i32, y: i32, x: i32): f32 {
  if (<u32>y >= <u32>height || <u32>x >= <u32>width) return 0;
  return <f32>load<u8>(image + <usize>(y * width + x));
}

// @ts-ignore: decorator
@inline
function smooth(t: f32): f32 {
  return t * t * (3 - 2 * t);
}

// @ts-ignore: decorator
@inline
function mix(a: f32, b: f32, t: f32): f32 {
  return a + (b - a) * t;
}

/**
 * Distorts one image of `planes` planes, all in the same way; what lies outside is 0.
 * @param to another buffer than `from`
 * @param seedLow, seedHigh decide the distortion, together with nothing else
 * @param strength 0 = a copy, 1 = strong
 * @param scratch 200 bytes of the calling thread's own
 */
export function augment(
  to: usize,
  from: usize,
  planes: i32,
  height: i32,
  width: i32,
  seedLow: u32,
  seedHigh: u32,
  strength: f32,
  scratch: usize,
): void {
  const fieldX = scratch;
  const fieldY = scratch + FIELD_BYTES;
  random = ((<u64>seedHigh) << 32) | (<u64>seedLow);
  const angle = symmetric() * MAX_ROTATION * strength;
  const shear = symmetric() * MAX_SHEAR * strength;
  const scaleX = <f32>Math.exp(symmetric() * MAX_LOG_SCALE * strength);
  const scaleY = <f32>Math.exp(symmetric() * MAX_LOG_SCALE * strength);
  const shiftX = symmetric() * MAX_SHIFT * strength * <f32>width;
  const shiftY = symmetric() * MAX_SHIFT * strength * <f32>height;
  for (let n = 0; n < NODES * NODES; n++) {
    store<f32>(fieldX + ((<usize>n) << 2), symmetric() * MAX_DISPLACEMENT * strength * <f32>width);
    store<f32>(fieldY + ((<usize>n) << 2), symmetric() * MAX_DISPLACEMENT * strength * <f32>height);
  }
  // From a place in the result to the place in the source: rotation × shear × scale about the middle, then shifts.
  const cos = <f32>Math.cos(angle);
  const sin = <f32>Math.sin(angle);
  const xx = cos * scaleX;
  const xy = (cos * shear - sin) * scaleY;
  const yx = sin * scaleX;
  const yy = (sin * shear + cos) * scaleY;
  const middleX = <f32>(width - 1) * 0.5;
  const middleY = <f32>(height - 1) * 0.5;
  const cellX = <f32>(NODES - 1) / <f32>max(width - 1, 1);
  const cellY = <f32>(NODES - 1) / <f32>max(height - 1, 1);
  const plane = <usize>(height * width);
  for (let y = 0; y < height; y++) {
    const gy = <f32>y * cellY;
    const nodeY = min(<i32>gy, NODES - 2);
    const ty = smooth(gy - <f32>nodeY);
    const relativeY = <f32>y - middleY;
    for (let x = 0; x < width; x++) {
      const gx = <f32>x * cellX;
      const nodeX = min(<i32>gx, NODES - 2);
      const tx = smooth(gx - <f32>nodeX);
      const node = (<usize>(nodeY * NODES + nodeX)) << 2;
      const dx = mix(
        mix(load<f32>(fieldX + node), load<f32>(fieldX + node, 4), tx),
        mix(load<f32>(fieldX + node, NODES * 4), load<f32>(fieldX + node, NODES * 4 + 4), tx),
        ty,
      );
      const dy = mix(
        mix(load<f32>(fieldY + node), load<f32>(fieldY + node, 4), tx),
        mix(load<f32>(fieldY + node, NODES * 4), load<f32>(fieldY + node, NODES * 4 + 4), tx),
        ty,
      );
      const relativeX = <f32>x - middleX;
      const sourceX = middleX + shiftX + xx * relativeX + xy * relativeY + dx;
      const sourceY = middleY + shiftY + yx * relativeX + yy * relativeY + dy;
      const left = floor(sourceX);
      const top = floor(sourceY);
      const fx = sourceX - left;
      const fy = sourceY - top;
      const ix = <i32>left;
      const iy = <i32>top;
      let source = from;
      let target = to + <usize>(y * width + x);
      for (let p = 0; p < planes; p++) {
        const upper = mix(pixel(source, height, width, iy, ix), pixel(source, height, width, iy, ix + 1), fx);
        const lower = mix(pixel(source, height, width, iy + 1, ix), pixel(source, height, width, iy + 1, ix + 1), fx);
        store<u8>(target, <u8>(mix(upper, lower, fy) + 0.5));
        source += plane;
        target += plane;
      }
    }
  }
}
