/** A small picture as a PNG in a data URI, for an HTML file that holds its pictures. */
import { zlibSync } from "fflate";
import { concatBytes } from "../bytes.js";
import { crc32 } from "../container/crc32.js";

const SIGNATURE = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
const [GREY, RGB] = [0, 2];

/** @param pixels [height, width] of grey, or [height, width, 3] of red, green and blue, 0 .. 255 */
export function pngOf(pixels: Uint8Array, width: number, height: number): Uint8Array {
  const channels = pixels.length / (width * height);
  if (channels !== 1 && channels !== 3)
    throw new RangeError(`PNG: ${pixels.length} values for ${width} × ${height} pixels`);
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, channels === 1 ? GREY : RGB], 8);
  const line = width * channels;
  // Each line begins with the number of its filter, 0.
  const lines = new Uint8Array(height * (line + 1));
  for (let y = 0; y < height; y++) lines.set(pixels.subarray(y * line, (y + 1) * line), y * (line + 1) + 1);
  return concatBytes([
    SIGNATURE,
    chunk("IHDR", head),
    chunk("IDAT", zlibSync(lines)),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

function chunk(name: string, data: Uint8Array): Uint8Array {
  const body = concatBytes([new TextEncoder().encode(name), data]);
  const file = new Uint8Array(body.length + 8);
  const view = new DataView(file.buffer);
  view.setUint32(0, data.length);
  file.set(body, 4);
  view.setUint32(4 + body.length, crc32(body));
  return file;
}

export function dataUri(png: Uint8Array): string {
  let text = "";
  for (const byte of png) text += String.fromCharCode(byte);
  return `data:image/png;base64,${btoa(text)}`;
}
