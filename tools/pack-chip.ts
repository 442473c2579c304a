/** What `mote pack` asks of nets as C of their own. */
import { basename, dirname, extname, join } from "node:path";
import { Option } from "commander";
import { CHIP_GOALS, type ChipGoal } from "../host/chip/goal.js";
import { MoteError } from "../host/errors.js";
import { OPTIMIZATIONS, type Optimization } from "../host/fast/optimization.js";
import type { LayoutFlags } from "./model-file.js";

type PackGoal = Optimization | ChipGoal;

export const isChipGoal = (goal: PackGoal): goal is ChipGoal => CHIP_GOALS.some((name) => name === goal);

export function packOptimizeOption(): Option {
  return new Option(
    "--optimize <for>",
    "size: the model stays a container; .wasm and aot: speed, a fast module, larger, whose weights are records that kernels take as they stand, " +
      "or sram, the same with less code; .c: flash, ram or speed, the whole net as C of its own, without interpreter and library",
  )
    .choices([...new Set([...OPTIMIZATIONS, ...CHIP_GOALS])])
    .default("size");
}

/** @throws MoteError ARGUMENT for a goal that a format does not have */
export function checkOptimize(goal: PackGoal, format: string): void {
  const goals: readonly PackGoal[] =
    format === "c" ? ["size", ...CHIP_GOALS] : format === "wasm" || format === "aot" ? OPTIMIZATIONS : ["size"];
  if (goals.includes(goal)) return;
  const formats = [
    ...(OPTIMIZATIONS.some((name) => name === goal) ? ["wasm", "aot"] : []),
    ...(isChipGoal(goal) ? ["c"] : []),
  ];
  throw new MoteError("ARGUMENT", `--optimize ${goal}: not for --format ${format}, expected ${formats.join(" or ")}`);
}

/** @throws MoteError ARGUMENT for a flag that says how a fast module is laid out, where none is made */
export function checkLayout({ sram, inputRows, bytePrice }: LayoutFlags, goal: PackGoal, format: string): void {
  if (goal !== "size" && format !== "c") return;
  const given = [
    ...(sram === "least" ? ["--sram least"] : []),
    ...(inputRows === true ? ["--input-rows"] : []),
    ...(bytePrice === undefined ? [] : ["--byte-price"]),
  ];
  if (given.length === 0) return;
  const problem = format === "c" ? "not for --format c, expected wasm or aot" : "expected --optimize speed or sram";
  const instead = sram === "least" ? ", or a number of bytes" : "";
  throw new MoteError("ARGUMENT", `${given[0]}: for fast modules, ${problem}${instead}`);
}

/** The files' path without extension: of a .c, or in a folder, by the net's name. */
export const chipPath = (out: string, input: string): string =>
  extname(out) === ".c" ? join(dirname(out), basename(out, ".c")) : join(out, basename(input, extname(input)));

export const chipName = (out: string, input: string): string => basename(chipPath(out, input));
