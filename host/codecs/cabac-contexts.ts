/**
 * What codec 3 knows of the weights coded so far: DeepCABAC's binarization of a level into bins, and for each kind of bin a context that
 * adapts to it.
 * @see Wiedemann et al. 2020, "DeepCABAC: A Universal Compression Algorithm for Deep Neural Networks", section III; ISO/IEC 15938-17
 */
import { CABAC_LONGEST_PREFIX } from "../../assembly/format.js";

export interface CabacSettings {
  /** n: that the magnitude is above 1, 2, … n is a flag each; what is above n is an Exp-Golomb code. */
  readonly flags: number;
  /** A context has two estimates. Each moves by 1 / 2^shift of the way to the bit that came, and their mean counts. */
  readonly fastShift: number;
  readonly slowShift: number;
}

const HALF = 1 << 15;
const ONE = 1 << 16;

/** Contexts of sigFlag and of signFlag, by the level before: 0, above, below. Those of the magnitude follow. */
const STATES = 3;
const MAGNITUDES = 2 * STATES;

/** All contexts of a layer. */
export const contextCount = (flags: number): number => MAGNITUDES + 2 * flags + CABAC_LONGEST_PREFIX;

/** Whether it says that a level is not 0. */
export const isSignificance = (context: number): boolean => context < STATES;

const stateOf = (previous: number): number => (previous === 0 ? 0 : previous > 0 ? 1 : 2);

/** Takes, or costs, bins of contexts, and bypass bins, which are as likely 1 as 0. */
export interface Bins {
  regular(context: number, bin: 0 | 1): void;
  bypass(bin: 0 | 1): void;
}

/** The bins of a level behind the level `previous`, 0 before the first. */
export function binarize(level: number, previous: number, flags: number, bins: Bins): void {
  bins.regular(stateOf(previous), level === 0 ? 0 : 1);
  if (level === 0) return;
  const isNegative = level < 0 ? 1 : 0;
  bins.regular(STATES + stateOf(previous), isNegative);
  const magnitude = Math.abs(level);
  for (let n = 1; n <= flags; n++) {
    const isGreater = magnitude > n ? 1 : 0;
    bins.regular(MAGNITUDES + 2 * (n - 1) + isNegative, isGreater);
    if (isGreater === 0) return;
  }
  const rest = magnitude - flags;
  const length = 31 - Math.clz32(rest);
  const prefix = MAGNITUDES + 2 * flags;
  for (let at = 0; at < length; at++) bins.regular(prefix + at, 1);
  if (length < CABAC_LONGEST_PREFIX) bins.regular(prefix + length, 0);
  for (let at = length - 1; at >= 0; at--) bins.bypass(((rest >>> at) & 1) as 0 | 1);
}

/** The level whose bins these are: the inverse of `binarize`. Its magnitude is at most `flags` + 255. */
export function debinarize(
  previous: number,
  flags: number,
  bins: { regular(context: number): 0 | 1; bypass(): 0 | 1 },
): number {
  if (bins.regular(stateOf(previous)) === 0) return 0;
  const isNegative = bins.regular(STATES + stateOf(previous));
  const signed = (magnitude: number): number => (isNegative === 1 ? -magnitude : magnitude);
  for (let n = 1; n <= flags; n++) if (bins.regular(MAGNITUDES + 2 * (n - 1) + isNegative) === 0) return signed(n);
  const prefix = MAGNITUDES + 2 * flags;
  let length = 0;
  while (length < CABAC_LONGEST_PREFIX && bins.regular(prefix + length) === 1) length++;
  let rest = 1;
  for (; length > 0; length--) rest = 2 * rest + bins.bypass();
  return signed(flags + rest);
}

/** What the bins of each context have been like so far. */
export class Contexts {
  readonly #fast: Uint16Array;
  readonly #slow: Uint16Array;
  readonly #fastShift: number;
  readonly #slowShift: number;

  constructor({ flags, fastShift, slowShift }: CabacSettings) {
    this.#fast = new Uint16Array(contextCount(flags)).fill(HALF);
    this.#slow = this.#fast.slice();
    this.#fastShift = fastShift;
    this.#slowShift = slowShift;
  }

  /** That the next bin of the context is 1, in 1/65,536: 1 … 65,535. */
  probability(context: number): number {
    return (this.#fast[context] + this.#slow[context]) >>> 1;
  }

  /** Bits that the bin would take. */
  cost(context: number, bin: 0 | 1): number {
    const p = this.probability(context);
    return 16 - Math.log2(bin === 1 ? p : ONE - p);
  }

  /** Shifts round so that no estimate becomes 0 or 65,536. */
  adapt(context: number, bin: 0 | 1): void {
    const fast = this.#fast[context];
    const slow = this.#slow[context];
    this.#fast[context] = bin === 1 ? fast + ((ONE - fast) >> this.#fastShift) : fast - (fast >> this.#fastShift);
    this.#slow[context] = bin === 1 ? slow + ((ONE - slow) >> this.#slowShift) : slow - (slow >> this.#slowShift);
  }
}
