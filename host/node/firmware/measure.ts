/** One measurement: a model on an engine on a board, over a few inputs, against the host's reference. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { MoteError } from "../../errors.js";
import { missingName } from "../../engines/driver.js";
import { beginsStream } from "../../data/sequences.js";
import { pixelTable } from "../../engines/fill-input.js";
import { readContainer } from "../../container/read.js";
import { statesOf } from "../../model/edges.js";
import { valuesOf } from "../../model/geometry.js";
import type { Shape } from "../../model/model.js";
import { openReference } from "../../engines/reference.js";
import { writeFileAtomic } from "../write-file.js";
import { aotSource } from "./aot.js";
import { readBench, type BenchReport } from "./bench-report.js";
import { takesFile, type FirmwareEngine } from "../../firmware/engines.js";
import { BOARDS_FOLDER, ENGINE_SYMBOLS, type Board } from "./boards.js";
import {
  binarySections,
  compile,
  FIRMWARE_BUILD,
  libraryFolder,
  librarySources,
  link,
  type ProgramSize,
  type Source,
} from "./build.js";
import { dataEngine } from "./data-engine.js";
import { flashNeed, sramNeed, tooMuch } from "../../firmware/fit.js";
import type { FirmwareInputs } from "./inputs.js";
import { packageRoot } from "../paths.js";
import type { Optimization } from "../../fast/optimization.js";
import type { FirmwareImage } from "../../firmware/image.js";
import { firmwareImage } from "./image.js";
import { libraryStatusText } from "./status.js";
import { runTool } from "./tools.js";

const BENCH_FOLDER = join(packageRoot, "firmware-examples", "bench");
/** More than any run takes on a slow machine. */
const RUN_TIMEOUT_MS = 300_000;

export interface FirmwareModel {
  readonly name: string;
  readonly container: Uint8Array;
}

/** What is measured. */
export interface FirmwareCase {
  readonly board: Board;
  readonly engine: FirmwareEngine;
  readonly optimize: Optimization;
  readonly model: FirmwareModel;
  /** By default what `optimize` makes of the model. */
  readonly image?: FirmwareImage;
}

/** As figures and files have it. */
export function caseName(of: { board: string; engine: string; optimize: string; model: string }): string {
  return `${of.board}-${of.engine}-${of.optimize}-${of.model}`;
}

/** As sentences have it. */
function titleOf({ engine, optimize, model }: Omit<FirmwareCase, "board">): string {
  return `${model.name} by ${engine} for ${optimize}`;
}

/** What `npm run firmware -- --json` prints. Instructions are means over the inputs. */
export interface Measurement {
  readonly board: string;
  readonly engine: FirmwareEngine;
  readonly optimize: Optimization;
  readonly model: string;
  readonly inputs: number;
  /** Inputs whose class came out right, where the classes are known. */
  readonly right?: number;
  readonly logitsEqual: boolean;
  /** Of one inference, the input's conversion included; as all figures, without the bench's and the board's own. */
  readonly instructions: number;
  readonly inputInstructions: number;
  /** With `inputInstructions` they are all of a model that has no states. */
  readonly instructionsPerLayer: readonly number[];
  /** Of an inference or of loading. */
  readonly longestSlice: number;
  /** Of opening: what the engine makes of its module, then the checks of the container. */
  readonly openInstructions: number;
  readonly sramBytes: {
    readonly static: number;
    /** The caller's memory: linear memory and what the interpreter made. */
    readonly heap: number;
    readonly linear: number;
    /** Native stack: the most in a slice, and while the engine starts. */
    readonly stack: number;
    readonly beginStack: number;
    readonly total: number;
  };
  /** wasm: the module but for the model inside, 0 where it was compiled to code. model: the container, or the stream in the module. */
  readonly flashBytes: { readonly code: number; readonly wasm: number; readonly model: number; readonly total: number };
  /** Damaged files and memory one byte too small were refused, and afterwards the board ran the model as before. */
  readonly survivedDamage: boolean;
}

/**
 * Builds the firmware, runs it under QEMU and reads what it says.
 * @throws MoteError MEMORY when it does not fit the board, ENGINE when it cannot be built or does not run to its end
 */
export async function measure(of: FirmwareCase, inputs: FirmwareInputs): Promise<Measurement> {
  const { board, engine, optimize, model } = of;
  const name = caseName({ board: board.name, engine, optimize, model: model.name });
  const program = join(FIRMWARE_BUILD, `${name}.elf`);
  const image = of.image ?? firmwareImage(model.container, optimize);
  const given = image.rowsAtOnce > 0 ? asElements(inputs, model.container) : inputs;
  const size = await build(of, image, given, program);
  const report = await run(board, program, name);
  return evaluate(of, name, image, given, size, report);
}

/** Inputs as rows of a model are given. */
function asElements(inputs: FirmwareInputs, container: Uint8Array): FirmwareInputs {
  if (inputs.kind === "elements") return inputs;
  const engine = openReference(container);
  const table = pixelTable(engine.input);
  engine.close();
  return { ...inputs, kind: "elements", bytes: inputs.bytes.map((pixel) => table[pixel]) };
}

async function build(
  { board, engine, optimize, model }: FirmwareCase,
  image: FirmwareImage,
  inputs: FirmwareInputs,
  program: string,
): Promise<ProgramSize> {
  const folder = join(
    FIRMWARE_BUILD,
    "models",
    `${digestOf(model.container)}-${optimize}-${digestOf(inputs.bytes)}-${inputs.kind}`,
  );
  const file = (name: string, bytes: Uint8Array | string): string => {
    writeFileAtomic(join(folder, name), bytes);
    return join(folder, name);
  };
  const { module, container } = image;
  const blobs = [{ symbol: "bench_inputs", section: ".inputs", file: file("inputs.bin", inputs.bytes) }];
  const shared: Source[] = [
    ...librarySources([engine]),
    ...["stack.c", ...board.startup].map((name): Source => ({ path: join(BOARDS_FOLDER, name), kind: "board" })),
    { path: join(BENCH_FOLDER, "bench.c"), kind: "own" },
  ];
  const sources: Source[] = [];
  const declarations = ["#include <string.h>", '#include "bench.h"', "extern const uint8_t bench_inputs[];"];
  let fields: string;
  if (takesFile(engine)) {
    blobs.push({ symbol: "model_wasm", section: ".wasm", file: file("model.wasm", module) });
    declarations.push("extern const uint8_t model_wasm[];");
    if (engine === "data") declarations.push('#include "mote-native.h"', dataEngine(module));
    fields = `&${engine === "data" ? "engine" : ENGINE_SYMBOLS[engine]}, model_wasm, ${module.length}u`;
  } else {
    const { header, source } = await aotSource(module, container, "ahead");
    file("ahead.h", header);
    sources.push({ path: file("ahead.c", source), kind: "aot" });
    declarations.push('#include "ahead.h"');
    fields = "&mote_aot, &ahead_module, 0";
  }
  if (container !== undefined) {
    blobs.push({ symbol: "model_mote", section: ".model", file: file("model.mote", container) });
    declarations.push("extern const uint8_t model_mote[];");
  }
  const { model: integers } = readContainer(model.container);
  const { tensors, outputs } = integers;
  const outputSizes = outputs.map((tensor) => valuesOf(tensors[tensor].shape));
  const glue = `${declarations.join("\n")}
static const mote_source source = {${fields}, ${container === undefined ? "NULL, 0" : `model_mote, ${container.length}u`}, NULL, NULL};
const mote_source *const bench_source = &source;
const uint32_t bench_input_count = ${inputs.count}u;
const uint32_t bench_output_elements = ${outputSizes.reduce((sum, size) => sum + size, 0)}u;
${image.rowsAtOnce > 0 ? giveRow(tensors[0].shape) : ""}mote_status bench_set_inputs(mote *model, uint32_t index) {
${image.rowsAtOnce > 0 ? inputRows(inputs) : setInputs(inputs)}}
mote_status bench_begin(mote *model, uint32_t index) {
${begin(inputs, statesOf(integers).length > 0)}}
mote_status bench_get_outputs(const mote *model, int8_t *outputs) {
${getOutputs(outputSizes)}}
`;
  sources.push({ path: file(`glue-${engine}.c`, glue), kind: "own" });
  sources.push(binarySections(join(folder, `blobs-${engine}.S`), blobs));
  const includes = [libraryFolder().folder, BOARDS_FOLDER, BENCH_FOLDER];
  // What does not see the model's folder is compiled once a board, not once a model.
  const objects = [
    ...(await compile(board, shared, includes)),
    ...(await compile(board, sources, [...includes, folder])),
  ];
  try {
    return await link(board, objects, program);
  } catch (error) {
    const overflow =
      error instanceof MoteError ? /region `?FLASH'? overflowed by (\d+) bytes/.exec(error.message) : null;
    if (overflow === null) throw error;
    const others = flashNeed(image, engine, inputs.bytes.length, 0).parts;
    const code = board.flashBytes + Number(overflow[1]) - Object.values(others).reduce((sum, bytes) => sum + bytes, 0);
    const need = flashNeed(image, engine, inputs.bytes.length, code);
    const advice = Number(overflow[1]) < inputs.bytes.length ? "; --inputs takes fewer samples" : "";
    throw tooMuch(titleOf({ engine, optimize, model }), board, need, advice);
  }
}

/** The function that gives rows of the input that its context is. */
function giveRow([, height, width]: Shape): string {
  return `static mote_status give_row(void *context, uint32_t channel, uint32_t row, int8_t *values) {
  const int8_t *input = context;
  memcpy(values, input + (channel * ${height}u + row) * ${width}u, ${width}u);
  return MOTE_DONE;
}
`;
}

/** The call that hands it over. */
function inputRows({ count, bytes }: FirmwareInputs): string {
  return `  return mote_input_rows(model, give_row, (void *)(uintptr_t)(bench_inputs + index * ${bytes.length / count}u));\n`;
}

/** Resets a model with states before each stream. What divides is no part of small boards, whose library for it would count as the model's. */
function begin({ perStream, count }: FirmwareInputs, hasStates: boolean): string {
  if (!hasStates || perStream >= count) return "  (void)model;\n  (void)index;\n  return MOTE_DONE;\n";
  return `  while (index >= ${perStream}u) index -= ${perStream}u;\n  return index == 0 ? mote_reset(model) : MOTE_DONE;\n`;
}

/** The calls that hand the inputs of one inference over. */
function setInputs({ kind, sizes, count, bytes }: FirmwareInputs): string {
  const [call, cast] = kind === "pixels" ? ["mote_set_input_u8", ""] : ["mote_set_input_i8", "(const int8_t *)"];
  const first = `bench_inputs + index * ${bytes.length / count}u`;
  return untilError(
    sizes,
    (input, before) => `${call}(model, ${input}u, ${cast}(${first} + ${before}u), ${sizes[input]}u)`,
  );
}

/** The calls that fetch the outputs of one. */
function getOutputs(sizes: readonly number[]): string {
  return untilError(
    sizes,
    (output, before) => `mote_get_output_i8(model, ${output}u, outputs + ${before}u, ${sizes[output]}u)`,
  );
}

/** A function's body: a call for each of some tensors, of which so many elements stand before. */
function untilError(sizes: readonly number[], call: (tensor: number, before: number) => string): string {
  const before = sizes.map((_, tensor) => sizes.slice(0, tensor).reduce((sum, size) => sum + size, 0));
  const [first, ...others] = sizes.map((_, tensor) => call(tensor, before[tensor]));
  const lines = others.map((next) => `  if (status == MOTE_DONE) status = ${next};\n`);
  return `  mote_status status = ${first};\n${lines.join("")}  return status;\n`;
}

async function run(board: Board, program: string, name: string): Promise<BenchReport> {
  const [emulator, ...args] = board.qemu;
  // Under -icount QEMU sends semihosting's text to stderr.
  const { stdout, stderr } = await runTool(emulator, [...args, program], { timeoutMs: RUN_TIMEOUT_MS });
  return readBench(name, stdout + stderr);
}

function evaluate(
  { board, engine, optimize, model }: FirmwareCase,
  name: string,
  image: FirmwareImage,
  inputs: FirmwareInputs,
  size: ProgramSize,
  report: BenchReport,
): Measurement {
  if (report.error !== undefined) {
    const { status, number } = report.error;
    if (status === MEMORY_STATUS) {
      throw tooMuch(titleOf({ engine, optimize, model }), board, sramNeed(board, image, engine, size.staticRam));
    }
    const missing = missingName(status, number);
    const which = missing === undefined ? "" : `: ${missing}`;
    throw new MoteError("ENGINE", `${name}: opening failed: ${libraryStatusText(status)}${which}`);
  }
  if (report.room !== undefined) {
    const { needed, left } = report.room;
    const parts = { "all else": board.ramBytes - left, "its outputs and the layers' ticks": needed };
    throw tooMuch(titleOf({ engine, optimize, model }), board, { memory: "SRAM", parts });
  }
  checkCalibration(board, report.calibration, name);
  if (report.runs.length !== inputs.count + 1) {
    throw new MoteError("ENGINE", `${name}: expected ${inputs.count + 1} inferences, got ${report.runs.length}`);
  }
  const expected = referenceLogits(model.container, inputs);
  const runs = report.runs.slice(0, inputs.count);
  const equal = (index: number, got: readonly number[]): boolean =>
    got.length === expected[index].length && got.every((logit, i) => logit === expected[index][i]);
  const instructions = (ticks: number): number => Math.round(ticks * board.instructionsPerTick);
  const mean = (values: readonly number[]): number =>
    Math.round((values.reduce((sum, value) => sum + value, 0) / values.length) * board.instructionsPerTick);
  const slices = [report.open.slices, ...runs.map((run) => run.slices)];
  const heap = report.memory.used;
  const stack = Math.max(...slices.map((of) => of.stack));
  const { beginStack } = report.open;
  const after = report.runs[inputs.count];
  return {
    board: board.name,
    engine,
    optimize,
    model: model.name,
    inputs: inputs.count,
    ...(inputs.labels === undefined ? {} : { right: runs.filter(({ top }, i) => top === inputs.labels![i]).length }),
    logitsEqual: runs.every(({ logits }, i) => equal(i, logits)),
    instructions: mean(runs.map(({ inputTicks, slices: { ticks } }) => inputTicks + ticks)),
    inputInstructions: mean(runs.map(({ inputTicks }) => inputTicks)),
    instructionsPerLayer: runs[0].layerTicks.map((_, layer) => mean(runs.map(({ layerTicks }) => layerTicks[layer]))),
    longestSlice: instructions(Math.max(...slices.map(({ longestTicks }) => longestTicks))),
    openInstructions: instructions(report.open.beginTicks + report.open.slices.ticks),
    sramBytes: {
      static: size.staticRam,
      heap,
      linear: report.memory.linear,
      stack,
      beginStack,
      total: size.staticRam + heap + Math.max(stack, beginStack),
    },
    flashBytes: flashBytes(engine, image, size),
    survivedDamage: report.damaged.length > 0 && report.damaged.every((status) => status < 0) && equal(0, after.logits),
  };
}

/** The linker knows sections, not what of them is the model. */
function flashBytes(engine: FirmwareEngine, image: FirmwareImage, size: ProgramSize): Measurement["flashBytes"] {
  const total = size.code + size.wasm + size.model;
  const wasm = takesFile(engine) ? image.moduleBytes : 0;
  return { code: total - wasm - image.modelBytes, wasm, model: image.modelBytes, total };
}

/** MOTE_ERROR_MEMORY of mote.h. */
const MEMORY_STATUS = -101;

/** A loop of 2,000,000 instructions more than another must take as many ticks more as the board's clock says. */
function checkCalibration(board: Board, [short, long]: readonly number[], name: string): void {
  const measured = 2_000_000 / (long - short);
  if (Math.abs(measured / board.instructionsPerTick - 1) > 1e-3) {
    throw new MoteError(
      "MISMATCH",
      `${name}: expected ${board.instructionsPerTick.toFixed(3)} instructions a tick, measured ${measured.toFixed(3)}`,
    );
  }
}

/** Of each inference the elements of all outputs, one output behind the other. */
function referenceLogits(container: Uint8Array, inputs: FirmwareInputs): number[][] {
  const { kind, sizes, count, bytes } = inputs;
  const engine = openReference(container);
  try {
    const table = pixelTable(engine.input);
    const elements = kind === "pixels" ? Int8Array.from(bytes, (pixel) => table[pixel]) : new Int8Array(bytes);
    let at = 0;
    return Array.from({ length: count }, (_, run) => {
      if (beginsStream(run, inputs)) engine.reset();
      engine.run(sizes.map((size) => elements.subarray(at, (at += size))));
      return engine.outputs.flatMap((_, output) => [...engine.result(output)]);
    });
  } finally {
    engine.close();
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}
