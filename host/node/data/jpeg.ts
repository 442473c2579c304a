/** JPEG files. */
import { decode } from "jpeg-js";
import { orientationIn, upright, UPRIGHT } from "../../data/orientation.js";
import type { Picture } from "../../data/plane.js";
import { MoteError } from "../../errors.js";
import { MAX_PIXELS } from "./png.js";

/** Coefficients and pixels of the largest picture in three colours. */
const MAX_MEMORY_MIB = 1024;

/** Before the Exif data of a segment of its kind. */
const EXIF = "Exif\0\0";

/**
 * Turned as its Exif data says, as browsers and viewers show it.
 * @param name for messages
 * @throws MoteError FORMAT when it is no JPEG, is damaged, or larger than an 8K screen
 */
export function decodeJpeg(bytes: Uint8Array, name: string): Picture {
  const { width, height, orientation } = headOf(bytes, name);
  if (width * height > MAX_PIXELS) {
    throw new MoteError("FORMAT", `${name}: JPEG of ${width} × ${height} pixels, at most ${MAX_PIXELS} are taken`);
  }
  try {
    const picture = decode(bytes, { useTArray: true, tolerantDecoding: false, maxMemoryUsageInMB: MAX_MEMORY_MIB });
    return upright({ width: picture.width, height: picture.height, rgba: picture.data }, orientation);
  } catch (error) {
    // The decoder's own words, where it has some.
    const isFault = error instanceof TypeError || error instanceof RangeError;
    throw broken(name, isFault ? "its tables and its data do not fit each other" : (error as Error).message, error);
  }
}

/** Of the frame, which is looked for before anything is decoded: a file of a few bytes can claim any size. */
function headOf(bytes: Uint8Array, name: string): { width: number; height: number; orientation: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let orientation = UPRIGHT;
  for (let at = 2; at + 4 <= bytes.length;) {
    if (bytes[at] !== 0xff) throw broken(name, `no marker at byte ${at}`);
    const marker = bytes[at + 1];
    if (marker === 0xff) {
      at++;
      continue;
    }
    // The kinds of frame, of which three numbers are other tables.
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      if (at + 9 > bytes.length) break;
      return { height: view.getUint16(at + 5), width: view.getUint16(at + 7), orientation };
    }
    const end = at + 2 + view.getUint16(at + 2);
    const content = bytes.subarray(at + 4, end);
    const isExif = marker === 0xe1 && [...EXIF].every((byte, i) => content[i] === byte.charCodeAt(0));
    if (isExif && orientation === UPRIGHT) orientation = orientationIn(content.subarray(EXIF.length));
    at = end;
  }
  throw broken(name, "it ends before its size");
}

function broken(name: string, what: string, cause?: unknown): MoteError {
  return new MoteError("FORMAT", `${name}: broken JPEG: ${what}`, { cause });
}
