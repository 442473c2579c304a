/** Bytes through a QR code and a picture of it. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PNG } from "pngjs";
import { describe, expect, it } from "vitest";
import { enlarge, type Picture } from "../../host/data/plane.js";
import { packageRoot } from "../../host/node/paths.js";
import { isCrowded } from "../../host/qr/crowd.js";
import { decodeQr, modelInPicture } from "../../host/qr/decode.js";
import { pictureSide, qrLines, qrPixels, qrSvg, QUIET_ZONE } from "../../host/qr/draw.js";
import { encodeQr, MAX_QR_BYTES, type QrCode } from "../../host/qr/encode.js";
import { warp } from "../../host/qr/warp.js";
import { Random } from "../../host/rng.js";
import { photographed } from "../../tools/bench/qr-photo.js";

const models = readdirSync(join(packageRoot, "models")).filter((name) => name.endsWith(".mote"));
const model = (name: string): Uint8Array => new Uint8Array(readFileSync(join(packageRoot, "models", name)));

function randomBytes(count: number): Uint8Array {
  const random = new Random(count);
  return Uint8Array.from({ length: count }, () => random.integer(256));
}

/** [side, side], 0 = dark, as an opaque picture. */
function asPicture(pixels: Uint8Array): Picture {
  const side = Math.sqrt(pixels.length);
  const rgba = new Uint8Array(4 * pixels.length).fill(255);
  pixels.forEach((grey, i) => rgba.fill(grey, 4 * i, 4 * i + 3));
  return { width: side, height: side, rgba };
}

const drawn = (code: QrCode, modulePixels = 3): Picture =>
  asPicture(qrPixels(code, { modulePixels, quietZone: QUIET_ZONE }));
/** A code of text, not of bytes: the encoder takes any bytes. */
const codeOf = (text: string): QrCode => encodeQr(new TextEncoder().encode(text));

describe("a QR code", () => {
  it.each([1, 2, 17, 18, 255, 256, 257, 1000, 2331, 2332, 2952, MAX_QR_BYTES])(
    "gives %d random bytes back",
    (count) => {
      const bytes = randomBytes(count);
      expect(decodeQr(drawn(encodeQr(bytes)))).toEqual(bytes);
    },
  );

  it("gives each byte value back, whatever text it would be", () => {
    for (const bytes of [
      Uint8Array.from({ length: 256 }, (_, i) => i),
      new Uint8Array(40),
      new Uint8Array(40).fill(255),
    ]) {
      expect(decodeQr(drawn(encodeQr(bytes)))).toEqual(bytes);
    }
  });

  it("is the smallest that holds the bytes, at the strongest level that costs nothing", () => {
    // ISO/IEC 18004, table 7: bytes of version 1 at H, Q, M, L, then of 2 at H and of 40 at M and L.
    for (const [count, version, level, recoveredPercent] of [
      [7, 1, "H", 30],
      [8, 1, "Q", 25],
      [11, 1, "Q", 25],
      [12, 1, "M", 15],
      [14, 1, "M", 15],
      [15, 1, "L", 7],
      [17, 1, "L", 7],
      [18, 2, "Q", 25],
      [2809, 39, "L", 7],
      [2810, 40, "L", 7],
      [2953, 40, "L", 7],
    ] as const) {
      const code = encodeQr(randomBytes(count));
      expect(code, String(count)).toMatchObject({ version, level, recoveredPercent, side: 17 + 4 * version });
      expect(code.modules.map((row) => row.length)).toEqual(Array(code.side).fill(code.side));
    }
    expect(() => encodeQr(randomBytes(2954))).toThrow(/^its 2,954 bytes are too many for a QR code, .* at most 2,953$/);
  });

  it("holds each shipped model that is small enough", () => {
    const small = models.filter((name) => model(name).length <= MAX_QR_BYTES);
    expect(small).toContain("lenet5.mote");
    for (const name of small) expect(modelInPicture(drawn(encodeQr(model(name))), name)).toEqual(model(name));
  });

  it("is drawn as SVG and by characters with the modules that it has", () => {
    const code = codeOf("MOTE");
    const dark = (isDark: (x: number, y: number) => boolean): string =>
      Array.from({ length: 25 }, (_, y) => Array.from({ length: 25 }, (__, x) => Number(isDark(x, y))).join("")).join(
        "\n",
      );
    const expected = dark((x, y) => code.modules[y - 2]?.[x - 2] === true);
    const lines = qrLines(code, 2);
    expect(lines).toHaveLength(13);
    const isLit = (x: number, y: number): boolean => (y % 2 === 0 ? "█▀" : "█▄").includes(lines[y >> 1][x]);
    expect(dark((x, y) => !isLit(x, y))).toBe(expected);
    const svg = qrSvg(code, { modulePixels: 5, quietZone: 2 });
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" width="125" height="125" viewBox="0 0 25 25">/);
    const inked = new Set<string>();
    for (const [, left, top, strokes] of svg.matchAll(/M(\d+) (\d+)\.5([hm\d ]*)/g)) {
      let x = Number(left);
      for (const [, kind, length] of strokes.matchAll(/([hm])(\d+)(?: 0)?/g)) {
        for (let end = x + Number(length); x < end; x++) if (kind === "h") inked.add(`${x},${top}`);
      }
    }
    expect(dark((x, y) => inked.has(`${x},${y}`))).toBe(expected);
    const pixels = qrPixels(code, { modulePixels: 5, quietZone: 2 });
    expect(pixels).toHaveLength(pictureSide(code, { modulePixels: 5, quietZone: 2 }) ** 2);
    expect(dark((x, y) => pixels[(5 * y + 4) * 125 + 5 * x + 4] === 0)).toBe(expected);
    expect(dark((x, y) => pixels[5 * y * 125 + 5 * x] === 0)).toBe(expected);
  });
});

describe("a picture of lenet5's code", () => {
  const bytes = model("lenet5.mote");
  const code = encodeQr(bytes);

  it.each([
    ["turned", { scale: 3, turn: 0.1 }],
    ["turned upside down and noisy", { scale: 4, turn: 2.9, noise: 20 }],
    ["smaller than three pixels a module, blurred", { scale: 2.2, turn: 0.4, blur: 1 }],
    ["turned by an eighth", { scale: 4, turn: 0.8, blur: 0.6, noise: 5 }],
    ["turned by an eighth and tilted by a fifth", { scale: 4, turn: 2.3, tilt: 0.2, blur: 0.6, noise: 5 }],
    ["very noisy", { scale: 4, noise: 40 }],
    ["in uneven light", { scale: 4, shade: 0.6, noise: 8 }],
    [
      "turned, tilted, blurred, noisy and in uneven light",
      { scale: 5, turn: 0.2, tilt: 0.15, blur: 0.8, shade: 0.3, noise: 8 },
    ],
  ])("%s gives its bytes", (_, view) => {
    const picture = photographed(code, view);
    expect(decodeQr(picture)).toEqual(bytes);
  });

  it("gives them where its light parts are transparent, and where a corner is missing", () => {
    const picture = drawn(code);
    const transparent = picture.rgba.map((value, i) => (i % 4 === 3 && picture.rgba[i - 1] === 255 ? 0 : value));
    expect(decodeQr({ ...picture, rgba: transparent })).toEqual(bytes);
    // The lower right corner, of which nothing is needed to find the code.
    const torn = picture.rgba.map((value, i) => {
      const [x, y] = [(i >> 2) % picture.width, Math.floor((i >> 2) / picture.width)];
      return x > 0.9 * picture.width && y > 0.9 * picture.height ? 255 : value;
    });
    expect(decodeQr({ ...picture, rgba: torn })).toEqual(bytes);
  });

  it("gives nothing, or all of them, where more is damaged", () => {
    const random = new Random(1);
    const picture = drawn(code);
    for (const share of [0.02, 0.3]) {
      const rgba = picture.rgba.slice();
      for (let i = 0; i < share * code.side ** 2; i++) {
        const [x, y] = [random.integer(code.side), random.integer(code.side)].map((n) => 3 * (n + QUIET_ZONE) + 1);
        for (let at = 0; at < 9; at++) {
          const pixel = (y - 1 + Math.floor(at / 3)) * picture.width + x - 1 + (at % 3);
          rgba.fill(random.integer(2) * 255, 4 * pixel, 4 * pixel + 3);
        }
      }
      expect([undefined, bytes]).toContainEqual(decodeQr({ ...picture, rgba }));
    }
  });
});

describe("a picture without a model", () => {
  const blank = (width: number, height: number): Picture => ({
    width,
    height,
    rgba: new Uint8Array(4 * width * height).fill(255),
  });

  it("is refused in words", () => {
    const noise = blank(300, 200);
    const random = new Random(3);
    noise.rgba.forEach((_, i) => (noise.rgba[i] = random.integer(256)));
    for (const picture of [blank(1, 1), blank(1 << 20, 1), blank(20, 3000), blank(64, 64), blank(1500, 2100), noise]) {
      expect(() => modelInPicture(picture, "p.png")).toThrow(
        `p.png: no QR code found in its ${picture.width} × ${picture.height} pixels; expected a sharp picture`,
      );
    }
    expect(() => modelInPicture(drawn(codeOf("https://example.com/a")), "p.png")).toThrow(
      'p.png: its QR code holds text, "https://example.com/a"; expected a model',
    );
    expect(() => modelInPicture(drawn(encodeQr(Uint8Array.of(0x89, 0x50, 0x4e, 0x47))), "p.png")).toThrow(
      "p.png: its QR code holds a PNG picture; expected a model",
    );
    expect(() => modelInPicture(drawn(encodeQr(Uint8Array.of(0x4d, 0x4f))), "p.png")).toThrow("expected a model");
  });

  /** As many corners as are asked for, a pixel a module, 8 pixels apart, so that each has two rows that are looked at. */
  function corners(side: number, count: number): Picture {
    const picture = blank(side, side);
    const across = Math.floor(side / 8);
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const ring = Math.max(...[x, y].map((at) => Math.abs((at % 8) - 3)));
        const isDrawn = Math.floor(y / 8) * across + Math.floor(x / 8) < count && Math.floor(x / 8) < across;
        if (isDrawn && (ring <= 1 || ring === 3)) picture.rgba.fill(0, 4 * (y * side + x), 4 * (y * side + x) + 3);
      }
    }
    return picture;
  }

  it("of many false corners ends: of 51,984 as well", () => {
    expect(decodeQr(corners(400, 2500))).toBeUndefined();
    expect(decodeQr(corners(1824, 51_984), 0)).toBeUndefined();
  });

  /** Stripes in a corner's proportions, a pixel a module, in the first rows. */
  function stripes(side: number, rows: number): Picture {
    const picture = blank(side, side);
    for (let i = 0; i < side * rows; i++) {
      const ring = Math.abs(((i % side) % 8) - 3);
      if (ring <= 1 || ring === 3) picture.rgba.fill(0, 4 * i, 4 * i + 3);
    }
    return picture;
  }

  it("at a size at which it is crowded is not searched, even where a code is in it", () => {
    const code = qrPixels(codeOf("MOTE"), { modulePixels: 1, quietZone: 8 });
    const codeSide = Math.sqrt(code.length);
    const beside = (rows: number): Picture => {
      const picture = stripes(1200, rows);
      code.forEach((grey, i) => {
        const [x, y] = [1200 - codeSide + (i % codeSide), 1200 - codeSide + Math.floor(i / codeSide)];
        picture.rgba.fill(grey, 4 * (y * 1200 + x), 4 * (y * 1200 + x) + 3);
      });
      return picture;
    };
    expect(decodeQr(beside(600), 0)).toEqual(new TextEncoder().encode("MOTE"));
    expect(decodeQr(beside(1100), 0)).toBeUndefined();
  });

  it("is crowded by more crosses or lines of a corner's proportions than the search takes", () => {
    const crowded = (picture: Picture, lines: number, crosses: number): boolean =>
      isCrowded({ ...picture, data: picture.rgba }, { lines, crosses });
    const some = corners(64, 21);
    expect([crowded(some, 42, 42), crowded(some, 41, 42), crowded(some, 42, 41)]).toEqual([false, true, true]);
    // Eight in each of 32 rows, none of which is a column of five runs.
    expect([crowded(stripes(64, 64), 256, 0), crowded(stripes(64, 64), 255, 0)]).toEqual([false, true]);
    const asRgba = (picture: Picture) => ({ ...picture, data: picture.rgba });
    expect([isCrowded(asRgba(corners(600, 4096))), isCrowded(asRgba(corners(600, 4097)))]).toEqual([false, true]);
    for (const code of [encodeQr(model("lenet5.mote")), encodeQr(randomBytes(MAX_QR_BYTES))]) {
      for (const modulePixels of [1, 4]) expect(isCrowded(asRgba(drawn(code, modulePixels)))).toBe(false);
    }
  });
});

describe("a film of lenet5's code", () => {
  it("gives its bytes by one way or another, each of which gives them or nothing", () => {
    const picture = photographed(encodeQr(model("lenet5.mote")), { scale: 3, turn: 0.8, noise: 5 });
    const found = Array.from({ length: 10 }, (_, way) => decodeQr(picture, way));
    expect(found).toContainEqual(undefined);
    expect(found.filter((bytes) => bytes !== undefined)).toContainEqual(model("lenet5.mote"));
  });
});

describe("warp", () => {
  const plane = { width: 3, height: 2, values: Float32Array.of(0, 10, 20, 30, 40, 50) };

  it("turns by a right angle, with paper where a pixel has no neighbours", () => {
    const { width, height, values } = warp(enlarge(plane), { turn: Math.PI / 2, tilt: [0, 0] });
    expect([width, height].map((side) => Math.round(side))).toEqual([4, 6]);
    expect(values[0]).toBe(255);
    const middle = warp({ ...plane, height: 2 }, { turn: 0, tilt: [0, 0] });
    expect([...middle.values]).toEqual([0, 10, 255, 255, 255, 255]);
  });

  it("shows what is farther away smaller", () => {
    const bar = { width: 100, height: 100, values: new Float32Array(1e4).fill(0) };
    const { values } = warp(bar, { turn: 0, tilt: [0, -0.5] });
    const dark = (row: number): number =>
      values.subarray(100 * row, 100 * row + 100).filter((value) => value < 9).length;
    expect(dark(10)).toBe(100);
    expect(dark(60)).toBeLessThan(100);
    expect(dark(90)).toBeLessThan(dark(60));
  });
});

describe("enlarge", () => {
  it("puts a quarter and three quarters between two pixels, and nothing outside", () => {
    const { width, height, values } = enlarge({ width: 2, height: 1, values: Float32Array.of(0, 8) });
    expect([width, height, ...values]).toEqual([4, 2, 0, 2, 6, 8, 0, 2, 6, 8]);
  });
});

describe("docs/lenet5-qr.png", () => {
  it("holds models/lenet5.mote; npm run models, or its last command, makes it anew", () => {
    const file = readFileSync(join(packageRoot, "docs/lenet5-qr.png"));
    expect(file.length).toBeLessThanOrEqual(30_000);
    const { width, height, data } = PNG.sync.read(file);
    expect(modelInPicture({ width, height, rgba: data }, "docs/lenet5-qr.png")).toEqual(model("lenet5.mote"));
  });
});
