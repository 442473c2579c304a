/** The ten digits as a hand writes them: for those who do not draw, and to begin with. Hundredths of the pad. */
import type { Point, Stroke } from "./strokes.js";

/** A digit's strokes, points as "x,y". A corner is a point twice. */
const WRITTEN: readonly (readonly string[])[] = [
  ["52,15 38,18 28,34 26,54 32,76 48,86 64,78 73,58 72,34 64,19 50,15"],
  ["57,13 54,35 50,60 46,87"],
  ["28,31 36,17 54,13 68,24 66,42 50,62 28,83 28,83 45,80 58,84 74,80"],
  ["29,22 42,13 60,15 67,27 62,40 46,47 46,47 64,53 71,68 62,82 46,87 28,80"],
  ["35,15 31,34 28,51 28,51 50,52 75,48", "63,22 60,50 58,88"],
  ["70,15 38,17 38,17 34,45 34,45 52,42 68,53 69,70 56,84 40,86 28,79"],
  ["62,13 44,28 32,52 32,74 46,87 62,81 67,66 56,55 42,60 33,72"],
  ["26,20 48,18 73,16 73,16 62,40 52,62 46,88"],
  ["66,25 54,14 40,17 35,30 46,43 60,54 67,70 58,84 44,86 34,74 40,57 56,44 66,28 63,20"],
  ["67,28 54,15 38,20 32,36 42,48 58,44 67,28 67,28 65,50 61,70 57,88"],
];

/** Steps between two points: that many are drawn one after the other. */
const STEPS = 8;

/** @param digit 0 .. 9 @returns its strokes, points close to each other */
export function strokesOf(digit: number): Stroke[] {
  return WRITTEN[digit].map((stroke) => {
    const points = stroke.split(" ").map((point) => point.split(",").map((part) => Number(part) / 100));
    return smooth(points as unknown as readonly Point[]);
  });
}

/** A Catmull-Rom spline through the points. */
function smooth(points: readonly Point[]): Stroke {
  const at = (i: number): Point => points[Math.min(Math.max(i, 0), points.length - 1)];
  const result: Point[] = [points[0]];
  for (let i = 0; i + 1 < points.length; i++) {
    const [before, from, to, behind] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
    if (from.join() === to.join()) continue;
    for (let step = 1; step <= STEPS; step++) {
      const t = step / STEPS;
      const axis = (c: 0 | 1): number =>
        from[c] +
        (t / 2) *
          (to[c] -
            before[c] +
            t *
              (2 * before[c] -
                5 * from[c] +
                4 * to[c] -
                behind[c] +
                t * (3 * (from[c] - to[c]) + behind[c] - before[c])));
      result.push([axis(0), axis(1)]);
    }
  }
  return result;
}
