/** Augmentation of single samples by the kernels: what each thread, and the maker of banks, calls. */
import type { Shape } from "../model/model.js";
import type {
  Augmentation,
  ImageAugmentation,
  SeriesAugmentation,
  SpectrogramAugmentation,
  TimeAxis,
} from "./augment.js";
import type { Kernels } from "./kernels.js";

/** The fields of assembly/train/changes.ts, in order, a float each. tests/train/check-augment.test.ts compares them. */
export const CHANGES = {
  ImageChanges: [
    "rotation",
    "rotationStrength",
    "shear",
    "shearStrength",
    "logScale",
    "logScaleStrength",
    "shift",
    "shiftStrength",
    "shiftUnitX",
    "shiftUnitY",
    "elastic",
    "elasticStrength",
    "elasticUnitX",
    "elasticUnitY",
    "flip",
    "blur",
    "contrast",
    "brightness",
    "background",
    "noise",
    "probability",
  ],
  SignalChanges: ["shift", "warp", "logScale", "timeMask", "otherMask", "noise"],
} as const;

type Changes<Name extends keyof typeof CHANGES> = Readonly<Record<(typeof CHANGES)[Name][number], number>>;

/** Extremes at strength 1. Angles in radians; shifts and displacements as a part of the image's width or height. */
const MAX_SHIFT = 0.09;
const MAX_ROTATION = 0.26;
const MAX_SHEAR = 0.2;
const MAX_LOG_SCALE = 0.15;
const MAX_DISPLACEMENT = 0.055;

/** Of the record of changes, at the start of the scratch memory. */
const CHANGES_BYTES = 128;
/** Elastic fields, or nodes of the time warp. */
const FIELDS_BYTES = 256;

/** Bytes of a thread's own that augmenting samples of a shape takes: changes, fields, the sample as floats and one plane more. */
export const augmentScratchBytes = ([planes, height, width]: Shape): number =>
  CHANGES_BYTES + FIELDS_BYTES + (planes + 1) * height * width * 4;

/** Arrays that samples may lie in, as the kernels number them. */
const elementType = (samples: Uint8Array | Int8Array | Float32Array): number =>
  samples instanceof Uint8Array ? 0 : samples instanceof Int8Array ? 1 : 2;

/** Changes one sample: from an address to another, decided by two words of seed. */
export type Augment = (to: number, from: number, seedLow: number, seedHigh: number) => void;

/** Whether nothing is to be done. */
export const isNone = (augmentation: Augmentation): boolean => augmentation === 0;

/**
 * @param floats a view of the whole memory
 * @param scratch address of `augmentScratchBytes`, a multiple of 4
 * @param samples what the samples come from; its type is theirs
 */
export function augmenter(
  kernels: Kernels,
  floats: Float32Array,
  scratch: number,
  shape: Shape,
  augmentation: Augmentation,
  samples: Uint8Array | Int8Array | Float32Array,
): Augment {
  const [planes, height, width] = shape;
  const type = elementType(samples);
  const work = scratch + CHANGES_BYTES;
  const write = <Name extends keyof typeof CHANGES>(name: Name, changes: Changes<Name>): void => {
    const fields: readonly (typeof CHANGES)[Name][number][] = CHANGES[name];
    floats.set(
      fields.map((field) => changes[field]),
      scratch / 4,
    );
  };
  if (typeof augmentation === "number" || (augmentation.kind !== "spectrogram" && augmentation.kind !== "series")) {
    const changes = typeof augmentation === "number" ? { distort: augmentation } : augmentation;
    write("ImageChanges", imageChanges(changes, shape));
    return (to, from, low, high) =>
      kernels.augmentImage(to, from, type, planes, height, width, low, high, scratch, work);
  }
  write("SignalChanges", signalChanges(augmentation));
  const [steps, others, stepStride, otherStride] =
    timeAxis(augmentation.timeAxis, shape) === "height" ? [height, width, width, 1] : [width, height, 1, width];
  return (to, from, low, high) =>
    kernels.augmentSignal(to, from, type, planes, steps, others, stepStride, otherStride, low, high, scratch, work);
}

function signalChanges(augmentation: SpectrogramAugmentation | SeriesAugmentation): Changes<"SignalChanges"> {
  if (augmentation.kind === "spectrogram") {
    const { timeShift = 0, timeMask = 0, frequencyMask = 0, noise = 0 } = augmentation;
    return { shift: timeShift, warp: 0, logScale: 0, timeMask, otherMask: frequencyMask, noise };
  }
  const { shift = 0, warp = 0, scale = 0, jitter = 0 } = augmentation;
  return { shift, warp, logScale: scale, timeMask: 0, otherMask: 0, noise: jitter };
}

const timeAxis = (asked: TimeAxis | undefined, [, height, width]: Shape): TimeAxis =>
  asked ?? (height >= width ? "height" : "width");

function imageChanges(augmentation: ImageAugmentation, [, height, width]: Shape): Changes<"ImageChanges"> {
  const { distort = 0, rotate, shear, scale, shift, elastic } = augmentation;
  const { flip = 0, blur = 0, contrast = 0, brightness = 0, background = 0, noise = 0, probability = 1 } = augmentation;
  /** What is named, or its share of the distortion. */
  const amount = (named: number | undefined, most: number): readonly [maximum: number, strength: number] =>
    named !== undefined ? [named, 1] : distort > 0 ? [most, distort] : [0, 0];
  const [rotation, rotationStrength] = amount(
    rotate === undefined ? undefined : (rotate * Math.PI) / 180,
    MAX_ROTATION,
  );
  const [shearing, shearStrength] = amount(shear, MAX_SHEAR);
  const [logScale, logScaleStrength] = amount(scale, MAX_LOG_SCALE);
  const [shifting, shiftStrength] = amount(shift, MAX_SHIFT);
  const [displacement, elasticStrength] = amount(elastic, MAX_DISPLACEMENT);
  return {
    rotation,
    rotationStrength,
    shear: shearing,
    shearStrength,
    logScale,
    logScaleStrength,
    shift: shifting,
    shiftStrength,
    shiftUnitX: shift === undefined ? width : 1,
    shiftUnitY: shift === undefined ? height : 1,
    elastic: displacement,
    elasticStrength,
    elasticUnitX: elastic === undefined ? width : 1,
    elasticUnitY: elastic === undefined ? height : 1,
    flip,
    blur,
    contrast,
    brightness,
    background,
    noise,
    probability,
  };
}
