import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { plotLines, sweepPlot } from "../../host/report/sweep-plot.js";
import { csvOf, groupsOf, rowOf } from "../../host/sweep/summary.js";
import { parseVariation, variantsOf } from "../../host/sweep/vary.js";
import { writeSweep } from "../../tools/sweep-results.js";
import { tinyRecipe } from "./support.js";

const variants = variantsOf(JSON.stringify(tinyRecipe), "tiny.json", [
  parseVariation("teacher.seed=1,2"),
  parseVariation('stages[0].units={"fc1":4},{"fc1":6}'),
]);
const made = (bytes: number, error: number) => ({
  stages: [{ stage: "calibrate", error: 0, metric: "accuracy" as const, nonZeros: 5, weights: 9, estimatedBytes: 1 }],
  model: { container: "ab", bytes, error, metric: "accuracy" as const, errors: error },
});
const rows = variants.map((variant, i) =>
  rowOf(i + 1, variant, [made(100, 4), made(200, 2), made(110, 8), { problem: 'a "bad", one' }][i]),
);

describe("the results of a sweep", () => {
  test("have mean and spread over seeds, of what came to a model", () => {
    const flat = { deviation: 0 };
    expect(groupsOf(rows)).toEqual([
      {
        values: { "stages[0].units": { fc1: 4 } },
        count: 2,
        bytes: { mean: 105, deviation: Math.sqrt(50), least: 100, most: 110 },
        validationError: { mean: 6, deviation: Math.sqrt(8), least: 4, most: 8 },
      },
      {
        values: { "stages[0].units": { fc1: 6 } },
        count: 1,
        bytes: { mean: 200, ...flat, least: 200, most: 200 },
        validationError: { mean: 2, ...flat, least: 2, most: 2 },
      },
    ]);
  });

  test("as CSV", () => {
    expect(csvOf(rows).split("\r\n")).toEqual([
      "variant,teacher.seed,stages[0].units,bytes,validationError,metric,validationErrors,nonZeros,weights,sha256,problem",
      '1,1,"{""fc1"":4}",100,4,accuracy,4,5,9,ab,',
      '2,1,"{""fc1"":6}",200,2,accuracy,2,5,9,ab,',
      '3,2,"{""fc1"":4}",110,8,accuracy,8,5,9,ab,',
      '4,2,"{""fc1"":6}",,,,,,,,"a ""bad"", one"',
      "",
    ]);
  });
});

test("a sweep's folder has the models of its rows alone, whatever an earlier one left there", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mote-sweep-results-"));
  const files = (): string[] => (readdirSync(folder, { recursive: true }) as string[]).toSorted();
  const write = (made: typeof rows): Promise<string[]> =>
    writeSweep(folder, "tiny.json", variants, made, async ({ variant }) => Uint8Array.of(variant));
  const tables = ["models", "sweep.csv", "sweep.json"];
  const recipes = [1, 2, 3, 4].map((n) => `models/${n}.json`);
  const failed = rows.map((_, i) => rowOf(i + 1, variants[i], { problem: "diverged" }));
  try {
    mkdirSync(join(folder, "models"));
    for (const name of ["10.mote", "4.mote", "mine.mote"]) writeFileSync(join(folder, "models", name), "");
    writeFileSync(join(folder, "sweep.svg"), "");
    // Nothing says that a sweep has been here.
    await write(rows);
    const models = ["1.mote", "2.mote", "3.mote"].map((name) => `models/${name}`);
    const others = ["models/10.mote", "models/4.mote", "models/mine.mote"];
    expect(files()).toEqual([...tables, ...recipes, ...models, ...others, "sweep.svg"].toSorted());
    await write(rows);
    expect(files()).toEqual([...tables, ...recipes, ...models, "models/mine.mote", "sweep.svg"].toSorted());
    await write(failed);
    expect(files()).toEqual([...tables, ...recipes, "models/mine.mote"].toSorted());
    await write(rows.slice(0, 1));
    expect(files()).toEqual([...tables, "models/1.json", "models/1.mote", "models/mine.mote", "sweep.svg"].toSorted());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

const points = [
  [3000, 1.2],
  [2000, 2],
  [2000, 1.5],
  [1500, 1.9],
  [3500, 1.3],
].map(([bytes, error]) => ({ bytes, error, name: `<${bytes}>` }));

describe("the plot of a sweep", () => {
  test("is a picture with a point for each model, whose names are no markup", () => {
    const svg = sweepPlot("a & b", "accuracy", points, [{ ...points[0], bytesDeviation: 10, errorDeviation: 0.1 }]);
    expect(svg.match(/class="point"/g)).toHaveLength(5);
    expect(svg.match(/class="mean"/g)).toHaveLength(1);
    expect(svg).toContain("<title>a &amp; b</title>");
    expect(svg).toContain("&lt;3000&gt;");
    expect(svg).toContain(">error, %<");
    expect(sweepPlot("", "mse", points, [])).toContain(">mean squared error<");
    expect(plotLines("mse", points)[0].trim()).toBe("mean squared error");
    const [, line] = /class="front" points="([^"]*)"/.exec(svg)!;
    const places = line.split(" ").map((place) => place.split(",").map(Number));
    expect(places).toHaveLength(3);
    // Smaller is to the left, better is below.
    expect(places.every(([x, y], i) => i === 0 || (x > places[i - 1][0] && y > places[i - 1][1]))).toBe(true);
    for (const [x, y] of places) expect([x > 0 && x < 760, y > 0 && y < 460]).toEqual([true, true]);
  });

  test.each([
    ["many", points],
    ["one", points.slice(0, 1)],
    ["equal ones", [points[0], points[0]]],
    [
      "errors of 0",
      [
        { bytes: 1e7, error: 0, name: "" },
        { bytes: 2e7, error: 0, name: "" },
      ],
    ],
  ])("in characters fits a terminal of 80 columns: %s", (_, some) => {
    const lines = plotLines("accuracy", some);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    const shown = lines
      .slice(1, -3)
      .join("")
      .match(/[o*2-9](?=[^┤]*$|[ o*]*)/g)!;
    expect(shown.length).toBeGreaterThan(0);
    expect(lines.join("\n")).not.toMatch(/NaN|undefined|Infinity/);
    expect(sweepPlot("", "mse", some, [])).not.toMatch(/NaN|undefined|Infinity/);
  });

  test("in characters has marks where the numbers say", () => {
    const cells = plotLines("accuracy", points)
      .slice(1, -3)
      .map((line) => line.slice(9));
    const marks = cells.flatMap((line, row) =>
      [...line.matchAll(/[o*\d]/g)].map(({ 0: mark, index }) => [mark, row, index]),
    );
    expect(marks.map(([mark]) => mark).toSorted()).toEqual(["*", "*", "*", "o", "o"]);
    const columns = marks.filter(([mark]) => mark === "*").map(([, , column]) => column as number);
    // From the top: the worst and smallest first.
    expect(columns).toEqual(columns.toSorted((a, b) => a - b));
  });
});
