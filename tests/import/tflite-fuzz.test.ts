/** What the reader makes of damaged files: a graph whose constants can be asked for, or an error that says what is wrong. */
import { expect, it } from "vitest";
import { FILE_TARGETS, fileAt, fileOutcome } from "../fuzz/files.js";

/** `MOTE_MUTATIONS=200000 npx vitest run tests/import` tries more; `npm run fuzz -- --target tflite` goes on as long as it is let. */
const MUTATIONS = Number(process.env["MOTE_MUTATIONS"] ?? 4000);

it(`${MUTATIONS} mutations are read or refused`, { timeout: 1_200_000 }, () => {
  const target = FILE_TARGETS.tflite;
  const seeds = target.seeds();
  const outcomes = new Map<string, number>();
  for (let index = 0; index < MUTATIONS; index++) {
    const outcome = fileOutcome(target, fileAt(target, seeds, 7, index));
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  expect([...outcomes.keys()].toSorted()).toEqual(["FORMAT", "UNSUPPORTED", "read"]);
  // Most of a file is values, and what is not is mostly noticed.
  expect(outcomes.get("read")).toBeGreaterThan(MUTATIONS / 20);
  expect(outcomes.get("FORMAT")).toBeGreaterThan(MUTATIONS / 20);
});
