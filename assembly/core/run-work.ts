/**
 * The most work that a run takes, for hosts that would rather refuse. Loading does of a run all but the borders and the layers' weights;
 * of these the tables tell how many there can be.
 */
import { CONTROL_WORK } from "../abi";
import { CODEC_HUFFMAN, OP_DENSE } from "../format";
import { bitPosition } from "./bit-reader";
import { tablesPtr } from "./container";
import { codec, kernelWidth, op, output, outputHeight, outputWidth, poolSize, rows, sectionEnd } from "./layer";
import { hasPool } from "./layers/conv2d";
import { filler, gapsPtr, live } from "./section";
import { BORDER_CELLS, tensorBytes } from "./tensor";
import { room } from "./weights";
import { BATCH_WORK, DENSE_WORK, MOST_RECORDS, PIECE_WORK, PLACES_WORK, POOL_WORK, TURN_WORK } from "./work";

/** Begins with the border of the input. */
export function beginWork(input: usize): void {
  store<u32>(CONTROL_WORK, borderWork(input));
}

/** Adds what a run takes as well. */
export function addWork(units: u64): void {
  store<u32>(CONTROL_WORK, <u32>min(load<u32>(CONTROL_WORK) + units, <u64>u32.MAX_VALUE));
}

/** Adds what a run takes besides for the layer at hand, which has been read up to its weights. */
export function addLayer(): void {
  addWork(borderWork(output) + (op <= <u32>OP_DENSE ? weightsWork() : poolWork()));
}

/** At most that, and one piece more: the last one of the layer, which finds that it is complete. */
function borderWork(tensor: usize): u32 {
  return PIECE_WORK * (tensorBytes(tensor) / BORDER_CELLS + 1);
}

function poolWork(): u64 {
  return <u64>(rows * outputHeight * outputWidth) * (kernelWidth * kernelWidth + POOL_WORK);
}

function weightsWork(): u64 {
  // Weights and fillers, at most 2^28.
  let turns = rows * live;
  if (codec() == CODEC_HUFFMAN) {
    // The code of zeros is the shortest, or one of those.
    let bits = (load<u16>(tablesPtr) & 15) + (load<u16>(gapsPtr) & 15);
    if (bits) turns = min(turns, ((sectionEnd << 3) - bitPosition()) / bits + turns / filler + 1);
  }
  // Should each be a batch of its own.
  let decoding = <u64>turns * (BATCH_WORK + TURN_WORK);
  if (op == OP_DENSE) return decoding + turns + (rows + turns / min(room(), MOST_RECORDS)) * DENSE_WORK;
  // No overflow: a row's weights at all places of a pool are within the input, 2^38 at most.
  let products = 4 * min(turns, min(live, room()) * rows) + rows * PLACES_WORK;
  let fours = hasPool() ? outputWidth * ((poolSize * poolSize + 3) >>> 2) : (outputWidth + 3) >>> 2;
  return decoding + <u64>outputHeight * fours * products;
}
