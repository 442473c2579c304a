/**
 * What codec 2 knows when it codes a bit: the walk through alphabet, column map and weights that coder and decoder take alike (SPEC.md, "Codec 2,
 * arithmetic"). assembly/core/codecs/arithmetic.ts is the same walk.
 */

/** Codes a bit that is a 1 with this probability in 1/65,536. @param bit a decoder does not look at it @returns the bit */
export type CodeBit = (bit: 0 | 1, probabilityOf1: number) => 0 | 1;

/** The fields in front of what is range coded. */
export interface ArithmeticHead {
  /** The largest magnitude of the alphabet: 1 … 128. */
  readonly largest: number;
  /** How rare weights are, in quarters of powers of two: 0 … 31. */
  readonly rarity: number;
  readonly hasColumnMap: boolean;
}

export interface MatrixShape {
  readonly rows: number;
  readonly columns: number;
  /** Height and width of a channel's part of a row. */
  readonly kernel: readonly [number, number];
}

/** Logits are in 1/65,536, those of columns in 1/2,048; the exponent of a probability ends here. */
const MOST_EXPONENT = 9 << 16;
const DEAD = -32768;
/** What probabilities of contexts tend to. */
const [ONE, ZERO] = [65488, 48];
/** Of contexts of magnitudes at the beginning. */
const FIRST_PROBABILITY = 43690;
/** What a weight is for its neighbours: that it is one, is large, and its sign. */
const [CELL, LARGE_CELL, SIGN_CELL] = [1, 8, 64];

/** Adaptive contexts: of each the probability of a 1, and how many bits have made it. */
class Contexts {
  readonly #probability: Uint16Array;
  readonly #seen: Uint8Array;

  constructor(count: number, probability: (index: number) => number, seen = 0) {
    this.#probability = Uint16Array.from({ length: count }, (_, index) => probability(index));
    this.#seen = new Uint8Array(count).fill(seen);
  }

  code(index: number, bit: boolean, code: CodeBit): boolean {
    const probability = this.#probability[index];
    const seen = this.#seen[index];
    const coded = code(bit ? 1 : 0, probability) === 1;
    this.#probability[index] = probability + Math.trunc(((coded ? ONE : ZERO) - probability) / (seen + 2));
    if (seen < 255) this.#seen[index] = seen + 1;
    return coded;
  }
}

const tilted = (index: number): number => 32768 + 5000 * (index - 6);

/** Codes the parts in the order of the functions, once each. */
export class ArithmeticModel {
  /** Ascending, 0 among them: it stands in the middle, and means the weight of a sign without values. */
  #alphabet: readonly number[] = [];
  readonly #side = new Contexts(13, tilted);

  constructor(
    readonly head: ArithmeticHead,
    readonly shape: MatrixShape,
    readonly code: CodeBit,
  ) {}

  /** Values of the alphabet, 0 aside. @param has whether a value is in it: what a decoder says means nothing */
  codeAlphabet(has: (value: number) => boolean): readonly number[] {
    const alphabet: number[] = [];
    let previous = true;
    for (let value = -this.head.largest; value <= this.head.largest; value++) {
      if (value !== 0) previous = this.#side.code(previous ? 8 : 4, has(value), this.code);
      if (value === 0 || previous) alphabet.push(value);
    }
    this.#alphabet = alphabet;
    return alphabet.filter((value) => value !== 0);
  }

  /** @param live of each column whether it is: taken by a coder, filled in by a decoder, all ones where there is no map */
  codeColumns(live: Uint8Array): void {
    const [, width] = this.shape.kernel;
    if (!this.head.hasColumnMap) {
      live.fill(1);
      return;
    }
    for (let column = 0; column < live.length; column++) {
      const left = column > 0 && live[column - 1] === 1 ? 2 : 0;
      const above = column >= width && live[column - width] === 1 ? 4 : 0;
      live[column] = this.#side.code(3 + left + above, live[column] === 1, this.code) ? 1 : 0;
    }
  }

  /**
   * @param live from `codeColumns`
   * @param weights row-major: taken by a coder, filled in by a decoder, for which they are 0
   * @param onWeight is told of each weight coded, 0 included, its row and how many bits have told its magnitude
   * @param onPart is told of the bits to come whether they are a weight's sign and magnitude
   * @returns whether the section is one: where a row begins, no live column's logit may be that of dead ones
   */
  codeWeights(
    live: Uint8Array,
    weights: Int8Array,
    onWeight: (row: number, steps: number) => void,
    onPart: (isWeight: boolean) => void,
  ): boolean {
    const { code } = this;
    const { rows, columns } = this.shape;
    const [height, width] = this.shape.kernel;
    const alphabet = Int16Array.from([0, ...this.#alphabet, 0]);
    const middle = this.#alphabet.indexOf(0) + 1;
    const values = this.#alphabet.length - 1;
    const places = new Int16Array(257);
    this.#alphabet.forEach((value, index) => (places[value + 128] = index + 1));
    const signs = new Contexts(13, tilted);
    const magnitudes = [0, 1].map(() => new Contexts(alphabet.length, () => FIRST_PROBABILITY, 1));
    const neighbourLogits = Int32Array.from({ length: 8 }, (_, count) => count << 14);
    const columnLogits = new Int16Array(columns);
    const above = new Int8Array(width + 1);
    const baseLogit = -this.head.rarity << 14;
    for (let row = 0, at = 0; row < rows; row++) {
      let rowLogit = baseLogit;
      let x = 0;
      let lines = height;
      let left = 0;
      let aboveLeft = 0;
      for (let column = 0; column < columns; column++, at++) {
        const up = above[x];
        const columnLogit = columnLogits[column];
        let cell = 0;
        if (live[column] === 1) {
          if (columnLogit === DEAD) return false;
          const neighbours = (left + up) * 2 + aboveLeft + above[x + 1];
          const byNeighbours = neighbourLogits[neighbours & 7];
          const none = absence(rowLogit + (columnLogit << 5) + byNeighbours);
          let error = none;
          if (code(weights[at] === 0 ? 1 : 0, none) === 1) error -= 65536;
          rowLogit += error >> 4;
          neighbourLogits[neighbours & 7] = byNeighbours + (error >> 4);
          columnLogits[column] = columnLogit + Math.trunc(error / 256);
          if (error > 0) {
            onPart(true);
            const stride = signs.code(6 + (neighbours >> 6), weights[at] > 0, code) ? 1 : -1;
            const magnitude = magnitudes[(neighbours & 56) === 0 ? 0 : 1];
            const wanted = (places[weights[at] + 128] - middle) * stride;
            let distance = 1;
            // Behind the last value of a sign, and where it has none, stands a 0.
            for (; alphabet[middle + distance * stride] !== 0; distance++) {
              const next = alphabet[middle + (distance + 1) * stride];
              if (next === 0 || !magnitude.code(middle + distance * stride, wanted > distance, code)) break;
            }
            weights[at] = alphabet[middle + distance * stride];
            onWeight(row, distance);
            onPart(false);
            cell = CELL + stride * SIGN_CELL + (16 * distance > 3 * values ? LARGE_CELL : 0);
          }
        }
        aboveLeft = up;
        left = cell;
        above[x] = lines > 1 ? cell : 0;
        if (++x < width) continue;
        x = left = aboveLeft = 0;
        if (--lines === 0) lines = height;
      }
    }
    return true;
  }
}

/** The probability that there is no weight: the less likely of yes and no has 2^-(1 + |logit|), linear between whole powers, and at least 64 of 65,536. */
function absence(logit: number): number {
  const size = Math.min(logit < 0 ? ~logit : logit, MOST_EXPONENT);
  const less = (32768 - ((size & 0xffff) >>> 2)) >>> (size >>> 16);
  return logit < 0 ? 65535 - less : less;
}
