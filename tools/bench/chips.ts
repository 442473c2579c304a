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

/** Of recipes/records, a net that errs as little as BitNetMCU's best of 13.0 KB. */
const BEST = "mnist-12000";
const BEST_GOAL: ChipGoal = "speed";

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

/** @throws MoteError ENGINE where C gives other outputs than the reference */
async function bestFigures(): Promise<Figure[]> {
  const container = readFile(builtFile(`recipes/records/${BEST}.mote`));
  const shape: Shape = [1, 28, 28];
  const board = RIVALS_BOARD;
  const measured = await measureChip({ board, goal: BEST_GOAL, name: BEST, container, pixels: chipDigits(shape) });
  if (!measured.isEqual) throw new MoteError("ENGINE", `${BEST} as C: outputs differ from the reference's`);
  const title = `${BEST} as C for ${BEST_GOAL}, ${board.cpu}`;
  const error = await testError(container, loadData("mnist:test", { shape }));
  return [
    atMost("chips.best.error", `${BEST}: test error`, error, "%", 0.45),
    atMost("chips.best.flash", `${title}: flash in all`, measured.flashBytes, "B", 13_000),
    atMost("chips.best.instructions", `${title}: a digit`, measured.instructions, "instructions", 1_350_000),
    { id: "chips.best.ram", name: `${title}: RAM in all`, value: measured.ramBytes.total, unit: "B" },
  ].map(withRivals);
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
    for (const [id, what, limit] of rows) {
      const { title: taken, of, unit }: Value = VALUES[what];
      const whole = `chips.${goal}.${id}`;
      const title = `${MODEL} as C for ${goal}, ${board.cpu}: ${taken}`;
      const value = of(measured);
      const figure =
        limit === undefined ? { id: whole, name: title, value, unit } : atMost(whole, title, value, unit, limit);
      figures.push(withRivals(figure));
    }
  }
  const title = `parts and goals whose outputs are the reference's on ${DIGITS} digits and whose self-test passes, of ${PARTS.length}`;
  note(`${BEST} for ${BEST_GOAL}`);
  return [...figures, ...(await bestFigures()), atLeast("chips.parity", title, right, "", PARTS.length)];
}

export const chipsGroup: Group = {
  name: "chips",
  summary:
    "lenet5 and a net of less error as C of their own: flash, RAM and instructions on emulated RV32, Cortex-M0 and M4",
  measure: measureChips,
};

export const chipIds = (): string[] => [
  ...PARTS.flatMap(({ goal, rows }) => rows.map(([id]) => `chips.${goal}.${id}`)),
  ...["error", "flash", "instructions", "ram"].map((what) => `chips.best.${what}`),
  "chips.parity",
];
