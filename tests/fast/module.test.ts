/** A fast module as a file: what is in it, that it is the same each time, and that anything else is refused. */
import binaryen from "binaryen";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import * as abi from "../../assembly/abi.js";
import { bake } from "../../host/node/module/bake.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { fastParts, isFastModule } from "../../host/fast/parts.js";
import { reportFast } from "../../host/report/fast.js";
import { outlineModule } from "../../host/module/module-outline.js";
import { sealModule } from "../../host/module/seal.js";
import { writeContainer } from "../../host/container/write.js";
import { modelInputs, statesOf } from "../../host/model/edges.js";
import { builtFile, packageRoot } from "../../host/node/paths.js";
import { Random } from "../../host/rng.js";
import { openEngine } from "../../host/node/engines/open.js";
import { leNets, syntheticModels } from "../support/models.js";

const { model } = syntheticModels().find(({ name }) => name === "tiny")!;
const container = writeContainer(model);
const wasm = fastModule(container);
const isFormat = expect.objectContaining({ code: "FORMAT" }) as unknown;

function errorOf(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe("a fast module", () => {
  it("is the same each time", () => {
    expect(fastModule(container)).toEqual(wasm);
  });

  it("has one import, the core's exports and a kernel's for each kind of layer, one page and MVP features only", () => {
    const module = new WebAssembly.Module(wasm as Uint8Array<ArrayBuffer>);
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: "mote", name: "read", kind: "function" }]);
    const names = WebAssembly.Module.exports(module).map(({ name }) => name);
    expect(names.sort()).toEqual(["dense1", "memory", "open", "reset", "start", "step"]);
    expect(WebAssembly.Module.customSections(module, "name")).toEqual([]);
    const read = binaryen.readBinary as (data: Uint8Array, features: number) => binaryen.Module;
    const parsed = read(wasm, binaryen.Features.MVP);
    expect(parsed.validate()).toBe(1);
    parsed.dispose();
  });

  it("has its stream, and hence every record, at a multiple of 4", () => {
    for (const { model } of syntheticModels()) {
      const made = fastModule(writeContainer(model));
      const { stream } = fastParts(made);
      expect((stream.byteOffset - made.byteOffset) % 4).toBe(0);
    }
  });

  it("says of the model what the container says", () => {
    for (const { model } of syntheticModels()) {
      const { tensors, layers, inputs, outputs, labels, names } = fastParts(fastModule(writeContainer(model)));
      expect(tensors.map(({ shape, zeroPoint, scale }) => ({ shape, zeroPoint, scale }))).toEqual(
        model.tensors.map(({ shape, zeroPoint, scale }) => ({ shape, zeroPoint, scale })),
      );
      expect(tensors.flatMap(({ isState }, tensor) => (isState ? tensor : []))).toEqual(statesOf(model));
      expect(layers.map(({ output }) => output)).toEqual(model.layers.map(({ output }) => output));
      expect(inputs).toEqual(modelInputs(model));
      expect(outputs).toEqual(model.outputs);
      expect({ labels, names }).toEqual({ labels: model.labels, names: model.names });
    }
    const { stream, codeBytes } = fastParts(wasm);
    expect(codeBytes + stream.length).toBe(wasm.length);
    expect(isFastModule(wasm)).toBe(true);
  });

  it("is small beside its stream, for LeNets", () => {
    for (const { model: lenet } of leNets()) {
      expect(fastParts(fastModule(writeContainer(lenet))).codeBytes).toBeLessThanOrEqual(4096);
    }
  });

  it("of the shipped models takes less memory than the container does", () => {
    for (const name of ["lenet300", "lenet300-paper", "lenet5", "lenet5-paper"]) {
      const file = new Uint8Array(readFileSync(join(packageRoot, `models/${name}.mote`)));
      const { memoryBytes } = fastParts(fastModule(file));
      const engine = openEngine("v8", file);
      expect(memoryBytes).toBeLessThan(engine.linearMemoryBytes);
      engine.close();
    }
  });
});

describe("anything else", () => {
  it("is refused: other modules and files", () => {
    const core = new Uint8Array(readFileSync(builtFile("build/core.wasm")));
    const header = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
    for (const other of [new Uint8Array(0), header, container, core, sealModule(core), bake(container)]) {
      expect(errorOf(() => fastParts(other))).toEqual(isFormat);
      expect(isFastModule(other)).toBe(false);
    }
    expect((errorOf(() => fastParts(bake(container))) as Error).message).toBe(
      "not a module that mote pack --format wasm made: it has no section mote.stream",
    );
  });

  it("is refused: one of another interface version", () => {
    const other = wasm.slice();
    const { bytes } = outlineModule(other).segments.find(({ address }) => address === 0)!;
    const words = new DataView(bytes.buffer, bytes.byteOffset);
    expect(words.getUint32(abi.CONTROL_VERSION, true)).toBe(abi.INTERFACE_VERSION);
    words.setUint32(abi.CONTROL_VERSION, 3, true);
    expect((errorOf(() => fastParts(sealModule(other))) as Error).message).toBe(
      "not a module that mote pack --format wasm made: its interface version is 3, expected 2",
    );
  });

  it("is refused: one cut off anywhere", () => {
    for (let length = 0; length < wasm.length; length++) {
      expect(errorOf(() => fastParts(wasm.subarray(0, length)))).toEqual(isFormat);
    }
  });

  it("is refused: one with any bit flipped", () => {
    for (let bit = 0; bit < wasm.length * 8; bit++) {
      const flipped = wasm.slice();
      flipped[bit >> 3] ^= 1 << (bit & 7);
      expect(
        errorOf(() => fastParts(flipped)),
        `bit ${bit}`,
      ).toEqual(isFormat);
      if (bit % 97 === 0) expect(errorOf(() => openEngine("v8", flipped))).toMatchObject({ code: "FORMAT" });
    }
  });

  it("is refused or taken apart, whatever is changed under a right checksum", () => {
    const random = new Random(3);
    let taken = 0;
    for (let round = 0; round < 20_000; round++) {
      const changed = wasm.slice();
      for (let change = random.integer(3); change >= 0; change--)
        changed[random.integer(wasm.length)] = random.integer(256);
      const resealed = sealModule(changed);
      const error = errorOf(() => reportFast(fastParts(resealed)));
      if (error === undefined) taken++;
      else expect(error).toEqual(isFormat);
    }
    expect(taken).toBeGreaterThan(1000); // changes of code and weights
  });
});

describe("engines", () => {
  test("say why they do not run it", () => {
    expect(errorOf(() => openEngine("reference", wasm))).toMatchObject({
      code: "UNSUPPORTED",
      message: "reference: a fast module has no container to run; expected the one that it was packed from",
    });
    expect(errorOf(() => openEngine("v8", wasm, { resident: true }))).toMatchObject({ code: "UNSUPPORTED" });
    const engine = openEngine("v8", wasm);
    expect(errorOf(() => engine.run(new Int8Array(35)))).toMatchObject({
      message: "v8: input has 35 elements, expected 36",
    });
  });
});
