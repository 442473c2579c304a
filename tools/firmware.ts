/**
 * `npm run firmware`: builds the firmware for each board, runs it under QEMU on real digits and prints what it takes; or puts the C
 * library together for a project of your own.
 */
import { existsSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { readContainer } from "../host/container/read.js";
import { OPTIMIZATIONS, type Optimization } from "../host/fast/optimization.js";
import { loadDataSpec, loadInputFiles, type Inputs } from "../host/node/data/inputs.js";
import { readFile } from "../host/node/read-file.js";
import { MoteError } from "../host/errors.js";
import { readBaseline, regressions, writeBaseline } from "../host/node/firmware/baseline.js";
import { BOARDS, ENGINES, toolsOf, type FirmwareEngine } from "../host/node/firmware/boards.js";
import { keptForms, usualForm } from "../host/node/firmware/cases.js";
import { imageInputs, randomInputs } from "../host/node/firmware/inputs.js";
import {
  caseName,
  measure,
  type FirmwareCase,
  type FirmwareInputs,
  type FirmwareModel,
  type Measurement,
} from "../host/node/firmware/measure.js";
import { MODEL_NAMES } from "../host/node/firmware/models.js";
import { INSTALL_SCRIPT, missingTools, runTool } from "../host/node/firmware/tools.js";
import { packageRoot } from "../host/node/paths.js";
import { Progress } from "../host/node/progress.js";
import { describeExport, writeExport } from "./firmware/export.js";
import { MEASUREMENT_LEGEND, measurementTable, MEASUREMENT_WORDS } from "./firmware/table.js";
import { containerOf, namingFile } from "./model-file.js";
import { Output } from "./output.js";

const INPUTS = 20;
const MOST_INPUTS = 100;

interface FirmwareFlags {
  readonly board?: string;
  readonly engine?: FirmwareEngine;
  readonly optimize?: Optimization;
  readonly model?: string;
  readonly data?: string;
  readonly inputs?: number;
  readonly check?: boolean;
  readonly update?: boolean;
  readonly export?: string;
  readonly generic?: boolean;
  readonly json?: boolean;
}

export function firmwareCommand(): Command {
  return new Command("firmware")
    .description("build and run the firmware of each board under QEMU, measured; or export it for a project")
    .addOption(new Option("--board <name>", "only this board").choices(BOARDS.map(({ name }) => name)))
    .addOption(new Option("--engine <name>", "only this engine").choices(ENGINES))
    .addOption(
      new Option(
        "--optimize <for>",
        "speed: a fast module; sram: one with less code; size: a core and a container; default: speed where it fits, with --check and --update what bench/device.json keeps",
      ).choices(OPTIMIZATIONS),
    )
    .option("--model <name>", `only this model: ${MODEL_NAMES.join(", ")}, or any .mote file`)
    .option(
      "--data <what>",
      "what to run it on: mnist:test, or an idx file of images; default: mnist:test for the models above, chance for others",
    )
    .option("--inputs <n>", `how many inputs, 1 .. ${MOST_INPUTS}; default ${INPUTS}`, parseInputs)
    .option("--check", "fail when a figure is more than 2 % above bench/device.json")
    .option("--update", "write the figures to bench/device.json")
    .option("--export <folder>", "write the C library with the model to this folder instead, for a project")
    .option("--generic", "with --export: a container and the core for any model, not only this one")
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      "\nExamples:\n  npm run firmware -- --board lm3s6965evb --model lenet5 --engine wasm3\n" +
        "  npm run firmware -- --export firmware-examples/esp32/components/mote --model lenet5\n\n" +
        "--export replaces a folder that it made before, known by its mote-export.json, and no other.",
    )
    .action(firmware);
}

function parseInputs(text: string): number {
  const inputs = /^\d+$/.test(text) ? Number(text) : NaN;
  if (inputs >= 1 && inputs <= MOST_INPUTS) return inputs;
  throw new InvalidArgumentError(`expected 1 .. ${MOST_INPUTS}.`);
}

async function firmware(flags: FirmwareFlags): Promise<void> {
  refuseIdle(flags);
  if (flags.export !== undefined) return exportFolder(flags.export, flags);
  const output = new Output(flags);
  const cases = casesOf(flags);
  const boards = [...new Set(cases.map(({ board }) => board))];
  const missing = missingTools(toolsOf(boards, [...new Set(cases.map(({ engine }) => engine))]));
  if (missing.length > 0) {
    throw new MoteError("ENGINE", `not installed: ${missing.join(", ")}; mend with: sudo sh ${INSTALL_SCRIPT}`);
  }
  const inputs = inputsOf(cases, flags);
  const progress = new Progress("firmware", cases.length);
  const measurements: Measurement[] = [];
  const faults: string[] = [];
  for (const [index, one] of cases.entries()) {
    progress.update(index, caseName({ ...one, board: one.board.name, model: one.model.name }));
    try {
      measurements.push(await measure(one, inputs.get(one.model)!));
    } catch (error) {
      // Of many cases the others still count.
      if (cases.length === 1 || !(error instanceof MoteError)) throw error;
      faults.push(error.message);
    }
  }
  progress.update(cases.length, "");
  progress.finish();
  output.table(measurementTable(measurements), MEASUREMENT_WORDS);
  output.lines([MEASUREMENT_LEGEND]);
  if (flags.update === true) {
    const old = existsSync(join(packageRoot, "bench", "device.json")) ? readBaseline() : [];
    writeBaseline(measurements, await versions(toolsOf(BOARDS, ENGINES)), old);
  }
  faults.push(...measurements.flatMap(faultsOf));
  if (flags.check === true) {
    const baseline = readBaseline();
    faults.push(...measurements.flatMap((measurement) => regressions(measurement, baseline)));
  }
  for (const fault of faults) output.line(fault);
  output.json(() => (cases.length === 1 ? measurements[0] : { measurements }));
  if (faults.length > 0) throw new MoteError("MISMATCH", `firmware: ${faults.length} figures are not as they must be`);
}

/** Flags that would do nothing beside others. */
function refuseIdle(flags: FirmwareFlags): void {
  const refuse = (names: readonly (keyof FirmwareFlags)[], why: string): void => {
    for (const name of names) if (flags[name] !== undefined) throw new MoteError("ARGUMENT", `--${name}: ${why}`);
  };
  if (flags.export === undefined) {
    refuse(["generic"], "only with --export");
  } else {
    refuse(["board", "data", "inputs", "check", "update"], "not with --export, which writes source for any board");
  }
  if (flags.check === true || flags.update === true) {
    refuse(["data", "inputs"], "not with --check or --update: bench/device.json has figures of its own inputs");
    if (flags.model !== undefined && !MODEL_NAMES.includes(flags.model)) {
      throw new MoteError("ARGUMENT", `--model ${flags.model}: bench/device.json has ${MODEL_NAMES.join(", ")} only`);
    }
  }
}

async function exportFolder(folder: string, { model, engine, optimize, generic, json }: FirmwareFlags): Promise<void> {
  if (generic === true && optimize !== undefined && optimize !== "size") {
    throw new MoteError(
      "ARGUMENT",
      `--generic --optimize ${optimize}: a fast module is for one model, expected --optimize size`,
    );
  }
  const summary = await writeExport({
    folder,
    model: readModel(model ?? "lenet5"),
    engine: engine ?? "wasm3",
    form: generic === true ? "generic" : (optimize ?? "speed"),
  });
  const output = new Output({ json });
  for (const line of describeExport(summary)) output.line(line);
  output.json(() => summary);
}

function casesOf(flags: FirmwareFlags): FirmwareCase[] {
  const forms = (board: FirmwareCase["board"], engine: FirmwareEngine, model: string): readonly Optimization[] => {
    if (flags.optimize !== undefined) return [flags.optimize];
    const isKept = flags.update === true || flags.check === true;
    return isKept ? keptForms(board, engine, model) : [usualForm(board, engine, model)];
  };
  const chosen = (flags.model === undefined ? MODEL_NAMES : [flags.model]).map(readModel);
  return BOARDS.filter(({ name }) => flags.board === undefined || name === flags.board).flatMap((board) =>
    ENGINES.filter((engine) => flags.engine === undefined || engine === flags.engine).flatMap((engine) =>
      chosen
        // A board's list is what surely fits; whoever names a model may try.
        .filter(({ name }) => flags.model !== undefined || board.models?.includes(name) !== false)
        .flatMap((model) => forms(board, engine, model.name).map((optimize) => ({ board, engine, optimize, model }))),
    ),
  );
}

/** @param asked a shipped model's name, or a file */
function readModel(asked: string): FirmwareModel {
  const path = MODEL_NAMES.includes(asked) ? join(packageRoot, "models", `${asked}.mote`) : asked;
  const container = namingFile(path, () => {
    const bytes = containerOf(readFile(path));
    readContainer(bytes);
    return bytes;
  });
  return { name: basename(path, extname(path)), container };
}

/** What each of the cases' models is run on. */
function inputsOf(cases: readonly FirmwareCase[], flags: FirmwareFlags): Map<FirmwareModel, FirmwareInputs> {
  const isShipped = flags.model === undefined || MODEL_NAMES.includes(flags.model);
  const data = flags.data === undefined && !isShipped ? undefined : loadData(flags.data ?? "mnist:test");
  const count = flags.inputs ?? Math.min(INPUTS, data?.count ?? INPUTS);
  return new Map(
    cases.map(({ model }) => [
      model,
      data === undefined ? randomInputs(model, count) : imageInputs(model, data, count),
    ]),
  );
}

function loadData(what: string): Inputs {
  return what.startsWith("mnist:") ? loadDataSpec(what) : loadInputFiles([what]);
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
