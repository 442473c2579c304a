/** What the commands that run models share: the model file, its engine and the flags for both. */
import { extname } from "node:path";
import { InvalidArgumentError, Option } from "commander";
import { bakedContainer } from "../host/module/baked.js";
import { fastParts, isFastModule } from "../host/fast/parts.js";
import { describeFile, isJpeg, isMote, isPng, isSafetensors } from "../host/data/file-kind.js";
import type { Streams } from "../host/data/sequences.js";
import { readFile } from "../host/node/read-file.js";
import { OPTIMIZATIONS, type Optimization } from "../host/fast/optimization.js";
import type { FastLayout, FastRam } from "../host/fast/memory.js";
import { MoteError } from "../host/errors.js";
import type { Tally } from "../host/engines/classify.js";
import type { Engine, EngineName, EngineOptions } from "../host/engines/engine.js";
import { isWasm } from "../host/module/sections.js";
import { hasSimd } from "../host/engines/has-simd.js";
import { ENGINE_NAMES, fastestEngine } from "../host/engines/open.js";
import { openEngine } from "../host/node/engines/open.js";
import { isWasm3Built } from "../host/node/wasm3/runtime.js";

export interface OpenModel {
  readonly path: string;
  readonly engine: Engine;
  /** Bytes of the container: all of a .mote file, the model's part of a packed .wasm. A fast module has none. */
  readonly containerBytes?: number;
  /** Of a fast module, the bytes of its stream. */
  readonly streamBytes?: number;
}

/** A model as `mote pack` writes it. @throws MoteError FILE, or FORMAT that says what the file is instead */
export function readModel(path: string): Uint8Array {
  const file = readFile(path);
  if (isWasm(file) || isContainer(path, file)) return file;
  throw notOneOf(path, file, "a model: .mote, or .wasm made by mote pack");
}

/** By its first bytes; a damaged .mote file is still one, and gets the container's error rather than another. */
export function isContainer(path: string, file: Uint8Array): boolean {
  return isMote(file) || extname(path) === ".mote";
}

/** By its first bytes or its name, as above. */
export function isFloatNet(path: string, file: Uint8Array): boolean {
  return isSafetensors(file) || extname(path) === ".safetensors";
}

export function notOneOf(path: string, file: Uint8Array, expected: string): MoteError {
  const advice = isFloatNet(path, file)
    ? "; mote pack makes a model of a compressed net"
    : isPng(file) || isJpeg(file)
      ? "; mote run --qr reads the model in a picture of its code"
      : "";
  return new MoteError("FORMAT", `${path}: expected ${expected}; this is ${describeFile(file)}${advice}`);
}

/**
 * @param fast the file's model as `optimizedModel` made it, to open in place of the file
 * @param file what stands in it, where that is not a model itself
 * @throws MoteError that names the file
 */
export function openModel(
  path: string,
  engine: EngineName,
  options: EngineOptions,
  fast?: Uint8Array,
  file = readModel(path),
): OpenModel {
  return namingFile(path, () => {
    const module = fast ?? (isFastModule(file) ? file : undefined);
    return {
      path,
      engine: openEngine(engine, module ?? file, options),
      ...(isFastModule(file) ? {} : { containerBytes: containerOf(file).length }),
      ...(module === undefined ? {} : { streamBytes: fastParts(module).stream.length }),
    };
  });
}

/** The container that a .mote file is, or a .wasm has inside. @throws MoteError UNSUPPORTED for a fast module, FORMAT for another .wasm */
export function containerOf(file: Uint8Array): Uint8Array {
  if (isFastModule(file)) {
    throw new MoteError(
      "UNSUPPORTED",
      "a fast module has no container inside; expected the one that it was packed from",
    );
  }
  return isWasm(file) ? bakedContainer(file).container : file;
}

/** `--optimize`, the same in every command that has it. */
export function optimizeOption(speed: string): Option {
  return new Option(
    "--optimize <for>",
    `size: the model stays a container; speed: ${speed}; sram: the same with less code`,
  )
    .choices(OPTIMIZATIONS)
    .default("size");
}

/**
 * @param contents as `file` of `openModel`
 * @returns the file's model as a fast module; for size, undefined
 * @throws MoteError that names the file
 */
export async function optimizedModel(
  path: string,
  optimize: Optimization,
  contents?: Uint8Array,
): Promise<Uint8Array | undefined> {
  if (optimize === "size") return undefined;
  const file = contents ?? readModel(path);
  if (isFastModule(file)) return file;
  // Only this needs binaryen, which takes half a second to load.
  const { fastModule } = await import("../host/node/fast/fast-module.js");
  return namingFile(path, () => fastModule(containerOf(file), optimize));
}

/** Errors about a file's contents begin with its name. */
export function namingFile<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw withFileName(path, error);
  }
}

/** The error to throw in place of one that may not name the file. */
export function withFileName(path: string, error: unknown): unknown {
  if (!(error instanceof MoteError) || error.message.includes(path)) return error;
  return new MoteError(error.code, `${path}: ${error.message}`, { cause: error });
}

/** Parses a flag that is a number of bytes. */
export function parseBytes(text: string): number {
  const bytes = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(bytes >= 1 && bytes <= 2 ** 28)) throw new InvalidArgumentError("expected 1 .. 268435456 bytes.");
  return bytes;
}

/** Parses `--sram` of fast modules. */
export function parseRam(text: string): FastRam {
  return text === "least" ? text : parseBytes(text);
}

/** Of `--input-rows`, where there is `--sram`. */
export const INPUT_ROWS_HELP =
  "the input of a fast module comes by rows, during a run: it is never there as a whole; in the least linear memory, or the cheapest that --sram grants";

/** Flags that say how a fast module is laid out. */
export interface LayoutFlags {
  readonly sram?: FastRam;
  readonly inputRows?: true | undefined;
  readonly bytePrice?: number;
}

/** Of `--byte-price`. */
export const BYTE_PRICE_HELP =
  "instructions of a run that a byte of a fast module's stream is worth, for choosing kernels; default 0: the fastest ones";

/** Parses `--byte-price`. */
export function parsePrice(text: string): number {
  const price = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (!(price <= 1e6)) throw new InvalidArgumentError("expected 0 .. 1000000.");
  return price;
}

export function layoutOf({ sram: ram, inputRows, bytePrice }: LayoutFlags): FastLayout {
  return { ram, inputRows, bytePrice };
}

/** `--engine`, the same in every command that has it. */
export function engineOption(fallback = "wasm3, or v8 where no C compiler has built it"): Option {
  return new Option("--engine <name>", `what runs the model; default: ${fallback}`).choices(ENGINE_NAMES);
}

/** What runs a model fastest: where the outputs alone are asked for, and not what a device takes. @throws MoteError FILE, FORMAT */
export function fastestFor(path: string): EngineName {
  const file = readModel(path);
  return isFastModule(file) ? "v8" : fastestEngine(containerOf(file));
}

/** Whether the engine with vectors is here, and runs the model of a file; a fast module it refuses itself. @throws MoteError FILE, FORMAT */
export function hasVectors(path: string): boolean {
  const file = readModel(path);
  return hasSimd() && (isFastModule(file) || fastestEngine(containerOf(file)) === "simd");
}

/** The engine asked for. Of none, wasm3; where it is not built, V8 with a word on stderr: the outputs are the same. */
export function engineOrDefault(asked: EngineName | undefined): EngineName {
  if (asked !== undefined) return asked;
  if (isWasm3Built()) return "wasm3";
  process.stderr.write("mote: wasm3 is not built, so that V8 runs the model; the outputs are the same\n");
  return "v8";
}

/** The object behind `--json`. `bytesRead` and `usPerInference` are means of one inference, loading not counted. */
export function runSummary(
  { path, engine, containerBytes, streamBytes }: OpenModel,
  tally: Tally,
): Record<string, unknown> {
  const { samples, errors } = tally;
  return {
    model: path,
    engine: engine.name,
    samples,
    errors: errors ?? null,
    errorPercent: errors === undefined ? null : Number(((100 * errors) / samples).toFixed(4)),
    ...(containerBytes === undefined ? {} : { containerBytes }),
    ...(streamBytes === undefined ? {} : { streamBytes }),
    linearMemoryBytes: engine.linearMemoryBytes,
    bytesRead: tally.bytesRead,
    usPerInference: Number(tally.usPerInference.toFixed(1)),
  };
}

/** Of `counted`. */
export const countedInputs = ({ count, perSample }: CountedRuns): string =>
  counted(count / perSample, "input", perSample);

/** The same for `--json`. */
export const inputsJson = ({ count, perSample }: CountedRuns): { readonly inputs: number; readonly steps: number } => ({
  inputs: count / perSample,
  steps: perSample,
});

/** Runs, and how many of them a sample has. */
type CountedRuns = Pick<Streams, "perSample"> & { readonly count: number };

/** "3 inputs"; of sequences "3 inputs, 84 steps" */
export function counted(count: number, what: string, perSample: number): string {
  const text = `${grouped(count)} ${what}${count === 1 ? "" : "s"}`;
  return perSample === 1 ? text : `${text}, ${grouped(count * perSample)} steps`;
}

/** 1234567 → "1,234,567" */
export function grouped(value: number): string {
  return value.toLocaleString("en");
}
