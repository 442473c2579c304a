/** Models made by hand at the edges of what a stream can hold, on the inputs that go furthest: kernels, plain loops and reference agree. */
import { describe, expect, it } from "vitest";
import {
  CHUNK_MAGNITUDE,
  CHUNK_RECORDS,
  PAIRS_AT_ONCE,
  PIECE_ELEMENTS,
  TILE_MAGNITUDE,
  TILE_RECORDS,
} from "../../assembly/fast/layout.js";
import type { QConv2d, QModel, QTensor, Shape } from "../../host/model/model.js";
import { NO_POOL } from "../../host/ops/op.js";
import { Random } from "../../host/rng.js";
import { buildModel, randomInput, type LayerSpec } from "../support/models.js";
import { expectEqual } from "./expect-equal.js";

function tensor(shape: Shape, zeroPoint = 0, border = 0): QTensor {
  return { shape, nominalChannels: shape[0], border, scale: 1, zeroPoint };
}

/** An output is the accumulator itself, clamped: sums that are wrong by one are seen where they are near zero. */
const ONE_TO_ONE = { multiplier: Int32Array.of(2 ** 30), shift: Uint8Array.of(30), clamp: [-128, 127] } as const;

/** One filter of 1 × n taps over [1, height, 8 + n - 1], which is one block, or under a pool with a height of 8 one tile. */
function filter(weights: readonly number[], pool: QConv2d["pool"], zeroPoint = 0, height = 4): QModel {
  const width = 8 + weights.length - 1;
  return {
    tensors: [tensor([1, height, width], zeroPoint), tensor([1, height / pool.size[0], 8 / pool.size[1]])],
    layers: [
      {
        op: "conv2d",
        inputs: [0],
        output: 1,
        kernel: [1, weights.length],
        stride: [1, 1],
        pad: [0, 0],
        groups: 1,
        pool,
        weights: Int8Array.from(weights),
        bias: Int32Array.of(0),
        ...ONE_TO_ONE,
      },
    ],
    outputs: [1],
  };
}

/** The same with a bias that takes what the reference has for this input at its first output to zero. */
function centred(model: QModel, input: Int8Array): QModel {
  const [layer] = model.layers as [QConv2d];
  const { zeroPoint } = model.tensors[0];
  const sum = layer.weights.reduce((acc, w, tap) => acc + w * (input[tap] - zeroPoint), 0);
  return { ...model, layers: [{ ...layer, bias: Int32Array.of(-sum) }] };
}

const HALF = { size: [2, 2], stride: [2, 2] } as const;

describe("a lane of 16 bits", () => {
  const most = CHUNK_MAGNITUDE - 2 * 127; // the rest of a chunk beside two weights of 127
  describe.each<[string, number[]]>([
    ["positive", [127, 127, most]],
    ["negative", [-127, -127, -most]],
    ["of both signs", [127, -127, -most]],
    ["of both signs, with -128", [-128, 127, CHUNK_MAGNITUDE - 255]],
    ["many and small", [...Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 2 : -3)), 7]],
  ])("full of weights that are %s", (_kind, weights) => {
    const width = 8 + weights.length - 1;
    const furthest = (positive: number, negative: number): Int8Array =>
      Int8Array.from({ length: 4 * width }, (_, i) => {
        const x = i % width;
        return x < weights.length ? (weights[x] > 0 ? positive : negative) : x % 3 === 0 ? -128 : 127;
      });
    const inputs = [
      new Int8Array(4 * width).fill(127),
      new Int8Array(4 * width).fill(-128),
      furthest(127, -128),
      furthest(-128, 127),
    ];

    it.each([
      ["no pool", NO_POOL],
      ["a pool of 2", HALF],
    ])("holds every sum, with %s", (_pool, pool) => {
      for (const input of inputs) {
        const [report] = expectEqual(centred(filter(weights, pool), input), [...inputs, ...randomExtremes(width)]);
        expect(report).toMatchObject({ kernel: "conv2d by blocks", chunks: 1, records: weights.length });
      }
    });

    it("is one of two when there is one weight more", () => {
      for (const pool of [NO_POOL, HALF]) {
        const more = [...weights, 1];
        const input = new Int8Array(4 * (width + 1)).fill(127);
        const [report] = expectEqual(centred(filter(more, pool, -128), input), [input, ...randomExtremes(width + 1)]);
        expect(report.chunks).toBe(2);
      }
    });
  });

  it("is left for another after so many records", () => {
    for (const [count, chunks] of [
      [CHUNK_RECORDS, 1],
      [CHUNK_RECORDS + 1, 2],
    ]) {
      const weights = Array.from({ length: count }, (_, i) => (i % 3 === 0 ? 1 : -1));
      const [report] = expectEqual(filter(weights, NO_POOL, 5), randomExtremes(8 + count - 1));
      expect(report.chunks).toBe(chunks);
    }
  });

  function randomExtremes(width: number): Int8Array[] {
    const random = new Random(width);
    return Array.from({ length: 4 }, () => {
      return Int8Array.from({ length: 4 * width }, () => (random.integer(2) === 0 ? -128 : 127));
    });
  }
});

describe("a tile", () => {
  const extremes = (weights: readonly number[], positive: number, negative: number, seed: number): Int8Array => {
    const random = new Random(seed);
    const width = 8 + weights.length - 1;
    // Rows and columns where the first place sums up as far as it can, among places that do the opposite or anything.
    return Int8Array.from({ length: 8 * width }, (_, i) => {
      const [x, y] = [i % width, Math.floor(i / width)];
      const isFar = x < weights.length ? y % 3 === 0 : random.integer(2) === 0;
      const weight = weights[Math.min(x, weights.length - 1)];
      return isFar === weight > 0 ? positive : negative;
    });
  };

  describe.each<[string, number[]]>([
    ["one positive weight", [127, 1]],
    ["one negative weight", [-128]],
    ["both signs", [64, -64]],
    ["as many weights as it takes", Array.from({ length: TILE_RECORDS }, (_, i) => (i % 2 === 0 ? 2 : -2))],
  ])("of %s", (_kind, weights) => {
    it("finds the largest of sums as far apart as they can be", () => {
      expect(weights.reduce((sum, w) => sum + Math.abs(w), 0)).toBe(TILE_MAGNITUDE);
      const inputs = [1, 2, 3].flatMap((seed) => [
        extremes(weights, 127, -128, seed),
        extremes(weights, -128, 127, seed),
      ]);
      for (const input of inputs) {
        const [report] = expectEqual(centred(filter(weights, HALF, 3, 8), input), inputs);
        expect(report).toMatchObject({ kernel: "conv2d by pooled tiles", chunks: 1, records: weights.length });
      }
    });
  });

  it.each([
    ["one weight more", Array.from({ length: TILE_RECORDS + 1 }, () => 1)],
    ["a weight heavier by one", [-128, 1]],
  ])("is not for %s", (_kind, weights) => {
    const [report] = expectEqual(filter(weights, HALF, 3, 8), [extremes(weights, 127, -128, 4)]);
    expect(report.kernel).toBe("conv2d by blocks");
  });
});

it("a filter of many heavy weights adds up its chunks in 32 bits", () => {
  const weights = Array.from({ length: 255 }, (_, i) => (i % 2 === 0 ? 127 : -128));
  const width = 8 + 254;
  const inputs = [127, -128].map((sign) => {
    return Int8Array.from({ length: 4 * width }, (_, i) => ((i % width) % 2 === 0 ? sign : -1 - sign));
  });
  for (const pool of [NO_POOL, HALF]) {
    for (const input of inputs) {
      const [report] = expectEqual(centred(filter(weights, pool), input), inputs);
      expect(report.chunks).toBe(128); // 127 + 128 leave no room for a third
    }
  }
});

describe("gaps between a dense layer's weights", () => {
  const [columns, last] = [1100, 1099];
  const input = Int8Array.from({ length: columns }, (_, i) => ((i * 37) % 256) - 128);

  it.each([
    [[0], 0],
    [[255], 0],
    [[256], 1],
    [[0, 255, 510], 0],
    [[0, 256, 512], 2],
    [[510], 1],
    [[511], 2],
    [[1, 766, 767, 1032], 3],
    [[last], 4],
    [[], 0],
  ] as [number[], number][])("%j takes %i fillers", (places, fillers) => {
    const weights = new Int8Array(columns);
    places.forEach((column, i) => (weights[column] = i % 2 === 0 ? 1 : -1));
    const model: QModel = {
      tensors: [tensor([columns, 1, 1]), tensor([1, 1, 1])],
      layers: [{ op: "dense", inputs: [0], output: 1, weights, bias: Int32Array.of(3), ...ONE_TO_ONE }],
      outputs: [1],
    };
    const [report] = expectEqual(model, [input]);
    const records = Math.max(1, Math.ceil((places.length + fillers) / PAIRS_AT_ONCE)) * PAIRS_AT_ONCE;
    expect(report).toMatchObject({ records, zeros: records - places.length });
  });

  it("are counted over borders", () => {
    const [channels, height, width] = [3, 4, 5];
    const columnCount = channels * height * width;
    const model: QModel = {
      tensors: [tensor([channels, height, width], 9, 7), tensor([2, 1, 1])],
      layers: [
        {
          op: "dense",
          inputs: [0],
          output: 1,
          weights: Int8Array.from({ length: 2 * columnCount }, (_, i) => ((i * 7) % 5) - 2),
          bias: Int32Array.of(40, -900),
          ...ONE_TO_ONE,
        },
      ],
      outputs: [1],
    };
    expectEqual(model, [input.subarray(0, columnCount), input.subarray(100, 100 + columnCount)]);
  });
});

it("a dense row of the heaviest weights fits its sum", () => {
  const columns = 60_000; // 60,000 × 128 × 255 is below 2^31
  const model: QModel = {
    tensors: [tensor([columns, 1, 1], -128), tensor([2, 1, 1])],
    layers: [
      {
        op: "dense",
        inputs: [0],
        output: 1,
        weights: Int8Array.from({ length: 2 * columns }, (_, i) => (i < columns ? -128 : 127)),
        bias: Int32Array.of(columns * 128 * 255, -columns * 127 * 255),
        ...ONE_TO_ONE,
      },
    ],
    outputs: [1],
  };
  expectEqual(model, [new Int8Array(columns).fill(127)]);
});

describe("lines of a pool's window", () => {
  const [most, rest] = [PIECE_ELEMENTS, 3];

  it.each([most - 1, most, most + 1, 2 * most, 2 * most + 1])("of %i elements", (width) => {
    const shape = [2, 4, width + rest] as const;
    const window = { kernel: [3, width], stride: [1, 2] } as const;
    // Alone, so that the packer knows that lines are long or short, and beside one of the other kind.
    for (const more of [[], [{ op: "avgpool", kernel: [2, 2], stride: 1 }] as const]) {
      for (const op of ["maxpool", "avgpool"] as const) {
        const model = buildModel(width, shape, [{ op, ...window }, ...more]);
        expectEqual(
          model,
          [1, 2].map((seed) => randomInput(model, seed)),
        );
      }
    }
  });

  it("are as long as a tensor's", () => {
    const model = buildModel(1, [1, 1, 65535], [{ op: "maxpool", kernel: [1, 65535], stride: [65535, 1] }]);
    const input = new Int8Array(65535).fill(-128);
    for (const at of [0, 255, 256, 65279, 65280, 65534]) expectEqual(model, [input.with(at, 77)]);
  });
});

describe("windows with steps of their own down and across", () => {
  const conv = { op: "conv2d", kernel: [2, 3], weights: "any", density: 0.8, out: 3 } as const;
  it.each<[string, LayerSpec]>([
    ["strides", { ...conv, stride: [3, 2] }],
    ["a pool", { ...conv, pool: { size: [3, 2], stride: [2, 3] } }],
    ["strides under a pool", { ...conv, stride: [2, 3], pool: { size: [1, 3], stride: [2, 1] } }],
    ["a pool of one place with gaps", { ...conv, stride: [2, 1], pool: { size: 1, stride: [1, 3] } }],
    ["pads", { ...conv, stride: [2, 3], pad: [3, 1] }],
    ["a max-pool that pads", { op: "maxpool", kernel: [4, 3], stride: [3, 1], pad: [2, 1] }],
    ["an average that pads", { op: "avgpool", kernel: [3, 4], stride: [1, 3], pad: [0, 3] }],
  ])("%s", (_kind, spec) => {
    const model = buildModel(8, [2, 17, 19], [spec]);
    expectEqual(
      model,
      [1, 2].map((seed) => randomInput(model, seed)),
    );
  });
});

it("a max-pool keeps its bytes, and clamps them", () => {
  const model: QModel = {
    tensors: [tensor([2, 5, 5], 17), tensor([2, 2, 2], 17)],
    layers: [{ op: "maxpool", inputs: [0], output: 1, kernel: [3, 3], stride: [2, 2], pad: [0, 0], clamp: [-100, 90] }],
    outputs: [1],
  };
  const random = new Random(5);
  const inputs = [-128, 0, 127].map((level) =>
    Int8Array.from({ length: 50 }, () => Math.max(-128, Math.min(127, level + random.integer(41) - 20))),
  );
  expectEqual(model, inputs);
});
