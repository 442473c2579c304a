/** PNG files made chunk by chunk: forms that pngjs reads but does not write, and broken ones. */
import { crc32 } from "../../host/container/crc32.js";
import { deflateSync } from "node:zlib";

export const SIGNATURE = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

export function chunk(type: string, data: Uint8Array = new Uint8Array()): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

export interface PngHeader {
  readonly width: number;
  readonly height: number;
  readonly depth?: number;
  readonly colourType?: number;
  readonly compression?: number;
  readonly filter?: number;
  readonly interlace?: number;
}

export function header({ width, height, depth = 8, colourType = 0, ...rest }: PngHeader): Buffer {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width, 0);
  data.writeUInt32BE(height, 4);
  data.set([depth, colourType, rest.compression ?? 0, rest.filter ?? 0, rest.interlace ?? 0], 8);
  return chunk("IHDR", data);
}

/** @param rows what is compressed: a filter byte before each row */
export function png(head: PngHeader, rows: Uint8Array, before: readonly Uint8Array[] = []): Buffer {
  return Buffer.concat([SIGNATURE, header(head), ...before, chunk("IDAT", deflateSync(rows)), chunk("IEND")]);
}
