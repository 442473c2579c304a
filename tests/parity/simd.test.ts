/** The SIMD engine where its kernels take another way than the core: full and half-filled vectors, strides, pools, rows of either form; hostile files. */
import { describe, expect, it, test } from "vitest";
import { CRC_START } from "../../assembly/format.js";
import { crc32 } from "../../host/container/crc32.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { describeDifference, firstDifference } from "../../host/engines/compare.js";
import { hasSimd } from "../../host/engines/has-simd.js";
import type { QModel, Shape } from "../../host/model/model.js";
import { openEngine } from "../../host/node/engines/open.js";
import { Random } from "../../host/rng.js";
import { hostileModels } from "../support/hostile-models.js";
import { buildModel, randomInputs, syntheticModels, type LayerSpec } from "../support/models.js";

function expectParity(model: QModel, seeds = 2): void {
  const container = writeContainer(model);
  const engines = (["reference", "simd"] as const).map((name) => openEngine(name, container));
  for (let seed = 0; seed < seeds; seed++) {
    const difference = firstDifference(engines, randomInputs(model, seed));
    expect(difference && describeDifference(difference, seed)).toBeUndefined();
  }
  for (const engine of engines) engine.close();
}

it("is there", () => expect(hasSimd()).toBe(true));

const conv = { op: "conv2d", kernel: [3, 3], weights: "any", density: 0.4 } as const;
const dense = { op: "dense", weights: "any", density: 0.3, out: 3 } as const;
const layers: readonly (readonly [name: string, shape: Shape, ...specs: LayerSpec[]])[] = [
  ...[1, 7, 13, 16, 17, 27, 32, 33, 55, 64, 70].map(
    (width) =>
      [
        `maps of ${width} × ${width}`,
        [3, width, width],
        { ...conv, out: 5, pad: 1 },
        { ...conv, out: 4, pad: 1 },
      ] as const,
  ),
  ...[2, 3, 4, 5].map(
    (stride) => [`strides of ${stride}`, [2, 41, 39], { ...conv, kernel: [5, 5], out: 5, pad: 2, stride }] as const,
  ),
  ["a kernel smaller than its stride", [4, 35, 37], { ...conv, kernel: [1, 2], out: 3, stride: [3, 4] }],
  ["depthwise", [20, 30, 31], { ...conv, out: 20, groups: 20, pad: 1, density: 0.9, perChannel: true }],
  ["depthwise with a stride", [9, 30, 31], { ...conv, out: 18, groups: 9, pad: 1, density: 0.9, stride: 2 }],
  [
    "all columns",
    [5, 23, 22],
    { ...conv, out: 9, pad: 1, density: 1, perChannel: true },
    { ...conv, kernel: [1, 1], out: 21, density: 0.8 },
  ],
  ["all columns with strides", [3, 33, 37], { ...conv, kernel: [5, 4], out: 11, pad: 2, stride: [2, 3], density: 1 }],
  [
    "all columns of groups",
    [12, 17, 19],
    { ...conv, out: 30, groups: 3, pad: 1, density: 0.9, pool: { size: [2, 3], stride: [2, 1] } },
  ],
  [
    "all columns, some of them dead",
    [6, 40, 9],
    { ...conv, kernel: [1, 3], out: 8, weights: "single", density: 0.7, deadColumns: 0.1 },
  ],
  ["a pool behind a convolution", [2, 37, 36], { ...conv, out: 4, pad: 1, pool: { size: 3, stride: 2 }, relu: true }],
  ["a pool of lines", [2, 20, 21], { ...conv, out: 4, pool: { size: [1, 4], stride: [3, 5] } }],
  ["a pool that only skips", [2, 20, 21], { ...conv, out: 4, pool: { size: 1, stride: 2 } }],
  ["channels in parts", [500, 9, 21], { ...conv, out: 6, pad: 1, perChannel: true, pool: { size: 2, stride: 2 } }],
  ["channels of groups in parts", [1600, 6, 16], { ...conv, out: 10, groups: 2, pad: 1, density: 0.1 }],
  ["channels in parts, with strides", [300, 11, 40], { ...conv, out: 5, pad: 1, stride: 2 }],
  ["a single place", [6, 5, 7], { ...conv, kernel: [5, 7], out: 4 }, { ...dense, out: 5, density: 1 }],
  [
    "a single place of groups",
    [8, 3, 3],
    { ...conv, out: 6, groups: 2 },
    { ...conv, kernel: [1, 1], out: 6, groups: 3, density: 1 },
  ],
  ["a single place with a border", [3, 3, 3], { ...conv, kernel: [5, 5], pad: 1, out: 6, density: 1 }],
  [
    "full rows",
    [5, 6, 7],
    { ...dense, out: 9, density: 1 },
    { ...dense, out: 17, density: 0.5 },
    { ...dense, density: 0.02 },
  ],
  ["rows from a tensor with a border", [3, 9, 8], { ...conv, pad: 2, out: 3 }, { ...dense, from: 0, density: 1 }],
  ["rows of more than 65,536 columns", [2, 255, 257], { ...dense, density: 0.01 }, { ...dense, from: 0, density: 0.9 }],
  [
    "max-pools",
    [3, 40, 43],
    { op: "maxpool", kernel: 3, stride: 2, pad: 1 },
    { op: "maxpool", kernel: [2, 5], stride: [1, 3] },
  ],
  [
    "averages",
    [3, 40, 43],
    { op: "avgpool", kernel: 3, stride: 1, pad: 1, relu: true },
    { op: "avgpool", kernel: [7, 2], stride: 3 },
  ],
  ["an average of high columns", [1, 300, 4], { op: "avgpool", kernel: [280, 3], stride: 1 }],
  ["an average of 255", [2, 255, 255], { op: "avgpool", kernel: 255, stride: 255 }],
  [
    "sums, products, tables, larger maps",
    [3, 9, 21],
    { ...conv, pad: 1, out: 3 },
    { op: "add", from: [0, 1], relu: true },
    { op: "mul", from: [1, 2] },
    { op: "lut" },
    { op: "resize", factor: [3, 2] },
  ],
];

describe("layers", () => {
  for (const [name, shape, ...specs] of layers) test(name, () => expectParity(buildModel(5, shape, specs)));
});

it("any multiplier and shift", () => {
  const model = buildModel(
    9,
    [2, 12, 12],
    [
      { ...conv, out: 62, perChannel: true },
      { ...dense, out: 62, perChannel: true },
    ],
  );
  const layers = model.layers.map((layer) =>
    "shift" in layer && typeof layer.shift === "object"
      ? { ...layer, shift: Uint8Array.from({ length: 62 }, (_, row) => row + 1) }
      : layer,
  );
  expectParity({ ...model, layers } as QModel);
});

it("any layer", () => {
  const random = new Random(3);
  const upTo = (most: number): number => 1 + random.integer(most);
  for (let round = 0; round < 60; round++) {
    const groups = upTo(3);
    const pad: [number, number] = [random.integer(3), random.integer(3)];
    const kernel: [number, number] = [upTo(4), upTo(4)];
    const shape: Shape = [groups * upTo(3), kernel[0] + 8 + random.integer(20), kernel[1] + 8 + random.integer(50)];
    const pool = { size: [upTo(3), upTo(3)], stride: [upTo(3), upTo(3)] } as const;
    const stride = [upTo(2), upTo(2)] as const;
    const spec: LayerSpec = {
      ...conv,
      density: random.uniform(),
      kernel,
      pad,
      groups,
      out: groups * upTo(12),
      pool,
      stride,
    };
    expectParity(buildModel(round, shape, [spec]), 1);
  }
});

it("reads the file once", () => {
  const [{ model }] = syntheticModels();
  const container = writeContainer(model);
  const engine = openEngine("simd", container);
  const loaded = engine.bytesRead;
  expect(loaded).toBeGreaterThanOrEqual(container.length);
  engine.run(randomInputs(model, 1));
  expect(engine.bytesRead).toBe(loaded);
});

it("takes what it says, and not a byte less", () => {
  for (const { model } of syntheticModels().slice(0, 12)) {
    const container = writeContainer(model);
    const { linearMemoryBytes } = openEngine("simd", container);
    openEngine("simd", container, { memoryLimit: linearMemoryBytes }).close();
    expect(() => openEngine("simd", container, { memoryLimit: linearMemoryBytes - 1 })).toThrow(
      /takes \d+ bytes.*, the limit is/,
    );
  }
});

describe("hostile files", () => {
  test.each(hostileModels())("$name", ({ model }) => expectParity(model, 1));

  it("memory is bounded, however much a few bytes ask for", () => {
    // Weights of one value at all places take no bit each.
    const filter: LayerSpec = { op: "conv2d", kernel: [255, 255], weights: "single", density: 1, out: 20 };
    const container = writeContainer(buildModel(1, [1, 300, 300], [filter]));
    expect(container.length).toBeLessThan(600);
    expect(() => openEngine("simd", container, { memoryLimit: 2 ** 22 })).toThrow(
      /takes \d{7} bytes or more, the limit is 4194304$/,
    );
    const { linearMemoryBytes } = openEngine("simd", container);
    expect(linearMemoryBytes).toBeGreaterThan(6 * 20 * 255 * 255);
    expect(linearMemoryBytes).toBeLessThan(9 * 20 * 255 * 255);
  });

  it("counts room of more than 2^32 bytes", () => {
    const filter: LayerSpec = { op: "conv2d", kernel: [1, 1], weights: "single", density: 1, out: 33_000 };
    const pooled: LayerSpec = { ...filter, pool: { size: [2, 1], stride: [1, 255] } };
    const container = writeContainer(buildModel(1, [1, 2, 65_535], [pooled]));
    expect(() => openEngine("simd", container, { memoryLimit: 2 ** 26 })).toThrow(/takes \d+ bytes or more/);
  });

  it("whatever is changed in a file, it is refused or runs as the reference does", () => {
    const random = new Random(8);
    const answers = { refused: 0, equal: 0 };
    for (const name of ["padded", "groups", "codebook", "streaming", "concatenations", "residual"]) {
      const { model } = syntheticModels().find((named) => named.name === name)!;
      const good = writeContainer(model);
      for (let round = 0; round < 40; round++) {
        const bytes = good.slice();
        bytes[CRC_START + random.integer(bytes.length - CRC_START)] ^= 1 << random.integer(8);
        new DataView(bytes.buffer).setUint32(CRC_START - 4, crc32(bytes.subarray(CRC_START)), true);
        let changed: QModel | undefined;
        try {
          ({ model: changed } = readContainer(bytes));
        } catch {
          // Then the engine refuses it as well.
        }
        if (changed === undefined) {
          expect(() => openEngine("simd", bytes)).toThrow(/\S/);
          answers.refused++;
        } else {
          const inputs = randomInputs(changed, 1);
          expect(openEngine("simd", bytes).run(inputs)).toEqual(openEngine("reference", bytes).run(inputs));
          answers.equal++;
        }
      }
    }
    expect(answers.refused).toBeGreaterThan(50);
    expect(answers.equal).toBeGreaterThan(50);
  });
});
