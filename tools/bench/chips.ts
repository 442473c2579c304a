/** lenet5, and a record of less error, as C of their own on the cheapest parts: flash, RAM and instructions in all, emulated. */
import { MoteError } from "../../host/errors.js";
import type { ChipGoal } from "../../host/chip/goal.js";
import { CHIP_BOARDS } from "../../host/node/firmware/chip-boards.js";
import { measureChip, type ChipFigures } from "../../host/node/firmware/chip-measure.js";
import { toolsOf } from "../../host/node/firmware/boards.js";
import { missingTools } from "../../host/node/firmware/tools.js";
import { loadData } from "../../host/node/data/load.js";
import { builtFile } from "../../host/node/paths.js";
import { readFile } from "../../host/node/read-file.js";
import type { Shape } from "../../host/model/model.js";
import { atLeast, atMost, type BenchOptions, type Figure, type Group } from "./figure.js";
import { shippedModel } from "./models.js";
import { withRivals } from "./rivals.js";
import { testError } from "./test-error.js";

const MODEL = "lenet5";
const DIGITS = 20;

/** Of RV32IMAC, what BitNetMCU was counted on. */
export const RIVALS_BOARD = CHIP_BOARDS.find(({ name }) => name === "ch32v203")!;

/** Those of the test set that are run; instructions are their mean. @param shape of the net's input */
export const chipDigits = (shape: Shape): Uint8Array =>
  loadData(`mnist:test:${DIGITS}`, { shape }).images as Uint8Array;

interface Value {
  readonly title: string;
  readonly of: (figures: ChipFigures) => number;
  readonly unit: string;
}

const VALUES = {
  flash: { title: "flash in all", of: ({ flashBytes }) => flashBytes, unit: "B" },
  ram: { title: "RAM in all", of: ({ ramBytes }) => ramBytes.total, unit: "B" },
  instructions: { title: "a digit", of: ({ instructions }) => instructions, unit: "instructions" },
} satisfies Record<string, Value>;
type What = keyof typeof VALUES;

/** A net of recipes/records, with the most that it may err, in percent, and take. Figures are `chips.ID.` and what they are of. */
interface RecordOnChip {
  readonly id: string;
  readonly record: string;
  readonly goal: ChipGoal;
  readonly error: number;
  readonly most: Readonly<Partial<Record<What, number>>>;
}

const RECORDS: readonly RecordOnChip[] = [
  // BitNetMCU's net of 0.45 %, on all three.
  { id: "best", record: "mnist-8000", goal: "speed", error: 0.45, most: { flash: 13_000, instructions: 1_350_000 } },
  { id: "accurate", record: "mnist-12000", goal: "flash", error: 0.35, most: { flash: 16_384 } },
];

/** What there is of each of them, beside the error. */
const RECORD_VALUES = ["flash", "instructions", "ram"] as const satisfies readonly What[];

/** Figures of a goal on a part, with their ids behind `chips.GOAL.` and the most that they may be, where there is a target. */
interface Part {
  readonly goal: ChipGoal;
  readonly board: string;
  readonly rows: readonly (readonly [id: string, what: What, limit?: number])[];
}

const PARTS: readonly Part[] = [
  {
    goal: "flash",
    board: "ch32v203",
    rows: [
      ["bytes", "flash", 4400],
      ["ram", "ram", 2900],
      ["instructions", "instructions", 1_400_000],
    ],
  },
  {
    goal: "speed",
    board: "ch32v203",
    rows: [
      ["rv32", "instructions", 430_000],
      ["bytes", "flash", 5500],
      ["ram", "ram", 2400],
    ],
  },
  { goal: "speed", board: "ch32v006", rows: [["rv32emc", "instructions"]] },
  { goal: "speed", board: "netduinoplus2", rows: [["m4", "instructions", 330_000]] },
  { goal: "speed", board: "microbit", rows: [["m0", "instructions", 750_000]] },
  {
    goal: "ram",
    board: "ch32v203",
    rows: [
      ["bytes", "ram", 1500],
      ["rv32", "instructions", 700_000],
      ["flash", "flash", 5800],
    ],
  },
  {
    goal: "ram",
    board: "ch32v003",
    rows: [
      ["rv32ec.bytes", "ram", 1500],
      ["rv32ec", "instructions", 1_200_000],
      ["rv32ec.flash", "flash", 5800],
    ],
  },
];

/** @param title of the net, the goal and the part */
function valueFigure(id: string, title: string, what: What, measured: ChipFigures, limit?: number): Figure {
  const { title: taken, of, unit }: Value = VALUES[what];
  return withRivals(atMost(id, `${title}: ${taken}`, of(measured), unit, limit));
}

/** @throws MoteError ENGINE where C gives other outputs than the reference */
async function recordFigures({ id, record, goal, error: mostError, most }: RecordOnChip): Promise<Figure[]> {
  const container = readFile(builtFile(`recipes/records/${record}.mote`));
  const shape: Shape = [1, 28, 28];
  const board = RIVALS_BOARD;
  const measured = await measureChip({ board, goal, name: record, container, pixels: chipDigits(shape) });
  if (!measured.isEqual) throw new MoteError("ENGINE", `${record} as C: outputs differ from the reference's`);
  const title = `${record} as C for ${goal}, ${board.cpu}`;
  const error = await testError(container, loadData("mnist:test", { shape }));
  return [
    withRivals(atMost(`chips.${id}.error`, `${record}: test error`, error, "%", mostError)),
    ...RECORD_VALUES.map((what) => valueFigure(`chips.${id}.${what}`, title, what, measured, most[what])),
  ];
}

async function measureChips({ note }: BenchOptions): Promise<Figure[]> {
  const boards = CHIP_BOARDS.filter(({ name }) => PARTS.some(({ board }) => board === name));
  const missing = missingTools(toolsOf(boards, []));
  if (missing.length > 0) {
    note(`skipped: ${missing.join(", ")} not installed`);
    return [];
  }
  const images = chipDigits([1, 28, 28]);
  const container = shippedModel(MODEL);
  const figures: Figure[] = [];
  let right = 0;
  for (const { goal, board: name, rows } of PARTS) {
    const board = boards.find((known) => known.name === name)!;
    note(`${MODEL} for ${goal} on ${name}, ${board.cpu}`);
    const measured = await measureChip({ board, goal, name: MODEL, container, pixels: images });
    if (measured.isEqual && measured.selfTest === "net: self-test passed") right++;
    const title = `${MODEL} as C for ${goal}, ${board.cpu}`;
    for (const [id, what, limit] of rows) {
      figures.push(valueFigure(`chips.${goal}.${id}`, title, what, measured, limit));
    }
  }
  const title = `parts and goals whose outputs are the reference's on ${DIGITS} digits and whose self-test passes, of ${PARTS.length}`;
  for (const record of RECORDS) {
    note(`${record.record} for ${record.goal}`);
    figures.push(...(await recordFigures(record)));
  }
  return [...figures, atLeast("chips.parity", title, right, "", PARTS.length)];
}

export const chipsGroup: Group = {
  name: "chips",
  summary:
    "lenet5 and a net of less error as C of their own: flash, RAM and instructions on emulated RV32, Cortex-M0 and M4",
  measure: measureChips,
};

export const chipIds = (): string[] => [
  ...PARTS.flatMap(({ goal, rows }) => rows.map(([id]) => `chips.${goal}.${id}`)),
  ...RECORDS.flatMap(({ id }) => ["error", ...RECORD_VALUES].map((what) => `chips.${id}.${what}`)),
  "chips.parity",
];
