import { encode } from "jpeg-js";
import { describe, expect, it } from "vitest";
import { decodeJpeg } from "../../host/node/data/jpeg.js";

/** Four quarters of a square of 16 pixels each, so that no way to turn it is another. */
const QUARTERS = [
  [250, 20],
  [90, 160],
];
const SIDE = 16;

function jpeg(quarters: readonly (readonly number[])[]): Buffer {
  const [width, height] = [SIDE * quarters[0].length, SIDE * quarters.length];
  const data = Buffer.alloc(4 * width * height, 255);
  for (let i = 0; i < width * height; i++) {
    const value = quarters[Math.floor(Math.floor(i / width) / SIDE)][Math.floor((i % width) / SIDE)];
    data.fill(value, 4 * i, 4 * i + 3);
  }
  return Buffer.from(encode({ width, height, data }, 100).data);
}

/** What stands in the middle of each quarter, rounded to what was drawn. */
function seen(bytes: Uint8Array): number[][] {
  const { width, height, rgba } = decodeJpeg(bytes, "photo.jpg");
  const at = (x: number, y: number): number => Math.round(rgba[4 * (y * width + x)] / 10) * 10;
  const range = (size: number): number[] => Array.from({ length: size / SIDE }, (_, i) => i * SIDE + SIDE / 2);
  return range(height).map((y) => range(width).map((x) => at(x, y)));
}

/** An orientation as a camera says it, behind another field. */
function exif(value: number, isLittle: boolean, type = 3): Buffer {
  const tiff = new DataView(new ArrayBuffer(38));
  tiff.setUint16(0, isLittle ? 0x4949 : 0x4d4d);
  tiff.setUint16(2, 42, isLittle);
  tiff.setUint32(4, 8, isLittle);
  tiff.setUint16(8, 2, isLittle);
  for (const [at, tag, kind, is] of [
    [10, 0x100, 3, 32],
    [22, 0x112, type, value],
  ]) {
    tiff.setUint16(at, tag, isLittle);
    tiff.setUint16(at + 2, kind, isLittle);
    tiff.setUint32(at + 4, 1, isLittle);
    tiff.setUint16(at + 8, is, isLittle);
  }
  return Buffer.from(tiff.buffer);
}

function withExif(file: Buffer, tiff: Uint8Array): Buffer {
  const content = Buffer.concat([Buffer.from("Exif\0\0"), tiff]);
  const length = content.length + 2;
  return Buffer.concat([
    file.subarray(0, 2),
    Buffer.from([0xff, 0xe1, length >> 8, length & 255]),
    content,
    file.subarray(2),
  ]);
}

describe("decodeJpeg", () => {
  const tall = [...QUARTERS, [200, 60]];
  const file = jpeg(tall);

  // As Exif 2.3 says where the file's first row and column are: top and left, top and right, bottom and right, …
  it.each([
    [1, tall],
    [
      2,
      [
        [20, 250],
        [160, 90],
        [60, 200],
      ],
    ],
    [
      3,
      [
        [60, 200],
        [160, 90],
        [20, 250],
      ],
    ],
    [
      4,
      [
        [200, 60],
        [90, 160],
        [250, 20],
      ],
    ],
    [
      5,
      [
        [250, 90, 200],
        [20, 160, 60],
      ],
    ],
    [
      6,
      [
        [200, 90, 250],
        [60, 160, 20],
      ],
    ],
    [
      7,
      [
        [60, 160, 20],
        [200, 90, 250],
      ],
    ],
    [
      8,
      [
        [20, 160, 60],
        [250, 90, 200],
      ],
    ],
  ])("turns a photo of orientation %i, as viewers do", (orientation, expected) => {
    for (const isLittle of [true, false]) {
      expect(seen(withExif(file, exif(orientation, isLittle))), String(isLittle)).toEqual(expected);
    }
  });

  it("takes a photo as it is whose Exif data is not sound", () => {
    const good = exif(6, true);
    expect(seen(withExif(file, good))).not.toEqual(tall);
    const far = Buffer.from(good);
    far.writeUInt32LE(0xffff_fff0, 4);
    const bad = [exif(0, true), exif(9, false), exif(6, true, 4), far, Buffer.from("II*"), Buffer.alloc(0)];
    for (let length = 0; length < 32; length++) bad.push(good.subarray(0, length));
    for (const tiff of bad) expect(seen(withExif(file, tiff))).toEqual(tall);
  });

  it("says in words what is wrong with a damaged one", () => {
    const tables = file.indexOf(Buffer.from([0xff, 0xc4]));
    const without = Buffer.concat([
      file.subarray(0, tables),
      file.subarray(tables + 2 + file.readUInt16BE(tables + 2)),
    ]);
    expect(() => decodeJpeg(without, "photo.jpg")).toThrow(
      "photo.jpg: broken JPEG: its tables and its data do not fit each other",
    );
  });
});
