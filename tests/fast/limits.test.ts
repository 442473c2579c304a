/** Fast modules at their limits: the least memory and window, any budget, hosts that fail, calls out of order. */
import { describe, expect, it, test } from "vitest";
import * as abi from "../../assembly/abi.js";
import * as format from "../../assembly/format.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { writeContainer } from "../../host/container/write.js";
import type { QModel } from "../../host/model/model.js";
import { runModel } from "../../host/engines/ops-i8.js";
import { openEngine } from "../../host/node/engines/open.js";
import { buildModel, randomInput } from "../support/models.js";
import { TestHost } from "./test-host.js";

/** Every kind of layer, borders, a filter of several chunks; ends in [n, 1, 1]. */
const model = buildModel(
  7,
  [2, 14, 14],
  [
    { op: "conv2d", kernel: [3, 3], weights: "any", density: 0.5, out: 4, pad: 1, pool: { size: 2, stride: 2 } },
    { op: "conv2d", kernel: [3, 3], weights: "grid", density: 0.5, out: 6, pad: 1, stride: 2 },
    { op: "maxpool", kernel: 2, stride: 1 },
    { op: "avgpool", kernel: 3, stride: 3 },
    { op: "lut" },
    { op: "mul", from: [3, 5] },
    { op: "add", from: [6, 3] },
    { op: "concat", from: [6, 7] },
    { op: "resize", factor: [2, 3] },
    { op: "dense", weights: "grid", density: 0.02, out: 300 },
    { op: "dense", weights: "grid", density: 0.5, out: 10 },
  ],
);
const input = randomInput(model, 1);
const expected = runModel(model, input).at(-1)!;
const wasm = moduleOf(model, format.MIN_WINDOW_BYTES);

function moduleOf(of: QModel, windowBytes: number): Uint8Array {
  return fastModule(writeContainer(of, { windowBytes }));
}

describe("memory", () => {
  test("is what the module says, and one byte less is refused", () => {
    const { exports, parts } = new TestHost(wasm);
    expect(exports.open(parts.memoryBytes)).toBe(abi.STATUS_DONE);
    expect(exports.open(parts.memoryBytes - 1)).toBe(abi.STATUS_MEMORY);
    for (const name of ["v8", "wasm3"] as const) {
      const engine = openEngine(name, wasm, { memoryLimit: parts.memoryBytes });
      expect(engine.linearMemoryBytes).toBe(parts.memoryBytes);
      expect(engine.run(input)).toEqual(expected);
      engine.close();
      expect(() => openEngine(name, wasm, { memoryLimit: parts.memoryBytes - 1 })).toThrow(/the limit is/);
    }
  });

  test("may hold anything where tensors and window are", () => {
    const host = new TestHost(wasm);
    host.bytes.fill(0x5a, host.parts.windowPtr, host.parts.memoryBytes);
    expect(host.run(input)).toBe(abi.STATUS_DONE);
    expect(host.output()).toEqual(expected);
  });
});

describe("windows", () => {
  // Rows of the kernel that takes a weight at a time: those of another need a window of their own.
  const dense = buildModel(2, [1, 60, 60], [{ op: "dense", weights: "any", density: 0.1, out: 10 }]);
  const denseInput = randomInput(dense, 1);
  it.each([128, 136, 184, 256, 720, 760, 4096])("of %i bytes, for rows of some 740, give the same", (windowBytes) => {
    const host = new TestHost(moduleOf(dense, windowBytes));
    expect(host.parts.windowBytes).toBe(windowBytes);
    for (const budget of [1, 50, 10_000]) {
      expect(host.run(denseInput, budget)).toBe(abi.STATUS_DONE);
      expect(host.output()).toEqual(runModel(dense, denseInput)[0]);
    }
  });

  it("are at least as large as the fullest filter", () => {
    const weights = { weights: "single", density: 1 } as const;
    const pool = { size: 2, stride: 2 };
    const filters = buildModel(3, [4, 7, 12], [{ op: "conv2d", kernel: [3, 3], out: 2, pool, ...weights }]);
    // 36 weights of -3 in one chunk.
    expect(new TestHost(moduleOf(filters, format.MIN_WINDOW_BYTES)).parts.windowBytes).toBe(152);
    expect(new TestHost(moduleOf(filters, 512)).parts.windowBytes).toBe(512);
  });
});

describe("budgets", () => {
  test.each([1, 2, 3, 31, 97, 1000, 2 ** 31 - 1, 0, -1, -(2 ** 31)])("of %i give the same", (budget) => {
    const host = new TestHost(wasm);
    expect(host.run(input, budget)).toBe(abi.STATUS_DONE);
    expect(host.output()).toEqual(expected);
  });

  test("of any size end with a layer at the latest", () => {
    const host = new TestHost(wasm);
    const counts: number[] = [];
    for (let status = host.begin(input); status === abi.STATUS_BUSY;) {
      status = host.exports.step(2 ** 31 - 1);
      counts.push(host.word(abi.CONTROL_LAYERS_DONE));
    }
    expect([...new Set(counts)].filter((count) => count > 0)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  test("of 1 keep slices short", () => {
    const host = new TestHost(wasm);
    let steps = 0;
    for (let status = host.begin(input); status === abi.STATUS_BUSY; steps++) status = host.exports.step(1);
    expect(steps).toBeGreaterThan(300);
  });
});

describe("hosts", () => {
  test("that fail at any read end the run, and the next one is right", () => {
    const counting = new TestHost(wasm);
    counting.run(input);
    expect(counting.reads).toBeGreaterThan(30);
    for (const budget of [1, 10_000]) {
      const host = new TestHost(wasm);
      for (let failing = 1; failing <= counting.reads; failing++) {
        host.reads = 0;
        host.failing = failing;
        expect(host.run(input, budget), `read ${failing}`).toBe(abi.STATUS_READ);
        host.failing = 0;
        expect(host.run(input, budget)).toBe(abi.STATUS_DONE);
        expect(host.output()).toEqual(expected);
      }
    }
  });

  test("read the stream once and in order, but for what one row leaves of the window", () => {
    const host = new TestHost(wasm);
    const engine = openEngine("v8", wasm);
    expect(engine.bytesRead).toBe(0);
    engine.run(input);
    const once = engine.bytesRead;
    expect(once).toBeGreaterThanOrEqual(host.parts.stream.length);
    engine.run(input);
    expect(engine.bytesRead).toBe(2 * once);
  });
});

describe("calls", () => {
  test("of start in the middle of a run begin again", () => {
    const host = new TestHost(wasm);
    for (let steps = 1; steps < 300; steps += 7) {
      host.begin(input);
      for (let step = 0; step < steps; step++) host.exports.step(1);
      expect(host.run(input)).toBe(abi.STATUS_DONE);
      expect(host.output()).toEqual(expected);
    }
  });

  test("of open in the middle of a run end it", () => {
    const host = new TestHost(wasm);
    host.begin(input);
    host.exports.step(1);
    expect(host.exports.open(host.parts.memoryBytes)).toBe(abi.STATUS_DONE);
    expect(host.exports.step(1)).toBe(abi.STATUS_DONE);
    expect(host.word(abi.CONTROL_LAYERS_DONE)).toBe(0);
    expect(host.run(input)).toBe(abi.STATUS_DONE);
    expect(host.output()).toEqual(expected);
  });
});
