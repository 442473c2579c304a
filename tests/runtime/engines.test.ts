import { describe, expect, it } from "vitest";
import * as abi from "../../assembly/abi.js";
import { MAX_TENSORS } from "../../assembly/format.js";
import type { Elements } from "../../host/model/elements.js";
import { bake } from "../../host/node/module/bake.js";
import { codecOf } from "../../host/codecs/index.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { MoteError } from "../../host/errors.js";
import { firstDifference } from "../../host/engines/compare.js";
import type { Engine } from "../../host/engines/engine.js";
import { ENGINE_NAMES } from "../../host/engines/open.js";
import { isWasm } from "../../host/module/sections.js";
import { openEngine } from "../../host/node/engines/open.js";
import { driverOf, missingName, statusText, type CoreInstance } from "../../host/engines/driver.js";
import { openCore } from "../../host/engines/wasm.js";
import { freshStates, runLayers } from "../../host/engines/ops-i8.js";
import { modelInputs } from "../../host/model/edges.js";
import { allIntegerOps } from "../../host/ops/index.js";
import { leNets, randomInput, syntheticModels } from "../support/models.js";

const [model, streaming] = ["tiny", "streaming"].map((wanted) => {
  return syntheticModels().find(({ name }) => name === wanted)!.model;
});
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

  it("takes several inputs and gives several outputs, by name where they have one", () => {
    const names = ["image", "mask", "one", "two", "three", "four"];
    const several = { ...streaming, names };
    const engine = openEngine(name, writeContainer(several));
    const end = (tensor: number, index: number) => {
      const { shape, scale, zeroPoint } = several.tensors[tensor];
      return { name: names[index], shape, scale, zeroPoint };
    };
    expect(engine.inputs).toEqual(modelInputs(several).map(end));
    expect(engine.outputs).toEqual(several.outputs.map((tensor, index) => end(tensor, engine.inputs.length + index)));
    expect([engine.input, engine.output]).toEqual([engine.inputs[0], engine.outputs[0]]);
    expect([engine.inputs.length, engine.outputs.length]).toEqual([2, 4]);
    expect(errorOf(() => engine.result(0)).message).toBe(`${name}: no run is complete that output 0 could be from`);
    const states = freshStates(several);
    for (const seed of [1, 2, 3]) {
      const inputs = modelInputs(several).map((tensor) => randomInput(several, seed, tensor));
      const tensors = runLayers(several, inputs, states);
      const expected = several.outputs.map((tensor) => tensors.get(tensor));
      expect(engine.run(inputs)).toEqual(expected[0]);
      expect(expected.map((_, index) => engine.result(index))).toEqual(expected);
    }
    expect(errorOf(() => engine.result(4)).message).toBe(`${name}: there is no output 4; the model has 4`);
    expect(errorOf(() => engine.run(input)).message).toBe(`${name}: got 1 inputs, expected 2`);
    const short = errorOf(() => engine.run([randomInput(several, 1), input.subarray(2)]));
    expect(short.message).toBe(`${name}: input 1 has 34 elements, expected 35`);
    engine.close();
  });

  it("begins anew behind a reset", () => {
    const engine = openEngine(name, writeContainer(streaming));
    const inputs = modelInputs(streaming).map((tensor) => randomInput(streaming, 1, tensor));
    const run = (): Elements[] => [engine.run(inputs), engine.result(1), engine.result(2)];
    const first = run();
    expect(run()).not.toEqual(first);
    engine.reset();
    expect(run()).toEqual(first);
    engine.close();
  });

  it("shows each layer once, in order, the last equal to the result", () => {
    const engine = openEngine(name, container);
    const seen: [number, Elements][] = [];
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
    expect(() => engine.run(wrong as Elements)).toThrow(expected);
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
    version[3] = 9;
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

  interface Answers {
    readonly open?: number;
    readonly step?: number;
    readonly reset?: number;
    /** Words of its memory, by their address, other than those of a core that has loaded the model. */
    readonly words?: Readonly<Record<number, number>>;
  }

  const TABLE = abi.PLAN_BASE;
  const stateOf = (tensor: number): number => TABLE + tensor * abi.TENSOR_ENTRY_BYTES + abi.TENSOR_STATE;

  /** A core that answers as told, so that what a sound file never provokes can be seen. */
  function scripted({ words, ...answers }: Answers, closed: { count: number }): () => CoreInstance {
    const memory = new DataView(new ArrayBuffer(1024));
    const loaded = {
      [abi.CONTROL_ERROR_OFFSET]: 321,
      [abi.CONTROL_VERSION]: abi.INTERFACE_VERSION,
      [abi.CONTROL_TENSORS_PTR]: TABLE,
      [abi.CONTROL_TENSOR_COUNT]: 3,
      [abi.CONTROL_LAYER_COUNT]: 2,
      [stateOf(0)]: abi.TENSOR_IS_END,
      [stateOf(2)]: abi.TENSOR_IS_END,
    };
    for (const [at, word] of Object.entries({ ...loaded, ...words })) memory.setUint32(Number(at), word, true);
    return () => ({
      open: () => answers.open ?? abi.STATUS_BUSY,
      start: () => abi.STATUS_BUSY,
      step: () => answers.step ?? abi.STATUS_DONE,
      reset: () => answers.reset ?? abi.STATUS_BUSY,
      read: (address, length) => new Uint8Array(memory.buffer, address, length),
      write: () => {},
      close: () => closed.count++,
    });
  }

  const refusal = (answers: Answers, code = "ENGINE"): string => {
    const closed = { count: 0 };
    const error = errorOf(() => openCore("v8", scripted(answers, closed), program));
    expect([error.code, closed.count]).toEqual([code, 1]);
    return error.message;
  };

  it("puts an error status into words, with its place in the file, and frees the instance", () => {
    expect(refusal({ step: abi.STATUS_HUFFMAN })).toBe(
      "v8: load failed near byte 321 of the container: STATUS_HUFFMAN, a code that is over-subscribed, incomplete or empty",
    );
    expect(refusal({ open: abi.STATUS_MAGIC })).toContain("STATUS_MAGIC, not a .mote file");
    expect(refusal({ step: abi.STATUS_OP, words: { [abi.CONTROL_ERROR_OFFSET]: 0 } })).toBe(
      "v8: load failed: STATUS_OP, an op this core does not have: conv2d",
    );
    expect(refusal({ step: abi.STATUS_CODEC })).toBe(
      "v8: load failed: STATUS_CODEC, a codec this core does not have: number 321",
    );
  });

  it("knows the name of whatever a core may be without", () => {
    const ops = Object.fromEntries(allIntegerOps().map(([name, { number }]) => [number, name]));
    for (let number = 0; number < 32; number++) {
      const unknown = `number ${number}`;
      expect(missingName(abi.STATUS_OP, number)).toBe(ops[number] ?? unknown);
      expect(missingName(abi.STATUS_CODEC, number)).toBe(codecOf(number)?.name ?? unknown);
    }
    expect(missingName(abi.STATUS_RANGE, 0)).toBeUndefined();
  });

  it("does not take an instance of another interface version", () => {
    const newer = { words: { [abi.CONTROL_VERSION]: 4 } };
    expect(refusal(newer, "UNSUPPORTED")).toBe("v8: interface version 4; this build knows 2 and 3");
    // Where things stand is not known then: an error is not looked for.
    const older = { open: abi.STATUS_MAGIC, words: { [abi.CONTROL_VERSION]: 0 } };
    expect(refusal(older, "UNSUPPORTED")).toBe("v8: interface version 0; this build knows 2 and 3");
  });

  it("does not take an instance whose table is not the model's", () => {
    const count = abi.CONTROL_TENSOR_COUNT;
    expect(refusal({ words: { [count]: MAX_TENSORS + 1 } })).toBe(
      `v8: the module has ${MAX_TENSORS + 1} tensors and 2 layers`,
    );
    expect(refusal({ words: { [count]: 2 } })).toBe("v8: the module has 2 tensors and 2 layers");
    expect(refusal({ words: { [stateOf(0)]: 0 } })).toBe("v8: the module has 0 inputs, the model 1");
    expect(refusal({ words: { [stateOf(1)]: abi.TENSOR_IS_END } })).toBe("v8: the module has 2 outputs, the model 1");
  });

  it("does not run an instance that asks for lines of an input which is there as a whole", () => {
    const driver = driverOf("v8", scripted({ open: abi.STATUS_DONE, step: abi.STATUS_LINES }, { count: 0 })());
    expect(driver.load(0)).toBe(abi.STATUS_DONE);
    const error = errorOf(() => driver.run());
    expect([error.code, error.message]).toEqual(["ENGINE", "v8: the module asks for line 0 of an input of 0"]);
  });

  it("steps until a reset is done", () => {
    const engine = (answers: Answers): Engine => openCore("v8", scripted(answers, { count: 0 }), program);
    expect(() => engine({}).reset()).not.toThrow();
    expect(errorOf(() => engine({ reset: abi.STATUS_STATE }).reset()).message).toContain("reset failed");
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
