/** Nets as C of their own, compiled for this machine and run. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chipSource } from "../../host/chip/chip-source.js";
import type { ChipGoal } from "../../host/chip/goal.js";
import { chipMemory, takesRows } from "../../host/chip/memory.js";
import { freshStates, runLayers } from "../../host/engines/ops-i8.js";
import { runTool } from "../../host/node/firmware/tools.js";
import { modelInputs, outputsOf, statesOf } from "../../host/model/edges.js";
import { valuesOf } from "../../host/model/geometry.js";
import type { Elements } from "../../host/model/elements.js";
import type { QModel } from "../../host/model/model.js";

const WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror"];
const SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/** A function that reads inputs, [C, H, W] one behind the other, and writes the outputs of each run. */
function runText(model: QModel, goal: ChipGoal, name: string, runs: number): string {
  const upper = name.toUpperCase();
  const each = (tensor: number, element: string): string => {
    const [channels, height, width] = model.tensors[tensor].shape;
    return `  for (int c = 0; c < ${channels}; c++) for (int y = 0; y < ${height}; y++) for (int x = 0; x < ${width}; x++) ${element}\n`;
  };
  const numbered = (stem: string, index: number): string => (index === 0 ? stem : `${stem}_${index}`);
  const inputs = modelInputs(model).map((tensor, index) => {
    const [channels, height, width] = model.tensors[tensor].shape;
    const read =
      `  static uint8_t image_${index}[${channels}][${height}][${width}];\n` +
      each(tensor, `image_${index}[c][y][x] = (uint8_t)getchar();`);
    if (goal !== "ram") return `${read}  ${name}_write_${numbered("input", index)}(&image_${index}[0][0][0]);\n`;
    return (
      `${read}  static uint8_t row[${channels * width}];\n` +
      `  ${name}_begin();\n  for (int y = 0; y < ${height}; y++) {\n` +
      `    for (int c = 0; c < ${channels}; c++) for (int x = 0; x < ${width}; x++) row[c * ${width} + x] = image_0[c][y][x];\n` +
      `    ${name}_push_row(row);\n  }\n  ${name}_push_row(row); /* one too many */\n`
    );
  });
  const outputs = outputsOf(model).map((tensor, index) => {
    const output = numbered("OUTPUT", index);
    const at = `(unsigned)c * ${upper}_${output}_PLANE + (unsigned)y * ${upper}_${output}_PITCH + (unsigned)x`;
    return each(tensor, `putchar(${name}_${output.toLowerCase()}[${at}]);`);
  });
  return `static void run_${name}(void) {
  fprintf(stderr, "%s\\n", ${name}_selftest());
${statesOf(model).length > 0 ? `  ${name}_reset();\n` : ""}  for (int run = 0; run < ${runs}; run++) {
${inputs.join("")}${goal === "ram" ? "" : `  ${name}_run();\n`}${outputs.join("")}  }
}
`;
}

export interface ChipWay {
  readonly goal: ChipGoal;
  readonly flags: readonly string[];
  /** Of which models. */
  readonly of: (model: QModel) => boolean;
}

/** What is compiled: all parts' kernels run on this machine. */
export const WAYS: readonly ChipWay[] = [
  { goal: "flash", flags: [], of: () => true },
  { goal: "speed", flags: [], of: () => true },
  {
    goal: "speed",
    flags: ["-DMOTE_LANES"],
    of: (model) => chipSource(model, "speed", "net").source.includes("MOTE_LANES"),
  },
  { goal: "ram", flags: [], of: takesRows },
  {
    goal: "ram",
    flags: ["-DMOTE_NO_MULTIPLIER"],
    of: (model) => takesRows(model) && chipMemory(model, true, []).chain.length > 0,
  },
];

/** What a net has to say: the reference's outputs, and that its self-test passes. */
export function expected({ model, runs }: ChipCase, index: number): ChipRun {
  const states = freshStates(model);
  const outputs = runs.map((inputs) => {
    const tensors = runLayers(model, inputs, states);
    return outputsOf(model).map((tensor) => tensors.get(tensor)!.slice());
  });
  return { outputs, selfTest: `net_${index}: self-test passed` };
}

export interface ChipRun {
  /** Of each run, the elements of each output. */
  readonly outputs: Elements[][];
  readonly selfTest: string;
}

/** A net, and elements of each input of each run. */
export interface ChipCase {
  readonly model: QModel;
  readonly runs: readonly (readonly Elements[])[];
}

/**
 * As C99, a file for each net. Or several in a file of C++, each in a namespace, whose compiler is called but once.
 * @returns what each net said, in order
 */
export async function runChips(
  nets: readonly ChipCase[],
  goal: ChipGoal,
  flags: readonly string[],
  isOneFile = false,
): Promise<ChipRun[]> {
  const folder = mkdtempSync(join(tmpdir(), "mote-chip-"));
  try {
    const names = nets.map((_, index) => `net_${index}`);
    nets.forEach(({ model }, index) => {
      const { header, source } = chipSource(model, goal, names[index]);
      writeFileSync(join(folder, `${names[index]}.h`), header);
      writeFileSync(join(folder, `${names[index]}.c`), source);
    });
    const texts = nets.map(({ model, runs }, index) => {
      const text = runText(model, goal, names[index], runs.length);
      if (!isOneFile) return `#include "${names[index]}.h"\n${text}`;
      return `namespace of_${names[index]} {\n#include "${names[index]}.c"\n${text}}\nusing of_${names[index]}::run_${names[index]};\n`;
    });
    const main = `#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
${isOneFile ? 'extern "C" ' : ""}void mote_check_failed(const char *what);
void mote_check_failed(const char *what) { fprintf(stderr, "check failed: %s\\n", what); exit(3); }
${texts.join("")}
int main(void) {
${names.map((name) => `  run_${name}();\n`).join("")}}
`;
    const file = join(folder, isOneFile ? "main.cc" : "main.c");
    writeFileSync(file, main);
    const program = join(folder, "main");
    const files = isOneFile ? [file] : [file, ...names.map((name) => join(folder, `${name}.c`))];
    const own = [...(isOneFile ? ["-O0"] : WARNINGS), ...SANITIZERS, "-DMOTE_SELFTEST", "-DMOTE_CHECKED", ...flags];
    await runTool("gcc", [...own, ...files, "-o", program]);
    const elements = nets.flatMap(({ runs }) => runs.flat());
    const input = Buffer.concat(elements.map((values) => Uint8Array.from(values, (value) => value + 128)));
    const stdout = execFileSync("sh", ["-c", '"$0" 2> "$0.said"', program], { input, maxBuffer: 1 << 26 });
    const said = readFileSync(`${program}.said`, "utf8").trim().split("\n");
    const bytes = new Uint8Array(stdout);
    let at = 0;
    return nets.map(({ model, runs }, index) => ({
      outputs: runs.map(() =>
        outputsOf(model).map((tensor) => {
          const count = valuesOf(model.tensors[tensor].shape);
          return Int8Array.from(bytes.subarray(at, (at += count)), (element) => element - 128);
        }),
      ),
      selfTest: said[index],
    }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
