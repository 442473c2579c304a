import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { checkRecipe } from "../../host/compress/check-recipe.js";
import { trialsOf, type ExperimentRecord } from "../../host/report/experiment.js";
import { isNamedNet, lenet300 } from "../../host/train/nets.js";
import { activationFigures } from "../../tools/bench/methods/activation-bits.js";
import { bitsFigures, bitsIds } from "../../tools/bench/methods/bits16.js";
import { methodRecipe, RECIPES } from "../../tools/bench/methods/family.js";
import { retrainingFigures, scoreFigures } from "../../tools/bench/methods/pruning.js";
import { zooLstm, zooLstmFigures } from "../../tools/bench/methods/recurrent.js";
import { ENGINES } from "../../host/firmware/engines.js";
import { loadData } from "../../host/node/data/load.js";
import { BOARDS, toolsOf } from "../../host/node/firmware/boards.js";
import { openNet } from "../../host/node/train/open-net.js";
import { ed25519Folder } from "../../host/node/firmware/ed25519.js";
import { missingTools } from "../../host/node/firmware/tools.js";
import { figureCells } from "../../tools/bench/figure.js";
import { CHIP_BOARDS } from "../../host/node/firmware/chip-boards.js";
import { chipIds, chipsGroup } from "../../tools/bench/chips.js";
import { kernelIds, kernelsGroup, netFigures } from "../../tools/bench/kernels.js";
import { matrixFigures } from "../../tools/bench/matrix.js";
import { shippedModel } from "../../tools/bench/models.js";
import { testError } from "../../tools/bench/test-error.js";
import { measureRecords, recordsGroup } from "../../tools/bench/records.js";
import { robustnessGroup } from "../../tools/bench/robustness.js";
import { readRivals } from "../../tools/bench/rivals.js";
import { trustGroup } from "../../tools/bench/trust.js";
import { webIds } from "../../tools/bench/web.js";
import { LSTM_FILE } from "../../tools/bench/zoo-lstm.js";
import { fileInZoo } from "../../tools/bench/zoo-nets.js";
import { scratchFolder, lastJson, moteProcess } from "./support.js";

interface Figure {
  readonly id: string;
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly target?: string;
  readonly met?: boolean;
}

const scratch = scratchFolder();

describe("mote bench", () => {
  it("meets the targets for sizes, memory and the shipped models' test errors", async () => {
    const folder = scratch.path("results");
    const documents = [scratch.path("one.md"), scratch.path("two.md")];
    for (const path of documents) writeFileSync(path, "<!--figures--><!--/-->\n<!--measured--><!--/-->");
    const only = ["--only", "sizes", "models"];
    const outcome = await moteProcess(["bench", ...only, "--json", "--save", folder, "--fill", ...documents]);
    expect(outcome.code).toBe(0);
    const { figures, machine } = lastJson(outcome) as { figures: Figure[]; machine: Record<string, unknown> };
    const withTarget = figures.filter(({ target }) => target !== undefined);
    expect(withTarget.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        "core.wasm, all ops and codecs",
        "lenet5.mote, all bytes",
        "lenet300-paper.mote, test error",
      ]),
    );
    // Eleven ops take more than was wanted of fewer; tests/core/limits.test.ts holds them to what they take.
    expect(withTarget.filter(({ met }) => met !== true).map(({ id }) => id)).toEqual(["sizes.core"]);
    expect(Object.keys(machine)).toEqual(expect.arrayContaining(["cpu", "node", "commit", "command"]));
    expect(JSON.parse(readFileSync(`${folder}/results.json`, "utf8"))).toEqual({ machine, figures });
    expect(new Set(figures.map(({ id }) => id)).size).toBe(figures.length);
    for (const { id } of figures) expect(id).toMatch(/^(sizes|models)(\.[a-z0-9-]+)+$/);
    expect(figures.find(({ id }) => id === "sizes.lenet5.core")!.name).toMatch(/^core specialised for lenet5/);
    for (const path of documents) {
      const text = readFileSync(path, "utf8");
      expect(text).toMatch(/^\| core\.wasm, all ops and codecs \| [\d,]+ B \| ≤ 6,912 \| NO \|$/m);
      expect(text).toMatch(/^<!--measured-->`mote bench --only sizes models --threads \d+`; cpu: /m);
    }
  });

  it("counts the same instructions each time", async () => {
    const count = async (): Promise<Figure[]> => {
      const { figures } = lastJson(await moteProcess(["bench", "--only", "work", "--json"])) as { figures: Figure[] };
      return figures.filter(({ name }) => name.includes("instructions"));
    };
    const first = await count();
    expect(first).toHaveLength(16);
    expect(await count()).toEqual(first);
  });
});

describe("mote bench --only robustness", () => {
  it("has every distortion of each model, and targets for all the digits alone", async () => {
    const figures = await robustnessGroup.measure({ full: false, threads: 1, note: () => {} });
    expect(figures).toHaveLength(4 * 8 + 2);
    const ids = figures.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const wanted = ["lenet5", "lenet5-robust"].flatMap((model) =>
      ["clean", "shift2", "noise25", "noise50", "background40", "bytes"].map((id) => `robust.${model}.${id}`),
    );
    expect(ids).toEqual(expect.arrayContaining(wanted));
    for (const { id, value, target } of figures) {
      expect(id).toMatch(/^robust(\.[a-z0-9-]+){2}$/);
      expect(value).toBeGreaterThan(0);
      expect(target === undefined).toBe(!id.endsWith(".bytes"));
    }
  });
});

describe("mote bench --only methods", () => {
  // Its trainings take minutes: here are its recipes, and what becomes of results.
  it("has recipes that fit their nets", () => {
    const names = readdirSync("recipes/methods").map((file) => file.replace(/\.json$/, ""));
    expect(names.length).toBeGreaterThan(10);
    const absent: string[] = [];
    for (const name of names) {
      const recipe = methodRecipe(name);
      const isOurs = isNamedNet(recipe.net) || existsSync(join(RECIPES, recipe.net));
      const net = isOurs ? recipe.net : fileInZoo(recipe.net);
      if (net === undefined) {
        absent.push(name);
        continue;
      }
      const { stages } = checkRecipe(recipe, openNet(net, { folder: RECIPES }).net.graph);
      expect(stages.map(({ kind }) => kind)).toContain("calibrate");
    }
    expect(absent).toEqual(fileInZoo(LSTM_FILE) === undefined ? ["mnist-lstm"] : []);
  });

  it("sets TensorFlow Lite Micro's LSTM beside itself with all its weights, and says where it is not there", async () => {
    const whole = {
      fileBytes: 41240,
      container: new Uint8Array(11172),
      errors: 157,
      realErrors: 147,
      agreeing: 9950,
      count: 10000,
    };
    const pruned = { nonZeros: 944, weights: 9440, testError: 2.5, bytes: 2400 };
    expect(zooLstmFigures(pruned, whole).map((figure) => [figure.id, ...figureCells(figure)])).toEqual([
      [
        "methods.mnist-lstm.error",
        `${LSTM_FILE}, 10 % of its weights: test error (all as int8 1.57, all as real numbers 1.47)`,
        "2.5 %",
        "≤ 2.57",
        "yes",
      ],
      [
        "methods.mnist-lstm.bytes",
        `${LSTM_FILE}, 10 % of its weights: bytes (all as int8 11,172, the file 41,240)`,
        "2,400 B",
        "",
        "",
      ],
    ]);
    vi.stubEnv("MOTE_ZOO", "");
    const notes: string[] = [];
    const options = { full: false, threads: 1, note: (text: string) => void notes.push(text) };
    expect(await zooLstm(options).finally(() => vi.unstubAllEnvs())).toEqual([]);
    expect(notes).toEqual([`no figures of ${LSTM_FILE}, since MOTE_ZOO names no folder with it`]);
  });

  it("sets methods beside those that they are to be better than", () => {
    const record = (experiment: "scores" | "retraining"): ExperimentRecord => {
      const trials = trialsOf(experiment, lenet300, false).map(
        ({ recipe: _recipe, stages: _stages, ...settings }, i) => {
          return { ...settings, result: `stage-${i}`, error: 1 + i, bytes: 1, codedBytes: 1 };
        },
      );
      return { experiment, net: "lenet300", data: "mnist", isQuick: false, denseBytes: 1, trials };
    };
    const scores = scoreFigures(record("scores"));
    expect(scores.map(({ id }) => id)).toEqual(
      ["obd", "obs"].flatMap((name) => [50, 30, 10].map((keep) => `methods.${name}.${keep}`)),
    );
    // Each trial errs on one more than the one before: magnitude comes first, at 50 % with 2.
    expect(scores[0]).toMatchObject({ value: 12, target: "≤ 2", met: false, beside: { magnitude: 2, dense: 1 } });
    const turns = retrainingFigures(record("retraining"));
    expect(turns.map(({ id }) => id)).toContain("methods.han.l2-iterative.l2-retrained.10");
    expect(turns).toHaveLength(10);
  });
});

describe("mote bench --only methods, of 16-bit activations", () => {
  it("has what they cost beside int8, and both beside the net of real numbers", async () => {
    const data = { samples: "fashion:train:20", test: "fashion:test:20" };
    const figures = await activationFigures(data, () => {});
    const parts = ["memory", "instructions", "bytes", "error", "same"];
    expect(figures.map(({ id }) => id)).toEqual(
      ["8", "16"].flatMap((bits) => parts.map((part) => `methods.activation-bits.${bits}.${part}`)),
    );
    const of = (id: string): Figure =>
      figures.find((figure) => figure.id === `methods.activation-bits.${id}`)! as Figure;
    for (const part of ["memory", "instructions", "bytes"]) {
      expect(of(`16.${part}`).value, part).toBeGreaterThan(of(`8.${part}`).value);
      expect(figureCells(of(`16.${part}`))[0]).toMatch(
        new RegExp(`16 bits: .* \\(8 bits ${of(`8.${part}`).value.toLocaleString("en")}\\)$`),
      );
    }
    // The arena is twice as large; what stands beside it is not.
    expect(of("16.memory").value).toBeLessThan(2 * of("8.memory").value);
    const same = of("16.same");
    expect(same.name).toMatch(/: of 20 test samples, /);
    expect(same.value).toBeGreaterThanOrEqual(19);
    expect(figureCells(of("16.error"))[0]).toMatch(/: error on 20 test samples \(real numbers [\d.]+\)$/);
  });
});

describe("mote bench --only methods, of 16 × 16 pixels", () => {
  const missing = missingTools(toolsOf(CHIP_BOARDS, []));
  it.skipIf(missing.length > 0)(
    `has a model as C beside BitNetMCU's${missing.length > 0 ? ` (skipped: no ${missing.join(", ")})` : ""}`,
    async () => {
      const figures = await bitsFigures("small", shippedModel("lenet5"), 0.56, () => {});
      expect(figures.map(({ id }) => id)).toEqual(bitsIds().filter((id) => id.startsWith("methods.bits16.small.")));
      expect(figures.map(figureCells)[1]).toEqual([
        expect.stringMatching(/: test error \(BitNetMCU, [\d.]+ kB [\d.]+\)$/),
        "0.56 %",
        "",
        "",
      ]);
      for (const { id, value, beside } of figures) {
        expect(value).toBeGreaterThan(0);
        expect(Object.keys(beside ?? {}), id).toHaveLength(1);
      }
    },
  );
});

describe("mote bench --only qr", () => {
  it("runs lenet5 from every picture of its code", async () => {
    const outcome = await moteProcess(["bench", "--only", "qr", "--json"]);
    expect(outcome.code, outcome.stderr).toBe(0);
    const { figures } = lastJson(outcome) as { figures: Figure[] };
    expect(figures.map(({ id }) => id)).toEqual(["codec.qr.version", "codec.qr.pictures", "codec.qr.runs"]);
    expect(figures[2]).toMatchObject({ value: 1, target: "≥ 1", met: true });
  });
});

describe.skipIf(
  missingTools(["gcc", "arm-none-eabi-gcc", "qemu-system-arm"]).length > 0 || ed25519Folder() === undefined,
)("mote bench --only trust (skipped without gcc, arm-none-eabi-gcc, qemu-system-arm or ed25519-supercop)", () => {
  it("survives all cuts, and has a last layer in few bytes", async () => {
    const figures = await trustGroup.measure({ full: false, threads: 1, note: () => {} });
    const patches = ["", ".weights", ".net"].flatMap((id) => [`trust.patch.bytes${id}`, `trust.patch.packets${id}`]);
    const board = ["bytes", "bytes.signature", "boot", "boot.signed", "apply", "apply.signed", "stack", "stack.signed"];
    expect(figures.map(({ id }) => id)).toEqual([
      "trust.cuts",
      "trust.cuts.flash",
      "trust.cuts.m3",
      ...board.map((id) => `trust.${id}`),
      ...patches,
    ]);
    expect(figures.filter(({ target, met }) => target !== undefined && met !== true)).toEqual([]);
    expect(figures.filter(({ target }) => target !== undefined)).toHaveLength(4);
  }, 120_000);
});

describe.skipIf(process.env.MOTE_ZOO === undefined)("mote bench --only zoo, of the nets in MOTE_ZOO", () => {
  it("meets its targets", async () => {
    const { code, stdout } = await moteProcess(["bench", "--only", "zoo", "--json"]);
    expect(code).toBe(0);
    const { figures } = JSON.parse(stdout) as { figures: Figure[] };
    const ids = figures.map(({ id }) => id);
    const emulated = BOARDS.filter(({ name }) => ["lm3s6965evb", "netduinoplus2"].includes(name));
    const boards = missingTools(toolsOf(emulated, ENGINES)).length > 0 ? [] : ["zoo.boards", "zoo.boards.vww.sram"];
    expect(ids).toEqual(
      expect.arrayContaining([
        "zoo.answered",
        "zoo.run",
        "zoo.vww.bytes",
        "zoo.ad.score",
        "zoo.lstm.accuracy",
        ...boards,
      ]),
    );
    for (const id of ids) expect(id).toMatch(/^zoo(\.[a-z0-9-]+)+$/);
    // Whole runs differ by more than 1 in some elements of 26,560; a layer by itself never.
    expect(figures.find(({ id }) => id === "zoo.mlperf.equal")!.value).toBeGreaterThan(99.9);
    const missed = figures.filter(({ target, met }) => target !== undefined && met !== true);
    // Times are what the machine makes of them.
    expect(missed.filter(({ id, unit }) => unit !== "s" && id !== "zoo.mlperf.equal")).toEqual([]);
  }, 600_000);
});

describe("mote bench --only kernels", () => {
  const quiet = (): void => {};
  const options = { full: false, threads: 1, note: quiet };
  const noTools = missingTools(toolsOf(BOARDS, ENGINES)).length > 0;

  it.skipIf(noTools)("has the LeNets' figures and the half-sparse ones without MOTE_ZOO", async () => {
    vi.stubEnv("MOTE_ZOO", "");
    const figures = await kernelsGroup.measure(options).finally(() => vi.unstubAllEnvs());
    const ids = figures.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(["kernels.lenet5.aot", "kernels.lenet5.aot.m0", "kernels.half.25"]));
    expect(new Set(ids).size).toBe(ids.length);
    for (const { id, met } of figures) {
      expect(id).toMatch(/^kernels(\.[a-z0-9-]+)+$/);
      expect(typeof met).toBe("boolean");
    }
    // What the interpreter takes alone is not above what it took.
    expect(figures.filter(({ id, met }) => id.endsWith(".plain") && met !== true)).toEqual([]);
    const lenet5 = figures.find(({ id }) => id === "kernels.lenet5.aot")!;
    expect(figureCells(lenet5)[0]).toMatch(/ \(CMSIS-NN 1,766,827\)$/);
  });

  const zoo = process.env.MOTE_ZOO;
  it.skipIf(zoo === undefined || noTools)(
    "runs a net of the zoo on a board, beside what rivals take",
    async () => {
      const notes: string[] = [];
      const figures = await netFigures(zoo!, (text) => notes.push(text), ["ad"]);
      expect(notes.join("\n")).toMatch(/^M instructions by layer, of CMSIS-NN: (\d\.\d\d : \d\.\d\d(, |$)){10}$/m);
      expect(figures.map(({ id }) => id)).toEqual([
        "kernels.ad.aot",
        "kernels.ad.sram",
        "kernels.ad.data",
        "kernels.ad.data.sram",
        "kernels.ad.wasm3",
        "kernels.parity",
      ]);
      expect(figures[0].beside).toEqual({ "CMSIS-NN": 583005, TFLM: 582905 });
      expect(figures[5]).toMatchObject({ value: 3, target: "all 3", met: true });
    },
    120_000,
  );

  it("has rivals with all that tells what was counted, of figures that it has", () => {
    const names = [
      ...kernelIds(),
      ...chipIds(),
      ...bitsIds(),
      "kernels.half.dense",
      ...webIds(),
      "web.draw.engine.brotli",
      "web.draw.model.brotli",
    ];
    for (const rival of readRivals()) {
      const { name, version, compiler, flags, board, counted, figures } = rival;
      for (const text of [name, version, compiler, flags, counted]) expect(text.length).toBeGreaterThan(3);
      expect([...BOARDS.map((known) => known.name), "browser"]).toContain(board);
      for (const [id, value] of Object.entries(figures)) {
        expect(names).toContain(id);
        expect((Number.isInteger(value) || /\.(ms|error)$/.test(id)) && value > 0).toBe(true);
      }
      // Each layer was rounded by itself.
      for (const [id, layers] of Object.entries(rival.layers ?? {})) {
        expect(Math.abs(layers.reduce((sum, count) => sum + count, 0) - figures[id])).toBeLessThan(layers.length);
      }
    }
  });
});

describe("mote bench --only chips", () => {
  const missing = missingTools(toolsOf(CHIP_BOARDS, []));
  it.skipIf(missing.length > 0)(
    `has all targets met, and BitNetMCU beside them${missing.length > 0 ? ` (skipped: no ${missing.join(", ")})` : ""}`,
    async () => {
      const figures = await chipsGroup.measure({ full: false, threads: 1, note: () => {} });
      expect(figures.map(({ id }) => id)).toEqual(chipIds());
      const missed = figures.filter(({ target, met }) => target !== undefined && met !== true);
      expect(missed).toEqual([]);
      expect(figureCells(figures[0])[0]).toMatch(/ \(BitNetMCU 11,000\)$/);
    },
  );
});

describe("mote bench --only matrix", () => {
  it("has CER beside the container's codes, and a fast module by values beside one by pairs", () => {
    const figures = matrixFigures("lenet5");
    expect(figures.map(({ id }) => id)).toEqual(
      ["cer", "stream", "module", "instructions"].map((what) => `matrix.lenet5.${what}`),
    );
    const [cer, stream, module, instructions] = figures;
    expect(cer.value).toBeGreaterThan(1.5 * cer.beside!["as coded"]);
    expect(stream.value).toBeLessThan(0.8 * stream.beside!["at none"]);
    expect(module.value).toBeLessThan(0.86 * module.beside!["at none"]);
    expect(instructions.value).toBeGreaterThan(1);
    expect(instructions.value).toBeLessThan(1.07);
  });
});

describe("mote bench --only compress", () => {
  it("has the figures of what is there, and meets its targets", async () => {
    const { code, stdout } = await moteProcess(["bench", "--only", "compress", "--json"]);
    expect(code).toBe(0);
    const { figures } = JSON.parse(stdout) as { figures: Figure[] };
    const ids = figures.map(({ id }) => id);
    for (const id of ids) expect(id).toMatch(/^compress(\.[a-z0-9-]+)+$/);
    expect(new Set(ids).size).toBe(ids.length);
    const models = ["wonnx.error", "autoencoder.auc", "gesture.error"].map((id) => `compress.${id}`);
    expect(ids).toEqual(expect.arrayContaining(models));
    // Times are what the machine makes of them.
    const missed = figures.filter(
      ({ target, met, unit }) => target !== undefined && unit !== "GFLOP/s" && met !== true,
    );
    expect(missed.map(({ id }) => id)).toEqual([]);
  }, 300_000);
});

describe("mote bench --only records", () => {
  it("has bytes and error of the records that are there, and says which are not", async () => {
    const notes: string[] = [];
    const figures = await recordsGroup.measure({ full: false, threads: 1, note: (text) => notes.push(text) });
    const ids = figures.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^records\.(lenet5|lenet300|mnist)\.\d+(\.bytes)?$/);
    expect(notes).toHaveLength(8);
    expect(notes.filter((note) => note.includes("is not there"))).toHaveLength(8 - ids.length / 2);
    expect(figures.filter(({ target }) => target === undefined).map(({ id }) => id)).toEqual(["records.mnist.8000"]);
  });

  it("takes the mean over the seeds that are there, beside what is published", async () => {
    const digits = loadData("mnist:test:600", { shape: [1, 28, 28] });
    const seeds = { "": "lenet300", "-2": "lenet300", "-4": "lenet300-paper" };
    for (const [seed, model] of Object.entries(seeds))
      writeFileSync(scratch.path(`lenet300-1900${seed}.mote`), readFileSync(`models/${model}.mote`));
    const [bytes, error, ...others] = await measureRecords(scratch.path(""), digits, () => {});
    expect(others).toEqual([]);
    expect(bytes).toMatchObject({ id: "records.lenet300.1900.bytes", value: 26465, target: "≤ 1,900", met: false });
    const errors = await Promise.all(
      ["lenet300", "lenet300-paper"].map((name) => testError(readFileSync(`models/${name}.mote`), digits)),
    );
    expect(errors[0]).not.toBe(errors[1]);
    const mean = Number(((2 * errors[0] + errors[1]) / 3).toPrecision(4));
    expect(error).toMatchObject({ id: "records.lenet300.1900", value: mean, target: "≤ 1.58", met: mean <= 1.58 });
    expect(figureCells(error)[0]).toMatch(/mean of 3 seeds, ± 0\.\d+ \(EPR, 8,560 B 1\.9\)$/);
  });
});

describe("mote start", () => {
  it("draws digits, and ends with what it took", async () => {
    const { code, stdout } = await moteProcess(["start", "--count", "50"]);
    expect(code).toBe(0);
    expect(stdout.split("\n").filter((line) => /[▀▄█]/.test(line)).length).toBeGreaterThan(15);
    expect(stdout).toMatch(/^ {2}\d {2}\d+\.\d % +\d {2}\d+\.\d % +\d {2}\d+\.\d %/m);
    for (const line of ["test error", "container", "linear memory", "model bytes read", "time per digit", "engine"]) {
      expect(stdout).toMatch(new RegExp(`^${line} +\\S`, "m"));
    }
    expect(stdout).toMatch(/times smaller than 1,724,320 bytes of float32/);
  });
});
