import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadMnist } from "../../host/data/mnist.js";
import { readBaseline, regressions } from "../../host/firmware/baseline.js";
import { BOARDS, toolsOf } from "../../host/firmware/boards.js";
import { keptCases } from "../../host/firmware/cases.js";
import { caseName, measure, type Measurement } from "../../host/firmware/measure.js";
import { missingTools } from "../../host/firmware/tools.js";
import { MoteError } from "../../host/errors.js";
import { packageRoot } from "../../host/paths.js";
import { named } from "./support/native.js";

const DIGITS = 20;
/** Most bytes of native stack, on any board in any slice; of a fast module also while it is opened. */
const STACK_LIMIT = 2048;

function testDigits(): { count: number; images: Uint8Array; labels: Uint8Array } {
  const { test } = loadMnist();
  return { count: DIGITS, images: test.images.subarray(0, DIGITS * 784), labels: test.labels.subarray(0, DIGITS) };
}

const container = (model: string): Uint8Array => readFileSync(join(packageRoot, "models", `${model}.mote`));

/** What MOTE_WASM3_FAST_BYTES, MOTE_WASM3_BYTES and MOTE_AOT_BYTES of mote.h say is enough. */
function promisedBytes({ engine, optimize, sramBytes: { linear }, flashBytes: { wasm } }: Measurement): number {
  if (engine === "aot") return linear + 768;
  return optimize !== "size" ? linear + wasm * 4 + 2048 : linear + (wasm * 11) / 2 + 3072;
}

for (const board of BOARDS) {
  const lacking = missingTools(toolsOf([board], board.engines));
  describe.skipIf(lacking.length > 0)(named(`${board.name} (${board.cpu})`, lacking), () => {
    const cases = keptCases().filter((one) => one.board === board);

    it.each(cases)(
      "$engine runs $model for $optimize as the host does, no slower and no larger than before",
      async (one) => {
        const { model } = one;
        const got = await measure({ ...one, model: { name: model, container: container(model) } }, testDigits());
        expect(got.logitsEqual).toBe(true);
        expect(got.right).toBeGreaterThanOrEqual(DIGITS - 1);
        expect(got.survivedDamage).toBe(true);
        expect(got.sramBytes.stack).toBeLessThanOrEqual(STACK_LIMIT);
        if (one.optimize !== "size") expect(got.sramBytes.beginStack).toBeLessThanOrEqual(STACK_LIMIT);
        expect(got.sramBytes.heap).toBeLessThanOrEqual(promisedBytes(got));
        expect(regressions(got, readBaseline())).toEqual([]);
      },
    );
  });
}

const microbit = BOARDS.find(({ name }) => name === "microbit")!;
const lacking = missingTools(toolsOf([microbit], ["wasm3"]));
describe.skipIf(lacking.length > 0)(named("a model too large for a board", lacking), () => {
  it("is refused when it is opened, with the bytes there were", async () => {
    const model = { name: "lenet5", container: container("lenet5") };
    const run = measure({ board: microbit, engine: "wasm3", optimize: "size", model }, testDigits());
    await expect(run).rejects.toThrow(MoteError);
    await expect(run).rejects.toThrow(
      /^microbit-wasm3-size-lenet5: opening failed with status -101; \d{5} bytes were free$/,
    );
  });
});

describe("the baseline", () => {
  const was = readBaseline();
  const first = was[0];
  const worse = (change: Partial<Measurement>): string[] => regressions({ ...first, ...change }, was);

  it("lets pass what is as it was, better, or within 2 %", () => {
    expect(worse({})).toEqual([]);
    expect(worse({ instructions: Math.floor(first.instructions * 1.019) })).toEqual([]);
    expect(worse({ instructions: 1, sramBytes: { ...first.sramBytes, total: 1 } })).toEqual([]);
  });

  it("names each figure that rose by more than 2 %", () => {
    expect(worse({ instructions: Math.ceil(first.instructions * 1.021) })[0]).toMatch(
      /: instructions \d+ → \d+ \(\+2\.1 %\)/,
    );
    expect(worse({ sramBytes: { ...first.sramBytes, total: first.sramBytes.total * 2 } })[0]).toContain(
      "sramBytes.total",
    );
  });

  it("asks for a figure it does not have", () => {
    expect(worse({ model: "unheard-of" })[0]).toContain(
      "not in bench/device.json; take it in with: npm run firmware -- --update",
    );
  });

  it("has every case that is kept, and no other", () => {
    const expected = keptCases().map((one) => caseName({ ...one, board: one.board.name }));
    expect(was.map(caseName).sort()).toEqual(expected.sort());
  });
});
