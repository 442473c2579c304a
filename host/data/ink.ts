/** What is ink in a picture and what is paper, and what makes that uncertain. */
import { cropFrame } from "./frame.js";
import { noiseOf, paperOf } from "./paper.js";
import { greyOf, maximum, shrink, smooth, type Picture, type Plane } from "./plane.js";

export interface Ink {
  /** 0 = paper .. 1 = the strongest ink; only the pieces that are taken for the digit. */
  readonly plane: Plane;
  /** Difference between the strongest ink and the paper, of 255. */
  readonly contrast: number;
  /** Why it may be wrong: "it touches the edge". Empty for a clear picture. */
  readonly doubts: readonly string[];
}

/** Larger pictures are averaged down: a digit has 28 pixels in the end. */
const MAX_SIDE = 512;
/** Least ink that counts, of the strongest: below it is the fringe of a stroke. */
const FLOOR = 0.2;
/** However noisy: the strongest ink stays. */
const MAX_FLOOR = 0.9;
/** Standard deviations of the noise that ink must stand out by. */
const NOISE_MARGIN = 3.5;
/** What noise alone does not reach, in standard deviations. */
const NOISE_PEAK = 7;
/** Noise is smoothed until it is below this part of the contrast, or until strokes would suffer. */
const QUIET = 0.05;
const MAX_SMOOTHINGS = 6;
/** What one binomial filter of 3 × 3 leaves of white noise, and another of what the one before left. */
const FIRST_SMOOTHING = 0.375;
const NEXT_SMOOTHING = 0.75;
/** Parts of the ink of the largest piece: specks are left out, large ones are in doubt. */
const SPECK = 0.05;
const LARGE = 0.25;
/** Strokes leave paper free: in the picture, and, where they are not one straight line, in the box around them. */
const MAX_COVER = 0.45;
const MAX_FILL = 0.68;
/** Ink on the outermost line that is not just a stroke's fringe. */
const TOUCH = 0.5;
/** Paper darker than this part of its mean gives no measure for the light on the ink. */
const MIN_LIGHT = 0.1;

/** Finds the digit. A blank picture has a `contrast` of next to nothing, and what stands out in it means nothing. */
export function findInk(picture: Picture): Ink {
  const doubts: string[] = [];
  const { plane: grey, sides } = cropFrame(shrink(greyOf(picture), MAX_SIDE));
  if (sides > 0 && sides < 4) doubts.push("a line along its edge was left out");
  let noise = noiseOf(grey);
  let ink = inkOn(grey, paperOf(grey));
  let contrast = maximum(ink.values);
  // Strokes are about as wide as a tenth of the digit: so many pixels more than one bear so many filters.
  const bearable = Math.min(MAX_SMOOTHINGS, Math.floor(Math.max(grey.width, grey.height) / 28) ** 2);
  for (let pass = 0; pass < bearable && noise > QUIET * contrast; pass++) {
    ink = smooth(ink);
    noise *= pass === 0 ? FIRST_SMOOTHING : NEXT_SMOOTHING;
    contrast = maximum(ink.values);
  }
  if (contrast < NOISE_PEAK * noise) doubts.push("it hardly stands out from the noise");
  ink = { ...ink, values: ink.values.map((value) => Math.max(0, value / contrast)) };
  const pieces = piecesOf(ink, Math.min(Math.max(FLOOR, (NOISE_MARGIN * noise) / contrast), MAX_FLOOR));
  return { plane: keepDigit(ink, pieces, doubts), contrast, doubts };
}

/** Difference from the paper; the less frequent side, dark or light, is ink. */
function inkOn({ width, height, values }: Plane, paper: Float32Array): Plane {
  let balance = 0;
  for (let i = 0; i < values.length; i++) balance += (values[i] - paper[i]) * Math.abs(values[i] - paper[i]);
  if (balance >= 0) return { width, height, values: values.map((value, i) => value - paper[i]) };
  // In a shadow dark ink differs from the paper by less, in proportion to the light.
  const light = paper.reduce((sum, value) => sum + value, 0) / paper.length;
  const isEven = maximum(paper) === paper[0];
  const share = (i: number): number => (isEven ? 1 : light / Math.max(paper[i], MIN_LIGHT * light));
  return { width, height, values: values.map((value, i) => (paper[i] - value) * share(i)) };
}

/** Ink that hangs together. */
interface Piece {
  readonly pixels: number[];
  /** Sum over the pixels. */
  mass: number;
  touches: boolean;
}

/** Pixels above the floor, each with all of its eight neighbours that are. */
function piecesOf({ width, height, values }: Plane, floor: number): Piece[] {
  const seen = new Uint8Array(values.length);
  const pieces: Piece[] = [];
  for (let start = 0; start < values.length; start++) {
    if (seen[start] === 1 || values[start] <= floor) continue;
    const piece: Piece = { pixels: [start], mass: 0, touches: false };
    seen[start] = 1;
    // The list grows while it is walked.
    for (const i of piece.pixels) {
      const [x, y] = [i % width, Math.floor(i / width)];
      piece.mass += values[i];
      const isOutermost = x === 0 || y === 0 || x === width - 1 || y === height - 1;
      if (isOutermost && values[i] > TOUCH) piece.touches = true;
      for (const next of neighboursOf(i, width, height)) {
        if (seen[next] === 1 || values[next] <= floor) continue;
        seen[next] = 1;
        piece.pixels.push(next);
      }
    }
    pieces.push(piece);
  }
  return pieces;
}

/** The pixel itself and the up to eight around it. */
function neighboursOf(i: number, width: number, height: number): number[] {
  const [x, y] = [i % width, Math.floor(i / width)];
  const neighbours: number[] = [];
  for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
    for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) neighbours.push(v * width + u);
  }
  return neighbours;
}

/** The ink of the pieces that are the digit: without specks, and without what comes in from the edge unless there is nothing else. */
function keepDigit({ width, height, values }: Plane, pieces: readonly Piece[], doubts: string[]): Plane {
  const most = (of: readonly Piece[]): number => of.reduce((mass, piece) => Math.max(mass, piece.mass), 0);
  const inside = pieces.filter(({ touches }) => !touches);
  const chosen = most(inside) >= LARGE * most(pieces) ? inside : pieces;
  const kept = chosen.filter(({ mass }) => mass >= SPECK * most(chosen));
  if (pieces.some(({ touches, mass }) => touches && mass >= SPECK * most(pieces))) doubts.push("it touches the edge");
  if (coversTooMuch(kept, width, height)) doubts.push("it covers too much of the picture");
  if (kept.filter(({ mass }) => mass >= LARGE * most(kept)).length > 1) doubts.push("it is in several pieces");
  const digit = new Float32Array(values.length);
  for (const { pixels } of kept) {
    for (const i of pixels) {
      digit[i] = values[i];
      // The fringe of a stroke is below the floor.
      for (const next of neighboursOf(i, width, height)) digit[next] = values[next];
    }
  }
  return { width, height, values: digit };
}

function coversTooMuch(pieces: readonly Piece[], width: number, height: number): boolean {
  let [left, right, top, bottom, covered] = [width, 0, height, 0, 0];
  for (const { pixels } of pieces) {
    covered += pixels.length;
    for (const i of pixels) {
      const [x, y] = [i % width, Math.floor(i / width)];
      [left, right] = [Math.min(left, x), Math.max(right, x + 1)];
      [top, bottom] = [Math.min(top, y), Math.max(bottom, y + 1)];
    }
  }
  const [across, down] = [right - left, bottom - top];
  const isNarrow = 2 * Math.min(across, down) < Math.max(across, down);
  return covered > MAX_COVER * width * height || (!isNarrow && covered > MAX_FILL * across * down);
}
