import { describe, expect, it } from "vitest";
import * as abi from "../../assembly/abi.js";
import { bake } from "../../host/node/module/bake.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { MoteError } from "../../host/errors.js";
import { firstDifference } from "../../host/engines/compare.js";
import type { Engine } from "../../host/engines/engine.js";
import { ENGINE_NAMES, isWasm } from "../../host/engines/open.js";
import { openEngine } from "../../host/node/engines/open.js";
import { openCore, statusText, type CoreInstance } from "../../host/engines/wasm.js";
import { leNets, randomInput, syntheticModels } from "../support/models.js";

const { model } = syntheticModels().find(({ name }) => name === "tiny")!;
const container = writeContainer(model);
const input = randomInput(model, 1);

function errorOf(action: () => unknown): MoteError {
  try {
    action();
  } catch (error) {
    if (error instanceof MoteError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe.each(ENGINE_NAMES)("engine %s", (name) => {
  it("says what goes in and what comes out", () => {
    const engine = openEngine(name, container);
    expect(engine.name).toBe(name);
    expect(engine.input).toEqual({ shape: [1, 6, 6], scale: model.tensors[0].scale, zeroPoint: -128 });
    const output = model.tensors[model.tensors.length - 1];
    expect(engine.output).toEqual({ shape: output.shape, scale: output.scale, zeroPoint: output.zeroPoint });
    expect(engine.run(input)).toHaveLength(4);
    engine.close();
  });

  it("shows each layer once, in order, the last equal to the result", () => {
    const engine = openEngine(name, container);
    const seen: [number, Int8Array][] = [];
    const result = engine.run(input, (layer, output) => seen.push([layer, output]));
    expect(seen.map(([layer]) => layer)).toEqual([0, 1]);
    expect(seen[0][1]).toHaveLength(3 * 2 * 2);
    expect(seen[1][1]).toEqual(result);
    engine.close();
  });

  it.each<[string, unknown]>([
    ["Uint8Array", new Uint8Array(36)],
    ["Float32Array", new Float32Array(36)],
    ["Uint8Array", Buffer.alloc(36)],
    ["Array", Array.from({ length: 36 }, () => 0)],
    ["ArrayBuffer", new ArrayBuffer(36)],
    ["Undefined", undefined],
  ])("refuses a %s as its input, in one line that says what it takes", (type, wrong) => {
    const engine = openEngine(name, container);
    const expected = new TypeError(`${name}: expected the input as an Int8Array, got ${type}`);
    expect(() => engine.run(wrong as Int8Array)).toThrow(expected);
    expect(engine.run(input)).toHaveLength(4);
    engine.close();
  });

  it("refuses an input of another size, bad files and bad options", () => {
    const engine = openEngine(name, container);
    expect(errorOf(() => engine.run(new Int8Array(35))).message).toContain("input has 35 elements, expected 36");
    expect(engine.run(input)).toHaveLength(4);
    engine.close();
    expect(errorOf(() => openEngine(name, new Uint8Array(0))).code).toBe("FORMAT");
    expect(errorOf(() => openEngine(name, container.subarray(0, 40))).code).toBe("FORMAT");
    expect(errorOf(() => openEngine(name, Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0))).code).toBe("FORMAT");
    const version = container.slice();
    version[4] = 9;
    expect(errorOf(() => openEngine(name, version)).code).toBe("UNSUPPORTED");
    expect(() => openEngine(name, container, { memoryLimit: 0 })).toThrow(RangeError);
    expect(() => openEngine(name, container, { budget: 1.5 })).toThrow(RangeError);
  });

  it("says how much memory a model wants when the limit is below", () => {
    const error = errorOf(() => openEngine(name, container, { memoryLimit: 30 }));
    expect(error.code).toBe("MEMORY");
    expect(error.message).toMatch(/takes \d+ bytes, the limit is 30/);
  });

  it("runs a packed module as it runs the container", () => {
    const packed = bake(container);
    expect(isWasm(packed)).toBe(true);
    const engine = openEngine(name, packed);
    const plain = openEngine(name, container);
    expect(engine.run(input)).toEqual(plain.run(input));
    engine.close();
    plain.close();
  });
});

describe("the driver", () => {
  const program = { wasm: new Uint8Array(), container, packed: false, ...readContainer(container) };

  /** A core that answers as told, so that what a sound file never provokes can be seen. */
  function scripted(answers: { open?: number; step?: number }, closed: { count: number }): () => CoreInstance {
    return () => ({
      open: () => answers.open ?? abi.STATUS_BUSY,
      start: () => abi.STATUS_BUSY,
      step: () => answers.step ?? abi.STATUS_DONE,
      read: (address, length) => new Uint8Array(length).fill(address === abi.CONTROL_ERROR_OFFSET ? 1 : 0),
      write: () => {},
      close: () => closed.count++,
    });
  }

  it("puts an error status into words, with its place in the file, and frees the instance", () => {
    const closed = { count: 0 };
    const huffman = errorOf(() => openCore("v8", scripted({ step: abi.STATUS_HUFFMAN }, closed), program));
    expect(huffman.code).toBe("ENGINE");
    expect(huffman.message).toBe(
      "v8: load failed near byte 16843009 of the container: " +
        "STATUS_HUFFMAN, a code that is over-subscribed, incomplete or empty",
    );
    expect(errorOf(() => openCore("wasm3", scripted({ open: abi.STATUS_MAGIC }, closed), program)).message).toContain(
      "STATUS_MAGIC, not a .mote file",
    );
    expect(closed.count).toBe(2);
  });

  it("has words for every status, and for none", () => {
    const names = Object.entries(abi).filter(([name, value]) => name.startsWith("STATUS_") && value < 0);
    expect(names.length).toBeGreaterThan(10);
    for (const [name, value] of names) expect(statusText(value)).toMatch(new RegExp(`^${name}, `));
    expect(statusText(-99)).toBe("status -99");
  });

  it("does not take a core whose tensors are of another shape", () => {
    const engine = openCore("v8", scripted({}, { count: 0 }), program);
    expect(errorOf(() => engine.run(input)).message).toContain("tensor 0 has another shape than in the container");
  });
});

describe("comparing engines", () => {
  const answering = (outputs: readonly (readonly number[])[], name: Engine["name"]): Engine => ({
    ...openEngine("reference", container),
    name,
    run: (_input, visit) => {
      outputs.forEach((values, layer) => visit?.(layer, Int8Array.from(values)));
      return Int8Array.from(outputs[outputs.length - 1]);
    },
  });

  it("finds the first layer and element that differ, with every engine's value", () => {
    const one = answering([[1, 2], [3]], "reference");
    expect(firstDifference([one, answering([[1, 2], [3]], "v8")], input)).toBeUndefined();
    expect(firstDifference([one, one, answering([[1, 7], [9]], "wasm3")], input)).toEqual({
      layer: 0,
      element: 1,
      values: [
        ["reference", 2],
        ["reference", 2],
        ["wasm3", 7],
      ],
    });
    expect(
      firstDifference(
        [
          one,
          answering(
            [
              [1, 2],
              [3, 4],
            ],
            "v8",
          ),
        ],
        input,
      ),
    ).toEqual({
      layer: 1,
      element: 1,
      values: [
        ["reference", undefined],
        ["v8", 4],
      ],
    });
  });
});

it("runs a narrow LeNet-5 in 8 KiB of linear memory under wasm3, which enforces it", () => {
  const lenet = leNets().find(({ name }) => name === "narrow lenet5-like")!.model;
  const engine = openEngine("wasm3", writeContainer(lenet));
  expect(engine.linearMemoryBytes).toBeLessThanOrEqual(8192);
  expect(engine.run(randomInput(lenet, 1))).toHaveLength(10);
  engine.close();
});
