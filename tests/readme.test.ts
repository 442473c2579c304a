import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { packageRoot } from "../host/node/paths.js";
import { fillFigures } from "../tools/bench/fill.js";
import { run } from "./cli/support.js";

const readme = readFileSync(join(packageRoot, "README.md"), "utf8");
const example = join(packageRoot, `build/readme-example.${process.pid}.mjs`);

function block(language: string): string {
  const found = new RegExp("```" + language + "\\n([^]*?)```").exec(readme);
  if (found === null) throw new Error(`README.md has no block of ${language}`);
  return found[1];
}

afterAll(() => rmSync(example, { force: true }));

describe("README.md", () => {
  it("shows commands that run when pasted", async () => {
    const script = `set -euo pipefail; cd ${packageRoot}\n${block("sh").replaceAll("npx mote", "node tools/mote.mjs")}`;
    const { code, stdout, stderr } = await run("bash", ["-c", script]);
    expect(stderr).not.toMatch(/mote: /);
    expect(code).toBe(0);
    expect(stdout).toMatch(/"samples":100/);
  });

  it("shows JavaScript that runs when pasted", async () => {
    writeFileSync(example, block("js"));
    const { code, stdout, stderr } = await run("bash", ["-c", `cd ${packageRoot} && node ${example}`]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^\d \d+\n$/);
  });

  it("says of the boards what bench/device.json says", () => {
    const places = readme.match(/<!--(boards|lenet5\.m\d[\w.]*)-->[^]*?<!--\/-->/g) ?? [];
    expect(places.length).toBe(4);
    for (const place of places) {
      expect(place, "npx mote bench --full --save bench --fill README.md puts it right").toBe(fillFigures(place, []));
    }
  });

  it("says of the shipped models what they are", () => {
    for (const name of ["lenet5", "lenet300", "lenet5-paper", "lenet300-paper"]) {
      const bytes = readFileSync(join(packageRoot, `models/${name}.mote`)).length.toLocaleString("en");
      const row = readme.split("\n").find((line) => line.startsWith(`| \`${name}.mote\` |`));
      expect(row, "npx mote bench --save bench --fill README.md puts it right").toContain(`| ${bytes} |`);
    }
    const lenet5 = readFileSync(join(packageRoot, "models/lenet5.mote")).length.toLocaleString("en");
    expect(/LeNet-5 in <!--lenet5\.bytes-->([\d,]+)</.exec(readme)?.[1]).toBe(lenet5);
  });
});
