/** `mote verify`: every engine on the same inputs, equal byte for byte and layer by layer; or a model beside the net that it was made of. */
import { Command, InvalidArgumentError } from "commander";
import { MoteError } from "../host/errors.js";
import { Progress } from "../host/node/progress.js";
import { describeDifference, firstDifference, type Difference } from "../host/engines/compare.js";
import { beginsStream, placeOfRun, type RunPlace } from "../host/data/sequences.js";
import { inputElements, type Engine, type EngineOptions } from "../host/engines/engine.js";
import { ENGINE_NAMES, MODULE_ENGINES } from "../host/engines/open.js";
import type { Runs } from "../host/node/data/runs.js";
import { addDataFlags, stepsOption } from "./data-flags.js";
import {
  countedInputs,
  hasVectors,
  inputsJson,
  openModel,
  optimizedModel,
  optimizeOption,
  parseBytes,
} from "./model-file.js";
import { Output } from "./output.js";
import { verifyCertificate } from "./verify-certificate.js";
import { verifyHost } from "./verify-host.js";
import { inputsFor } from "./verify-inputs.js";
import { verifyNet, type VerifyNetFlags } from "./verify-net.js";
import { parseShape } from "./inspect-graph.js";

interface VerifyFlags extends VerifyNetFlags {
  readonly resident?: boolean;
  readonly budget?: number;
  readonly limit?: number;
  readonly host?: string;
  readonly certificate?: true;
  readonly json?: boolean;
}

export function verifyCommand(): Command {
  const command = new Command("verify")
    .description(
      "run a model on all engines and compare every layer's output, byte for byte; or compare it with the net it was made of",
    )
    .argument("<model>", ".mote, or .wasm made by mote pack; or a net, .tflite or .onnx, before the model made of it")
    .argument("[packed]", "the model made of the net");
  return addDataFlags(command)
    .option("--random <n>", "without --data: random inputs; default: 100, beside a net 16", parseCount)
    .option("--seed <n>", "of the random inputs", parseCount, 1)
    .addOption(stepsOption().default(undefined, "each sample is a stream of its own, random inputs are one"))
    .option("--resident", "keep the model in linear memory instead of behind the window")
    .option("--budget <n>", "work units of one step; the results must not depend on it", parseCount)
    .option("--limit <bytes>", "linear memory the engines may use; default: what the model's plan needs", parseBytes)
    .addOption(optimizeOption("wasm3 and v8 run it as the fast module that pack makes of it"))
    .option("--shape <name=sizes>", "sizes of an input that the net leaves open, such as image=1,3,224,224", parseShape)
    .option("--expected <file>", "outputs of another runtime for --data, .npy or .npz, beside the model's")
    .option("--tolerance <steps>", "of a quantized net: the most that int8 may differ by", parseSteps, 1)
    .option("--snr <dB>", "of a net of real numbers: the least signal-to-noise ratio of outputs", parseDecibels, 10)
    .option(
      "--host <command>",
      "run the model's module on a WebAssembly host of yours, which is called with module, inputs and outputs as files and how many runs are a stream (docs/plugin.md), and compare all outputs",
    )
    .option("--certificate", "hold the model to what its certificate says (mote certify), on all engines")
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      "\nExamples:\n  mote verify models/lenet5.mote --data mnist:test:100\n" +
        '  mote verify models/lenet5.mote --host "node examples/plugin/host.mjs"\n' +
        "  mote verify model.tflite model.mote --data samples.npz --expected outputs.npz",
    )
    .action(verify);
}

/** Flags that say something of our engines, of a net beside its model, and of what is run. */
const ENGINE_FLAGS = ["resident", "budget", "limit"] as const;
const NET_FLAGS = ["shape", "expected", "tolerance", "snr"] as const;
const INPUT_FLAGS = ["data", "labels", "random", "seed", "steps", "layout", "scale", "mean", "std"] as const;

/** @throws MoteError ARGUMENT for a flag that is given and would say nothing */
function refuseIdle(packed: string | undefined, { certificate, host }: VerifyFlags, command: Command): void {
  const given = (names: readonly (keyof VerifyFlags)[]): string | undefined => {
    const name = names.find((one) => command.getOptionValueSource(one) === "cli");
    return name === undefined ? undefined : `--${name}`;
  };
  const alone = certificate === true ? "--certificate" : host === undefined ? undefined : "--host";
  if (alone !== undefined) {
    const inputs = certificate === true ? (["host", ...INPUT_FLAGS] as const) : [];
    const other = packed ?? given([...ENGINE_FLAGS, ...NET_FLAGS, ...inputs]);
    if (other !== undefined) throw new MoteError("ARGUMENT", `${other}: not with ${alone}, expected a model`);
  }
  const other = packed === undefined ? given(NET_FLAGS) : undefined;
  if (other !== undefined) throw new MoteError("ARGUMENT", `${other}: expected the net and its model`);
  if (host?.trim() === "") throw new MoteError("ARGUMENT", "--host: expected a command");
}

async function verify(first: string, packed: string | undefined, flags: VerifyFlags, command: Command): Promise<void> {
  const options: EngineOptions = {
    ...(flags.limit === undefined ? {} : { memoryLimit: flags.limit }),
    ...(flags.resident === undefined ? {} : { resident: flags.resident }),
    ...(flags.budget === undefined ? {} : { budget: flags.budget }),
  };
  const output = new Output(flags);
  refuseIdle(packed, flags, command);
  if (flags.certificate === true) return verifyCertificate(first, flags.optimize, output);
  if (flags.host !== undefined) return verifyHost(first, flags.host, flags, output);
  if (packed !== undefined) return verifyNet(first, packed, flags, options, output);
  await verifyEngines(first, flags, options, output);
}

async function verifyEngines(path: string, flags: VerifyFlags, options: EngineOptions, output: Output): Promise<void> {
  const engines: Engine[] = [];
  try {
    const fast = await optimizedModel(path, flags.optimize);
    // The limit is that of a device, which simd is not for.
    const { memoryLimit: _, ...unlimited } = options;
    for (const name of ENGINE_NAMES) {
      if (name === "simd" && !hasVectors(path)) continue;
      const isDevice = MODULE_ENGINES.includes(name);
      engines.push(openModel(path, name, name === "simd" ? unlimited : options, isDevice ? fast : undefined).engine);
    }
    const inputs = inputsFor(flags, engines[0]);
    const found = await compareAll(engines, inputs);
    const names = engines.map(({ name }) => name);
    if (found === undefined) {
      output.line(`${path}: ${countedInputs(inputs)} (${inputs.source}): ${names.join(" = ")}, every layer`);
    }
    output.json(() => ({
      model: path,
      engines: names,
      ...inputsJson(inputs),
      source: inputs.source,
      equal: found === undefined,
      difference: found === undefined ? null : differenceJson(found),
    }));
    if (found !== undefined) {
      const { difference, place } = found;
      throw new MoteError(
        "MISMATCH",
        `${path}: engines differ at ${describeDifference(difference, place.sample, place.step)}`,
      );
    }
  } finally {
    for (const engine of engines) engine.close();
  }
}

interface Found {
  readonly place: RunPlace;
  readonly difference: Difference;
}

function differenceJson({ place: { sample, step }, difference: { layer, element, values } }: Found): object {
  const byEngine = Object.fromEntries(values.map(([name, value]) => [name, value ?? null]));
  return { input: sample, ...(step !== undefined && { step }), layer, element, values: byEngine };
}

async function compareAll(engines: readonly Engine[], inputs: Runs): Promise<Found | undefined> {
  const elements = inputElements(engines[0]);
  const progress = new Progress("verify", inputs.count);
  for (let index = 0; index < inputs.count; index++) {
    inputs.fill(index, elements);
    if (beginsStream(index, inputs)) for (const engine of engines) engine.reset();
    const difference = firstDifference(engines, elements);
    if (difference !== undefined) return { place: placeOfRun(index, inputs), difference };
    progress.update(index + 1);
    if (index % 16 === 0) await new Promise((resolve) => setImmediate(resolve)); // so that Ctrl-C is heard
  }
  progress.finish();
  return undefined;
}

function parseSteps(text: string): number {
  const steps = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(steps <= 255)) throw new InvalidArgumentError("expected a whole number, 0 .. 255.");
  return steps;
}

function parseDecibels(text: string): number {
  const decibels = text.trim() === "" ? NaN : Number(text);
  if (!Number.isFinite(decibels)) throw new InvalidArgumentError("expected a number.");
  return decibels;
}

function parseCount(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(count >= 1 && count < 2 ** 31)) throw new InvalidArgumentError("expected a whole number, 1 .. 2147483647.");
  return count;
}
