/** Measurements for people: a table where the terminal is wide enough, otherwise a list. */
import type { Measurement } from "../../host/firmware/measure.js";

type Column = readonly [title: string, isNumber: boolean, cell: (m: Measurement) => string];

const million = (count: number): string => (count / 1e6).toFixed(count < 10e6 ? 2 : 1);

const COLUMNS: readonly Column[] = [
  ["board", false, (m) => m.board],
  ["engine", false, (m) => m.engine],
  ["for", false, (m) => m.optimize],
  ["model", false, (m) => m.model],
  ["right", false, (m) => (m.right === undefined ? "-" : `${m.right}/${m.inputs}`)],
  ["logits", false, (m) => (m.logitsEqual ? "equal" : "DIFFER")],
  ["M instr", true, (m) => million(m.instructions)],
  ["by layer", false, (m) => m.instructionsPerLayer.map(million).join(" ")],
  ["slice k", true, (m) => (m.longestSlice / 1000).toFixed(0)],
  ["linear", true, (m) => String(m.sramBytes.linear)],
  ["heap", true, (m) => String(m.sramBytes.heap)],
  ["stack", true, (m) => String(m.sramBytes.stack)],
  ["start", true, (m) => String(m.sramBytes.beginStack)],
  ["static", true, (m) => String(m.sramBytes.static)],
  ["SRAM", true, (m) => String(m.sramBytes.total)],
  ["code", true, (m) => String(m.flashBytes.code)],
  ["wasm", true, (m) => String(m.flashBytes.wasm)],
  ["model", true, (m) => String(m.flashBytes.model)],
  ["flash", true, (m) => String(m.flashBytes.total)],
];

const LEGEND =
  "M instr: per inference, mean over the inputs. SRAM: static + heap (linear memory in it) + native stack, the more of stack (in any " +
  "slice) and start (while the engine starts); bytes";

/** @param width of the terminal; undefined where there is none */
export function describeMeasurements(measurements: readonly Measurement[], width: number = Infinity): string {
  const table = [COLUMNS.map(([title]) => title), ...measurements.map((m) => COLUMNS.map(([, , cell]) => cell(m)))];
  const widths = COLUMNS.map((_, column) => Math.max(...table.map((row) => row[column].length)));
  if (widths.reduce((sum, cells) => sum + cells + 2, -2) > width) return list(measurements, width);
  const rows = table.map((row) =>
    row.map((cell, i) => (COLUMNS[i][1] ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join("  "),
  );
  return [...rows, LEGEND, ""].join("\n");
}

/** A line for what a measurement is of, then its figures, as many to a line as fit. */
function list(measurements: readonly Measurement[], width: number): string {
  const [heads, figures] = [COLUMNS.slice(0, 4), COLUMNS.slice(4)];
  const entries = measurements.map((m) =>
    [
      heads.map(([, , cell]) => cell(m)).join(" "),
      ...wrap(
        figures.map(([title, , cell]) => `${title} ${cell(m)}`),
        width,
      ),
    ].join("\n"),
  );
  return [...entries, ...wrap(LEGEND.split(" "), width, "", " "), ""].join("\n");
}

/** Joins words to lines of at most `width` columns; a longer word has a line of its own. */
function wrap(words: readonly string[], width: number, indent = "  ", between = ", "): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + between.length + word.length <= width)
      lines[lines.length - 1] = last + between + word;
    else lines.push(indent + word);
  }
  return lines;
}
