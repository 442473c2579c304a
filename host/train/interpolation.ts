/** Functions of one element as the cubics that assembly/train/interpolate.ts looks up. */
import type { SharedHeap } from "./heap.js";

/** Ends of cubics in |x|: 0, then 64 an octave from 2^-6 to 2^16. Whole numbers up to 128, 2.5 and the like are among them: functions bend there. */
const OCTAVES = { from: -6, to: 16, cubics: 64 };
const CUBICS = 1 + (OCTAVES.to - OCTAVES.from) * OCTAVES.cubics;
const COEFFICIENTS = 4;
/** Part of a cubic's width over which a slope is measured: where a function bends, that of this side counts. */
const SLOPE_STEP = 1e-3;

const endOf = (cubic: number): number => {
  if (cubic === 0) return 0;
  const octave = Math.floor((cubic - 1) / OCTAVES.cubics);
  const part = ((cubic - 1) % OCTAVES.cubics) / OCTAVES.cubics;
  return 2 ** (OCTAVES.from + octave) * (1 + part);
};

/** From x to the side of x + step, off by the third power of the step. */
const slopeBeside = (f: (x: number) => number, x: number, step: number): number =>
  (4 * f(x + step) - 3 * f(x) - f(x + 2 * step)) / (2 * step);

/** Hermite's cubics: value and slope of the function at both ends of each. @returns address of the table */
export function writeInterpolation(heap: SharedHeap, f: (x: number) => number): number {
  const at = heap.allocate(2 * CUBICS * COEFFICIENTS * 4);
  const table = heap.f32(at, 2 * CUBICS * COEFFICIENTS);
  for (const [half, sign] of [1, -1].entries()) {
    const onThisSide = (magnitude: number): number => f(sign * magnitude);
    for (let cubic = 0; cubic < CUBICS; cubic++) {
      const [from, to] = [endOf(cubic), endOf(cubic + 1)];
      const width = to - from;
      const rise = slopeBeside(onThisSide, from, width * SLOPE_STEP) * width;
      const fall = slopeBeside(onThisSide, to, -width * SLOPE_STEP) * width;
      const gain = onThisSide(to) - onThisSide(from);
      const coefficients = [onThisSide(from), rise, 3 * gain - 2 * rise - fall, rise + fall - 2 * gain];
      table.set(coefficients, (half * CUBICS + cubic) * COEFFICIENTS);
    }
  }
  return at;
}
