/** Measurements as a table for people. */
import type { Measurement } from "../../host/node/firmware/measure.js";

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

/** The table's columns of words. */
export const MEASUREMENT_WORDS = COLUMNS.flatMap(([, isNumber], i) => (isNumber ? [] : [i]));

export const MEASUREMENT_LEGEND =
  "M instr: per inference, mean over the inputs. SRAM: static + heap (linear memory in it) + native stack, the more of stack (in any " +
  "slice) and start (while the engine starts); bytes. All without the bench and the board: docs/firmware.md, Counting";

/** Heads, then a row for each measurement. */
export function measurementTable(measurements: readonly Measurement[]): string[][] {
  return [COLUMNS.map(([title]) => title), ...measurements.map((m) => COLUMNS.map(([, , cell]) => cell(m)))];
}
