/**
 * Without a multiplier: a weight is a sum of powers of 2 and their negatives, of no two that follow each other (its non-adjacent form, Reitwiesner
 * 1960), so that a filter's sums are made power by power: doubled, and taps added and taken off.
 */

/** Of |weight|: bit i of `plus` or of `minus` for a digit 2^i. */
function digitsOf(weight: number): { readonly plus: number; readonly minus: number } {
  const half = Math.abs(weight) >> 1;
  const sum = Math.abs(weight) + half;
  const changed = half ^ sum;
  return { plus: sum & changed, minus: half & changed };
}

/** Of an int8: 127 is 128 less 1. */
const MOST_PLANES = 8;

/** Powers that a weight is made of, from the highest. */
export const planesOf = (weight: number): number => 32 - Math.clz32(digitsOf(weight).plus);

const bitsIn = (mask: number): number => [...mask.toString(2)].filter((bit) => bit === "1").length;

/** Digits of the row that has the most. */
export function mostDigits(weights: Int8Array, columns: number): number {
  let most = 1;
  for (let at = 0; at < weights.length; at += columns) {
    let digits = 0;
    for (const weight of weights.subarray(at, at + columns)) {
      const { plus, minus } = digitsOf(weight);
      digits += bitsIn(plus) + bitsIn(minus);
    }
    most = Math.max(most, digits);
  }
  return most;
}

/** Values of a layer's weights as its taps have them: without a multiplier, as digits. */
export function valuesTable(name: string, values: readonly number[]): string {
  const digits = values.map((value) => {
    const { plus, minus } = digitsOf(value);
    return ((value < 0 ? minus | (plus << 8) : plus | (minus << 8)) << 16) >> 16;
  });
  return `static const tap_value ${name}[${values.length}] = {
#ifdef MOTE_NO_MULTIPLIER
${digits.join(",")},
#else
${values.join(",")},
#endif
};
`;
}

/** C that sorts the taps by the digits of their weights: those to add of each power, from the highest, then those to take off. */
export const digitsText = (planes: string): string => `#ifdef MOTE_NO_MULTIPLIER
const tap_at *ends[${2 * MOST_PLANES}];
sort_digits(end, ends, ${planes});
#endif
`;

/** A tile's sums from the digits. @param add one to the sums, for the place at `p` @param double the sums */
export const digitSums = (
  planes: string,
  double: string,
  add: (sign: "+" | "-") => string,
): string => `const tap_at *d = digits;
for (unsigned plane = 0; plane < 2 * ${planes}; plane += 2) {
${double}for (; d != ends[plane]; d++) {
const uint8_t *p = from + *d;
${add("+")}}
for (; d != ends[plane + 1]; d++) {
const uint8_t *p = from + *d;
${add("-")}}
}
`;

/** @param digits room for those of a filter; 0 where no kernel needs them */
export const noMultiplierText = (
  digits: number,
): string => `#if defined(__riscv) && !defined(__riscv_mul) && !defined(MOTE_NO_MULTIPLIER)
#define MOTE_NO_MULTIPLIER
#endif
#ifdef MOTE_NO_MULTIPLIER
/* By the bits of the first factor. */
static inline int32_t times(int32_t w, int32_t x) {
int32_t product = 0;
for (uint32_t bits = w < 0 ? (uint32_t)-w : (uint32_t)w; bits != 0; bits >>= 1, x += x) {
if (bits & 1) product += x;
}
return w < 0 ? -product : product;
}
#define TIMES(w, x) times(w, x)

/* Of powers of 2 in the sum that a weight is: bit i to add 2^i, bit 8 + i to take it off. */
typedef int16_t tap_value;
static inline int16_t digits_of(int w) {
const unsigned size = (unsigned)(w < 0 ? -w : w);
const unsigned half = size >> 1, sum = size + half, changed = half ^ sum;
const unsigned plus = sum & changed, minus = half & changed;
return (int16_t)(w < 0 ? minus | plus << 8 : plus | minus << 8);
}
#define TAP_WEIGHT(w) digits_of(w)
#else
#define TIMES(w, x) ((w) * (x))
typedef int8_t tap_value;
#define TAP_WEIGHT(w) (w)
#endif
${
  digits === 0
    ? ""
    : `#ifdef MOTE_NO_MULTIPLIER
/* Weights as sums of powers of 2 and their negatives: places of the taps that have a power, from the highest on. */
static tap_at digits[${digits}];

static void sort_digits(const tap *end, const tap_at **ends, unsigned planes) {
tap_at *d = digits;
for (unsigned plane = planes; plane-- > 0;) {
for (unsigned bit = plane; bit < 16; bit += 8) {
for (const tap *t = memory.taps; t != end; t++) {
if ((unsigned)t->weight >> bit & 1) *d++ = t->at;
}
*ends++ = d;
}
}
}
#endif
`
}`;
