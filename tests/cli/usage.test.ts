import { describe, expect, it } from "vitest";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../host/node/paths.js";
import { mote, moteProcess, run } from "./support.js";

const COMMANDS = [
  "train",
  "compress",
  "pack",
  "inspect",
  "run",
  "certify",
  "verify",
  "bench",
  "synth",
  "firmware",
  "start",
];

describe("mote", () => {
  it("lists its commands", async () => {
    const { code, stdout } = await mote(["--help"]);
    expect(code).toBe(0);
    for (const command of COMMANDS) expect(stdout).toContain(`  ${command} `);
  });

  it.each(COMMANDS)("%s --help explains itself with an example", async (command) => {
    const { code, stdout, stderr } = await moteProcess([command, "--help"]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Usage: mote ${command}`));
    expect(stdout).toMatch(/Examples?:\n/);
  });

  it("answers wrong use with exit code 2 and one line", async () => {
    const cases: [string[], RegExp][] = [
      [["recognise"], /^mote: unknown command 'recognise'$/],
      [["inspct"], /^mote: unknown command 'inspct' \(Did you mean inspect\?\)$/],
      [["help", "runn"], /^mote: unknown command 'runn' \(Did you mean run\?\)$/],
      [["run", "x.mote", "--lables", "y"], /^mote: unknown option '--lables' \(Did you mean --labels\?\)$/],
      [["run\x1b[2J\nx"], /^mote: unknown command 'run\\x1b\[2J x'$/],
      [["run"], /^mote: missing required argument 'model'$/],
      [["run", "x.mote", "--speed", "9"], /^mote: unknown option '--speed'$/],
      [
        ["run", "x.mote", "--data", "mnist:test", "--engine", "v9"],
        /^mote: option '--engine <name>' argument 'v9' is invalid/,
      ],
      [
        ["run", "x.mote", "--data", "mnist:test", "--limit", "8K"],
        /^mote: option '--limit <bytes>' argument '8K' is invalid/,
      ],
      [["run", "x.mote"], /^mote: expected input files or --data, one of the two$/],
      [["start", "--count", "0"], /^mote: option '--count <n>' argument '0' is invalid/],
      [["bench", "--only", "nothing"], /^mote: --only: no group nothing; there are sizes, /],
    ];
    for (const [args, message] of cases) {
      const { code, stderr, stdout } = await mote(args);
      expect(stderr.trimEnd()).toMatch(message);
      expect([code, stdout]).toEqual([2, ""]);
    }
  });

  it.each(["--version", "-V"])("%s is the package's", async (flag) => {
    const { version } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { version: string };
    expect(await mote([flag])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });

  it("does not let a file's name steer the terminal", async () => {
    const { code, stderr } = await mote(["inspect", "none\x1b]0;title\x07\u202e.mote"]);
    expect(code).toBe(1);
    expect(stderr).toBe("mote: none\\x1b]0;title\\x07\\u202e.mote: cannot be read: no such file or folder\n");
  });

  it("shows its usage, as an error, when called without a command", async () => {
    const { code, stderr } = await mote([]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^Usage: mote <command>/);
  });

  it("tools/pack is mote pack", async () => {
    const { code, stdout } = await run(join(packageRoot, "tools/pack"), ["--help"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Usage: mote pack/);
  });

  it("ends quietly when nobody reads its output", async () => {
    const { stderr } = await run("bash", ["-c", `node ${join(packageRoot, "tools/mote.mjs")} --help | head -0`]);
    expect(stderr).toBe("");
  });
});
