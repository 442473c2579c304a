import { describe, expect, test } from "vitest";
import { planTotal, tensorLives } from "../../host/container/plan.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import type { QModel } from "../../host/model/model.js";
import { runModel } from "../../host/engines/ops-i8.js";
import { openReference } from "../../host/engines/reference.js";
import { randomInput, syntheticModels } from "../support/models.js";
import { tensorBytes } from "../../host/model/geometry.js";

/** What a file keeps of a scale. */
const asStored = (model: QModel): QModel => ({
  ...model,
  tensors: model.tensors.map((tensor) => ({ ...tensor, scale: Math.fround(tensor.scale) })),
});

describe.each(syntheticModels())("$name", ({ model }) => {
  const bytes = writeContainer(model);
  const container = readContainer(bytes);

  test("reads back as it was written", () => {
    expect(container.model).toEqual(asStored(model));
  });

  test("is written the same again", () => {
    expect(writeContainer(container.model)).toEqual(bytes);
  });

  test("gives every byte and every bit of a section a meaning", () => {
    let offset = container.headBytes;
    container.layers.forEach((info) => {
      expect(info.offset).toBe(offset);
      offset += info.bytes;
      if (info.section === undefined) return;
      const { bits, requantizeBits, biasBitsTotal, paddingBits } = info.section;
      const parts = bits.map + bits.alphabet + bits.lengths + bits.gaps + bits.weights;
      expect(requantizeBits + biasBitsTotal + parts + paddingBits).toBe(info.section.bytes * 8);
      expect(paddingBits).toBeLessThan(8);
      expect(info.section.offset + info.section.bytes).toBe(offset);
    });
    expect(offset).toBe(container.metadataOffset);
  });

  test("places tensors that live at the same time apart", () => {
    const { plan } = container;
    const lives = tensorLives(model);
    model.tensors.forEach((a, i) => {
      expect(plan.offsets[i] + tensorBytes(a)).toBeLessThanOrEqual(plan.arena);
      model.tensors.forEach((b, j) => {
        if (i >= j || lives[i].first > lives[j].last || lives[j].first > lives[i].last) return;
        const apart =
          plan.offsets[i] + tensorBytes(a) <= plan.offsets[j] || plan.offsets[j] + tensorBytes(b) <= plan.offsets[i];
        expect(apart, `tensors ${i} and ${j}`).toBe(true);
      });
    });
  });

  test("runs on the reference engine as its layers do one by one", () => {
    const input = randomInput(model, 1);
    const layers = runModel(model, input);
    const seen: Int8Array[] = [];
    const engine = openReference(bytes);
    expect(engine.run(input, (index, output) => (seen[index] = output))).toEqual(layers[layers.length - 1]);
    expect(seen).toEqual(layers);
  });
});

test("the narrow LeNet-5 fits its memory with the window", () => {
  const { model } = syntheticModels().find(({ name }) => name === "narrow lenet5-like")!;
  expect(planTotal(readContainer(writeContainer(model)).plan)).toBeLessThanOrEqual(8192);
});
