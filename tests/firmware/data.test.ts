/** Fast modules as data, by the C library's engine without an interpreter: the reference's outputs, and no harm by what is sealed but wrong. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import * as layout from "../../assembly/fast/layout.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { fastProgram } from "../../host/fast/memory.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { kindsOf } from "../../host/node/firmware/data-engine.js";
import { LIBRARY_FOLDER } from "../../host/node/firmware/library.js";
import { MODEL_NAMES } from "../../host/node/firmware/models.js";
import { packageRoot } from "../../host/node/paths.js";
import { buildModel, importedModel, syntheticModels, type NamedModel } from "../support/models.js";
import { fastFiles, type FastFiles } from "./support/fast-files.js";
import { buildNative, caseFiles, missing, named, runNative } from "./support/native.js";

const BUILD_MS = 240_000;
const MUTATIONS = 10_000;

const shipped = (name: string): NamedModel => ({
  name,
  model: readContainer(new Uint8Array(readFileSync(join(packageRoot, "models", `${name}.mote`)))).model,
});

/** Lines longer than a piece, of what goes line by line; filters longer than one, in more places than one. */
const long: NamedModel = {
  name: "long lines and filters",
  model: buildModel(
    11,
    [2, 3, 1300],
    [
      { op: "lut" },
      { op: "resize", factor: [1, 3] },
      { op: "lut" },
      {
        op: "conv2d",
        kernel: [3, 250],
        stride: [1, 50],
        out: 3,
        weights: "grid",
        density: 0.3,
        pad: [1, 3],
        pool: { size: 2, stride: 3 },
      },
      { op: "dense", out: 10, weights: "grid", density: 0.05 },
      { op: "maxpool", kernel: [2, 600], stride: [1, 300], from: 3 },
      { op: "avgpool", kernel: [2, 600], stride: [1, 300], from: 3, relu: true },
      { op: "add", from: [0, 2] },
      { op: "mul", from: [9, 2], relu: true },
      { op: "avgpool", kernel: [3, 1300], stride: 1 },
      { op: "mul", from: [10, 11] },
    ],
    { states: [{ shape: [2, 3, 1300], source: 0 }], outputs: [0, 1] },
  ),
};

/** Most weights left. */
const full = { weights: "any", density: 1 } as const;
const most: NamedModel = {
  name: "most weights",
  model: buildModel(
    12,
    [4, 13, 11],
    [
      { op: "conv2d", kernel: [3, 3], pad: 1, out: 4, groups: 4, ...full },
      { op: "conv2d", kernel: [2, 2], out: 40, ...full },
      { op: "conv2d", kernel: [5, 2], stride: 2, out: 40, groups: 40, ...full },
      { op: "conv2d", kernel: [1, 1], out: 24, weights: "any", density: 0.2 },
      { op: "dense", out: 70, ...full },
      { op: "dense", out: 21, ...full },
    ],
  ),
};

const small = [...syntheticModels(), long, most, { name: "an imported net", model: importedModel() }];

/** Those of them that may go by lines, and their modules where all layers that can do. */
const BY_LINES = [
  "padded",
  "kernel 1 × 1",
  "average pool",
  "strides and pads of their own",
  "rectangular pools that pad",
  "an imported net",
];
/** And these with their input. */
const BY_ROWS = ["average pool", "strides and pads of their own", "an imported net"];
const byLines = small.filter(({ name }) => BY_LINES.includes(name));
const leastModule = ({ model }: NamedModel): Uint8Array =>
  fastModule(fastProgram(readContainer(writeContainer(model)), { ram: "least" }));
const rowsFiles = (one: NamedModel): FastFiles =>
  fastFiles(one, fastModule(fastProgram(readContainer(writeContainer(one.model)), { inputRows: true })), "by-rows");
const leastFiles = (one: NamedModel): FastFiles => fastFiles(one, leastModule(one), "by-lines");

it("there is a kernel for each kind of layers that takes one, in the list of all of them too", () => {
  const kinds = Object.keys(layout).flatMap((name) =>
    /^KIND_(?!CONCAT|TURN|INPUT|END)/.test(name) ? [name.slice(5)] : [],
  );
  const header = readFileSync(join(LIBRARY_FOLDER, "mote-native.h"), "utf8");
  const list = readFileSync(join(LIBRARY_FOLDER, "mote-kinds.c"), "utf8");
  const runs = [...header.matchAll(/^#define MOTE_RUNS_(\w+) \{MOTE_KIND_\1, mote_kernel_\w+\}$/gm)].map(
    ([, kind]) => kind,
  );
  expect(runs.sort()).toEqual(kinds.sort());
  expect([...list.matchAll(/MOTE_RUNS_(\w+)/g)].map(([, kind]) => kind).sort()).toEqual([...runs, "NO_MORE"].sort());
  const { model: lenet5 } = shipped("lenet5");
  const byValues = fastModule(fastProgram(readContainer(writeContainer(lenet5)), { bytePrice: 30 }));
  const modules = [
    ...small.map(({ model }) => fastModule(writeContainer(model))),
    ...byLines.map(leastModule),
    byValues,
  ];
  expect(new Set(modules.flatMap(kindsOf))).toEqual(new Set(runs));
});

describe.skipIf(missing.length > 0)(named("fast modules as data, under the sanitizers", missing), () => {
  let program: string;
  beforeAll(async () => {
    program = await buildNative("data-test", {}, "data");
  }, BUILD_MS);

  it.each([...small, ...MODEL_NAMES.map(shipped)])("$name gives what the reference does", async (one) => {
    await expectEqual(one, fastFiles(one));
  });

  it.each(byLines)("$name does so by lines", async (one) => {
    expect(kindsOf(leastModule(one))).toContain("LINES");
    await expectEqual(one, leastFiles(one));
  });

  async function expectEqual(one: NamedModel, { fast, short, refused, refusedAsData }: FastFiles): Promise<void> {
    const { stdout } = await runNative(program, [fast, caseFiles(one).cases, short, ...refused, ...refusedAsData]);
    expect(stdout).toMatch(/^\d{4,} checks passed, 0 failed$/m);
  }

  it(
    `${MUTATIONS} that are sealed but wrong do no harm, and leave their tables alone`,
    async () => {
      const mutate = await buildNative("data-mutate", {}, "data-mutate", undefined, { heap: "guarded-heap.c" });
      expect(byLines.map(({ name }) => name).sort()).toEqual(BY_LINES.toSorted());
      expect(BY_LINES).toEqual(expect.arrayContaining(BY_ROWS));
      const seeds = [
        ...small.map((one) => fastFiles(one)),
        ...byLines.map(leastFiles),
        ...byLines.filter(({ name }) => BY_ROWS.includes(name)).map(rowsFiles),
      ].map(({ fast }) => fast);
      const { stdout } = await runNative(mutate, [String(MUTATIONS), "20261128", ...seeds]);
      expect(stdout).toMatch(
        new RegExp(
          String.raw`^${MUTATIONS} mutations, \d{4} opened, \d{4} ran, \d{3,4} trapped; 0 checks failed$`,
          "m",
        ),
      );
    },
    BUILD_MS,
  );
});
