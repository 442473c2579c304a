/** Dense layers by six rows at a time, for those with most of their weights left: what the kernel's stream holds. */
import {
  DENSE_ROWS,
  DENSE_TURN,
  KIND_DENSE_ROWS,
  LAYER_DENSE_INPUTS,
  ROW_BYTES,
  WEIGHT_BIAS,
} from "../../assembly/fast/layout.js";
import { concatBytes } from "../bytes.js";
import { inputOf } from "../model/edges.js";
import { valuesOf } from "../model/geometry.js";
import type { QDense, QModel } from "../model/model.js";
import { denseRowsInstructions } from "./cost.js";
import { eachRow, highHead, type LayerStream } from "./rows.js";

/** What the window has of six rows at once, so much that pieces are long. */
const WINDOW_BYTES = 448;

const filled = (inputs: number): number => Math.ceil(inputs / DENSE_TURN) * DENSE_TURN;

/**
 * @param most instructions that it may take to be of use
 * @returns undefined where it takes more, the elements are not one behind the other, or a row's scale is none that the kernel has
 */
export function denseRowsStream(model: QModel, layer: QDense, most: number, where: string): LayerStream | undefined {
  const input = model.tensors[inputOf(layer)];
  const inputs = valuesOf(input.shape);
  const rows = model.tensors[layer.output].shape[0];
  const instructions = Math.ceil(rows / DENSE_ROWS) * denseRowsInstructions(filled(inputs));
  if (instructions > most || input.border > 0) return undefined;
  const heads: Uint8Array[] = [];
  eachRow(model, layer, (row, weights) => {
    const head = highHead(model, layer, row, weights, 0, 0, `${where}, row ${row}`);
    if (head !== undefined) heads.push(head);
  });
  if (heads.length < rows) return undefined;
  const pieces: Uint8Array[] = [];
  for (let first = 0; first < rows; first += DENSE_ROWS) {
    const count = Math.min(DENSE_ROWS, rows - first);
    const weights = new Uint8Array(DENSE_ROWS * filled(inputs));
    for (let row = 0; row < count; row++) {
      for (let at = 0; at < inputs; at++) {
        weights[DENSE_ROWS * at + row] = layer.weights[(first + row) * inputs + at] + WEIGHT_BIAS;
      }
    }
    const missing = new Uint8Array((DENSE_ROWS - count) * ROW_BYTES);
    pieces.push(weights, ...heads.slice(first, first + count), missing);
  }
  const bytes = concatBytes(pieces);
  return {
    kind: KIND_DENSE_ROWS,
    bytes,
    isWide: false,
    windowBytes: Math.min(WINDOW_BYTES, bytes.length),
    scratchBytes: 0,
    instructions,
  };
}

/** Words of the layer's entry. */
export function denseRowsWords(model: QModel, layer: QDense): [offset: number, value: number][] {
  return [[LAYER_DENSE_INPUTS, valuesOf(model.tensors[inputOf(layer)].shape)]];
}
