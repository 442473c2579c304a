/** Running the compilers, emulators and wabt that the firmware needs, with errors that say how to get them. */
import { execFile, spawnSync } from "node:child_process";
import { MoteError } from "../../errors.js";
import { packageRoot } from "../paths.js";

/** Installs all of them on Debian and Ubuntu. */
export const INSTALL_SCRIPT = "tools/install-firmware-tools.sh";

/** Whether a program is on the path. */
function hasTool(name: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${name}`], { stdio: "ignore" }).status === 0;
}

/** Those of `names` that are not on the path. */
export function missingTools(names: readonly string[]): string[] {
  return names.filter((name) => !hasTool(name));
}

export interface ToolResult {
  readonly stdout: string;
  readonly stderr: string;
}

export interface ToolOptions {
  /** Stop the program after this time; default: never. */
  readonly timeoutMs?: number;
  readonly cwd?: string;
}

/**
 * Runs a program to its end.
 * @throws MoteError ENGINE when it is not installed, fails or takes too long; the message has the end of what it said
 */
export function runTool(program: string, args: readonly string[], options: ToolOptions = {}): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    execFile(
      program,
      args,
      {
        cwd: options.cwd ?? packageRoot,
        maxBuffer: 1 << 26,
        encoding: "utf8",
        ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs, killSignal: "SIGKILL" }),
      },
      (error, stdout, stderr) => {
        if (error === null) return resolve({ stdout, stderr });
        reject(new MoteError("ENGINE", failure(program, error, `${stdout}${stderr}`), { cause: error }));
      },
    ).stdin?.end();
  });
}

function failure(program: string, error: Error & { code?: unknown; killed?: boolean }, said: string): string {
  if (error.code === "ENOENT") {
    return `${program} is not installed; on Debian and Ubuntu mend with: sudo sh ${INSTALL_SCRIPT}`;
  }
  if (error.killed === true) return `${program} did not end in time${tail(said)}`;
  return `${program} failed (${String(error.code)})${tail(said)}`;
}

function tail(said: string): string {
  const lines = said.trim().split("\n").slice(-12).join("\n");
  return lines === "" ? "" : `:\n${lines}`;
}
