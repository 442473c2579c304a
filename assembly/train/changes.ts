/**
 * What augmentation does at the most, which the host writes into linear memory. Every field is an f32; host/train/augmenter.ts names the
 * same ones in the same order. Each sample draws its own amounts, evenly from what is allowed: up to a field's value, to both sides where it
 * has two.
 */

/** See augment.ts. Values in the data's own units, lengths in pixels times their strength and unit. */
@unmanaged
export class ImageChanges {
  /** Radians. */
  rotation: f32;
  rotationStrength: f32;
  /** Tangent of the angle. */
  shear: f32;
  shearStrength: f32;
  /** Logarithm of the factor, drawn for each axis by itself. */
  logScale: f32;
  logScaleStrength: f32;
  shift: f32;
  shiftStrength: f32;
  shiftUnitX: f32;
  shiftUnitY: f32;
  /** Displacement of the elastic grid's nodes. */
  elastic: f32;
  elasticStrength: f32;
  elasticUnitX: f32;
  elasticUnitY: f32;
  /** Probability that left and right change places. */
  flip: f32;
  /** Standard deviation, in pixels. */
  blur: f32;
  /** The difference to the image's mean is multiplied by 1 ± this. */
  contrast: f32;
  /** Added, to both sides. */
  brightness: f32;
  /** Added: black becomes grey. */
  background: f32;
  /** Standard deviation. */
  noise: f32;
  /** Of each of the changes of values, blur to noise. */
  probability: f32;
}

/** See augment-signal.ts. */
@unmanaged
export class SignalChanges {
  /** Whole steps, to both sides. */
  shift: f32;
  /** Displacement of the time warp's nodes, in steps. */
  warp: f32;
  /** Logarithm of the factor. */
  logScale: f32;
  /** Places masked along the time, and along the other axis. */
  timeMask: f32;
  otherMask: f32;
  /** Standard deviation, in the data's own units. */
  noise: f32;
}
