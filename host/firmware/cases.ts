/** Which cases bench/device.json keeps: a board, an engine, a form and a model each. */
import { BOARDS, type Board, type FirmwareEngine } from "./boards.js";
import { OPTIMIZATIONS, type Optimization } from "./image.js";
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

/** Forms of a model whose figures are kept: speed everywhere, size here and there. */
export function keptForms(board: Board, engine: FirmwareEngine, model: string): Optimization[] {
  return OPTIMIZATIONS.filter((form) => form === "speed" || SIZE_CASES.has(`${board.name}-${engine}-${model}`));
}

export function keptCases(): KeptCase[] {
  return BOARDS.flatMap((board) =>
    board.engines.flatMap((engine) =>
      (board.models ?? MODEL_NAMES).flatMap((model) =>
        keptForms(board, engine, model).map((optimize) => ({ board, engine, optimize, model })),
      ),
    ),
  );
}
