/** bench/rivals.json: what others take for the same nets on the same emulated boards. Measured outside the repository, which has nothing of theirs. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../host/node/paths.js";
import type { Figure } from "./figure.js";

export interface Rival {
  readonly name: string;
  /** Release and commit, of all that was built. */
  readonly version: string;
  readonly compiler: string;
  readonly flags: string;
  /** As `mote firmware --board` has it; "browser" for what a page takes. */
  readonly board: string;
  /** What is in the numbers, and what is not. */
  readonly counted: string;
  /** By the ids of the figures that they stand beside, in their units. */
  readonly figures: Readonly<Record<string, number>>;
  /** Of some of these figures, what each layer has of them, in the net's order; reshape and softmax are no layers. */
  readonly layers?: Readonly<Record<string, readonly number[]>>;
}

const RIVALS_FILE = join(packageRoot, "bench", "rivals.json");

export function readRivals(): readonly Rival[] {
  return (JSON.parse(readFileSync(RIVALS_FILE, "utf8")) as { readonly rivals: readonly Rival[] }).rivals;
}

/** What CMSIS-NN's layers take of a figure, where that is known. */
export function layersBeside(id: string): readonly number[] | undefined {
  return readRivals().find(({ layers }) => layers?.[id] !== undefined)?.layers?.[id];
}

/** Of the rivals that have a figure of this id, by name. */
export function besides(id: string): Readonly<Record<string, number>> {
  const found = readRivals().filter(({ figures }) => figures[id] !== undefined);
  return Object.fromEntries(found.map(({ name, figures }) => [name, figures[id]]));
}

/** @returns the figure with what rivals take, where they are known */
export function withRivals(figure: Figure): Figure {
  const beside = besides(figure.id);
  return Object.keys(beside).length === 0 ? figure : { ...figure, beside };
}
