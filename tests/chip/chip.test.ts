import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { chipSource } from "../../host/chip/chip-source.js";
import { codeWeights, type Form } from "../../host/chip/coding.js";
import { chipMemory } from "../../host/chip/memory.js";
import { findScale } from "../../host/chip/scale.js";
import { readContainer } from "../../host/container/read.js";
import { MoteError } from "../../host/errors.js";
import type { QDense } from "../../host/ops/dense.js";
import { requantize, requantizeFactor } from "../../host/quantize/requantize.js";
import { Random } from "../../host/rng.js";
import { lastJson, mote, scratchFolder } from "../cli/support.js";
import { buildModel, syntheticModels } from "../support/models.js";

const named = (name: string) => syntheticModels().find((model) => model.name === name)!.model;
const lenet5 = readContainer(readFileSync("models/lenet5.mote")).model;

describe("requantization in 32 bits", () => {
  const random = new Random(32);
  const scaled = (scale: NonNullable<ReturnType<typeof findScale>>, sum: number): number => {
    const x = Math.min(scale.most, Math.max(0, sum - scale.first));
    const product = x * scale.multiplier + scale.offset;
    return product >= 2 ** 32 ? NaN : Math.floor(product / 2 ** scale.shift);
  };

  it("is that of 64 bits for every sum", () => {
    for (let round = 0; round < 60; round++) {
      const rate = 10 ** (0.5 - 3 * random.uniform());
      const { multiplier, shift } = requantizeFactor(rate);
      const zero = random.integer(256) - 128;
      const output = (sum: number): number => 128 + requantize(sum, multiplier, shift, zero, -128, 127);
      const [low, high] = [-20_000, 20_000];
      const scale = findScale(output, low, high, rate);
      if (scale === undefined) {
        // A step of several outputs may end beyond the largest, and many thousand sums may need more bits.
        expect(rate > 1 || rate < 0.02, `rate ${rate}`).toBe(true);
        continue;
      }
      for (let sum = low; sum <= high; sum++) {
        if (scaled(scale, sum) !== output(sum)) expect.fail(`rate ${rate}, zero ${zero}, sum ${sum}`);
      }
    }
  });

  it.each([
    ["one output", 7, 7],
    ["two outputs", 7, 8],
  ])("has a scale for %s", (_, low, high) => {
    const output = (sum: number): number => (sum < 5 ? low : high);
    const scale = findScale(output, -10, 10, 0.1)!;
    for (let sum = -10; sum <= 10; sum++) expect(scaled(scale, sum)).toBe(output(sum));
  });

  it("says where 32 bits are too few", () => {
    // Steps of three million sums, each at its own place.
    const output = (sum: number): number => Math.floor(Math.sqrt(sum));
    expect(findScale(output, 0, 65_535, 1 / 256)).toBeUndefined();
  });
});

describe("weights in flash", () => {
  const full = (count: number): Int8Array => Int8Array.from({ length: count }, (_, i) => (i % 250) - 125 || 1);
  const sparse = (values: number): Int8Array =>
    Int8Array.from({ length: 4000 }, (_, i) => (i % 9 === 0 ? ((i / 9) % values) + 1 : 0));
  it.each<[string, Int8Array, "flash" | "speed", Form]>([
    ["few values as nibbles", sparse(16), "speed", "nibbles"],
    ["more values as bytes", sparse(17), "speed", "bytes"],
    ["codes where flash counts", sparse(16), "flash", "bits"],
    ["no zeros as they are", full(4000), "speed", "full"],
  ])("stand with %s", (_, weights, goal, form) => {
    expect(codeWeights(weights, 100, goal).form).toBe(form);
  });
});

describe("a net as C of its own", () => {
  it("goes by rows as far as layers do", () => {
    const { chain, bytes } = chipMemory(lenet5, true, []);
    expect(chain.map(({ rows, step }) => [rows, step])).toEqual([
      [6, 2],
      [6, 2],
    ]);
    expect(bytes).toBeLessThan(chipMemory(lenet5, false, []).bytes * 0.7);
    // A dense layer needs all of its input.
    expect(chipMemory(named("lenet300-like"), true, []).chain).toEqual([]);
  });

  it("shares a function among layers where flash counts", () => {
    const functions = (goal: "flash" | "speed"): number =>
      chipSource(lenet5, goal, "net").source.match(/^static void layers?_\d+\(/gm)!.length;
    expect([functions("flash"), functions("speed")]).toEqual([1, 4]);
  });

  it("refuses several inputs and states by rows", () => {
    expect(() => chipSource(named("streaming"), "ram", "net")).toThrow(
      /--optimize ram: the input comes by rows, expected one input and no state; this net has 2 and 2/,
    );
  });

  it("refuses sums beyond 2^30 by layer and op", () => {
    const model = buildModel(1, [2, 1, 1], [{ op: "dense", out: 1, density: 1, weights: "grid" }]);
    const layer = { ...(model.layers[0] as QDense), bias: Int32Array.of(2 ** 30) };
    const refuse = (): unknown => chipSource({ ...model, layers: [layer] }, "flash", "net");
    expect(refuse).toThrow(MoteError);
    expect(refuse).toThrow("layer 0 (dense): its sums may go beyond 2^30");
    const wide = buildModel(1, [1, 2100, 2100], [{ op: "avgpool", kernel: 2100, stride: 1 }]);
    expect(() => chipSource(wide, "flash", "net")).toThrow("layer 0 (avgpool): its sums may go beyond 2^30");
  });

  it("counts all static memory, where there is no multiplier too", () => {
    const { ramBytes, source } = chipSource(lenet5, "ram", "net");
    const digits = Number(/tap_at digits\[(\d+)\]/.exec(source)![1]);
    const memory = Number(/uint8_t bytes\[(\d+)\]/.exec(source)![1]);
    const counters = [...source.matchAll(/^static uint16_t (.*);$/gm)].flatMap(([, names]) => names.split(","));
    // What counts rows of a border is not always there.
    expect(ramBytes - memory - 2 * digits - 2 * counters.length).toBeGreaterThanOrEqual(0);
    expect(ramBytes - memory - 2 * digits - 2 * counters.length).toBeLessThanOrEqual(2);
  });

  it("takes no name that C cannot include", () => {
    for (const name of ['a"b', "a\nb", "a\\b", ""]) {
      expect(() => chipSource(lenet5, "flash", name), name).toThrow(/expected a name that C can include/);
    }
    expect(chipSource(lenet5, "flash", "mein netz-1").header).toContain("void mein_netz_1_run(void);");
  });
});

describe("mote pack --format c --optimize", () => {
  const scratch = scratchFolder();

  it("writes a net into a folder, with what it takes", async () => {
    const folder = scratch.path("made");
    const outcome = await mote([
      "pack",
      "models/lenet5.mote",
      "-o",
      folder,
      "--format",
      "c",
      "--optimize",
      "flash",
      "--vectors",
      "1",
      "--json",
    ]);
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(readdirSync(folder).toSorted()).toEqual(["lenet5.c", "lenet5.h", "lenet5.vectors.npz"]);
    expect(existsSync(`${folder}.vectors.npz`)).toBe(false);
    const json = lastJson(outcome) as { readonly format: string; readonly optimize: string; readonly ramBytes: number };
    expect(json).toMatchObject({ format: "c", optimize: "flash" });
    expect(json.ramBytes).toBeLessThan(2100);
    expect(readFileSync(`${folder}/lenet5.h`, "utf8")).toContain("void lenet5_run(void);");
  });

  it.each([
    [["-o", "net.c", "--optimize", "sram"], /--optimize sram: not for --format c, expected wasm or aot/],
    [["-o", "net.wasm", "--optimize", "flash"], /--optimize flash: not for --format wasm, expected c/],
    [["-o", "net.c", "--optimize", "ram", "--sram", "1000"], /needs 1\d+ bytes of static RAM, --sram/],
    [
      ["-o", "net.c", "--optimize", "speed", "--input-rows"],
      /--input-rows: for fast modules, not for --format c, expected wasm or aot$/m,
    ],
    [
      ["-o", "net.c", "--optimize", "speed", "--byte-price", "1"],
      /--byte-price: for fast modules, not for --format c, expected wasm or aot$/m,
    ],
    [
      ["-o", "net.c", "--optimize", "flash", "--sram", "least"],
      /--sram least: for fast modules, not for --format c, expected wasm or aot, or a number of bytes$/m,
    ],
  ])("refuses %j", async (flags, problem) => {
    const [, name] = flags;
    const path = scratch.path(name);
    const { code, stderr } = await mote(["pack", "models/lenet5.mote", "-o", path, ...flags.slice(2)]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(problem);
    expect(existsSync(path)).toBe(false);
  });
});
