/** Bytes as a QR code (ISO/IEC 18004): one segment of bytes, in the smallest code that holds them. */
import { encodeQR, type ErrorCorrection } from "qr";
import { MoteError } from "../errors.js";

/** What version 40 holds at the level L. */
export const MAX_QR_BYTES = 2_953;

/** The levels of error correction, the strongest first, and the percentage of the code that each puts right, as the standard has it. */
const LEVELS: readonly (readonly [level: ErrorCorrection, name: QrCode["level"], recoveredPercent: number])[] = [
  ["high", "H", 30],
  ["quartile", "Q", 25],
  ["medium", "M", 15],
  ["low", "L", 7],
];
/** The library draws no code without a frame. */
const FRAME = 1;

export interface QrCode {
  /** 1 .. 40 */
  readonly version: number;
  readonly level: "L" | "M" | "Q" | "H";
  /** About so much of the code may be unreadable. */
  readonly recoveredPercent: number;
  /** Modules of a side: 17 + 4 × version. */
  readonly side: number;
  /** [side][side], true where it is dark. */
  readonly modules: readonly (readonly boolean[])[];
}

/**
 * The smallest version that holds the bytes, at the strongest level at which it does.
 * @throws MoteError UNSUPPORTED for more than MAX_QR_BYTES
 */
export function encodeQr(bytes: Uint8Array): QrCode {
  if (bytes.length > MAX_QR_BYTES) {
    const [is, most] = [bytes.length, MAX_QR_BYTES].map((count) => count.toLocaleString("en"));
    throw new MoteError("UNSUPPORTED", `its ${is} bytes are too many for a QR code, which holds at most ${most}`);
  }
  const draw = (ecc: ErrorCorrection, version?: number): boolean[][] =>
    encodeQR("", "raw", { ecc, version, border: FRAME, encoding: "byte", textEncoder: () => bytes });
  const smallest = draw("low").length - 2 * FRAME;
  const version = (smallest - 17) / 4;
  for (const [ecc, level, recoveredPercent] of LEVELS) {
    let drawn: boolean[][];
    try {
      drawn = draw(ecc, version);
    } catch {
      continue; // They do not fit at this level; at the last they do.
    }
    const modules = drawn.slice(FRAME, -FRAME).map((row) => row.slice(FRAME, -FRAME));
    return { version, level, recoveredPercent, side: modules.length, modules };
  }
  throw new Error(`no level holds ${bytes.length} bytes in version ${version}`);
}
