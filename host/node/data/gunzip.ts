/** gzip-compressed files of a known format, unpacked to the size that their own header gives and no further. */
import { constants, gunzipSync } from "node:zlib";
import { isGzip } from "../../data/file-kind.js";
import { MAX_RATIO } from "../../data/npz.js";
import { MoteError } from "../../errors.js";

/** Enough of a file to hold any header. */
const HEAD_BYTES = 1024;

/**
 * @param sizeOf all bytes of the unpacked file, by its first ones
 * @returns `bytes` itself where it is not compressed
 * @throws MoteError FORMAT for damage, or more bytes than `sizeOf` says
 */
export function gunzip(bytes: Uint8Array, file: string, sizeOf: (head: Uint8Array) => number): Uint8Array {
  if (!isGzip(bytes)) return bytes;
  try {
    // A stream that is cut gives what it has.
    const head = gunzipSync(bytes.subarray(0, HEAD_BYTES), { finishFlush: constants.Z_SYNC_FLUSH });
    const most = Math.min(sizeOf(head), bytes.length * MAX_RATIO);
    return gunzipSync(bytes, { maxOutputLength: Math.max(1, most) });
  } catch (error) {
    if (error instanceof MoteError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const what = code === "ERR_BUFFER_TOO_LARGE" ? "is larger than its header says" : "is damaged";
    throw new MoteError("FORMAT", `${file}: what is compressed in it ${what}`, { cause: error });
  }
}
