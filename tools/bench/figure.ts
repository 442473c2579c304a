/** What a measurement comes to: one line of the table, one object of the JSON. */
import { execFileSync } from "node:child_process";
import { cpus, loadavg, totalmem } from "node:os";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { builtFile, dependencyFolder } from "../../host/node/paths.js";

export interface Figure {
  /** For scripts, `group.subject.what`; stays as it is when the name for people changes. */
  readonly id: string;
  readonly name: string;
  readonly value: number | string;
  /** "B", "%", "s", … or "" for a bare number or a word. */
  readonly unit: string;
  /** As the project's goals state it: "≤ 6,656". */
  readonly target?: string;
  /** Whether the target is met; absent where there is none. */
  readonly met?: boolean;
  /** What rivals take, by name, in the same unit: bench/rivals.json. */
  readonly beside?: Readonly<Record<string, number>>;
  /** The numbers that `value` puts into words. */
  readonly detail?: Readonly<Record<string, number>>;
}

export interface BenchOptions {
  /** Everything at full length: all 10,000 digits on every engine, a whole epoch. */
  readonly full: boolean;
  readonly threads: number;
  /** Of the group's parts, those that are measured; absent: all. */
  readonly parts?: readonly string[];
  /** Says what is being measured. */
  readonly note: (text: string) => void;
}

export interface Group {
  readonly name: string;
  readonly summary: string;
  /** What `--only GROUP:PART` measures by itself, where the whole takes long. */
  readonly parts?: readonly string[];
  readonly measure: (options: BenchOptions) => Promise<Figure[]>;
  /** What `--save` writes beside results.json. @param all that stand, of earlier runs too where `--only` keeps them @returns names and texts */
  readonly files?: (
    figures: readonly Figure[],
    by: { readonly command: string; readonly commit: string },
  ) => readonly (readonly [name: string, text: string])[];
}

/** A figure that is to be at most `limit`, where there is one. */
export function atMost(id: string, name: string, value: number, unit: string, limit?: number): Figure {
  const figure = { id, name, value, unit };
  return limit === undefined ? figure : { ...figure, target: `≤ ${limit.toLocaleString("en")}`, met: value <= limit };
}

/** A figure that is to be at least `limit`. */
export function atLeast(id: string, name: string, value: number, unit: string, limit: number): Figure {
  return { id, name, value, unit, target: `≥ ${limit.toLocaleString("en")}`, met: value >= limit };
}

/** Keeps `digits` significant digits: 1.2345678 → 1.23. */
export function rounded(value: number, digits = 3): number {
  return Number(value.toPrecision(digits));
}

/** As a row of a table: figure, value, target, met. */
export function figureCells(figure: Figure): [string, string, string, string] {
  const value = typeof figure.value === "number" ? figure.value.toLocaleString("en") : figure.value;
  const met = figure.met === undefined ? "" : figure.met ? "yes" : "NO";
  const beside = Object.entries(figure.beside ?? {}).map(([name, amount]) => `${name} ${amount.toLocaleString("en")}`);
  const name = beside.length === 0 ? figure.name : `${figure.name} (${beside.join(", ")})`;
  return [name, `${value} ${figure.unit}`.trim(), figure.target ?? "", met];
}

/** What a reader needs to judge the numbers. */
export function describeMachine(): Record<string, string | number> {
  const cpu = cpus();
  const version = (name: string): string => {
    const path = join(dependencyFolder(name), "package.json");
    return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version : "not installed";
  };
  return {
    cpu: cpu[0]?.model.trim() ?? "unknown",
    cores: cpu.length,
    memoryGiB: rounded(totalmem() / 2 ** 30),
    loadAverage: rounded(loadavg()[0]),
    system: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    v8: process.versions.v8,
    assemblyscript: version("assemblyscript"),
    binaryen: version("binaryen"),
    wasm3Package: `react-native-webassembly ${version("react-native-webassembly")}`,
    commit: commit(),
    date: new Date().toISOString().slice(0, 10),
  };
}

function commit(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync("git", args, { cwd: builtFile("."), encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    return (
      git("rev-parse", "--short", "HEAD") + (git("status", "--porcelain", "--untracked-files=no") === "" ? "" : "+")
    );
  } catch {
    return "not a git checkout";
  }
}
