/** Dense layers and convolutions of weights ± 1 over elements 0 and 1, a bit each: what the kernel's stream and scratch hold. */
import {
  BITS_LINE,
  BITS_LINES,
  BITS_LOT_BYTES,
  BITS_PLACE_BYTES,
  BITS_WORD_BYTES,
  KIND_BITS,
  LAYER_BITS_CHANNELS,
  LAYER_BITS_PITCH,
  LAYER_BITS_PLANE,
  LAYER_BITS_WIDTH,
  ROW_BYTES,
} from "../../assembly/fast/layout.js";
import { concatBytes } from "../bytes.js";
import { inputOf, inputsOf } from "../model/edges.js";
import { pitchAndPlane, valuesOf, type Layout } from "../model/geometry.js";
import type { QConv2d, QDense, QLayer, QModel } from "../model/model.js";
import { bitPlaceInstructions, bitRowInstructions } from "./cost.js";
import { fold, rowHead } from "./fold.js";
import { eachRow, foldedRow, magnitudes, type LayerStream } from "./rows.js";

/** What is laid out at once takes as much, or one output's places up to BITS_LOT_BYTES. */
const LOT_BYTES = 1024;

/** The window has as many rows at once, or one. */
const WINDOW_BYTES = 448;

/** What a place looks at: elements of a line, lines of a channel, channels, and the distances between them. And places under a pool, across and down. */
interface Patch extends Layout {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly pool: number;
}

/** @returns undefined for a window that the kernel does not have */
function patchOf(model: QModel, layer: QConv2d | QDense): Patch | undefined {
  const input = model.tensors[inputOf(layer)];
  const [channels, height, width] = input.shape;
  const layout = pitchAndPlane(input);
  if (layer.op === "dense") {
    if (input.border > 0) return { width, height, channels, pool: 1, ...layout };
    // All elements are one line, or as many as must be.
    const count = valuesOf(input.shape);
    const line = Array.from(
      { length: Math.min(count, BITS_LINE) },
      (_, less) => Math.min(count, BITS_LINE) - less,
    ).find((length) => count % length === 0)!;
    return { width: line, height: count / line, channels: 1, pool: 1, pitch: line, plane: count };
  }
  const { kernel, stride, groups } = layer;
  const [pool, other] = layer.pool.size;
  const isPooled = pool === other && pool < 16 && stride.every((step) => step === 1);
  if (groups > 1 || !(isPooled || pool * other === 1)) return undefined;
  return { width: kernel[1], height: kernel[0], channels, pool, ...layout };
}

/** Layers that only pick elements. */
const PICKING: ReadonlySet<QLayer["op"]> = new Set(["maxpool", "concat", "resize"] as const);

/** Whether a tensor has no elements but 0 and 1, its border included. */
function isBinary(model: QModel, tensor: number): boolean {
  const { zeroPoint } = model.tensors[tensor];
  const layer = model.layers.find(({ output }) => output === tensor);
  if (layer === undefined || (zeroPoint !== 0 && zeroPoint !== 1)) return false;
  const [least, most] = "clamp" in layer ? layer.clamp : [-128, 127];
  if (least >= 0 && most <= 1) return true;
  // What is picked is cut to the range, which may leave neither.
  const isPicked = PICKING.has(layer.op) && least <= 1 && most >= 0;
  return isPicked && inputsOf(layer).every((input) => isBinary(model, input));
}

const wordsOf = ({ width, height, channels }: Patch): number => Math.ceil((width * height * channels) / 64);

/** Outputs that are laid out at once. */
function lotOf(model: QModel, layer: QConv2d | QDense, patch: Patch): number {
  const [, height, width] = model.tensors[layer.output].shape;
  const fitting = Math.floor(LOT_BYTES / (patch.pool ** 2 * BITS_WORD_BYTES * wordsOf(patch)));
  return Math.max(1, Math.min(255, height * width, fitting));
}

/** @returns undefined where weights or elements have other values, or the kernel has no such window */
export function bitStream(model: QModel, layer: QConv2d | QDense, where: string): LayerStream | undefined {
  const patch = patchOf(model, layer);
  if (patch === undefined || !isBinary(model, inputOf(layer))) return undefined;
  if (!layer.weights.every((weight) => weight === 1 || weight === -1)) return undefined;
  const words = wordsOf(patch);
  const rowBytes = BITS_WORD_BYTES * words;
  const isLong = patch.width > BITS_LINE || patch.height * patch.channels > BITS_LINES;
  if (isLong || rowBytes > BITS_PLACE_BYTES || patch.pool ** 2 * rowBytes > BITS_LOT_BYTES) return undefined;
  const pieces: Uint8Array[] = [];
  eachRow(model, layer, (row, weights) => {
    const place = `${where}, row ${row}`;
    const bits = new Uint8Array(rowBytes);
    weights.forEach((weight, at) => (bits[at >> 3] |= Number(weight > 0) << (at & 7)));
    pieces.push(rowHead(fold(folded(model, layer, row, weights, place)), rowBytes, place), bits);
  });
  const bytes = concatBytes(pieces);
  const [rows, height, width] = model.tensors[layer.output].shape;
  const lot = lotOf(model, layer, patch);
  const places = patch.pool ** 2;
  const whole = ROW_BYTES + rowBytes;
  return {
    kind: KIND_BITS,
    bytes,
    isWide: false,
    windowBytes: Math.min(bytes.length, Math.max(1, Math.floor(WINDOW_BYTES / whole)) * whole),
    scratchBytes: lot * places * rowBytes,
    instructions:
      height *
      width *
      (places * bitPlaceInstructions(patch.channels * patch.height, patch.width) +
        rows * bitRowInstructions(lot, places, words)),
  };
}

/** The kernel's sum is how many bits differ, with a minus: with the positive weights it is that of weights and elements. */
function folded(model: QModel, layer: QConv2d | QDense, row: number, weights: Int8Array, where: string) {
  const { zeroPoint } = model.tensors[inputOf(layer)];
  const [positive, negative] = magnitudes(weights);
  const toAccumulator = layer.bias[row] + positive - zeroPoint * (positive - negative);
  return { ...foldedRow(model, layer, row, weights, 0, where), lowest: -weights.length, highest: 0, toAccumulator };
}

/** Words of the layer's entry. */
export function bitWords(model: QModel, layer: QConv2d | QDense): [offset: number, value: number][] {
  const patch = patchOf(model, layer)!;
  const { width, height, channels, pool, pitch, plane } = patch;
  return [
    [LAYER_BITS_WIDTH, width + height * 2 ** 16],
    [LAYER_BITS_CHANNELS, channels + pool * 2 ** 16 + lotOf(model, layer, patch) * 2 ** 24],
    [LAYER_BITS_PITCH, pitch],
    [LAYER_BITS_PLANE, plane],
  ];
}
