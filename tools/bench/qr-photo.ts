/** A QR code as a camera may see it: turned, tilted, blurred, unevenly lit, noisy. */
import type { Picture } from "../../host/data/plane.js";
import { Random } from "../../host/rng.js";
import type { QrCode } from "../../host/qr/encode.js";

export interface View {
  /** Pixels of a module, in the middle of the picture. */
  readonly scale: number;
  /** Radians. */
  readonly turn?: number;
  /** How much larger the lower edge is seen than the upper: 0.2 is a fifth. */
  readonly tilt?: number;
  /** Side of the square that a pixel is the mean of, in modules. */
  readonly blur?: number;
  /** How much darker the left edge is than the right, of 1. */
  readonly shade?: number;
  /** Standard deviation, of 255. */
  readonly noise?: number;
}

/** Of a picture's side, what the code and its quiet zone take. */
const FILL = 0.6;
/** Ink and paper, of 255. */
const [INK, PAPER] = [30, 225];
/** Points a side of a pixel's square. */
const SAMPLES = 3;

/** The same picture for the same code and view. */
export function photographed({ side, modules }: QrCode, view: View): Picture {
  const { scale, turn = 0, tilt = 0, blur = 0, shade = 0, noise = 0 } = view;
  const size = Math.ceil((side * scale) / FILL);
  const rgba = new Uint8Array(4 * size * size).fill(255);
  const random = new Random(side, size);
  const dark = Uint8Array.from(modules.flat(), Number);
  const [cosine, sine] = [Math.cos(turn) / scale, Math.sin(turn) / scale];
  const bend = tilt / (side * scale);
  const step = Math.max(blur * scale, 1) / SAMPLES;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      let count = 0;
      for (let i = 0; i < SAMPLES; i++) {
        // From the picture's middle, in pixels; then from the code's corner, in modules.
        const v = y + 0.5 - size / 2 + (i - (SAMPLES - 1) / 2) * step;
        const depth = 1 + bend * v;
        for (let j = 0; j < SAMPLES; j++) {
          const u = x + 0.5 - size / 2 + (j - (SAMPLES - 1) / 2) * step;
          const column = Math.floor((u * cosine + v * sine) / depth + side / 2);
          const row = Math.floor((v * cosine - u * sine) / depth + side / 2);
          if (column >= 0 && column < side && row >= 0 && row < side) count += dark[row * side + column];
        }
      }
      const share = count / SAMPLES ** 2;
      const light = 1 - shade * (1 - x / size);
      const value = (share * INK + (1 - share) * PAPER) * light + (noise === 0 ? 0 : noise * random.normal());
      const grey = Math.min(255, Math.max(0, Math.round(value)));
      const at = 4 * (y * size + x);
      rgba[at] = rgba[at + 1] = rgba[at + 2] = grey;
    }
  }
  return { width: size, height: size, rgba };
}
