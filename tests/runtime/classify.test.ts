import { describe, expect, it } from "vitest";
import { argmax, classifyAll, probability } from "../../host/engines/classify.js";
import type { Engine } from "../../host/engines/engine.js";
import { pixelTable } from "../../host/engines/fill-input.js";

/** Answers with the input's first three elements, and reads 7 bytes a run. */
function echo(): Engine {
  const input = { shape: [1, 1, 4], scale: 1 / 255, zeroPoint: -128 } as const;
  const output = { shape: [3, 1, 1], scale: 0.5, zeroPoint: 0 } as const;
  return {
    name: "reference",
    input,
    output,
    inputs: [input],
    outputs: [output],
    hasStates: false,
    linearMemoryBytes: 0,
    work: 0,
    bytesRead: 100,
    run(elements) {
      (this as { bytesRead: number }).bytesRead += 7;
      return (elements as Int8Array).slice(0, 3);
    },
    result: () => new Int8Array(3),
    reset() {},
    close() {},
  };
}

describe("classify", () => {
  it("maps pixels to int8 by scale and zero point, and saturates", () => {
    const identity = pixelTable({ shape: [1, 1, 1], scale: 1 / 255, zeroPoint: -128 });
    expect([...identity]).toEqual(Array.from({ length: 256 }, (_, pixel) => pixel - 128));
    const coarse = pixelTable({ shape: [1, 1, 1], scale: 1 / 510, zeroPoint: 0 });
    expect([coarse[0], coarse[10], coarse[63], coarse[64], coarse[255]]).toEqual([0, 20, 126, 127, 127]);
  });

  it("takes the first of equal logits", () => {
    expect(argmax(Int8Array.of(-3, 5, 5, 1))).toBe(1);
    expect(argmax(Int8Array.of(-128))).toBe(0);
  });

  it("gives the softmax of the real logits", () => {
    const output = { shape: [3, 1, 1], scale: Math.LN2, zeroPoint: 9 } as const;
    expect(probability(Int8Array.of(2, 1, 0), 0, output)).toBeCloseTo(4 / 7, 12);
    expect(probability(Int8Array.of(2, 1, 0), 2, output)).toBeCloseTo(1 / 7, 12);
    expect(probability(Int8Array.of(127, -128), 0, output)).toBeCloseTo(1, 12);
  });

  it("counts errors and bytes a run, loading left out", async () => {
    const images = Uint8Array.of(9, 0, 0, 0, /**/ 0, 9, 0, 0, /**/ 0, 0, 9, 0);
    const seen: number[] = [];
    const set = { count: 3, shape: [1, 1, 4] as const, images, labels: Uint8Array.of(0, 1, 1) };
    const tally = await classifyAll(echo(), set, { onResult: (index, result) => seen.push(10 * index + result.class) });
    expect(seen).toEqual([0, 11, 22]);
    expect(tally).toMatchObject({ samples: 3, errors: 1, bytesRead: 7 });
  });

  it.each([
    [undefined, "reset run reset run reset run"],
    [1, "reset run reset run reset run"],
    [2, "reset run run reset run"],
    [Infinity, "reset run run run"],
  ])("resets states before each stream of %s images", async (steps, expected) => {
    const calls: string[] = [];
    const engine = echo();
    const run = engine.run.bind(engine);
    engine.reset = () => calls.push("reset");
    engine.run = (input) => (calls.push("run"), run(input));
    await classifyAll(engine, { count: 3, shape: [1, 1, 4], images: new Uint8Array(12) }, { ...(steps && { steps }) });
    expect(calls.join(" ")).toBe(expected);
  });

  it("takes a sample of several steps for a stream, whose result is that of its last step", async () => {
    const calls: string[] = [];
    const engine = { ...echo(), hasStates: true };
    const run = engine.run.bind(engine);
    engine.reset = () => calls.push("reset");
    engine.run = (input) => (calls.push("run"), run(input));
    const images = Uint8Array.of(9, 0, 0, 0, /**/ 0, 0, 9, 0, /**/ 0, 0, 9, 0, /**/ 0, 9, 0, 0);
    const seen: number[] = [];
    const set = { count: 2, shape: [2, 4], images, labels: Uint8Array.of(2, 0) };
    const tally = await classifyAll(engine, set, { onResult: (index, result) => seen.push(10 * index + result.class) });
    expect(calls.join(" ")).toBe("reset run run reset run run");
    expect(seen).toEqual([2, 11]);
    expect(tally).toMatchObject({ samples: 2, errors: 1, bytesRead: 7 });
    await expect(classifyAll(engine, set, { steps: 2 })).rejects.toThrow(
      "--steps: each sample is a stream of 2 steps of its own; expected samples of one step, or no --steps",
    );
    const odd = { count: 2, shape: [7], images: images.subarray(2) };
    await expect(classifyAll(engine, odd)).rejects.toThrow("the model takes images of [1, 1, 4], got [7]");
  });

  it("refuses a model of several inputs", async () => {
    const engine = echo();
    const several = { ...engine, inputs: [engine.input, engine.input] };
    await expect(classifyAll(several, { count: 1, shape: [1, 1, 4], images: new Uint8Array(4) })).rejects.toThrow(
      "the model takes 2 inputs, expected one, which is a sample",
    );
  });

  it("refuses a label that is no class of the model", async () => {
    const set = { count: 1, shape: [1, 1, 4] as const, images: new Uint8Array(4), labels: Uint8Array.of(3) };
    await expect(classifyAll(echo(), set)).rejects.toThrow(
      "the label of sample 0 is 3, expected 0 .. 2, one of 3 classes",
    );
  });

  it("refuses images of another shape", async () => {
    const set = { count: 1, shape: [1, 2, 2] as const, images: new Uint8Array(4) };
    await expect(classifyAll(echo(), set)).rejects.toThrow("the model takes images of [1, 1, 4], got [1, 2, 2]");
  });
});
