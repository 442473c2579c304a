/** The container's rules for tensors and layers, each at its edge: the last value allowed passes, the next is refused by place, field and range. */
import { describe, expect, test } from "vitest";
import { checkModel } from "../../host/container/check.js";
import { MoteError } from "../../host/errors.js";
import type { QAvgPool, QConv2d, QDense, QMaxPool, QModel, QTensor, Shape } from "../../host/model/model.js";
import { NO_POOL, type Window } from "../../host/ops/op.js";

function tensor(shape: Shape, change: Partial<QTensor> = {}): QTensor {
  return { shape, nominalChannels: shape[0], border: 0, zeroPoint: 0, ...change };
}

/** An input or output. */
const end = (shape: Shape, change: Partial<QTensor> = {}): QTensor => tensor(shape, { scale: 1, ...change });

function scaled(rows: number, columns: number) {
  return {
    weights: new Int8Array(rows * columns),
    bias: new Int32Array(rows),
    multiplier: Int32Array.of(2 ** 30),
    shift: Uint8Array.of(30),
    clamp: [-128, 127],
  } as const;
}

const edge = { inputs: [0], output: 1 } as const;

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
    ...edge,
    ...scaled(output[0], columns),
    kernel,
    stride: [1, 1],
    pad: [0, 0],
    groups,
    pool: NO_POOL,
    ...change,
  };
  return { tensors: [end(input, { border }), end(output)], layers: [layer], outputs: [1] };
}

/** Over [2, 6, 9]. */
function pool(output: Shape, change: Partial<QMaxPool>, border = 0, input: Shape = [2, 6, 9]): QModel {
  return {
    tensors: [end(input, { border }), end(output)],
    layers: [{ op: "maxpool", ...edge, kernel: [3, 3], stride: [3, 3], pad: [0, 0], clamp: [-128, 127], ...change }],
    outputs: [1],
  };
}

function averagePool(change: Partial<QAvgPool>): QModel {
  const layer: QAvgPool = {
    op: "avgpool",
    ...edge,
    kernel: [3, 3],
    stride: [3, 3],
    pad: [0, 0],
    multiplier: 2 ** 30,
    shift: 30,
    clamp: [-128, 127],
    ...change,
  };
  return { tensors: [end([2, 6, 9]), end([2, 2, 3])], layers: [layer], outputs: [1] };
}

function dense(change: Partial<QDense> = {}, output: Shape = [3, 1, 1], inputChange: Partial<QTensor> = {}): QModel {
  return {
    tensors: [end([4, 1, 1], inputChange), end(output)],
    layers: [{ op: "dense", ...edge, ...scaled(3, 4), ...change }],
    outputs: [1],
  };
}

function copy(input: number, output: number): QMaxPool {
  return {
    op: "maxpool",
    inputs: [input],
    output,
    kernel: [1, 1],
    stride: [1, 1],
    pad: [0, 0],
    clamp: [-128, 127],
  };
}

const square = (size: number, stride: number): Window => ({ size: [size, size], stride: [stride, stride] });

/** So many tensors, each of one element, each written from the one before. */
function chain(tensors: number): QModel {
  return {
    tensors: Array.from({ length: tensors }, (_, i) =>
      i === 0 || i === tensors - 1 ? end([1, 1, 1]) : tensor([1, 1, 1]),
    ),
    layers: Array.from({ length: Math.max(0, tensors - 1) }, (_, i) => copy(i, i + 1)),
    outputs: [tensors - 1],
  };
}

const edges = (change: Partial<QMaxPool>): QModel => {
  const { layers, ...model } = chain(4);
  return { ...model, layers: [layers[0], { ...(layers[1] as QMaxPool), ...change }, layers[2]] };
};

/**
 * Inputs 0 and 1, states 2 and 3, and layers that write 4 from 0, 5 from 2 and 6 from 4; 5 and 6 are outputs. State 2 takes over tensor 4,
 * state 3 input 1.
 */
function streaming(
  change: Readonly<Record<number, Partial<QTensor>>> = {},
  outputs: readonly number[] = [5, 6],
): QModel {
  const state = (source: number, more: Partial<QTensor> = {}): QTensor => tensor([2, 1, 3], { source, ...more });
  const tensors = [
    end([2, 1, 3]),
    end([2, 1, 3]),
    state(4, { border: 2, zeroPoint: 9 }),
    state(1),
    tensor([2, 1, 3]),
    end([2, 1, 3]),
    end([2, 1, 3]),
  ];
  return {
    tensors: tensors.map((each, index) => ({ ...each, ...change[index] })),
    layers: [copy(0, 4), copy(2, 5), copy(4, 6)],
    outputs,
  };
}

/** The model with an output more. */
const withEnd = ({ tensors, ...model }: QModel, index: number, outputs: readonly number[]): QModel => ({
  ...model,
  tensors: tensors.with(index, { ...tensors[index], scale: 1 }),
  outputs,
});

/** A tensor without its scale or source. */
function without(model: QModel, index: number, field: "scale" | "source"): QModel {
  const { [field]: _, ...rest } = model.tensors[index];
  return { ...model, tensors: model.tensors.with(index, rest) };
}

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

function crop([channel, y, x]: Shape, output: Shape, input: Shape = [3, 4, 5]): QModel {
  return {
    tensors: [end(input), end(output)],
    layers: [{ op: "crop", inputs: [0], output: 1, channel, first: [y, x] }],
    outputs: [1],
  };
}

const append = (a: Shape, b: Shape, output: Shape): QModel => ({
  tensors: [end(a), end(b), end(output)],
  layers: [{ op: "append", inputs: [0, 1], output: 2 }],
  outputs: [2],
});

function appendRefused(a: Shape, b: Shape, output: Shape): readonly [QModel, string] {
  const [first, second, all] = [a, b, output].map((shape) => `[${shape.join(", ")}]`);
  const message = `inputs are ${first} and ${second}, expected to lie one behind the other in an output of ${all}`;
  return [append(a, b, output), `layer 0 (append): ${message}`];
}

const models: readonly Case[] = [
  [
    "tensors and layers",
    [chain(1024), chain(2)],
    [
      [chain(1025), is("model", "number of tensors", 1025, 2, 1024)],
      [{ ...chain(2), tensors: [] }, is("model", "number of tensors", 0, 2, 1024)],
      [chain(1), is("model", "number of tensors", 1, 2, 1024)],
      [{ ...chain(2), layers: [] }, is("model", "number of layers", 0, 1, 1)],
      // Without an input.
      [{ ...chain(2), layers: [copy(0, 0), copy(0, 1)] }, is("model", "number of layers", 2, 1, 1)],
      [
        { ...chain(1024), layers: Array.from({ length: 1024 }, () => copy(0, 1)) },
        is("model", "number of layers", 1024, 1, 1023),
      ],
    ],
  ],
  [
    "a tensor's shape",
    [
      dense({ weights: new Int8Array(3 * 65535) }, undefined, { shape: [65535, 1, 1], nominalChannels: 65535 }),
      pool([256, 1, 1], { kernel: [1, 1] }, 0, [256, 256, 256]),
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
    [edges({ inputs: [1] }), withEnd(edges({ inputs: [0] }), 1, [1, 3])],
    [
      [edges({ inputs: [-1] }), is("layer 1 (maxpool)", "input", -1, 0, 1)],
      [edges({ inputs: [2] }), is("layer 1 (maxpool)", "input", 2, 0, 1)],
      [edges({ inputs: [0.5] }), is("layer 1 (maxpool)", "input", 0.5, 0, 1)],
      [edges({ inputs: [] }), "layer 1 (maxpool): has 0 inputs, expected 1"],
      [edges({ inputs: [0, 1] }), "layer 1 (maxpool): has 2 inputs, expected 1"],
      [edges({ output: 1 }), "layer 1 (maxpool): output is tensor 1, expected 2"],
      [edges({ output: 3 }), "layer 1 (maxpool): output is tensor 3, expected 2"],
    ],
  ],
  [
    "inputs and outputs",
    [
      streaming(),
      // What a layer or a state reads may be an output as well, and what is an output need not be read.
      streaming({ 4: { scale: 2 } }, [4, 5, 6]),
      without(without(streaming({ 2: { scale: 1 }, 3: { scale: 1 } }), 2, "source"), 3, "source"),
    ],
    [
      [streaming({}, []), "model: has no output, expected one or more"],
      [streaming({}, [3, 5, 6]), is("model", "output 0", 3, 4, 6)],
      [streaming({}, [5, 7]), is("model", "output 1", 7, 6, 6)],
      [streaming({}, [6, 5]), is("model", "output 1", 5, 7, 6)],
      [streaming({}, [5, 5, 6]), is("model", "output 1", 5, 6, 6)],
      [without(streaming(), 0, "scale"), "tensor 0: has no scale, which an input or output has"],
      [without(streaming(), 1, "scale"), "tensor 1: has no scale, which an input or output has"],
      [without(streaming(), 6, "scale"), "tensor 6: has no scale, which an input or output has"],
      [streaming({ 4: { scale: 1 } }), "tensor 4: has a scale, which inputs and outputs alone have"],
      [without(streaming({}, [5]), 6, "scale"), "tensor 6: is read by no layer and no state, and is no output"],
    ],
  ],
  [
    "states",
    [
      streaming({ 2: { source: 5 } }),
      streaming({ 2: { source: 0 } }),
      // It is read as much as by a layer.
      without(streaming({ 3: { source: 6 } }, [5]), 6, "scale"),
    ],
    [
      [streaming({ 2: { source: -1 } }), is("tensor 2", "source", -1, 0, 6)],
      [streaming({ 2: { source: 7 } }), is("tensor 2", "source", 7, 0, 6)],
      [streaming({ 2: { source: 2 } }), "tensor 2: its source, tensor 2, is a state"],
      [streaming({ 2: { source: 3 } }), "tensor 2: its source, tensor 3, is a state"],
      [streaming({ 3: { shape: [2, 3, 1] } }), "tensor 3: its source, tensor 1, is [2, 1, 3], expected [2, 3, 1]"],
      [
        streaming({ 3: { shape: [1, 1, 3], nominalChannels: 1 } }),
        "tensor 3: its source, tensor 1, is [2, 1, 3], expected [1, 1, 3]",
      ],
      [streaming({ 2: { scale: 1 } }), "tensor 2: has a scale, which inputs and outputs alone have"],
      [without(streaming({ 0: { source: 4 } }), 0, "scale"), "tensor 0: is a state, expected an input"],
      [
        without(streaming({ 3: { scale: 1 } }), 3, "source"),
        "tensor 3: is an input behind a state, expected before it",
      ],
      [streaming({ 5: { source: 4 } }), "tensor 5: is a layer's output and has a source, which states alone have"],
    ],
  ],
  [
    "a convolution's kernel and stride",
    [
      conv({ input: [1, 255, 1], output: [1, 1, 1], change: { kernel: [255, 1] } }),
      conv({ input: [1, 1, 255], output: [1, 1, 1], change: { kernel: [1, 255] } }),
      conv({ output: [4, 1, 1], change: { stride: [255, 255] } }),
    ],
    [
      [conv({ change: { kernel: [0, 3] } }), is(CONV, "kernel y", 0, 1, 255)],
      [conv({ change: { kernel: [256, 3] } }), is(CONV, "kernel y", 256, 1, 255)],
      [conv({ change: { kernel: [3, 0] } }), is(CONV, "kernel x", 0, 1, 255)],
      [conv({ change: { kernel: [3, 256] } }), is(CONV, "kernel x", 256, 1, 255)],
      [conv({ change: { stride: [0, 1] } }), is(CONV, "stride y", 0, 1, 255)],
      [conv({ change: { stride: [256, 1] } }), is(CONV, "stride y", 256, 1, 255)],
      [conv({ change: { stride: [1, 0] } }), is(CONV, "stride x", 0, 1, 255)],
      [conv({ change: { stride: [1, 256] } }), is(CONV, "stride x", 256, 1, 255)],
    ],
  ],
  [
    "a convolution's padding, which is within the input's border",
    [
      conv({ border: 2, change: { pad: [2, 2] } }),
      conv({ border: 2, change: { pad: [1, 0] } }),
      conv({ border: 15, change: { pad: [15, 15] } }),
    ],
    [
      [conv({ border: 2, change: { pad: [3, 0] } }), is(CONV, "pad", 3, 0, 2)],
      [conv({ border: 2, change: { pad: [0, 3] } }), is(CONV, "pad", 3, 0, 2)],
      [conv({ change: { pad: [1, 1] } }), is(CONV, "pad", 1, 0, 0)],
      [conv({ border: 15, change: { pad: [16, 0] } }), is(CONV, "pad y", 16, 0, 15)],
      [conv({ border: 15, change: { pad: [0, 16] } }), is(CONV, "pad x", 16, 0, 15)],
      [conv({ border: 2, change: { pad: [-1, 0] } }), is(CONV, "pad y", -1, 0, 15)],
    ],
  ],
  [
    "the rows and columns that a convolution reads",
    [
      conv({}),
      // With a border both margins may be read: the one above by pad, the one below whole.
      conv({ border: 2, output: [4, 8, 9], change: { pad: [2, 2] } }),
      conv({ border: 2, output: [4, 6, 7] }),
      conv({ border: 2, output: [4, 7, 8], change: { pad: [1, 1] } }),
      conv({ border: 2, output: [4, 8, 8], change: { pad: [2, 1] } }),
      conv({ output: [4, 2, 2], change: { stride: [3, 3] }, input: [2, 6, 6] }),
      conv({ output: [4, 2, 5], change: { stride: [3, 1] } }),
      // Pooled rows: ((2 − 1) × 2 + 2 − 1) × 1 + 3 = 6.
      conv({ output: [4, 2, 2], change: { pool: square(2, 2) } }),
      conv({ output: [4, 4, 3], change: { pool: { size: [1, 3], stride: [1, 1] } } }),
      // A stride alone: (3 − 1) × 1 + 1 rows.
      conv({ output: [4, 2, 3], change: { pool: { size: [1, 1], stride: [3, 2] } } }),
    ],
    [
      [conv({ output: [4, 5, 5] }), `${CONV}: reads 7 rows of its input, which has 6`],
      [conv({ output: [4, 4, 6] }), `${CONV}: reads 8 columns of its input, which has 7`],
      [
        conv({ border: 2, output: [4, 9, 9], change: { pad: [2, 2] } }),
        `${CONV}: reads 11 rows of its input, which has 10`,
      ],
      [
        conv({ border: 2, output: [4, 8, 10], change: { pad: [2, 2] } }),
        `${CONV}: reads 12 columns of its input, which has 11`,
      ],
      [
        conv({ border: 2, output: [4, 8, 8], change: { pad: [1, 2] } }),
        `${CONV}: reads 10 rows of its input, which has 9`,
      ],
      [
        conv({ border: 2, output: [4, 8, 9], change: { pad: [2, 1] } }),
        `${CONV}: reads 11 columns of its input, which has 10`,
      ],
      [conv({ border: 2, output: [4, 7, 7] }), `${CONV}: reads 9 rows of its input, which has 8`],
      [conv({ output: [4, 3, 5], change: { stride: [3, 1] } }), `${CONV}: reads 9 rows of its input, which has 6`],
      [conv({ output: [4, 4, 3], change: { stride: [1, 3] } }), `${CONV}: reads 9 columns of its input, which has 7`],
      [conv({ output: [4, 3, 2], change: { pool: square(2, 2) } }), `${CONV}: reads 8 rows of its input, which has 6`],
      [conv({ output: [4, 2, 2], change: { pool: square(3, 2) } }), `${CONV}: reads 7 rows of its input, which has 6`],
      [conv({ output: [4, 2, 2], change: { pool: square(2, 3) } }), `${CONV}: reads 7 rows of its input, which has 6`],
      [
        conv({ output: [4, 4, 3], change: { pool: { size: [1, 4], stride: [1, 1] } } }),
        `${CONV}: reads 8 columns of its input, which has 7`,
      ],
      [
        conv({ output: [4, 2, 3], change: { pool: { size: [1, 1], stride: [4, 2] } } }),
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
    [conv({ output: [4, 1, 1], change: { pool: square(4, 255) } })],
    [
      [conv({ change: { pool: { size: [0, 1], stride: [1, 1] } } }), is(CONV, "pool y", 0, 1, 255)],
      [conv({ change: { pool: { size: [1, 256], stride: [1, 1] } } }), is(CONV, "pool x", 256, 1, 255)],
      [conv({ change: { pool: { size: [1, 1], stride: [0, 1] } } }), is(CONV, "poolStride y", 0, 1, 255)],
      [conv({ change: { pool: { size: [1, 1], stride: [1, 256] } } }), is(CONV, "poolStride x", 256, 1, 255)],
      [
        conv({ output: [4, 1, 1], change: { pool: square(255, 1) } }),
        `${CONV}: reads 257 rows of its input, which has 6`,
      ],
    ],
  ],
  [
    "a pool",
    [
      pool([2, 2, 3], {}),
      pool([2, 4, 7], { stride: [1, 1] }),
      pool([2, 1, 1], { kernel: [6, 6], stride: [65535, 65535] }),
      pool([2, 2, 4], { kernel: [3, 2], stride: [3, 2] }),
      pool([1, 1, 1], { kernel: [1, 65535] }, 0, [1, 1, 65535]),
      pool([1, 1, 1], { kernel: [65535, 1] }, 0, [1, 65535, 1]),
    ],
    [
      [pool([2, 2, 3], { kernel: [0, 3] }), is(POOL, "kernel y", 0, 1, 65535)],
      [pool([2, 2, 3], { kernel: [3, 65536] }), is(POOL, "kernel x", 65536, 1, 65535)],
      [pool([2, 2, 3], { stride: [3, 0] }), is(POOL, "stride x", 0, 1, 65535)],
      [pool([2, 2, 3], { stride: [65536, 3] }), is(POOL, "stride y", 65536, 1, 65535)],
      [pool([3, 2, 3], {}), `${POOL}: has 3 output channels, expected the input's 2`],
      [pool([2, 3, 3], {}), `${POOL}: reads 9 rows of its input, which has 6`],
      [pool([2, 2, 4], {}), `${POOL}: reads 12 columns of its input, which has 9`],
      [pool([2, 2, 3], { kernel: [4, 3] }), `${POOL}: reads 7 rows of its input, which has 6`],
      [pool([2, 2, 3], { stride: [3, 4] }), `${POOL}: reads 11 columns of its input, which has 9`],
    ],
  ],
  [
    "a pool's padding, which is within the input's border",
    [
      pool([2, 2, 3], { pad: [1, 0] }, 1),
      // 1 + 6 + 2 rows, 2 + 9 + 2 columns.
      pool([2, 3, 4], { pad: [1, 2] }, 2),
      pool([2, 1, 1], { kernel: [36, 39], pad: [15, 15] }, 15),
      pool([2, 1, 1], { kernel: [21, 24] }, 15),
    ],
    [
      [pool([2, 2, 3], { pad: [1, 0] }), is(POOL, "pad", 1, 0, 0)],
      [pool([2, 2, 3], { pad: [0, 3] }, 2), is(POOL, "pad", 3, 0, 2)],
      [pool([2, 2, 3], { pad: [16, 0] }, 15), is(POOL, "pad y", 16, 0, 15)],
      [pool([2, 2, 3], { pad: [0, 16] }, 15), is(POOL, "pad x", 16, 0, 15)],
      [pool([2, 3, 4], { pad: [0, 2] }, 2), `${POOL}: reads 9 rows of its input, which has 8`],
      [
        pool([2, 1, 1], { kernel: [36, 40], pad: [15, 15] }, 15),
        `${POOL}: reads 40 columns of its input, which has 39`,
      ],
      [pool([2, 1, 1], { kernel: [22, 24] }, 15), `${POOL}: reads 22 rows of its input, which has 21`],
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
      [averagePool({ pad: [0, 1] }), is("layer 0 (avgpool)", "pad", 1, 0, 0)],
      [dense({ shift: Uint8Array.of(63) }), is("layer 0 (dense)", "shift", 63, 1, 62)],
      [
        dense({ multiplier: Int32Array.of(2 ** 30, 2 ** 30, 7), shift: Uint8Array.of(1, 1, 1) }),
        is("layer 0 (dense)", "multiplier", 7, 2 ** 30, 2 ** 31 - 1),
      ],
    ],
  ],
  [
    "a clamp",
    [pool([2, 2, 3], { clamp: [127, 127] }), pool([2, 2, 3], { clamp: [-128, -128] })],
    [
      [pool([2, 2, 3], { clamp: [-129, 0] }), is(POOL, "clampMin", -129, -128, 127)],
      [pool([2, 2, 3], { clamp: [128, 128] }), is(POOL, "clampMin", 128, -128, 127)],
      [pool([2, 2, 3], { clamp: [1, 0] }), is(POOL, "clampMax", 0, 1, 127)],
      [pool([2, 2, 3], { clamp: [1, 128] }), is(POOL, "clampMax", 128, 1, 127)],
    ],
  ],
  [
    "the part that a crop takes",
    [
      crop([0, 0, 0], [3, 4, 5]),
      crop([2, 3, 4], [1, 1, 1]),
      crop([1, 0, 2], [2, 4, 3]),
      crop([65534, 0, 0], [1, 1, 1], [65535, 1, 1]),
    ],
    [
      [crop([1, 0, 0], [3, 4, 5]), "layer 0 (crop): takes channels 1 … 3 of an input of 3"],
      [crop([0, 1, 0], [3, 4, 5]), "layer 0 (crop): takes rows 1 … 4 of an input of 4"],
      [crop([0, 0, 5], [3, 4, 1]), "layer 0 (crop): takes columns 5 … 5 of an input of 5"],
      [crop([65536, 0, 0], [1, 1, 1]), is("layer 0 (crop)", "channel", 65536, 0, 65535)],
      [crop([0, -1, 0], [1, 1, 1]), is("layer 0 (crop)", "first y", -1, 0, 65535)],
      [crop([0, 0, 65536], [1, 1, 1]), is("layer 0 (crop)", "first x", 65536, 0, 65535)],
    ],
  ],
  [
    "what an append joins",
    [
      append([2, 3, 4], [2, 1, 4], [2, 4, 4]),
      append([2, 3, 4], [2, 1, 4], [2, 1, 4]),
      append([2, 3, 4], [2, 3, 1], [2, 3, 5]),
      append([2, 3, 4], [2, 3, 4], [2, 3, 1]),
      // Of equal shapes the last rows are the last columns.
      append([2, 3, 4], [2, 3, 4], [2, 3, 4]),
    ],
    [
      appendRefused([2, 3, 4], [2, 1, 4], [2, 5, 4]),
      appendRefused([2, 3, 4], [2, 3, 1], [2, 3, 6]),
      appendRefused([2, 3, 4], [3, 1, 4], [2, 4, 4]),
      appendRefused([3, 3, 4], [3, 1, 4], [2, 4, 4]),
      appendRefused([2, 3, 4], [2, 2, 1], [2, 3, 5]),
      appendRefused([2, 3, 4], [2, 2, 3], [2, 5, 4]),
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
