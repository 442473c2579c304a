import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { loadRuns, randomRuns } from "../../host/node/data/runs.js";
import { readBaseline, regressions } from "../../host/node/firmware/baseline.js";
import { ENGINES } from "../../host/firmware/engines.js";
import { BOARDS, toolsOf } from "../../host/node/firmware/boards.js";
import { FIRMWARE_BUILD } from "../../host/node/firmware/build.js";
import { keptCases, type KeptCase } from "../../host/node/firmware/cases.js";
import { fittingForm, fittingSamples } from "../../host/firmware/fit.js";
import { openBytes } from "../../host/firmware/image.js";
import { firmwareImage } from "../../host/node/firmware/image.js";
import { firmwareInputs, inputSizes, type FirmwareInputs } from "../../host/node/firmware/inputs.js";
import { MODEL_NAMES } from "../../host/node/firmware/models.js";
import { caseName, measure, type FirmwareModel, type Measurement } from "../../host/node/firmware/measure.js";
import { missingTools, runTool } from "../../host/node/firmware/tools.js";
import { argmax } from "../../host/engines/classify.js";
import { inputFiller } from "../../host/engines/fill-input.js";
import { openReference } from "../../host/engines/reference.js";
import { MoteError } from "../../host/errors.js";
import { contentsOf } from "../../host/module/contents.js";
import { coreWith } from "../../host/node/module/bake.js";
import { valuesOf } from "../../host/model/geometry.js";
import type { Shape } from "../../host/model/model.js";
import { packageRoot } from "../../host/node/paths.js";
import { buildModel, syntheticModels, type LayerSpec } from "../support/models.js";
import { mote } from "../cli/support.js";
import { npyOf } from "../support/npy.js";
import { named } from "./support/native.js";

const DIGITS = 20;
/** Most bytes of native stack, on any board in any slice; of a fast module also while it is opened. */
const STACK_LIMIT = 2048;

const testDigits = ({ container }: FirmwareModel): FirmwareInputs => {
  return firmwareInputs(inputSizes(container), loadRuns("mnist:test", openReference(container), {}), DIGITS);
};

const randomInputs = ({ container }: FirmwareModel, count: number): FirmwareInputs =>
  firmwareInputs(inputSizes(container), randomRuns(count, 1), count);

/** Instructions of a run that are no layer's. */
const outsideLayers = ({ instructions, instructionsPerLayer }: Measurement): number =>
  instructionsPerLayer.reduce((rest, count) => rest - count, instructions);

/** The compiler's own functions for dividing 64 bits, in the program that has just been measured. */
async function divisions({ board, engine, optimize, model }: KeptCase): Promise<string[]> {
  const program = join(FIRMWARE_BUILD, `${caseName({ board: board.name, engine, optimize, model })}.elf`);
  const { stdout } = await runTool(`${board.toolchain}nm`, [program]);
  expect(stdout).toMatch(/ mote_step$/m);
  return stdout.match(/ __(aeabi_u?ldivmod|u?(div|mod)di3|udivmoddi4)$/gm) ?? [];
}

// Each read once: firmwareImage keeps what it has made of a container.
const containers = new Map(
  MODEL_NAMES.map((name) => [name, new Uint8Array(readFileSync(join(packageRoot, "models", `${name}.mote`)))]),
);
const shipped = (model: string): Uint8Array => containers.get(model)!;

for (const board of BOARDS) {
  const lacking = missingTools(toolsOf([board], ENGINES));
  describe.skipIf(lacking.length > 0)(named(`${board.name} (${board.cpu})`, lacking), () => {
    const cases = keptCases().filter((one) => one.board === board);

    it.each(cases)(
      "$engine runs $model for $optimize as the host does, no slower and no larger than before",
      async (one) => {
        const model = { name: one.model, container: shipped(one.model) };
        const got = await measure({ ...one, model }, testDigits(model));
        expect(got.logitsEqual).toBe(true);
        expect(got.right).toBeGreaterThanOrEqual(DIGITS - 1);
        expect(got.survivedDamage).toBe(true);
        expect(got.sramBytes.stack).toBeLessThanOrEqual(STACK_LIMIT);
        if (one.optimize !== "size") expect(got.sramBytes.beginStack).toBeLessThanOrEqual(STACK_LIMIT);
        const image = firmwareImage(model.container, one.optimize);
        expect(got.sramBytes.heap).toBeLessThanOrEqual(openBytes(image, one.engine));
        // No slice is lost: the input and the layers, each rounded, are all of the run.
        expect(got.instructionsPerLayer.length).toBe(readContainer(model.container).model.layers.length);
        expect(Math.abs(outsideLayers(got) - got.inputInstructions)).toBeLessThan(got.instructionsPerLayer.length);
        expect(await divisions(one)).toEqual([]);
        expect(regressions(got, readBaseline())).toEqual([]);
      },
    );
  });
}

const dense = (out: number, density = 0.5): LayerSpec => ({ op: "dense", weights: "grid", density, out });
const grouped = (bytes: number): string => bytes.toLocaleString("en");

const [lm3s6965evb, microbit] = ["lm3s6965evb", "microbit"].map((wanted) =>
  BOARDS.find(({ name }) => name === wanted)!,
);
const lacking = missingTools(toolsOf([microbit], ["wasm3"]));
describe.skipIf(lacking.length > 0)(named("a model too large for a board", lacking), () => {
  it("is refused with what it needs of SRAM, what there is, and what takes it", async () => {
    const model = { name: "lenet5", container: shipped("lenet5") };
    const run = measure({ board: microbit, engine: "wasm3", optimize: "size", model }, testDigits(model));
    const error = await run.then(
      () => undefined,
      (failure: unknown) => failure as MoteError,
    );
    const image = firmwareImage(model.container, "size");
    const made = openBytes(image, "wasm3") - image.linearBytes;
    const parts = `linear memory ${grouped(image.linearBytes)}, what wasm3 makes of the module ${grouped(made)}, the stack 1,536, static data`;
    const found = new RegExp(
      `^lenet5 by wasm3 for size needs up to (.*) bytes of SRAM on microbit, which has 16,384: (.*) too many; ${parts} (.*)$`,
    ).exec(error!.message)!;
    const [needed, excess, data] = found.slice(1).map((text) => Number(text.replaceAll(",", "")));
    expect([error!.code, needed]).toEqual(["MEMORY", openBytes(image, "wasm3") + 1536 + data]);
    expect(needed - excess).toBe(16_384);
  });

  it("and with what it needs of flash: the parts are the whole, and without the samples it is that much less", async () => {
    const modelOf = (name: string, layer: LayerSpec) => ({
      name,
      container: writeContainer(buildModel(7, [1, 30, 30], [layer])),
    });
    const wide = modelOf("wide", dense(300, 1));
    const run = (samples: number, model = wide): Promise<string> =>
      measure({ board: microbit, engine: "wasm3", optimize: "speed", model }, randomInputs(model, samples)).then(
        () => "fits",
        (error: MoteError) => error.message,
      );
    const [one, many] = [await run(1), await run(91)];
    const parts =
      /^wide by wasm3 for speed needs (.*) bytes of flash on microbit, which has 262,144: (.*) too many; the model (.*), the module (.*), code (.*), the samples (.*?)(; --inputs takes fewer samples)?$/;
    const [needed, excess, ...of] = parts
      .exec(one)!
      .slice(1, 7)
      .map((text) => Number(text.replaceAll(",", "")));
    expect(needed - excess).toBe(262_144);
    expect(of.reduce((sum, bytes) => sum + bytes, 0)).toBe(needed);
    expect(of[3]).toBe(900);
    expect(Number(parts.exec(many)![1].replaceAll(",", ""))).toBe(needed + 90 * 900);
    for (const text of [one, many]) expect(text.endsWith("fewer samples")).toBe(excess < 900);
    expect(await run(300, modelOf("narrow", dense(10, 0.02)))).toMatch(/; --inputs takes fewer samples$/);
  });

  it("is not offered where a form of it fits, and gets as many samples as flash has room for", () => {
    const small = writeContainer(buildModel(7, [1, 30, 30], [dense(10, 0.02)]));
    const formOf = (container: Uint8Array): string =>
      fittingForm(microbit, "aot", (form) => firmwareImage(container, form)).optimize;
    expect(formOf(small)).toBe("speed");
    const full = writeContainer(buildModel(7, [1, 30, 30], [dense(300, 1)]));
    expect(formOf(full)).toBe("size");
    const image = firmwareImage(small, "speed");
    expect(fittingSamples(microbit, image, "aot", 1000)).toBe(Math.floor((262_144 - 24_000 - image.modelBytes) / 1000));
    expect(fittingSamples(microbit, image, "aot", 1 << 20)).toBe(1);
  });
});

describe.skipIf(lacking.length > 0)(named("a core without an op of the model", lacking), () => {
  it("refuses it when it is opened, with the op's name", async () => {
    const { model } = syntheticModels().find(({ name }) => name === "residual")!;
    const residual = { name: "residual", container: writeContainer(model) };
    const image = firmwareImage(residual.container, "size");
    const { ops, codecs } = contentsOf(readContainer(residual.container));
    expect(ops).toContain("add");
    const module = coreWith({ ops: ops.filter((op) => op !== "add"), codecs });
    const run = measure(
      { board: lm3s6965evb, engine: "wasm3", optimize: "size", model: residual, image: { ...image, module } },
      randomInputs(residual, 1),
    );
    await expect(run).rejects.toThrow(/^lm3s6965evb-wasm3-size-residual: opening failed: STATUS_OP, .* \(-6\): add$/);
  });
});

const netduino = BOARDS.find(({ name }) => name === "netduinoplus2")!;
const noTools = missingTools(toolsOf([netduino], ["aot"]));
describe.skipIf(noTools.length > 0)(named("a model of any shape", noTools), () => {
  const run = (name: string, shape: Shape, specs: readonly LayerSpec[]): Promise<Measurement> => {
    const model = { name, container: writeContainer(buildModel(7, shape, specs)) };
    return measure({ board: netduino, engine: "aot", optimize: "speed", model }, randomInputs(model, 3));
  };

  it("runs with more layers and outputs than a LeNet has, and all of them are compared", async () => {
    const got = await run("deep", [3, 4, 5], [...Array.from({ length: 19 }, () => dense(9)), dense(300)]);
    expect(got.logitsEqual).toBe(true);
    expect(got.instructionsPerLayer.length).toBe(20);
    expect(Math.min(...got.instructionsPerLayer)).toBeGreaterThan(0);
    expect(Math.abs(outsideLayers(got) - got.inputInstructions)).toBeLessThan(20);
    expect(got.right).toBeUndefined();
    expect(got.survivedDamage).toBe(true);
  });

  it("runs with several inputs, outputs and states", async () => {
    const { model } = syntheticModels().find(({ name }) => name === "streaming")!;
    const streaming = { name: "streaming", container: writeContainer(model) };
    for (const [optimize, perStream] of [
      ["speed", Infinity],
      ["size", 2],
    ] as const) {
      const inputs = { ...randomInputs(streaming, 4), perStream };
      const got = await measure({ board: netduino, engine: "aot", optimize, model: streaming }, inputs);
      expect(got.logitsEqual).toBe(true);
      expect(got.survivedDamage).toBe(true);
    }
  });

  it("is given the user's samples by the command, whose classes are counted too", async () => {
    const { model } = syntheticModels().find(({ name }) => name === "residual")!;
    const work = mkdtempSync(join(tmpdir(), "mote-boards-"));
    const path = (name: string): string => join(work, name);
    try {
      const container = writeContainer(model);
      writeFileSync(path("own.mote"), container);
      const engine = openReference(container);
      const { shape } = engine.input;
      const values = Float32Array.from({ length: 3 * valuesOf(shape) }, (_, i) => Math.sin(i * i));
      const fill = inputFiller({ count: 3, shape, images: values }, engine.input);
      const right = [0, 1, 2].map((index) => {
        const input = new Int8Array(valuesOf(shape));
        fill(index, input);
        return argmax(engine.run(input));
      });
      writeFileSync(path("x.npy"), npyOf(values, 3, ...shape));
      writeFileSync(path("y.npy"), npyOf(Uint8Array.of(right[0], right[1], right[2] + 1), 3));
      const flags = ["--board", "netduinoplus2", "--engine", "aot", "--model", path("own.mote"), "--json"];
      const { code, stdout } = await mote(["firmware", ...flags, "--data", path("x.npy"), "--labels", path("y.npy")]);
      expect(code).toBe(0);
      const got = JSON.parse(stdout) as Measurement;
      expect(got).toMatchObject({ model: "own", inputs: 3, right: 2, logitsEqual: true, survivedDamage: true });
    } finally {
      rmSync(work, { recursive: true });
    }
  }, 60_000);

  it("or says that nothing is left for its outputs", async () => {
    const expand: LayerSpec = { op: "conv2d", kernel: [1, 1], weights: "grid", density: 1, out: 8 };
    await expect(run("wide", [1, 100, 100], [expand])).rejects.toThrow(
      /^wide by aot for speed needs \d{3},\d{3} bytes of SRAM on netduinoplus2, which has 131,072: \d\d,\d{3} too many; all else \d\d,\d{3}, its outputs and the layers' ticks 80,032$/,
    );
  });
});

describe("the baseline", () => {
  const was = readBaseline();
  const first = was[0];
  const worse = (change: Partial<Measurement>): string[] => regressions({ ...first, ...change }, was);

  it("lets pass what is as it was, better, or within 2 %", () => {
    expect(worse({})).toEqual([]);
    expect(worse({ instructions: Math.floor(first.instructions * 1.019) })).toEqual([]);
    expect(worse({ instructions: 1, sramBytes: { ...first.sramBytes, total: 1 } })).toEqual([]);
  });

  it("names each figure that rose by more than 2 %", () => {
    expect(worse({ instructions: Math.ceil(first.instructions * 1.021) })[0]).toMatch(
      /: instructions \d+ → \d+ \(\+2\.1 %\)/,
    );
    expect(worse({ sramBytes: { ...first.sramBytes, total: first.sramBytes.total * 2 } })[0]).toContain(
      "sramBytes.total",
    );
  });

  it("asks for a figure it does not have", () => {
    expect(worse({ model: "unheard-of" })[0]).toContain(
      "not in bench/device.json; take it in with: npm run firmware -- --update",
    );
  });

  it("has every case that is kept, and no other", () => {
    const expected = keptCases().map((one) => caseName({ ...one, board: one.board.name }));
    expect(was.map(caseName).sort()).toEqual(expected.sort());
  });
});
