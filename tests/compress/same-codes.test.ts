/** Which changes of integers a layer's Huffman codes bear. */
import { describe, expect, it } from "vitest";
import { codeLengths, minimumLimit } from "../../host/codecs/huffman-codes.js";
import { movesOfSameCodes } from "../../host/compress/same-codes.js";
import { Random } from "../../host/rng.js";

const MAX_LIMIT = 12;

/** Of all values from -128 on, for each limit. */
function codesOf(integers: Int8Array): string[] {
  const counts = Array.from({ length: 256 }, () => 0);
  for (const q of integers) counts[q + 128]++;
  const codes: string[] = [];
  for (let limit = minimumLimit(counts); limit <= MAX_LIMIT; limit++)
    codes.push(codeLengths(counts, limit).lengths.join());
  return codes;
}

/** A bell of values without 0, of which `count` have gone up to two steps to others that there are. */
function drifted(size: number, count: number, spread: number): { before: Int8Array; after: Int8Array; ways: number[] } {
  const random = new Random(size + count);
  const bell = (): number => [1, 2, 3, 4].reduce((sum) => sum + random.integer(1000) / 1000, -2);
  const before = Int8Array.from({ length: size }, () => Math.round(bell() * spread) || 1);
  const values = [...new Set(before)];
  const ways = Array.from({ length: size }, () => 0);
  const after = before.map((q, index) => {
    if (index >= count) return q;
    const to = q + 2 * bell();
    ways[index] = Math.abs(to - q);
    return values.reduce((best, value) => (Math.abs(value - to) < Math.abs(best - to) ? value : best));
  });
  return { before, after, ways };
}

async function stayOf(before: Int8Array, after: Int8Array, ways: readonly number[]): Promise<[number[], number]> {
  let breaths = 0;
  const stay = await movesOfSameCodes(
    before,
    after,
    (index) => ways[index],
    async () => void breaths++,
  );
  return [stay, breaths];
}

describe("changes that stay", () => {
  it.each([
    [500, 100, 3, 0.6, 100],
    [6400, 1000, 8, 0.9, 400],
    [19_200, 5000, 20, 0.9, 4000],
  ])("of %i weights, %i of them changed, are most, found in few tries", async (size, count, spread, share, most) => {
    const { before, after, ways } = drifted(size, count, spread);
    const [stay, tries] = await stayOf(before, after, ways);
    const kept = before.slice();
    for (const index of stay) kept[index] = after[index];
    expect(codesOf(kept)).toEqual(codesOf(before));
    expect(codesOf(after)).not.toEqual(codesOf(before));
    const changed = [...before.keys()].filter((index) => after[index] !== before[index]);
    expect(stay.length).toBeGreaterThan(share * changed.length);
    expect(new Set(stay).size).toBe(stay.length);
    expect(tries).toBeLessThan(most);
    // Of those that are alike, none that goes back has gone farther than one that stays; and none that went back would have fitted.
    const stays = new Set(stay);
    for (const index of changed.filter((index) => !stays.has(index)).slice(0, 50)) {
      const alike = stay.filter((other) => before[other] === before[index] && after[other] === after[index]);
      for (const other of alike) expect(ways[other]).toBeGreaterThanOrEqual(ways[index]);
      const more = kept.slice();
      more[index] = after[index];
      expect(codesOf(more)).not.toEqual(codesOf(before));
    }
  });

  it("are all where the codes stay the same, and none of a layer that has not changed or is pruned wholly", async () => {
    const before = Int8Array.of(1, 1, 2, 2, 3, 3, 0, 0, 0, 0, 0, 0, 0);
    const after = Int8Array.of(2, 1, 1, 2, 3, 3, 0, 0, 0, 0, 0, 0, 0);
    const ways = [...before].map(() => 1);
    expect((await stayOf(before, after, ways))[0].toSorted()).toEqual([0, 2]);
    expect(await stayOf(before, before, ways)).toEqual([[], 0]);
    expect(await stayOf(new Int8Array(4), new Int8Array(4), ways)).toEqual([[], 0]);
  });
});
