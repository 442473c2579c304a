/** The icons that have to be PNG files, drawn from those circles of icon.svg that are all it has; its corners are for the system to round. */
import { readFileSync } from "node:fs";
import pngjs from "pngjs";
import type { Plugin } from "vite";

const SIZES = [180, 192, 512];
/** Of the SVG's view box. */
const UNITS = 64;

interface Circle {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly colour: readonly number[];
}

export function icons(): Plugin {
  return {
    name: "mote-icons",
    apply: "build",
    generateBundle() {
      const svg = readFileSync(new URL("public/icon.svg", import.meta.url), "utf8");
      for (const size of SIZES) {
        this.emitFile({ type: "asset", fileName: `icon-${size}.png`, source: pngOf(svg, size) });
      }
    },
  };
}

/** @param size pixels of a side */
function pngOf(svg: string, size: number): Buffer {
  const background = rgb(/<rect[^>]*fill="(#\w+)"/.exec(svg)![1]);
  const group = rgb(/<g fill="(#\w+)"/.exec(svg)![1]);
  const circles = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)" r="([\d.]+)"(?: fill="(#\w+)")?/g)].map(
    ([, x, y, radius, colour]): Circle => ({ x: +x, y: +y, radius: +radius, colour: colour ? rgb(colour) : group }),
  );
  const png = new pngjs.PNG({ width: size, height: size });
  for (let i = 0; i < size * size; i++) {
    const x = (i % size) + 0.5;
    const y = Math.floor(i / size) + 0.5;
    let pixel = background;
    for (const circle of circles) {
      // How much of the pixel is inside, by its distance from the edge in pixels.
      const inside =
        ((circle.radius - Math.hypot(x * (UNITS / size) - circle.x, y * (UNITS / size) - circle.y)) * size) / UNITS;
      const share = Math.min(Math.max(inside + 0.5, 0), 1);
      if (share > 0)
        pixel = pixel.map((value, channel) => Math.round(value + share * (circle.colour[channel] - value)));
    }
    png.data.set([...pixel, 255], 4 * i);
  }
  return pngjs.PNG.sync.write(png);
}

function rgb(hex: string): number[] {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}
