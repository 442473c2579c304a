import { readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { bakedContainer } from "../../host/module/baked.js";
import { readContainer, type Container } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { outputOf } from "../../host/model/edges.js";
import { quantize } from "../../host/quantize/quantize.js";
import { lenet5 } from "../../host/train/nets.js";
import { writeCheckpoint } from "../../host/node/train/checkpoint.js";
import { compressedNet } from "../support/nets.js";
import { expectOneLine, lastJson, mote, scratchFolder } from "./support.js";

const scratch = scratchFolder();
const net = compressedNet(lenet5, 1);
const container = writeContainer(quantize(net));
const bytesOf = (name: string): Uint8Array => new Uint8Array(readFileSync(scratch.path(name)));

beforeAll(() => {
  writeCheckpoint(scratch.path("net.safetensors"), { net });
  writeFileSync(scratch.path("model.mote"), container);
});

describe("pack", () => {
  it("writes a compressed net as a container", async () => {
    const outcome = await mote(["pack", scratch.path("net.safetensors"), "-o", scratch.path("out.mote"), "--json"]);
    expect(outcome.code).toBe(0);
    expect(Buffer.compare(bytesOf("out.mote"), container)).toBe(0);
    expect(lastJson(outcome)).toMatchObject({ format: "mote", containerBytes: container.length });
  });

  it("takes another window and smaller tables", async () => {
    const out = scratch.path("window.mote");
    expect(
      (await mote(["pack", scratch.path("net.safetensors"), "-o", out, "--window", "512", "--tables", "150"])).code,
    ).toBe(0);
    const packed = readContainer(bytesOf("window.mote"));
    const { plan, model } = packed;
    expect(plan.window).toBe(512);
    const tablesOf = (file: Container): number => Math.max(...file.layers.map(({ section }) => section!.tableBytes));
    expect(tablesOf(packed)).toBeLessThanOrEqual(150);
    expect(tablesOf(readContainer(container))).toBeGreaterThan(150);
    expect(model.layers).toEqual(readContainer(container).model.layers);
  });

  it("wraps a container as .wasm, and a .wasm as the same container", async () => {
    const wasm = scratch.path("model.wasm");
    expect((await mote(["pack", scratch.path("model.mote"), "-o", wasm])).code).toBe(0);
    expect(Buffer.compare(bakedContainer(bytesOf("model.wasm")).container, container)).toBe(0);
    expect((await mote(["pack", wasm, "-o", scratch.path("again.mote")])).code).toBe(0);
    expect(Buffer.compare(bytesOf("again.mote"), container)).toBe(0);
  });

  it("takes labels, which travel on to whatever is made of the container", async () => {
    const { model } = readContainer(container);
    const outputs = model.tensors[outputOf(model)].shape[0];
    const labels = Array.from({ length: outputs }, (_, i) => `class ${i}`);
    writeFileSync(scratch.path("labels.txt"), "\ufeff" + labels.join("\r\n") + "\r\n");
    const named = scratch.path("named.mote");
    const args = ["pack", scratch.path("model.mote"), "-o", named, "--labels"];
    expect((await mote([...args, scratch.path("labels.txt")])).code).toBe(0);
    expect((await mote(["pack", named, "-o", scratch.path("named.wasm")])).code).toBe(0);
    expect((await mote(["pack", scratch.path("named.wasm"), "-o", scratch.path("named-again.mote")])).code).toBe(0);
    expect(Buffer.compare(bytesOf("named-again.mote"), bytesOf("named.mote"))).toBe(0);
    expect(readContainer(bytesOf("named.mote")).model.labels).toEqual(labels);

    writeFileSync(scratch.path("few.txt"), "one\ntwo");
    expectOneLine(
      await mote([...args, scratch.path("few.txt")]),
      new RegExp(`few.txt: number of labels is 2, expected ${outputs}`),
    );
    writeFileSync(scratch.path("latin.txt"), Buffer.from([0xe4, 0x0a]));
    expectOneLine(
      await mote([...args, scratch.path("latin.txt")]),
      /latin.txt: expected UTF-8 text with a label a line/,
    );
    expect(bytesOf("named.mote").length).toBeGreaterThan(container.length); // as it was
  });

  it("writes C source and its header", async () => {
    const outcome = await mote(["pack", scratch.path("model.mote"), "-o", scratch.path("digits.c"), "--json"]);
    expect(outcome.code).toBe(0);
    expect(readFileSync(scratch.path("digits.c"), "utf8")).toContain('#include "digits.h"');
    expect(readFileSync(scratch.path("digits.h"), "utf8")).toContain(`DIGITS_MODEL_BYTES ${container.length}u`);
  });

  it("fits a model to the byte, and says what each buffer takes when it does not", async () => {
    const args = ["pack", scratch.path("model.mote"), "-o", scratch.path("fits.mote")];
    const { linearMemoryBytes: bytes } = lastJson(await mote([...args, "--json"])) as { linearMemoryBytes: number };
    expect((await mote([...args, "--sram", String(bytes)])).code).toBe(0);
    expectOneLine(
      await mote([...args, "--sram", String(bytes - 1)]),
      new RegExp(
        `needs ${bytes} bytes of linear memory, --sram grants ${bytes - 1}: scratch 5912 \\(layer 2: tables 2056, channels 2000, columns 1600, records 256\\), arena 3680 \\(tensors of 784, 2880, 800, 500, 10\\), `,
      ),
    );
  });

  it.each<[string, string[], RegExp]>([
    [
      "an output it cannot tell the format of",
      ["-o", "out.bin"],
      /--out out\.bin: expected a name ending in \.mote, \.wasm or \.c/,
    ],
    ["a window that is too small", ["-o", "out.mote", "--window", "100"], /--window 100: expected at least 128/],
    [
      "a window for what is packed already",
      ["-o", "out.mote", "--window", "256"],
      /model\.mote is packed already: --window and --tables/,
    ],
  ])("refuses %s", async (_name, flags, message) => {
    expectOneLine(await mote(["pack", scratch.path("model.mote"), ...flags]), message, 2);
  });
});

describe("inspect", () => {
  it("shows layers, sections and memory", async () => {
    const { code, stdout } = await mote(["inspect", scratch.path("model.mote")], { env: { COLUMNS: "120" } });
    expect(code).toBe(0);
    expect(stdout).toMatch(/units +all of 20-50-500-10/);
    expect(stdout).toMatch(/^0 +conv2d +20 × 12 × 12/m);
    expect(stdout).toMatch(/^ +\d+ +\d+ {2}scratch: what a layer's weights are decoded with$/m);
    expect(stdout).toMatch(/^ +\d+ +\d+ {4}layer 2, records: decoded weights of a row$/m);
    expect(stdout).toMatch(/ in all$/m);
  });

  it("--json has the same figures", async () => {
    const report = lastJson(await mote(["inspect", scratch.path("model.mote"), "--json"]));
    expect(report).toMatchObject({ kind: "container", fileBytes: container.length, nominalBytes: 1724320 });
    expect((report.layers as object[]).length).toBe(4);
  });

  it("--paper has a row for each layer and the total", async () => {
    const { stdout } = await mote(["inspect", scratch.path("model.mote"), "--paper"], { env: { COLUMNS: "160" } });
    expect(stdout).toMatch(
      /#weights +weights P +weight bits P\+Q +weight bits P\+Q\+H +index bits P\+Q +index bits P\+Q\+H +rate P\+Q +rate P\+Q\+H/,
    );
    expect(stdout.trimEnd().split("\n").length).toBe(6);
    expect(stdout).toMatch(/^total +430,500/m);
  });

  it("--energy compares with dense float", async () => {
    const { stdout } = await mote(["inspect", scratch.path("model.mote"), "--energy"]);
    expect(stdout).toMatch(/dense float32, weights in DRAM/);
    expect(stdout).toMatch(/times less/);
  });
});
