/** QR codes for people: as SVG, as pixels, as characters of a terminal. A quiet zone is light modules around the code. */
import type { QrCode } from "./encode.js";

/** Modules that the standard wants around a code. */
export const QUIET_ZONE = 4;

export interface Layout {
  /** Pixels of a module's side. */
  readonly modulePixels: number;
  /** Modules. */
  readonly quietZone: number;
}

/** Pixels of a side. */
export function pictureSide({ side }: QrCode, { modulePixels, quietZone }: Layout): number {
  return (side + 2 * quietZone) * modulePixels;
}

/** One path of horizontal strokes: dark runs and the gaps between them. */
export function qrSvg(code: QrCode, layout: Layout): string {
  const { quietZone } = layout;
  const units = code.side + 2 * quietZone;
  const pixels = pictureSide(code, layout);
  const rows = code.modules.map((row, y) => `M${quietZone} ${y + quietZone}.5` + strokes(row));
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${pixels}" height="${pixels}" viewBox="0 0 ${units} ${units}">` +
    `<path fill="#fff" d="M0 0h${units}v${units}H0z"/>` +
    `<path stroke="#000" shape-rendering="crispEdges" d="${rows.join("")}"/></svg>\n`
  );
}

function strokes(row: readonly boolean[]): string {
  let text = "";
  for (let x = 0; x < row.length;) {
    let end = x;
    while (end < row.length && row[end] === row[x]) end++;
    if (row[x]) text += `h${end - x}`;
    else if (end < row.length) text += `m${end - x} 0`;
    x = end;
  }
  return text;
}

/** [side, side] of `pictureSide`, 0 = dark, 255 = light. */
export function qrPixels(code: QrCode, layout: Layout): Uint8Array {
  const { modulePixels, quietZone } = layout;
  const side = pictureSide(code, layout);
  const pixels = new Uint8Array(side * side).fill(255);
  code.modules.forEach((row, y) => {
    const first = (y + quietZone) * modulePixels * side;
    row.forEach((isDark, x) => {
      const at = first + (x + quietZone) * modulePixels;
      if (isDark) pixels.fill(0, at, at + modulePixels);
    });
    for (let line = 1; line < modulePixels; line++) pixels.copyWithin(first + line * side, first, first + side);
  });
  return pixels;
}

/** Columns and, at two modules a character, half as many lines. Light modules are the drawn ones: most terminals are dark. */
export function qrLines({ side, modules }: QrCode, quietZone: number): string[] {
  const units = side + 2 * quietZone;
  const isLight = (x: number, y: number): boolean => y < units && modules[y - quietZone]?.[x - quietZone] !== true;
  return Array.from({ length: Math.ceil(units / 2) }, (_, line) =>
    Array.from({ length: units }, (_, x) => {
      const [above, below] = [isLight(x, 2 * line), isLight(x, 2 * line + 1)];
      return above ? (below ? "█" : "▀") : below ? "▄" : " ";
    }).join(""),
  );
}
