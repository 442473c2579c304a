/** Lines round a picture that are not part of the drawing: a frame, or the dark edge of a scan. */
import { crop, type Plane } from "./plane.js";

/** How deep a frame may reach into the picture, of its side. */
const DEPTH = 0.2;
/** Lines along a side are compared by the means of so many pieces: noise counts less, and a stroke beside the frame covers few. */
const PIECES = 20;
/** Least difference between frame and paper, of 255. */
const CONTRAST = 24;
/** Part of the pieces that are as in the line before, within a frame, and that are not as in the next but one, at its end. */
const MOST = 0.8;

/** @returns what is inside, and at how many of the four sides there was a frame */
export function cropFrame(plane: Plane): { plane: Plane; sides: number } {
  const { width, height, values } = plane;
  const depths = (corner: number): number[] => [
    frameDepth(height, width, corner, (along, deep) => values[deep * width + along]),
    frameDepth(height, width, corner, (along, deep) => values[(height - 1 - deep) * width + along]),
    frameDepth(width, height, corner, (along, deep) => values[along * width + deep]),
    frameDepth(width, height, corner, (along, deep) => values[along * width + width - 1 - deep]),
  ];
  const count = (of: readonly number[]): number => of.filter((depth) => depth > 0).length;
  // A frame all round hides the ends of its lines in its corners; on a side or two, only a whole line cannot be the digit's.
  const round = depths(DEPTH);
  const found = count(round) >= 3 ? round : depths(0);
  return { plane: crop(plane, found), sides: count(found) };
}

/**
 * @param corner part of the line at either end that does not count
 * @param at brightness of a pixel of the line that is `deep` lines from the edge
 * @returns lines of frame, 0 for none
 */
function frameDepth(
  lines: number,
  length: number,
  corner: number,
  at: (along: number, deep: number) => number,
): number {
  const deepest = Math.floor(lines * DEPTH);
  const pieces = Math.min(PIECES, length);
  const means = Array.from({ length: Math.min(deepest + 2, lines) }, (_, deep) =>
    Array.from({ length: pieces }, (__, piece) => {
      const [from, to] = [piece, piece + 1].map((end) => Math.floor((end * length) / pieces));
      let sum = 0;
      for (let along = from; along < to; along++) sum += at(along, deep);
      return sum / (to - from);
    }),
  );
  const skipped = Math.ceil(pieces * corner);
  let found = 0;
  for (let depth = 1; depth <= deepest && depth + 1 < means.length; depth++) {
    const steps = means[depth - 1]
      .map((mean, piece) => means[depth + 1][piece] - mean)
      .slice(skipped, pieces - skipped);
    const brighter = steps.filter((step) => step > CONTRAST).length;
    const darker = steps.filter((step) => step < -CONTRAST).length;
    // The end shows in two depths, in more where it is blurred: the last one counts.
    if (Math.max(brighter, darker) >= MOST * steps.length) found = depth;
    else if (found > 0) return found;
    const like = means[depth].filter((mean, piece) => Math.abs(mean - means[depth - 1][piece]) < CONTRAST).length;
    if (found === 0 && like < MOST * pieces) return 0;
  }
  return found;
}
