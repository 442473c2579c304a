import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RangeEncoder } from "../../host/codecs/range-coder.js";
import { MoteError } from "../../host/errors.js";
import { applyPatch, encodePatch, MAX_PATCH_FILE, writePatch } from "../../host/update/patch.js";

const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 });
const lenet5 = Uint8Array.from(readFileSync("models/lenet5.mote"));
const lenet300 = Uint8Array.from(readFileSync("models/lenet300.mote"));

/** Bits in the place of as many or of others, of which the rest is moved. */
function edited(old: Uint8Array, edits: readonly (readonly [at: number, drop: number, insert: string])[]): Uint8Array {
  let bits = [...old].map((byte) => [...byte.toString(2).padStart(8, "0")].reverse().join("")).join("");
  for (const [at, drop, insert] of edits.toReversed()) bits = bits.slice(0, at) + insert + bits.slice(at + drop);
  const whole = bits.slice(0, bits.length - (bits.length % 8));
  return Uint8Array.from(whole.match(/.{8}/g) ?? [], (byte) => Number.parseInt([...byte].reverse().join(""), 2));
}

describe("a patch", () => {
  it("gives the new file, whatever the two are", () => {
    fc.assert(
      fc.property(bytes, bytes, (old, made) => {
        expect(applyPatch(old, writePatch(old, made), made.length)).toEqual(made);
      }),
    );
  });

  it("gives the new file of one like it", () => {
    const edit = fc.tuple(fc.nat(8 * 200), fc.nat(12), fc.string({ unit: fc.constantFrom("0", "1"), maxLength: 12 }));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 210, maxLength: 220 }), fc.array(edit, { maxLength: 5 }), (old, edits) => {
        const made = edited(old, edits);
        expect(applyPatch(old, writePatch(old, made), made.length)).toEqual(made);
      }),
    );
  });

  it("is small where bits are moved, and not much larger than the file where all is new", () => {
    expect(writePatch(lenet5, lenet5).length).toBeLessThan(10);
    const moved = edited(lenet5, [
      [3001, 3, "10"],
      [9002, 2, "0110"],
      [17003, 1, ""],
    ]);
    expect(writePatch(lenet5, moved).length).toBeLessThan(40);
    expect(writePatch(lenet5, lenet300).length).toBeLessThan(1.02 * lenet300.length);
  });

  it("may begin with a piece from the middle of the old file", () => {
    const made = edited(lenet5, [[0, 4000, ""]]);
    expect(applyPatch(lenet5, writePatch(lenet5, made), made.length)).toEqual(made);
  });

  it("is the same for the same files", () => {
    const [one, other] = [writePatch(lenet5, lenet300), writePatch(lenet5, lenet300)];
    expect(one).toEqual(other);
  });

  it("that is cut short or longer is refused", () => {
    const made = edited(lenet5, [[9002, 2, "0110"]]);
    const patch = writePatch(lenet5, made);
    for (let length = 0; length < patch.length; length++)
      refused(lenet5, patch.subarray(0, length), made.length, "breaks off");
    refused(lenet5, Uint8Array.of(...patch, 0), made.length, "1 bytes behind its end");
  });

  it("that breaks a rule is refused, whatever it announces", () => {
    const half = 0x8000;
    // Nothing copied, nothing inserted: both numbers are one bit.
    const idle = new RangeEncoder();
    for (let i = 0; i < 2; i++) idle.encode(0, half);
    refused(lenet5, idle.finish(true), 100, "does nothing");
    const many = new RangeEncoder();
    for (let i = 0; i < 32; i++) many.encode(1, half);
    refused(lenet5, many.finish(true), 100, "more than 31 bits");
    refused(lenet5, number(2 ** 20), 100, "copies beyond the new file's 100 bytes");
    refused(lenet5.subarray(0, 10), number(100), 100, "copies bits 0 … 99 of 80");
  });

  it("keeps its cursor inside the old file", () => {
    const bits = 8 * lenet5.length;
    const moved = (away: number, back: number): Uint8Array =>
      encodePatch(
        [
          { copied: 0, inserted: 1, move: away },
          { copied: 0, inserted: 1, move: back },
          { copied: bits - 2, inserted: 0, move: 0 },
        ],
        lenet5,
      );
    expect(applyPatch(lenet5, moved(bits - 1, -bits + 1), lenet5.length)).toEqual(lenet5);
    refused(lenet5, moved(bits, -bits), lenet5.length, `moves to bit ${bits + 1} of ${bits}`);
    refused(lenet5, moved(-2, 2), lenet5.length, `moves to bit -1 of ${bits}`);
  });

  it("of files that are too large is refused before anything is allocated", () => {
    const large = new Uint8Array(MAX_PATCH_FILE + 1);
    for (const [old, made] of [[large, lenet5] as const, [lenet5, large] as const]) {
      expect(() => writePatch(old, made)).toThrow(expect.objectContaining({ code: "MEMORY" }));
    }
  });

  it("answers to any bytes at all", () => {
    const patch = writePatch(lenet5, edited(lenet5, [[1000, 9, "0101"]]));
    let taken = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(patch.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (changes) => {
          const wild = patch.slice();
          for (const [at, byte] of changes) wild[at] = byte;
          try {
            expect(applyPatch(lenet5, wild, 2921)).toHaveLength(2921);
            taken++;
          } catch (error) {
            expect(error).toBeInstanceOf(MoteError);
            expect((error as MoteError).code).toBe("FORMAT");
          }
        },
      ),
      { numRuns: 300 },
    );
    expect(taken).toBeLessThan(300);
  });

  /** A stream that begins with one number, by the probabilities at the beginning. */
  function number(value: number): Uint8Array {
    const encoder = new RangeEncoder();
    const bits = (value + 1).toString(2).slice(1);
    for (let i = 0; i < bits.length; i++) encoder.encode(1, 0x8000);
    for (const bit of `0${bits}`) encoder.encode(bit === "1" ? 1 : 0, 0x8000);
    return encoder.finish(true);
  }

  function refused(old: Uint8Array, patch: Uint8Array, length: number, problem: string): void {
    expect(() => applyPatch(old, patch, length)).toThrow(
      expect.objectContaining({ code: "FORMAT", message: expect.stringContaining(problem) }),
    );
  }
});
