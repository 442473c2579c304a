/**
 * The most work that a run takes, for hosts that would rather refuse. Loading does of a run all but filling tensors and the layers' weights;
 * of these the tables tell how many there can be.
 */
import { mostTurns } from "./codecs";
import { live } from "./columns";
import { ELEMENT_SHIFT } from "./element";
import { rows } from "./layer";
import { addOpWork, hasWeights } from "./ops";
import { FILLED_CELLS, tensorBytes } from "./tensor";
import { addWork, BATCH_WORK, PIECE_WORK, TURN_WORK } from "./work";

/** Adds what a run takes besides for the layer at hand, which has been read up to its weights. */
export function addLayer(): void {
  let turns = hasWeights() ? mostTurns(rows * live) : 0;
  addWork(<u64>turns * (BATCH_WORK + TURN_WORK));
  addOpWork(turns);
}

/** Adds the border of a tensor, or the copy of a state: at most all cells, and one piece more, the last one of a layer, which finds that it is complete. */
export function addFilling(tensor: usize): void {
  addWork(PIECE_WORK * ((tensorBytes(tensor) >> ELEMENT_SHIFT) / FILLED_CELLS + 1));
}
