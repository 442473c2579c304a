/** Which cases bench/device.json keeps: a board, an engine, a form and a model each. */
import type { Optimization } from "../../fast/optimization.js";
import { ENGINES, type FirmwareEngine } from "../../firmware/engines.js";
import { BOARDS, type Board } from "./boards.js";
import { MODEL_NAMES } from "./models.js";

/** A case with its model by name. */
export interface KeptCase {
  readonly board: Board;
  readonly engine: FirmwareEngine;
  readonly optimize: Optimization;
  readonly model: string;
}

/** Where the small form is held to its figures. Once by each engine is enough: its code is the same everywhere. */
const SIZE_CASES = new Set(
  ["lm3s6965evb-wasm3", "microbit-aot"].flatMap((place) => ["lenet5", "lenet300"].map((model) => `${place}-${model}`)),
);

/** Where the fastest form does not fit. */
const SRAM_CASES = new Set(["microbit-wasm3-lenet5"]);

/** The form of a model that a board is given when none is asked for. */
export function usualForm(board: Board, engine: FirmwareEngine, model: string): Optimization {
  return SRAM_CASES.has(`${board.name}-${engine}-${model}`) ? "sram" : "speed";
}

/** Forms of a model whose figures are kept: the usual one, and size here and there. */
export function keptForms(board: Board, engine: FirmwareEngine, model: string): Optimization[] {
  const usual = usualForm(board, engine, model);
  return SIZE_CASES.has(`${board.name}-${engine}-${model}`) ? [usual, "size"] : [usual];
}

export function keptCases(): KeptCase[] {
  return BOARDS.flatMap((board) =>
    ENGINES.flatMap((engine) =>
      (board.models ?? MODEL_NAMES).flatMap((model) =>
        keptForms(board, engine, model).map((optimize) => ({ board, engine, optimize, model })),
      ),
    ),
  );
}
