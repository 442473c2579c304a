/** SPEC.md's rules for tensors and layers, each at its edge: the last value allowed passes, the next is refused by place, field and range. */
import { describe, expect, test } from "vitest";
import { checkModel } from "../../host/container/check.js";
import { MoteError } from "../../host/errors.js";
import type { QAvgPool, QConv2d, QDense, QLayer, QMaxPool, QModel, QTensor, Shape } from "../../host/model/model.js";

function tensor(shape: Shape, change: Partial<QTensor> = {}): QTensor {
  return { shape, nominalChannels: shape[0], border: 0, scale: 1, zeroPoint: 0, ...change };
}

function scaled(rows: number, columns: number) {
  return {
    weights: new Int8Array(rows * columns),
    bias: new Int32Array(rows),
    multiplier: Int32Array.of(2 ** 30),
    shift: Uint8Array.of(30),
    clamp: [-128, 127],
  } as const;
}

const ends = { input: 0, output: 1 } as const;

interface ConvSpec {
  readonly input?: Shape;
  readonly output?: Shape;
  readonly border?: number;
  readonly change?: Partial<QConv2d>;
}

/** One convolution; by default 3 × 3 over [2, 6, 7] without a border, which makes [4, 4, 5]. */
function conv({ input = [2, 6, 7], output = [4, 4, 5], border = 0, change = {} }: ConvSpec): QModel {
  const { kernel = [3, 3], groups = 1 } = change;
  const columns = Math.floor(input[0] / Math.max(1, groups)) * kernel[0] * kernel[1];
  const layer: QConv2d = {
    op: "conv2d",
    ...ends,
    ...scaled(output[0], columns),
    kernel,
    stride: 1,
    pad: 0,
    groups,
    pool: { size: 1, stride: 1 },
    ...change,
  };
  return { tensors: [tensor(input, { border }), tensor(output)], layers: [layer] };
}

function pool(output: Shape, kernel: number, stride: number, change: Partial<QMaxPool> = {}): QModel {
  return {
    tensors: [tensor([2, 6, 9]), tensor(output)],
    layers: [{ op: "maxpool", ...ends, kernel, stride, clamp: [-128, 127], ...change }],
  };
}

function averagePool(change: Partial<QAvgPool>): QModel {
  const layer: QAvgPool = {
    op: "avgpool",
    ...ends,
    kernel: 3,
    stride: 3,
    multiplier: 2 ** 30,
    shift: 30,
    clamp: [-128, 127],
    ...change,
  };
  return { tensors: [tensor([2, 6, 9]), tensor([2, 2, 3])], layers: [layer] };
}

function dense(change: Partial<QDense> = {}, output: Shape = [3, 1, 1], inputChange: Partial<QTensor> = {}): QModel {
  return {
    tensors: [tensor([4, 1, 1], inputChange), tensor(output)],
    layers: [{ op: "dense", ...ends, ...scaled(3, 4), ...change }],
  };
}

/** So many tensors, each of one element, each written from the one before. */
function chain(tensors: number): QModel {
  const layers = Array.from({ length: tensors - 1 }, (_, i): QLayer => {
    return { op: "maxpool", input: i, output: i + 1, kernel: 1, stride: 1, clamp: [-128, 127] };
  });
  return { tensors: Array.from({ length: tensors }, () => tensor([1, 1, 1])), layers };
}

const edges = (change: Partial<QMaxPool>): QModel => {
  const { tensors, layers } = chain(4);
  return { tensors, layers: [layers[0], { ...(layers[1] as QMaxPool), ...change }] };
};

function refusal(model: QModel): string {
  try {
    checkModel(model);
  } catch (error) {
    expect(error).toBeInstanceOf(MoteError);
    expect(error).toMatchObject({ code: "FORMAT" });
    return (error as MoteError).message;
  }
  return "none";
}

type Case = readonly [name: string, fits: readonly QModel[], refused: readonly (readonly [QModel, string])[]];

const is = (where: string, field: string, found: number, least: number, most: number): string =>
  `${where}: ${field} is ${found}, expected ${least} … ${most}`;

const CONV = "layer 0 (conv2d)";
const POOL = "layer 0 (maxpool)";

const models: readonly Case[] = [
  [
    "tensors and layers",
    [chain(255), chain(2)],
    [
      [chain(256), is("model", "number of tensors", 256, 1, 255)],
      [{ tensors: [], layers: chain(2).layers }, is("model", "number of tensors", 0, 1, 255)],
      [chain(1), is("model", "number of layers", 0, 1, 255)],
      [
        { ...chain(2), layers: Array.from({ length: 256 }, () => chain(2).layers[0]) },
        is("model", "number of layers", 256, 1, 255),
      ],
    ],
  ],
  [
    "a tensor's shape",
    [
      dense({ weights: new Int8Array(3 * 65535) }, undefined, { shape: [65535, 1, 1], nominalChannels: 65535 }),
      { tensors: [tensor([256, 256, 256]), tensor([256, 1, 1])], layers: chain(2).layers },
    ],
    [
      [dense({}, undefined, { shape: [0, 1, 1] }), is("tensor 0", "channels", 0, 1, 65535)],
      [dense({}, undefined, { shape: [65536, 1, 1] }), is("tensor 0", "channels", 65536, 1, 65535)],
      [dense({}, undefined, { shape: [4, 0, 1] }), is("tensor 0", "height", 0, 1, 65535)],
      [dense({}, undefined, { shape: [4, 65536, 1] }), is("tensor 0", "height", 65536, 1, 65535)],
      [dense({}, undefined, { shape: [4, 1, 0] }), is("tensor 0", "width", 0, 1, 65535)],
      [dense({}, undefined, { shape: [4, 1, 65536] }), is("tensor 0", "width", 65536, 1, 65535)],
      [dense({}, undefined, { shape: [4, 1.5, 1] }), is("tensor 0", "height", 1.5, 1, 65535)],
      [
        dense({}, undefined, { shape: [256, 256, 257], nominalChannels: 256 }),
        "tensor 0: takes 16842752 bytes with its border, at most 16777216 are allowed",
      ],
    ],
  ],
  [
    "a tensor's other fields",
    [
      dense({}, undefined, { nominalChannels: 65535, border: 15, scale: 2 ** -149, zeroPoint: -128 }),
      dense({}, undefined, { border: 0, scale: 3.4e38, zeroPoint: 127 }),
    ],
    [
      [dense({}, undefined, { nominalChannels: 3 }), is("tensor 0", "nominalChannels", 3, 4, 65535)],
      [dense({}, undefined, { nominalChannels: 65536 }), is("tensor 0", "nominalChannels", 65536, 4, 65535)],
      [dense({}, undefined, { border: -1 }), is("tensor 0", "border", -1, 0, 15)],
      [dense({}, undefined, { border: 16 }), is("tensor 0", "border", 16, 0, 15)],
      [dense({}, undefined, { zeroPoint: -129 }), is("tensor 0", "zeroPoint", -129, -128, 127)],
      [dense({}, undefined, { zeroPoint: 128 }), is("tensor 0", "zeroPoint", 128, -128, 127)],
      ...[0, -1, NaN, Infinity, 3.5e38, 2 ** -151].map((scale) => {
        return [
          dense({}, undefined, { scale }),
          `tensor 0: scale is ${scale}, expected a finite positive f32`,
        ] as const;
      }),
    ],
  ],
  [
    "a layer's tensors",
    [edges({ input: 0 }), edges({ output: 3 })],
    [
      [edges({ input: -1 }), is("layer 1 (maxpool)", "input", -1, 0, 3)],
      [edges({ input: 4 }), is("layer 1 (maxpool)", "input", 4, 0, 3)],
      [edges({ output: -1 }), is("layer 1 (maxpool)", "output", -1, 0, 3)],
      [edges({ output: 4 }), is("layer 1 (maxpool)", "output", 4, 0, 3)],
      [
        edges({ input: 3 }),
        "layer 1 (maxpool): input is tensor 3, expected tensor 0 or the output of an earlier layer",
      ],
      [
        edges({ output: 0 }),
        "layer 1 (maxpool): output is tensor 0, which is the model's input or written by an earlier layer",
      ],
      [
        edges({ output: 1 }),
        "layer 1 (maxpool): output is tensor 1, which is the model's input or written by an earlier layer",
      ],
    ],
  ],
  [
    "a convolution's kernel and stride",
    [
      conv({ input: [1, 255, 1], output: [1, 1, 1], change: { kernel: [255, 1] } }),
      conv({ input: [1, 1, 255], output: [1, 1, 1], change: { kernel: [1, 255] } }),
      conv({ output: [4, 1, 1], change: { stride: 255 } }),
    ],
    [
      [conv({ change: { kernel: [0, 3] } }), is(CONV, "kernelHeight", 0, 1, 255)],
      [conv({ change: { kernel: [256, 3] } }), is(CONV, "kernelHeight", 256, 1, 255)],
      [conv({ change: { kernel: [3, 0] } }), is(CONV, "kernelWidth", 0, 1, 255)],
      [conv({ change: { kernel: [3, 256] } }), is(CONV, "kernelWidth", 256, 1, 255)],
      [conv({ change: { stride: 0 } }), is(CONV, "stride", 0, 1, 255)],
      [conv({ change: { stride: 256 } }), is(CONV, "stride", 256, 1, 255)],
    ],
  ],
  [
    "a convolution's padding, which is within the input's border",
    [
      conv({ border: 2, change: { pad: 2 } }),
      conv({ border: 2, change: { pad: 1 } }),
      conv({ border: 15, change: { pad: 15 } }),
    ],
    [
      [conv({ border: 2, change: { pad: 3 } }), is(CONV, "pad", 3, 0, 2)],
      [conv({ change: { pad: 1 } }), is(CONV, "pad", 1, 0, 0)],
      [conv({ border: 2, change: { pad: -1 } }), is(CONV, "pad", -1, 0, 15)],
    ],
  ],
  [
    "the rows and columns that a convolution reads",
    [
      conv({}),
      // With a border both margins may be read: the one above by pad, the one below whole.
      conv({ border: 2, output: [4, 8, 9], change: { pad: 2 } }),
      conv({ border: 2, output: [4, 6, 7] }),
      conv({ border: 2, output: [4, 7, 8], change: { pad: 1 } }),
      conv({ output: [4, 2, 2], change: { stride: 3 }, input: [2, 6, 6] }),
      // Pooled rows: ((2 − 1) × 2 + 2 − 1) × 1 + 3 = 6.
      conv({ output: [4, 2, 2], change: { pool: { size: 2, stride: 2 } } }),
    ],
    [
      [conv({ output: [4, 5, 5] }), `${CONV}: reads 7 rows of its input, which has 6`],
      [conv({ output: [4, 4, 6] }), `${CONV}: reads 8 columns of its input, which has 7`],
      [conv({ border: 2, output: [4, 9, 9], change: { pad: 2 } }), `${CONV}: reads 11 rows of its input, which has 10`],
      [
        conv({ border: 2, output: [4, 8, 10], change: { pad: 2 } }),
        `${CONV}: reads 12 columns of its input, which has 11`,
      ],
      [conv({ border: 2, output: [4, 8, 8], change: { pad: 1 } }), `${CONV}: reads 10 rows of its input, which has 9`],
      [conv({ border: 2, output: [4, 7, 7] }), `${CONV}: reads 9 rows of its input, which has 8`],
      [conv({ output: [4, 3, 2], change: { stride: 3 } }), `${CONV}: reads 9 rows of its input, which has 6`],
      [
        conv({ output: [4, 3, 2], change: { pool: { size: 2, stride: 2 } } }),
        `${CONV}: reads 8 rows of its input, which has 6`,
      ],
      [
        conv({ output: [4, 2, 2], change: { pool: { size: 3, stride: 2 } } }),
        `${CONV}: reads 7 rows of its input, which has 6`,
      ],
      [
        conv({ output: [4, 2, 2], change: { pool: { size: 2, stride: 3 } } }),
        `${CONV}: reads 7 rows of its input, which has 6`,
      ],
    ],
  ],
  [
    "a convolution's groups",
    [conv({ input: [6, 6, 7], output: [9, 4, 5], change: { groups: 3 } }), conv({ change: { groups: 2 } })],
    [
      [conv({ change: { groups: 0 } }), is(CONV, "groups", 0, 1, 65_535)],
      [conv({ change: { groups: 3 } }), is(CONV, "groups", 3, 1, 2)],
      [
        conv({ input: [6, 6, 7], output: [9, 4, 5], change: { groups: 2 } }),
        `${CONV}: groups is 2, expected a divisor of 6 and 9 channels`,
      ],
      [
        conv({ input: [5, 6, 7], output: [9, 4, 5], change: { groups: 3 } }),
        `${CONV}: groups is 3, expected a divisor of 5 and 9 channels`,
      ],
    ],
  ],
  [
    "a convolution's pool",
    [conv({ output: [4, 1, 1], change: { pool: { size: 4, stride: 255 } } })],
    [
      [conv({ change: { pool: { size: 0, stride: 1 } } }), is(CONV, "poolSize", 0, 1, 255)],
      [conv({ change: { pool: { size: 256, stride: 1 } } }), is(CONV, "poolSize", 256, 1, 255)],
      [conv({ change: { pool: { size: 1, stride: 0 } } }), is(CONV, "poolStride", 0, 1, 255)],
      [conv({ change: { pool: { size: 1, stride: 256 } } }), is(CONV, "poolStride", 256, 1, 255)],
      [
        conv({ output: [4, 1, 1], change: { pool: { size: 255, stride: 1 } } }),
        `${CONV}: reads 257 rows of its input, which has 6`,
      ],
    ],
  ],
  [
    "a pool",
    [pool([2, 2, 3], 3, 3), pool([2, 4, 7], 3, 1), pool([2, 1, 1], 6, 255)],
    [
      [pool([2, 2, 3], 0, 3), is(POOL, "kernel", 0, 1, 255)],
      [pool([2, 2, 3], 256, 3), is(POOL, "kernel", 256, 1, 255)],
      [pool([2, 2, 3], 3, 0), is(POOL, "stride", 0, 1, 255)],
      [pool([2, 2, 3], 3, 256), is(POOL, "stride", 256, 1, 255)],
      [pool([3, 2, 3], 3, 3), `${POOL}: has 3 output channels, expected the input's 2`],
      [pool([2, 3, 3], 3, 3), `${POOL}: reads 9 rows of its input, which has 6`],
      [pool([2, 2, 4], 3, 3), `${POOL}: reads 12 columns of its input, which has 9`],
    ],
  ],
  [
    "a multiplier and a shift",
    [
      averagePool({ multiplier: 2 ** 30, shift: 1 }),
      averagePool({ multiplier: 2 ** 31 - 1, shift: 62 }),
      dense({ multiplier: Int32Array.of(2 ** 31 - 1), shift: Uint8Array.of(62) }),
    ],
    [
      [
        averagePool({ multiplier: 2 ** 30 - 1 }),
        is("layer 0 (avgpool)", "multiplier", 2 ** 30 - 1, 2 ** 30, 2 ** 31 - 1),
      ],
      [averagePool({ multiplier: 2 ** 31 }), is("layer 0 (avgpool)", "multiplier", 2 ** 31, 2 ** 30, 2 ** 31 - 1)],
      [averagePool({ shift: 0 }), is("layer 0 (avgpool)", "shift", 0, 1, 62)],
      [averagePool({ shift: 63 }), is("layer 0 (avgpool)", "shift", 63, 1, 62)],
      [dense({ shift: Uint8Array.of(63) }), is("layer 0 (dense)", "shift", 63, 1, 62)],
      [
        dense({ multiplier: Int32Array.of(2 ** 30, 2 ** 30, 7), shift: Uint8Array.of(1, 1, 1) }),
        is("layer 0 (dense)", "multiplier", 7, 2 ** 30, 2 ** 31 - 1),
      ],
    ],
  ],
  [
    "a clamp",
    [pool([2, 2, 3], 3, 3, { clamp: [127, 127] }), pool([2, 2, 3], 3, 3, { clamp: [-128, -128] })],
    [
      [pool([2, 2, 3], 3, 3, { clamp: [-129, 0] }), is(POOL, "clampMin", -129, -128, 127)],
      [pool([2, 2, 3], 3, 3, { clamp: [128, 128] }), is(POOL, "clampMin", 128, -128, 127)],
      [pool([2, 2, 3], 3, 3, { clamp: [1, 0] }), is(POOL, "clampMax", 0, 1, 127)],
      [pool([2, 2, 3], 3, 3, { clamp: [1, 128] }), is(POOL, "clampMax", 128, 1, 127)],
    ],
  ],
  [
    "a dense layer's output and its arrays",
    [dense(), dense({ multiplier: new Int32Array(3).fill(2 ** 30), shift: new Uint8Array(3).fill(30) })],
    [
      [dense({}, [3, 2, 1]), "layer 0 (dense): output shape is [3, 2, 1], expected [3, 1, 1]"],
      [dense({}, [3, 1, 2]), "layer 0 (dense): output shape is [3, 1, 2], expected [3, 1, 1]"],
      [dense({ weights: new Int8Array(11) }), "layer 0 (dense): has 11 weights, expected 3 × 4 = 12"],
      [dense({ bias: new Int32Array(4) }), "layer 0 (dense): has 4 biases, expected 3"],
      [
        dense({ multiplier: Int32Array.of(2 ** 30, 2 ** 30), shift: Uint8Array.of(1, 1) }),
        "layer 0 (dense): has 2 multipliers and 2 shifts, expected 1 or 3 of each",
      ],
      [
        dense({ shift: Uint8Array.of(1, 1, 1) }),
        "layer 0 (dense): has 1 multipliers and 3 shifts, expected 1 or 3 of each",
      ],
    ],
  ],
  [
    "a layer's weights",
    [],
    [
      [
        dense({}, [5000, 1, 1], { shape: [60000, 1, 1], nominalChannels: 60000 }),
        "layer 0 (dense): has 300000000 weights, at most 268435456 are allowed",
      ],
      // 2^28 itself is allowed; that this layer comes without them is the next thing wrong.
      [
        dense({}, [32768, 1, 1], { shape: [8192, 1, 1], nominalChannels: 8192 }),
        "layer 0 (dense): has 12 weights, expected 32768 × 8192 = 268435456",
      ],
    ],
  ],
];

describe.each(models)("%s", (_name, fits, refused) => {
  test("within the rules", () => {
    expect(fits.map(refusal)).toEqual(fits.map(() => "none"));
  });

  test("outside them", () => {
    expect(refused.map(([model]) => refusal(model))).toEqual(refused.map(([, message]) => message));
  });
});
