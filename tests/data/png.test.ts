import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { decodePng } from "../../host/node/data/png.js";
import { MoteError } from "../../host/errors.js";
import { chunk, header, png, SIGNATURE, type PngHeader } from "../support/png.js";

const concat = (...parts: Uint8Array[]): Buffer => Buffer.concat(parts);
const rowsOf = (count: number, bytes: number, filter = 0): Uint8Array =>
  Uint8Array.from({ length: count * (1 + bytes) }, (_, i) => (i % (1 + bytes) === 0 ? filter : (37 * i) & 255));
const small: PngHeader = { width: 8, height: 8 };
const good = png(small, rowsOf(8, 8));
const image = (rows: Uint8Array): Buffer => chunk("IDAT", deflateSync(rows));

function messageOf(bytes: Uint8Array): string {
  try {
    decodePng(bytes, "x.png");
  } catch (error) {
    if (error instanceof MoteError && error.code === "FORMAT") return error.message;
    throw error;
  }
  return "";
}

describe("decodePng", () => {
  it("reads an interlaced picture as one that is not", () => {
    for (const [colourType, depth, samples] of [
      [0, 8, 1],
      [2, 8, 3],
      [6, 16, 4],
      [0, 1, 1],
    ] as const) {
      const [width, height] = [11, 6];
      const bits = (x: number, y: number, k: number): number => (x * 31 + y * 57 + k * 13 + x * y) & (2 ** depth - 1);
      const pack = (xs: number[], y: number): number[] => {
        const text = xs.flatMap((x) =>
          Array.from({ length: samples }, (_, k) => bits(x, y, k).toString(2).padStart(depth, "0")),
        );
        const all = text.join("");
        return [
          0,
          ...(all.padEnd(8 * Math.ceil(all.length / 8), "0").match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)),
        ];
      };
      const range = (from: number, to: number, step: number): number[] =>
        Array.from({ length: Math.max(0, Math.ceil((to - from) / step)) }, (_, i) => from + i * step);
      const plain = range(0, height, 1).flatMap((y) => pack(range(0, width, 1), y));
      const passes = [
        [0, 0, 8, 8],
        [4, 0, 8, 8],
        [0, 4, 4, 8],
        [2, 0, 4, 4],
        [0, 2, 2, 4],
        [1, 0, 2, 2],
        [0, 1, 1, 2],
      ];
      const woven = passes.flatMap(([x, y, dx, dy]) =>
        range(y, height, dy).flatMap((row) => pack(range(x, width, dx), row)),
      );
      const head = { width, height, colourType, depth };
      const straight = decodePng(png(head, Uint8Array.from(plain)), "x.png");
      const interlaced = decodePng(png({ ...head, interlace: 1 }, Uint8Array.from(woven)), "x.png");
      expect(interlaced, `${colourType} ${depth}`).toEqual(straight);
      expect(new Set(straight.rgba).size).toBeGreaterThan(1);
    }
  });

  it("takes what follows the last chunk for nothing", () => {
    expect(decodePng(concat(good, Buffer.from("more")), "x.png")).toEqual(decodePng(good, "x.png"));
  });

  it("says what it is instead", () => {
    expect(messageOf(new Uint8Array())).toBe("x.png: expected a PNG, this is an empty file");
    expect(messageOf(Buffer.from("GIF89a"))).toBe("x.png: expected a PNG, this is a GIF picture");
    expect(messageOf(Uint8Array.from(good, (byte, i) => (i === 5 ? 0x0d : byte)))).toMatch(
      /^x\.png: broken PNG: its first eight bytes are damaged/,
    );
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["cut in a chunk", good.subarray(0, 50), /it ends at byte 50, within the chunk IDAT of \d+ bytes$/],
    ["cut before its end", good.subarray(0, good.length - 12), /it ends at byte \d+, before its last part$/],
    [
      "a flipped bit",
      Uint8Array.from(good, (byte, i) => (i === 45 ? byte ^ 16 : byte)),
      /checksum of its chunk IDAT at byte 33 is wrong/,
    ],
    ["no header", concat(SIGNATURE, image(rowsOf(8, 8)), chunk("IEND")), /begins with the chunk IDAT, not with IHDR$/],
    ["two headers", concat(SIGNATURE, header(small), header(small)), /a second header at byte 33$/],
    ["a short header", concat(SIGNATURE, chunk("IHDR", new Uint8Array(5))), /its header has 5 bytes, expected 13$/],
    ["no width", png({ ...small, width: 0 }, rowsOf(8, 8)), /its size is 0 × 8 pixels$/],
    [
      "a colour type that is none",
      png({ ...small, colourType: 5 }, rowsOf(8, 8)),
      /colour type 5 with 8 bits does not exist/,
    ],
    ["a depth that is none", png({ ...small, depth: 7 }, rowsOf(8, 8)), /colour type 0 with 7 bits does not exist/],
    ["unknown interlacing", png({ ...small, interlace: 2 }, rowsOf(8, 8)), /interlacing 2 are not all known/],
    ["no palette", png({ ...small, colourType: 3 }, rowsOf(8, 8)), /its palette is missing$/],
    [
      "a palette of 4 bytes",
      png({ ...small, colourType: 3 }, rowsOf(8, 8), [chunk("PLTE", new Uint8Array(4))]),
      /its palette has 4 bytes/,
    ],
    [
      "a colour that is not in the palette",
      png({ ...small, colourType: 3 }, rowsOf(8, 8), [chunk("PLTE", new Uint8Array(6))]),
      /its colours do not fit its palette/,
    ],
    [
      "an unknown chunk that matters",
      png(small, rowsOf(8, 8), [chunk("ABCD")]),
      /the chunk ABCD at byte 33 is needed to show it, and unknown/,
    ],
    ["a chunk without a name", concat(SIGNATURE, header(small), Buffer.alloc(20)), /no chunk begins at byte 33$/],
    ["no pixels", concat(SIGNATURE, header(small), chunk("IEND")), /its compressed pixels end too early$/],
    ["too few pixels", png(small, rowsOf(7, 8)), /its pixels take 63 bytes, its header asks for 72$/],
    ["too many pixels", png(small, rowsOf(9, 8)), /it has more pixels than its header says$/],
    [
      "no zlib data",
      concat(SIGNATURE, header(small), chunk("IDAT", Buffer.from("no zlib data")), chunk("IEND")),
      /its compressed pixels are damaged$/,
    ],
    ["an unknown filter", png(small, rowsOf(8, 8, 9)), /row 0 has the filter 9, expected 0 \.\. 4$/],
  ])("%s", (_, bytes, message) => {
    expect(messageOf(bytes)).toMatch(message);
    expect(messageOf(bytes)).toMatch(/^x\.png: broken PNG: /);
  });

  it.each([0, 1])("takes no memory for what is claimed or packed: interlacing %i", (interlace) => {
    const huge = png({ width: 1 << 20, height: 1 << 20, interlace }, rowsOf(8, 8));
    expect(messageOf(huge)).toBe("x.png: PNG of 1048576 × 1048576 pixels, at most 33554432 are taken");
    // 256 MB of zeros pack into 260 KB.
    const bomb = png({ ...small, interlace }, new Uint8Array(1 << 28));
    const before = process.memoryUsage().rss;
    expect(messageOf(bomb)).toMatch(/it has more pixels than its header says/);
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
  });

  it("has words for a cut or a flipped bit anywhere", () => {
    for (let at = 0; at < good.length; at++) {
      expect(messageOf(good.subarray(0, at)), `cut at ${at}`).toMatch(/^x\.png: (broken PNG|expected a PNG)/);
      for (const bit of [1, 128]) {
        const message = messageOf(Uint8Array.from(good, (byte, i) => (i === at ? byte ^ bit : byte)));
        expect(message, `byte ${at}`).toMatch(/^x\.png: (broken PNG: [a-z]|expected a PNG, |PNG of )/);
      }
    }
  });
});
