/**
 * Writes firmware-examples/common/mote-format.h: the constants of assembly/format.ts for C, so that they are written once.
 * Example: node dist/tools/gen-format.js
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { MoteError } from "../host/errors.js";
import { packageRoot } from "../host/node/paths.js";
import { writeFileAtomic } from "../host/node/write-file.js";

const SOURCE = "assembly/format.ts";
export const FORMAT_HEADER = "firmware-examples/common/mote-format.h";

/** `export const NAME = literal;`, perhaps with a remark behind it. */
const CONSTANT = /^export const ([A-Z0-9_]+) = (-?(?:0x[0-9a-f]+|\d+));(?: \/\/ (.+))?$/;

/**
 * @param source the text of assembly/format.ts: literals and comments only
 * @returns the header: a `#define MOTE_NAME` for each constant, unsigned but for statuses, and MOTE_STATUS_TEXTS
 * @throws MoteError FORMAT for a line that is neither
 */
export function formatHeader(source: string): string {
  const lines = [
    `/* Made from ${SOURCE} by tools/gen-format.ts. Do not edit. */`,
    "#ifndef MOTE_FORMAT_H",
    "#define MOTE_FORMAT_H",
    "",
  ];
  const texts: string[] = [];
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
      throw new MoteError("FORMAT", `${SOURCE}: line ${index + 1}: expected a comment or a constant, got ${line}`);
    }
    const [, name, literal, remark] = found;
    const value = name.startsWith("STATUS_") ? (literal.startsWith("-") ? `(${literal})` : literal) : `${literal}u`;
    lines.push(`#define MOTE_${name} ${value}${remark === undefined ? "" : ` /* ${remark} */`}`);
    if (name.startsWith("STATUS_") && remark !== undefined) texts.push(`X(MOTE_${name}, ${JSON.stringify(remark)})`);
  }
  lines.push("", "/** Each status of the core with its meaning: X(name, text). */");
  lines.push(
    `#define MOTE_STATUS_TEXTS(X) \\`,
    ...texts.map((text, i) => `  ${text}${i < texts.length - 1 ? " \\" : ""}`),
  );
  lines.push("", "#endif", "");
  return lines.join("\n");
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const header = formatHeader(readFileSync(join(packageRoot, SOURCE), "utf8"));
  writeFileAtomic(join(packageRoot, FORMAT_HEADER), header);
}
