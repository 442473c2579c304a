/** What the commands that run models share: the model file, its engine and the flags for both. */
import { InvalidArgumentError, Option } from "commander";
import { bakedContainer } from "../host/container/baked.js";
import { readFile } from "../host/data/inputs.js";
import { MoteError } from "../host/errors.js";
import type { Tally } from "../host/runtime/classify.js";
import type { Engine, EngineName, EngineOptions } from "../host/runtime/engine.js";
import { isWasm, openEngine } from "../host/runtime/open.js";

export interface OpenModel {
  readonly path: string;
  readonly engine: Engine;
  /** Bytes of the container: all of a .mote file, the model's part of a packed .wasm. */
  readonly containerBytes: number;
}

/** @throws MoteError that names the file */
export function openModel(path: string, engine: EngineName, options: EngineOptions): OpenModel {
  const file = readFile(path);
  try {
    const containerBytes = isWasm(file) ? bakedContainer(file).container.length : file.length;
    return { path, engine: openEngine(engine, file, options), containerBytes };
  } catch (error) {
    if (!(error instanceof MoteError) || error.message.includes(path)) throw error;
    throw new MoteError(error.code, `${path}: ${error.message}`, { cause: error });
  }
}

/** Parses a flag that is a number of bytes. */
export function parseBytes(text: string): number {
  const bytes = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(bytes >= 1 && bytes <= 2 ** 28)) throw new InvalidArgumentError("expected 1 .. 268435456 bytes.");
  return bytes;
}

/** `--engine`, the same in every command that has it. */
export function engineOption(): Option {
  return new Option("--engine <name>", "what runs the model").choices(["wasm3", "v8", "reference"]).default("wasm3");
}

/** The object behind `--json`. `bytesRead` and `usPerInference` are means of one inference, loading not counted. */
export function runSummary({ path, engine, containerBytes }: OpenModel, tally: Tally): Record<string, unknown> {
  const { samples, errors } = tally;
  return {
    model: path,
    engine: engine.name,
    samples,
    errors: errors ?? null,
    errorPercent: errors === undefined ? null : Number(((100 * errors) / samples).toFixed(4)),
    containerBytes,
    linearMemoryBytes: engine.linearMemoryBytes,
    bytesRead: tally.bytesRead,
    usPerInference: Number(tally.usPerInference.toFixed(1)),
  };
}

/** Name and value, one pair a line. */
export function printPairs(pairs: readonly (readonly [string, string])[]): void {
  const width = Math.max(...pairs.map(([name]) => name.length));
  for (const [name, value] of pairs) process.stdout.write(`${name.padEnd(width)}  ${value}\n`);
}

/** 1234567 → "1,234,567" */
export function grouped(value: number): string {
  return value.toLocaleString("en");
}
