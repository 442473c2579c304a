import { describe, expect, it } from "vitest";
import type { Engine } from "../../host/engines/engine.js";
import { confusionMatrix, evaluate } from "../../host/engines/evaluate.js";
import { robustness } from "../../host/engines/robustness.js";

/** Answers with its input. */
function echo(classes: number): Engine {
  const input = { shape: [classes, 1, 1], scale: 1, zeroPoint: 0 } as const;
  const output = { ...input, scale: Math.LN2 };
  return {
    name: "reference",
    inputs: [input],
    outputs: [output],
    input,
    output,
    hasStates: false,
    linearMemoryBytes: 0,
    work: 0,
    bytesRead: 0,
    run: (elements) => (elements as Int8Array).slice(),
    result: () => new Int8Array(classes),
    reset() {},
    close() {},
  };
}

const set = (samples: readonly (readonly number[])[], labels: readonly number[]) => ({
  count: samples.length,
  shape: [samples[0].length],
  images: Int8Array.from(samples.flat()),
  labels: Uint16Array.from(labels),
});

describe("evaluation", () => {
  it("counts by label and class, and lists the worst mistakes first", async () => {
    const samples = [
      [1, 0, 0],
      [3, 0, 0],
      [0, 2, 0],
      [0, 5, 0],
      [4, 4, 0],
    ];
    const { errors, confusion, worst, inTop5, tally } = await evaluate(echo(3), set(samples, [0, 2, 0, 1, 1]), {
      worst: 2,
    });
    expect(confusion).toEqual([
      { label: 0, class: 0, samples: 1 },
      { label: 0, class: 1, samples: 1 },
      { label: 1, class: 0, samples: 1 },
      { label: 1, class: 1, samples: 1 },
      { label: 2, class: 0, samples: 1 },
    ]);
    expect(confusionMatrix({ classes: 3, confusion })).toEqual([
      [1, 1, 0],
      [1, 1, 0],
      [1, 0, 0],
    ]);
    expect([errors, inTop5, tally.samples, tally.errors]).toEqual([3, undefined, 5, 3]);
    // 2^0 of 2^3 + 2^0 + 2^0, and of 2^0 + 2^2 + 2^0.
    expect(worst.map(({ index }) => index)).toEqual([1, 2]);
    expect(worst[0]).toMatchObject({ label: 2, class: 0 });
    expect(worst[0].labelProbability).toBeCloseTo(1 / 10, 12);
    expect(worst[0].probability).toBeCloseTo(8 / 10, 12);
    expect(worst[1].labelProbability).toBeCloseTo(1 / 6, 12);
  });

  it("counts labels among the five best of ten classes, the first of equals the better", async () => {
    const falling = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0];
    const level = Array<number>(10).fill(1);
    const samples = [falling, falling, falling, level, level, level];
    const { inTop5, errors } = await evaluate(echo(10), set(samples, [0, 4, 5, 3, 4, 9]), { worst: 0 });
    expect([inTop5, errors]).toEqual([4, 5]);
  });

  it("keeps what occurs, not a table of all classes by all", async () => {
    const classes = 65_536;
    const images = new Int8Array(2 * classes);
    images[65_535] = 1;
    const { confusion } = await evaluate(
      echo(classes),
      { count: 2, shape: [classes], images, labels: Uint16Array.of(65_534, 7) },
      { worst: 0 },
    );
    expect(confusion).toEqual([
      { label: 7, class: 0, samples: 1 },
      { label: 65_534, class: 65_535, samples: 1 },
    ]);
  });

  it("refuses a label that is no class of the model", async () => {
    await expect(evaluate(echo(3), set([[1, 0, 0]], [3]), { worst: 1 })).rejects.toThrow(
      "the label of sample 0 is 3, expected 0 .. 2, one of 3 classes",
    );
  });
});

describe("distortions", () => {
  it.each([[[4, 8]], [[1, 4, 8]], [[4, 8, 1]], [[2, 2, 8]]])(
    "of sequences are those of the pictures of %j that they are",
    async (shape) => {
      const engine = { ...echo(8), hasStates: true };
      // The last row gives the class, and two rows further down it is the right one.
      const images = Uint8Array.from({ length: 32 }, (_, i) => (i === 8 + 3 ? 9 : 0));
      const labels = Uint8Array.of(3);
      const set = { count: 1, shape, images, labels, reading: { scale: 1 } };
      const [clean, shifted] = await robustness(engine, set);
      expect(clean).toMatchObject({ id: "clean", samples: 1, errorPercent: 100 });
      expect(shifted).toMatchObject({ id: "shift2", samples: 4, errorPercent: shape[0] === 2 ? 100 : 75 });
    },
  );

  it("of sequences that are no pictures are refused", async () => {
    const frames = { count: 1, shape: [2, 2, 2, 4], images: new Uint8Array(32), labels: Uint8Array.of(3) };
    await expect(robustness({ ...echo(8), hasStates: true }, frames)).rejects.toThrow("got samples of [2,2,2,4]");
  });
});
