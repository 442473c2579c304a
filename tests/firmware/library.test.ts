import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { aotSource } from "../../host/node/firmware/aot.js";
import { LIBRARY_FOLDER } from "../../host/node/firmware/library.js";
import { libraryFolder, librarySources } from "../../host/node/firmware/build.js";
import { missingTools, runTool } from "../../host/node/firmware/tools.js";
import { planTotal } from "../../host/container/plan.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import type { QModel } from "../../host/model/model.js";
import { buildModel, leNets, syntheticModels, type NamedModel } from "../support/models.js";
import { fastFiles } from "./support/fast-files.js";
import { hostileFiles } from "./support/hostile.js";
import { kernelCaller } from "./support/kernel-caller.js";
import {
  aotCore,
  buildNative,
  caseFiles,
  coreFile,
  fileName,
  libraryArguments,
  missing,
  named,
  put,
  runNative,
  statusTexts,
} from "./support/native.js";

const models = syntheticModels();

/** One of the synthetic models, or streaming with all that metadata can say. */
function modelOf(name: string): NamedModel {
  if (name === "described") return { name, model: described(modelOf("streaming").model) };
  return models.find((one) => one.name === name)!;
}

function described(streaming: QModel): QModel {
  return {
    ...streaming,
    names: ["image", "motion", ...streaming.outputs.map((_, output) => `réponse ${output}`)],
    preprocessing: { layout: "interleaved", colours: "none", mean: [0.5, -3], std: [0.25, 1e9] },
  };
}

/** As small containers: scales of rows, states, and all metadata. */
const SMALL = [
  ["tiny", "arithmetic"],
  ["per channel", "gaussian"],
  ["described", "arithmetic"],
] as const;

/** wasm3 and the core ahead of time, with sanitizers, where nothing was built before. */
const BUILD_MS = 240_000;
/** All of the library's files, one after another. */
const TIDY_MS = 300_000;

describe.skipIf(missing.length > 0)(named("the C library under AddressSanitizer and UBSan", missing), () => {
  let program: string;
  beforeAll(async () => {
    program = await buildNative("library-test", await aotCore());
  }, BUILD_MS);

  // A small one, borders, groups, its own scale for each row; several reads a run; labels; several ends, and states; names and preprocessing.
  it.each(["tiny", "padded", "groups", "per channel", "codebook", "labels", "streaming", "described"])(
    "runs %s as the reference does",
    async (name) => {
      const { stdout } = await runNative(program, libraryArguments(modelOf(name)));
      expect(stdout).toMatch(/^\d{5,} checks passed, 0 failed$/m);
    },
  );

  it.each(SMALL)("runs %s as a small container of codec %s", async (name, codec) => {
    const { stdout } = await runNative(program, libraryArguments(modelOf(name), { container: "small", codec }));
    expect(stdout).toMatch(/^\d{5,} checks passed, 0 failed$/m);
  });

  // From a scale that is not normal, by those where every pixel begins to saturate, to one that makes all pixels 0. At -128 those by
  // 1/255 where pixels are just the integers, and just no more.
  it.each([
    ...[1.4e-45, 1.7 * 2 ** -18, 1.7 * 2 ** -17, 1.7 * 2 ** -16, 1.7 * 2 ** 15].map((scale) => [scale, 3] as const),
    ...[254.499, 255.499, 258].map((pixels) => [1 / pixels, -128] as const),
    [1 / 255, -127] as const,
  ])("takes pixels at a scale of %d and a zero point of %d as the host does", async (scale, zeroPoint) => {
    const { model } = modelOf("tiny");
    const [input, ...tensors] = model.tensors;
    const scaled = { ...model, tensors: [{ ...input, zeroPoint, scale: Math.fround(scale) }, ...tensors] };
    const { stdout } = await runNative(program, libraryArguments({ name: "scaled", model: scaled }));
    expect(stdout).toMatch(/^\d{5,} checks passed, 0 failed$/m);
  });

  it("runs a LeNet-5 as the reference does", async () => {
    const { stdout } = await runNative(
      program,
      libraryArguments(leNets().find(({ name }) => name.startsWith("narrow"))!),
    );
    expect(stdout).toMatch(/, 0 failed$/m);
  });

  // The core declares one page of linear memory. Too little of the caller's is MOTE_ERROR_MEMORY, as everywhere.
  it(
    "runs a model that takes more than a page, by the core and packed",
    async () => {
      const model = buildModel(
        7,
        [8, 80, 80],
        [
          { op: "conv2d", out: 16, kernel: [3, 3], density: 0.05, weights: "grid", relu: true },
          { op: "maxpool", kernel: 4, stride: 4 },
          { op: "dense", out: 10, density: 0.02, weights: "grid" },
        ],
      );
      expect(planTotal(readContainer(writeContainer(model)).plan)).toBeGreaterThan(2 * 65536);
      const { stdout } = await runNative(program, libraryArguments({ name: "large", model }));
      expect(stdout).toMatch(/^\d{4,} checks passed, 0 failed$/m);
      expect(stdout).toMatch(/^(wasm3|aot|packed): \d{6,} bytes, \d{6} of them linear; \d{6} asked for$/m);
    },
    BUILD_MS,
  );
});

describe.skipIf(missing.length > 0)(named("fast modules in the C library, under the sanitizers", missing), () => {
  it.each(["tiny", "padded", "per channel", "average pool", "labels", "streaming", "described"])(
    "runs %s as the reference does",
    async (name) => {
      await runFast(modelOf(name));
    },
    BUILD_MS,
  );

  it(
    "runs a LeNet-5 as the reference does",
    async () => {
      await runFast(leNets().find(({ name }) => name.startsWith("narrow"))!);
    },
    BUILD_MS,
  );

  async function runFast(model: NamedModel): Promise<void> {
    const { module, fast, short, refused } = fastFiles(model);
    const ahead = { fast: await aotSource(module, undefined, "fast") };
    const program = await buildNative("fast-test", ahead, fileName(model.name));
    const { stdout } = await runNative(program, [fast, caseFiles(model).cases, short, ...refused]);
    expect(stdout).toMatch(/^\d{5,} checks passed, 0 failed$/m);
  }
});

describe.skipIf(missing.length > 0)(named("hostile modules", missing), () => {
  it(
    "touch nothing of the library's, whatever they do to their memory",
    async () => {
      const { files, ahead } = await hostileFiles();
      const { stdout } = await runNative(await buildNative("hostile-test", ahead, "hostile"), files);
      expect(stdout).toMatch(/^\d{3,} checks passed, 0 failed$/m);
    },
    BUILD_MS,
  );
});

describe.skipIf(missing.length > 0)(named("native kernels", missing), () => {
  it(
    "give what plain loops do, and touch nothing outside, whatever they are told",
    async () => {
      const module = kernelCaller();
      const ahead = { caller: await aotSource(module, undefined, "caller") };
      const program = await buildNative("kernels-test", ahead, "kernels");
      const files = [put("caller.wasm", module), put("odd-caller.wasm", kernelCaller(true))];
      const { stdout } = await runNative(program, files);
      expect(stdout).toMatch(/^\d{5,} checks passed, 0 failed$/m);
    },
    BUILD_MS,
  );

  it(
    "of dense layers by six rows do so too",
    async () => {
      const { stdout } = await runNative(await buildNative("rows-test", {}, "rows"), []);
      expect(stdout).toMatch(/^\d{5,} checks passed, 0 failed$/m);
    },
    BUILD_MS,
  );

  it(
    "of dense layers by values do so too",
    async () => {
      const { stdout } = await runNative(await buildNative("values-test", {}, "values"), []);
      expect(stdout).toMatch(/^\d{5,} checks passed, 0 failed$/m);
    },
    BUILD_MS,
  );

  it(
    "of layers by bits do so too",
    async () => {
      const { stdout } = await runNative(await buildNative("bits-test", {}, "bits"), []);
      expect(stdout).toMatch(/^\d{5,} checks passed, 0 failed$/m);
    },
    BUILD_MS,
  );

  it(
    "with a row for each channel do so too",
    async () => {
      const { stdout } = await runNative(await buildNative("channels-test", {}, "channels"), []);
      expect(stdout).toMatch(/^\d{5,} checks passed, 0 failed$/m);
    },
    BUILD_MS,
  );
});

describe.skipIf(missing.length > 0)(named("damaged containers", missing), () => {
  let program: string;
  let seeds: string[];
  beforeAll(async () => {
    program = await buildNative("mutate", await aotCore());
    const plain = [
      "tiny",
      "padded",
      "groups",
      "average pool",
      "per channel",
      "codebook",
      "dense codec",
      "branches",
      "streaming",
    ];
    seeds = [
      ...plain.map((name) => caseFiles(modelOf(name)).mote),
      ...SMALL.map(([name, codec]) => caseFiles(modelOf(name), { container: "small", codec }).mote),
    ];
  }, BUILD_MS);

  // wasm3 compiles the core anew for each, and takes twenty times as long.
  it.each([
    [2000, "wasm3", 3],
    [10_000, "aot", 4],
  ])("%i of them give statuses by %s", async (count, engine, digits) => {
    const { stdout } = await runNative(program, [engine, String(count), "20261121", coreFile(), ...seeds]);
    const line = String.raw`^${count} mutations, \d{${digits}} opened, \d{${digits}} ran to the end; 0 checks failed$`;
    expect(stdout).toMatch(new RegExp(line, "m"));
  });
});

describe.skipIf(missingTools(["gcc"]).length > 0)(named("the library's sources", missingTools(["gcc"])), () => {
  it("have a text of its own for each status", async () => {
    const headers = ["mote.h", "mote-format.h"].map((name) => readFileSync(join(LIBRARY_FOLDER, name), "utf8"));
    const names = headers.flatMap((text) =>
      [...text.matchAll(/^#define (MOTE_(?:STATUS|ERROR)_\w+) /gm)].map(([, name]) => name),
    );
    expect(names).toEqual(
      expect.arrayContaining(["MOTE_STATUS_DONE", "MOTE_STATUS_STATE", "MOTE_ERROR_MEMORY", "MOTE_ERROR_ORDER"]),
    );
    const texts = await statusTexts([...names, "-1000"]);
    expect(texts.at(-1)).toBe("unknown status");
    expect(new Set(texts).size).toBe(names.length + 1);
    expect(texts.filter((text) => text.length < 10)).toEqual([]);
  });

  const own = librarySources(["wasm3", "aot"]).filter(({ kind }) => kind === "own");

  it.each(own.map(({ path }) => path.slice(path.lastIndexOf("/") + 1)))("%s has no warnings as C99", async (name) => {
    const path = own.find((source) => source.path.endsWith(`/${name}`))!.path;
    const flags = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"];
    // wasm3's own headers are not ISO C.
    const pedantic = name === "mote-wasm3.c" ? [] : ["-Wpedantic"];
    for (const level of ["-O0", "-O2"]) {
      await runTool("gcc", [...flags, ...pedantic, level, "-c", path, "-o", "/dev/null"]);
    }
  });

  // wasm3's headers and wasm2c's module are not ours.
  it("are clean under GCC's analyzer", async () => {
    for (const { path } of own.filter(({ path }) => !/mote-(wasm3|aot)\.c$/.test(path))) {
      const { stderr } = await runTool("gcc", [
        "-std=c99",
        "-O1",
        "-fanalyzer",
        "-Werror",
        "-c",
        path,
        "-o",
        "/dev/null",
      ]);
      expect(stderr).toBe("");
    }
  });

  const noCppcheck = missingTools(["cppcheck"]);
  it.skipIf(noCppcheck.length > 0)(named("are clean under cppcheck", noCppcheck), async () => {
    const checks = ["--enable=warning,style,performance,portability", "--std=c99", "--inline-suppr"];
    const { stderr } = await runTool("cppcheck", [
      ...checks,
      "--quiet",
      "--error-exitcode=1",
      "--suppress=missingIncludeSystem",
      `-I${LIBRARY_FOLDER}`,
      ...own.map(({ path }) => join(LIBRARY_FOLDER, path.slice(path.lastIndexOf("/") + 1))),
    ]);
    expect(stderr).toBe("");
  });

  // Which checks, and why not others: firmware-examples/.clang-tidy.
  const noTidy = missingTools(["clang-tidy"]);
  it.skipIf(noTidy.length > 0)(
    named("are clean under clang-tidy", noTidy),
    async () => {
      const sources = own.map(({ path }) => join(LIBRARY_FOLDER, path.slice(path.lastIndexOf("/") + 1)));
      const { stdout } = await runTool("clang-tidy", [
        "--quiet",
        ...sources,
        "--",
        "-std=c99",
        `-I${libraryFolder().folder}`,
      ]);
      expect(stdout).toBe("");
    },
    TIDY_MS,
  );
});
