import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { afterAll, describe, expect, it } from "vitest";
import { readBench } from "../../host/firmware/bench-report.js";
import { BOARDS, ENGINES, toolsOf } from "../../host/firmware/boards.js";
import { libraryFolder } from "../../host/firmware/build.js";
import { INSTALL_SCRIPT, missingTools, runTool } from "../../host/firmware/tools.js";
import { packageRoot } from "../../host/paths.js";
import { firmwareCommand } from "../../tools/firmware.js";
import { packCommand } from "../../tools/pack.js";
import { named } from "./support/native.js";

const work = mkdtempSync(join(tmpdir(), "mote-tools-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

describe("the script that installs the tools", () => {
  const script = readFileSync(join(packageRoot, INSTALL_SCRIPT), "utf8");

  it("looks for every tool the boards need", () => {
    for (const tool of toolsOf(BOARDS, ENGINES)) expect(script).toContain(tool);
  });

  it("says the command where it may not install, and leaves it at that", () => {
    // A path with a shell's few needs, none of the tools, and a user who is not root.
    for (const tool of ["sh", "echo"]) {
      const found = spawnSync("sh", ["-c", `command -v ${tool}`], { encoding: "utf8" }).stdout.trim();
      if (found.startsWith("/")) symlinkSync(found, join(work, tool));
    }
    writeFileSync(join(work, "id"), "#!/bin/sh\necho 1000\n");
    chmodSync(join(work, "id"), 0o755);
    const run = spawnSync("sh", [join(packageRoot, INSTALL_SCRIPT)], { env: { PATH: work }, encoding: "utf8" });
    expect(run.status).toBe(0);
    expect(run.stderr).toMatch(
      /^firmware: not installed: arm-none-eabi-gcc .*\n.*install with: sudo apt-get install -y .*wabt/,
    );
  });
});

describe("running tools", () => {
  it("names one that is not installed, and how to get it", async () => {
    const run = runTool("no-such-compiler", []);
    await expect(run).rejects.toThrow(
      `no-such-compiler is not installed; on Debian and Ubuntu mend with: sudo sh ${INSTALL_SCRIPT}`,
    );
  });

  it("shows what one said before it failed", async () => {
    await expect(runTool("sh", ["-c", "echo because >&2; exit 3"])).rejects.toThrow("sh failed (3):\nbecause");
  });

  it("ends one that takes too long", async () => {
    await expect(runTool("sleep", ["20"], { timeoutMs: 50 })).rejects.toThrow("sleep did not end in time");
  });
});

describe("what the bench prints", () => {
  const lines =
    "bench\ncalibrate 10 20\nopen 1 2 3\nmemory 4 5 6\ndigit 0 7 1 2 3\nlayers 8 9\nlogits -1 2\nstack 70\ndamaged -5 -6\nend\n";

  it("is read as values", () => {
    expect(readBench("x", lines)).toEqual({
      calibration: [10, 20],
      open: { beginTicks: 1, loadTicks: 2, longestTicks: 3 },
      memory: { used: 4, linear: 5 },
      stack: { begin: 6, slices: 70 },
      runs: [{ top: 7, inputTicks: 1, runTicks: 2, longestTicks: 3, layerTicks: [8, 9], logits: [-1, 2] }],
      damaged: [-5, -6],
    });
  });

  it("must come to its end", () => {
    expect(() => readBench("x", "bench\nfault\n")).toThrow(
      "x: the firmware did not come to its end; its last lines: bench | fault",
    );
  });

  it("must be of inferences that succeeded", () => {
    expect(() => readBench("x", lines.replace("digit 0", "digit -13"))).toThrow("x: inference 0 ended with status -13");
  });
});

describe("mote firmware", () => {
  const run = (...args: string[]): Promise<unknown> =>
    firmwareCommand()
      .exitOverride()
      .configureOutput({ writeErr: () => {} })
      .parseAsync(["node", "firmware", ...args]);

  it("refuses a board, an engine or a count that is none", async () => {
    await expect(run("--board", "toaster")).rejects.toThrow(/Allowed choices are lm3s6965evb/);
    await expect(run("--engine", "steam")).rejects.toThrow(/Allowed choices are wasm3, aot/);
    await expect(run("--digits", "3")).rejects.toThrow("--digits 3: expected a whole number, 20 .. 100");
    await expect(run("--board", "lm3s6965evb", "--engine", "aot")).rejects.toThrow(
      "--board lm3s6965evb: has no engine aot",
    );
    await expect(run("--optimize", "beauty")).rejects.toThrow(/Allowed choices are size, speed, sram/);
    await expect(run("--export", join(work, "x"), "--generic", "--optimize", "speed")).rejects.toThrow(
      "--generic --optimize speed: a fast module is for one model, expected --optimize size",
    );
    await expect(run("--model", join(work, "none.mote"))).rejects.toThrow(/none\.mote/);
  });
});

const lacking = missingTools(["wasm2c", "gcc"]);
describe.skipIf(lacking.length > 0)(named("mote pack --format aot", lacking), () => {
  it("writes a C file and a header that compile without warnings", async () => {
    const out = join(work, "lenet5.c");
    const model = join(packageRoot, "models", "lenet5.mote");
    await packCommand().parseAsync(["node", "pack", model, "-o", out, "--format", "aot"]);
    const header = readFileSync(join(work, "lenet5.h"), "utf8");
    expect(header).toContain("extern const mote_source lenet5_source;");
    const flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror"];
    await runTool("gcc", [...flags, `-I${libraryFolder().folder}`, "-c", out, "-o", "/dev/null"]);
  });
});
