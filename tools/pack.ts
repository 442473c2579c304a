/** `mote pack`: a compressed net, or a container made before, as .mote, self-contained .wasm or C source. */
import { basename, extname } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { MIN_WINDOW_BYTES } from "../assembly/format.js";
import { fastProgram, type FastProgram, type LayerChoice } from "../host/fast/memory.js";
import type { LayerStream } from "../host/fast/rows.js";
import { kernelName } from "../host/report/fast.js";
import { chipSource } from "../host/chip/chip-source.js";
import { readContainer } from "../host/container/read.js";
import { MoteError } from "../host/errors.js";
import type { ElementBits } from "../host/model/elements.js";
import { modelInputs } from "../host/model/edges.js";
import { ALL_CONTENTS } from "../host/module/contents.js";
import { errorPlot } from "../host/report/error-plot.js";
import { writeFileAtomic } from "../host/node/write-file.js";
import {
  counted,
  grouped,
  BYTE_PRICE_HELP,
  INPUT_ROWS_HELP,
  layoutOf,
  type LayoutFlags,
  namingFile,
  parseBytes,
  parsePrice,
  parseRam,
} from "./model-file.js";
import { addCodecFlags, type CodecFlags } from "./codec-flags.js";
import { addReadingFlags, SAMPLES, stepsOption } from "./data-flags.js";
import { comparisonJson, decibels, printCalibration } from "./error-table.js";
import { flagOf } from "./flag-name.js";
import type { ImportFlags } from "./import-model.js";
import type { ImportedContainer } from "../host/import/imported-container.js";
import { parseShape } from "./inspect-graph.js";
import { Output } from "./output.js";
import { packedContainer, withLabels } from "./pack-container.js";
import { FORMATS, warnOfPoorTrade, filesAs, writeFiles, type FileFlags, type Format } from "./pack-files.js";
import { checkLayout, checkOptimize, chipName, isChipGoal, packOptimizeOption } from "./pack-chip.js";
import { addTrimFlags, trimPair, trimmedContainer, type TrimFlags } from "./pack-trim.js";
import { breakdown, fastMemoryParts, memoryParts } from "./pack-memory.js";
import { makeUpdate, readPrivateKey, SEQUENCE_HELP, sequenceNumber } from "./update-files.js";
import { addVectorFlags, refuseIdleVectors, vectorsFile, type VectorFlags } from "./vector-flags.js";

interface PackFlags extends FileFlags, ImportFlags, LayoutFlags, VectorFlags, CodecFlags, TrimFlags {
  readonly format?: Format;
  readonly plot?: string;
  readonly window?: number;
  readonly tables?: number;
  readonly sign?: string;
  readonly sequence?: number;
  readonly json?: boolean;
}

export function packCommand(): Command {
  const command = new Command("pack")
    .description("write a net as .mote, self-contained .wasm or C source")
    .argument(
      "<net>",
      "an int8 net (.tflite, .onnx), a net of real numbers with --calibrate (also .caffemodel, .net, .json), a compressed net (.safetensors, made by mote compress), or a .mote or .wasm to wrap anew",
    )
    .requiredOption("-o, --out <file>", "where it goes: .mote, .wasm, or .c with a .h beside it")
    .addOption(
      new Option(
        "--format <name>",
        "default: by the name of the output; aot: a .c, its code compiled ahead of time; core: the core alone, without what the model does not need",
      ).choices(FORMATS),
    )
    .addOption(packOptimizeOption())
    .option(
      "--sram <bytes>",
      "refuse a model that needs more linear memory than this, or static RAM as C of its own; with --optimize speed or sram layers go by lines where it would, or, with least, where that saves any",
      parseRam,
    )
    .option("--input-rows", INPUT_ROWS_HELP)
    .option("--byte-price <n>", BYTE_PRICE_HELP, parsePrice)
    .option(
      "--window <bytes>",
      "piece of the model that is read at a time, at least 128; default 256 (not for a packed input)",
      parseBytes,
    )
    .option(
      "--tables <bytes>",
      "room for Huffman decoding tables; default: the least that costs under 0.3 % (not for a packed input)",
      parseBytes,
    )
    .option("--labels <file>", "names of the model's outputs, one a line, which travel with the model")
    .option("--calibrate <spec>", `samples by which a net of real numbers becomes int8: ${SAMPLES}`)
    .addOption(stepsOption())
    .addOption(
      new Option(
        "--range <how>",
        "of a tensor by calibration: all that samples reach, all but the rarest, or what int8 errs least on",
      )
        .choices(["all", "percentile", "least error"])
        .default("all"),
    )
    .option(
      "--bits <n>",
      "each layer's weights by a codebook of at most 2^n values, 1 … 7, of a net of another format; default: those of int8",
      parseBits,
    )
    .addOption(
      new Option(
        "--activation-bits <n>",
        "of an element of every tensor, 8 or 16, with --calibrate; default: 8",
      ).argParser(parseActivationBits),
    )
    .option("--plot <file>", "a picture of what int8 costs in each layer, .svg (with --calibrate)")
    .addOption(
      new Option("--colours <order>", "what the net's three channels are: pictures come as rgb").choices([
        "rgb",
        "bgr",
      ]),
    )
    .option("--shape <name=sizes>", "sizes of an input that the net leaves open, such as image=1,3,224,224", parseShape)
    .option(
      "--ops <names>",
      `ops of the core, with commas between; default: the model's; of ${ALL_CONTENTS.ops.join(", ")}`,
      parseNames(ALL_CONTENTS.ops),
    )
    .option(
      "--codecs <names>",
      `codecs of the core, with commas between; default: the model's; of ${ALL_CONTENTS.codecs.join(", ")}`,
      parseNames(ALL_CONTENTS.codecs),
    )
    .option("--sign <key>", "write OUT.update as well, signed with this private key, .pem (.mote, .wasm)")
    .option("--sequence <n>", `${SEQUENCE_HELP} (with --sign)`, sequenceNumber)
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      "\nExamples:\n  mote pack model_int8.tflite -o model.mote\n  mote pack model.onnx --calibrate samples.npz -o model.mote\n  mote pack model_int8.tflite -o model.mote --vectors 10\n  mote pack models/lenet5.mote -o lenet5.wasm --sram 12288\n  mote pack models/lenet5.mote -o small.mote --codec auto\n  mote pack models/lenet5.mote -o small.mote --container small --trim mnist:validation\n" +
        "  mote pack models/lenet5.mote -o lenet5.c --optimize flash\n  mote pack models/lenet5.mote -o lenet5-fast.wasm --optimize speed\n  mote pack model_int8.tflite -o model.wasm --optimize speed --sram least\n" +
        "  mote pack models/lenet5.mote -o core.wasm --format core --ops conv2d,dense,maxpool",
    )
    .action(pack);
  return addReadingFlags(addVectorFlags(addTrimFlags(addCodecFlags(command))));
}

async function pack(input: string, flags: PackFlags): Promise<void> {
  const format = flags.format ?? formatOf(flags.out);
  const output = new Output({ json: flags.json, files: [flags.out, flags.plot] });
  if (flags.window !== undefined && flags.window < MIN_WINDOW_BYTES) {
    throw new MoteError("ARGUMENT", `--window ${flags.window}: expected at least ${MIN_WINDOW_BYTES} bytes`);
  }
  checkOptimize(flags.optimize, format);
  const isChip = isChipGoal(flags.optimize) && format === "c";
  checkLayout(flags, flags.optimize, format);
  if (flags.container === "small" && format === "wasm") {
    throw new MoteError("ARGUMENT", "--container small: a packed module is larger by it, expected --format mote");
  }
  const coding = CODING.find((flag) => flags[flag] !== undefined);
  if (coding !== undefined && flags.optimize !== "size") {
    throw new MoteError(
      "ARGUMENT",
      `${flagOf(coding)}: for containers; --optimize ${flags.optimize} codes weights its own way`,
    );
  }
  if (format !== "core" && (flags.ops ?? flags.codecs) !== undefined) {
    throw new MoteError(
      "ARGUMENT",
      `--ops and --codecs say what a core has: not for --format ${format}, expected core`,
    );
  }
  refuseIdleVectors(flags);
  if (flags.trimLabels !== undefined && flags.trim === undefined) {
    throw new MoteError("ARGUMENT", "--trim-labels: labels of the samples to trim by; expected --trim");
  }
  if (flags.steps !== undefined && (flags.calibrate ?? flags.vectorsData ?? flags.trim) === undefined) {
    const expected = "--calibrate, --vectors-data or --trim";
    throw new MoteError("ARGUMENT", `--steps: says which samples are a stream; expected ${expected}`);
  }
  const signing = signingOf(input, flags, format);
  const {
    bytes: unlabelled,
    calibration,
    netBytes,
  } = await packedContainer(input, flags, format === "wasm", (note) => output.line(`${input}: ${note}`));
  if (flags.plot !== undefined && calibration === undefined) {
    throw new MoteError("ARGUMENT", "--plot: draws what calibration costs; expected --calibrate");
  }
  const whole = withLabels(input, unlabelled, flags.labels);
  const trimmed = flags.trim === undefined ? undefined : await trimmedContainer(whole, flags.trim, flags);
  const bytes = trimmed?.bytes ?? whole;
  const container = namingFile(input, () => readContainer(bytes));
  const { optimize } = flags;
  const fast =
    (optimize === "speed" && !isChip) || optimize === "sram"
      ? { optimize, program: namingFile(input, () => fastProgram(container, layoutOf(flags))) }
      : undefined;
  const chip =
    isChipGoal(optimize) && isChip
      ? namingFile(input, () => chipSource(container.model, optimize, chipName(flags.out, input)))
      : undefined;
  const parts =
    chip !== undefined
      ? [{ name: "tensors and taps", bytes: chip.ramBytes }]
      : fast === undefined
        ? memoryParts(bytes, container, format === "wasm")
        : fastMemoryParts(fast.program);
  const memory = parts.reduce((sum, part) => sum + part.bytes, 0);
  const memoryName = chip === undefined ? "linear memory" : "static RAM";
  if (typeof flags.sram === "number" && memory > flags.sram) {
    throw new MoteError(
      "MEMORY",
      `${input}: needs ${memory} bytes of ${memoryName}, --sram grants ${flags.sram}: ${breakdown(parts)}`,
    );
  }
  // What the same would take with the input as a whole.
  const wholeInputBytes =
    flags.inputRows === true
      ? fastProgram(container, layoutOf({ ...flags, sram: flags.sram ?? "least", inputRows: undefined })).memory.bytes
      : undefined;
  const vectors = namingFile(input, () => vectorsFile(bytes, flags));
  const { files, module } = await filesAs(format, flags, input, { bytes, container, fast, chip, vectors });
  const signed = signing?.(format === "mote" ? bytes : module!);
  const written = writeFiles(files);
  if (signed !== undefined) writeFileAtomic(signed.out, signed.bytes);
  if (module !== undefined && fast !== undefined) await warnOfPoorTrade(input, bytes, module);
  const pairs: [string, string][] = [
    ...written.map(({ path, bytes: size }): [string, string] => [path, `${grouped(size)} bytes`]),
    ["container", `${grouped(bytes.length)} bytes${shareOf(netBytes, bytes.length)}`],
    ...(trimmed === undefined ? [] : [trimPair(trimmed.report)]),
    [
      memoryName,
      `${grouped(memory)} bytes${format === "wasm" && flags.optimize === "size" ? ", the model in it" : ""}`,
    ],
    ...(wholeInputBytes === undefined ? [] : [inputRowsPair(fast!.program, wholeInputBytes - memory)]),
    ...(signed?.pairs.slice(0, 1) ?? []),
  ];
  output.pairs(pairs);
  const choices = fast === undefined ? [] : fast.program.choices.map(choiceOf);
  if (choices.length > 0) printChoices(choices, output);
  if (calibration !== undefined) {
    printCalibration(calibration, output);
    if (flags.plot !== undefined) writeFileAtomic(flags.plot, plotOf(input, calibration));
  }
  output.json(() => {
    const { offsets: _, ...plan } = container.plan;
    return {
      format,
      optimize: flags.optimize,
      ...(netBytes === undefined ? {} : { netBytes }),
      containerBytes: bytes.length,
      ...(trimmed === undefined ? {} : { trim: trimmed.report }),
      ...(chip === undefined ? { linearMemoryBytes: memory } : { ramBytes: memory }),
      ...(wholeInputBytes === undefined ? {} : { wholeInputBytes }),
      ...(chip === undefined ? { plan: fast === undefined ? plan : fast.program.memory } : {}),
      ...(choices.length > 0 ? { layers: choices } : {}),
      files: written,
      ...(signed === undefined ? {} : { update: signed.json }),
      ...(calibration === undefined
        ? {}
        : { calibration: { samples: calibration.samples, ...comparisonJson(calibration) } }),
    };
  });
}

/** What makes the update; the key is read before anything is written. */
function signingOf(path: string, { sign, sequence, out }: PackFlags, format: Format) {
  if (sign === undefined && sequence === undefined) return undefined;
  if (sign === undefined || sequence === undefined) {
    throw new MoteError("ARGUMENT", "expected --sign and --sequence together");
  }
  if (format !== "mote" && format !== "wasm") {
    throw new MoteError("ARGUMENT", `--sign: for what devices take, not for --format ${format}, expected mote or wasm`);
  }
  const update = `${out}.update`;
  const key = readPrivateKey(sign, [out, update]);
  return (model: Uint8Array) => makeUpdate({ out: update, path, model, sequence, key });
}

/** @param saved bytes of linear memory */
function inputRowsPair({ model }: FastProgram, saved: number): [string, string] {
  const [input] = modelInputs(model);
  const count = model.tensors[input].turn!.count;
  const lines = count === 1 ? "a row" : `${count} rows`;
  const bytes = saved < 0 ? `${grouped(-saved)} bytes more` : `${grouped(saved)} bytes less`;
  return ["input", `${lines} at a time, ${bytes} than as a whole; the C library takes them by mote_input_rows`];
}

interface Choice extends KernelCost {
  readonly layer: number;
  /** By the kernel that takes a weight at a time, where that is another. */
  readonly instead: KernelCost | undefined;
}

interface KernelCost {
  readonly kernel: string;
  /** Of a Cortex-M4 ahead of time, about. */
  readonly instructions: number;
  readonly streamBytes: number;
}

function choiceOf({ chosen, other }: LayerChoice, layer: number): Choice {
  const cost = ({ kind, instructions, bytes }: LayerStream): KernelCost => {
    return { kernel: kernelName(kind), instructions: Math.round(instructions), streamBytes: bytes.length };
  };
  return { layer, ...cost(chosen), instead: chosen === other ? undefined : cost(other) };
}

/** Which kernel runs each layer, and why. */
function printChoices(choices: readonly Choice[], output: Output): void {
  const costs = (cost: KernelCost | undefined): string[] =>
    cost === undefined ? ["", "", ""] : [cost.kernel, grouped(cost.instructions), grouped(cost.streamBytes)];
  output.line();
  output.line("kernels, with about what they take: instructions of a Cortex-M4 ahead of time, bytes of the stream");
  output.table([
    ["layer", "kernel", "instructions", "bytes", "instead of", "instructions", "bytes"],
    ...choices.map((choice) => [String(choice.layer), ...costs(choice), ...costs(choice.instead)]),
  ]);
}

function formatOf(path: string): Format {
  const format = FORMATS.find((name) => extname(path) === `.${name}`);
  if (format === undefined) {
    throw new MoteError("ARGUMENT", `--out ${path}: expected a name ending in .mote, .wasm or .c, or --format`);
  }
  return format;
}

/** Flags that make a container smaller. */
const CODING = ["codec", "decodeCost", "container", "trim"] as const;

/** Nothing where the file does not have the weights. */
function shareOf(netBytes: number | undefined, bytes: number): string {
  return netBytes === undefined || netBytes <= bytes
    ? ""
    : `, ${((100 * bytes) / netBytes).toFixed(1)} % of the net's file`;
}

function plotOf(
  path: string,
  { layers, outputs, samples, perSample, activationBits }: NonNullable<ImportedContainer["calibration"]>,
): string {
  const ends = outputs.map(({ snr }) => `${decibels(snr)} dB`).join(", ");
  return errorPlot({
    title: `int${activationBits} beside real numbers: ${basename(path)}`,
    subtitle: `${layers.length} layers, ${counted(samples, "sample", perSample)}; outputs ${ends}`,
    layers,
  });
}

function parseBits(text: string): number {
  if (!/^[1-7]$/.test(text)) throw new InvalidArgumentError("expected 1 .. 7.");
  return Number(text);
}

function parseActivationBits(text: string): ElementBits {
  if (text !== "8" && text !== "16") throw new InvalidArgumentError("expected 8 or 16.");
  return text === "16" ? 16 : 8;
}

/** Parses names with commas between, each one of `known`. */
const parseNames =
  <Name extends string>(known: readonly Name[]) =>
  (text: string): Name[] => {
    const names = text.split(",").map((name) => known.find((other) => other === name.trim()));
    if (names.includes(undefined))
      throw new InvalidArgumentError(`expected names of ${known.join(", ")}, with commas between.`);
    return names.filter((name) => name !== undefined);
  };
