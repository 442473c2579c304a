/** Seeded random numbers: the same seed gives the same numbers on every machine. Not for secrets. */

/**
 * One well-mixed 32-bit word from any number of integers, each taken modulo 2^32: an independent seed for each
 * (seed, epoch, index). Finaliser of MurmurHash3 (Appleby) after every word.
 */
export function mixWords(...words: readonly number[]): number {
  let h = 0x9e3779b9;
  for (const word of words) {
    h = Math.imul(h ^ word, 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h = (h ^ (h >>> 16)) + 0x6d2b79f5;
  }
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A stream of random numbers: SFC32 (Doty-Humphrey, PractRand), seeded through mixWords. */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  /** Different words give independent streams. */
  constructor(...seed: readonly number[]) {
    this.a = mixWords(...seed, 1);
    this.b = mixWords(...seed, 2);
    this.c = mixWords(...seed, 3);
    for (let i = 0; i < 12; i++) this.nextU32();
  }

  /** 0 .. 2^32 - 1 */
  nextU32(): number {
    const sum = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** 0 <= x < 1, 32 random bits */
  uniform(): number {
    return this.nextU32() / 0x100000000;
  }

  /** 0 .. n - 1, for 1 <= n <= 2^32; the bias is below n / 2^32. */
  integer(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** Mean 0, variance 1 (Box-Muller, one of the pair). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }
}

/**
 * Where `index` goes in the permutation of 0 .. count - 1 that `key` picks: a four-round Feistel network on the smallest
 * square of a power of two that holds count, walked until it lands inside. No table, so that threads need none.
 */
export function permuteIndex(index: number, count: number, key: number): number {
  const halfBits = Math.max(1, Math.ceil(Math.log2(Math.max(count, 2)) / 2));
  const mask = 2 ** halfBits - 1;
  let at = index;
  do {
    let left = at >>> halfBits;
    let right = at & mask;
    for (let round = 0; round < 4; round++) {
      const next = left ^ (mixWords(key, round, right) & mask);
      left = right;
      right = next;
    }
    at = left * (mask + 1) + right;
  } while (at >= count);
  return at;
}
