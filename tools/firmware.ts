/**
 * `npm run firmware`: builds the firmware for each board, runs it under QEMU on real digits and prints what it takes; or puts the C
 * library together for a project of your own.
 */
import { existsSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { readContainer } from "../host/container/read.js";
import { openReference } from "../host/engines/reference.js";
import { OPTIMIZATIONS, type Optimization } from "../host/fast/optimization.js";
import { loadRuns, randomRuns, type Runs } from "../host/node/data/runs.js";
import { readFile } from "../host/node/read-file.js";
import { MoteError } from "../host/errors.js";
import { readBaseline, regressions, writeBaseline } from "../host/node/firmware/baseline.js";
import { ENGINES, isFastOnly, type FirmwareEngine } from "../host/firmware/engines.js";
import { BOARDS, toolsOf } from "../host/node/firmware/boards.js";
import { keptForms, usualForm } from "../host/node/firmware/cases.js";
import { fittingForm, fittingSamples } from "../host/firmware/fit.js";
import { makeVectors } from "../host/node/data/vectors.js";
import { firmwareImage } from "../host/node/firmware/image.js";
import { firmwareInputs, inputSizes, type FirmwareInputs } from "../host/node/firmware/inputs.js";
import {
  caseName,
  measure,
  type FirmwareCase,
  type FirmwareModel,
  type Measurement,
} from "../host/node/firmware/measure.js";
import { MODEL_NAMES } from "../host/node/firmware/models.js";
import { INSTALL_SCRIPT, missingTools, runTool } from "../host/node/firmware/tools.js";
import { packageRoot } from "../host/node/paths.js";
import { Progress } from "../host/node/progress.js";
import { describeExport, writeExport } from "./firmware/export.js";
import { MEASUREMENT_LEGEND, measurementTable, MEASUREMENT_WORDS } from "./firmware/table.js";
import { addDataFlags, readingOf, stepsOption, type DataFlags, type StepsFlag } from "./data-flags.js";
import { flagOf } from "./flag-name.js";
import {
  BYTE_PRICE_HELP,
  containerOf,
  INPUT_ROWS_HELP,
  layoutOf,
  namingFile,
  parsePrice,
  parseRam,
  type LayoutFlags,
} from "./model-file.js";
import { Output } from "./output.js";

const INPUTS = 20;
const MOST_INPUTS = 100;
const SEED = 1;
/** Of an export's self-test. */
const VECTORS = 4;

interface FirmwareFlags extends DataFlags, LayoutFlags, StepsFlag {
  readonly board?: string;
  readonly engine?: FirmwareEngine;
  readonly optimize?: Optimization;
  readonly model?: string;
  readonly inputs?: number;
  readonly check?: boolean;
  readonly update?: boolean;
  readonly export?: string;
  readonly generic?: boolean;
  readonly json?: boolean;
}

export function firmwareCommand(): Command {
  const command = new Command("firmware")
    .description("build and run the firmware of each board under QEMU, measured; or export it for a project")
    .addOption(new Option("--board <name>", "only this board").choices(BOARDS.map(({ name }) => name)))
    .addOption(new Option("--engine <name>", "only this engine").choices(ENGINES))
    .addOption(
      new Option(
        "--optimize <for>",
        "speed: a fast module; sram: one with less code; size: a core and a container; default: speed where it fits, then sram, then size; with --check and --update what bench/device.json keeps",
      ).choices(OPTIMIZATIONS),
    )
    .option(
      "--sram <bytes>",
      "of linear memory: layers of a fast module go by lines where it takes more; least: where that saves any",
      parseRam,
    )
    .option("--model <name>", `only this model: ${MODEL_NAMES.join(", ")}, or any .mote file`)
    .option(
      "--inputs <n>",
      `how many samples of --data, or of chance, 1 .. ${MOST_INPUTS}; default: ${INPUTS}, or as many as flash has room for; with --export ${VECTORS}, for the self-test`,
      parseInputs,
    )
    .option("--check", "fail when a figure is more than 2 % above bench/device.json")
    .option("--update", "write the figures to bench/device.json")
    .option("--export <folder>", "write the C library with the model to this folder instead, for a project")
    .option("--input-rows", INPUT_ROWS_HELP)
    .option("--byte-price <n>", BYTE_PRICE_HELP, parsePrice)
    .option("--generic", "with --export: a container and the core for any model, not only this one")
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      "\nExamples:\n  npm run firmware -- --board lm3s6965evb --model lenet5 --engine wasm3\n" +
        "  npm run firmware -- --board netduinoplus2 --engine aot --model own.mote --data samples.npz\n" +
        "  npm run firmware -- --board netduinoplus2 --engine aot --model own.mote --sram least\n" +
        "  npm run firmware -- --export firmware-examples/esp32/components/mote --model lenet5\n\n" +
        "--export replaces a folder that it made before, known by its mote-export.json, and no other.",
    )
    .action(firmware);
  return addDataFlags(command.addOption(stepsOption()));
}

function parseInputs(text: string): number {
  const inputs = /^\d+$/.test(text) ? Number(text) : NaN;
  if (inputs >= 1 && inputs <= MOST_INPUTS) return inputs;
  throw new InvalidArgumentError(`expected 1 .. ${MOST_INPUTS}.`);
}

async function firmware(flags: FirmwareFlags): Promise<void> {
  refuseIdle(flags);
  for (const [flag, value] of [
    ["--sram", flags.sram],
    ["--input-rows", flags.inputRows],
    ["--byte-price", flags.bytePrice],
  ]) {
    if (value === undefined || (flags.generic !== true && flags.optimize !== "size")) continue;
    throw new MoteError("ARGUMENT", `${flag}: for fast modules, expected --optimize speed or sram`);
  }
  refuseForm(flags.engine, flags.generic === true ? "generic" : flags.optimize);
  if (flags.export !== undefined) return exportFolder(flags.export, flags);
  const output = new Output(flags);
  const models = (flags.model === undefined ? MODEL_NAMES : [flags.model]).map(readModel);
  const data = flags.data ?? (isShipped(flags) ? "mnist:test" : undefined);
  const runs = new Map(models.map((model) => [model, namingFile(model.name, () => runsOf(model, data, flags))]));
  const cases = casesOf(models, flags);
  const boards = [...new Set(cases.map(({ board }) => board))];
  const missing = missingTools(toolsOf(boards, [...new Set(cases.map(({ engine }) => engine))]));
  if (missing.length > 0) {
    throw new MoteError("ENGINE", `not installed: ${missing.join(", ")}; mend with: sudo sh ${INSTALL_SCRIPT}`);
  }
  const progress = new Progress("firmware", cases.length);
  const measurements: Measurement[] = [];
  const faults: string[] = [];
  for (const [index, one] of cases.entries()) {
    progress.update(index, caseName({ ...one, board: one.board.name, model: one.model.name }));
    const inputs = inputsOf(one, runs.get(one.model)!, flags.inputs);
    try {
      measurements.push(await measure(one, inputs));
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
    for (const name of names) {
      if (flags[name] !== undefined) throw new MoteError("ARGUMENT", `${flagOf(name)}: ${why}`);
    }
  };
  if (flags.data === undefined) refuse(["steps"], "says which samples are a stream; expected --data");
  if (flags.export === undefined) {
    refuse(["generic"], "only with --export");
  } else {
    refuse(["board", "labels", "check", "update"], "not with --export, which writes source for any board");
  }
  if (flags.check === true || flags.update === true) {
    const samples = ["data", "labels", "layout", "scale", "mean", "std", "steps", "inputs"] as const;
    refuse(["sram", "inputRows", "bytePrice"], "not with --check or --update: bench/device.json has figures without");
    refuse(samples, "not with --check or --update: bench/device.json has figures of its own inputs");
    if (flags.model !== undefined && !MODEL_NAMES.includes(flags.model)) {
      throw new MoteError("ARGUMENT", `--model ${flags.model}: bench/device.json has ${MODEL_NAMES.join(", ")} only`);
    }
  }
}

/** @throws MoteError ARGUMENT for a form that the engine does not run */
function refuseForm(engine: FirmwareEngine | undefined, form: string | undefined): void {
  if (engine === undefined || !isFastOnly(engine) || form === undefined || form === "speed" || form === "sram") return;
  const flag = form === "generic" ? "--generic" : `--optimize ${form}`;
  throw new MoteError(
    "ARGUMENT",
    `--engine ${engine} ${flag}: it runs fast modules only, expected --optimize speed or sram`,
  );
}

async function exportFolder(folder: string, flags: FirmwareFlags): Promise<void> {
  const { engine, optimize, generic, json } = flags;
  if (generic === true && optimize !== undefined && optimize !== "size") {
    throw new MoteError(
      "ARGUMENT",
      `--generic --optimize ${optimize}: a fast module is for one model, expected --optimize size`,
    );
  }
  const model = readModel(flags.model ?? "lenet5");
  const runs = namingFile(model.name, () => runsOf(model, flags.data, flags));
  const summary = await writeExport({
    folder,
    model,
    engine: engine ?? "wasm3",
    form: generic === true ? "generic" : (optimize ?? "speed"),
    layout: layoutOf(flags),
    vectors: makeVectors(model.container, runs, flags.inputs ?? Math.min(VECTORS, runs.count / runs.perSample)),
  });
  const output = new Output({ json });
  for (const line of describeExport(summary)) output.line(line);
  output.json(() => summary);
}

function casesOf(models: readonly FirmwareModel[], flags: FirmwareFlags): FirmwareCase[] {
  const forms = (
    board: FirmwareCase["board"],
    engine: FirmwareEngine,
    model: FirmwareModel,
  ): readonly Optimization[] => {
    if (flags.optimize !== undefined) return [flags.optimize];
    if (isLaidOut(flags)) return ["speed"];
    const isKept = flags.update === true || flags.check === true;
    if (isKept) return keptForms(board, engine, model.name);
    return [
      isShipped(flags)
        ? usualForm(board, engine, model.name)
        : fittingForm(board, engine, (form) => firmwareImage(model.container, form)).optimize,
    ];
  };
  const imageOf = ({ name, container }: FirmwareModel, optimize: Optimization): Pick<FirmwareCase, "image"> =>
    isLaidOut(flags) ? { image: namingFile(name, () => firmwareImage(container, optimize, layoutOf(flags))) } : {};
  return BOARDS.filter(({ name }) => flags.board === undefined || name === flags.board).flatMap((board) =>
    ENGINES.filter((engine) => flags.engine === undefined || engine === flags.engine)
      .filter((engine) => !(isFastOnly(engine) && flags.optimize === "size"))
      .flatMap((engine) =>
        models
          // A board's list is what surely fits; whoever names a model may try.
          .filter(({ name }) => flags.model !== undefined || board.models?.includes(name) !== false)
          .flatMap((model) =>
            forms(board, engine, model).map((optimize) => ({
              board,
              engine,
              optimize,
              model,
              ...imageOf(model, optimize),
            })),
          ),
      ),
  );
}

const isLaidOut = ({ sram, inputRows, bytePrice }: FirmwareFlags): boolean =>
  sram !== undefined || inputRows === true || bytePrice !== undefined;

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

/** Whether the models are those of models/. */
function isShipped({ model }: FirmwareFlags): boolean {
  return model === undefined || MODEL_NAMES.includes(model);
}

/** What a model may be run on: all samples that `data` names, or elements by chance, which are one stream. */
function runsOf({ container }: FirmwareModel, data: string | undefined, flags: FirmwareFlags): Runs {
  if (data === undefined) return randomRuns(MOST_INPUTS, SEED);
  const engine = openReference(container);
  const options = { labels: flags.labels, classes: engine.output.labels, reading: readingOf(flags) };
  return loadRuns(data, engine, options, flags.steps);
}

/** As many as were asked for, or as flash has room for. */
function inputsOf({ board, engine, optimize, model, ...of }: FirmwareCase, runs: Runs, asked?: number): FirmwareInputs {
  const sizes = inputSizes(model.container);
  const bytes = sizes.reduce((sum, size) => sum + size, 0) * runs.perSample;
  const image = of.image ?? firmwareImage(model.container, optimize);
  const count = asked ?? Math.min(INPUTS, runs.count / runs.perSample, fittingSamples(board, image, engine, bytes));
  return firmwareInputs(sizes, runs, count);
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
