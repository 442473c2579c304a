/** Nets as C of their own, compiled for this machine and run. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chipSource } from "../../host/chip/chip-source.js";
import type { ChipGoal } from "../../host/chip/goal.js";
import { runTool } from "../../host/node/firmware/tools.js";
import { modelInputs, outputsOf, statesOf } from "../../host/model/edges.js";
import { valuesOf } from "../../host/model/geometry.js";
import type { QModel } from "../../host/model/model.js";

const WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror"];
const SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/** Reads inputs, [C, H, W] one behind the other, until there are none, and writes the outputs of each run. */
function mainText(model: QModel, goal: ChipGoal): string {
  const each = (tensor: number, element: string): string => {
    const [channels, height, width] = model.tensors[tensor].shape;
    return `  for (int c = 0; c < ${channels}; c++) for (int y = 0; y < ${height}; y++) for (int x = 0; x < ${width}; x++) ${element}\n`;
  };
  const numbered = (stem: string, index: number): string => (index === 0 ? stem : `${stem}_${index}`);
  const inputs = modelInputs(model).map((tensor, index) => {
    const [channels, height, width] = model.tensors[tensor].shape;
    const read =
      `  static uint8_t image_${index}[${channels}][${height}][${width}];\n` +
      each(tensor, `{ int byte = getchar(); if (byte < 0) return 0; image_${index}[c][y][x] = (uint8_t)byte; }`);
    if (goal !== "ram") return `${read}  net_write_${numbered("input", index)}(&image_${index}[0][0][0]);\n`;
    return (
      `${read}  static uint8_t row[${channels * width}];\n` +
      `  net_begin();\n  for (int y = 0; y < ${height}; y++) {\n` +
      `    for (int c = 0; c < ${channels}; c++) for (int x = 0; x < ${width}; x++) row[c * ${width} + x] = image_0[c][y][x];\n` +
      "    net_push_row(row);\n  }\n  net_push_row(row); /* one too many */\n"
    );
  });
  const outputs = outputsOf(model).map((tensor, index) => {
    const name = numbered("OUTPUT", index);
    return each(
      tensor,
      `putchar(net_${name.toLowerCase()}[(unsigned)c * NET_${name}_PLANE + (unsigned)y * NET_${name}_PITCH + (unsigned)x]);`,
    );
  });
  return `#include <stdio.h>
#include <stdlib.h>
#include "net.h"
void mote_check_failed(const char *what);
void mote_check_failed(const char *what) { fprintf(stderr, "check failed: %s\\n", what); exit(3); }
int main(void) {
  fprintf(stderr, "%s\\n", net_selftest());
${statesOf(model).length > 0 ? "  net_reset();\n" : ""} for (;;) {
${inputs.join("")}${goal === "ram" ? "" : "  net_run();\n"}${outputs.join("")} }
}
`;
}

export interface ChipRun {
  /** Of each run, the elements of each output. */
  readonly outputs: Int8Array[][];
  readonly selfTest: string;
}

/** @param runs of each, the elements of each input */
export async function runChip(
  model: QModel,
  goal: ChipGoal,
  runs: readonly (readonly Int8Array[])[],
  flags: readonly string[] = [],
): Promise<ChipRun> {
  const folder = mkdtempSync(join(tmpdir(), "mote-chip-"));
  try {
    const { header, source } = chipSource(model, goal, "net");
    writeFileSync(join(folder, "net.h"), header);
    writeFileSync(join(folder, "net.c"), source);
    writeFileSync(join(folder, "main.c"), mainText(model, goal));
    const program = join(folder, "main");
    const own = [...WARNINGS, ...SANITIZERS, "-DMOTE_SELFTEST", "-DMOTE_CHECKED", ...flags];
    await runTool("gcc", [...own, join(folder, "net.c"), join(folder, "main.c"), "-o", program]);
    const input = Buffer.concat(runs.flat().map((elements) => Uint8Array.from(elements, (element) => element + 128)));
    const stdout = execFileSync("sh", ["-c", '"$0" 2> "$0.said"', program], { input, maxBuffer: 1 << 26 });
    const bytes = new Uint8Array(stdout);
    let at = 0;
    const outputs = runs.map(() =>
      outputsOf(model).map((tensor) => {
        const count = valuesOf(model.tensors[tensor].shape);
        return Int8Array.from(bytes.subarray(at, (at += count)), (element) => element - 128);
      }),
    );
    const selfTest = execFileSync("cat", [`${program}.said`], { encoding: "utf8" }).trim();
    return { outputs, selfTest };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
