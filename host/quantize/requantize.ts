/**
 * SPEC.md, "Arithmetic": zeroPoint + ((acc × multiplier + 2^(shift - 1)) >> shift), clamped. Exact for every int32, in doubles:
 * the product of up to 62 bits is taken in two halves of the multiplier, each of which a double holds.
 * @param acc int32
 * @param multiplier 2^30 .. 2^31 - 1
 * @param shift 1 .. 62
 */
export function requantize(
  acc: number,
  multiplier: number,
  shift: number,
  zeroPoint: number,
  clampMin: number,
  clampMax: number,
): number {
  let scaled: number;
  if (shift >= 17) {
    // floor((high × 2^16 + low + half) / 2^shift), all three divided by 2^16 first: `half` is a multiple of it, and rounding
    // `low` down to one changes no floor.
    const high = acc * Math.floor(multiplier / 65536);
    const low = Math.floor((acc * (multiplier % 65536)) / 65536);
    scaled = Math.floor((high + low + 2 ** (shift - 17)) / 2 ** (shift - 16));
  } else {
    // The product of a small accumulator fits a double; a larger one is scaled far beyond an int16, the multiplier being at least 2^30.
    const isSmall = Math.abs(acc) < 2 ** 21;
    scaled = isSmall ? Math.floor((acc * multiplier + 2 ** (shift - 1)) / 2 ** shift) : Math.sign(acc) * 2 ** 30;
  }
  return Math.min(clampMax, Math.max(clampMin, zeroPoint + scaled));
}

/** The same with halves rounded away from zero, as averages are. */
export function requantizeAway(
  acc: number,
  multiplier: number,
  shift: number,
  zeroPoint: number,
  [clampMin, clampMax]: readonly [number, number],
): number {
  const product = BigInt(acc) * BigInt(multiplier);
  const isNegative = BigInt(zeroPoint) + (product >> BigInt(shift)) < 0n;
  const rounded = (product + (1n << BigInt(shift - 1)) - (isNegative ? 1n : 0n)) >> BigInt(shift);
  return Math.min(clampMax, Math.max(clampMin, zeroPoint + Number(rounded)));
}

/**
 * The multiplier and shift that come nearest to a real factor: factor ≈ multiplier / 2^shift.
 * @param factor 2^-32 … below 2^29
 * @param bits of the multiplier behind its first, 0 … 30; the others are 0
 * @throws RangeError outside these bounds, where no multiplier and shift exist
 */
export function requantizeFactor(factor: number, bits = 30): { multiplier: number; shift: number } {
  if (!(factor >= 2 ** -32 && factor < 2 ** 29)) {
    throw new RangeError(`requantization factor is ${factor}, expected 2^-32 … 2^29`);
  }
  let exponent = Math.floor(Math.log2(factor)) + 1;
  // log2 may round across a power of two.
  if (factor >= 2 ** exponent) exponent++;
  if (factor < 2 ** (exponent - 1)) exponent--;
  let multiplier = Math.round(factor * 2 ** (bits + 1 - exponent)) * 2 ** (30 - bits);
  if (multiplier === 2 ** 31) {
    multiplier /= 2;
    exponent++;
  }
  return { multiplier, shift: 31 - exponent };
}
