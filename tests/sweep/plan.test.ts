import { describe, expect, test } from "vitest";
import { MoteError } from "../../host/errors.js";
import { planJobs } from "../../host/sweep/plan.js";
import { runInOrder } from "../../host/sweep/runner.js";

/** "abc" is made by the results a, ab, abc. */
const results = (text: string): string[] => Array.from(text, (_, i) => text.slice(0, i + 1));
const planned = (...texts: string[]) =>
  planJobs(texts.map(results)).map(({ name, variant, steps, after, neededBy, isLast }) => [
    name,
    variant,
    steps,
    after,
    neededBy.join(""),
    isLast,
  ]);

describe("jobs", () => {
  test("are one for what several variants need, and one for what each needs alone", () => {
    expect(planned("tbxy")).toEqual([["tbxy", 0, 4, undefined, "0", true]]);
    expect(planned("tbxy", "tbzw", "tbzv", "uq")).toEqual([
      ["tb", 0, 2, undefined, "012", false],
      ["tbxy", 0, 4, "tb", "0", true],
      ["tbz", 1, 3, "tb", "12", false],
      ["tbzw", 1, 4, "tbz", "1", true],
      ["tbzv", 2, 4, "tbz", "2", true],
      ["uq", 3, 2, undefined, "3", true],
    ]);
  });

  test("end where a variant ends, and variants that are the same share theirs", () => {
    expect(planned("ab", "abcd", "ab")).toEqual([
      ["ab", 0, 2, undefined, "012", true],
      ["abcd", 1, 4, "ab", "1", true],
    ]);
  });
});

describe("running in order", () => {
  const jobs = planJobs(["tbx", "tby", "u"].map(results));
  const pause = () => new Promise((resolve) => setTimeout(resolve, 5));

  test("starts a job when the one that it waits for is done", async () => {
    const log: string[] = [];
    await runInOrder({
      jobs,
      signal: new AbortController().signal,
      run: async ({ name }) => {
        log.push(`${name} starts`);
        await pause();
        log.push(`${name} ends`);
      },
    });
    expect(log.slice(0, 2)).toEqual(["tb starts", "u starts"]);
    expect(log.toSorted()).toEqual(["tb", "tbx", "tby", "u"].flatMap((name) => [`${name} ends`, `${name} starts`]));
    for (const name of ["tbx", "tby"]) expect(log.indexOf(`${name} starts`)).toBeGreaterThan(log.indexOf("tb ends"));
  });

  test("stops what runs when a job fails, starts nothing more and says why", async () => {
    const log: string[] = [];
    const run = runInOrder({
      jobs,
      signal: new AbortController().signal,
      run: async ({ name }, signal) => {
        log.push(name);
        if (name === "tb") throw new MoteError("FILE", "no room");
        while (!signal.aborted) await pause();
        throw new MoteError("INTERRUPTED", "stopped");
      },
    });
    await expect(run).rejects.toThrow("no room");
    expect(log).toEqual(["tb", "u"]);
  });
});
