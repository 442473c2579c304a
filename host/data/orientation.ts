/** Which way up a picture is: cameras store it as the sensor has it, and say in its Exif data how to turn it. */
import type { Picture } from "./plane.js";

/** As it is. */
export const UPRIGHT = 1;
const MOST = 8;
const ORIENTATION_TAG = 0x112;
const SHORT = 3;
const [HEAD_BYTES, ENTRY_BYTES, MAGIC] = [8, 12, 42];
const LITTLE_ENDIAN = 0x49;
/** From 5 on rows are columns; of these the columns and rows of the file are counted from its right edge and from its bottom. */
const FIRST_TRANSPOSED = 5;
const FROM_RIGHT = [2, 3, 7, 8];
const FROM_BOTTOM = [3, 4, 6, 7];

/**
 * @param tiff Exif data, behind its name
 * @returns 1 .. 8 as TIFF 6.0 has them; 1 where nothing sound is said
 */
export function orientationIn(tiff: Uint8Array): number {
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const isLittle = tiff[0] === LITTLE_ENDIAN;
  const short = (at: number): number => (at + 2 <= tiff.length ? view.getUint16(at, isLittle) : 0);
  if (tiff.length < HEAD_BYTES || short(2) !== MAGIC) return UPRIGHT;
  const list = view.getUint32(4, isLittle);
  for (let entry = 0; entry < short(list); entry++) {
    const at = list + 2 + ENTRY_BYTES * entry;
    if (short(at) !== ORIENTATION_TAG) continue;
    const value = short(at + 8);
    return short(at + 2) === SHORT && value >= UPRIGHT && value <= MOST ? value : UPRIGHT;
  }
  return UPRIGHT;
}

/** The picture as it is to be seen. @param orientation 1 .. 8 */
export function upright(picture: Picture, orientation: number): Picture {
  if (orientation === UPRIGHT) return picture;
  const isTransposed = orientation >= FIRST_TRANSPOSED;
  const [columns, rows] = [picture.width, picture.height];
  const [width, height] = isTransposed ? [rows, columns] : [columns, rows];
  const [isFromRight, isFromBottom] = [FROM_RIGHT, FROM_BOTTOM].map((list) => list.includes(orientation));
  const rgba = new Uint8Array(4 * width * height);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 4) {
      const [across, down] = isTransposed ? [y, x] : [x, y];
      const column = isFromRight ? columns - 1 - across : across;
      const row = isFromBottom ? rows - 1 - down : down;
      const from = 4 * (row * columns + column);
      for (let c = 0; c < 4; c++) rgba[to + c] = picture.rgba[from + c];
    }
  }
  return { width, height, rgba };
}
