/**
 * Writes firmware-examples/common/mote-format.h: the constants of assembly/format.ts, abi.ts, module.ts and fast/layout.ts for C, so that they are written once.
 * Example: node dist/tools/gen-format.js
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { MoteError } from "../host/errors.js";
import { packageRoot } from "../host/node/paths.js";
import { writeFileAtomic } from "../host/node/write-file.js";

export const FORMAT_SOURCES = [
  "assembly/format.ts",
  "assembly/abi.ts",
  "assembly/module.ts",
  "assembly/fast/layout.ts",
] as const;
export const FORMAT_HEADER = "firmware-examples/common/mote-format.h";

/** `export const NAME = literal;`, perhaps with a remark behind it. */
const CONSTANT = /^export const ([A-Z0-9_]+) = (-?(?:0x[0-9a-f]+|\d+)|"[a-z0-9.]+");(?: \/\/ (.+))?$/;

/** Constants that the header lists with a text, by how their names begin. */
const LISTS = [
  {
    prefix: "STATUS_",
    macro: "MOTE_STATUS_TEXTS",
    comment: "Each status of the core with its meaning: X(name, text).",
    text: (_name: string, remark: string | undefined) => remark,
  },
  { prefix: "OP_", macro: "MOTE_OP_NAMES", comment: "Each op with its name: X(number, name).", text: lowerCase },
  { prefix: "CODEC_", macro: "MOTE_CODEC_NAMES", comment: "Each codec with its name, likewise.", text: lowerCase },
  {
    prefix: "KIND_",
    macro: "MOTE_KIND_NAMES",
    comment: "Each kind of layers of a fast module, likewise.",
    text: lowerCase,
  },
] as const;

function lowerCase(name: string): string {
  return name.toLowerCase();
}

/**
 * @param sources the texts of FORMAT_SOURCES: literals and comments only
 * @returns the header: a `#define MOTE_NAME` for each constant, numbers unsigned but for statuses, and LISTS
 * @throws MoteError FORMAT for a line that is neither
 */
export function formatHeader(sources: readonly string[]): string {
  const lines = [
    `/* Made from ${FORMAT_SOURCES.join(", ")} by tools/gen-format.ts. Do not edit. */`,
    "#ifndef MOTE_FORMAT_H",
    "#define MOTE_FORMAT_H",
  ];
  const entries = new Map<string, string[]>(LISTS.map(({ macro }) => [macro, []]));
  for (const [index, source] of sources.entries()) {
    lines.push("", ...definitions(FORMAT_SOURCES[index], source, entries));
  }
  for (const { macro, comment } of LISTS) {
    lines.push("", `/** ${comment} */`, [`#define ${macro}(X)`, ...entries.get(macro)!].join(" \\\n  "));
  }
  lines.push("", "#endif", "");
  return lines.join("\n");
}

/** The lines for those of a source at `path`. Adds to the entries of LISTS, by macro. */
function definitions(path: string, source: string, entries: ReadonlyMap<string, string[]>): string[] {
  const lines: string[] = [];
  let inComment = false;
  for (const [index, line] of source.trimEnd().split("\n").entries()) {
    if (inComment || line.startsWith("/**")) {
      inComment = !line.includes("*/");
      lines.push(line);
      continue;
    }
    if (line === "") {
      lines.push(line);
      continue;
    }
    const found = CONSTANT.exec(line);
    if (found === null) {
      throw new MoteError("FORMAT", `${path}: line ${index + 1}: expected a comment or a constant, got ${line}`);
    }
    const [, name, literal, remark] = found;
    lines.push(`#define MOTE_${name} ${valueInC(name, literal)}${remark === undefined ? "" : ` /* ${remark} */`}`);
    for (const { prefix, macro, text } of LISTS) {
      const listed = name.startsWith(prefix) ? text(name.slice(prefix.length), remark) : undefined;
      if (listed !== undefined) entries.get(macro)!.push(`X(MOTE_${name}, ${JSON.stringify(listed)})`);
    }
  }
  return lines;
}

function valueInC(name: string, literal: string): string {
  if (literal.startsWith('"')) return literal;
  if (!name.startsWith("STATUS_")) return `${literal}u`;
  return literal.startsWith("-") ? `(${literal})` : literal;
}

/** @throws Error when the package has no sources */
export function readFormatSources(): string[] {
  return FORMAT_SOURCES.map((path) => readFileSync(join(packageRoot, path), "utf8"));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileAtomic(join(packageRoot, FORMAT_HEADER), formatHeader(readFormatSources()));
}
