/** The built core at its limits: the least memory, hosts that fail or change the file under it, calls out of order. */
import { readFileSync } from "node:fs";
import binaryen from "binaryen";
import { describe, expect, test } from "vitest";
import * as abi from "../../assembly/abi.js";
import * as format from "../../assembly/format.js";
import { planTotal } from "../../host/container/plan.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { builtFile } from "../../host/node/paths.js";
import { Random } from "../../host/rng.js";
import { openReference } from "../../host/engines/reference.js";
import { randomInput, syntheticModels } from "../support/models.js";

const wasm = readFileSync(builtFile("build/core.wasm"));
const module = new WebAssembly.Module(wasm);
const PAGE_BYTES = 65536;
const CANARY = 0xa5;
const canaries = Buffer.alloc(PAGE_BYTES, CANARY);

interface Exports {
  readonly memory: WebAssembly.Memory;
  open(memoryBytes: number): number;
  start(): number;
  step(budget: number): number;
}

/** A core with `memoryBytes` of memory; what lies beyond is filled, to see that it stays as it is. */
class Bench {
  reads = 0;
  readonly core: Exports;

  constructor(
    readonly container: Uint8Array,
    readonly memoryBytes: number,
    /** Whether the reads succeed, and what they do besides. */
    private readonly host: (bench: Bench, target: number, length: number) => boolean = () => true,
  ) {
    const instance = new WebAssembly.Instance(module, {
      mote: { read: (offset: number, target: number, length: number) => this.read(offset, target, length) },
    });
    this.core = instance.exports as unknown as Exports;
    this.bytes.fill(CANARY, memoryBytes);
    this.place(0);
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.core.memory.buffer);
  }

  word(address: number): number {
    return new DataView(this.core.memory.buffer).getUint32(address, true);
  }

  /** @param address 0: behind the window */
  place(address: number): void {
    if (address > 0) this.bytes.set(this.container, address);
    const view = new DataView(this.core.memory.buffer);
    view.setUint32(abi.CONTROL_MODEL_PTR, address, true);
    view.setUint32(abi.CONTROL_MODEL_BYTES, this.container.length, true);
  }

  load(budget = 10_000): number {
    return this.finish(this.core.open(this.memoryBytes), budget);
  }

  run(input: Int8Array, budget = 10_000): number {
    this.bytes.set(new Uint8Array(input.buffer), this.word(this.word(abi.CONTROL_TENSORS_PTR)));
    return this.finish(this.core.start(), budget);
  }

  finish(begun: number, budget: number): number {
    let status = begun;
    while (status === abi.STATUS_BUSY) status = this.core.step(budget);
    expect(canaries.compare(this.bytes, this.memoryBytes, PAGE_BYTES, this.memoryBytes)).toBe(0);
    return status;
  }

  /** The output of a model whose output tensor is [n, 1, 1]. */
  output(count: number): Int8Array {
    const entry = this.word(abi.CONTROL_TENSORS_PTR) + this.word(abi.CONTROL_OUTPUT_TENSOR) * abi.TENSOR_ENTRY_BYTES;
    return new Int8Array(this.core.memory.buffer, this.word(entry), count).slice();
  }

  private read(offset: number, target: number, length: number): number {
    this.reads++;
    expect(offset + length).toBeLessThanOrEqual(this.container.length);
    expect(target).toBeGreaterThanOrEqual(abi.PLAN_BASE);
    expect(target + length).toBeLessThanOrEqual(this.memoryBytes);
    const window = this.bytes.subarray(target, target + length);
    window.set(this.container.subarray(offset, offset + length));
    if (this.host(this, target, length)) return 0;
    window.fill(CANARY); // a host that fails may leave anything
    return 1;
  }
}

/** core.wasm declares one page; two of the models want more. */
const onePageModels = syntheticModels().filter(({ name }) => !name.startsWith("wide"));
const tiny = syntheticModels().find(({ name }) => name === "tiny")!.model;
const container = writeContainer(tiny);
const { plan } = readContainer(container);
const input = randomInput(tiny, 1);
const expected = openReference(container, {}).run(input);

describe("core.wasm", () => {
  test("is at most 12,000 bytes with all ops, codecs and both containers", () => {
    expect(wasm.length).toBeLessThanOrEqual(12000);
  });

  test("has MVP features only, one import and five exports", () => {
    const read = binaryen.readBinary as (data: Uint8Array, features: number) => binaryen.Module;
    const parsed = read(wasm, binaryen.Features.MVP);
    expect(parsed.validate()).toBe(1);
    parsed.dispose();
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: "mote", name: "read", kind: "function" }]);
    expect(
      WebAssembly.Module.exports(module)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(["memory", "open", "reset", "start", "step"]);
  });
});

describe("memory", () => {
  test.each(onePageModels)("$name: exactly the plan behind the window, and one byte less is refused", ({ model }) => {
    const file = writeContainer(model);
    const planBytes = planTotal(readContainer(file).plan);
    const bench = new Bench(file, planBytes);
    expect(bench.load()).toBe(abi.STATUS_DONE);
    expect(bench.word(abi.CONTROL_MEMORY_BYTES)).toBe(planBytes);
    expect(new Bench(file, planBytes - 1).load()).toBe(abi.STATUS_MEMORY);
  });

  test("exactly the plan, the model and its slack, and one byte less is refused", () => {
    const planBytes = planTotal(plan, true);
    const needed = planBytes + container.length + abi.MODEL_SLACK_BYTES;
    const bench = new Bench(container, needed);
    bench.place(planBytes);
    expect(bench.load()).toBe(abi.STATUS_DONE);
    expect(bench.run(input)).toBe(abi.STATUS_DONE);
    expect(bench.output(4)).toEqual(expected);
    expect(bench.reads).toBe(0);
    const short = new Bench(container, needed - 1);
    short.place(planBytes);
    expect(short.load()).toBe(abi.STATUS_MEMORY);
  });

  test("a model that lies in its own plan is refused", () => {
    const planBytes = planTotal(plan, true);
    const bench = new Bench(container, PAGE_BYTES);
    bench.place(planBytes - 1);
    expect(bench.load()).toBe(abi.STATUS_MEMORY);
  });

  test.each([0, 4, 255, 256, 383, 391])("%i bytes are too few for any model", (memoryBytes) => {
    expect(new Bench(container, PAGE_BYTES).core.open(memoryBytes)).toBe(abi.STATUS_MEMORY);
  });
});

describe("files", () => {
  test("cut off anywhere are refused", () => {
    for (let length = 0; length < container.length; length++) {
      const status = new Bench(container.slice(0, length), PAGE_BYTES).load();
      expect(status).toBe(length < format.CRC_START ? abi.STATUS_TRUNCATED : abi.STATUS_CRC);
    }
  });

  test("with a byte too many are refused", () => {
    const longer = new Uint8Array(container.length + 1);
    longer.set(container);
    expect(new Bench(longer, PAGE_BYTES).load()).toBe(abi.STATUS_CRC);
  });

  test("tell where their metadata begins", () => {
    const { model } = onePageModels.find(({ name }) => name === "labels")!;
    const labelled = writeContainer(model);
    const bench = new Bench(labelled, PAGE_BYTES);
    expect(bench.load()).toBe(abi.STATUS_DONE);
    expect(bench.word(abi.CONTROL_METADATA)).toBe(readContainer(labelled).metadataOffset);
  });

  test("with any bit flipped are refused", () => {
    for (let bit = 0; bit < container.length * 8; bit++) {
      const flipped = container.slice();
      flipped[bit >> 3] ^= 1 << (bit & 7);
      const status = new Bench(flipped, PAGE_BYTES).load();
      const byte = bit >> 3;
      if (byte < 3) expect(status).toBe(abi.STATUS_MAGIC);
      else expect(status).toBe(byte === 3 ? abi.STATUS_VERSION : abi.STATUS_CRC);
    }
  });
});

describe("hosts", () => {
  test("that fail at any read end the call, and a run can be begun again", () => {
    const model = onePageModels.find(({ name }) => name === "codebook")!.model;
    const container = writeContainer(model, { windowBytes: format.MIN_WINDOW_BYTES });
    const input = randomInput(model, 1);
    const expected = openReference(container, {}).run(input);
    const counting = new Bench(container, PAGE_BYTES);
    counting.load();
    const loadReads = counting.reads;
    counting.run(input);
    const allReads = counting.reads;
    expect(allReads).toBeGreaterThan(loadReads);
    for (let failing = 1; failing <= allReads; failing++) {
      const bench = new Bench(container, PAGE_BYTES, ({ reads }) => reads !== failing);
      if (failing <= loadReads) {
        expect(bench.load()).toBe(abi.STATUS_READ);
        expect(bench.core.start()).toBe(abi.STATUS_STATE);
        expect(bench.core.step(1)).toBe(abi.STATUS_STATE);
        expect(bench.load()).toBe(abi.STATUS_DONE);
      } else {
        expect(bench.load()).toBe(abi.STATUS_DONE);
        expect(bench.run(input)).toBe(abi.STATUS_READ);
        expect(bench.core.step(1)).toBe(abi.STATUS_STATE);
      }
      expect(bench.run(input)).toBe(abi.STATUS_DONE);
      expect(bench.output(20)).toEqual(expected);
    }
  });

  test("that change the file after it was checked get a status", () => {
    const random = new Random(1);
    const files = onePageModels.map(({ model }) => writeContainer(model)).filter(({ length }) => length < 3000);
    for (let round = 0; round < 2000; round++) {
      const file = files[random.integer(files.length)];
      const bench = new Bench(file, planTotal(readContainer(file).plan), ({ bytes, reads }, target, length) => {
        if (reads > 3 && random.integer(3) === 0) bytes[target + random.integer(length)] ^= 1 << random.integer(8);
        return true;
      });
      let status = bench.load();
      if (status === abi.STATUS_DONE) status = bench.finish(bench.core.start(), 100_000);
      expect(status).toBeLessThanOrEqual(0);
      expect(status).toBeGreaterThanOrEqual(abi.STATUS_STATE);
    }
  });
});

describe("calls", () => {
  test("out of order are refused", () => {
    const bench = new Bench(container, PAGE_BYTES);
    expect(bench.core.start()).toBe(abi.STATUS_STATE);
    expect(bench.core.step(1)).toBe(abi.STATUS_STATE);
    expect(bench.core.open(PAGE_BYTES)).toBe(abi.STATUS_BUSY);
    expect(bench.core.start()).toBe(abi.STATUS_STATE);
    expect(bench.finish(abi.STATUS_BUSY, 1)).toBe(abi.STATUS_DONE);
    expect(bench.core.step(1)).toBe(abi.STATUS_STATE);
    expect(bench.run(input)).toBe(abi.STATUS_DONE);
    expect(bench.core.step(1)).toBe(abi.STATUS_STATE);
  });

  test("of start in the middle of a run begin again", () => {
    const bench = new Bench(container, PAGE_BYTES);
    bench.load();
    for (let steps = 1; steps < 200; steps += 3) {
      bench.core.start();
      for (let step = 0; step < steps; step++) bench.core.step(1);
      expect(bench.run(input)).toBe(abi.STATUS_DONE);
      expect(bench.output(4)).toEqual(expected);
    }
  });

  test("of open in the middle of a run begin again", () => {
    const bench = new Bench(container, PAGE_BYTES);
    bench.load();
    bench.core.start();
    bench.core.step(1);
    expect(bench.load()).toBe(abi.STATUS_DONE);
    expect(bench.run(input)).toBe(abi.STATUS_DONE);
    expect(bench.output(4)).toEqual(expected);
  });

  test("of step until loading is done leave the model's output and the work of a run", () => {
    const bench = new Bench(container, PAGE_BYTES);
    bench.load();
    expect(bench.word(abi.CONTROL_OUTPUT_TENSOR)).toBe(tiny.layers.at(-1)!.output);
    expect(bench.word(abi.CONTROL_WORK)).toBeGreaterThan(0);
    bench.core.start();
    while (bench.word(abi.CONTROL_LAYERS_DONE) === 0) bench.core.step(1);
    expect(bench.word(abi.CONTROL_OUTPUT_TENSOR)).toBe(tiny.layers[0].output);
  });

  test("of step end with a layer at the latest", () => {
    const bench = new Bench(container, PAGE_BYTES);
    bench.load();
    bench.core.start();
    const counts: number[] = [];
    let status: number = abi.STATUS_BUSY;
    while (status === abi.STATUS_BUSY) {
      status = bench.core.step(2 ** 32 - 1);
      counts.push(bench.word(abi.CONTROL_LAYERS_DONE));
    }
    expect([...new Set(counts)].filter((count) => count > 0)).toEqual(tiny.layers.map((_, index) => index + 1));
  });

  test.each([0, -1, -(2 ** 31), 1, 7])("of step with a budget of %i come to an end", (budget) => {
    const bench = new Bench(container, PAGE_BYTES);
    expect(bench.load(budget)).toBe(abi.STATUS_DONE);
    expect(bench.run(input, budget)).toBe(abi.STATUS_DONE);
    expect(bench.output(4)).toEqual(expected);
  });
});
