/** `mote pack`: a compressed net, or a container made before, as .mote, self-contained .wasm or C source. */
import { basename, dirname, extname, join } from "node:path";
import { Command, Option } from "commander";
import { MAGIC, MIN_WINDOW_BYTES, MODEL_SLACK_BYTES } from "../assembly/format.js";
import { bakedContainer } from "../host/container/baked.js";
import { cSource } from "../host/container/c-source.js";
import { planTotal, REGIONS, tensorBytes, type Plan } from "../host/container/plan.js";
import { readContainer, type Container } from "../host/container/read.js";
import { writeContainer } from "../host/container/write.js";
import { readFile } from "../host/data/inputs.js";
import { MoteError } from "../host/errors.js";
import { quantize } from "../host/quantize.js";
import { isWasm } from "../host/runtime/open.js";
import { readCheckpoint } from "../host/train/checkpoint.js";
import { writeFileAtomic } from "../host/write-file.js";
import { grouped, parseBytes, printPairs } from "./model-file.js";

const FORMATS = ["mote", "wasm", "c", "aot"] as const;
type Format = (typeof FORMATS)[number];

interface PackFlags {
  readonly out: string;
  readonly format?: Format;
  readonly sram?: number;
  readonly window?: number;
  readonly tables?: number;
  readonly codec?: "huffman" | "bytes";
  readonly json?: boolean;
}

export function packCommand(): Command {
  return new Command("pack")
    .description("write a compressed net as .mote, self-contained .wasm or C source")
    .argument("<net>", "compressed net (.safetensors, made by mote compress), or a .mote or .wasm to wrap anew")
    .requiredOption("-o, --out <file>", "where it goes: .mote, .wasm, or .c with a .h beside it")
    .addOption(
      new Option(
        "--format <name>",
        "default: by the name of the output; aot: a .c with the core compiled ahead of time",
      ).choices(FORMATS),
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
    .addOption(
      new Option(
        "--codec <name>",
        "bytes: about three times the size and a third of the time to decode; default: huffman",
      ).choices(["huffman", "bytes"]),
    )
    .option("--json", "print one JSON object as the last line")
    .addHelpText("after", "\nExample:\n  mote pack models/lenet5.mote -o lenet5.wasm --sram 12288")
    .action(pack);
}

async function pack(input: string, flags: PackFlags): Promise<void> {
  const format = flags.format ?? formatOf(flags.out);
  if (flags.window !== undefined && flags.window < MIN_WINDOW_BYTES) {
    throw new MoteError("ARGUMENT", `--window ${flags.window}: expected at least ${MIN_WINDOW_BYTES} bytes`);
  }
  const bytes = containerOf(input, flags);
  const container = namingFile(input, () => readContainer(bytes));
  const memory = linearMemory(container, format);
  if (flags.sram !== undefined && memory > flags.sram) {
    throw new MoteError(
      "MEMORY",
      `${input}: needs ${memory} bytes of linear memory, --sram grants ${flags.sram}: ${breakdown(container, format)}`,
    );
  }
  const written = await writeAs(format, flags.out, bytes, container);
  const pairs: [string, string][] = [
    ...written.map(({ path, bytes: size }): [string, string] => [path, `${grouped(size)} bytes`]),
    ["container", `${grouped(bytes.length)} bytes`],
    ["linear memory", `${grouped(memory)} bytes${format === "wasm" ? ", the model in it" : ""}`],
  ];
  printPairs(pairs);
  if (flags.json === true) {
    const { offsets: _, ...plan } = container.plan;
    process.stdout.write(
      JSON.stringify({ format, containerBytes: bytes.length, linearMemoryBytes: memory, plan, files: written }) + "\n",
    );
  }
}

function formatOf(path: string): Format {
  const format = FORMATS.find((name) => extname(path) === `.${name}`);
  if (format === undefined) {
    throw new MoteError("ARGUMENT", `--out ${path}: expected a name ending in .mote, .wasm or .c, or --format`);
  }
  return format;
}

/** The bytes of the container that a file is or becomes. */
function containerOf(path: string, { window, tables, codec }: PackFlags): Uint8Array {
  const file = readFile(path);
  if (isWasm(file) || isContainer(path, file)) {
    if (window !== undefined || tables !== undefined) {
      throw new MoteError("ARGUMENT", `${path} is packed already: --window and --tables are for a net to be packed`);
    }
    const container = isWasm(file) ? namingFile(path, () => bakedContainer(file).container) : file;
    if (codec === undefined) return container;
    return namingFile(path, () => {
      const { model, plan } = readContainer(container);
      return writeContainer(model, { windowBytes: plan.window, codec });
    });
  }
  const options = {
    ...(window === undefined ? {} : { windowBytes: window }),
    ...(tables === undefined ? {} : { tableBytes: tables }),
    ...(codec === undefined ? {} : { codec }),
  };
  return namingFile(path, () => writeContainer(quantize(readCheckpoint(path).net), options));
}

/** By its first bytes; a damaged .mote file is still one, and gets the container's error rather than the checkpoint's. */
function isContainer(path: string, file: Uint8Array): boolean {
  const magic = file.length >= 4 ? new DataView(file.buffer, file.byteOffset, 4).getUint32(0, true) : 0;
  return magic === MAGIC || extname(path) === ".mote";
}

/** Errors about a file's contents begin with its name. */
function namingFile<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof MoteError) || error.message.includes(path)) throw error;
    throw new MoteError(error.code, `${path}: ${error.message}`, { cause: error });
  }
}

/** A .wasm has the model in its memory and no window; the others read it from outside. */
function linearMemory({ plan, fileBytes }: Container, format: Format): number {
  return format === "wasm" ? planTotal(plan, true) + fileBytes + MODEL_SLACK_BYTES : planTotal(plan);
}

/** "arena 3680 (tensors 784 + 2880 + …), channels 2000, …": the largest first. */
function breakdown({ plan, model, fileBytes }: Container, format: Format): string {
  const parts = REGIONS.filter((name) => !(format === "wasm" && name === "window")).map((name) => ({
    name,
    bytes: plan[name],
  }));
  const resident = format === "wasm" ? [{ name: "model", bytes: fileBytes + MODEL_SLACK_BYTES }] : [];
  const fixed = { name: "control block and tensor table", bytes: planTotal(plan) - regionBytes(plan) };
  return [...parts, ...resident, fixed]
    .sort((a, b) => b.bytes - a.bytes)
    .map(({ name, bytes }) =>
      name === "arena"
        ? `arena ${bytes} (tensors of ${model.tensors.map(tensorBytes).join(", ")})`
        : `${name} ${bytes}`,
    )
    .join(", ");
}

function regionBytes(plan: Plan): number {
  return REGIONS.reduce((sum, name) => sum + plan[name], 0);
}

interface Written {
  readonly path: string;
  readonly bytes: number;
}

async function writeAs(format: Format, out: string, bytes: Uint8Array, { plan }: Container): Promise<Written[]> {
  const files: [path: string, content: Uint8Array | string][] = [];
  if (format === "mote") {
    files.push([out, bytes]);
  } else if (format === "wasm") {
    // Only this format needs binaryen, which takes a while to load.
    const { bake } = await import("../host/container/bake.js");
    files.push([out, bake(bytes)]);
  } else {
    const name = basename(out, extname(out));
    const { header, source } = format === "aot" ? await aheadOfTime(bytes, name) : cSource(bytes, plan, name);
    files.push([join(dirname(out), `${name}.h`), header], [join(dirname(out), `${name}.c`), source]);
  }
  return files.map(([path, content]) => {
    writeFileAtomic(path, content);
    return { path, bytes: Buffer.byteLength(content) };
  });
}

async function aheadOfTime(container: Uint8Array, name: string): Promise<{ header: string; source: string }> {
  const { specialize } = await import("../host/container/bake.js");
  const { aotSource } = await import("../host/firmware/aot.js");
  return aotSource(specialize(container), container, name);
}
