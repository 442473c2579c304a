/** The rooms of host/ and the runtime: only host/node knows Node and its disk, so that all the rest runs in a browser. */
import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { packageRoot } from "../host/node/paths.js";

const NODE_ROOM = "host/node/";
/** The library as Node's users import it. */
const NODE_ENTRY = "host/index.ts";
/** What a browser lacks. */
const NODE_NAMES = ["Buffer", "process", "require", "__dirname", "__filename", "setImmediate", "NodeJS"];
/** Packages that run in a browser. */
const BROWSER_PACKAGES = ["binaryen", "fflate", "qr", "qr/decode.js"];

const pureFiles = ["host", "runtime"]
  .flatMap((room) =>
    readdirSync(join(packageRoot, room), { recursive: true, encoding: "utf8" }).map((path) =>
      posix.join(room, path.replaceAll("\\", "/")),
    ),
  )
  .filter((path) => path.endsWith(".ts") && !path.startsWith(NODE_ROOM) && path !== NODE_ENTRY)
  .toSorted();

/** One line for each place where a file needs Node. */
function needsOfNode(path: string, source: string): string[] {
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true);
  const needs: string[] = [];
  const found = (node: ts.Node, what: string): void => {
    const line = file.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    needs.push(`${path}:${line}: ${what}; only ${NODE_ROOM} may: hand it in as bytes or as an interface`);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteral(node) && isModuleName(node)) {
      const problem = importProblem(path, node.text);
      if (problem !== undefined) found(node, problem);
    }
    if (ts.isIdentifier(node) && NODE_NAMES.includes(node.text) && !isMember(node)) found(node, `names ${node.text}`);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return needs;
}

/** Of an import, static, dynamic or of a type, or of an export. */
function isModuleName({ parent }: ts.StringLiteral): boolean {
  if (ts.isImportDeclaration(parent) || ts.isExportDeclaration(parent)) return true;
  if (ts.isCallExpression(parent)) return parent.expression.kind === ts.SyntaxKind.ImportKeyword;
  return ts.isLiteralTypeNode(parent) && ts.isImportTypeNode(parent.parent);
}

/** `a.process` is a name of a's. */
function isMember(node: ts.Identifier): boolean {
  const { parent } = node;
  return ts.isPropertyAccessExpression(parent) && parent.name === node && parent.expression.getText() !== "globalThis";
}

function importProblem(path: string, name: string): string | undefined {
  if (!name.startsWith(".")) return BROWSER_PACKAGES.includes(name) ? undefined : `imports ${name}`;
  const target = posix.join(posix.dirname(path), name);
  const rooms = [
    "assembly/",
    "host/",
    ...(path.startsWith("runtime/") ? ["runtime/", "build/core-text.js", "build/simd-text.js"] : []),
  ];
  const isAllowed = rooms.some((room) => target.startsWith(room)) && target !== "host/index.js";
  return isAllowed && !target.startsWith(NODE_ROOM) ? undefined : `imports ${target}`;
}

describe("outside of host/node", () => {
  test.each(pureFiles)("%s runs in a browser", (path) => {
    expect(needsOfNode(path, readFileSync(join(packageRoot, path), "utf8"))).toEqual([]);
  });

  test.each([
    ['import { readFileSync } from "node:fs";', "imports node:fs"],
    ['import { readFileSync } from "fs";', "imports fs"],
    ['export { PNG } from "pngjs";', "imports pngjs"],
    ['import type { Stats } from "node:fs";', "imports node:fs"],
    ['const { join } = await import("node:path");', "imports node:path"],
    ['let stats: import("node:fs").Stats;', "imports node:fs"],
    ['import { builtFile } from "../node/paths.js";', "imports host/node/paths.js"],
    ['import { bake } from "../index.js";', "imports host/index.js"],
    ['import { Output } from "../../tools/output.js";', "imports tools/output.js"],
    ['import { openModel } from "../../runtime/index.js";', "imports runtime/index.js"],
    ["const bytes = Buffer.alloc(8);", "names Buffer"],
    ["let bytes: Buffer;", "names Buffer"],
    ["const { pid } = process;", "names process"],
    ["const { pid } = globalThis.process;", "names process"],
    ["const error = {} as NodeJS.ErrnoException;", "names NodeJS"],
  ])("%s is found", (line, what) => {
    const [need, ...others] = needsOfNode("host/room/file.ts", `/** Of a room. */\n${line}\n`);
    expect(need).toBe(`host/room/file.ts:2: ${what}; only host/node/ may: hand it in as bytes or as an interface`);
    expect(others).toEqual([]);
  });

  test.each(["// Buffer and process", 'const text = "process";', "const open = task.process;"])(
    "%s is not taken for it",
    (line) => {
      expect(needsOfNode("host/room/file.ts", line)).toEqual([]);
    },
  );
});
