import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BitReader } from "../../host/codecs/bit-reader.js";
import { BitWriter } from "../../host/codecs/bit-writer.js";
import { canonicalCodes, codeLengths, HuffmanDecoder, writtenCodes } from "../../host/codecs/huffman-codes.js";

const empty = new BitReader(new Uint8Array(0), 0, 0, "test");
const decoderOf = (...lengths: number[]): HuffmanDecoder => new HuffmanDecoder(Uint8Array.from(lengths), empty, "code");

describe("canonical codes", () => {
  test("are those of RFC 1951's example", () => {
    const codes = canonicalCodes(Uint8Array.of(3, 3, 3, 3, 3, 2, 4, 4));
    const lengths = [3, 3, 3, 3, 3, 2, 4, 4];
    expect([...codes].map((code, i) => code.toString(2).padStart(lengths[i], "0"))).toEqual([
      "010",
      "011",
      "100",
      "101",
      "110",
      "00",
      "1110",
      "1111",
    ]);
  });

  test("are written with their first bit lowest", () => {
    expect([...writtenCodes(Uint8Array.of(3, 3, 3, 3, 3, 2, 4, 4))]).toEqual([
      0b010, 0b110, 0b001, 0b101, 0b011, 0b00, 0b0111, 0b1111,
    ]);
  });
});

describe("code lengths", () => {
  const counts = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 100000 })), {
    minLength: 1,
    maxLength: 300,
  });
  const usable = counts.filter((all) => all.some((count) => count > 0));

  test("are complete, within their limit, and cost no more than shorter limits", () => {
    fc.assert(
      fc.property(usable, (all) => {
        const used = all.filter((count) => count > 0).length;
        let before = Infinity;
        for (let limit = Math.max(1, Math.ceil(Math.log2(used))); limit <= 12; limit++) {
          const { lengths, bits } = codeLengths(all, limit);
          expect(Math.max(...lengths)).toBeLessThanOrEqual(limit);
          const kraft = lengths.reduce((sum, length) => sum + (length > 0 ? 2 ** -length : 0), 0);
          expect(kraft).toBe(used === 1 ? 0.5 : 1);
          expect(bits).toBe(used === 1 ? 0 : all.reduce((sum, count, i) => sum + count * lengths[i], 0));
          all.forEach((count, i) => expect(lengths[i] > 0).toBe(count > 0));
          expect(bits).toBeLessThanOrEqual(before);
          before = bits;
        }
      }),
    );
  });

  test("without a limit that binds are as good as Huffman's tree", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 2, maxLength: 12 }), (all) => {
        // Each merge of two subtrees puts one bit more before everything in them.
        const heap = [...all];
        let bits = 0;
        while (heap.length > 1) {
          heap.sort((a, b) => b - a);
          const merged = heap.pop()! + heap.pop()!;
          bits += merged;
          heap.push(merged);
        }
        expect(codeLengths(all, 12).bits).toBe(bits);
      }),
    );
  });

  test("of counts that grow as Fibonacci's numbers are cut at the limit", () => {
    const fibonacci = [1, 1];
    while (fibonacci.length < 20) fibonacci.push(fibonacci.at(-1)! + fibonacci.at(-2)!);
    expect(Math.max(...codeLengths(fibonacci, 12).lengths)).toBe(12);
  });

  test.each([
    ["no symbol", [0, 0], 12],
    ["a limit too short for the symbols", [1, 1, 1], 1],
    ["a limit above 12", [1, 1], 13],
  ])("refuses %s", (_name, all, limit) => {
    expect(() => codeLengths(all, limit)).toThrow(RangeError);
  });
});

describe("the decoder", () => {
  test("reads what the codes write", () => {
    const symbolsOf = (size: number) => fc.array(fc.nat(size - 1), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }).chain(symbolsOf), (symbols) => {
        const counts = new Array<number>();
        for (let i = 0; i <= Math.max(...symbols); i++) counts.push(symbols.filter((symbol) => symbol === i).length);
        const { lengths } = codeLengths(counts, 12);
        const codes = writtenCodes(lengths);
        const single = counts.filter((count) => count > 0).length === 1;
        const writer = new BitWriter();
        for (const symbol of symbols) writer.write(codes[symbol], single ? 0 : lengths[symbol]);
        const bytes = writer.finish();
        const reader = new BitReader(bytes, 0, bytes.length, "test");
        const decoder = new HuffmanDecoder(lengths, reader, "code");
        for (const symbol of symbols) expect(decoder.next()).toBe(symbol);
        reader.finish();
      }),
    );
  });

  test("takes no bits for a single symbol", () => {
    expect(decoderOf(0, 0, 1).next()).toBe(2);
  });

  test.each<[string, number[], RegExp]>([
    ["an empty code", [0, 0, 0], /code has no used symbol/],
    ["an over-subscribed code", [1, 1, 1], /code is over-subscribed: its Kraft sum is 6144 \/ 4096/],
    ["an incomplete code", [1, 2], /code is incomplete: its Kraft sum is 3072 \/ 4096/],
    ["a single symbol with a longer code", [0, 2], /code has one symbol of length 2, expected 1/],
    ["a code above 12 bits", [1, 13], /code has a code of 13 bits, at most 12 are allowed/],
  ])("refuses %s", (_name, lengths, message) => {
    expect(() => decoderOf(...lengths)).toThrow(message);
  });
});

describe("bits", () => {
  test("come back as they were written", () => {
    const field = fc
      .integer({ min: 0, max: 32 })
      .chain((bits) => fc.tuple(fc.constant(bits), fc.integer({ min: 0, max: 2 ** bits - 1 })));
    fc.assert(
      fc.property(fc.array(field), (fields) => {
        const writer = new BitWriter(8);
        for (const [bits, value] of fields) writer.write(value, bits);
        expect(writer.bitLength).toBe(fields.reduce((sum, [bits]) => sum + bits, 0));
        const bytes = writer.finish();
        const reader = new BitReader(bytes, 0, bytes.length, "test");
        for (const [bits, value] of fields) expect(reader.read(bits, "field")).toBe(value);
        reader.finish();
      }),
    );
  });

  test("are signed as two's complement", () => {
    const writer = new BitWriter();
    writer.write(-5, 4);
    writer.write(-(2 ** 31), 32);
    const bytes = writer.finish();
    expect(bytes[0] & 15).toBe(0b1011);
    const reader = new BitReader(bytes, 0, bytes.length, "test");
    expect([reader.readSigned(4, "a"), reader.readSigned(32, "b")]).toEqual([-5, -(2 ** 31)]);
  });

  test("end where the section ends", () => {
    const reader = new BitReader(Uint8Array.of(0, 0, 255), 1, 2, "section");
    reader.read(7, "a");
    expect(() => reader.read(2, "b")).toThrow("section ends within b: 2 bits wanted, 1 are left (byte 1)");
    expect(() => new BitReader(Uint8Array.of(0, 0), 0, 2, "section").finish()).toThrow(/runs over: 16 bits are left/);
    expect(() => new BitReader(Uint8Array.of(1), 0, 1, "section").finish()).toThrow(/runs over/);
    const last = new BitReader(Uint8Array.of(0x40), 0, 1, "section");
    last.read(1, "a");
    expect(() => last.finish()).toThrow(/has 7 padding bits 100000, expected zeros/);
  });
});
