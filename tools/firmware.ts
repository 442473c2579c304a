/**
 * `npm run firmware`: builds the firmware for each board, runs it under QEMU on real digits and prints what it takes; or puts the C
 * library together for a project of your own.
 */
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { Command, Option } from "commander";
import { MODEL_NAMES } from "../host/firmware/models.js";
import { readFile } from "../host/data/inputs.js";
import { loadMnist } from "../host/data/mnist.js";
import { MoteError } from "../host/errors.js";
import { readBaseline, regressions, writeBaseline } from "../host/firmware/baseline.js";
import { BOARDS, ENGINES, toolsOf, type FirmwareEngine } from "../host/firmware/boards.js";
import { keptForms, usualForm } from "../host/firmware/cases.js";
import { exportProject } from "../host/firmware/export.js";
import { OPTIMIZATIONS, type Optimization } from "../host/container/optimization.js";
import { firmwareImage, genericImage } from "../host/firmware/image.js";
import {
  caseName,
  measure,
  type Digits,
  type FirmwareCase,
  type FirmwareModel,
  type Measurement,
} from "../host/firmware/measure.js";
import { INSTALL_SCRIPT, missingTools, runTool } from "../host/firmware/tools.js";
import { packageRoot } from "../host/paths.js";
import { Progress } from "../host/progress.js";

const LEAST_DIGITS = 20;

interface FirmwareFlags {
  readonly board?: string;
  readonly engine?: FirmwareEngine;
  readonly optimize?: Optimization;
  readonly model?: string;
  readonly digits: number;
  readonly update?: boolean;
  readonly check?: boolean;
  readonly export?: string;
  readonly generic?: boolean;
  readonly json?: boolean;
}

export function firmwareCommand(): Command {
  return new Command("firmware")
    .description("build and run the firmware of each board under QEMU, measured")
    .addOption(new Option("--board <name>", "only this board").choices(BOARDS.map(({ name }) => name)))
    .addOption(new Option("--engine <name>", "only this engine").choices(ENGINES))
    .addOption(
      new Option(
        "--optimize <for>",
        "speed: a fast module; sram: one with less code; size: a core and a container; default: speed where it fits, with --check and --update what bench/device.json keeps",
      ).choices(OPTIMIZATIONS),
    )
    .option("--model <name>", `only this model: ${MODEL_NAMES.join(", ")}, or a .mote file`)
    .option("--digits <n>", `MNIST test digits a run, at least ${LEAST_DIGITS}`, parseDigits, LEAST_DIGITS)
    .option("--check", "fail when a figure is more than 2 % above bench/device.json")
    .option("--update", "write the figures to bench/device.json")
    .option("--export <folder>", "write the C library with the model to this folder instead, for a project")
    .option("--generic", "with --export: a container and the core for any model, not only this one")
    .option("--json", "print one JSON object as the last line")
    .addHelpText(
      "after",
      "\nExamples:\n  npm run firmware -- --board lm3s6965evb --model lenet5 --engine wasm3\n" +
        "  npm run firmware -- --export firmware-examples/esp32/components/mote --model lenet5",
    )
    .action(firmware);
}

function parseDigits(text: string): number {
  const digits = Number(text);
  if (Number.isInteger(digits) && digits >= LEAST_DIGITS && digits <= 100) return digits;
  throw new MoteError("ARGUMENT", `--digits ${text}: expected a whole number, ${LEAST_DIGITS} .. 100`);
}

async function firmware(flags: FirmwareFlags): Promise<void> {
  if (flags.export !== undefined) {
    await writeProject(flags.export, flags);
    return;
  }
  const cases = casesOf(flags);
  const boards = [...new Set(cases.map(({ board }) => board))];
  const missing = missingTools(toolsOf(boards, [...new Set(cases.map(({ engine }) => engine))]));
  if (missing.length > 0) {
    throw new MoteError("ENGINE", `not installed: ${missing.join(", ")}; mend with: sudo sh ${INSTALL_SCRIPT}`);
  }
  const digits = testDigits(flags.digits);
  const progress = new Progress("firmware", cases.length);
  const measurements: Measurement[] = [];
  const faults: string[] = [];
  for (const [index, one] of cases.entries()) {
    progress.update(index, caseName({ ...one, board: one.board.name, model: one.model.name }));
    try {
      measurements.push(await measure(one, digits));
    } catch (error) {
      // Of many cases the others still count.
      if (cases.length === 1 || !(error instanceof MoteError)) throw error;
      faults.push(error.message);
    }
  }
  progress.update(cases.length, "");
  progress.finish();
  printTable(measurements);
  if (flags.update === true) {
    const old = existsSync(join(packageRoot, "bench", "device.json")) ? readBaseline() : [];
    writeBaseline(measurements, await versions(toolsOf(BOARDS, ENGINES)), old);
  }
  faults.push(...measurements.flatMap(faultsOf));
  if (flags.check === true) {
    const baseline = readBaseline();
    faults.push(...measurements.flatMap((measurement) => regressions(measurement, baseline)));
  }
  for (const fault of faults) console.log(fault);
  if (flags.json === true) console.log(JSON.stringify(cases.length === 1 ? measurements[0] : { measurements }));
  if (faults.length > 0) throw new MoteError("MISMATCH", `firmware: ${faults.length} figures are not as they must be`);
}

async function writeProject(folder: string, { model, engine, optimize, generic }: FirmwareFlags): Promise<void> {
  if (generic === true && optimize !== undefined && optimize !== "size") {
    throw new MoteError(
      "ARGUMENT",
      `--generic --optimize ${optimize}: a fast module is for one model, expected --optimize size`,
    );
  }
  const [{ name, container }] = models(model ?? "lenet5");
  const image = generic === true ? genericImage(container) : firmwareImage(container, optimize ?? "speed");
  for (const path of await exportProject(folder, name, image, engine ?? "wasm3")) console.log(path);
}

function casesOf(flags: FirmwareFlags): FirmwareCase[] {
  const forms = (board: FirmwareCase["board"], engine: FirmwareEngine, model: string): readonly Optimization[] => {
    if (flags.optimize !== undefined) return [flags.optimize];
    const isKept = flags.update === true || flags.check === true;
    return isKept ? keptForms(board, engine, model) : [usualForm(board, engine, model)];
  };
  const chosen = models(flags.model);
  const cases = BOARDS.filter(({ name }) => flags.board === undefined || name === flags.board).flatMap((board) =>
    board.engines
      .filter((engine) => flags.engine === undefined || engine === flags.engine)
      .flatMap((engine) =>
        chosen
          // A board's list is what surely fits; whoever names a model may try.
          .filter(({ name }) => flags.model !== undefined || board.models?.includes(name) !== false)
          .flatMap((model) => forms(board, engine, model.name).map((optimize) => ({ board, engine, optimize, model }))),
      ),
  );
  if (cases.length > 0) return cases;
  throw new MoteError("ARGUMENT", `--board ${flags.board}: has no engine ${flags.engine}`);
}

function models(asked: string | undefined): FirmwareModel[] {
  const paths =
    asked === undefined
      ? MODEL_NAMES.map((name) => join(packageRoot, "models", `${name}.mote`))
      : [MODEL_NAMES.includes(asked) ? join(packageRoot, "models", `${asked}.mote`) : asked];
  return paths.map((path) => ({ name: basename(path, ".mote"), container: readFile(path) }));
}

function testDigits(count: number): Digits {
  const { test } = loadMnist();
  const size = test.images.length / test.labels.length;
  return { count, images: test.images.subarray(0, count * size), labels: test.labels.subarray(0, count) };
}

async function versions(tools: readonly string[]): Promise<Record<string, string>> {
  const lines = tools.map(async (tool) => [tool, (await runTool(tool, ["--version"])).stdout.split("\n")[0].trim()]);
  return Object.fromEntries(await Promise.all(lines)) as Record<string, string>;
}

/** What makes a measurement worthless, whatever its figures. */
function faultsOf(m: Measurement): string[] {
  const name = caseName(m);
  return [
    ...(m.logitsEqual ? [] : [`${name}: logits differ from the host's reference`]),
    ...(m.survivedDamage ? [] : [`${name}: did not survive damaged files`]),
  ];
}

function printTable(measurements: readonly Measurement[]): void {
  const million = (count: number): string => (count / 1e6).toFixed(count < 10e6 ? 2 : 1);
  const header = ["board", "engine", "for", "model", "right", "logits", "M instr", "by layer", "slice k"];
  const bytes = ["linear", "heap", "stack", "start", "static", "SRAM", "code", "wasm", "model", "flash"];
  const rows = measurements.map((m) => [
    m.board,
    m.engine,
    m.optimize,
    m.model,
    `${m.right}/${m.digits}`,
    m.logitsEqual ? "equal" : "DIFFER",
    million(m.instructions),
    m.instructionsPerLayer.map(million).join(" "),
    (m.longestSlice / 1000).toFixed(0),
    ...[
      m.sramBytes.linear,
      m.sramBytes.heap,
      m.sramBytes.stack,
      m.sramBytes.beginStack,
      m.sramBytes.static,
      m.sramBytes.total,
    ].map(String),
    ...[m.flashBytes.code, m.flashBytes.wasm, m.flashBytes.model, m.flashBytes.total].map(String),
  ]);
  const table = [[...header, ...bytes], ...rows];
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  for (const row of table) {
    // Words to the left, numbers to the right.
    console.log(
      row.map((cell, i) => (i < 6 || i === 7 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  "),
    );
  }
  console.log(
    "M instr: per inference, mean over the digits. SRAM: static + heap (linear memory in it) + native stack, the more of stack (in any " +
      "slice) and start (while the engine starts); bytes",
  );
}
