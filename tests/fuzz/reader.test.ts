import { describe, expect, it } from "vitest";
import { CRC_START } from "../../assembly/format.js";
import { bake } from "../../host/node/module/bake.js";
import { bakedContainer } from "../../host/module/baked.js";
import { readContainer } from "../../host/container/read.js";
import { isSmallMote } from "../../host/data/file-kind.js";
import { MoteError } from "../../host/errors.js";
import { Random } from "../../host/rng.js";
import { makeCorpus } from "./corpus.js";
import { fixCrc } from "./mutate.js";

/** What the reader makes of any bytes: a container, or one of the errors it documents. */
function outcome(bytes: Uint8Array): string {
  try {
    readContainer(bytes, { maxWeights: 1 << 20 });
    return "accepted";
  } catch (error) {
    if (error instanceof MoteError) return error.code;
    throw error;
  }
}

describe("the reader", () => {
  it("refuses every truncation, CRC put right or not, but one before the metadata", () => {
    for (const { name, bytes } of makeCorpus().filter(({ bytes }) => bytes.length < 1500)) {
      const { metadataOffset } = readContainer(bytes);
      for (let length = 0; length < bytes.length; length++) {
        const cut = bytes.slice(0, length);
        expect(outcome(cut), `${name} cut to ${length}`).toBe("FORMAT");
        fixCrc(cut);
        if (isSmallMote(bytes)) {
          // Zeros follow a stream that ends: it says something else, in a file of its own.
          expect(["accepted", "FORMAT", "UNSUPPORTED", "MEMORY"], `${name} cut to ${length}`).toContain(outcome(cut));
          continue;
        }
        const expected = length === metadataOffset ? "accepted" : "FORMAT";
        expect(outcome(cut), `${name} cut to ${length}, mended`).toBe(expected);
      }
    }
  });

  it("answers noise with its own errors only", () => {
    const head = makeCorpus()[0].bytes.subarray(0, CRC_START + 2);
    const codes = new Set<string>();
    for (let seed = 0; seed < 20_000; seed++) {
      const random = new Random(seed);
      const noise = Uint8Array.from({ length: random.integer(200) }, () => random.integer(256));
      codes.add(outcome(noise));
      // Behind sound masks noise gets further.
      const bytes = Uint8Array.from([...head, ...noise]);
      fixCrc(bytes);
      codes.add(outcome(bytes));
    }
    expect([...codes].filter((code) => !["FORMAT", "UNSUPPORTED", "MEMORY"].includes(code))).toEqual([]);
  });
});

describe("the finder of models in packed modules", () => {
  it("answers damaged modules with FORMAT only", () => {
    const seed = makeCorpus()[0];
    const wasm = bake(seed.bytes);
    expect(bakedContainer(wasm).container).toEqual(seed.bytes);
    for (let index = 0; index < 20_000; index++) {
      const random = new Random(5, index);
      const cut = random.integer(4) === 0 ? random.integer(wasm.length) : wasm.length;
      const damaged = wasm.slice(0, cut);
      for (let i = 1 + random.integer(4); i > 0 && cut > 0; i--) damaged[random.integer(cut)] = random.integer(256);
      try {
        bakedContainer(damaged);
      } catch (error) {
        if (!(error instanceof MoteError)) throw error;
        expect(error.code).toBe("FORMAT");
      }
    }
  });
});
