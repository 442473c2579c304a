/** What `mote bench --only methods --save` draws of figures: made-up ones here, since the group trains for an hour. */
import { describe, expect, it } from "vitest";
import type { ExperimentRecord } from "../../host/report/experiment.js";
import { trialsOf } from "../../host/report/experiment.js";
import { lenet300 } from "../../host/train/nets.js";
import type { Figure } from "../../tools/bench/figure.js";
import { methodPlots } from "../../tools/bench/methods/plots.js";
import { curveFigures } from "../../tools/bench/methods/pruning.js";

function record(experiment: "scores" | "retraining"): ExperimentRecord {
  const trials = trialsOf(experiment, lenet300, false).map(({ recipe: _recipe, stages: _stages, ...settings }, i) => {
    return { ...settings, result: `stage-${i}`, error: 1 + i / 7, bytes: 1, codedBytes: 1 };
  });
  return { experiment, net: "lenet300", data: "mnist", isQuick: false, denseBytes: 1, trials };
}

const figure = (id: string, value: number): Figure => ({ id: `methods.${id}`, name: id, value, unit: "" });
const sized = (method: string, bytes: number, error: number): Figure[] => [
  figure(`${method}.bytes`, bytes),
  figure(`${method}.error`, error),
];
const figures: readonly Figure[] = [
  ...curveFigures(record("scores")),
  ...curveFigures(record("retraining")),
  ...[20, 10, 5].flatMap((share) => [
    ...sized(`low-rank.${share}`, 1000 * share, 8 / share),
    ...sized(`low-rank.pruning.${share}`, 2000 * share, 9 / share),
  ]),
  ...sized("ternary", 40_000, 2),
  ...[4, 16].flatMap((k) => sized(`pq.4.${k}`, 4000 * k, 2)),
  ...[8, 10, 12].map((bits) => figure(`fixed-point.nearest.${bits}`, 90 / bits)),
  figure("flatten.trained.error", 3),
  figure("flatten.trained.instructions", 1.3),
  { id: "sizes.core", name: "another group's", value: 11_000, unit: "B" },
];

const curvesIn = (text: string): number => text.match(/class="curve /g)?.length ?? 0;
const marksIn = (text: string): number => text.match(/class="mark /g)?.length ?? 0;

describe("the plots of methods", () => {
  const files = new Map(methodPlots(figures));

  it("are files of their own, with titles and words for who does not see them", () => {
    expect([...files.keys()]).toEqual(
      ["scores", "retraining", "sizes", "product", "fixed-point", "flatten"].map((name) => `methods-${name}.svg`),
    );
    for (const text of files.values()) {
      expect(text).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 720 [\d.]+"/);
      expect(text).toMatch(/<title>[^<]+<\/title><desc>[^<]+<\/desc>/);
      expect(text.trimEnd().endsWith("</svg>")).toBe(true);
      expect(text).not.toMatch(/NaN|undefined|Infinity/);
    }
  });

  it("have a curve for each method, and a mark for each point and name", () => {
    const scores = files.get("methods-scores.svg")!;
    expect([curvesIn(scores), marksIn(scores)]).toEqual([4, 4 * 5 + 4]);
    expect(scores).toContain("Optimal Brain Surgeon: weights left, %, logarithmic 50, error, % ");
    const retraining = files.get("methods-retraining.svg")!;
    expect([curvesIn(retraining), marksIn(retraining)]).toEqual([6, 6 * 4 + 6]);
    expect(marksIn(files.get("methods-sizes.svg")!)).toBe(3 + 3 + 1 + 3);
    expect(curvesIn(files.get("methods-product.svg")!)).toBe(1);
    // One series has no legend.
    expect(marksIn(files.get("methods-fixed-point.svg")!)).toBe(3);
    expect(files.get("methods-flatten.svg")).toContain("million instructions on a Cortex-M4 1.3, error, % 3");
  });

  it("are only those that figures are there for", () => {
    expect(methodPlots(figures.slice(-1))).toEqual([]);
    const only = methodPlots(figures.filter(({ id }) => id.startsWith("methods.fixed-point")));
    expect(only.map(([name]) => name)).toEqual(["methods-fixed-point.svg"]);
  });
});
