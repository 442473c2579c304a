/** Runs `mote`: its output and exit code. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { builtFile, packageRoot } from "../../host/node/paths.js";

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Called when the process has been started. */
  readonly onStart?: (kill: (signal: NodeJS.Signals) => void) => void;
  /** Called with all of stderr so far, whenever there is more; may send a signal. */
  readonly onStderr?: (text: string, kill: (signal: NodeJS.Signals) => void) => void;
  /** A shell command that sets limits first, such as `ulimit -f 1`. */
  readonly limits?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

const script = join(packageRoot, "tools/mote.mjs");

/**
 * In this process, as it was built: a process of its own takes three tenths of a second to start, and seconds where it makes modules. It is one of its
 * own where options ask for what only that has.
 * @param args as after `mote`
 */
export function mote(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { env, ...others } = options;
  return Object.keys(others).length > 0 ? moteProcess(args, options) : inTurn(() => moteHere(args, env ?? {}));
}

/** As a user does. `npm test` has built everything, and digests for each call take their time. */
export function moteProcess(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return run(process.execPath, [script, ...args], options);
}

/** Of a call in this process. A command that hangs is to be no more than one test's failure. */
const LIMIT_MS = 400_000;

let last: Promise<unknown> = Promise.resolve();

/** After those before it, since a command has the process's streams and exit code to itself. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const turn = last.then(work);
  last = turn.catch(() => {});
  return turn;
}

async function moteHere(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Outcome> {
  const { main } = (await import(builtFile("dist/tools/cli.js"))) as typeof import("../../tools/cli.js");
  const { exitCode } = process;
  const [stdout, stderr] = [process.stdout, process.stderr].map(capture);
  const interrupts = process.listeners("SIGINT");
  const before = setEnvironment(env);
  process.exitCode = undefined;
  try {
    await withinLimit(main([process.execPath, script, ...args]), args);
    return { code: Number(process.exitCode ?? 0), stdout: stdout.end(), stderr: stderr.end() };
  } finally {
    for (const captured of [stdout, stderr]) captured.end();
    for (const listener of process.listeners("SIGINT")) {
      if (!interrupts.includes(listener)) process.off("SIGINT", listener);
    }
    setEnvironment(before);
    process.exitCode = exitCode;
  }
}

async function withinLimit(work: Promise<void>, args: readonly string[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    const error = new Error(`mote ${args.join(" ")}: not done after ${LIMIT_MS / 1000} seconds`);
    timer = setTimeout(() => reject(error), LIMIT_MS);
  });
  try {
    await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** Keeps what is written to a stream, until it is asked for that. */
function capture(stream: NodeJS.WriteStream): { end: () => string } {
  const { write } = stream;
  const guards = stream.listeners("error");
  let text = "";
  stream.write = (chunk: string | Uint8Array): boolean => {
    text += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
    return true;
  };
  return {
    end: () => {
      stream.write = write;
      for (const guard of stream.listeners("error") as (() => void)[]) {
        if (!guards.includes(guard)) stream.off("error", guard);
      }
      return text;
    },
  };
}

/** @param env what is undefined is taken out @returns what was there before */
function setEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const before = Object.fromEntries(Object.keys(env).map((name) => [name, process.env[name]]));
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  return before;
}

export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [file, ...rest] =
    options.limits === undefined
      ? [command, ...args]
      : ["bash", "-c", `${options.limits}; exec "$@"`, "-", command, ...args];
  return new Promise((resolve, reject) => {
    const child = spawn(file, rest, {
      env: { ...process.env, MOTE_SKIP_BUILD: "1", ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    options.onStart?.((signal) => child.kill(signal));
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
      options.onStderr?.(stderr, (signal) => child.kill(signal));
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** The last line of stdout, parsed. */
export function lastJson(outcome: Outcome): Record<string, unknown> {
  const lines = outcome.stdout.trimEnd().split("\n");
  return JSON.parse(lines[lines.length - 1]) as Record<string, unknown>;
}

/** Failed as it should: exit code 1, nothing on stdout, and one line on stderr that begins with "mote: ". */
export function expectOneLine(outcome: Outcome, message: RegExp, code = 1): void {
  const line = outcome.stderr.trimEnd();
  expect(line).toMatch(message);
  expect(line).toMatch(/^mote: .*$/); // "." does not match a line's end
  expect(outcome.stdout).toBe("");
  expect(outcome.code).toBe(code);
}

/** A folder for the tests of one file, removed behind them. */
export function scratchFolder(): { readonly path: (name: string) => string; readonly names: () => string[] } {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "mote-cli-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return { path: (name) => join(folder, name), names: () => readdirSync(folder).sort() };
}
