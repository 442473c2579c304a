/** How often a PNG of a digit is read wrong in silence: MNIST's validation digits as scans and photos show them. */
import { elementsFor, type Elements } from "../../host/model/elements.js";
import { digitFromPicture, type Digit } from "../../host/data/image.js";
import type { Picture } from "../../host/data/plane.js";
import { loadMnist } from "../../host/node/data/mnist.js";
import { MoteError } from "../../host/errors.js";
import { Random } from "../../host/rng.js";
import { argmax, probability, reasonsToDoubt } from "../../host/engines/classify.js";
import { pixelTable } from "../../host/engines/fill-input.js";
import type { Engine } from "../../host/engines/engine.js";
import { openEngine } from "../../host/node/engines/open.js";
import type { BenchOptions, Figure, Group } from "./figure.js";
import { shippedModel } from "./models.js";

const SIDE = 28;
const QUICK_DIGITS = 100;
const FULL_DIGITS = 500;
const SEED = 28;

/** How a digit is shown. Lengths in pixels of the picture, brightness 0 .. 255. */
export interface Condition {
  readonly name: string;
  /** Pixels of the picture for one of MNIST's. */
  readonly zoom: number;
  readonly paper: number;
  readonly ink: number;
  /** A line all round the picture, over whatever is there. */
  readonly frame?: { readonly width: number; readonly level: number };
  /** By how much of its brightness the darkest corner is darker than the brightest, the direction by chance. */
  readonly shadow?: number;
  /** The shadow ends in an edge. */
  readonly hard?: boolean;
  /** Standard deviation. */
  readonly noise?: number;
  /** The digit is between half and the whole of its size, not as wide as high, and anywhere on a larger sheet. */
  readonly moved?: boolean;
  /** There is no digit at all: whatever is read is wrong. */
  readonly empty?: boolean;
}

const dark = { paper: 255, ink: 0 };
const light = { paper: 0, ink: 255 };
const pencil = { paper: 225, ink: 60 };

export const CONDITIONS: readonly Condition[] = [
  { name: "dark on light, 28 px", zoom: 1, ...dark },
  { name: "light on dark, 28 px", zoom: 1, ...light },
  { name: "dark on light", zoom: 3, ...dark },
  { name: "light on dark", zoom: 3, ...light },
  ...[1, 2, 3, 4, 5].map((width) => ({
    name: `frame of ${width}, 28 px`,
    zoom: 1,
    ...dark,
    frame: { width, level: 0 },
  })),
  ...[1, 3, 5].map((width) => ({ name: `frame of ${width}`, zoom: 3, ...dark, frame: { width, level: 0 } })),
  { name: "light frame of 3", zoom: 3, ...light, frame: { width: 3, level: 255 } },
  { name: "grey frame of 3", zoom: 3, ...dark, frame: { width: 3, level: 100 } },
  { name: "shadow", zoom: 3, ...pencil, shadow: 0.5 },
  { name: "shadow, 28 px", zoom: 1, ...pencil, shadow: 0.5 },
  { name: "deep shadow", zoom: 3, ...pencil, shadow: 0.8 },
  { name: "shadow with an edge", zoom: 3, ...pencil, shadow: 0.4, hard: true },
  { name: "noise", zoom: 3, ...pencil, noise: 15 },
  { name: "noise, 28 px", zoom: 1, ...pencil, noise: 15 },
  { name: "much noise", zoom: 3, ...pencil, noise: 35 },
  { name: "shadow and noise", zoom: 3, ...pencil, shadow: 0.5, noise: 15 },
  { name: "shadow and noise, 28 px", zoom: 1, ...pencil, shadow: 0.5, noise: 15 },
  { name: "shadow and much noise", zoom: 3, ...pencil, shadow: 0.5, noise: 30 },
  { name: "moved and stretched", zoom: 3, ...pencil, moved: true },
  { name: "moved, shadow, noise", zoom: 3, ...pencil, moved: true, shadow: 0.5, noise: 10 },
  { name: "framed, shadow, noise", zoom: 3, ...pencil, frame: { width: 3, level: 20 }, shadow: 0.4, noise: 10 },
  { name: "little contrast", zoom: 3, paper: 180, ink: 145 },
  { name: "little contrast, noise", zoom: 3, paper: 180, ink: 145, noise: 8 },
  { name: "no digit, noise", zoom: 3, ...pencil, noise: 15, empty: true },
  { name: "no digit, shadow and noise", zoom: 3, ...pencil, shadow: 0.5, noise: 15, empty: true },
];

/** What became of the digits under one condition. */
export interface Count extends Readonly<Record<string, number>> {
  readonly digits: number;
  /** Read, and not as what they are. */
  readonly wrong: number;
  /** Of these, not marked unsure. */
  readonly silent: number;
  /** Marked, right or wrong. */
  readonly unsure: number;
  /** No digit was found in the picture. */
  readonly refused: number;
}

/** @param digits how many of the 5,000 validation digits, from the first on */
export function countReadings(engine: Engine, condition: Condition, digits: number): Count {
  const { images, labels } = loadMnist().validation;
  const table = pixelTable(engine.input);
  const count = { digits, wrong: 0, silent: 0, unsure: 0, refused: 0 };
  for (let i = 0; i < digits; i++) {
    const digit = images.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE);
    const reading = read(engine, table, render(digit, condition, new Random(SEED, i)));
    if (reading === undefined) {
      count.refused++;
      continue;
    }
    const wrong = condition.empty === true || reading.class !== labels[i];
    if (wrong) count.wrong++;
    if (reading.isUnsure) count.unsure++;
    else if (wrong) count.silent++;
  }
  return count;
}

function read(engine: Engine, table: Elements, picture: Picture): { class: number; isUnsure: boolean } | undefined {
  let digit: Digit;
  try {
    digit = digitFromPicture(picture, "picture");
  } catch (error) {
    if (error instanceof MoteError) return undefined;
    throw error;
  }
  const logits = engine.run(
    elementsFor(
      engine.input,
      Array.from(digit.pixels, (pixel) => table[pixel]),
    ),
  );
  const winner = argmax(logits);
  const result = { class: winner, probability: probability(logits, winner, engine.output) };
  return { class: winner, isUnsure: reasonsToDoubt(digit.doubts, result).length > 0 };
}

export const imagesGroup: Group = {
  name: "images",
  summary: `PNG digits in bad light, framed, noisy: read wrong without a mark, read wrong, marked unsure or refused, of ${QUICK_DIGITS} each; --full: of ${FULL_DIGITS}`,
  measure: measureImages,
};

async function measureImages({ full, note }: BenchOptions): Promise<Figure[]> {
  const digits = full ? FULL_DIGITS : QUICK_DIGITS;
  const engine = openEngine("v8", shippedModel("lenet5"));
  try {
    const figures: Figure[] = [];
    for (const condition of CONDITIONS) {
      note(condition.name);
      const detail = countReadings(engine, condition, digits);
      const value = `${detail.silent} unmarked, ${detail.wrong} wrong, ${detail.unsure + detail.refused} unsure`;
      figures.push({
        id: `images.${condition.name.replace(/[^a-z0-9]+/g, "-")}`,
        name: `PNG, ${condition.name}`,
        value,
        unit: `of ${digits}`,
        detail,
      });
      await new Promise((resolve) => setImmediate(resolve)); // so that Ctrl-C is heard
    }
    return figures;
  } finally {
    engine.close();
  }
}

/** @param digit [28, 28], 0 = paper .. 255 = ink */
function render(digit: Uint8Array, condition: Condition, random: Random): Picture {
  const { zoom, paper, ink, frame, shadow = 0, hard = false, noise = 0, moved = false, empty = false } = condition;
  const between = (low: number, high: number): number => low + (high - low) * random.uniform();
  const side = Math.round(SIDE * zoom * (moved ? 1.5 : 1));
  const scaleX = moved ? zoom * between(0.5, 1) : zoom;
  const scaleY = moved ? Math.min(zoom, scaleX * between(0.8, 1.25)) : zoom;
  const left = moved ? between(0, side - SIDE * scaleX) : 0;
  const top = moved ? between(0, side - SIDE * scaleY) : 0;
  const angle = between(0, 2 * Math.PI);
  const rgba = new Uint8Array(4 * side * side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const cover = empty ? 0 : sample(digit, (x + 0.5 - left) / scaleX, (y + 0.5 - top) / scaleY) / 255;
      const isFrame = frame !== undefined && Math.min(x, y, side - 1 - x, side - 1 - y) < frame.width;
      let level = isFrame ? frame.level : paper + (ink - paper) * cover;
      // -1 .. 1 from edge to edge in the direction of the light.
      const along = ((x / side - 0.5) * Math.cos(angle) + (y / side - 0.5) * Math.sin(angle)) * 2;
      level *= 1 - shadow * (hard ? (along > 0.2 ? 1 : 0) : Math.min(Math.max((along + 1) / 2, 0), 1));
      if (noise > 0) level += noise * random.normal();
      const at = 4 * (y * side + x);
      rgba.fill(Math.min(Math.max(Math.round(level), 0), 255), at, at + 3);
      rgba[at + 3] = 255;
    }
  }
  return { width: side, height: side, rgba };
}

/** Bilinear, pixel middles at + 0.5; outside there is paper. */
function sample(digit: Uint8Array, x: number, y: number): number {
  const [left, top] = [Math.floor(x - 0.5), Math.floor(y - 0.5)];
  const [partX, partY] = [x - 0.5 - left, y - 0.5 - top];
  const at = (column: number, row: number): number =>
    column < 0 || row < 0 || column >= SIDE || row >= SIDE ? 0 : digit[row * SIDE + column];
  return (
    (at(left, top) * (1 - partX) + at(left + 1, top) * partX) * (1 - partY) +
    (at(left, top + 1) * (1 - partX) + at(left + 1, top + 1) * partX) * partY
  );
}
