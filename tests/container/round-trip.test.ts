import { describe, expect, test } from "vitest";
import {
  CODEC_DENSE,
  CODEC_HUFFMAN,
  CRC_START,
  OP_AVGPOOL,
  OP_CONV2D,
  OP_DENSE,
  OP_MAXPOOL,
} from "../../assembly/format.js";
import type { Elements } from "../../host/model/elements.js";
import { planTotal, tensorLives } from "../../host/container/plan.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { givenTensors, outputsOf } from "../../host/model/edges.js";
import type { QModel } from "../../host/model/model.js";
import { runModel } from "../../host/engines/ops-i8.js";
import { openReference } from "../../host/engines/reference.js";
import { buildModel, randomInputs, syntheticModels } from "../support/models.js";
import { tensorBytes } from "../../host/model/geometry.js";

/** What a file keeps of a scale. */
const asStored = (model: QModel): QModel => ({
  ...model,
  tensors: model.tensors.map((tensor) =>
    tensor.scale === undefined ? tensor : { ...tensor, scale: Math.fround(tensor.scale) },
  ),
});

describe.each(syntheticModels())("$name", ({ model }) => {
  const bytes = writeContainer(model);
  const container = readContainer(bytes);

  test("reads back as it was written", () => {
    expect(container.model).toEqual(asStored(model));
  });

  test("reads back from one of Node's buffers, whose slices are views of a pool", () => {
    expect(readContainer(Buffer.from(bytes)).model).toEqual(asStored(model));
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

  test("places tensors that live at the same time apart, but for the parts of a concatenation", () => {
    const { plan } = container;
    const lives = tensorLives(model);
    const parts = model.tensors.map((): number[] => []);
    for (const { op, inputs, output } of model.layers) {
      if (op === "concat") parts[output].push(...inputs.flatMap((input) => [input, ...parts[input]]));
    }
    model.tensors.forEach((a, i) => {
      expect(plan.offsets[i] + tensorBytes(a)).toBeLessThanOrEqual(plan.arena);
      model.tensors.forEach((b, j) => {
        if (i >= j || lives[i].first > lives[j].last || lives[j].first > lives[i].last) return;
        const apart =
          plan.offsets[i] + tensorBytes(a) <= plan.offsets[j] || plan.offsets[j] + tensorBytes(b) <= plan.offsets[i];
        expect(apart, `tensors ${i} and ${j}`).toBe(!parts[j].includes(i));
      });
    });
  });

  test("runs on the reference engine as its layers do one by one", () => {
    const inputs = randomInputs(model, 1);
    const layers = runModel(model, inputs);
    const seen: Elements[] = [];
    const engine = openReference(bytes);
    const first = engine.run(inputs, (index, output) => (seen[index] = output));
    expect(seen).toEqual(layers);
    const results = engine.outputs.map((_, index) => engine.result(index));
    expect(results).toEqual(outputsOf(model).map((tensor) => layers[tensor - givenTensors(model)]));
    expect(first).toEqual(results[0]);
  });
});

test("the narrow LeNet-5 fits its memory with the window", () => {
  const { model } = syntheticModels().find(({ name }) => name === "narrow lenet5-like")!;
  expect(planTotal(readContainer(writeContainer(model)).plan)).toBeLessThanOrEqual(8192);
});

test("ops and codecs are named that occur, and no others", () => {
  const masksOf = (name: string): [number, number] => {
    const { model } = syntheticModels().find((synthetic) => synthetic.name === name)!;
    const bytes = writeContainer(model);
    return [bytes[CRC_START], bytes[CRC_START + 1]];
  };
  const bits = (...numbers: number[]): number => numbers.reduce((mask, number) => mask | (1 << number), 0);
  expect(masksOf("tiny")).toEqual([bits(OP_CONV2D, OP_DENSE), bits(CODEC_HUFFMAN)]);
  expect(masksOf("dense codec")).toEqual([bits(OP_CONV2D, OP_DENSE), bits(CODEC_DENSE)]);
  expect(masksOf("max-pool alone")).toEqual([bits(OP_MAXPOOL, OP_DENSE), bits(CODEC_HUFFMAN)]);
  expect(masksOf("global pool of a rectangle")).toEqual([bits(OP_AVGPOOL, OP_DENSE), bits(CODEC_HUFFMAN)]);
});

test("a model without weights has no codec, and no scratch region", () => {
  const pool = { op: "maxpool", kernel: 2, stride: 2 } as const;
  const bytes = writeContainer(buildModel(1, [1, 4, 4], [pool, pool]));
  expect([...bytes.subarray(CRC_START, CRC_START + 2)]).toEqual([1 << OP_MAXPOOL, 0]);
  expect(readContainer(bytes).plan.scratch).toBe(0);
});
