import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { missingTools } from "../host/node/firmware/tools.js";
import { packageRoot } from "../host/node/paths.js";
import { fillFigures } from "../tools/bench/fill.js";
import { run } from "./cli/support.js";
import { named } from "./firmware/support/native.js";

const readme = readFileSync(join(packageRoot, "README.md"), "utf8");
const commands = readFileSync(join(packageRoot, "docs/commands.md"), "utf8");
const results = readFileSync(join(packageRoot, "bench/results.md"), "utf8");
const example = join(packageRoot, `build/readme-example.${process.pid}.mjs`);

const PUT_RIGHT = "npx mote bench --full --save bench --fill README.md bench/results.md puts it right";
/** What the JavaScript and the C example both print first: the class of a blank image. */
const BLANK_CLASS = "1";
const noCompiler = missingTools(["cc"]);
const scratch = mkdtempSync(join(tmpdir(), "mote-readme-"));

function block(language: string, text = readme): string {
  return blockWith("```" + language + "\\n", text);
}

/** The block whose beginning, fence and language with it, a pattern finds. */
function blockWith(start: string, text = readme): string {
  const found = new RegExp("(?<=" + start + ")[^]*?(?=```)").exec(text);
  if (found === null) throw new Error(`no block begins with ${start}`);
  return found[0];
}

afterAll(() => {
  rmSync(example, { force: true });
  rmSync(scratch, { recursive: true, force: true });
});

describe("README.md and what it leads to", () => {
  it.each([
    ["README.md", readme, /"samples":100/],
    ["docs/commands.md", commands, /wasm3 = v8 = simd = reference, every layer/],
  ])("%s shows commands that run when pasted", async (_, text, result) => {
    const pasted = block("sh", text).replaceAll("npx mote", "node tools/mote.mjs");
    const script = `set -euo pipefail; cd ${packageRoot}\n${pasted}`;
    const { code, stdout, stderr } = await run("bash", ["-c", script]);
    expect(stderr).not.toMatch(/mote: /);
    expect(code).toBe(0);
    expect(stdout).toMatch(result);
  });

  it("shows JavaScript that runs when pasted", async () => {
    writeFileSync(example, block("js"));
    const { code, stdout, stderr } = await run("bash", ["-c", `cd ${packageRoot} && node ${example}`]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(new RegExp(`^${BLANK_CLASS} \\d+\\n$`));
  });

  it.skipIf(noCompiler.length > 0)(named("shows C that compiles and runs when pasted", noCompiler), async () => {
    writeFileSync(join(scratch, "example.c"), block("c"));
    const build = "npx mote firmware" + blockWith("```\nnpx mote firmware");
    const mote = `node ${join(packageRoot, "tools/mote.mjs")}`;
    const strict = "cc -std=c99 -Wall -Wextra -Werror -Ibuild/mote -c example.c -o build/example.o";
    const script = `set -e; cd ${scratch}\n${build.replaceAll("npx mote", mote)}\n${strict}\nbuild/example`;
    const { code, stdout, stderr } = await run("bash", ["-c", script]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(new RegExp(`^${BLANK_CLASS} \\d+\n$`, "m"));
  });

  it("says of the boards what bench/device.json says", () => {
    const places = (readme + results).match(/<!--(boards|lenet5\.m\d[\w.]*)-->[^]*?<!--\/-->/g) ?? [];
    expect(places.length).toBe(5);
    for (const place of places) expect(place, PUT_RIGHT).toBe(fillFigures(place, []));
  });

  it("is short", () => {
    expect(readme.split("\n").length).toBeLessThanOrEqual(125);
  });

  it("says of the shipped models what they are", () => {
    for (const name of ["lenet5", "lenet300", "lenet5-paper", "lenet300-paper"]) {
      const bytes = readFileSync(join(packageRoot, `models/${name}.mote`)).length.toLocaleString("en");
      const row = readme.split("\n").find((line) => line.startsWith(`| \`${name}.mote\` |`));
      expect(row, PUT_RIGHT).toContain(`| ${bytes} |`);
    }
    const lenet5 = readFileSync(join(packageRoot, "models/lenet5.mote")).length.toLocaleString("en");
    expect(/LeNet-5 in <!--lenet5\.bytes-->([\d,]+)</.exec(readme)?.[1]).toBe(lenet5);
  });
});
