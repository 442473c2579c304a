import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { afterAll, describe, expect, it, test } from "vitest";
import { readBaseline } from "../../host/node/firmware/baseline.js";
import { readBench } from "../../host/node/firmware/bench-report.js";
import { ENGINES } from "../../host/firmware/engines.js";
import { BOARDS, BOARDS_FOLDER, toolsOf } from "../../host/node/firmware/boards.js";
import { libraryFolder } from "../../host/node/firmware/build.js";
import { LIBRARY_FOLDER } from "../../host/node/firmware/library.js";
import { libraryStatusText } from "../../host/node/firmware/status.js";
import { INSTALL_SCRIPT, missingTools, runTool } from "../../host/node/firmware/tools.js";
import { packageRoot } from "../../host/node/paths.js";
import { firmwareCommand } from "../../tools/firmware.js";
import { measurementTable, MEASUREMENT_WORDS } from "../../tools/firmware/table.js";
import { layOutTable } from "../../tools/output.js";
import { packCommand } from "../../tools/pack.js";
import { named } from "./support/native.js";

const work = mkdtempSync(join(tmpdir(), "mote-tools-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

test.each(BOARDS)("$name's memories are those of its linker script", (board) => {
  const script = readFileSync(join(BOARDS_FOLDER, board.linkerScript), "utf8");
  const lengths = [...script.matchAll(/^ {2}(?:FLASH|RAM) .* LENGTH = (\d+)([KM])$/gm)];
  const bytes = lengths.map(([, size, unit]) => Number(size) * (unit === "K" ? 1 << 10 : 1 << 20));
  expect(bytes).toEqual([board.flashBytes, board.ramBytes]);
  expect(/^STACK_BYTES = (\d+);$/m.exec(script)?.[1]).toBe(String(board.stackBytes));
});

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
    "bench\ncalibrate 10 20\nempty 400 200\nopen a 5c 14 2 f 70\nmemory 4 5\n" +
    "run 0 7 b 64 4 1f 60\nlayers 28 1 3c 3\nlogits -1 2\ndamaged -5 -6\nend\n";

  it("is read as values, hexadecimal, and half a tick for each measurement is not the library's", () => {
    expect(readBench("x", lines)).toEqual({
      calibration: [16, 32],
      open: { beginTicks: 9.5, beginStack: 92, slices: { ticks: 19, longestTicks: 14.5, stack: 112 } },
      memory: { used: 4, linear: 5 },
      runs: [
        {
          top: 7,
          inputTicks: 10.5,
          slices: { ticks: 98, longestTicks: 30.5, stack: 96 },
          layerTicks: [39.5, 58.5],
          logits: [-1, 2],
        },
      ],
      damaged: [-5, -6],
    });
  });

  it("must come to its end", () => {
    expect(() => readBench("x", "bench\nfault\n")).toThrow(
      "x: the firmware did not come to its end; its last lines: bench | fault",
    );
  });

  it("may be that nothing fits", () => {
    expect(readBench("x", "error -6 4\nend\n").error).toEqual({ status: -6, number: 4 });
    expect(readBench("x", "room 88 77\nend\n").room).toEqual({ needed: 0x88, left: 0x77 });
  });

  it("must be of inferences that succeeded", () => {
    expect(() => readBench("x", lines.replace("run 0", "run -d"))).toThrow(
      "x: inference 0 failed: STATUS_STREAM, a section that ends early or runs over (-13)",
    );
  });
});

describe("statuses of the library", () => {
  it("have each a text, by mote.h, and the core's by the host", () => {
    const header = readFileSync(join(LIBRARY_FOLDER, "mote.h"), "utf8");
    const own = [...header.matchAll(/#define (MOTE_ERROR_\w+) \((-\d+)\)/g)];
    expect(own.length).toBeGreaterThanOrEqual(5);
    for (const [, name, value] of own) {
      expect(libraryStatusText(Number(value))).toMatch(new RegExp(`^${name}, [a-z].{9,} \\(${value}\\)$`));
    }
    expect(libraryStatusText(-101)).toMatch(
      /^MOTE_ERROR_MEMORY, the memory given to mote_open is too small.* \(-101\)$/,
    );
    expect(libraryStatusText(-5)).toBe("STATUS_CRC, the checksum does not match (-5)");
    expect(libraryStatusText(-77)).toBe("status -77");
  });
});

describe("the table of measurements", () => {
  const measurements = readBaseline().slice(0, 3);

  it("fits a terminal of 60 columns as a list, with every figure", () => {
    for (const width of [60, 100]) {
      const lines = layOutTable(measurementTable(measurements), width, MEASUREMENT_WORDS);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
      const text = lines.join(" ").replace(/\s+/g, " ");
      for (const { sramBytes, flashBytes } of measurements) {
        expect(text).toContain(`${sramBytes.total}`);
        expect(text).toContain(`${flashBytes.total}`);
      }
    }
  });

  it("is a table where there is room", () => {
    const [head, ...rows] = layOutTable(measurementTable(measurements), 200, MEASUREMENT_WORDS);
    expect(head).toMatch(/^board +engine +for +model +right +logits/);
    for (const i of measurements.keys()) expect(rows[i].length).toBe(head.length);
    expect(rows[0].startsWith(measurements[0].board)).toBe(true);
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
    await expect(run("--engine", "steam")).rejects.toThrow(/Allowed choices are wasm3, native, data, aot/);
    await expect(run("--inputs", "0")).rejects.toThrow(/'0' is invalid\. expected 1 \.\. 100\./);
    await expect(run("--inputs", "1e1")).rejects.toThrow(/'1e1' is invalid/);
    await expect(run("--optimize", "beauty")).rejects.toThrow(/Allowed choices are size, speed, sram/);
    await expect(run("--export", join(work, "x"), "--generic", "--optimize", "speed")).rejects.toThrow(
      "--generic --optimize speed: a fast module is for one model, expected --optimize size",
    );
    for (const container of [
      ["--optimize", "size"],
      ["--export", join(work, "x"), "--generic"],
    ]) {
      await expect(run("--engine", "data", ...container)).rejects.toThrow(
        /^--engine data --(optimize size|generic): it runs fast modules only, expected --optimize speed or sram$/,
      );
    }
    await expect(run("--model", join(work, "none.mote"))).rejects.toThrow(/none\.mote/);
  });

  it("refuses flags that would do nothing", async () => {
    const idle = "not with --export, which writes source for any board";
    for (const flag of [["--board", "microbit"], ["--labels", "y.npy"], ["--check"], ["--update"]]) {
      await expect(run("--export", join(work, "x"), ...flag)).rejects.toThrow(`${flag[0]}: ${idle}`);
    }
    await expect(run("--generic")).rejects.toThrow("--generic: only with --export");
    await expect(run("--check", "--inputs", "3")).rejects.toThrow("--inputs: not with --check or --update");
    await expect(run("--update", "--scale", "2")).rejects.toThrow("--scale: not with --check or --update");
    await expect(run("--update", "--model", "own.mote")).rejects.toThrow(
      "--model own.mote: bench/device.json has lenet5",
    );
  });

  it("names a file that is no model, and data that does not fit", async () => {
    const other = join(work, "other.mote");
    writeFileSync(other, "something else");
    await expect(run("--model", other)).rejects.toThrow(`${other}: `);
    const padded = join(packageRoot, "tests", "golden", "padded.mote");
    await expect(run("--model", padded, "--data", "mnist:test")).rejects.toThrow(
      "padded: the model takes images of [2, 7, 5] or [7, 5, 2], got [1, 28, 28]",
    );
    await expect(run("--model", "lenet5", "--data", "mnist:test:2", "--inputs", "3")).rejects.toThrow(
      "--inputs 3: mnist:test has 2",
    );
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
