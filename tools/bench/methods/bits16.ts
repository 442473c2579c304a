/**
 * Nets for digits of 16 × 16 pixels beside BitNetMCU's: file and error, and as C of its own on a part of RV32IMAC the flash of all of it and the
 * instructions of a digit, for flash (-Os, as BitNetMCU was compiled) and for speed (-O2).
 */
import type { ChipGoal } from "../../../host/chip/goal.js";
import { readContainer } from "../../../host/container/read.js";
import { MoteError } from "../../../host/errors.js";
import { modelInputs } from "../../../host/model/edges.js";
import { packed } from "../../../host/node/compress/integer-model.js";
import { toolsOf } from "../../../host/node/firmware/boards.js";
import { measureChip } from "../../../host/node/firmware/chip-measure.js";
import { missingTools } from "../../../host/node/firmware/tools.js";
import { chipDigits, RIVALS_BOARD } from "../chips.js";
import type { BenchOptions, Figure } from "../figure.js";
import { withRivals } from "../rivals.js";
import { methodRecipe, runMethod, type MethodFamily } from "./family.js";

/** Recipes are `bits16-NAME`. The first four have BitNetMCU's topologies, `channels` that of its 7.3 kB; the others are pruned. */
const NETS = {
  ternary: "dense, 64-64-64 units, ternary",
  "two-bit": "dense, 64-64-64 units, weights ± 1 and ± 3",
  "four-bit": "dense, 64-64-64 units, 16 values",
  channels: "32 channels, dense layers of 4 and 16 values",
  small: "LeNet of 8-20-40 units, pruned",
  large: "LeNet of 12-32-64 units, pruned",
} as const;
export type BitsNet = keyof typeof NETS;

/** Where a goal's figures stand behind `methods.bits16.NAME.`. */
const GOALS: readonly (readonly [goal: ChipGoal, prefix: string])[] = [
  ["flash", ""],
  ["speed", "speed."],
];

const idOf = (net: string, what: string): string => `methods.bits16.${net}.${what}`;

export const bitsIds = (): string[] =>
  Object.keys(NETS).flatMap((net) =>
    ["bytes", "error", ...GOALS.flatMap(([, prefix]) => [`${prefix}flash`, `${prefix}instructions`])].map((what) =>
      idOf(net, what),
    ),
  );

/**
 * @param testError percent of the test digits
 * @throws MoteError ENGINE where C gives other outputs than the reference
 */
export async function bitsFigures(
  name: BitsNet,
  container: Uint8Array,
  testError: number,
  note: BenchOptions["note"],
): Promise<Figure[]> {
  const figure = (part: string, text: string, value: number, unit: string): Figure => {
    const title = `16 × 16 pixels, ${NETS[name]}: ${text}`;
    return withRivals({ id: idOf(name, part), name: title, value, unit });
  };
  const figures = [figure("bytes", "bytes", container.length, "B"), figure("error", "test error", testError, "%")];
  const missing = missingTools(toolsOf([RIVALS_BOARD], []));
  if (missing.length > 0) {
    note(`${name}: nothing of boards, not installed: ${missing.join(", ")}`);
    return figures;
  }
  const { model } = readContainer(container);
  const pixels = chipDigits(model.tensors[modelInputs(model)[0]].shape);
  for (const [goal, prefix] of GOALS) {
    note(`${name} as C for ${goal}`);
    const measured = await measureChip({ board: RIVALS_BOARD, goal, name: `bits16-${name}`, container, pixels });
    if (!measured.isEqual)
      throw new MoteError("ENGINE", `bits16-${name} for ${goal}: outputs differ from the reference's`);
    const by = `as C for ${goal}, ${RIVALS_BOARD.cpu}`;
    figures.push(
      figure(`${prefix}flash`, `${by}: flash in all`, measured.flashBytes, "B"),
      figure(`${prefix}instructions`, `${by}: a digit`, measured.instructions, "instructions"),
    );
  }
  return figures;
}

export const bitsMethods: MethodFamily = {
  name: "bits16",
  async measure(options) {
    const figures: Figure[] = [];
    for (const name of Object.keys(NETS) as BitsNet[]) {
      const { net, testError } = await runMethod(`bits16-${name}`, methodRecipe(`bits16-${name}`), options);
      figures.push(...(await bitsFigures(name, packed(net, { codec: "auto" }), testError, options.note)));
    }
    return figures;
  },
};
