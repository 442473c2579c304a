import { parse } from "csv-parse/sync";
import { PNG } from "pngjs";
import { describe, expect, test } from "vitest";
import { binsOf } from "../../host/report/charts.js";
import { evaluationPart } from "../../host/report/parts/evaluation.js";
import { paretoFront, paretoPart } from "../../host/report/parts/pareto.js";
import { dataUri, pngOf } from "../../host/report/png.js";
import { scaleOf } from "../../host/report/svg.js";
import { tableCsv, tableHtml, threeDigits, type Table } from "../../host/report/table.js";

const table: Table = {
  kind: "table",
  id: "t",
  caption: 'A <caption> & "more"',
  columns: [{ head: "name" }, { head: "a, b", show: (value) => `${value.toFixed(1)} %` }, { head: "c" }],
  rows: [
    ['one "two", three', 0.1 + 0.2, null],
    ["line\nend", -1e-7, "=1+1"],
    [" spaces ", 12345678.9, "<b>"],
  ],
};

test("CSV gives back every cell and every digit", () => {
  const [heads, ...rows] = parse(tableCsv(table)) as string[][];
  expect(heads).toEqual(["name", "a, b", "c"]);
  expect(rows.map(([name, a, c]) => [name, Number(a), c === "" ? null : c])).toEqual(table.rows);
});

test("HTML shows numbers as the column says, what is not known as a dash, and no markup of a cell's", () => {
  const html = tableHtml(table);
  expect(html).toContain('<td class="number">0.3 %</td><td>–</td>');
  expect(html).toContain("A &lt;caption&gt; &amp; &quot;more&quot;");
  expect(html).toContain("<td>&lt;b&gt;</td>");
  expect([0, 0.00012345, 0.012345, 12.345, 1234.5].map(threeDigits)).toEqual([
    "0",
    "1.23e-4",
    "0.0123",
    "12.3",
    "1,235",
  ]);
});

describe("axes", () => {
  test("have ticks at round numbers, the values between their ends", () => {
    const scale = scaleOf([0.3, 7.2], { label: "" }, [0, 100]);
    expect(scale.ticks).toEqual([0, 2, 4, 6, 8]);
    expect([scale(0), scale(4), scale(8)]).toEqual([0, 50, 100]);
    expect(scaleOf([1, 3], { label: "", isWhole: true }, [0, 1], 8).ticks).toEqual([1, 2, 3]);
    expect(scaleOf([5, 5], { label: "" }, [0, 1]).ticks.length).toBeGreaterThan(1);
    expect(scaleOf([], { label: "" }, [0, 1]).ticks.length).toBeGreaterThan(1);
  });

  test("by logarithm give equal factors equal room, and what has no logarithm a place", () => {
    const scale = scaleOf([10, 1000, 0, -1, NaN], { label: "", isLog: true }, [0, 1]);
    expect(scale(100) - scale(10)).toBeCloseTo(scale(1000) - scale(100), 10);
    expect(scale.ticks).toEqual([10, 30, 100, 300, 1000]);
    expect([scale(0), Number.isFinite(scale(-1))]).toEqual([0, true]);
  });

  test("of histograms count every value once", () => {
    const values = [-3, -3, 0, 1, 2, 2, 2];
    expect(binsOf(values, 80, true).map(({ from, count }) => [from, count])).toEqual([
      [-3, 2],
      [-2, 0],
      [-1, 0],
      [0, 1],
      [1, 1],
      [2, 3],
    ]);
    expect(binsOf(values, 3, true).map(({ count }) => count)).toEqual([2, 1, 4]);
    expect(binsOf([0.5, 0.5], 4).reduce((sum, { count }) => sum + count, 0)).toBe(2);
    expect(binsOf([], 4)).toEqual([]);
  });
});

test("a PNG of grey and one of colours, as another reader sees them", () => {
  const grey = Uint8Array.from({ length: 6 }, (_, at) => 40 * at);
  const read = PNG.sync.read(Buffer.from(pngOf(grey, 3, 2)));
  expect([read.width, read.height]).toEqual([3, 2]);
  expect(grey.map((_, at) => read.data[4 * at])).toEqual(grey);
  const colours = Uint8Array.from({ length: 18 }, (_, at) => 13 * at);
  const { data } = PNG.sync.read(Buffer.from(pngOf(colours, 2, 3)));
  expect(colours.map((_, at) => data[4 * Math.floor(at / 3) + (at % 3)])).toEqual(colours);
  expect(() => pngOf(grey, 3, 1)).toThrow("6 values for 3 × 1");
  expect(dataUri(Uint8Array.of(0, 255, 16))).toBe("data:image/png;base64,AP8Q");
});

test("a Pareto front has the jobs that no other beats in both", () => {
  const jobs = [
    [30, 1],
    [10, 3],
    [20, 3],
    [20, 2],
    [10, 4],
    [40, 1],
  ].map(([bytes, error]) => {
    return { name: `${bytes}-${error}`, bytes, error };
  });
  expect(paretoFront(jobs).map(({ name }) => name)).toEqual(["10-3", "20-2", "30-1"]);
});

test("a sweep of more jobs than a call takes arguments, all but one of which others beat, is shown", () => {
  const jobs = Array.from({ length: 300_000 }, (_, i) => ({ name: String(i), bytes: 1000 + i, error: 1 + i }));
  const { blocks, data } = paretoPart({ jobs, metric: "accuracy", source: "sweep.csv" });
  expect(blocks[0]).toMatchObject({ description: expect.stringContaining("300000 jobs of sweep.csv, 1 of which") });
  expect(data).toMatchObject([{ rows: { length: 300_000 } }]);
});

test("what is taken for what is a matrix of few classes, and of many a list of what occurs", () => {
  const part = (classes: number) =>
    evaluationPart({
      source: "s",
      labels: [0, 0, 1],
      names: Array.from({ length: classes }, (_, at) => `c${at}`),
      models: [{ name: "m", bytes: 1, classes: Uint16Array.of(0, 1, 1) }],
      confusion: [
        { label: 0, class: 0, samples: 1 },
        { label: 0, class: 1, samples: 1 },
        { label: 1, class: 1, samples: 1 },
      ],
      worst: [],
    });
  const matrix = part(2).blocks.find(({ kind }) => kind === "matrix");
  expect(matrix).toMatchObject({
    counts: [
      [1, 1],
      [0, 1],
    ],
  });
  const many = part(50_000);
  expect(many.blocks.map(({ kind }) => kind)).not.toContain("matrix");
  expect(many.data!.find(({ id }) => id === "confusion")!.rows).toEqual([
    ["c0", "c0", 1],
    ["c0", "c1", 1],
    ["c1", "c1", 1],
  ]);
});
