/**
 * Distorted copies of images: one affine map (shift, rotation, scale, shear) and an elastic field (Simard et al. 2003; here
 * a coarse grid of random displacements with smooth interpolation in place of a blurred noise field), then changes of the pixels'
 * values. What comes out is of the type that went in: the net trains on the whole pixel values that a device would be given.
 */
import { ImageChanges } from "./changes";
import { addNoise, element, fromFloats, I8, meanOf, toFloats, U8 } from "./elements";
import { seedRandom, symmetric, uniform } from "./random";

/** Nodes of the elastic grid along each axis, the outermost on the image's edges. */
const NODES: i32 = 5;
const FIELD_BYTES: usize = <usize>NODES * <usize>NODES * 4;
/** The two fields and what rounds them up. */
const FIELDS_BYTES: usize = 256;
/** Elements that the blur reaches to each side. */
const BLUR_REACH: i32 = 2;

// @ts-ignore: decorator
@inline
function pixel<T>(image: usize, height: i32, width: i32, y: i32, x: i32): f32 {
  if (<u32>y >= <u32>height || <u32>x >= <u32>width) return 0;
  return element<T>(image, y * width + x);
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
 * @param type of the elements of both: U8, I8, or 2 for f32, then aligned to 4
 * @param seedLow, seedHigh decide the distortion, together with nothing else
 * @param scratch of the calling thread's own: 256 bytes, and a float for each value of the image and of one more plane
 */
export function augmentImage(
  to: usize,
  from: usize,
  type: i32,
  planes: i32,
  height: i32,
  width: i32,
  seedLow: u32,
  seedHigh: u32,
  changes: ImageChanges,
  scratch: usize,
): void {
  const count = planes * height * width;
  const image = scratch + FIELDS_BYTES;
  seedRandom(seedLow, seedHigh);
  if (type == U8) warp<u8>(image, from, planes, height, width, changes, scratch);
  else if (type == I8) warp<i8>(image, from, planes, height, width, changes, scratch);
  else warp<f32>(image, from, planes, height, width, changes, scratch);
  if (changes.flip > 0 && uniform() < changes.flip) mirror(image, planes * height, width);
  if (changesValues(changes)) changeValues(image, planes, height, width, changes);
  fromFloats(to, image, count, type);
}

function changesPlaces(changes: ImageChanges): bool {
  return changes.rotation + changes.shear + changes.logScale + changes.shift + changes.elastic > 0;
}

function changesValues(changes: ImageChanges): bool {
  return changes.blur + changes.contrast + changes.brightness + changes.background + changes.noise > 0;
}

/** The affine map and the elastic field. */
function warp<T>(
  to: usize,
  from: usize,
  planes: i32,
  height: i32,
  width: i32,
  changes: ImageChanges,
  scratch: usize,
): void {
  if (!changesPlaces(changes)) {
    toFloats<T>(to, from, planes * height * width);
    return;
  }
  const fieldX = scratch;
  const fieldY = scratch + FIELD_BYTES;
  // One product after another, in this order: each strength has had its bits since there were no others.
  const angle = symmetric() * changes.rotation * changes.rotationStrength;
  const shear = symmetric() * changes.shear * changes.shearStrength;
  const scaleX = <f32>Math.exp(symmetric() * changes.logScale * changes.logScaleStrength);
  const scaleY = <f32>Math.exp(symmetric() * changes.logScale * changes.logScaleStrength);
  const shiftX = symmetric() * changes.shift * changes.shiftStrength * changes.shiftUnitX;
  const shiftY = symmetric() * changes.shift * changes.shiftStrength * changes.shiftUnitY;
  for (let n = 0; n < NODES * NODES; n++) {
    const at = (<usize>n) << 2;
    store<f32>(fieldX + at, symmetric() * changes.elastic * changes.elasticStrength * changes.elasticUnitX);
    store<f32>(fieldY + at, symmetric() * changes.elastic * changes.elasticStrength * changes.elasticUnitY);
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
      let target = to + ((<usize>(y * width + x)) << 2);
      for (let p = 0; p < planes; p++) {
        const upper = mix(pixel<T>(source, height, width, iy, ix), pixel<T>(source, height, width, iy, ix + 1), fx);
        const lower = mix(
          pixel<T>(source, height, width, iy + 1, ix),
          pixel<T>(source, height, width, iy + 1, ix + 1),
          fx,
        );
        store<f32>(target, mix(upper, lower, fy));
        source += plane * sizeof<T>();
        target += plane << 2;
      }
    }
  }
}

/** Left for right. */
function mirror(image: usize, rows: i32, width: i32): void {
  for (let row = 0; row < rows; row++) {
    let left = image + ((<usize>(row * width)) << 2);
    let right = left + ((<usize>(width - 1)) << 2);
    for (; left < right; left += 4, right -= 4) {
      const value = load<f32>(left);
      store<f32>(left, load<f32>(right));
      store<f32>(right, value);
    }
  }
}

/** As in a camera: first the lens, then the light, then the sensor. Every change draws its numbers whether it is made or not. */
function changeValues(image: usize, planes: i32, height: i32, width: i32, changes: ImageChanges): void {
  const count = planes * height * width;
  const probability = changes.probability;
  const blurred = uniform() < probability;
  const deviation = uniform() * changes.blur;
  const contrasted = uniform() < probability;
  const contrast = symmetric() * changes.contrast;
  const brightened = uniform() < probability;
  const brightness = symmetric() * changes.brightness;
  const lifted = uniform() < probability;
  const background = uniform() * changes.background;
  const noisy = uniform() < probability;
  const noise = uniform() * changes.noise;
  if (blurred && deviation > 0) {
    const spare = image + ((<usize>count) << 2);
    const plane = (<usize>(height * width)) << 2;
    for (let p = 0; p < planes; p++) blur(image + <usize>p * plane, spare, height, width, deviation);
  }
  const gain: f32 = contrasted ? 1 + contrast : 1;
  const offset: f32 = (brightened ? brightness : 0) + (lifted ? background : 0) + (1 - gain) * meanOf(image, count);
  for (let i = 0; i < count; i++) {
    const at = image + ((<usize>i) << 2);
    store<f32>(at, load<f32>(at) * gain + offset);
  }
  if (noisy && noise > 0) addNoise(image, count, noise);
}

/** A Gaussian of two elements to each side, across and then down; at the edge a pixel stands in for those outside. */
function blur(plane: usize, spare: usize, height: i32, width: i32, deviation: f32): void {
  const near = <f32>Math.exp(-0.5 / (deviation * deviation));
  const far = <f32>Math.exp(-2 / (deviation * deviation));
  const sum = <f32>1 + <f32>2 * (near + far);
  blurLines(spare, plane, height, width, width, 1, near / sum, far / sum);
  blurLines(plane, spare, width, height, 1, width, near / sum, far / sum);
}

/** `lines` lines of `length` elements; strides in elements. */
function blurLines(
  to: usize,
  from: usize,
  lines: i32,
  length: i32,
  lineStride: i32,
  stride: i32,
  near: f32,
  far: f32,
): void {
  const middle = <f32>1 - <f32>2 * (near + far);
  const last = length - 1;
  for (let line = 0; line < lines; line++) {
    const start = line * lineStride;
    for (let i = 0; i < length; i++) {
      const one =
        element<f32>(from, start + max(i - 1, 0) * stride) + element<f32>(from, start + min(i + 1, last) * stride);
      const two =
        element<f32>(from, start + max(i - BLUR_REACH, 0) * stride) +
        element<f32>(from, start + min(i + BLUR_REACH, last) * stride);
      const at = start + i * stride;
      store<f32>(to + ((<usize>at) << 2), middle * element<f32>(from, at) + near * one + far * two);
    }
  }
}
