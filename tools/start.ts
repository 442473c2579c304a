/** `mote start`: the shipped LeNet-5 reads handwritten digits, and says what it took. */
import { relative } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { readContainer } from "../host/container/read.js";
import { reportContainer } from "../host/report/container.js";
import { DIGIT_SIDE } from "../host/data/image.js";
import { loadDataSpec } from "../host/node/data/inputs.js";
import { readFile } from "../host/node/read-file.js";
import { builtFile } from "../host/node/paths.js";
import { Progress } from "../host/node/progress.js";
import { classifyAll, type Classification } from "../host/engines/classify.js";
import type { EngineName } from "../host/engines/engine.js";
import { engineOption, engineOrDefault, grouped, openModel, runSummary } from "./model-file.js";
import { Output } from "./output.js";

const TEST_DIGITS = 10_000;
const SHOWN = 6;
/** How many digits stand side by side: as many as fit, in whole rows. Three fit 80 columns, two 60. */
const SHOWN_PER_ROW = [6, 3, 2, 1];
const DIGIT_GAP = "  ";
/** Rows and columns of a digit's margin that are not drawn. */
const MARGIN = 2;

interface StartFlags {
  readonly all?: boolean;
  readonly count: number;
  readonly engine?: EngineName;
  readonly json?: boolean;
}

export function startCommand(): Command {
  return new Command("start")
    .description("recognise digits of the MNIST test set with models/lenet5.mote")
    .option("--all", `all ${TEST_DIGITS} digits`)
    .option("--count <n>", "how many digits", parseCount, 1000)
    .addOption(engineOption())
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText("after", "\nExample:\n  npm start -- --all")
    .action(start);
}

function parseCount(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(count >= SHOWN && count <= TEST_DIGITS)) throw new InvalidArgumentError(`expected ${SHOWN} .. ${TEST_DIGITS}.`);
  return count;
}

async function start(flags: StartFlags): Promise<void> {
  const count = flags.all === true ? TEST_DIGITS : flags.count;
  const data = loadDataSpec(`mnist:test:${count}`);
  const path = relative(process.cwd(), builtFile("models/lenet5.mote"));
  const output = new Output(flags);
  const model = openModel(path, engineOrDefault(flags.engine), {});
  const { engine } = model;
  const { fileBytes, nominalBytes } = reportContainer(readContainer(readFile(path)));
  try {
    const size = DIGIT_SIDE * DIGIT_SIDE;
    const shown = { count: SHOWN, shape: data.shape, images: data.images.subarray(0, SHOWN * size) };
    const first: Classification[] = [];
    await classifyAll(engine, shown, { onResult: (_, result) => first.push(result) });
    const cell = DIGIT_SIDE - 2 * MARGIN;
    const perRow = SHOWN_PER_ROW.find((n) => n * (cell + DIGIT_GAP.length) - DIGIT_GAP.length <= output.columns) ?? 1;
    for (let i = 0; i < SHOWN; i += perRow) {
      const row = first.slice(i, i + perRow);
      const digits = row.map((_, k) => shown.images.subarray((i + k) * size, (i + k + 1) * size));
      for (const line of drawDigits(digits)) output.line(line);
      output.line(
        row
          .map((result) => caption(result).padEnd(cell))
          .join(DIGIT_GAP)
          .trimEnd(),
      );
      output.line();
    }
    const progress = new Progress(`reading ${grouped(count)} digits`, count);
    const tally = await classifyAll(engine, data, { onResult: (index) => progress.update(index + 1) });
    progress.finish();
    const errors = tally.errors ?? 0;
    output.pairs([
      ["test error", `${((100 * errors) / count).toFixed(2)} % (${errors} of ${grouped(count)})`],
      [
        "container",
        `${grouped(fileBytes)} bytes, ${Math.round(nominalBytes / fileBytes)} times smaller than ` +
          `${grouped(nominalBytes)} bytes of float32`,
      ],
      ["linear memory", `${grouped(engine.linearMemoryBytes)} bytes`],
      ["model bytes read", `${grouped(tally.bytesRead)} per digit`],
      ["time per digit", `${(tally.usPerInference / 1000).toFixed(2)} ms`],
      ["engine", engine.name],
    ]);
    output.json(() => runSummary(model, tally));
  } finally {
    engine.close();
  }
}

function caption(result: Classification): string {
  return `  ${result.class}  ${(100 * result.probability).toFixed(1)} %`;
}

/** Digits side by side, two pixel rows a line of text. */
function drawDigits(digits: readonly Uint8Array[]): string[] {
  const isInk = (digit: Uint8Array, x: number, y: number): boolean => digit[y * DIGIT_SIDE + x] >= 96;
  const lines: string[] = [];
  for (let y = MARGIN; y < DIGIT_SIDE - MARGIN; y += 2) {
    const cells = digits.map((digit) => {
      let line = "";
      for (let x = MARGIN; x < DIGIT_SIDE - MARGIN; x++) {
        line += " ▀▄█"[(isInk(digit, x, y) ? 1 : 0) + (isInk(digit, x, y + 1) ? 2 : 0)];
      }
      return line;
    });
    lines.push(cells.join(DIGIT_GAP).trimEnd());
  }
  return lines;
}
