/**
 * Writes firmware-examples/common/mote-format.h: the constants of assembly/format.ts, abi.ts and module.ts for C, so that they are written once.
 * Example: node dist/tools/gen-format.js
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { MoteError } from "../host/errors.js";
import { packageRoot } from "../host/node/paths.js";
import { writeFileAtomic } from "../host/node/write-file.js";

export const FORMAT_SOURCES = ["assembly/format.ts", "assembly/abi.ts", "assembly/module.ts"] as const;
export const FORMAT_HEADER = "firmware-examples/common/mote-format.h";

/** `export const NAME = literal;`, perhaps with a remark behind it. */
const CONSTANT = /^export const ([A-Z0-9_]+) = (-?(?:0x[0-9a-f]+|\d+)|"[a-z.]+");(?: \/\/ (.+))?$/;

/**
 * @param sources the texts of FORMAT_SOURCES: literals and comments only
 * @returns the header: a `#define MOTE_NAME` for each constant, numbers unsigned but for statuses, and MOTE_STATUS_TEXTS
 * @throws MoteError FORMAT for a line that is neither
 */
export function formatHeader(sources: readonly string[]): string {
  const lines = [
    `/* Made from ${FORMAT_SOURCES.join(", ")} by tools/gen-format.ts. Do not edit. */`,
    "#ifndef MOTE_FORMAT_H",
    "#define MOTE_FORMAT_H",
  ];
  const texts: string[] = [];
  for (const [index, source] of sources.entries()) {
    lines.push("", ...definitions(FORMAT_SOURCES[index], source, texts));
  }
  lines.push("", "/** Each status of the core with its meaning: X(name, text). */");
  lines.push(
    `#define MOTE_STATUS_TEXTS(X) \\`,
    ...texts.map((text, i) => `  ${text}${i < texts.length - 1 ? " \\" : ""}`),
  );
  lines.push("", "#endif", "");
  return lines.join("\n");
}

/** The lines for those of a source at `path`. Adds each status with a meaning to `texts`. */
function definitions(path: string, source: string, texts: string[]): string[] {
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
    if (name.startsWith("STATUS_") && remark !== undefined) texts.push(`X(MOTE_${name}, ${JSON.stringify(remark)})`);
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
