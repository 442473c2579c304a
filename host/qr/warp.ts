/** A picture seen from elsewhere. */
import type { Plane } from "../data/plane.js";

export interface Warp {
  /** Radians. */
  readonly turn: number;
  /** How much nearer the right and the lower edge of the picture come than the left and the upper, as a share. */
  readonly tilt: readonly [right: number, down: number];
}

/** Of what is outside the picture, 0 .. 255. */
const OUTSIDE = 255;

/** Tilted, then turned around the middle, and as large as that takes; linear between pixels. */
export function warp(plane: Plane, { turn, tilt: [right, down] }: Warp): Plane {
  const [cosine, sine] = [Math.cos(turn), Math.sin(turn)];
  const width = Math.ceil(plane.width * Math.abs(cosine) + plane.height * Math.abs(sine));
  const height = Math.ceil(plane.width * Math.abs(sine) + plane.height * Math.abs(cosine));
  const values = new Float32Array(width * height).fill(OUTSIDE);
  const side = Math.max(plane.width, plane.height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [across, along] = [x + 0.5 - width / 2, y + 0.5 - height / 2];
      const u = across * cosine + along * sine;
      const v = along * cosine - across * sine;
      const depth = 1 + (right * u + down * v) / side;
      const value = valueAt(plane, u / depth + plane.width / 2 - 0.5, v / depth + plane.height / 2 - 0.5);
      if (value !== undefined) values[y * width + x] = value;
    }
  }
  return { width, height, values };
}

/** Undefined outside. */
function valueAt({ width, height, values }: Plane, x: number, y: number): number | undefined {
  if (!(x >= 0 && y >= 0 && x < width - 1 && y < height - 1)) return undefined;
  const [column, row] = [Math.floor(x), Math.floor(y)];
  const [across, down] = [x - column, y - row];
  const at = row * width + column;
  const above = values[at] * (1 - across) + values[at + 1] * across;
  const below = values[at + width] * (1 - across) + values[at + width + 1] * across;
  return above * (1 - down) + below * down;
}
