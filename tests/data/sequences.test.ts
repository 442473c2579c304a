/** When states are reset: the one rule that all who run models and nets with states go by. */
import { expect, test } from "vitest";
import { beginsStream, ONE_STREAM, placeOfRun, sampleEndedBy, streamsOf } from "../../host/data/sequences.js";
import { MoteError } from "../../host/errors.js";

const setOf = (count: number, ...shape: readonly number[]) => {
  const images = new Float32Array(count * shape.reduce((product, size) => product * size, 1));
  return { count, shape, images, labels: new Uint8Array(count) };
};
const STEP = [4, 1, 1] as const;
const indices = (count: number, has: (run: number) => boolean): number[] =>
  Array.from({ length: count }, (_, run) => run).filter(has);

test.each([
  ["each sample by itself", undefined, [0, 1, 2, 3, 4, 5]],
  ["by ones", 1, [0, 1, 2, 3, 4, 5]],
  ["by twos", 2, [0, 2, 4]],
  ["by fours, of which two are left over", 4, [0, 4]],
  ["as one", Infinity, [0]],
])("samples of one step begin streams %s", (_, steps, begins) => {
  const streams = streamsOf(setOf(6, 4), STEP, true, steps);
  expect(indices(6, (run) => beginsStream(run, streams))).toEqual(begins);
  expect(streams).toMatchObject({ perSample: 1, runs: { count: 6, labels: new Uint8Array(6) } });
  expect(placeOfRun(5, streams)).toEqual({ sample: 5 });
  expect(sampleEndedBy(5, streams)).toBe(5);
});

test.each([[[3, 4]], [[1, 3, 4]], [[12]]])("samples of %j are streams of their own", (shape) => {
  const streams = streamsOf(setOf(2, ...shape), STEP, true);
  expect(streams).toMatchObject({ perSample: 3, perStream: 3, runs: { count: 6 } });
  expect(streams.runs).not.toHaveProperty("labels");
  expect(indices(6, (run) => beginsStream(run, streams))).toEqual([0, 3]);
  expect(indices(6, (run) => sampleEndedBy(run, streams) !== undefined)).toEqual([2, 5]);
  expect([0, 2, 4].map((run) => placeOfRun(run, streams))).toEqual([
    { sample: 0, step: 0 },
    { sample: 0, step: 2 },
    { sample: 1, step: 1 },
  ]);
});

test("samples of several steps are no parts of a stream, and without states no sequences", () => {
  for (const steps of [2, Infinity]) {
    expect(() => streamsOf(setOf(2, 3, 4), STEP, true, steps)).toThrow(
      new MoteError(
        "ARGUMENT",
        "--steps: each sample is a stream of 3 steps of its own; expected samples of one step, or no --steps",
      ),
    );
  }
  expect(streamsOf(setOf(2, 3, 4), STEP, false, 2)).toMatchObject({ perSample: 1, runs: { count: 2, shape: [3, 4] } });
  expect(() => streamsOf(setOf(2, 4, 3), STEP, true)).toThrow(/samples of \[4, 3\], expected steps of 4 one behind/);
});

test("all runs may be one stream", () => {
  expect(indices(9, (run) => beginsStream(run, ONE_STREAM))).toEqual([0]);
});
