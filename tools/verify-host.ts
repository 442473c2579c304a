/** `mote verify MODEL --host COMMAND`: a model's module on another WebAssembly host, by files, beside the outputs of our own. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beginsStream, placeOfRun } from "../host/data/sequences.js";
import { MoteError } from "../host/errors.js";
import type { Engine, EngineName } from "../host/engines/engine.js";
import type { Optimization } from "../host/fast/optimization.js";
import { isWasm } from "../host/module/sections.js";
import { bitsOf, refuseWide } from "../host/model/elements.js";
import { valuesOf } from "../host/model/geometry.js";
import type { Runs } from "../host/node/data/runs.js";
import { bake } from "../host/node/module/bake.js";
import { Progress } from "../host/node/progress.js";
import { readFile } from "../host/node/read-file.js";
import { nextTurn } from "../host/turn.js";
import { countedInputs, fastestFor, grouped, inputsJson, namingFile, openModel, optimizedModel } from "./model-file.js";
import type { Output } from "./output.js";
import { inputsFor, type InputFlags } from "./verify-inputs.js";

export interface VerifyHostFlags extends InputFlags {
  readonly optimize: Optimization;
}

/** @throws MoteError MEMORY for too many runs, ENGINE where the host fails, MISMATCH where it answers something else */
export async function verifyHost(path: string, host: string, flags: VerifyHostFlags, output: Output): Promise<void> {
  const { engine, runs, difference } = await compareWithHost(path, host, flags);
  if (difference === undefined) {
    output.line(`${path}: ${countedInputs(runs)} (${runs.source}): ${host} = ${engine}, every output`);
  }
  output.json(() => {
    const inputs = { ...inputsJson(runs), source: runs.source };
    return { model: path, host, engine, ...inputs, equal: difference === undefined };
  });
  if (difference !== undefined) throw new MoteError("MISMATCH", `${path}: ${host}: ${difference}`);
}

export interface HostComparison {
  /** Of ours. */
  readonly engine: EngineName;
  /** What both were run on. */
  readonly runs: Runs;
  /** Where outputs differ first, in words. */
  readonly difference: string | undefined;
}

/**
 * Runs a model on an engine of ours and its module on the host.
 * @param host words of a command, behind which it gets three files and how many runs are a stream: docs/plugin.md
 * @throws MoteError MEMORY for more runs than MOST_BYTES have room for, ENGINE where the host fails
 */
export async function compareWithHost(path: string, host: string, flags: VerifyHostFlags): Promise<HostComparison> {
  const fast = await optimizedModel(path, flags.optimize);
  const { engine } = openModel(path, fast === undefined ? fastestFor(path) : "v8", {}, fast);
  const folder = mkdtempSync(join(tmpdir(), "mote-host-"));
  try {
    refuseWide(bitsOf(engine.input), `${path}: --host takes bytes: `);
    const file = readFile(path);
    const module = fast ?? (isWasm(file) ? file : namingFile(path, () => bake(file)));
    const runs = inputsFor(flags, engine);
    const { given, expected } = await outputsOf(engine, runs);
    const files = ["model.wasm", "inputs.bin", "outputs.bin"].map((name) => join(folder, name));
    writeFileSync(files[0], module);
    writeFileSync(files[1], given);
    await call(host, [...files, String(Math.min(runs.perStream, runs.count))]);
    const difference = differenceOf(engine, runs, expected, readOutputs(host, files[2]));
    return { engine: engine.name, runs, difference };
  } finally {
    engine.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of inputs and outputs, which are in memory and in files as a whole. */
const MOST_BYTES = 2 ** 28;

/** All runs on our engine, one after another as the host does them. */
async function outputsOf(engine: Engine, runs: Runs): Promise<{ given: Int8Array; expected: Int8Array }> {
  const { count } = runs;
  const [inputBytes, outputBytes] = [bytesOf(engine.inputs), bytesOf(engine.outputs)];
  const bytes = count * (inputBytes + outputBytes);
  if (bytes > MOST_BYTES) {
    throw new MoteError(
      "MEMORY",
      `--host: ${grouped(count)} runs have ${grouped(bytes)} bytes of inputs and outputs, expected at most ${grouped(MOST_BYTES)}; fewer are run by --random N, or --data SPEC:N`,
    );
  }
  const [given, expected] = [new Int8Array(count * inputBytes), new Int8Array(count * outputBytes)];
  const progress = new Progress("verify", count);
  for (let index = 0; index < count; index++) {
    let at = index * inputBytes;
    const elements = engine.inputs.map(({ shape }) => given.subarray(at, (at += valuesOf(shape))));
    runs.fill(index, elements);
    if (beginsStream(index, runs)) engine.reset();
    engine.run(elements);
    at = index * outputBytes;
    engine.outputs.forEach((_, one) => {
      const result = engine.result(one);
      expected.set(result, at);
      at += result.length;
    });
    progress.update(index + 1);
    if (index % 16 === 0) await nextTurn();
  }
  progress.finish();
  return { given, expected };
}

function bytesOf(ends: Engine["inputs"]): number {
  return ends.reduce((sum, { shape }) => sum + valuesOf(shape), 0);
}

/** Runs the host's command, the arguments behind its own words. What it prints goes to stderr. @throws MoteError ENGINE where it fails */
async function call(host: string, given: readonly string[]): Promise<void> {
  const [command = "", ...words] = host.trim().split(/\s+/);
  const failure = await new Promise<string | undefined>((resolve) => {
    const child = spawn(command, [...words, ...given], { stdio: ["ignore", process.stderr, process.stderr] });
    child.once("error", ({ message }) => resolve(message));
    child.once("exit", (code, signal) =>
      resolve(code === 0 ? undefined : `ended with ${signal ?? `exit code ${code}`}`),
    );
  });
  if (failure !== undefined) throw new MoteError("ENGINE", `--host ${host}: ${failure}`);
}

function readOutputs(host: string, path: string): Int8Array {
  try {
    return new Int8Array(readFileSync(path));
  } catch {
    throw new MoteError("ENGINE", `--host ${host}: wrote no outputs, expected them in the third file of its arguments`);
  }
}

/** Where outputs differ first, in words. */
function differenceOf(engine: Engine, runs: Runs, expected: Int8Array, got: Int8Array): string | undefined {
  if (got.length !== expected.length) {
    const each = grouped(bytesOf(engine.outputs));
    return `${grouped(got.length)} bytes of outputs, expected ${grouped(expected.length)}: ${each} for each of ${grouped(runs.count)} runs`;
  }
  const at = expected.findIndex((value, index) => value !== got[index]);
  if (at < 0) return undefined;
  const outputBytes = expected.length / runs.count;
  let [output, element] = [0, at % outputBytes];
  for (const { shape } of engine.outputs) {
    if (element < valuesOf(shape)) break;
    element -= valuesOf(shape);
    output++;
  }
  const { sample, step } = placeOfRun(Math.floor(at / outputBytes), runs);
  const where = `input ${sample}${step === undefined ? "" : `, step ${step}`}`;
  return `${where}, output ${output}, element ${element} is ${got[at]}, expected ${expected[at]}`;
}
