/** `mote pack`: a compressed net, or a container made before, as .mote, self-contained .wasm or C source. */
import { basename, dirname, extname, join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { MODEL_SLACK_BYTES } from "../assembly/abi.js";
import { MIN_WINDOW_BYTES } from "../assembly/format.js";
import { cSource } from "../host/c/c-source.js";
import { fastProgram } from "../host/fast/memory.js";
import { writeMetadata } from "../host/container/metadata.js";
import { planTotal, REGIONS, SCRATCH_PARTS, scratchUse } from "../host/container/plan.js";
import { readContainer, type Container } from "../host/container/read.js";
import { withMetadata, writeContainer } from "../host/container/write.js";
import { readFile } from "../host/node/read-file.js";
import type { Optimization } from "../host/fast/optimization.js";
import { MoteError } from "../host/errors.js";
import type { AotSource } from "../host/node/firmware/aot.js";
import { ALL_CONTENTS, contentsOf, type CoreContents } from "../host/module/contents.js";
import type { QLayer, QModel } from "../host/model/model.js";
import { errorPlot } from "../host/report/error-plot.js";
import { builtModule } from "../host/node/built.js";
import { quantize } from "../host/quantize/quantize.js";
import { isWasm } from "../host/module/sections.js";
import { readCheckpoint } from "../host/node/train/checkpoint.js";
import { writeFileAtomic } from "../host/node/write-file.js";
import {
  containerOf,
  grouped,
  isContainer,
  isFloatNet,
  namingFile,
  notOneOf,
  optimizeOption,
  parseBytes,
  withFileName,
} from "./model-file.js";
import { addReadingFlags, SAMPLES } from "./data-flags.js";
import { isGraphName } from "../host/node/import/open-graph.js";
import { comparisonJson, decibels, printCalibration } from "./error-table.js";
import { importContainer, isImportable, type ImportedContainer, type ImportFlags } from "./import-model.js";
import { parseShape } from "./inspect-graph.js";
import { Output } from "./output.js";
import { addVectorFlags, refuseIdleVectors, vectorsFile, type VectorFlags } from "./vector-flags.js";
import { tensorBytes } from "../host/model/geometry.js";

const FORMATS = ["mote", "wasm", "c", "aot", "core"] as const;
type Format = (typeof FORMATS)[number];

interface PackFlags extends ImportFlags, VectorFlags {
  readonly out: string;
  readonly format?: Format;
  readonly optimize: Optimization;
  readonly sram?: number;
  readonly plot?: string;
  readonly window?: number;
  readonly tables?: number;
  readonly ops?: readonly QLayer["op"][];
  readonly codecs?: readonly string[];
  readonly json?: boolean;
}

/** Flags that say what a net of another format is given. */
const FOREIGN_FLAGS = ["calibrate", "bits", "layout", "scale", "mean", "std", "colours", "shape"] as const;

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
    .addOption(
      optimizeOption("a fast module, larger, whose weights are records that kernels take as they stand (.wasm, aot)"),
    )
    .option("--sram <bytes>", "refuse a model that needs more linear memory than this", parseBytes)
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
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      "\nExamples:\n  mote pack model_int8.tflite -o model.mote\n  mote pack model.onnx --calibrate samples.npz -o model.mote\n  mote pack model_int8.tflite -o model.mote --vectors 10\n  mote pack models/lenet5.mote -o lenet5.wasm --sram 12288\n" +
        "  mote pack models/lenet5.mote -o lenet5-fast.wasm --optimize speed\n" +
        "  mote pack models/lenet5.mote -o core.wasm --format core --ops conv2d,dense,maxpool",
    )
    .action(pack);
  return addReadingFlags(addVectorFlags(command));
}

async function pack(input: string, flags: PackFlags): Promise<void> {
  const format = flags.format ?? formatOf(flags.out);
  const output = new Output({ json: flags.json, files: [flags.out, flags.plot] });
  if (flags.window !== undefined && flags.window < MIN_WINDOW_BYTES) {
    throw new MoteError("ARGUMENT", `--window ${flags.window}: expected at least ${MIN_WINDOW_BYTES} bytes`);
  }
  if (flags.optimize !== "size" && format !== "wasm" && format !== "aot") {
    throw new MoteError("ARGUMENT", `--optimize ${flags.optimize}: not for --format ${format}, expected wasm or aot`);
  }
  if (format !== "core" && (flags.ops ?? flags.codecs) !== undefined) {
    throw new MoteError(
      "ARGUMENT",
      `--ops and --codecs say what a core has: not for --format ${format}, expected core`,
    );
  }
  refuseIdleVectors(flags);
  const { bytes: unlabelled, calibration } = await packedContainer(input, flags, (note) =>
    output.line(`${input}: ${note}`),
  );
  if (flags.plot !== undefined && calibration === undefined) {
    throw new MoteError("ARGUMENT", "--plot: draws what calibration costs; expected --calibrate");
  }
  const bytes = labelled(input, unlabelled, flags.labels);
  const container = namingFile(input, () => readContainer(bytes));
  const parts = namingFile(input, () =>
    flags.optimize === "size" ? memoryParts(bytes, container, format) : fastMemoryParts(container),
  );
  const memory = parts.reduce((sum, part) => sum + part.bytes, 0);
  if (flags.sram !== undefined && memory > flags.sram) {
    throw new MoteError(
      "MEMORY",
      `${input}: needs ${memory} bytes of linear memory, --sram grants ${flags.sram}: ${breakdown(parts)}`,
    );
  }
  const vectors = namingFile(input, () => vectorsFile(bytes, flags));
  const { written, module } = await writeAs(format, flags, input, bytes, container, vectors);
  if (flags.optimize !== "size") await warnOfPoorTrade(input, bytes, module!);
  const pairs: [string, string][] = [
    ...written.map(({ path, bytes: size }): [string, string] => [path, `${grouped(size)} bytes`]),
    ["container", `${grouped(bytes.length)} bytes`],
    [
      "linear memory",
      `${grouped(memory)} bytes${format === "wasm" && flags.optimize === "size" ? ", the model in it" : ""}`,
    ],
  ];
  output.pairs(pairs);
  if (calibration !== undefined) {
    printCalibration(calibration, output);
    if (flags.plot !== undefined) writeFileAtomic(flags.plot, plotOf(input, calibration));
  }
  output.json(() => {
    const { offsets: _, ...plan } = container.plan;
    return {
      format,
      optimize: flags.optimize,
      containerBytes: bytes.length,
      linearMemoryBytes: memory,
      plan: flags.optimize === "size" ? plan : fastProgram(container).memory,
      files: written,
      ...(calibration === undefined
        ? {}
        : { calibration: { samples: calibration.samples, ...comparisonJson(calibration) } }),
    };
  });
}

function formatOf(path: string): Format {
  const format = FORMATS.find((name) => extname(path) === `.${name}`);
  if (format === undefined) {
    throw new MoteError("ARGUMENT", `--out ${path}: expected a name ending in .mote, .wasm or .c, or --format`);
  }
  return format;
}

/** The bytes of the container that a file is or becomes. */
async function packedContainer(
  path: string,
  flags: PackFlags,
  note: (line: string) => void,
): Promise<ImportedContainer> {
  const { window, tables } = flags;
  const options = {
    ...(window === undefined ? {} : { windowBytes: window }),
    ...(tables === undefined ? {} : { tableBytes: tables }),
  };
  // Nets of other formats may be larger than what one buffer holds.
  const file = isGraphName(path) ? undefined : readFile(path);
  if (file === undefined || isImportable(path, file)) {
    return importContainer(path, file, flags, options, note).catch((error: unknown) => {
      throw withFileName(path, error);
    });
  }
  const foreign = FOREIGN_FLAGS.find((flag) => flags[flag] !== undefined);
  if (foreign !== undefined) throw new MoteError("ARGUMENT", `--${foreign}: ${path} is no net of another format`);
  if (isWasm(file) || isContainer(path, file)) {
    if (window !== undefined || tables !== undefined) {
      throw new MoteError("ARGUMENT", `${path} is packed already: --window and --tables are for a net to be packed`);
    }
    return { bytes: namingFile(path, () => containerOf(file)) };
  }
  if (!isFloatNet(path, file)) {
    throw notOneOf(
      path,
      file,
      "a net (.tflite, .onnx, .caffemodel, .net, .json, or .safetensors by mote compress), .mote or .wasm",
    );
  }
  return { bytes: namingFile(path, () => writeContainer(quantize(readCheckpoint(path).net), options)) };
}

function plotOf(path: string, { layers, outputs, samples }: NonNullable<ImportedContainer["calibration"]>): string {
  const ends = outputs.map(({ snr }) => `${decibels(snr)} dB`).join(", ");
  return errorPlot({
    title: `int8 beside real numbers: ${basename(path)}`,
    subtitle: `${layers.length} layers, ${samples} samples; outputs ${ends}`,
    layers,
  });
}

/** @param labelsPath a text file with a label a line; those that the container has are replaced */
function labelled(path: string, bytes: Uint8Array, labelsPath: string | undefined): Uint8Array {
  if (labelsPath === undefined) return bytes;
  const container = namingFile(path, () => readContainer(bytes));
  const labels = readLines(labelsPath);
  const metadata = namingFile(labelsPath, () => writeMetadata({ ...container.model, labels }));
  return withMetadata(bytes, container, metadata);
}

/** @throws MoteError FORMAT for a file that is not UTF-8 */
function readLines(path: string): string[] {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(readFile(path));
    return text.replace(/\r?\n$/, "").split(/\r?\n/);
  } catch (error) {
    if (error instanceof MoteError) throw error;
    throw new MoteError("FORMAT", `${path}: expected UTF-8 text with a label a line`, { cause: error });
  }
}

function parseBits(text: string): number {
  if (!/^[1-7]$/.test(text)) throw new InvalidArgumentError("expected 1 .. 7.");
  return Number(text);
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

interface MemoryPart {
  readonly name: string;
  readonly bytes: number;
  readonly detail?: string;
}

/** A .wasm has the model in its memory and no window; the others read it from outside. */
function memoryParts(bytes: Uint8Array, container: Container, format: Format): MemoryPart[] {
  const { plan, model } = container;
  const resident = format === "wasm";
  const residentBytes = withMetadata(bytes, container, new Uint8Array(0)).length;
  const regions = REGIONS.filter((name) => !(resident && name === "window"));
  const regionBytes = REGIONS.reduce((sum, name) => sum + plan[name], 0);
  return [
    { name: "control block and tensor table", bytes: planTotal(plan) - regionBytes },
    ...regions.map((name) => {
      if (name === "arena") return arenaPart(model, plan.arena);
      return name === "scratch" ? scratchPart(container) : { name, bytes: plan[name] };
    }),
    ...(resident ? [{ name: "model", bytes: residentBytes + MODEL_SLACK_BYTES }] : []),
  ];
}

function fastMemoryParts(container: Container): MemoryPart[] {
  const { windowPtr, windowBytes, arenaPtr, bytes } = fastProgram(container).memory;
  return [
    { name: "control block and tables of tensors and layers", bytes: windowPtr },
    { name: "window", bytes: windowBytes },
    arenaPart(container.model, bytes - arenaPtr),
  ];
}

function arenaPart({ tensors }: QModel, bytes: number): MemoryPart {
  return { name: "arena", bytes, detail: ` (tensors of ${tensors.map(tensorBytes).join(", ")})` };
}

/** With what the layer that decides its size has there. */
function scratchPart(container: Container): MemoryPart {
  const part = { name: "scratch", bytes: container.plan.scratch };
  const use = scratchUse(container);
  if (use === undefined) return part;
  const parts = SCRATCH_PARTS.map((name) => ({ name, bytes: use.parts[name] })).filter(({ bytes }) => bytes > 0);
  return { ...part, detail: ` (layer ${use.layer}: ${breakdown(parts)})` };
}

/** "arena 3680 (tensors of 784, 2880, …), scratch 2000 (layer 2: records 1200, …), …": the largest first. */
function breakdown(parts: readonly MemoryPart[]): string {
  return parts
    .toSorted((a, b) => b.bytes - a.bytes)
    .map(({ name, bytes, detail = "" }) => `${name} ${bytes}${detail}`)
    .join(", ");
}

interface Written {
  readonly path: string;
  readonly bytes: number;
}

async function writeAs(
  format: Format,
  flags: PackFlags,
  input: string,
  bytes: Uint8Array,
  container: Container,
  vectors: Uint8Array | undefined,
): Promise<{ readonly written: Written[]; readonly module?: Uint8Array }> {
  const { out, optimize } = flags;
  const files: [path: string, content: Uint8Array | string][] = [];
  let module: Uint8Array | undefined;
  if (format === "mote") {
    files.push([out, bytes]);
  } else if (format === "wasm") {
    module = await packedModule(bytes, optimize);
    files.push([out, module]);
  } else if (format === "core") {
    files.push([out, await coreFor(container, flags, input)]);
  } else {
    const name = basename(out, extname(out));
    const made: AotSource & { readonly module?: Uint8Array } =
      format === "aot" ? await aheadOfTime(bytes, name, optimize) : cSource(bytes, container.plan, name);
    module = made.module;
    files.push([join(dirname(out), `${name}.h`), made.header], [join(dirname(out), `${name}.c`), made.source]);
  }
  if (vectors !== undefined) files.push([join(dirname(out), `${basename(out, extname(out))}.vectors.npz`), vectors]);
  const written = files.map(([path, content]) => {
    writeFileAtomic(path, content);
    return { path, bytes: Buffer.byteLength(content) };
  });
  return { written, ...(module === undefined ? {} : { module }) };
}

/**
 * A fast module is larger than a core with a container, and worth it where the work shrinks by more than the flash grows. It does not for nets
 * with most of their weights left, convolutions above all: then it says so on stderr.
 */
async function warnOfPoorTrade(input: string, container: Uint8Array, module: Uint8Array): Promise<void> {
  const { opsOfOneRun } = await import("../host/engines/counted.js");
  const wasm = builtModule("build/core.wasm");
  const core = { bytes: container.length + wasm.length, ops: opsOfOneRun(container, wasm) };
  const fast = { bytes: module.length, ops: opsOfOneRun(module, wasm) };
  if (fast.bytes * fast.ops <= core.bytes * core.ops) return;
  process.stderr.write(
    `mote: warning: ${input}: too many weights are left for a fast module: it takes ${grouped(fast.bytes)} bytes in place of a core ` +
      `and container's ${grouped(core.bytes)}, and ${grouped(fast.ops)} WebAssembly instructions a run in place of ${grouped(core.ops)}; ` +
      `prefer --optimize size${fast.ops < core.ops ? " unless those matter more than flash" : ""}\n`,
  );
}

/** Only packing modules needs binaryen, which takes a while to load. */
async function packedModule(container: Uint8Array, optimize: Optimization): Promise<Uint8Array> {
  if (optimize === "size") return (await import("../host/node/module/bake.js")).bake(container);
  return (await import("../host/node/fast/fast-module.js")).fastModule(container, optimize);
}

/** A core for this model and for others that are made of the same ops and codecs. */
async function coreFor(container: Container, { ops, codecs }: PackFlags, input: string): Promise<Uint8Array> {
  const needed = contentsOf(container);
  const contents: CoreContents = { ops: ops ?? needed.ops, codecs: codecs ?? needed.codecs };
  for (const what of ["ops", "codecs"] as const) {
    const missing = needed[what].filter((name) => !contents[what].some((kept) => kept === name));
    if (missing.length === 0) continue;
    throw new MoteError(
      "ARGUMENT",
      `--${what} ${contents[what].join(",")}: ${input} needs ${missing.join(", ")} as well`,
    );
  }
  return (await import("../host/node/module/bake.js")).coreWith(contents);
}

async function aheadOfTime(
  container: Uint8Array,
  name: string,
  optimize: Optimization,
): Promise<AotSource & { readonly module: Uint8Array }> {
  const { aotSource } = await import("../host/node/firmware/aot.js");
  const { firmwareImage } = await import("../host/node/firmware/image.js");
  const image = firmwareImage(container, optimize);
  return { ...(await aotSource(image.module, image.container, name)), module: image.module };
}
