/** The memory plan: what each region is for, where tensors stand, and what it takes in all. */
import { writeFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PLAN_BASE, RECORD_BYTES, TENSOR_ENTRY_BYTES } from "../../assembly/abi.js";
import { CRC_START, MIN_WINDOW_BYTES, PLAN_UNIT } from "../../assembly/format.js";
import { crc32 } from "../../host/container/crc32.js";
import {
  describePlan,
  planMemory,
  placeTensors,
  planTotal,
  requirement,
  scratchBytes,
  scratchUse,
  tensorLives,
  type Plan,
  type Requirement,
} from "../../host/container/plan.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { inputOf } from "../../host/model/edges.js";
import { leb128 } from "../../host/module/leb128.js";
import { isWeighted, rowCount } from "../../host/ops/index.js";
import { NO_POOL } from "../../host/ops/op.js";
import type { QConv2d, QDense, QLayer, QModel, QTensor, Shape } from "../../host/model/model.js";
import { runModel } from "../../host/engines/ops-i8.js";
import { Random } from "../../host/rng.js";
import { openEngine } from "../../host/node/engines/open.js";
import { expectOneLine, mote, scratchFolder } from "../cli/support.js";
import { buildModel, randomInput, syntheticModels, type LayerSpec } from "../support/models.js";
import { tensorBytes } from "../../host/model/geometry.js";

function tensor(shape: Shape, border = 0): QTensor {
  return { shape, nominalChannels: shape[0], border, zeroPoint: 0 };
}

/** Edges are all that placing looks at. */
function layer(input: number, output: number): QLayer {
  const clamp = [-128, 127] as const;
  return { op: "maxpool", inputs: [input], output, kernel: [1, 1], stride: [1, 1], pad: [0, 0], clamp };
}

/** @param edges input and output of each layer @param sources of tensors that are states @param outputs default: the last tensor */
function vectors(
  sizes: readonly number[],
  edges: readonly (readonly [number, number])[],
  sources: Readonly<Record<number, number>> = {},
  outputs: readonly number[] = [sizes.length - 1],
): QModel {
  return {
    tensors: sizes.map((size, index) => ({
      ...tensor([size, 1, 1]),
      ...(index in sources ? { source: sources[index] } : {}),
    })),
    layers: edges.map(([input, output]) => layer(input, output)),
    outputs,
  };
}

function chain(...sizes: number[]): QModel {
  return vectors(
    sizes,
    sizes.slice(1).map((_, i) => [i, i + 1]),
  );
}

/** The plan of a model without weights. */
function placed(model: QModel): Plan {
  return planMemory(
    model,
    model.layers.map(() => null),
    model.layers.map(() => 0),
  );
}

const dense: QDense = {
  op: "dense",
  inputs: [0],
  output: 1,
  weights: new Int8Array(0),
  bias: new Int32Array(0),
  multiplier: new Int32Array(0),
  shift: new Uint8Array(0),
  clamp: [-128, 127],
};
const convolution: QConv2d = {
  ...dense,
  op: "conv2d",
  kernel: [1, 1],
  stride: [1, 1],
  pad: [0, 0],
  groups: 1,
  pool: NO_POOL,
};
const coded = { tableBytes: 0, liveColumns: 10, fullestRow: 7 };

test("tensors leave room at the beginning for what a layer needs for itself, while it runs", () => {
  const model = chain(1000, 16, 16);
  const { offsets, bytes } = placeTensors(model, tensorLives(model), [], [8, 800]);
  expect([offsets, bytes]).toEqual([[8, 1008, 800], 1024]);
});

describe("a tensor", () => {
  test("is alive from its writer to its last reader; the host writes the first and reads the last", () => {
    const model = vectors(
      [8, 8, 8, 8, 8],
      [
        [0, 1],
        [1, 2],
        [0, 3],
        [1, 4],
      ],
    );
    expect(tensorLives(model)).toEqual([
      { first: -1, last: 2 },
      { first: 0, last: 3 },
      { first: 1, last: 1 },
      { first: 2, last: 2 },
      { first: 3, last: 4 },
    ]);
  });

  test("that is an output is alive to the end, as is a state's source; a state is alive always", () => {
    // Input 0, states 1 and 2, and layers that write 3 … 6.
    const edges = [
      [0, 3],
      [2, 4],
      [3, 5],
      [5, 6],
    ] as const;
    expect(tensorLives(vectors([8, 8, 8, 8, 8, 8, 8], edges, { 1: 4, 2: 0 }, [3, 6]))).toEqual([
      { first: -1, last: 4 },
      { first: -1, last: 4 },
      { first: -1, last: 4 },
      { first: 0, last: 4 },
      { first: 1, last: 4 },
      { first: 2, last: 3 },
      { first: 3, last: 4 },
    ]);
  });

  test("takes its border's bytes as well", () => {
    expect(tensorBytes(tensor([3, 5, 7]))).toBe(105);
    expect(tensorBytes(tensor([3, 5, 7], 2))).toBe(3 * 9 * 11);
  });

  test("of 2^24 bytes is placed, one above is refused by its number", () => {
    expect(placed(vectors([8, 8], [[0, 1]])).arena).toBe(16);
    const large = (width: number): QModel => ({
      tensors: [tensor([8, 1, 1]), tensor([256, 256, width])],
      layers: [layer(0, 1)],
      outputs: [1],
    });
    expect(placed(large(256)).arena).toBe(2 ** 24 + 8);
    expect(() => placed(large(257))).toThrow("tensor 1: 16842752 bytes with its border, at most 16777216 are allowed");
  });
});

describe("the arena", () => {
  test.each<[string, QModel, number]>([
    ["of one layer holds input and output", chain(10, 3), 24],
    // The third fits exactly where the first was, the fourth where the second was.
    ["of a chain of equal tensors holds two", chain(16, 16, 16, 16, 16), 32],
    ["of a chain holds the largest neighbours", chain(8, 80, 24, 160, 8), 184],
    ["rounds each tensor up to 8 bytes", chain(1, 9, 17), 40],
    [
      "keeps what is read later",
      vectors(
        [16, 16, 16, 16],
        [
          [0, 1],
          [1, 2],
          [0, 3],
        ],
      ),
      48,
    ],
    // 0 lives throughout; 1 and 2 take turns, and the gap that 1 leaves is one unit too small for 3.
    [
      "puts nothing into a gap that is too small",
      vectors(
        [32, 16, 8, 24, 8],
        [
          [0, 1],
          [1, 2],
          [0, 3],
          [2, 4],
        ],
        {},
        [3, 4],
      ),
      64,
    ],
  ])("%s", (_name, model, bytes) => {
    expect(placed(model).arena).toBe(bytes);
  });

  /** Tensor i + 1 is written by layer i, which reads any tensor before it. */
  const graphs = fc
    .array(fc.record({ size: fc.integer({ min: 1, max: 200 }), reads: fc.nat() }), { minLength: 1, maxLength: 14 })
    .chain((steps) =>
      fc.integer({ min: 1, max: 200 }).map((first) =>
        vectors(
          [first, ...steps.map(({ size }) => size)],
          steps.map(({ reads }, i) => [reads % (i + 1), i + 1]),
        ),
      ),
    );
  const rounded = (model: QModel): number[] => model.tensors.map((t) => Math.ceil(tensorBytes(t) / 8) * 8);

  test("of any graph keeps tensors apart that are alive at once, and ends with the last of them", () => {
    fc.assert(
      fc.property(graphs, (model) => {
        const { offsets, arena } = placed(model);
        const sizes = rounded(model);
        const lives = tensorLives(model);
        for (let a = 0; a < sizes.length; a++) {
          expect(offsets[a] % 8).toBe(0);
          for (let b = 0; b < a; b++) {
            if (lives[a].first > lives[b].last || lives[b].first > lives[a].last) continue;
            expect(offsets[a] >= offsets[b] + sizes[b] || offsets[b] >= offsets[a] + sizes[a]).toBe(true);
          }
        }
        expect(arena).toBe(Math.max(...offsets.map((offset, i) => offset + sizes[i])));
      }),
      { numRuns: 500 },
    );
  });

  /** Bytes of a thousand arenas, and the least that any placing could do with: the tensors that are alive at the busiest step. */
  function thousand(make: (random: Random) => QModel): { taken: number; least: number } {
    const random = new Random(1);
    let taken = 0;
    let least = 0;
    for (let i = 0; i < 1000; i++) {
      const model = make(random);
      const sizes = rounded(model);
      const lives = tensorLives(model);
      const alive = (step: number): number =>
        sizes.reduce((sum, size, at) => (lives[at].first <= step && step <= lives[at].last ? sum + size : sum), 0);
      const busiest = Math.max(...model.layers.map((_, step) => alive(step)));
      const { arena } = placed(model);
      expect(arena).toBeGreaterThanOrEqual(busiest);
      taken += arena;
      least += busiest;
    }
    return { taken, least };
  }

  const someSizes = (random: Random): number[] =>
    Array.from({ length: 2 + random.integer(11) }, () => 1 + random.integer(200));

  // What the three orders of placing find today: less is better, more is a step back.
  test("of a thousand chains and a thousand graphs is close to the least possible", () => {
    const chains = thousand((random) => chain(...someSizes(random)));
    const graphs = thousand((random) => {
      const sizes = someSizes(random);
      return vectors(
        sizes,
        sizes.slice(1).map((_, i) => [random.integer(i + 1), i + 1]),
      );
    });
    expect([chains.least, graphs.least]).toEqual([288_472, 372_592]);
    expect(chains.taken).toBeLessThanOrEqual(296_800);
    expect(graphs.taken).toBeLessThanOrEqual(376_200);
  });
});

describe("the scratch region", () => {
  const model = chain(8, 8, 8);
  const needs = (change: Partial<Requirement>): Requirement => ({
    tables: 0,
    columns: 0,
    channels: 0,
    records: 8,
    ...change,
  });
  const scratchOf = (...needed: (Requirement | null)[]): number =>
    planMemory(
      model,
      needed,
      needed.map(() => 0),
    ).scratch;

  test.each([
    ["65,536 bytes", [1, 256, 256], 0, 20],
    ["65,792 bytes", [1, 256, 257], 0, 40],
    ["65,536 bytes with its border", [1, 254, 254], 1, 20],
    ["66,049 bytes with its border", [1, 255, 255], 1, 40],
    ["65,537 bytes", [65537, 1, 1], 0, 40],
  ] as [string, Shape, number, number][])("has columns of a tensor of %s", (_name, shape, border, bytes) => {
    expect(requirement(tensor(shape, border), dense, 3, coded, false).columns).toBe(bytes);
  });

  test("holds tables, a bias or three words a row, the fullest filter; a dense row as little as a unit", () => {
    const few = { ...coded, tableBytes: 48 };
    expect(requirement(tensor([1, 4, 4]), convolution, 3, few, false)).toEqual({
      tables: 48,
      columns: 20,
      channels: 12,
      records: 7 * RECORD_BYTES,
    });
    expect(requirement(tensor([1, 4, 4]), dense, 3, few, true)).toEqual({
      tables: 48,
      columns: 20,
      channels: 36,
      records: 8,
    });
  });

  test("has each part in whole units", () => {
    expect(scratchBytes(needs({}))).toBe(8);
    expect(scratchBytes({ channels: 9, columns: 2, tables: 8, records: 12 })).toBe(16 + 8 + 8 + 16);
  });

  test("is the most that any layer asks for all its parts together", () => {
    expect(scratchOf(null, null)).toBe(0);
    expect(scratchOf(needs({ channels: 80 }), null)).toBe(88);
    // Not 80 + 40 + 24: no layer has all of it at a time.
    expect(scratchOf(needs({ channels: 80, records: 16 }), needs({ tables: 40, columns: 20, records: 8 }))).toBe(96);
    expect(scratchOf(needs({ channels: 8, records: 16 }), needs({ tables: 40, columns: 20, records: 8 }))).toBe(72);
  });

  test("gives a dense layer the records that it fills, up to 64", () => {
    const records = (useful: number): number => planMemory(model, [needs({}), null], [useful, 0]).scratch;
    expect([0, 1, 3, 63, 64, 65, 1000].map(records)).toEqual([8, 8, 16, 256, 256, 256, 256]);
  });

  test("is granted to the unit: with one less the reader refuses the file", () => {
    for (const { model } of syntheticModels()) {
      const bytes = writeContainer(model, { windowBytes: 128 });
      const { plan, layers } = readContainer(bytes);
      if (plan.scratch === 0) continue;
      const least = Math.max(
        ...model.layers.map((layer, index) => {
          const { section } = layers[index];
          if (section === undefined || !isWeighted(layer)) return 0;
          const input = model.tensors[inputOf(layer)];
          return scratchBytes(requirement(input, layer, rowCount(model, layer), section, section.perChannel));
        }),
      );
      expect(least).toBeLessThanOrEqual(plan.scratch);
      expect(readContainer(withScratch(bytes, least)).plan.scratch).toBe(least);
      expect(() => readContainer(withScratch(bytes, least - 8))).toThrow(
        `needs ${least} bytes of scratch, the memory plan grants ${least - 8}`,
      );
    }
  });

  test("is shown as the layer that decides its size divides it", () => {
    const big = { op: "dense", weights: "any", density: 1 } as const;
    const container = readContainer(
      writeContainer(
        buildModel(
          1,
          [1, 1, 2],
          [
            { ...big, out: 200, perChannel: true },
            { ...big, out: 3 },
          ],
        ),
      ),
    );
    expect(container.plan.scratch).toBe(2416);
    expect(scratchUse(container)).toEqual({
      layer: 0,
      parts: { channels: 2400, columns: 8, tables: 0, records: 8 },
    });
    const lines = describePlan(container).map((line) => line.trim());
    expect(lines.slice(lines.findIndex((line) => line.includes("scratch")))).toEqual([
      expect.stringMatching(/^608 +2416 +scratch: what a layer's weights are decoded with$/),
      expect.stringMatching(/^608 +2400 +layer 0, channels: what is known of each row$/),
      expect.stringMatching(/^3008 +8 +layer 0, columns: input offsets of the live columns$/),
      expect.stringMatching(/^3016 +8 +layer 0, records: decoded weights of a row$/),
      ...lines.slice(lines.findIndex((line) => line.includes("arena"))),
    ]);
  });

  test("of a model without weights is divided by no layer", () => {
    const { tensors, layers, outputs } = buildModel(1, [1, 4, 4], [{ op: "maxpool", kernel: 2, stride: 2 }]);
    const container = readContainer(writeContainer({ tensors, layers, outputs }));
    expect(scratchUse(container)).toBeUndefined();
    expect(describePlan(container).filter((line) => line.includes("layer "))).toEqual([]);
  });
});

/** The same file with a scratch region of so many bytes, granted by its head: magic to CRC, masks, counts, window, scratch. */
function withScratch(bytes: Uint8Array, scratch: number): Uint8Array {
  let offset = CRC_START;
  const skip = (): void => {
    while (bytes[offset++] > 127);
  };
  for (let field = 0; field < 5; field++) skip();
  const start = offset;
  skip();
  const changed = Uint8Array.from([
    ...bytes.subarray(0, start),
    ...leb128(scratch / PLAN_UNIT),
    ...bytes.subarray(offset),
  ]);
  new DataView(changed.buffer).setUint32(CRC_START - 4, crc32(changed.subarray(CRC_START)), true);
  return changed;
}

test("the window is in whole units, and at least 128 bytes", () => {
  const window = (bytes?: number): number => planMemory(chain(8, 8), [null], [0], bytes).window;
  expect([window(), window(1), window(128), window(129)]).toEqual([256, MIN_WINDOW_BYTES, 128, 136]);
});

test("the total is the head, an entry a tensor and all regions, without the window where the model is resident", () => {
  const plan: Plan = { window: 256, scratch: 280, arena: 320, offsets: [0, 8, 16] };
  expect(planTotal(plan)).toBe(PLAN_BASE + 3 * TENSOR_ENTRY_BYTES + 256 + 280 + 320);
  expect(planTotal(plan, true)).toBe(planTotal(plan) - 256);
});

test("a total of 2^28 bytes is refused, and of one unit less is not", () => {
  const model = chain(8, 8);
  const ends: QModel = { ...model, tensors: model.tensors.map((tensor) => ({ ...tensor, scale: 1 })) };
  const rest = planTotal(placed(model)) - 256; // all but the window
  const written = (total: number): Uint8Array => writeContainer(ends, { windowBytes: total - rest });
  expect(planTotal(readContainer(written(2 ** 28 - 8)).plan)).toBe(2 ** 28 - 8);
  expect(() => written(2 ** 28)).toThrow("the memory plan takes 268435456 bytes, fewer than 268435456 are allowed");
});

test.each([
  [256, 256],
  [256, 257],
])("the core runs in what is planned for an input of %i × %i", (height, width) => {
  const model = buildModel(1, [1, height, width], [{ op: "dense", out: 2, density: 0.001, weights: "grid" }]);
  const weights = (model.layers[0] as QDense).weights;
  weights[0] = 5; // the tensor's first and last elements
  weights[weights.length - 1] = -7;
  const bytes = writeContainer(model);
  const input = randomInput(model, 1);
  for (const resident of [false, true]) {
    const engine = openEngine("v8", bytes, { resident });
    expect(engine.run(input)).toEqual(runModel(model, input)[0]);
    engine.close();
  }
});

describe("mote pack --sram", () => {
  const scratch = scratchFolder();
  const big = { op: "dense", weights: "any", density: 1 } as const;
  const tiny = syntheticModels().find(({ name }) => name === "tiny")!.model;
  test.each<[string, QModel, Parameters<typeof writeContainer>[1], RegExp]>([
    ["window", tiny, { windowBytes: 4096 }, /: window 4096, /],
    [
      "scratch",
      buildModel(1, [1, 1, 2], [{ ...big, out: 200, perChannel: true }]),
      {},
      /: scratch 2416 \(layer 0: channels 2400, columns 8, records 8\), /,
    ],
    [
      "records",
      buildModel(1, [40, 5, 5], [{ ...big, op: "conv2d", out: 2, kernel: [5, 5] }] as LayerSpec[]),
      {},
      /: scratch 6008 \(layer 0: records 4000, columns 2000, channels 8\), /,
    ],
    [
      "columns",
      buildModel(1, [4, 9, 9], [
        { ...big, out: 2 },
        { ...big, out: 1 },
      ] as LayerSpec[]),
      {},
      /: scratch 912 \(layer 0: columns 648, records 256, channels 8\), /,
    ],
  ])("names the %s first where they are the largest", async (_name, model, options, message) => {
    const path = scratch.path("model.mote");
    writeFileSync(path, writeContainer(model, options));
    const bytes = planTotal(readContainer(writeContainer(model, options)).plan);
    const args = ["pack", path, "-o", scratch.path("out.mote"), "--sram"];
    expectOneLine(await mote([...args, String(bytes - 1)]), message);
    expect((await mote([...args, String(bytes)])).code).toBe(0);
  });
});
