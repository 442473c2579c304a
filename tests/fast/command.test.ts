/** Fast modules on the command line: pack, inspect, run and verify. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { fastParts } from "../../host/fast/parts.js";
import { writeContainer } from "../../host/container/write.js";
import type { QDense } from "../../host/model/model.js";
import { expectOneLine, lastJson, mote, scratchFolder } from "../cli/support.js";
import { buildModel, leNets, type LayerSpec } from "../support/models.js";

const scratch = scratchFolder();
const container = writeContainer(leNets().find(({ name }) => name === "narrow lenet5-like")!.model);
const wasm = fastModule(container);
const { memoryBytes, stream, windowBytes } = fastParts(wasm);
let path = "";
let fastPath = "";

beforeAll(() => {
  path = scratch.path("model.mote");
  fastPath = scratch.path("model-fast.wasm");
  writeFileSync(path, container);
  writeFileSync(fastPath, wasm);
});

describe("mote pack --optimize speed", () => {
  it("writes a fast module, of a container or of a packed .wasm", async () => {
    const out = scratch.path("out.wasm");
    const outcome = await mote(["pack", path, "-o", out, "--optimize", "speed", "--json"]);
    expect(outcome.code).toBe(0);
    expect(new Uint8Array(readFileSync(out))).toEqual(wasm);
    expect(lastJson(outcome)).toMatchObject({
      format: "wasm",
      optimize: "speed",
      containerBytes: container.length,
      linearMemoryBytes: memoryBytes,
      plan: { windowBytes, bytes: memoryBytes },
      files: [{ path: out, bytes: wasm.length }],
    });
    const packed = scratch.path("packed.wasm");
    expect((await mote(["pack", path, "-o", packed])).code).toBe(0);
    expect((await mote(["pack", packed, "-o", out, "--optimize", "speed"])).code).toBe(0);
    expect(new Uint8Array(readFileSync(out))).toEqual(wasm);
  });

  it("fits a model to the byte, and says what takes room when it does not", async () => {
    const args = ["pack", path, "-o", scratch.path("fits.wasm"), "--optimize", "speed", "--sram"];
    expect((await mote([...args, String(memoryBytes)])).code).toBe(0);
    expectOneLine(
      await mote([...args, String(memoryBytes - 1)]),
      new RegExp(
        `needs ${memoryBytes} bytes of linear memory, --sram grants ${memoryBytes - 1}: arena \\d+ \\(tensors of`,
      ),
    );
  });

  it("has the input by rows with --input-rows, says what that saves, and runs as any other", async () => {
    const conv: LayerSpec = { op: "conv2d", kernel: [3, 3], pad: 1, out: 4, weights: "any", density: 1 };
    const model = scratch.path("rows.mote");
    writeFileSync(model, writeContainer(buildModel(3, [3, 40, 30], [conv, { ...conv, stride: 2 }])));
    const out = scratch.path("rows.wasm");
    const args = ["pack", model, "-o", out, "--optimize", "speed", "--input-rows"];
    const outcome = await mote([...args, "--vectors", "2", "--json"]);
    const { linearMemoryBytes, wholeInputBytes } = lastJson(outcome) as Record<string, number>;
    expect(linearMemoryBytes).toBeLessThan(wholeInputBytes);
    const { tensors, memoryBytes: bytes } = fastParts(readFileSync(out));
    const rows = tensors[0].comingLines;
    expect([bytes, rows]).toEqual([linearMemoryBytes, 2]);
    const saved = (wholeInputBytes - linearMemoryBytes).toLocaleString("en");
    // stderr, beside the JSON.
    expect(outcome.stderr.replace(/\s+/g, " ")).toContain(`2 rows at a time, ${saved} bytes less than as a whole`);
    const { stdout } = await mote(["inspect", out]);
    expect(stdout.replace(/\s+/g, " ")).toContain(
      "0: 3 × 40 × 30, border 1, 4 lines at a time, 2 of them new: the host gives rows",
    );
    expect((await mote(["run", out, "--data", scratch.path("rows.vectors.npz")])).code).toBe(0);
    expectOneLine(await mote([...args, "--sram", "1000"]), /needs \d+ bytes of linear memory, --sram grants 1000/);
  });

  it("takes shorter streams at a price for bytes, and refuses one for a container", async () => {
    const shared = scratch.path("shared.mote");
    writeFileSync(
      shared,
      writeContainer(buildModel(5, [300, 1, 1], [{ op: "dense", weights: "grid", density: 0.15, out: 40 }])),
    );
    const pack = (...flags: string[]): string[] => ["pack", shared, "-o", scratch.path("priced.wasm"), ...flags];
    const kernels: unknown[] = [];
    for (const price of ["0", "1000"]) {
      const { layers } = lastJson(await mote(pack("--optimize", "speed", "--byte-price", price, "--json")));
      kernels.push((layers as { kernel: string }[])[0].kernel);
    }
    expect(kernels).toEqual(["dense", "dense by values"]);
    expect((await mote(["inspect", scratch.path("priced.wasm")])).stdout).toMatch(/^0 +dense by values /m);
    expectOneLine(
      await mote(pack("--byte-price", "1")),
      /^mote: --byte-price: for fast modules, expected --optimize/,
      2,
    );
    expectOneLine(await mote(pack("--optimize", "speed", "--byte-price", "x")), /expected 0 \.\. 1000000\.$/, 2);
  });

  it("refuses --input-rows where the input cannot come so, and for a container", async () => {
    const out = scratch.path("no-rows.wasm");
    const args = ["pack", path, "-o", out, "--input-rows"];
    expectOneLine(await mote(args), /^mote: --input-rows: for fast modules, expected --optimize speed or sram$/, 2);
    expectOneLine(
      await mote([...args, "--optimize", "speed"]),
      /fast module: its input cannot come by rows: layer 0 \(conv2d\) does not go by them; expected .* convolutions without a pool of their own, pools, sums or tables$/,
    );
    expect(existsSync(out)).toBe(false);
  });

  it("warns of a module that grows by more than its work shrinks, with both figures, and not of others", async () => {
    // Under a pool all kernels take a weight at a time.
    const pool = { size: 2, stride: 1 } as const;
    const conv = { op: "conv2d", kernel: [3, 3], weights: "any", density: 1, out: 16, pad: 1, pool } as const;
    const dense = scratch.path("dense.mote");
    writeFileSync(dense, writeContainer(buildModel(5, [16, 6, 6], [conv, conv])));
    const figures =
      /: it takes ([\d,]+) bytes in place of .* ([\d,]+), and ([\d,]+) WebAssembly .* in place of ([\d,]+);/;
    const args = ["pack", dense, "-o", scratch.path("dense.wasm"), "--optimize", "speed"];
    const { code, stdout, stderr } = await mote(args);
    expect([code, stdout.includes("warning")]).toEqual([0, false]);
    expect(stderr).toMatch(/^mote: warning: .*dense\.mote: too many weights .*prefer --optimize size.*\n$/);
    const [fastBytes, coreBytes, fastWork, coreWork] = figures
      .exec(stderr)!
      .slice(1)
      .map((figure) => Number(figure.replaceAll(",", "")));
    expect(fastBytes / coreBytes).toBeGreaterThan(coreWork / fastWork);
    expect((await mote(["pack", path, "-o", scratch.path("quiet.wasm"), "--optimize", "speed"])).stderr).toBe("");
  });

  it("warns of a net that is too large for it without counting what a run takes", async () => {
    const large = scratch.path("large.mote");
    const random: LayerSpec = { op: "dense", weights: "any", density: 1, out: 1200 };
    const bytes = writeContainer(buildModel(5, [1000, 1, 1], [random]));
    writeFileSync(large, bytes);
    const out = scratch.path("large.wasm");
    const { code, stderr } = await mote(["pack", large, "-o", out, "--optimize", "speed"]);
    expect(code).toBe(0);
    const [of, instead] = [readFileSync(out).length, bytes.length].map((count) => count.toLocaleString("en"));
    expect(stderr).toContain(
      `large.mote: too large a net for a fast module: it takes ${of} bytes in place of a container's ${instead},`,
    );
    expect(stderr).toMatch(/prefer --optimize size\n$/);
  });

  it("says which kernel runs each layer, instead of what, and what memory they share", async () => {
    const layers: LayerSpec[] = [
      { op: "conv2d", kernel: [3, 3], weights: "any", density: 1, out: 16 },
      { op: "maxpool", kernel: 2, stride: 2 },
    ];
    const full = scratch.path("full.mote");
    writeFileSync(full, writeContainer(buildModel(5, [8, 12, 12], layers)));
    const args = ["pack", full, "-o", scratch.path("full.wasm"), "--optimize", "speed"];
    const { stdout } = await mote(args);
    expect(stdout).toMatch(/\nkernels, with about what they take: instructions of a Cortex-M4 .*\n/);
    for (const text of ["conv2d by two filters", "conv2d by blocks", "maxpool", "1,408"])
      expect(stdout).toContain(text);
    const {
      layers: said,
      plan,
      linearMemoryBytes,
    } = lastJson(await mote([...args, "--json"])) as {
      layers: { kernel: string; instructions: number; instead?: { kernel: string; instructions: number } }[];
      plan: { bytes: number };
      linearMemoryBytes: number;
    };
    expect(said.map(({ kernel, instead }) => [kernel, instead?.kernel])).toEqual([
      ["conv2d by two filters", "conv2d by blocks"],
      ["maxpool", undefined],
    ]);
    expect(said[0].instructions).toBeLessThan(said[0].instead!.instructions);
    expect(linearMemoryBytes).toBe(plan.bytes);
    const inspected = await mote(["inspect", scratch.path("full.wasm")]);
    expect(inspected.stdout).toMatch(/\n +\d+ +\d+ +arena: tensors, and what kernels lay out\n/);
  });

  it("with --sram has layers go by lines, which inspect draws", async () => {
    const conv = { op: "conv2d", kernel: [3, 3], weights: "any", density: 1, out: 8, pad: 1 } as const;
    const net = scratch.path("tall.mote");
    writeFileSync(net, writeContainer(buildModel(5, [3, 40, 20], [conv, conv, conv])));
    const out = scratch.path("lines.wasm");
    const refused = await mote(["pack", net, "-o", out, "--sram", "least"]);
    expectOneLine(
      refused,
      /--sram least: for fast modules, expected --optimize speed or sram, or a number of bytes/,
      2,
    );
    expect((await mote(["pack", net, "-o", out, "--optimize", "speed", "--sram", "least"])).code).toBe(0);
    const { stdout } = await mote(["inspect", out]);
    expect(stdout).toMatch(/tensor 1: 8 × 40 × 20, border 1, \d lines at a time\n/);
    expect(stdout).toContain("in use, a layer a column; ░ made some lines at a time");
  });

  it("for SRAM writes the same stream with less code", async () => {
    const out = scratch.path("lean.wasm");
    const outcome = await mote(["pack", path, "-o", out, "--optimize", "sram", "--json"]);
    expect(lastJson(outcome)).toMatchObject({ optimize: "sram", linearMemoryBytes: memoryBytes });
    const lean = fastParts(readFileSync(out));
    expect(Buffer.compare(lean.stream, stream)).toBe(0);
    expect(lean.codeBytes).toBeLessThan(fastParts(wasm).codeBytes);
  });

  it("is for modules only, and not of one", async () => {
    expectOneLine(
      await mote(["pack", path, "-o", scratch.path("out.mote"), "--optimize", "speed"]),
      /--optimize speed: not for --format mote, expected wasm or aot/,
      2,
    );
    expectOneLine(
      await mote(["pack", fastPath, "-o", scratch.path("out.mote")]),
      /model-fast\.wasm: a fast module has no container inside; expected the one that it was packed from/,
    );
  });

  it("names layer and row of what it cannot hold", async () => {
    const steep = buildModel(1, [4, 1, 1], [{ op: "dense", out: 2, weights: "grid", density: 1 }]);
    const [layer] = steep.layers as [QDense];
    layer.shift.fill(1);
    const file = scratch.path("steep.mote");
    writeFileSync(file, writeContainer(steep));
    expectOneLine(
      await mote(["pack", file, "-o", scratch.path("steep.wasm"), "--optimize", "speed"]),
      /steep\.mote: not for a fast module: layer 0 \(dense\), row 0: multiplier \d+ and shift 1 take sums of/,
    );
    expect(scratch.names()).not.toContain("steep.wasm");
  });
});

describe("mote inspect", () => {
  it("shows the stream layer by layer, and the memory of a fast module", async () => {
    const { code, stdout } = await mote(["inspect", fastPath]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^0 +conv2d by pooled tiles +10 × 12 × 12 +10 +\d+ +\d+ +0 +[\d,]+$/m);
    expect(stdout).toMatch(/^3 +dense +10 × 1 × 1 /m);
    expect(stdout).toMatch(new RegExp(`${memoryBytes}  in all$`, "m"));
    const json = lastJson(await mote(["inspect", fastPath, "--json"]));
    expect(json).toMatchObject({ fileBytes: wasm.length, streamBytes: stream.length, memoryBytes });
    expect(json.layers).toHaveLength(4);
  });

  it("has no tables of papers for it", async () => {
    for (const flag of ["--paper", "--matrix-formats"]) {
      const refusal = /is a fast module: --paper, --energy and --matrix-formats are for containers$/;
      expectOneLine(await mote(["inspect", fastPath, flag]), refusal, 2);
    }
  });
});

describe("mote run and mote verify", () => {
  const data = ["--data", "mnist:test:5", "--json"];

  it("run a container as a fast module, and a fast module as it is", async () => {
    const plain = lastJson(await mote(["run", path, ...data]));
    for (const engine of ["wasm3", "v8"]) {
      const made = lastJson(await mote(["run", path, "--optimize", "speed", "--engine", engine, ...data]));
      const packed = lastJson(await mote(["run", fastPath, "--engine", engine, ...data]));
      expect(made).toMatchObject({ containerBytes: container.length, streamBytes: stream.length });
      expect(packed).not.toHaveProperty("containerBytes");
      for (const json of [made, packed]) {
        expect(json.results).toEqual(plain.results);
        expect(json.linearMemoryBytes).toBe(memoryBytes);
        expect(json.bytesRead as number).toBeGreaterThanOrEqual(stream.length);
      }
    }
  });

  it("compare wasm3 and V8 on the fast module with the reference on the container", async () => {
    const outcome = await mote(["verify", path, "--optimize", "speed", "--random", "5", "--budget", "7"]);
    expect(outcome.code).toBe(0);
    expect(outcome.stdout).toBe(`${path}: 5 inputs (random, seed 1): wasm3 = v8 = simd = reference, every layer\n`);
  });

  it("say what is missing, or does not go together", async () => {
    const noContainer = /simd: a fast module has no container to run; expected the one that it was packed from/;
    expectOneLine(await mote(["verify", fastPath, "--random", "1"]), noContainer);
    for (const engine of ["simd", "reference"]) {
      expectOneLine(
        await mote(["run", path, "--optimize", "speed", "--engine", engine, ...data]),
        new RegExp(`--optimize speed: ${engine} runs containers; expected --engine wasm3 or v8`),
        2,
      );
    }
    expectOneLine(await mote(["run", fastPath, "--resident", ...data]), /a fast module's weights cannot be resident/);
  });
});
