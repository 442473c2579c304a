import { crc32, deflateSync } from "node:zlib";
import { PNG } from "pngjs";
import { describe, expect, it } from "vitest";
import { DIGIT_SIDE, digitFromPng } from "../../host/data/image.js";

type Grey = (x: number, y: number) => number;

interface DrawOptions {
  readonly colorType?: 0 | 2 | 4 | 6;
  readonly bitDepth?: 8 | 16;
  /** 0 .. 255 */
  readonly alpha?: Grey;
}

function draw(width: number, height: number, grey: Grey, options: DrawOptions = {}): Uint8Array {
  const png = new PNG({ width, height });
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 4 * (y * width + x);
      png.data.fill(grey(x, y), at, at + 3);
      png.data[at + 3] = options.alpha?.(x, y) ?? 255;
    }
  }
  const colorType = options.colorType ?? 6;
  const bitDepth = options.bitDepth ?? 8;
  if (bitDepth === 16) png.data = Buffer.from(Uint16Array.from(png.data, (value) => value * 257).buffer);
  return PNG.sync.write(png, { colorType, bitDepth, inputHasAlpha: true });
}

/** A picture of two colours, one bit a pixel, with a palette: a form that pngjs reads but does not write. */
function drawPalette(width: number, height: number, isInk: (x: number, y: number) => boolean): Uint8Array {
  const pitch = 1 + Math.ceil(width / 8);
  const rows = Buffer.alloc(pitch * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (isInk(x, y)) rows[y * pitch + 1 + (x >> 3)] |= 0x80 >> (x & 7);
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([1, 3, 0, 0, 0], 8);
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    chunk("PLTE", Buffer.from([255, 255, 255, 0, 0, 0])),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

/** A seven: a bar and a slanted stroke, in a picture of `side` pixels. */
function isSeven(side: number): (x: number, y: number) => boolean {
  return (x, y) => {
    const [u, v] = [(x + 0.5) / side, (y + 0.5) / side];
    const bar = v > 0.2 && v < 0.3 && u > 0.3 && u < 0.7;
    const stroke = v >= 0.3 && v < 0.8 && Math.abs(u - (0.82 - 0.5 * v)) < 0.06;
    return bar || stroke;
  };
}

function ofInk(digit: Uint8Array): { left: number; right: number; top: number; bottom: number; x: number; y: number } {
  let [left, right, top, bottom, sumX, sumY, sum] = [28, -1, 28, -1, 0, 0, 0];
  digit.forEach((value, i) => {
    const [x, y] = [i % DIGIT_SIDE, Math.floor(i / DIGIT_SIDE)];
    sumX += value * x;
    sumY += value * y;
    sum += value;
    if (value < 64) return;
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
  });
  return { left, right, top, bottom, x: sumX / sum, y: sumY / sum };
}

function meanDifference(a: Uint8Array, b: Uint8Array): number {
  return a.reduce((sum, value, i) => sum + Math.abs(value - b[i]), 0) / a.length;
}

describe("digitFromPng", () => {
  const seven = isSeven(280);
  const lightOnDark = digitFromPng(
    draw(280, 280, (x, y) => (seven(x, y) ? 255 : 0)),
    "seven.png",
  );

  it("scales to 20 pixels and puts the centre of mass in the middle", () => {
    const box = ofInk(lightOnDark);
    expect(lightOnDark).toHaveLength(28 * 28);
    expect(box.bottom - box.top + 1).toBeGreaterThanOrEqual(19);
    expect(box.bottom - box.top + 1).toBeLessThanOrEqual(21);
    expect(Math.abs(box.x - 13.5)).toBeLessThan(0.6);
    expect(Math.abs(box.y - 13.5)).toBeLessThan(0.6);
    expect(Math.max(...lightOnDark)).toBe(255);
    expect(lightOnDark[0]).toBe(0);
  });

  it("takes dark on light as it takes light on dark, also with little contrast", () => {
    const dark = draw(280, 280, (x, y) => (seven(x, y) ? 0 : 255));
    expect(digitFromPng(dark, "dark.png")).toEqual(lightOnDark);
    const pale = draw(280, 280, (x, y) => (seven(x, y) ? 120 : 180));
    expect(meanDifference(digitFromPng(pale, "pale.png"), lightOnDark)).toBeLessThan(1);
  });

  it.each([
    [0, 8],
    [2, 8],
    [4, 8],
    [6, 8],
    [0, 16],
    [6, 16],
  ] as const)("reads colour type %i with %i bits", (colorType, bitDepth) => {
    const png = draw(280, 280, (x, y) => (seven(x, y) ? 255 : 0), { colorType, bitDepth });
    expect(digitFromPng(png, "seven.png")).toEqual(lightOnDark);
  });

  it("reads one bit a pixel with a palette", () => {
    expect(digitFromPng(drawPalette(280, 280, seven), "seven.png")).toEqual(lightOnDark);
  });

  it.each([28, 40, 97, 640])("gives nearly the same digit from %i pixels a side", (side) => {
    const inside = isSeven(side);
    const digit = digitFromPng(
      draw(side, side, (x, y) => (inside(x, y) ? 255 : 0)),
      `${side}.png`,
    );
    expect(meanDifference(digit, lightOnDark)).toBeLessThan(side < 50 ? 14 : 5);
  });

  it("keeps the aspect of a tall one and of a wide dash", () => {
    const one = ofInk(
      digitFromPng(
        draw(300, 200, (x, y) => (x > 20 && x < 30 && y > 50 && y < 150 ? 0 : 255)),
        "one.png",
      ),
    );
    expect(one.bottom - one.top).toBeGreaterThanOrEqual(18);
    expect(one.right - one.left).toBeLessThanOrEqual(3);
    const dash = ofInk(
      digitFromPng(
        draw(300, 200, (x, y) => (y > 20 && y < 30 && x > 50 && x < 150 ? 255 : 0)),
        "dash.png",
      ),
    );
    expect(dash.right - dash.left).toBeGreaterThanOrEqual(18);
    expect(dash.bottom - dash.top).toBeLessThanOrEqual(3);
  });

  it("takes transparent parts as paper, whatever colour hides there", () => {
    const alpha = (x: number, y: number): number => (seven(x, y) ? 255 : 0);
    for (const ink of [0, 255]) {
      expect(
        digitFromPng(
          draw(280, 280, () => ink, { alpha }),
          "seven.png",
        ),
      ).toEqual(lightOnDark);
    }
    const rounded = (x: number, y: number): number => (x + y < 20 ? 0 : 255);
    const corner = draw(280, 280, (x, y) => (seven(x, y) ? 0 : 255), { alpha: rounded });
    expect(digitFromPng(corner, "corner.png")).toEqual(lightOnDark);
  });

  it("passes a digit in MNIST's form through unchanged", () => {
    const digit = digitFromPng(
      draw(28, 28, (x, y) => lightOnDark[28 * y + x]),
      "mnist.png",
    );
    expect(digit).toEqual(lightOnDark);
  });

  it("makes a full-ink digit of a stroke thinner than a pixel", () => {
    const line = draw(1000, 1000, (x, y) => (x === 500 && y > 100 && y < 900 ? 0 : 255));
    expect(Math.max(...digitFromPng(line, "line.png"))).toBe(255);
  });

  it("says what is wrong with a file", () => {
    const good = draw(40, 40, (x) => (x > 15 && x < 25 ? 0 : 255));
    expect(() => digitFromPng(new Uint8Array(), "x.png")).toThrow(/^x\.png: expected a PNG, the file is empty$/);
    expect(() => digitFromPng(Buffer.from("P5 28 28 255"), "x.png")).toThrow(/^x\.png: not a PNG/);
    expect(() => digitFromPng(good.subarray(0, 20), "x.png")).toThrow(/ends within its header/);
    for (let length = 33; length < good.length - 12; length += 7) {
      expect(() => digitFromPng(good.subarray(0, length), "x.png")).toThrow(/^x\.png: broken PNG: /);
    }
    const flipped = Uint8Array.from(good);
    flipped[50] ^= 0x10;
    expect(() => digitFromPng(flipped, "x.png")).toThrow(/^x\.png: broken PNG: /);
    const huge = Uint8Array.from(good);
    new DataView(huge.buffer).setUint32(16, 1 << 20);
    new DataView(huge.buffer).setUint32(20, 1 << 20);
    expect(() => digitFromPng(huge, "x.png")).toThrow(/1048576 × 1048576 pixels/);
    expect(() =>
      digitFromPng(
        draw(40, 40, () => 200),
        "x.png",
      ),
    ).toThrow(/no digit found/);
  });
});
