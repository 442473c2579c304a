/**
 * How much in a picture looks like a corner of a code. The decoder compares each such place with all others, so that a picture full of them takes it
 * minutes; what is counted here takes as long as the picture is large.
 */

/** Black and white, as the decoder sees it: [height, width, 4], of which the first byte of four counts. */
export interface Bitmap {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

export interface CrowdLimits {
  /** Lines of a row in a corner's proportions, which the decoder follows up and down. */
  readonly lines: number;
  /** Those with a column of these proportions, too. */
  readonly crosses: number;
}

/** Nothing but noise has 45,000 lines at 2,048 pixels a side, the largest code some 2,000 crosses. */
const LIMITS: CrowdLimits = { lines: 65_536, crosses: 8192 };
/** Of a corner's seven modules: dark, light, three dark, light, dark. */
const MODULES = [1, 1, 3, 1, 1];
/** A column is followed for so many modules of its row: more is no corner. */
const REACH = 16;

/** Whether there are more than so many, in every second row, as the decoder looks. */
export function isCrowded(bitmap: Bitmap, limits = LIMITS): boolean {
  const { width, height, data } = bitmap;
  let [lines, crosses] = [0, 0];
  for (let y = 0; y < height; y += 2) {
    const runs: number[] = [];
    for (let x = 0, start = 0; x < width; start = x) {
      const value = data[4 * (y * width + x)];
      while (x < width && data[4 * (y * width + x)] === value) x++;
      runs.push(x - start);
      if (runs.length > MODULES.length) runs.shift();
      if (!isCorner(runs)) continue;
      lines++;
      if (isCorner(columnAt(bitmap, x - runs[4] - runs[3] - Math.ceil(runs[2] / 2), y, runs[2]))) crosses++;
      if (lines > limits.lines || crosses > limits.crosses) return true;
    }
  }
  return false;
}

/** Within half a module each. */
function isCorner(runs: readonly number[]): boolean {
  const pixels = runs.reduce((sum, run) => sum + run, 0);
  const module = pixels / 7;
  return runs.length === 5 && module >= 1 && MODULES.every((n, i) => Math.abs(n * module - runs[i]) < (n * module) / 2);
}

/** The five runs of a column around a point. @param middle pixels of the row's middle run */
function columnAt({ width, height, data }: Bitmap, x: number, y: number, middle: number): number[] {
  const most = (REACH * middle) / 3;
  const centre = data[4 * (y * width + x)];
  const follow = (from: number, step: -1 | 1): number[] => {
    let row = from;
    return [true, false, true].map((isCentre) => {
      const start = row;
      while (
        row >= 0 &&
        row < height &&
        Math.abs(row - start) < most &&
        (data[4 * (row * width + x)] === centre) === isCentre
      ) {
        row += step;
      }
      return Math.abs(row - start);
    });
  };
  const [up, down] = [follow(y, -1), follow(y + 1, 1)];
  return [up[2], up[1], up[0] + down[0], down[1], down[2]];
}
