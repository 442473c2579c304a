/**
 * The most work that a run takes, for hosts that would rather refuse. Loading does of a run all but the borders and the layers' weights;
 * of these the tables tell how many there can be.
 */
import { CONTROL_WORK } from "../abi";
import { mostTurns } from "./codecs";
import { live } from "./columns";
import { output, rows } from "./layer";
import { addOpWork, hasWeights } from "./ops";
import { BORDER_CELLS, tensorBytes } from "./tensor";
import { addWork, BATCH_WORK, PIECE_WORK, TURN_WORK } from "./work";

/** Begins with the border of the input. */
export function beginWork(input: usize): void {
  store<u32>(CONTROL_WORK, borderWork(input));
}

/** Adds what a run takes besides for the layer at hand, which has been read up to its weights. */
export function addLayer(): void {
  let turns = hasWeights() ? mostTurns(rows * live) : 0;
  addWork(borderWork(output) + <u64>turns * (BATCH_WORK + TURN_WORK));
  addOpWork(turns);
}

/** At most that, and one piece more: the last one of the layer, which finds that it is complete. */
function borderWork(tensor: usize): u32 {
  return PIECE_WORK * (tensorBytes(tensor) / BORDER_CELLS + 1);
}
