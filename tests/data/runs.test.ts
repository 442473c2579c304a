import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zipSync } from "fflate";
import { afterAll, describe, expect, it } from "vitest";
import type { TensorInfo } from "../../host/engines/engine.js";
import { loadRuns, randomRuns, type Runs } from "../../host/node/data/runs.js";
import { npyOf } from "../support/npy.js";

const work = mkdtempSync(join(tmpdir(), "mote-runs-"));
afterAll(() => rmSync(work, { recursive: true }));

const input = (...shape: [number, number, number]): TensorInfo => ({ shape, scale: 1 / 255, zeroPoint: -128 });
const modelOf = (...inputs: TensorInfo[]) => ({ inputs, hasStates: false });
const archive = (name: string, arrays: Record<string, Uint8Array>): string => {
  const path = join(work, name);
  writeFileSync(path, zipSync(Object.fromEntries(Object.entries(arrays).map(([key, npy]) => [`${key}.npy`, npy]))));
  return path;
};

function filled({ fill }: Runs, index: number, ...sizes: number[]): number[][] {
  const elements = sizes.map((size) => new Int8Array(size));
  fill(index, elements);
  return elements.map((values) => [...values]);
}

describe("runs of a model", () => {
  const own = npyOf(Int8Array.of(1, -2, 3, -4, 5, -6), 3, 2, 1, 1);
  const real = npyOf(Float32Array.of(0, 1, 0.5), 3, 1);
  const both = archive("both.npz", { input1: real, input0: own, output0: real });

  it("with one input are those of a data set; bytes that lie as the input does are pixels", () => {
    const path = join(work, "x.npy");
    writeFileSync(path, npyOf(Uint8Array.of(0, 255, 128, 7), 2, 1, 1, 2));
    const runs = loadRuns(path, modelOf(input(1, 1, 2)), {});
    expect([runs.count, runs.source, runs.pixels]).toEqual([2, "x.npy", Uint8Array.of(0, 255, 128, 7)]);
    expect(filled(runs, 1, 2)).toEqual([[0, -121]]);
    expect(loadRuns(path, modelOf(input(1, 1, 2)), { reading: { scale: 1 } }).pixels).toBeUndefined();
    expect(loadRuns(path, modelOf(input(2, 1, 1)), {}).pixels).toBeUndefined();
    // An archive of vectors is a data set of its first input.
    expect(filled(loadRuns(both, modelOf(input(2, 1, 1)), {}), 2, 2)).toEqual([[5, -6]]);
  });

  it("with several take an array of an archive for each, or a part of all of them", () => {
    const model = modelOf(input(2, 1, 1), input(1, 1, 1));
    const runs = loadRuns(both, model, {});
    expect(runs.count).toBe(3);
    expect(filled(runs, 1, 2, 1)).toEqual([[3, -4], [127]]);
    const first = loadRuns(`${both}:2`, model, {});
    expect([first.count, filled(first, 1, 2, 1)]).toEqual([2, [[3, -4], [127]]]);
    expect(loadRuns(`${both}:train@3:1`, model, {}).count).toBe(1);
  });

  it("with states are steps of samples, of each input as many", () => {
    const model = { ...modelOf(input(2, 1, 1), input(1, 1, 1)), hasStates: true };
    const [pairs, singles] = [
      npyOf(
        Int8Array.from({ length: 12 }, (_, i) => i),
        3,
        2,
        2,
      ),
      npyOf(Int8Array.of(1, 2, 3), 3),
    ];
    const steps = archive("steps.npz", { input0: pairs, input1: npyOf(Int8Array.of(9, 8, 7, 6, 5, 4), 3, 2) });
    const runs = loadRuns(steps, model, {});
    expect(runs).toMatchObject({ count: 6, perSample: 2, perStream: 2 });
    expect(filled(runs, 3, 2, 1)).toEqual([[6, 7], [6]]);
    expect(() => loadRuns(archive("odd.npz", { input0: pairs, input1: singles }), model, {})).toThrow(
      "odd.npz: 2 and 1 steps for the inputs, expected as many for each",
    );
    expect(() => loadRuns(steps, { ...model, hasStates: false }, {})).toThrow("the model takes images of [2, 1, 1]");
    expect(loadRuns(both, model, {}, 3)).toMatchObject({ count: 3, perSample: 1, perStream: 3 });
  });

  it("are refused where an array is missing, or has another count", () => {
    const model = modelOf(input(2, 1, 1), input(1, 1, 1));
    const uneven = archive("uneven.npz", { input0: own, input1: npyOf(Float32Array.of(0, 1), 2, 1) });
    expect(() => loadRuns(uneven, model, {})).toThrow("3 and 2 samples for the inputs, expected as many for each");
    expect(() => loadRuns(archive("one.npz", { input0: own }), model, {})).toThrow(
      "one.npz: no array input1, expected one of input0",
    );
    expect(() => loadRuns(join(work, "x.npy"), model, {})).toThrow("is no .npz archive with an array input0");
  });

  it("by chance are the same for a seed and an index", () => {
    const [few, many] = [randomRuns(2, 5), randomRuns(9, 5)];
    expect(filled(few, 1, 3, 4)).toEqual(filled(many, 1, 3, 4));
    expect(filled(few, 0, 30)).not.toEqual(filled(few, 1, 30));
    expect(filled(few, 0, 30)).not.toEqual(filled(randomRuns(2, 6), 0, 30));
  });
});
