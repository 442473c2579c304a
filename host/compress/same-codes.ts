/**
 * Which of the changes to a layer's integers leave the Huffman codes of its values as they are: other codes would change every bit behind the first. All
 * counts of which given codes are the best lie together, those between two such ones too, so halving finds how many changes of a kind there is room for.
 */
import { MAX_CODE_LENGTH } from "../../assembly/format.js";
import { codeLengths, minimumLimit } from "../codecs/huffman-codes.js";

/** Codes made at most for a layer, each for every limit: some ten seconds with 255 values. What has been found by then counts. */
const MOST_TRIES = 20_000;

/** Changes from one value to another. */
interface Move {
  /** Places of the values in their order. */
  readonly from: number;
  readonly to: number;
  /** What has changed so: the farthest first. */
  readonly indices: number[];
  /** How many of these stay. */
  kept: number;
}

/**
 * @param before a layer's integers as they are coded now
 * @param after of the same length; 0 where they were 0, and else values that occur in `before`
 * @param way how far each has gone, by its index: of changes that are alike, the farthest stay
 * @param breathe called before each try of codes
 * @returns indices of changes that stay
 */
export async function movesOfSameCodes(
  before: Int8Array,
  after: Int8Array,
  way: (index: number) => number,
  breathe: () => Promise<void>,
): Promise<number[]> {
  const counts = countsOf(before);
  const values = [...counts.keys()];
  const moves = movesBetween(before, after, values, way);
  if (moves.length === 0) return [];
  const now = new Codes([...counts.values()]);
  let tries = 0;

  /** Lets as many changes of these moves stay as there is room for, the same share of each. Returns how many. */
  const fill = async (some: readonly Move[]): Promise<number> => {
    const open = some.map(({ indices, kept }) => indices.length - kept);
    const most = Math.max(...open);
    let all = 0;
    for (let share = 1; share * most >= 1 && tries < MOST_TRIES; share /= 2) {
      const more = some.map(({ indices, kept }, i) => Math.min(indices.length - kept, Math.floor(open[i] * share)));
      const count = more.reduce((sum, added) => sum + added, 0);
      if (count === 0) continue;
      await breathe();
      tries++;
      if (!now.takes(some, more)) continue;
      some.forEach((move, i) => (move.kept += more[i]));
      all += count;
    }
    return all;
  };

  // Together, since changes there and back make up for each other; then each by itself, until none is left that fits.
  await fill(moves);
  for (let added = 1; added > 0;) {
    added = 0;
    for (const move of moves) added += await fill([move]);
  }
  return moves.flatMap(({ indices, kept }) => indices.slice(0, kept));
}

/** How often each value occurs, in their order. Zeros are one of them where they are not the most, as the packer has it. */
function countsOf(integers: Int8Array): Map<number, number> {
  const counts = new Map<number, number>();
  for (const q of integers.toSorted()) counts.set(q, (counts.get(q) ?? 0) + 1);
  if (2 * (counts.get(0) ?? 0) > integers.length) counts.delete(0);
  return counts;
}

/** Those that have a change gone farthest first. */
function movesBetween(
  before: Int8Array,
  after: Int8Array,
  values: readonly number[],
  way: (index: number) => number,
): Move[] {
  const places = new Map(values.map((value, place) => [value, place]));
  const changed = [...before.keys()].filter((index) => after[index] !== before[index]);
  const ways = new Map(changed.map((index) => [index, way(index)]));
  changed.sort((a, b) => ways.get(b)! - ways.get(a)!);
  const moves = new Map<number, Move>();
  for (const index of changed) {
    const [from, to] = [places.get(before[index])!, places.get(after[index])!];
    const key = from * values.length + to;
    const move = moves.get(key);
    if (move === undefined) moves.set(key, { from, to, indices: [index], kept: 0 });
    else move.indices.push(index);
  }
  return [...moves.values()];
}

/** Counts of a layer's values, which change as long as the codes stay the same for each limit of theirs. */
class Codes {
  readonly #least: number;
  /** Lengths, by limit, from `#least` on. */
  readonly #lengths: readonly Uint8Array[];

  constructor(readonly counts: number[]) {
    this.#least = minimumLimit(counts);
    this.#lengths = Array.from(
      { length: MAX_CODE_LENGTH - this.#least + 1 },
      (_, i) => codeLengths(counts, this.#least + i).lengths,
    );
  }

  /** Counts so many changes of each move, unless the codes would be others. */
  takes(moves: readonly Move[], changes: readonly number[]): boolean {
    const move = (sign: 1 | -1): void =>
      moves.forEach(({ from, to }, i) => {
        this.counts[from] -= sign * changes[i];
        this.counts[to] += sign * changes[i];
      });
    move(1);
    const areSame = this.#lengths.every((lengths, i) =>
      codeLengths(this.counts, this.#least + i).lengths.every((length, place) => length === lengths[place]),
    );
    if (!areSame) move(-1);
    return areSame;
  }
}
