import { PNG } from "pngjs";
import { describe, expect, it } from "vitest";
import { DIGIT_SIDE, digitFromPicture, type Digit } from "../../host/data/image.js";
import { decodePng } from "../../host/node/data/png.js";
import { chunk, png } from "../support/png.js";

type Grey = (x: number, y: number) => number;

interface DrawOptions {
  readonly colorType?: 0 | 2 | 4 | 6;
  readonly bitDepth?: 8 | 16;
  /** 0 .. 255 */
  readonly alpha?: Grey;
}

function draw(width: number, height: number, grey: Grey, options: DrawOptions = {}): Uint8Array {
  const picture = new PNG({ width, height });
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 4 * (y * width + x);
      picture.data.fill(grey(x, y), at, at + 3);
      picture.data[at + 3] = options.alpha?.(x, y) ?? 255;
    }
  }
  const colorType = options.colorType ?? 6;
  const bitDepth = options.bitDepth ?? 8;
  if (bitDepth === 16) picture.data = Buffer.from(Uint16Array.from(picture.data, (value) => value * 257).buffer);
  return PNG.sync.write(picture, { colorType, bitDepth, inputHasAlpha: true });
}

const readDigit = (bytes: Uint8Array, name: string): Digit => digitFromPicture(decodePng(bytes, name), name);
const digitFromPng = (bytes: Uint8Array, name: string): Uint8Array => readDigit(bytes, name).pixels;

/** A picture of two colours, one bit a pixel, with a palette: a form that pngjs reads but does not write. */
function drawPalette(width: number, height: number, isInk: (x: number, y: number) => boolean): Uint8Array {
  const pitch = 1 + Math.ceil(width / 8);
  const rows = Buffer.alloc(pitch * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (isInk(x, y)) rows[y * pitch + 1 + (x >> 3)] |= 0x80 >> (x & 7);
    }
  }
  const palette = chunk("PLTE", Uint8Array.from([255, 255, 255, 0, 0, 0]));
  return png({ width, height, depth: 1, colourType: 3 }, rows, [palette]);
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
    const drawn = draw(280, 280, (x, y) => (seven(x, y) ? 255 : 0), { colorType, bitDepth });
    expect(digitFromPng(drawn, "seven.png")).toEqual(lightOnDark);
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

  it("marks what touches the edge, covers too much, or has a second digit beside it", () => {
    const doubts = (side: number, isInk: (x: number, y: number) => boolean): readonly string[] =>
      readDigit(
        draw(side, side, (x, y) => (isInk(x, y) ? 0 : 255)),
        "x.png",
      ).doubts;
    expect(doubts(280, seven)).toEqual([]);
    expect(doubts(280, (x, y) => seven(x, y + 60))).toEqual(["it touches the edge"]);
    expect(doubts(280, (x, y) => Math.hypot(x - 140, y - 140) < 60)).toEqual(["it covers too much of the picture"]);
    const half = isSeven(140);
    expect(doubts(280, (x, y) => half(x, y - 70) || half(x - 140, y - 70))).toEqual(["it is in several pieces"]);
    expect(doubts(280, (x, y) => x < 6 || seven(x, y))).toEqual(["a line along its edge was left out"]);
  });

  it("leaves out a frame, specks and a shadow", () => {
    const framed = draw(280, 280, (x, y) => (seven(x, y) || Math.min(x, y, 279 - x, 279 - y) < 9 ? 0 : 255));
    expect(meanDifference(digitFromPng(framed, "x.png"), lightOnDark)).toBeLessThan(1);
    const speckled = draw(280, 280, (x, y) => (seven(x, y) || (x % 60 === 0 && y % 60 < 2) ? 0 : 255));
    expect(meanDifference(digitFromPng(speckled, "x.png"), lightOnDark)).toBeLessThan(1);
    const shaded = draw(280, 280, (x, y) => Math.round((seven(x, y) ? 40 : 240) * (1 - 0.6 * (x / 280) * (y / 280))));
    expect(meanDifference(digitFromPng(shaded, "x.png"), lightOnDark)).toBeLessThan(2);
    expect(readDigit(shaded, "x.png").doubts).toEqual([]);
  });

  it("finds no digit on blank paper, in a shadow or noise", () => {
    const blank: readonly [string, Grey][] = [
      ["even", () => 200],
      ["shaded", (x, y) => 250 - x - y],
      ["noisy", (x, y) => 200 + (((x * 7919 + y * 104729) >> 3) % 11)],
    ];
    for (const [name, grey] of blank) {
      expect(() => readDigit(draw(60, 60, grey), `${name}.png`), name).toThrow(/no digit found/);
    }
  });
});
