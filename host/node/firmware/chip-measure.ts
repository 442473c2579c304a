/** A net as C of its own on a board: what it takes, beside the reference's outputs. */
import { join } from "node:path";
import { chipSource } from "../../chip/chip-source.js";
import type { ChipGoal } from "../../chip/goal.js";
import { MoteError } from "../../errors.js";
import { pixelTable } from "../../engines/fill-input.js";
import { openReference } from "../../engines/reference.js";
import { modelInputs, outputOf } from "../../model/edges.js";
import { valuesOf } from "../../model/geometry.js";
import type { QModel, Shape } from "../../model/model.js";
import { readContainer } from "../../container/read.js";
import { writeFileAtomic } from "../write-file.js";
import { BOARDS_FOLDER, type Board } from "./boards.js";
import { binarySections, compile, FIRMWARE_BUILD, link, type Source } from "./build.js";
import { runTool } from "./tools.js";

export interface ChipCase {
  readonly board: Board;
  readonly goal: ChipGoal;
  readonly name: string;
  readonly container: Uint8Array;
  /** Pixels of the net's only input, [C, H, W], one sample behind the other. */
  readonly pixels: Uint8Array;
}

export interface ChipFigures {
  /** Of an inference, a mean over the samples: from the input in memory, by rows with their copies. */
  readonly instructions: number;
  /** Code, tables and what they call of the compiler's and the C library. */
  readonly flashBytes: number;
  readonly ramBytes: { readonly static: number; readonly stack: number; readonly total: number };
  /** Whether all outputs are the reference's. */
  readonly isEqual: boolean;
  /** What the net says of itself. */
  readonly selfTest: string;
}

const RUN_TIMEOUT_MS = 120_000;

/** @throws MoteError ENGINE where it is not built or does not come to its end, UNSUPPORTED as chipSource */
export async function measureChip({ board, goal, name, container, pixels }: ChipCase): Promise<ChipFigures> {
  const { model } = readContainer(container);
  const folder = join(FIRMWARE_BUILD, `chip-${board.name}-${goal}-${name}`);
  const file = (path: string, content: string | Uint8Array): string => {
    const whole = join(folder, path);
    writeFileAtomic(whole, content);
    return whole;
  };
  const [input] = modelInputs(model);
  const size = valuesOf(model.tensors[input].shape);
  const samples = pixels.length / size;
  const { elements, outputs } = reference(container, pixels, size);
  const { header, source } = chipSource(model, goal, "net");
  file("net.h", header);
  const net: Source = { path: file("net.c", source), kind: goal === "flash" ? "own" : "aot" };
  const inputs = file("inputs.bin", goal === "ram" ? byRows(elements, model.tensors[input].shape) : elements);
  const boardSources = [...board.startup, "stack.c"].map((path): Source => ({
    path: join(BOARDS_FOLDER, path),
    kind: "board",
  }));
  const blobs = binarySections(join(folder, "inputs.S"), [{ symbol: "inputs", section: ".inputs", file: inputs }]);
  const built = async (what: string, glue: string, defines: readonly string[]) => {
    const sources: Source[] = [net, { path: file(`glue-${what}.c`, glue), kind: "own" }, ...boardSources, blobs];
    const program = join(folder, `${what}.elf`);
    const objects = await compile(board, sources, [BOARDS_FOLDER, folder], defines);
    const taken = await link(board, objects, program);
    const [emulator, ...flags] = board.qemu;
    const { stdout, stderr } = await runTool(emulator, [...flags, program], { timeoutMs: RUN_TIMEOUT_MS });
    // QEMU says things of its own before.
    const [, text = ""] = (stdout + stderr).split("begin\n");
    const lines = text.trim().split("\n");
    if (lines.at(-1) !== "end") {
      throw new MoteError("ENGINE", `${folder}: the firmware did not come to its end; it said: ${stdout}${stderr}`);
    }
    return { taken, lines };
  };
  const { taken, lines } = await built("measure", measureText(model, goal, samples), []);
  const { lines: said } = await built("selftest", SELF_TEST_TEXT, ["-DMOTE_SELFTEST"]);
  const [empty, ...runs] = lines.slice(0, -1).map((line) => line.split(" ").map((number) => parseInt(number, 16)));
  const ticks = runs.reduce((sum, [taken]) => sum + taken, 0) / samples - empty[0] / EMPTY_MEASUREMENTS;
  const stack = Math.max(...runs.map(([, used]) => used));
  return {
    instructions: Math.round(ticks * board.instructionsPerTick),
    flashBytes: taken.code + taken.model,
    ramBytes: { static: taken.staticRam, stack, total: taken.staticRam + stack },
    isEqual: runs.length === samples && runs.every(([, , ...got], index) => got.join() === outputs[index].join()),
    selfTest: said[0],
  };
}

/** Elements of the inputs, and of the first output for each, as bytes. */
function reference(container: Uint8Array, pixels: Uint8Array, size: number) {
  const engine = openReference(container);
  try {
    const table = pixelTable(engine.input);
    const elements = Int8Array.from(pixels, (pixel) => table[pixel]);
    const outputs = Array.from({ length: pixels.length / size }, (_, sample) =>
      Array.from(engine.run([elements.subarray(sample * size, (sample + 1) * size)]), (element) => element + 128),
    );
    return { elements: Uint8Array.from(elements, (element) => element + 128), outputs };
  } finally {
    engine.close();
  }
}

/** Rows of all channels, one behind the other, of elements [N, C, H, W]. */
function byRows(elements: Uint8Array, [channels, height, width]: Shape): Uint8Array {
  const rows = new Uint8Array(elements.length);
  const size = channels * height * width;
  for (let at = 0, to = 0; at < elements.length; at += size) {
    for (let y = 0; y < height; y++) {
      for (let c = 0; c < channels; c++, to += width) {
        const from = at + (c * height + y) * width;
        rows.set(elements.subarray(from, from + width), to);
      }
    }
  }
  return rows;
}

const EMPTY_MEASUREMENTS = 1024;

/** Prints numbers in hexadecimal: ticks of empty measurements; of each run its ticks, its stack and the outputs. */
function measureText(model: QModel, goal: ChipGoal, samples: number): string {
  const [channels, height, width] = model.tensors[modelInputs(model)[0]].shape;
  const { shape: output } = model.tensors[outputOf(model)];
  const size = channels * height * width;
  const run =
    goal === "ram"
      ? `net_begin();
    for (unsigned y = 0; y < ${height}; y++) net_push_row(inputs + i * ${size}u + y * ${channels * width}u);`
      : "net_run();";
  const place = goal === "ram" ? "" : `net_write_input(inputs + i * ${size}u);`;
  return `#include "board.h"
#include "net.h"

extern const uint8_t inputs[];
int main(void);

static void print(uint32_t value, const char *end) {
  char text[9];
  char *p = text + sizeof text;
  *--p = 0;
  do *--p = "0123456789abcdef"[value & 15];
  while (value >>= 4);
  board_print(p);
  board_print(end);
}

static __attribute__((noinline)) uint32_t ticks_since(uint32_t start) {
  return (board_clock() - start) & (board_clock_bits >= 32 ? UINT32_MAX : (1u << board_clock_bits) - 1);
}

int main(void) {
  board_print("begin\\n");
  uint32_t empty = 0;
  for (uint32_t i = 0; i < ${EMPTY_MEASUREMENTS}; i++) {
    const uint32_t start = board_clock();
    empty += ticks_since(start);
  }
  print(empty, "\\n");
  for (uint32_t i = 0; i < ${samples}; i++) {
    ${place}
    board_paint_stack();
    const uint32_t before = (uint32_t)board_stack_depth();
    const uint32_t start = board_clock();
    ${run}
    print(ticks_since(start), " ");
    print((uint32_t)board_stack_used() - before, "");
    for (unsigned c = 0; c < ${output[0]}; c++) for (unsigned y = 0; y < ${output[1]}; y++) for (unsigned x = 0; x < ${output[2]}; x++) {
      board_print(" ");
      print(net_output[c * NET_OUTPUT_PLANE + y * NET_OUTPUT_PITCH + x], "");
    }
    board_print("\\n");
  }
  board_print("end\\n");
  board_exit();
}
`;
}

const SELF_TEST_TEXT = `#include "board.h"
#include "net.h"

int main(void);
int main(void) {
  board_print("begin\\n");
  board_print(net_selftest());
  board_print("\\nend\\n");
  board_exit();
}
`;
