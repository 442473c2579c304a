import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cSource } from "../../host/c/c-source.js";
import { denseFloatEnergy, packedEnergy } from "../../host/report/energy.js";
import { drawLives } from "../../host/report/lives.js";
import { describePlan, planTotal } from "../../host/container/plan.js";
import { readContainer } from "../../host/container/read.js";
import { reportContainer } from "../../host/report/container.js";
import { writeContainer } from "../../host/container/write.js";
import type { QModel } from "../../host/model/model.js";
import { buildModel, leNets, syntheticModels } from "../support/models.js";

const reported = (model: QModel) => reportContainer(readContainer(writeContainer(model)));

describe.each(syntheticModels())("$name", ({ model }) => {
  const container = readContainer(writeContainer(model));
  const report = reportContainer(container);

  test("accounts for every byte of the file", () => {
    const layerBytes = report.layers.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(report.headBytes + layerBytes).toBe(container.metadataOffset);
    expect(report.sideBytes + report.symbolBytes).toBe(report.fileBytes);
  });

  test("draws a memory map without holes that ends where the plan does", () => {
    for (const resident of [false, true]) {
      let next = 0;
      let scratch = NaN;
      let nextPart = NaN;
      for (const line of describePlan(container, resident).slice(1)) {
        const [, address, bytes, use] = /^ *(\d+)? +(\d+) {2}(.*)$/.exec(line)!;
        if (use.startsWith("  tensor")) continue;
        if (use.startsWith("  layer")) {
          expect(Number(address)).toBe(nextPart);
          nextPart += Number(bytes);
          continue;
        }
        expect(address === undefined ? Number(bytes) : Number(address)).toBe(next);
        if (use.startsWith("scratch")) [scratch, nextPart] = [next + Number(bytes), next];
        next += Number(bytes);
      }
      expect(nextPart).toBe(scratch);
      expect(next / 2).toBe(planTotal(container.plan, resident));
    }
  });
});

test("LeNet-5 has the paper's 430,500 weights and 2,293,000 multiplications", () => {
  const { model } = leNets()[0];
  const whole = { ...model, tensors: model.tensors.map((tensor) => ({ ...tensor, nominalChannels: tensor.shape[0] })) };
  const report = reported(whole);
  expect(report.layers.map(({ weights }) => weights!.nominalWeights)).toEqual([500, 25000, 400000, 5000]);
  expect(report.layers.map(({ nominalMacs }) => nominalMacs)).toEqual([288000, 1600000, 400000, 5000]);
  expect(report.nominalBytes).toBe(1724320);
});

test("dead units count as weights of the net before", () => {
  const model = buildModel(
    1,
    [4, 1, 1],
    [
      { op: "dense", out: 3, density: 1, weights: "single" },
      { op: "dense", out: 2, density: 1, weights: "single" },
    ],
  );
  const tensors = model.tensors.map((tensor, i) => ({ ...tensor, nominalChannels: [4, 10, 2][i] }));
  const { layers, nominalBytes } = reported({ ...model, tensors });
  expect(layers.map(({ weights }) => weights!.nominalWeights)).toEqual([40, 20]);
  expect(nominalBytes).toBe(4 * (40 + 10 + 20 + 2));
});

test("fixed widths: index bits and filler zeros as in Deep Compression", () => {
  // Gaps 0, 3 and 9 with one value. With 2 bits, of range 4, the last takes two fillers.
  const weights = new Int8Array(200);
  for (const at of [0, 4, 14]) weights[at] = 5;
  const model = buildModel(1, [200, 1, 1], [{ op: "dense", out: 1, density: 0, weights: "single" }]);
  const layer = { ...model.layers[0], weights } as QModel["layers"][number];
  const { fixedWidth, values } = reported({ ...model, layers: [layer] }).layers[0].weights!;
  expect(values).toBe(1);
  // 1 bit: 3 weights + 1 + 4 fillers; 2 bits: 3 + 2; 3 bits: 3 + 1; 4 bits: 3. In all (1 + bits) each, and 8 for the codebook.
  expect(fixedWidth).toEqual({ weightBits: 1, indexBits: 2, entries: 5, bits: 5 * 3 + 8 });
});

test("energy is the sum of its operations", () => {
  const model = buildModel(1, [10, 1, 1], [{ op: "dense", out: 2, density: 1, weights: "any" }]);
  const tensors = model.tensors.map((tensor) => ({ ...tensor, nominalChannels: tensor.shape[0] }));
  const report = reported({ ...model, tensors });
  expect(report.layers[0].weights).toMatchObject({ codec: "dense", nonZeros: 20 });
  const dense = denseFloatEnergy(report);
  expect(dense.arithmetic).toBeCloseTo((20 * (3.7 + 0.9)) / 1000, 9);
  expect(dense.weights).toBeCloseTo((22 * 640) / 1000, 9);
  expect(dense.activations).toBeCloseTo((20 * 5) / 1000, 9);
  const packed = packedEnergy(report);
  expect(packed.arithmetic).toBeCloseTo((20 * (3.1 + 0.1)) / 1000, 9);
  expect(packed.weights).toBeCloseTo(((report.fileBytes / 4) * 5) / 1000, 9);
  expect(packed.activations).toBeCloseTo(((20 + 2 * 20) * 5) / 1000, 9);
  expect(packed.total).toBeCloseTo(packed.arithmetic + packed.weights + packed.activations, 9);
});

test("C source holds the bytes and compiles without a warning", () => {
  const bytes = writeContainer(leNets()[1].model);
  const { plan } = readContainer(bytes);
  const { header, source } = cSource(bytes, plan, "5-digits");
  const array = /\{([^}]*)\};/.exec(source)![1];
  expect(array.match(/\d+/g)!.map(Number)).toEqual([...bytes]);
  expect(header).toContain(`#define MODEL_5_DIGITS_MODEL_BYTES ${bytes.length}u`);
  expect(header).toContain(`#define MODEL_5_DIGITS_MEMORY_BYTES ${planTotal(plan)}u`);
  const folder = mkdtempSync(join(tmpdir(), "mote-c-"));
  try {
    writeFileSync(join(folder, "5-digits.h"), header);
    writeFileSync(join(folder, "5-digits.c"), source);
    const strict = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-c", "5-digits.c", "-o", "out.o"];
    execFileSync("cc", ["-std=c99", ...strict], { cwd: folder });
    execFileSync("c++", ["-xc++", ...strict], { cwd: folder });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe("a plan over time", () => {
  const tensor = (address: number, bytes: number, first: number, last: number, isByLines = false) => {
    return { address, bytes, first, last, isByLines };
  };

  test("has a mark for each layer at which a tensor is in use, and says how much of the arena is", () => {
    const lines = drawLives([tensor(0, 800, -1, 0), tensor(800, 1600, 0, 2, true), tensor(800, 400, 2, 3)], 3);
    expect(lines).toEqual([
      "  tensor        bytes  in use, a layer a column; ░ made some lines at a time",
      "       0          800  █",
      "       1        1,600  ░░░",
      "       2          400    █",
      " at most        2,400  █▆▆",
    ]);
  });

  test("is never wider than a terminal", () => {
    const lines = drawLives(
      Array.from({ length: 200 }, (_, layer) => tensor(0, 10 ** 6, layer - 1, layer)),
      199,
    );
    expect(lines[0]).toContain("4 layers a column");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(76);
  });
});
