/** A model beside its net: the oracle gives what LiteRT gives, and a layer that is wrong is found, it and no other. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { writeContainer } from "../../host/container/write.js";
import { openReference } from "../../host/engines/reference.js";
import { runModel } from "../../host/engines/ops-i8.js";
import { arrange } from "../../host/import/arrange.js";
import { calibrate } from "../../host/import/calibrate.js";
import { importedModel } from "../../host/import/import.js";
import { compareIntegers, compareReals, ErrorTally } from "../../host/import/layer-errors.js";
import { matchModel, modelScales } from "../../host/import/model-scales.js";
import { mapOf, NO_CLAMP, NO_PADS, type ImportedNet, type NetLayer } from "../../host/import/net.js";
import { oracleLayer } from "../../host/import/oracle.js";
import { planarIndex } from "../../host/import/view.js";
import type { Elements } from "../../host/model/elements.js";
import { valuesOf } from "../../host/model/geometry.js";
import type { QModel } from "../../host/model/model.js";
import { packageRoot } from "../../host/node/paths.js";
import { Random } from "../../host/rng.js";
import { loadNet } from "../../tools/net-samples.js";

const folder = join(packageRoot, "tests/golden/import");
const golden = (name: string): ImportedNet => arrange(loadNet(join(folder, name), undefined));
const outputs = JSON.parse(readFileSync(join(folder, "outputs.json"), "utf8")) as Record<
  string,
  readonly { readonly input: readonly number[]; readonly output: readonly number[] }[]
>;
const nothing = async (): Promise<void> => {};

function randomInputs(net: ImportedNet, seed: number): Int8Array[] {
  const random = new Random(seed);
  return net.inputs.map(({ tensor }) =>
    Int8Array.from({ length: valuesOf(net.tensors[tensor].shape) }, () => random.integer(256) - 128),
  );
}

/** A net of one layer between int8 tensors of scale 1, but for the output's. */
function one(layer: Partial<NetLayer> & Pick<NetLayer, "op">, from: number, zeroPoint = 0): ImportedNet {
  const shape = [1, 1, 4] as const;
  const tensor = (name: string, scale: number, zero = 0) => ({ name, shape, quantization: { scale, zeroPoint: zero } });
  return {
    tensors: [tensor("a", from), tensor("b", from), tensor("out", 1, zeroPoint)],
    layers: [{ name: "only", output: 2, inputs: [0], ...layer } as NetLayer],
    inputs: [],
    outputs: [],
    isQuantized: true,
    notes: [],
    states: [],
  };
}

describe("the oracle", () => {
  test("gives LiteRT's integers of a whole net", () => {
    const net = golden("conv-int8.tflite");
    const [input, output] = [net.inputs[0], net.outputs[0]];
    for (const run of outputs["conv-int8.tflite"]) {
      const given = new Int8Array(run.input.length);
      const place = planarIndex(input.order, net.tensors[input.tensor].shape);
      run.input.forEach((q, i) => (given[place(i)] = q));
      const tensors = new Map<number, Elements>([[input.tensor, given]]);
      for (const layer of net.layers) {
        const inputs = layer.inputs.map((tensor) => tensors.get(tensor)!);
        tensors.set(layer.output, oracleLayer(net, layer, inputs));
      }
      expect([...tensors.get(output.tensor)!]).toEqual(run.output);
    }
  });

  const axes = { kernel: [1, 1], stride: [1, 1], pads: NO_PADS, clamp: NO_CLAMP } as const;
  const weights = {
    rows: 1,
    columns: 1,
    values: Int8Array.of(1),
    scales: Float32Array.of(1),
    bias: Int32Array.of(0),
  } as const;
  const input = Int8Array.of(1, 3, -1, -3);

  test.each([
    ["a convolution's to the even", { op: "conv2d", ...axes, groups: 1, weights }, [0, 2, 0, -2]],
    ["a sum's up", { op: "add", sign: 1, inputs: [0, 1], clamp: NO_CLAMP }, [1, 2, 0, -1]],
    ["an average's away from zero", { op: "avgpool", ...axes }, [1, 2, -1, -2]],
    ["a function's away from zero", mapOf("identity"), [1, 2, -1, -2]],
  ] as const)("rounds halves: %s", (_, layer, expected) => {
    const net = one(layer as unknown as NetLayer, 0.5);
    expect([...oracleLayer(net, net.layers[0], layer.op === "add" ? [input, new Int8Array(4)] : [input])]).toEqual(
      expected,
    );
  });

  test("cuts at what is real, and at int8", () => {
    const relu = { op: "conv2d", ...axes, groups: 1, weights, clamp: { low: 0, high: 6 } };
    const clamped = one(relu as unknown as NetLayer, 3, -10);
    expect([...oracleLayer(clamped, clamped.layers[0], [Int8Array.of(1, 2, 3, -1)])]).toEqual([-7, -4, -4, -10]);
    const open = one({ ...relu, clamp: NO_CLAMP } as unknown as NetLayer, 3, -10);
    expect([...oracleLayer(open, open.layers[0], [Int8Array.of(1, 100, -100, 0)])]).toEqual([-7, 127, -128, -10]);
  });
});

describe("a quantized net beside its model", () => {
  const net = golden("conv-int8.tflite");
  const model = importedModel(net);
  const compare = (changed: QModel) =>
    compareIntegers(
      net,
      openReference(writeContainer(changed)),
      { count: 3, perSample: 1, perStream: 1, sample: (index) => randomInputs(net, index) },
      nothing,
    );

  test("is equal, or one step away where a half falls", async () => {
    const { layers, outputs: ends } = await compare(model);
    expect(layers.map(({ largest }) => largest).every((steps) => steps <= 1)).toBe(true);
    expect(layers.map(({ elements }) => elements)).toEqual(
      net.layers.map(({ output }) => 3 * valuesOf(net.tensors[output].shape)),
    );
    expect(ends).toHaveLength(1);
  });

  test("differs in the layer that is wrong and in no other, and in what comes of it", async () => {
    const wrong = model.layers.findIndex(({ op }) => op === "conv2d");
    const layers = model.layers.map((layer, index) =>
      index === wrong && layer.op === "conv2d"
        ? { ...layer, bias: layer.bias.map((bias, row) => (row === 1 ? bias + 4000 : bias)) }
        : layer,
    );
    const { layers: errors, outputs: ends } = await compare({ ...model, layers });
    expect(errors.filter(({ largest }) => largest > 1).map(({ layer }) => layer)).toEqual([wrong]);
    const { place, beyond } = errors[wrong];
    const [, height, width] = net.tensors[net.layers[wrong].output].shape;
    // Channel 1 begins there.
    expect(Math.floor(beyond!.element / (height * width))).toBe(1);
    expect(place!.expected).not.toBe(place!.found);
    expect(ends[0].differing).toBeGreaterThan(0);
  });
});

describe.each(["conv-float.tflite", "torch-digits.onnx", "torch-blocks.onnx", "torch-dynamo.onnx"])(
  "%s, calibrated",
  (name) => {
    const net = golden(name);
    const random = new Random(3);
    const samples = Array.from({ length: 8 }, () =>
      net.inputs.map(({ tensor }) =>
        Float32Array.from({ length: valuesOf(net.tensors[tensor].shape) }, () => random.normal()),
      ),
    );
    const quantized = calibrate(net, samples, { range: "all" });
    const model = importedModel(quantized);
    const scales = modelScales(net, model);

    test("has the scales that its factors tell", () => {
      const order = [...quantized.inputs.map(({ tensor }) => tensor), ...quantized.layers.map(({ output }) => output)];
      order.forEach((tensor, index) => {
        const { scale, zeroPoint } = quantized.tensors[tensor].quantization!;
        expect(Math.abs(scales[index].scale / scale - 1)).toBeLessThan(0.005);
        expect(scales[index].zeroPoint).toBe(zeroPoint);
      });
    });

    test("is some 20 dB and more from its real numbers in each layer, and far from those of another weight", async () => {
      const integers = (sample: readonly Float32Array[]): Int8Array[] =>
        sample.map((elements, input) =>
          Int8Array.from(elements, (x) =>
            Math.min(127, Math.max(-128, Math.round(x / scales[input].scale) + scales[input].zeroPoint)),
          ),
        );
      const compare = (changed: QModel) =>
        compareReals(
          net,
          scales,
          openReference(writeContainer(changed)),
          {
            count: 4,
            perSample: 1,
            perStream: 1,
            sample: (index) => ({ reals: samples[index], integers: integers(samples[index]) }),
          },
          nothing,
        );
      const exact = await compare(model);
      for (const { snr, largest } of exact.layers) {
        expect(snr).toBeGreaterThan(20);
        expect(largest).toBeGreaterThan(0);
      }
      const layers = model.layers.map((layer, index) =>
        index === 0 && layer.op === "conv2d" ? { ...layer, weights: layer.weights.map((w) => -w) } : layer,
      );
      expect((await compare({ ...model, layers })).layers[0].snr).toBeLessThan(10);
    });
  },
);

test("a model of another net is refused where they part", () => {
  const net = golden("conv-int8.tflite");
  const model = importedModel(net);
  expect(matchModel(net, model)).toHaveLength(model.tensors.length);
  const other = importedModel(golden("quantized-qdq.onnx"));
  expect(() => matchModel(net, other)).toThrow(
    /^the model is of another net: input 0 \(.+\) is 1 × 28 × 28, in the net it is 3 × 12 × 10$/,
  );
  const cut = { ...model, tensors: model.tensors.slice(0, -1), layers: model.layers.slice(0, -1) };
  expect(() => matchModel(net, cut)).toThrow(/the number of layers is 7, in the net it is 8$/);
  const shifted = model.tensors.map((tensor, index) => (index === 2 ? { ...tensor, zeroPoint: 5 } : tensor));
  expect(() => matchModel(net, { ...model, tensors: shifted })).toThrow(
    /the scale of tensor 2 \(.+\) is .+ point 5, in/,
  );
});

test("a tally counts what is another integer, keeps the first place and the first beyond a step", () => {
  const tally = new ErrorTally({ scale: 0.5, zeroPoint: 1 });
  tally.addIntegers({ sample: 0 }, Int8Array.of(1, 2, 3), Int8Array.of(1, 2, 3));
  tally.addIntegers({ sample: 1 }, Int8Array.of(1, 2, 11), Int8Array.of(1, 3, 13));
  expect(tally.error()).toMatchObject({
    elements: 6,
    differing: 2,
    largest: 2,
    place: { sample: 1, element: 1, expected: 2, found: 3 },
    beyond: { sample: 1, element: 2, expected: 11, found: 13 },
  });
  // Energies 0 + 1 + 4, and 0 + 1 + 100, over 1 + 4.
  expect(tally.error().snr).toBeCloseTo(10 * Math.log10(106 / 5), 9);
  const reals = new ErrorTally({ scale: 0.5, zeroPoint: 1 });
  reals.addReals({ sample: 0 }, [0, 1.1, 1000], Int8Array.of(1, 3, 127));
  expect(reals.error()).toMatchObject({ elements: 3, differing: 0, largest: 1874 });
  reals.addReals({ sample: 1 }, [0.3], Int8Array.of(1));
  expect(reals.error().differing).toBe(1);
});

test("the reference is no part of the oracle: both agree on a random net", () => {
  const net = golden("conv-int8.tflite");
  const model = importedModel(net);
  const inputs = randomInputs(net, 9);
  const layers = runModel(model, inputs);
  let differing = 0;
  const found = new Map([
    [net.inputs[0].tensor, inputs[0]],
    ...net.layers.map(({ output }, layer) => [output, layers[layer]] as const),
  ]);
  for (const layer of net.layers) {
    const given = layer.inputs.map((tensor) => found.get(tensor)!);
    const expected = oracleLayer(net, layer, given);
    expected.forEach((q, i) => (differing += Math.abs(q - found.get(layer.output)![i])));
  }
  expect(differing).toBeLessThanOrEqual(2);
});
