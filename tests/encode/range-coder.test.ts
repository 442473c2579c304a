import { describe, expect, test } from "vitest";
import { RangeDecoder, RangeEncoder } from "../../host/codecs/range-coder.js";
import { Random } from "../../host/rng.js";

type Bit = 0 | 1;

function encode(bits: readonly Bit[], probability: (at: number) => number): Uint8Array {
  const encoder = new RangeEncoder();
  bits.forEach((bit, at) => encoder.encode(bit, probability(at)));
  return encoder.finish();
}

function decode(bytes: Uint8Array, count: number, probability: (at: number) => number): Bit[] {
  const decoder = new RangeDecoder(bytes);
  const bits = Array.from({ length: count }, (_, at) => decoder.decode(probability(at)));
  expect(decoder.consumed).toBeLessThanOrEqual(bytes.length);
  return bits;
}

/** Bits that occur as often as their probability says, or never, or always. */
function drawBits(random: Random, count: number, probability: (at: number) => number): Bit[] {
  return Array.from({ length: count }, (_, at) => (random.nextU32() >>> 16 < probability(at) ? 1 : 0));
}

const PROBABILITIES: Record<string, (at: number) => number> = {
  even: () => 32768,
  least: () => 1,
  most: () => 65535,
  "extremes in turn": (at) => (at % 2 === 0 ? 1 : 65535),
  "all kinds": (at) => 1 + (((at * 2654435761) >>> 16) % 65535),
};

describe.each(Object.entries(PROBABILITIES))("range coder, probabilities: %s", (_name, probability) => {
  test("decodes what it has encoded, and has read all of it", () => {
    for (let count = 0; count < 60; count++) {
      for (const bits of [
        drawBits(new Random(count), count, probability),
        drawBits(new Random(count), count, () => 32768),
        Array.from({ length: count }, (): Bit => 0),
        Array.from({ length: count }, (): Bit => 1),
      ]) {
        const bytes = encode(bits, probability);
        const decoder = new RangeDecoder(bytes);
        expect(bits.map((_, at) => decoder.decode(probability(at)))).toEqual(bits);
        expect(decoder.consumed).toBe(bytes.length);
        expect(bytes.at(-1)).not.toBe(0);
      }
    }
  });

  test("takes what information theory says", () => {
    const bits = drawBits(new Random(7), 20000, probability);
    const bytes = encode(bits, probability);
    expect(decode(bytes, bits.length, probability)).toEqual(bits);
    const shares = bits.map((bit, at) => (bit === 1 ? probability(at) : 65536 - probability(at)) / 65536);
    const ideal = shares.reduce((sum, share) => sum - Math.log2(share), 0) / 8;
    expect(bytes.length).toBeGreaterThan(ideal - 3);
    // The range is cut to 8 bits at worst before it is multiplied.
    expect(bytes.length).toBeLessThan(ideal * 1.002 + 3);
  });

  test("any bytes are a stream, and its bits are those of a shorter one", () => {
    const random = new Random(11);
    for (let length = 0; length < 40; length++) {
      const hostile = Uint8Array.from({ length }, () => [0, 255, random.nextU32() & 255][length % 3]);
      const bits = decode(hostile, 500, probability);
      const bytes = encode(bits, probability);
      expect(decode(bytes, 500, probability)).toEqual(bits);
    }
  });
});

test("a carry runs through bytes of ones", () => {
  // A 0 of probability 1/2 is the upper half, so that what has been written is ones.
  const zeros = Array.from({ length: 64 }, (): Bit => 0);
  expect([...encode(zeros, () => 32768)]).toEqual([255, 255, 255, 255, 255, 255, 255, 255]);
  // The first interval ends just above the half, and each 0 leaves its upper half: 7f ff … until it is known to be above.
  const straddling = [1, ...Array.from({ length: 40 }, () => 0)] as Bit[];
  expect([...encode(straddling, (at) => (at === 0 ? 32769 : 32767))]).toEqual([128, 0, 255, 255, 255, 128]);
});

test("nothing encoded takes no bytes", () => {
  expect(new RangeEncoder().finish()).toHaveLength(0);
});
