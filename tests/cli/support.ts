/** Runs `mote` as a user does: a process of its own, its output and exit code. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { packageRoot } from "../../host/node/paths.js";

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

/** `npm test` has built everything, and a digest for each of a hundred calls takes its time. @param args as after `mote` */
export function mote(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return run(process.execPath, [script, ...args], options);
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
