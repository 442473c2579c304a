/** The memory plan over time as SVG: addresses from the top down, the layers of a run from left to right. */
import { escaped } from "../../host/report/error-plot.js";
import type { MemoryFacts } from "./protocol.js";
import { grouped } from "./tables.js";

const [WIDTH, HEIGHT] = [720, 360];
const [LEFT, RIGHT, TOP, BOTTOM] = [72, 8, 8, 44];
const [INNER_WIDTH, INNER_HEIGHT] = [WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM];
/** Smaller rectangles have no room for words. */
const [WORD_WIDTH, WORD_HEIGHT] = [70, 15];
const TICKS = 4;
const MOST_MARKS = 12;

/** A column for each layer, and one before and behind them for what the host writes and reads. Classes are those of shrink.css. */
export function memoryPicture({ bytes, regions, lives, steps }: MemoryFacts): string {
  const columns = steps + 2;
  const x = (step: number): number => LEFT + (INNER_WIDTH * Math.min(columns, Math.max(0, step + 1))) / columns;
  const y = (address: number): number => TOP + (INNER_HEIGHT * address) / Math.max(1, bytes);
  const parts: string[] = [];
  for (let tick = 0; tick <= TICKS; tick++) {
    const address = Math.round((bytes * tick) / TICKS);
    parts.push(
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${fixed(y(address))}" y2="${fixed(y(address))}"/>`,
      `<text class="mark end" x="${LEFT - 8}" y="${fixed(y(address) + 4)}">${grouped(address)}</text>`,
    );
  }
  for (const { name, address, bytes: size } of regions) {
    if (name === "arena" || size === 0) continue;
    const what = `${name}: ${grouped(size)} bytes at ${grouped(address)}, all the time`;
    parts.push(rectangle("region", LEFT, y(address), INNER_WIDTH, y(address + size) - y(address), what, name));
  }
  // Larger ones first, so that parts of a tensor lie on top of it.
  lives
    .map((life, index) => ({ ...life, index }))
    .toSorted((a, b) => b.bytes - a.bytes)
    .forEach(({ index, name, address, bytes: size, first, last }) => {
      const what = `tensor ${index}, ${name}: ${grouped(size)} bytes at ${grouped(address)}, ${spanText(first, last, steps)}`;
      const left = x(Math.max(-1, first));
      const height = y(address + size) - y(address);
      const words = `${index}: ${name}`;
      parts.push(rectangle(`tensor tint${index % 4}`, left, y(address), x(last + 1) - left, height, what, words));
    });
  const every = Math.ceil(columns / MOST_MARKS);
  for (let step = 0; step < steps; step += every) {
    const middle = (x(step) + x(step + 1)) / 2;
    parts.push(`<text class="mark middle" x="${fixed(middle)}" y="${HEIGHT - BOTTOM + 18}">${step}</text>`);
  }
  parts.push(`<text class="mark middle" x="${LEFT + INNER_WIDTH / 2}" y="${HEIGHT - 6}">layer</text>`);
  const title = `Linear memory of ${grouped(bytes)} bytes: which tensor lies where while which layer runs`;
  return `<svg class="memory" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">${parts.join("")}</svg>`;
}

/** "from layer 0 to 2" */
export function spanText(first: number, last: number, steps: number): string {
  const begin = first < 0 ? "from before the run" : `from layer ${first}`;
  return `${begin} ${last >= steps ? "to behind the run" : `to layer ${last}`}`;
}

function rectangle(
  classes: string,
  x: number,
  y: number,
  width: number,
  height: number,
  title: string,
  words: string,
): string {
  const hasRoom = width >= Math.max(WORD_WIDTH, words.length * 6.6 + 8) && height >= WORD_HEIGHT;
  const text = hasRoom
    ? `<text class="word middle" x="${fixed(x + width / 2)}" y="${fixed(y + height / 2 + 4)}">${escaped(words)}</text>`
    : "";
  const size = `width="${fixed(Math.max(1, width - 1))}" height="${fixed(Math.max(1, height - 0.5))}"`;
  return `<g class="${classes}"><title>${escaped(title)}</title><rect x="${fixed(x)}" y="${fixed(y)}" ${size} rx="2"/>${text}</g>`;
}

const fixed = (value: number): string => String(Number(value.toFixed(1)));
