import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chipSource } from "../../host/chip/chip-source.js";
import { readContainer } from "../../host/container/read.js";
import { exportProject } from "../../host/node/firmware/export.js";
import type { FirmwareImage } from "../../host/firmware/image.js";
import { firmwareImage, genericImage } from "../../host/node/firmware/image.js";
import { LIBRARY_FOLDER } from "../../host/node/firmware/library.js";
import { randomRuns } from "../../host/node/data/runs.js";
import { makeVectors } from "../../host/node/data/vectors.js";
import { missingTools, runTool } from "../../host/node/firmware/tools.js";
import { writeFileAtomic } from "../../host/node/write-file.js";
import { packageRoot } from "../../host/node/paths.js";
import { named } from "./support/native.js";

const EXAMPLES = join(packageRoot, "firmware-examples");
const STUBS = join(packageRoot, "tests", "firmware", "stubs");
const container = readFileSync(join(packageRoot, "models", "lenet5.mote"));

const work = mkdtempSync(join(tmpdir(), "mote-examples-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** Forms of lenet5. */
const images = {
  speed: () => firmwareImage(container, "speed"),
  size: () => firmwareImage(container, "size"),
  generic: () => genericImage(container),
} satisfies Record<string, () => FirmwareImage>;

/** The exported library with lenet5 in it. */
async function exported(engine: "wasm3" | "aot", form: keyof typeof images = "speed"): Promise<string> {
  const folder = join(work, `${engine}-${form}`);
  await exportProject(folder, "lenet5", images[form](), engine, makeVectors(container, randomRuns(2, 1), 2));
  return folder;
}

/** lenet5 as `mote pack --optimize ram` writes it. */
function chipNet(): string {
  const folder = join(work, "chip");
  const { header, source } = chipSource(readContainer(container).model, "ram", "lenet5");
  writeFileAtomic(join(folder, "lenet5.h"), header);
  writeFileAtomic(join(folder, "lenet5.c"), source);
  return folder;
}

const sourcesOf = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".c"))
    .map((name) => join(folder, name));

describe("the exported library", () => {
  it("has the library, wasm3 and the model, and says whose they are", async () => {
    const names = readdirSync(await exported("wasm3"));
    for (const name of ["mote.h", "mote.c", "model.c", "model.h", "wasm3-exec.c", "wasm3", "LICENSE"]) {
      expect(names).toContain(name);
    }
    expect(readFileSync(join(work, "wasm3-speed", "wasm3", "LICENSE"), "utf8")).toContain("2019 Steven Massey");
  });
});

/** Builds an example's program with make's own flags and runs it under QEMU. @param shownIn folders whose README has the bytes of memory */
function emulated(
  title: string,
  tools: readonly string[],
  make: readonly string[],
  engine: "wasm3" | "aot",
  form: keyof typeof images = "speed",
  shownIn: readonly string[] = [],
): void {
  const lacking = missingTools([...tools, "make", ...(engine === "aot" ? ["wasm2c"] : [])]);
  it.skipIf(lacking.length > 0)(named(title, lacking), async () => {
    const folder = await exported(engine, form);
    const args = ["-s", ...make, `MOTE=${folder}`, `BUILD=${join(work, title.replaceAll(" ", "-"))}`];
    const { stdout, stderr } = await runTool("make", [...args, "run"], { timeoutMs: 100_000 });
    const printed = /^digit 7\noutputs(?: -?\d+){10}\nbytes of memory (\d{4,5})\n$/m;
    expect(stdout + stderr).toMatch(printed);
    const [, bytes] = printed.exec(stdout + stderr)!;
    for (const name of shownIn) {
      expect(readFileSync(join(EXAMPLES, name, "README.md"), "utf8"), name).toMatch(new RegExp(`\\b${bytes}\\b`));
    }
  });
}

describe("the examples run", () => {
  const arm = ["arm-none-eabi-gcc", "qemu-system-arm"];
  const cortexM = ["-C", join(EXAMPLES, "cortex-m")];
  emulated("lm3s6965evb by wasm3, a core and a container", arm, [...cortexM, "BOARD=lm3s6965evb"], "wasm3", "size");
  // What wasm3 makes of all codecs and both containers is more than the 64 KB of the other board.
  emulated(
    "netduinoplus2 by wasm3 with the generic core",
    arm,
    [...cortexM, "BOARD=netduinoplus2"],
    "wasm3",
    "generic",
  );
  emulated("netduinoplus2 ahead of time", arm, [...cortexM, "BOARD=netduinoplus2"], "aot");
  emulated("microbit ahead of time", arm, [...cortexM, "BOARD=microbit"], "aot");
  emulated("microbit ahead of time, a core and a container", arm, [...cortexM, "BOARD=microbit"], "aot", "size");
  const riscv = ["riscv64-unknown-elf-gcc", "qemu-system-riscv32"];
  emulated("riscv32 by wasm3", riscv, ["-C", join(EXAMPLES, "riscv")], "wasm3", "speed", ["riscv", "esp32"]);

  const lacking = missingTools([...riscv, "make"]);
  it.skipIf(lacking.length > 0)(named("CH32V003 with lenet5 as C of its own", lacking), async () => {
    const folder = chipNet();
    const make = ["-s", "-C", join(EXAMPLES, "ch32v003"), `NET=${folder}`, `BUILD=${folder}`, "run"];
    const { stdout, stderr } = await runTool("make", make, { timeoutMs: 100_000 });
    expect(stdout + stderr).toBe("lenet5: self-test passed\ndigit 7\n");
  });

  // Without tail calls wasm3 would overrun the board's 3 KB of stack. DEBUG as projects define it in debug builds.
  for (const level of ["-O0 -DDEBUG", "-Og -DDEBUG", "-O1", "-Os", "-O3"]) {
    const make = [...cortexM, "BOARD=lm3s6965evb", `OPT=${level}`];
    const shownIn = level === "-Os" ? ["cortex-m", "arduino"] : [];
    emulated(`lm3s6965evb by wasm3 with ${level}`, arm, make, "wasm3", "speed", shownIn);
  }
});

describe("other build systems", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await exported("wasm3");
  });

  const noArm = missingTools(["arm-none-eabi-gcc", "arm-none-eabi-g++"]);
  it.skipIf(noArm.length > 0)(named("Arduino: sketch and library compile", noArm), async () => {
    const cpu = ["-mcpu=cortex-m4", "-mthumb", "-Os", "-DARDUINO=10819"];
    for (const source of sourcesOf(folder)) {
      await runTool("arm-none-eabi-gcc", [...cpu, "-std=gnu11", "-w", "-c", source, "-o", "/dev/null"]);
    }
    const sketch = join(EXAMPLES, "arduino", "digits", "digits.ino");
    const flags = ["-std=gnu++14", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-Werror", `-I${folder}`];
    const include = ["-include", join(STUBS, "arduino", "Arduino.h")];
    await runTool("arm-none-eabi-g++", [...cpu, ...flags, ...include, "-x", "c++", "-c", sketch, "-o", "/dev/null"]);
  });

  const noRiscv = missingTools(["riscv64-unknown-elf-gcc"]);
  it.skipIf(noRiscv.length > 0)(named("CH32V003: program and net compile for ch32fun", noRiscv), async () => {
    const net = chipNet();
    const example = join(EXAMPLES, "ch32v003");
    const cpu = ["-march=rv32ec", "-mabi=ilp32e", "--specs=picolibc.specs", "-Os", "-Wall", "-Wextra", "-Werror"];
    const includes = [net, example, LIBRARY_FOLDER, join(STUBS, "ch32fun")].map((folder) => `-I${folder}`);
    for (const source of [join(example, "main.c"), join(net, "lenet5.c")]) {
      const flags = [...cpu, ...includes, "-DMOTE_SELFTEST", "-DCH32V003=1", "-c", source, "-o", "/dev/null"];
      await runTool("riscv64-unknown-elf-gcc", flags);
    }
  });

  const noXtensa = missingTools(["xtensa-lx106-elf-gcc"]);
  it.skipIf(noXtensa.length > 0)(named("ESP32: application and library compile for Xtensa", noXtensa), async () => {
    const flags = ["--specs=/usr/lib/xtensa-lx106-elf/picolibc.specs", "-mlongcalls", "-Os", "-std=gnu17"];
    for (const source of sourcesOf(folder)) {
      await runTool("xtensa-lx106-elf-gcc", [...flags, "-w", "-c", source, "-o", "/dev/null"]);
    }
    const main = join(EXAMPLES, "esp32", "main", "main.c");
    const includes = [`-I${folder}`, `-I${join(STUBS, "esp32")}`];
    await runTool("xtensa-lx106-elf-gcc", [
      ...flags,
      ...includes,
      "-Wall",
      "-Wextra",
      "-Werror",
      "-c",
      main,
      "-o",
      "/dev/null",
    ]);
  });

  it.each(["esp32/main/main.c", "arduino/digits/digits.ino"])("%s stays below 60 lines", (name) => {
    expect(readFileSync(join(EXAMPLES, name), "utf8").split("\n").length).toBeLessThanOrEqual(60);
  });

  it.each([
    "README.md",
    "cortex-m/README.md",
    "riscv/README.md",
    "esp32/README.md",
    "arduino/README.md",
    "ch32v003/README.md",
  ])("%s names files that exist", (name) => {
    const text = readFileSync(join(EXAMPLES, name), "utf8");
    for (const [, link] of text.matchAll(/\]\((?!https:)([^)]+)\)/g)) {
      expect(existsSync(join(EXAMPLES, name, "..", link.replace(/#.*/, ""))), link).toBe(true);
    }
    expect(text.split("\n").length).toBeLessThanOrEqual(90);
  });

  it("the library's folder in the repository has no model and no foreign code", () => {
    expect(readdirSync(LIBRARY_FOLDER).filter((name) => /^(model|wasm3|m3_)/.test(name))).toEqual([]);
  });
});
