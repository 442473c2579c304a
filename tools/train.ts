/** `mote train`: a dense float net from digits, with checkpoints to go on from. */
import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError, Option } from "commander";
import { loadMnist } from "../host/node/data/mnist.js";
import { MoteError } from "../host/errors.js";
import { Progress } from "../host/node/progress.js";
import { augmentationText, parseAugmentation, type Augmentation } from "../host/train/augment.js";
import { noBetterThanChance } from "../host/train/classes.js";
import { namedNet } from "../host/train/nets.js";
import { readRun, trainRun, type RunSettings } from "../host/node/train/run.js";
import { nodeRuntime } from "../host/node/train/runtime.js";
import { Trainer } from "../host/train/trainer.js";
import { interruptible } from "./interrupt.js";
import { Output } from "./output.js";

interface Flags extends Partial<RunSettings> {
  readonly net?: string;
  readonly data: string;
  readonly out: string;
  readonly threads: number;
  readonly resume?: true;
  readonly test?: true;
  readonly json?: true;
}

/** What gives a good net of each kind: validation errors of 0.50 % (lenet5) and 0.70 % (lenet300) with these. */
const DEFAULTS: Readonly<Record<string, RunSettings>> = {
  lenet5: { epochs: 18, lr: 1.3e-3, lrEnd: 1e-5, batch: 128, weightDecay: 0.02, augment: 0.75, seed: 1 },
  lenet300: { epochs: 40, lr: 1.5e-3, lrEnd: 1e-5, batch: 128, weightDecay: 0.02, augment: 0.6, seed: 1 },
};
const SETTINGS = ["epochs", "lr", "lrEnd", "batch", "weightDecay", "augment", "seed"] as const;

/** A batch is cut into four shards of whole blocks of eight samples. */
const BATCH_UNIT = 32;

export function trainCommand(): Command {
  return new Command("train")
    .description("train a dense float net")
    .addOption(new Option("--net <name>", "which net").choices(Object.keys(DEFAULTS)))
    .addOption(new Option("--data <name>", "which digits").choices(["mnist"]).default("mnist"))
    .requiredOption("-o, --out <file>", "the trained net (.safetensors); rewritten after each epoch")
    .option("--epochs <n>", "passes over the training digits (default: 18 for lenet5, 40 for lenet300)", positive)
    .option("--lr <rate>", "Adam's learning rate at the start", positive)
    .option("--lr-end <rate>", "learning rate at the end of the half cosine (default: 0.00001)", notNegative)
    .option("--batch <n>", `digits a step, a multiple of ${BATCH_UNIT} (default: 128)`, batch)
    .option("--weight-decay <x>", "decoupled: weights shrink by rate × x a step (default: 0.02)", notNegative)
    .option(
      "--augment <how>",
      "shifts, rotations and elastic distortions, 0 none .. 1 strong; or such as distort=0.5,noise=40,background=60",
      augmentation,
    )
    .option("--seed <n>", "initial weights, order and distortions (default: 1)", wholeNumber(0))
    .option(
      "--threads <n>",
      "worker threads; the result does not depend on it",
      wholeNumber(1),
      Math.min(4, availableParallelism()),
    )
    .option("--resume", "go on from --out, with the settings it was started with")
    .option("--test", "measure on the test digits at the end")
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      "\nExample:\n  mote train --net lenet5 --data mnist --out lenet5.safetensors\n  mote train --resume --out lenet5.safetensors    after Ctrl-C or a power cut",
    )
    .action(train);
}

async function train(flags: Flags): Promise<void> {
  const { out: file, threads } = flags;
  const output = new Output({ json: flags.json, files: [file] });
  const started = performance.now();
  const earlier = flags.resume ? readRun(file) : undefined;
  if (earlier !== undefined) checkSame(flags, earlier.checkpoint.net.graph.name, earlier.settings, file);
  const name = earlier?.checkpoint.net.graph.name ?? flags.net;
  if (name === undefined) throw new MoteError("ARGUMENT", "--net is missing: lenet5 or lenet300 (or --resume)");
  const graph = earlier?.checkpoint.net.graph ?? namedNet(name);
  const settings = earlier?.settings ?? withFlags(DEFAULTS[name], flags);
  const { train: digits, validation, test } = loadMnist();

  let progress: Progress | undefined;
  try {
    const result = await interruptible((signal) =>
      trainRun({
        graph,
        settings,
        train: digits,
        validation,
        threads,
        file,
        ...(earlier && { resume: earlier.checkpoint }),
        signal,
        onProgress: (done, total, loss) => {
          progress ??= new Progress(`train ${name}`, total);
          progress.update(done, `loss ${loss.toFixed(4)}`);
        },
        onEpoch: ({ epoch, loss, validationErrors }) => {
          const error = percent(validationErrors, validation.count);
          output.line(`epoch ${epoch}  loss ${loss.toFixed(4)}  validation error ${error}`);
        },
      }),
    );
    progress?.finish();
    const { validationErrors, steps } = result;
    const seconds = (performance.now() - started) / 1000;
    output.line(`${file}: ${steps} steps, validation error ${percent(validationErrors, validation.count)}`);
    if (noBetterThanChance(validationErrors, validation.labels)) {
      process.stderr.write(`mote: warning: ${file} does no better than chance; try another --lr or more --epochs\n`);
    }
    const trainer = flags.test
      ? await Trainer.create({ runtime: nodeRuntime, graph, seed: settings.seed, threads })
      : undefined;
    trainer?.load(result.net);
    const testErrors = (await trainer?.evaluate(test))?.errors;
    await trainer?.close();
    if (testErrors !== undefined) output.line(`test error ${percent(testErrors, test.count)}`);
    const measured = {
      validationErrors,
      validationErrorPercent: (100 * validationErrors) / validation.count,
      ...(testErrors !== undefined && { testErrors, testErrorPercent: (100 * testErrors) / test.count }),
    };
    output.json(() => ({ net: name, out: file, ...settings, steps, threads, seconds, ...measured }));
  } catch (error) {
    progress?.finish();
    if (!(error instanceof MoteError && error.code === "INTERRUPTED")) throw error;
    throw new MoteError("INTERRUPTED", `${error.message}: mote train --resume --out ${file} goes on`, { cause: error });
  }
}

function withFlags(defaults: RunSettings, flags: Flags): RunSettings {
  const given = SETTINGS.filter((key) => flags[key] !== undefined).map((key) => [key, flags[key]]);
  return { ...defaults, ...(Object.fromEntries(given) as Partial<RunSettings>) };
}

/** A resumed run keeps its settings: another value on the command line is a mistake that must not pass in silence. */
function checkSame(flags: Flags, net: string, settings: RunSettings, file: string): void {
  if (flags.net !== undefined && flags.net !== net) {
    throw new MoteError("ARGUMENT", `--net ${flags.net}: ${file} holds a ${net}`);
  }
  for (const key of SETTINGS) {
    if (flags[key] === undefined) continue;
    const [given, started] = [flags, settings].map((from) =>
      key === "augment" ? augmentationText(from.augment!) : String(from[key]),
    );
    if (given === started) continue;
    const flag = key.replace(/[A-Z]/g, (letter) => "-" + letter.toLowerCase());
    throw new MoteError("ARGUMENT", `--${flag} ${given}: ${file} was started with ${started}`);
  }
}

const percent = (errors: number, count: number): string =>
  `${((100 * errors) / count).toFixed(2)} % (${errors} of ${count})`;

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("expected a number");
  return value;
}

function positive(text: string): number {
  const value = number(text);
  if (value <= 0) throw new InvalidArgumentError("expected a number above 0");
  return value;
}

function augmentation(text: string): Augmentation {
  try {
    return parseAugmentation(text, "--augment");
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function notNegative(text: string): number {
  const value = number(text);
  if (value < 0) throw new InvalidArgumentError("expected a number of at least 0");
  return value;
}

function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = number(text);
    if (!Number.isSafeInteger(value) || value < least) {
      throw new InvalidArgumentError(`expected a whole number of at least ${least}`);
    }
    return value;
  };
}

function batch(text: string): number {
  const value = wholeNumber(BATCH_UNIT)(text);
  if (value % BATCH_UNIT !== 0) throw new InvalidArgumentError(`expected a multiple of ${BATCH_UNIT}`);
  return value;
}
