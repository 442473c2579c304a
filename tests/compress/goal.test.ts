/** What a search and the stage "biases" take for no worse than they were told to allow. */
import { expect, test } from "vitest";
import { mostError } from "../../host/compress/goal.js";

/** Wrong samples of so many as `evaluateOutputs` has them. */
const shareOf = (errors: number, count: number): number => 1 - (1 - errors / count);

test.each([1000, 5000, 10_000])("an error that is the limit is within it, and a sample more is not: of %d", (count) => {
  for (const points of [0, 0.1, 0.2, 0.5, 1, 2]) {
    const more = Math.round((points * count) / 100);
    for (let given = 0; given < count / 5; given++) {
      const percent = mostError({ maxDrop: points }, 100 * shareOf(given, count), "accuracy");
      const share = mostError({ maxDrop: points / 100 }, shareOf(given, count), "accuracy");
      const wrong = (errors: number): boolean[] => [
        100 * shareOf(errors, count) <= percent,
        shareOf(errors, count) <= share,
      ];
      const found = [...wrong(given + more), ...wrong(given + more + 1)].join();
      if (found !== "true,true,false,false") expect.unreachable(`${given} and ${points} points: ${found}`);
    }
  }
});

test("of a mean squared error it is percent of that", () => {
  expect(mostError({ maxDrop: 10 }, 0.3, "mse")).toBeCloseTo(0.33, 8);
  expect(mostError({}, 0.3, "mse")).toBe(Infinity);
});
