import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { edge, goldenBytes, IMPORT_FOLDER, model, node } from "../support/onnx.js";
import { expectOneLine, lastJson, mote, scratchFolder } from "./support.js";

const scratch = scratchFolder();
const golden = (name: string): string => join(IMPORT_FOLDER, `${name}.onnx`);
const inspect = (...args: string[]): ReturnType<typeof mote> => mote(["inspect", ...args], { env: { COLUMNS: "100" } });

describe("mote inspect of an ONNX net", () => {
  it("shows inputs, nodes, shapes, multiplications and parameters", async () => {
    const { code, stdout } = await inspect(golden("torch-digits"));
    expect(code).toBe(0);
    const lines = stdout.split("\n");
    expect(lines[0]).toMatch(/torch-digits\.onnx: ONNX net of 8,056 bytes, opset 13$/);
    expect(lines).toContain("input       image: 1 × 1 × 28 × 28, float32");
    expect(lines).toContain("nodes       13, 4 of them constant");
    expect(lines).toContain("MACs        32,256");
    expect(lines).toContain("runs        yes: each node has a layer, or dissolves");
    expect(stdout).toMatch(/^\/conv2\/Conv +Conv +1 × 8 × 6 × 6 +2,592 +80$/m);
    expect(stdout).not.toContain("what stands in the way");
  });

  it("lists all that would not run, with names and reasons, in 100 columns", async () => {
    const { code, stdout } = await inspect(golden("refused"));
    expect(code).toBe(0);
    const list = stdout.slice(stdout.indexOf("what stands in the way"));
    expect(list).toMatch(/^what stands in the way, 11 of 12 nodes\n/);
    expect(list).toContain("  LSTM (memory): direction = reverse; expected forward\n");
    expect(list).toContain("  MaxPool (pool): dilations [1, 2]; expected 1\n");
    expect(list.split("\n").filter((line) => /^ {2}\S/.test(line))).toHaveLength(11);
    expect(
      Math.max(
        ...stdout
          .split("\n")
          .slice(1)
          .map((line) => line.length),
      ),
    ).toBeLessThanOrEqual(100);
  });

  it("puts several nodes on a line where there are many, and equal reasons together", async () => {
    const names = Array.from({ length: 60 }, (_, i) => `t${i}`);
    const chain = names.map((name, i) => node(i % 30 === 29 ? "RNN" : "Relu", [i === 0 ? "x" : names[i - 1]], [name]));
    writeFileSync(scratch.path("deep.onnx"), model(13, edge(11, "x", [1, 1, 1]), ...chain, edge(12, "t59", [1])));
    const { stdout } = await inspect(scratch.path("deep.onnx"));
    expect(stdout).toMatch(/^node +op +output +MACs +parameters$/m);
    expect(stdout.match(/^(Relu|RNN) #\d+/gm)).toEqual(["Relu #0", "RNN #29", "Relu #30", "RNN #59"]);
    expect(stdout).toMatch(/^Relu #30 +Relu × 29 +1 × 1 × 1 × \?$/m);
    expect(stdout).toContain("  RNN (RNN #29, RNN #59): keeps a state from step to step;");
  });

  it("says what packing leaves out, as packing does", async () => {
    const path = join(IMPORT_FOLDER, "conv-int8.tflite");
    const { stdout } = await inspect(path);
    const note = "the softmax at the end is left out; outputs are its inputs, of the same order";
    expect(stdout.split("\n").slice(-3).join(" ").trim()).toMatch(new RegExp(`^SOFTMAX #\\d+: ${note}$`));
    expect(lastJson(await inspect(path, "--json")).notes).toEqual([expect.stringMatching(`^SOFTMAX #\\d+: ${note}$`)]);
    expect(lastJson(await inspect(golden("refused"), "--json")).notes).toEqual([]);
  });

  it("prints one JSON object with --json", async () => {
    const json = lastJson(await inspect(golden("refused"), "--json"));
    expect(json).toMatchObject({ kind: "ONNX net", version: "opset 13", runs: false, macs: 864, parameters: 64 });
    expect((json.nodes as object[])[2]).toEqual({
      name: "pool",
      op: "MaxPool",
      output: [1, 4, 4, 3],
      macs: 0,
      parameters: 0,
      verdict: "not",
      why: "dilations [1, 2]; expected 1",
    });
  });

  it("takes the batch as 1 and other sizes from --shape", async () => {
    const batch = await inspect(golden("torch-blocks"));
    expect(batch.stdout).toContain(
      "input       image: 1 × 3 × 8 × 12, float32; its first size is open (batch) and taken as 1\n",
    );
    const shaped = lastJson(await inspect(golden("torch-blocks"), "--shape", "image=2,3,8,12", "--json"));
    expect(shaped).toMatchObject({ outputs: [{ name: "scores", shape: [2, 8] }], runs: false });
  });

  it.each([
    ["image", /expected a name and sizes, such as image=1,3,224,224/],
    ["image=1,0", /expected a name and sizes/],
    ["=1", /expected a name and sizes/],
    ["picture=1,3,8,12", /torch-blocks\.onnx: shape of picture: the net's inputs are image$/],
    ["image=1,3,8", /torch-blocks\.onnx: shape of image: 1,3,8 does not fit the net's batch,3,8,12$/],
  ])("refuses --shape %s", async (shape, message) => {
    expectOneLine(await inspect(golden("torch-blocks"), "--shape", shape), message, 2);
  });

  it("is known by its bytes too, but --shape and flags of containers are for those", async () => {
    copyFileSync(golden("torch-digits"), scratch.path("net.bin"));
    expect((await inspect(scratch.path("net.bin"))).stdout).toContain("ONNX net of 8,056 bytes");
    expectOneLine(
      await inspect(scratch.path("net.bin"), "--paper"),
      /is a net of another format: --paper, --energy and --matrix-formats are for containers$/,
      2,
    );
    writeFileSync(scratch.path("a.mote"), "MOTE");
    expectOneLine(
      await inspect(scratch.path("a.mote"), "--shape", "a=1"),
      /a\.mote is no net of another format: --shape is for those$/,
      2,
    );
  });

  it("says what is wrong with a damaged one", async () => {
    const bytes = goldenBytes("torch-digits.onnx");
    writeFileSync(scratch.path("cut.onnx"), bytes.subarray(0, 4000));
    expectOneLine(
      await inspect(scratch.path("cut.onnx")),
      /cut\.onnx: offset \d+: ModelProto: field 7 takes \d+ bytes, of which \d+ are there$/,
    );
    writeFileSync(scratch.path("png.onnx"), "\x89PNG\r\n\x1a\n", "latin1");
    expectOneLine(await inspect(scratch.path("png.onnx")), /png\.onnx: expected .* this is a PNG picture$/);
    expectOneLine(await inspect(scratch.path("none.onnx")), /none\.onnx: cannot be read: /);
    expectOneLine(await inspect(scratch.path(".")), /cannot be read: /);
  });
});
