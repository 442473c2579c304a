/**
 * Augmentation: which changed copies of the samples a net is trained on. Every copy is decided by its seed alone. Values are in the data's own
 * units (bytes: 0 .. 255), lengths in pixels or time steps; each sample draws its own amounts, evenly from nothing to what is named here.
 */
import { MoteError } from "../errors.js";
import { isRecord, shownJson } from "../json.js";

/** Images: [C, H, W], all planes alike. What comes in from outside is 0; bytes are clipped to 0 .. 255. */
export interface ImageAugmentation {
  readonly kind?: "image";
  /** Shift, rotation, shear, scale and elastic distortion together, 0 .. 1, for those of them that are not named. */
  readonly distort?: number;
  /** Pixels, to all sides. */
  readonly shift?: number;
  /** Degrees, to both sides. */
  readonly rotate?: number;
  /** Tangent of the angle. */
  readonly shear?: number;
  /** Logarithm of the factor: 0.15 makes 0.86 .. 1.16 times as large, each axis by itself. */
  readonly scale?: number;
  /** Pixels that the nodes of a coarse grid move. */
  readonly elastic?: number;
  /** Probability that left and right change places. */
  readonly flip?: number;
  /** Standard deviation of a Gaussian, in pixels. */
  readonly blur?: number;
  /** The difference to the image's mean is multiplied by 1 ± this. */
  readonly contrast?: number;
  /** Added or subtracted. */
  readonly brightness?: number;
  /** Added: black becomes grey. */
  readonly background?: number;
  /** Standard deviation of Gaussian noise. */
  readonly noise?: number;
  /** That each of blur, contrast, brightness, background and noise happens to a sample; default 1. */
  readonly probability?: number;
}

export type TimeAxis = "height" | "width";

/** Time along one axis, frequency along the other. */
export interface SpectrogramAugmentation {
  readonly kind: "spectrogram";
  /** Default: the longer axis, the height where both are equal. */
  readonly timeAxis?: TimeAxis;
  /** Frames, to both sides; the first or the last is repeated. */
  readonly timeShift?: number;
  /** Frames in a row, and bands in a row, that are set to the sample's mean. */
  readonly timeMask?: number;
  readonly frequencyMask?: number;
  readonly noise?: number;
}

/** Measurements along the time; planes and the other axis are channels. */
export interface SeriesAugmentation {
  readonly kind: "series";
  readonly timeAxis?: TimeAxis;
  /** Standard deviation of Gaussian noise. */
  readonly jitter?: number;
  /** Logarithm of the factor that all values are multiplied by. */
  readonly scale?: number;
  /** Steps that the nodes of a coarse grid move. */
  readonly warp?: number;
  /** Steps, to both sides; the first or the last is repeated. */
  readonly shift?: number;
}

/** A number is the strength of `distort` alone: 0 none, 1 strong. */
export type Augmentation = number | ImageAugmentation | SpectrogramAugmentation | SeriesAugmentation;

/** Rows of a sample that is a sequence are its steps, however long they are: the time goes along them unless the augmentation says otherwise. */
export function overSteps(augmentation: Augmentation, steps: number | undefined): Augmentation {
  if (steps === undefined || typeof augmentation === "number") return augmentation;
  const { kind } = augmentation;
  return kind === "spectrogram" || kind === "series" ? { timeAxis: "height", ...augmentation } : augmentation;
}

/** What each number may be. */
const RANGES = {
  image: {
    distort: [0, 1],
    shift: [0, 1000],
    rotate: [0, 180],
    shear: [0, 2],
    scale: [0, 2],
    elastic: [0, 1000],
    flip: [0, 1],
    blur: [0, 10],
    contrast: [0, 1],
    brightness: [0, 1e6],
    background: [0, 1e6],
    noise: [0, 1e6],
    probability: [0, 1],
  },
  spectrogram: { timeShift: [0, 1e6], timeMask: [0, 1e6], frequencyMask: [0, 1e6], noise: [0, 1e6] },
  series: { jitter: [0, 1e6], scale: [0, 2], warp: [0, 1e6], shift: [0, 1e6] },
} as const;

type Kind = keyof typeof RANGES;
const KINDS = Object.keys(RANGES) as readonly Kind[];
const AXES: readonly TimeAxis[] = ["height", "width"];
/** Counts of whole steps. */
const WHOLE = ["timeShift", "timeMask", "frequencyMask"];

/**
 * Checks what a recipe or a flag says of augmentation.
 * @param path names the value in errors
 * @throws MoteError RECIPE such as `teacher.augment.noize: unknown key; known are …`
 */
export function checkAugmentation(value: unknown, path: string): Augmentation {
  const fail = (at: string, expected: string, found: unknown): never => {
    throw new MoteError("RECIPE", `${at}: expected ${expected}, got ${shownJson(found)}`);
  };
  const checkNumber = (at: string, [low, high]: readonly [number, number], isWhole: boolean, found: unknown): void => {
    const isRight = typeof found === "number" && found >= low && found <= high && (!isWhole || Number.isInteger(found));
    if (!isRight) fail(at, `a ${isWhole ? "whole " : ""}number, ${low} .. ${high}`, found);
  };
  if (typeof value === "number") {
    checkNumber(path, RANGES.image.distort, false, value);
    return value;
  }
  if (!isRecord(value)) return fail(path, "a number, 0 .. 1, or an object", value);
  const { kind = "image" } = value;
  if (!KINDS.includes(kind as Kind)) fail(`${path}.kind`, `one of ${KINDS.join(", ")}`, kind);
  const ranges: Readonly<Record<string, readonly [number, number]>> = RANGES[kind as Kind];
  const words = kind === "image" ? ["kind"] : ["kind", "timeAxis"];
  for (const [key, found] of Object.entries(value)) {
    const at = `${path}.${key}`;
    if (Object.hasOwn(ranges, key)) {
      checkNumber(at, ranges[key], WHOLE.includes(key) || (kind === "series" && key === "shift"), found);
    } else if (!words.includes(key)) {
      const known = [...Object.keys(ranges), ...words].join(", ");
      const other = KINDS.find((name) => Object.hasOwn(RANGES[name], key));
      const advice = other === undefined ? "" : `; ${key} goes with "kind": "${other}"`;
      throw new MoteError("RECIPE", `${at}: unknown key; known of kind ${kind as Kind} are ${known}${advice}`);
    } else if (key === "timeAxis" && !AXES.includes(found as TimeAxis)) {
      fail(at, `one of ${AXES.join(", ")}`, found);
    }
  }
  return value as unknown as Augmentation;
}

/**
 * What a flag says: a number, or pairs such as `distort=0.4,noise=40,background=60`.
 * @throws MoteError RECIPE
 */
export function parseAugmentation(text: string, path: string): Augmentation {
  const scalar = (word: string): unknown => (word.trim() === "" || Number.isNaN(Number(word)) ? word : Number(word));
  if (!text.includes("=")) return checkAugmentation(text === "" ? {} : scalar(text), path);
  const pairs = text.split(",").map((pair) => {
    const [key, ...rest] = pair.split("=");
    return [key.trim(), scalar(rest.join("="))] as const;
  });
  return checkAugmentation(Object.fromEntries(pairs), path);
}

/** What `parseAugmentation` reads again. */
export const augmentationText = (augmentation: Augmentation): string =>
  typeof augmentation === "number"
    ? String(augmentation)
    : Object.entries(augmentation)
        .map(([key, value]) => `${key}=${value}`)
        .join(",");
