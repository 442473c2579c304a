import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseRecipe } from "../../host/compress/recipe.js";
import { dataDigest } from "../../host/compress/digest.js";
import { workNames } from "../../host/compress/run-recipe.js";
import { writeContainer } from "../../host/container/write.js";
import { sharedBytes, type LabelledPictures } from "../../host/data/samples.js";
import { runRecipe } from "../../host/node/compress/run-recipe.js";
import { DiskWorkFolder } from "../../host/node/compress/work-folder.js";
import { gatherReport } from "../../host/node/report/gather.js";
import { findRun } from "../../host/node/report/run-files.js";
import { readSweep } from "../../host/node/report/sweep-table.js";
import { writeReport } from "../../host/node/report/write-report.js";
import { quantize } from "../../host/quantize/quantize.js";
import { isMissing, pageHtml, type Page } from "../../host/report/page.js";
import { csvFiles, makeReport, type ReportData } from "../../host/report/report.js";
import { RunRecorder, type RunRecord } from "../../host/report/run-record.js";
import { Random } from "../../host/rng.js";

/** Ten easy classes: a bright stripe at one of ten heights, on noise. */
function stripes(count: number, seed: number): LabelledPictures {
  const random = new Random(seed);
  const [images, labels] = [sharedBytes(count * 784), sharedBytes(count)];
  for (let i = 0; i < count; i++) {
    labels[i] = random.integer(10);
    for (let p = 0; p < 784; p++) {
      const row = Math.floor(p / 28);
      images[i * 784 + p] = random.integer(60) + (Math.abs(row - 3 - 2.4 * labels[i]) < 1.2 ? 150 : 0);
    }
  }
  return { count, images, labels };
}

const recipe = parseRecipe(
  JSON.stringify({
    net: "lenet300",
    batch: 32,
    teacher: { epochs: 4, lr: 0.002, augment: 0 },
    stages: [
      { kind: "narrow", units: { fc1: 12, fc2: 8 } },
      { kind: "train", epochs: 12, lr: 0.003 },
      { kind: "prune", keep: 0.2, epochs: 4, lr: 0.002 },
      { kind: "share", bits: { fc1: 3, fc2: 3 }, epochs: 1, lr: 0.0003 },
      { kind: "grid", step: { fc3: "auto" }, epochs: 2, lr: 0.001, parts: 4 },
      { kind: "dead-units" },
      { kind: "calibrate", samples: 64 },
    ],
  }),
  "recipe",
);
const [train, validation] = [stripes(256, 1), stripes(96, 2)];

let work: string;
let data: ReportData;
let page: Page;
let html: string;
let record: RunRecord;
beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), "mote-report-"));
  const recorder = new RunRecorder(new DiskWorkFolder(work, () => undefined), {
    recipe,
    names: await workNames(recipe, { data: await dataDigest({ train, validation }) }),
    data: "stripes",
    folder: work,
  });
  const { net } = await runRecipe({
    recipe,
    data: { train, validation },
    work,
    threads: 1,
    onStage: (stage) => recorder.stage(stage),
  });
  const container = writeContainer(quantize(net));
  recorder.finish({ bytes: container.length, error: 1.25 });
  writeFileSync(join(work, "recipe.json"), JSON.stringify(recipe));
  const run = findRun(join(work, "recipe.json"), work);
  ({ record } = run);
  const { images, labels, count } = validation;
  const sweep = join(work, "sweep.csv");
  writeFileSync(sweep, 'job,bytes,errorPercent\na,100,2\nb,200,1\n"<i>c",300,3\nfailed,,\n');
  data = await gatherReport({
    name: "<script>alert(1)</script>",
    run,
    samples: () => {
      return {
        set: { images, labels, count, shape: [1, 28, 28], source: "stripes & more" },
        samples: validation,
        train,
      };
    },
    sweep: readSweep(sweep),
    duration: 50,
  });
  page = makeReport(data);
  html = pageHtml(page);
}, 60_000);
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** Names and attributes of all tags in order; every one that is opened is closed again. */
function tagsOf(markup: string): { name: string; attributes: ReadonlyMap<string, string>; inner: string }[] {
  const VOID = ["meta", "link", "img"];
  const open: string[] = [];
  const tags: { name: string; attributes: ReadonlyMap<string, string>; inner: string }[] = [];
  const style = /<style>[^<]*<\/style>/g;
  for (const match of markup
    .replace(style, "<style></style>")
    .replace("<!doctype html>", "")
    .matchAll(/<(\/?)([a-zA-Z][\w-]*)((?:\s+[\w:-]+(?:="[^"<>]*")?)*)\s*(\/?)>|[<>]/g)) {
    const [tag, close, name, attributes, isEmpty] = match;
    expect(name, `a stray ${tag} before ${markup.slice(match.index, match.index + 60)}`).toBeDefined();
    if (close === "/") {
      expect(open.pop()).toBe(name);
      continue;
    }
    const pairs = [...attributes.matchAll(/([\w:-]+)(?:="([^"]*)")?/g)].map(
      ([, key, value = ""]) => [key, value] as const,
    );
    tags.push({ name, attributes: new Map(pairs), inner: "" });
    if (isEmpty !== "/" && !VOID.includes(name)) open.push(name);
  }
  expect(open).toEqual([]);
  return tags;
}

describe("the page", () => {
  test("is one well-formed file: no script, nothing from elsewhere, no markup of what it was given", () => {
    const tags = tagsOf(html);
    expect(tags.map(({ name }) => name)).not.toContain("script");
    for (const { name, attributes } of tags) {
      for (const [key, value] of attributes) {
        expect(key, name).not.toMatch(/^on/);
        if (key === "href") expect(value).toMatch(/^#[\w-]+$|^data:,$/);
        if (key === "src") expect(value).toMatch(/^data:image\/png;base64,[\w+/]+=*$/);
      }
    }
    const style = /<style>([^<]*)<\/style>/.exec(html)![1];
    expect(style).not.toMatch(/@import|url\(|https?:/);
    expect(html.replaceAll("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:/);
    expect(html).toContain("<h1>&lt;script&gt;alert(1)&lt;/script&gt;: report</h1>");
    expect(html).not.toContain("NaN");
    expect(html).not.toContain("Infinity");
  });

  test("says what its pictures show, has a caption for each table, and headings that its contents lead to", () => {
    const tags = tagsOf(html);
    const ids = tags.flatMap(({ attributes }) => attributes.get("id") ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    const count = (name: string): number => tags.filter((tag) => tag.name === name).length;
    const pictures = tags.filter(({ name }) => name === "svg");
    expect(pictures.length).toBeGreaterThan(15);
    for (const { attributes } of pictures) {
      expect(attributes.get("role")).toBe("img");
      const [title, text, ...more] = attributes.get("aria-labelledby")!.split(" ");
      expect(more).toEqual([]);
      expect(html).toMatch(new RegExp(`<title id="${title}">[^<]+</title><desc id="${text}">[^<]{20,}</desc>`));
    }
    expect(count("figcaption")).toBe(pictures.length);
    const images = tags.filter(({ name }) => name === "img");
    for (const { attributes } of images) expect(attributes.get("alt")).toMatch(/^Sample \d+, labelled \d$/);
    expect(images.length).toBe(data.evaluation!.worst.length);
    expect([count("h1"), count("caption")]).toEqual([1, count("table")]);
    const targets = tags.flatMap(({ name, attributes }) => (name === "a" ? attributes.get("href")!.slice(1) : []));
    expect(targets.length).toBe(count("h2"));
    for (const target of targets) expect(ids).toContain(target);
    for (const { attributes } of tags) {
      const labelled = attributes.get("aria-labelledby");
      for (const id of labelled?.split(" ") ?? []) expect(ids).toContain(id);
    }
  });

  test("has the numbers of the record", () => {
    expect(record.stages.map(({ stage }) => stage)).toEqual([
      "teacher",
      "1 narrow",
      "2 train",
      "3 prune",
      "4 share",
      "5 grid",
      "6 dead-units",
      "7 calibrate",
    ]);
    const table = html.slice(html.indexOf('<caption id="table-stages">'));
    const rows = [...table.slice(0, table.indexOf("</table>")).matchAll(/<tr><th scope="row">(.*?)<\/th>(.*?)<\/tr>/g)];
    const cells = rows.map(([, name, rest]) => [
      name,
      ...[...rest.matchAll(/<td[^>]*>(.*?)<\/td>/g)].map(([, cell]) => cell),
    ]);
    expect(
      cells.slice(0, -1).map(([name, error, nonZeros, , bytes, epochs]) => [name, error, nonZeros, bytes, epochs]),
    ).toEqual(
      record.stages.map(({ stage, error, nonZeros, bytes, epochs }) => [
        stage,
        `${error.toFixed(2)} %`,
        nonZeros.toLocaleString("en"),
        `${bytes.toLocaleString("en")} B`,
        String(epochs),
      ]),
    );
    expect(cells.at(-1)!.slice(0, 2)).toEqual(["packed, as integers", "1.25 %"]);
  });

  test("has all its parts, of one run and its nets", () => {
    const there = page.parts.filter((part) => !isMissing(part)).map(({ id }) => id);
    expect(there).toEqual([
      "run",
      "quality",
      "layers",
      "weights",
      "inits",
      "sensitivity",
      "speed",
      "memory",
      "energy",
      "robustness",
      "pareto",
    ]);
    expect(page.parts.filter(isMissing).map(({ id }) => id)).toEqual(["experiments"]);
    // Of the stage's "auto", which is not measured again.
    expect(data.sensitivity).toMatchObject([
      { of: "what 5 grid begins with", knob: "step", layers: [{ layer: "fc3" }] },
    ]);
    expect(data.layerNames).toEqual(["fc1", "fc2", "fc3"]);
    expect(data.evaluation!.models.map(({ name }) => name)).toEqual(["float32", "int8", "compressed"]);
    // Of a dense layer with a fifth of its weights a board has less to do; no test asserts a time.
    for (const { board } of data.speed!) expect(board.pruned).toBeLessThan(board.dense);
    const [fc1, , fc3] = data.centroids!;
    expect([fc1.before.length > 2, fc1.before.length <= 8, fc3.before.length]).toEqual([true, true, 0]);
    expect(fc1.after.length).toBeLessThanOrEqual(fc1.before.length);
  });

  test("as CSV has all digits, and each confusion once", () => {
    const files = csvFiles(page);
    const read = (name: string): string[][] => parse(files.get(name)!) as string[][];
    expect(
      read("stages.csv")
        .slice(1, -1)
        .map((row) => Number(row[6])),
    ).toEqual(record.stages.map(({ seconds }) => seconds));
    const counts = read("confusion.csv")
      .slice(1)
      .flatMap((row) => row.slice(1).map(Number));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(validation.count);
    expect(read("sweep.csv").slice(1)).toEqual([
      ["a", "100", "2"],
      ["b", "200", "1"],
      ["<i>c", "300", "3"],
    ]);
    const integers = read("weights.csv")
      .slice(1)
      .filter(([layer]) => layer === "fc1");
    const { nonZeros } = data.container!.layers[0].section!;
    expect(integers.reduce((sum, [, , count]) => sum + Number(count), 0)).toBe(nonZeros);
    const gaps = read("gaps.csv")
      .slice(1)
      .filter(([layer]) => layer === "fc1");
    expect(gaps.reduce((sum, [, , count]) => sum + Number(count), 0)).toBe(nonZeros);
  });

  test("measures what its layers bear where no stage has", async () => {
    const stages = record.stages.map(({ sensitivity: _sensitivity, ...stage }) => stage);
    const { images, labels, count } = validation;
    const set = { images, labels, count, shape: [1, 28, 28], source: "stripes" } as const;
    const run = { record: { ...record, stages }, folder: work };
    const made = await gatherReport({
      name: "r",
      run,
      samples: () => ({ set, samples: validation, train }),
      duration: 1,
    });
    expect(made.sensitivity).toMatchObject([
      { of: "the float net", source: "stripes", knob: "density", samples: count },
    ]);
    const { layers } = made.sensitivity![0];
    expect(layers.map(({ layer }) => layer)).toEqual(["fc1", "fc2", "fc3"]);
    for (const { rises, lost } of layers) expect(lost).toBeGreaterThan(rises[0]);
  });

  test("of a run whose checkpoints are gone says so, and shows the rest", async () => {
    const name = `run-${record.stages.at(-1)!.result!.slice("stage-".length)}.json`;
    const elsewhere = mkdtempSync(join(tmpdir(), "mote-report-"));
    try {
      writeFileSync(join(elsewhere, name), readFileSync(join(work, name)));
      const bare = makeReport(
        await gatherReport({ name: "bare", run: findRun(join(elsewhere, name), "none"), duration: 1 }),
      );
      expect(bare.parts.filter((part) => !isMissing(part)).map(({ id }) => id)).toEqual(["run", "sensitivity"]);
      const missing = bare.parts.filter(isMissing);
      expect(missing.find(({ id }) => id === "weights")!.missing).toContain(
        "8 of the run's 8 checkpoints are not there",
      );
      for (const part of missing) expect(part.missing).toMatch(/^.*Made (of|by) .+\.$/);
      expect(tagsOf(pageHtml(bare)).length).toBeGreaterThan(20);
      expect(() => findRun(join(work, "recipe.json"), elsewhere)).not.toThrow();
      const { record: found } = findRun(join(work, "recipe.json"), elsewhere);
      // Younger ones, of another version and cut off.
      writeFileSync(join(elsewhere, "run-0.json"), '{"kind":"mote-run","version":0}');
      writeFileSync(join(elsewhere, "run-1.json"), readFileSync(join(work, name)).subarray(0, 100));
      writeFileSync(
        join(elsewhere, "run-2.json"),
        JSON.stringify({ ...record, recipe: { net: "lenet300", steps: [] } }),
      );
      expect(findRun(join(work, "recipe.json"), elsewhere).record).toEqual(found);
      expect(() => findRun(join(elsewhere, "run-1.json"), elsewhere)).toThrow(/run-1\.json/);
      expect(() => findRun(join(work, "recipe.json"), join(elsewhere, "none"))).toThrow("holds no record of it");
      expect(writeReport(bare, { csv: join(elsewhere, "tables") })).toEqual(
        ["stages", "sensitivity"].map((table) => join(elsewhere, `tables/${table}.csv`)),
      );
    } finally {
      rmSync(elsewhere, { recursive: true, force: true });
    }
  });
});

test.each<[string, string, string]>([
  ["a.csv", "job,size\na,1\n", "no column bytes"],
  ["b.csv", "bytes,error\nx,y\n", "no job with bytes and an error"],
  ["c.json", "{}", "expected a list of jobs"],
  ["d.json", "[1]", "expected a list of jobs"],
  ["f.csv", "bytes,error,metric\n1,2,auc\n2,1,mse\n", "metric auc, mse: expected one of accuracy, auc, f1, mse"],
  ["g.csv", "bytes,error,metric\n1,2,<i>\n", "metric <i>: expected one of"],
  ["e.csv", 'bytes,"error\n1,2', "e.csv"],
])("a sweep's table that is none is refused: %s", (name, text, message) => {
  writeFileSync(join(work, name), text);
  expect(() => readSweep(join(work, name))).toThrow(message);
});
