/** `mote run`: a model on pictures or on a data set, by any engine. */
import { Command, InvalidArgumentError } from "commander";
import type { SampleSet } from "../host/data/data-set.js";
import { loadData, loadFiles } from "../host/node/data/load.js";
import { readPicture } from "../host/node/data/pictures.js";
import type { Optimization } from "../host/fast/optimization.js";
import { MoteError } from "../host/errors.js";
import { Progress } from "../host/node/progress.js";
import { classifyAll, type Tally } from "../host/engines/classify.js";
import type { Elements } from "../host/model/elements.js";
import type { EngineName } from "../host/engines/engine.js";
import { MODULE_ENGINES } from "../host/engines/open.js";
import {
  engineOption,
  engineOrDefault,
  grouped,
  openModel,
  optimizedModel,
  optimizeOption,
  parseBytes,
  runSummary,
  type OpenModel,
} from "./model-file.js";
import { addDataFlags, dataOptions, stepsOption, type DataFlags, type StepsFlag } from "./data-flags.js";
import { Output } from "./output.js";
import { describeResults, printResults, resultOf, tellsClasses, type Result } from "./run-results.js";

interface RunFlags extends DataFlags, StepsFlag {
  readonly engine?: EngineName;
  readonly limit?: number;
  readonly resident?: boolean;
  readonly qr?: boolean;
  readonly optimize: Optimization;
  readonly top?: number;
  readonly json?: boolean;
}

/** More results than this are summed up, not listed, but for those of streams in the JSON. */
const MAX_LISTED = 50;

export function runCommand(): Command {
  const command = new Command("run")
    .description("run a model on pictures, a file of samples or a data set")
    .argument("<model>", ".mote, or .wasm made by mote pack")
    .argument("[input...]", "PNG and JPEG files (digits: light on dark or dark on light), or one file as for --data");
  return addDataFlags(command)
    .addOption(engineOption())
    .option("--limit <bytes>", "linear memory the engine may use; default: what the model's plan needs", parseBytes)
    .option("--resident", "keep the model in linear memory instead of behind the window")
    .addOption(optimizeOption("run it as the fast module that pack makes of it"))
    .option("--qr", "the model is a picture, PNG or JPEG, of the QR code that mote qr made of it")
    .addOption(stepsOption())
    .option("--top <n>", "how many classes to list; default: up to 3 that are likely", parseTop)
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      "\nExamples:\n  mote run models/lenet5.mote --data mnist:test:100 --engine v8\n  mote run model.mote photo.png --top 5\n  mote run --qr code.jpg digit.png\n  mote run wake-word.mote --data frames.npy --steps all",
    )
    .action(run);
}

async function run(path: string, files: readonly string[], flags: RunFlags): Promise<void> {
  if ((flags.data === undefined) === (files.length === 0)) {
    throw new MoteError("ARGUMENT", "expected input files or --data, one of the two");
  }
  if (flags.optimize !== "size" && flags.engine !== undefined && !MODULE_ENGINES.includes(flags.engine)) {
    throw new MoteError(
      "ARGUMENT",
      `--optimize ${flags.optimize}: ${flags.engine} runs containers; expected --engine ${MODULE_ENGINES.join(" or ")}`,
    );
  }
  if (flags.resident === true && flags.engine !== undefined && !MODULE_ENGINES.includes(flags.engine)) {
    throw new MoteError(
      "ARGUMENT",
      `--resident: ${flags.engine} has the model decoded in its memory; expected --engine ${MODULE_ENGINES.join(" or ")}`,
    );
  }
  const output = new Output(flags);
  const engineOptions = {
    ...(flags.limit === undefined ? {} : { memoryLimit: flags.limit }),
    ...(flags.resident === undefined ? {} : { resident: flags.resident }),
  };
  const engine = engineOrDefault(flags.engine);
  const file = flags.qr === true ? await readQr(path) : undefined;
  const model = openModel(path, engine, engineOptions, await optimizedModel(path, flags.optimize, file), file);
  try {
    const options = dataOptions(flags, model.engine);
    const inputs = flags.data === undefined ? loadFiles(files, options) : loadData(flags.data, options);
    const progress = new Progress("run", inputs.count);
    const isClassifier = tellsClasses(model.engine);
    const results: Result[] = [];
    const isShort = inputs.count <= MAX_LISTED;
    const { steps = 1 } = flags;
    const isListed = isShort || (flags.json === true && steps > 1);
    const onResult = (index: number, _: unknown, logits: Elements): void => {
      if (isListed) results.push(resultOf(model.engine, logits, flags.top));
      progress.update(index + 1);
    };
    const classified = await classifyAll(model.engine, inputs, { onResult, steps });
    const tally = isClassifier ? classified : { ...classified, errors: undefined };
    if (isShort) printResults(inputs, results, model.engine.output.labels, output);
    else {
      progress.finish();
      const where = steps > 1 ? "; --json has them" : "";
      const count = grouped(inputs.count);
      output.lines([`The results of ${count} samples are not listed, those of up to ${MAX_LISTED} are${where}.`], 0);
    }
    printSummary(model, inputs, tally, output);
    output.json(() => {
      const listed = isListed ? { results: describeResults(inputs, results, model.engine.output.labels) } : {};
      return { ...runSummary(model, tally), ...listed };
    });
  } finally {
    model.engine.close();
  }
}

/** The model that `mote qr` drew, from a picture of it. @throws MoteError FILE, FORMAT */
async function readQr(path: string): Promise<Uint8Array> {
  const picture = readPicture(path);
  // Only this needs the decoder.
  const { modelInPicture } = await import("../host/qr/decode.js");
  return modelInPicture(picture, path);
}

function printSummary(
  { path, engine, containerBytes, streamBytes }: OpenModel,
  inputs: SampleSet,
  tally: Tally,
  output: Output,
): void {
  const errors = tally.errors ?? 0;
  const isSequence = tally.perSample > 1;
  const run = isSequence ? "step" : "inference";
  output.pairs([
    [
      "model",
      `${path}, ${streamBytes === undefined ? "" : "a stream of "}${grouped(streamBytes ?? containerBytes!)} bytes`,
    ],
    ["engine", `${engine.name}, ${grouped(engine.linearMemoryBytes)} bytes of linear memory`],
    ["samples", `${grouped(tally.samples)}${isSequence ? ` of ${tally.perSample} steps` : ""} (${inputs.source})`],
    ...(tally.errors === undefined
      ? []
      : [["errors", `${errors} (${((100 * errors) / tally.samples).toFixed(2)} %)`] as const]),
    ["time", `${tally.usPerInference.toFixed(0)} µs per ${run}`],
    ["model bytes read", `${grouped(tally.bytesRead)} per ${run}`],
  ]);
}

function parseTop(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(count >= 1 && count <= 65_535)) throw new InvalidArgumentError("expected a whole number, 1 .. 65535.");
  return count;
}
