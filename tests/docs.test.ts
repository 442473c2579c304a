/** What the documents point at is there: files, headings, rooms of the source, commands and their flags. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { ONNX } from "../host/import/onnx-lowering.js";
import { TFLITE } from "../host/import/tflite-lowering.js";
import { packageRoot } from "../host/node/paths.js";
import { mote } from "./cli/support.js";

const markdown = (folder: string): string[] =>
  readdirSync(join(packageRoot, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name));
const documents = [".", "spec", "docs", "bench", "examples", "models", "firmware-examples"].flatMap(markdown);
const read = (path: string): string => readFileSync(join(packageRoot, path), "utf8");

/** A heading's name in a link, as GitHub makes it. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(" ", "-");
}

/** Folders right below one, but for tests of their own. */
function rooms(folder: string): string[] {
  return readdirSync(join(packageRoot, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("__"))
    .map(({ name }) => `${folder}/${name}`);
}

describe("the documents", () => {
  it.each(documents)("%s links to files and headings that exist", (path) => {
    for (const [, link] of read(path).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      const [file, heading] = link.split("#");
      const target = file === "" ? path : join(dirname(path), file);
      expect(existsSync(join(packageRoot, target)), link).toBe(true);
      if (heading === undefined) continue;
      const headings = [...read(target).matchAll(/^#+ (.+)$/gm)].map(([, text]) => anchor(text));
      expect(headings, link).toContain(heading);
    }
  });

  it("DESIGN.md's map has a line for each room of the source", () => {
    const map = read("DESIGN.md").split("## Map of the source")[1].split("\n## ")[0];
    const all = [...rooms("assembly"), ...rooms("host")];
    expect(all).toContain("host/container");
    for (const room of all) expect(map).toContain(`\`${room}\``);
  });

  it("docs/import.md names the ops that have a rule, and no others", () => {
    const table = read("docs/import.md").split("## What becomes of an op")[1].split("\n\n")[1];
    const cells = table
      .split("\n")
      .slice(2)
      .map((row) => row.split("|").slice(2, 4));
    const names = (column: number): string[] =>
      [...new Set(cells.flatMap((row) => [...row[column].matchAll(/`(\w+)`/g)].map(([, name]) => name)))].sort();
    expect(names(0)).toEqual(ONNX.ops.filter((op) => !op.includes("::")).sort());
    expect(names(1)).toEqual([...TFLITE.ops].sort());
  });

  it("name scripts of package.json that there are", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const named = documents.flatMap((path) => [...read(path).matchAll(/npm run ([a-z:]+)/g)].map(([, name]) => name));
    expect(new Set(named)).toContain("firmware");
    for (const name of named) expect(Object.keys(scripts)).toContain(name);
  });

  it("name commands and flags that there are", async () => {
    const text = documents.map(read).join("\n");
    const calls = [...text.matchAll(/(?:npx mote|npm run (?=firmware -- )) ?([a-z]+)((?: [^\s`|]+)*)/g)];
    const flags = new Map<string, Set<string>>();
    for (const [, command, rest] of calls) {
      const known = flags.get(command) ?? new Set<string>();
      for (const [flag] of rest.split(" # ")[0].matchAll(/(?<= )--[a-z]+/g)) known.add(flag);
      flags.set(command, known);
    }
    expect([...flags.keys()]).toEqual(expect.arrayContaining(["bench", "compress", "firmware", "pack", "run"]));
    for (const [command, used] of flags) {
      const { stdout } = await mote([command, "--help"]);
      expect(stdout).toMatch(new RegExp(`^Usage: mote ${command} `)); // help for no command is that for all
      for (const flag of used) expect(stdout, `${command} ${flag}`).toMatch(new RegExp(` ${flag}\\b`));
    }
  });
});
