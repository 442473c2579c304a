/** Convolutions of each channel on its own: how two strips of its lines are laid out, and what the kernel's stream holds. */
import {
  DEPTH_BLOCK,
  DEPTH_IS_DOWN,
  DEPTH_LEFT,
  DEPTH_WORD_BYTES,
  DEPTH_WORDS,
  KIND_DEPTHWISE,
  LANE_BITS,
  LAYER_DEPTH_HEIGHT,
  LAYER_DEPTH_INPUT_WIDTH,
  LAYER_DEPTH_LINES,
  LAYER_INPUT_PITCH,
  LAYER_OUTPUT_WIDTH,
  QUAD_STRETCH,
  ROW_BYTES,
} from "../../assembly/fast/layout.js";
import { concatBytes } from "../bytes.js";
import { inputOf } from "../model/edges.js";
import { extentOf, pitchAndPlane } from "../model/geometry.js";
import type { QConv2d, QModel } from "../model/model.js";
import type { Entry } from "./entry.js";
import { linesAtOnce, type PlannedModel } from "./planned.js";
import { depthInstructions } from "./cost.js";
import { storedZero } from "./fold.js";
import { eachRow, highHead, type LayerStream } from "./rows.js";

/** What is laid out at once takes as much, or the lines under one of outputs. */
const STRIP_BYTES = 1280;

/** Two strips of a channel's lines: of outputs so many each. */
interface Strips {
  readonly lines: number;
  /** Of a line that is laid out. */
  readonly words: number;
  /** Whether the four outputs of a block are one below the other, where that wastes fewer. */
  readonly isDown: boolean;
  readonly bytes: number;
  /** Of a channel. */
  readonly instructions: number;
}

/** Whether the kernel can run a convolution. */
export function fitsDepthwise(model: QModel, layer: QConv2d): boolean {
  const { pool, groups, stride, kernel } = layer;
  const channels = [inputOf(layer), layer.output].map((tensor) => model.tensors[tensor].shape[0]);
  return (
    [...pool.size, ...pool.stride].every((one) => one === 1) &&
    channels.every((count) => count === groups) &&
    kernel[0] * kernel[1] <= QUAD_STRETCH &&
    stride.every((step) => step <= 255) &&
    model.tensors[layer.output].shape[1] <= 0xffff &&
    wordsOf(model, layer) <= DEPTH_WORDS
  );
}

/** Of a line of the input, as far as outputs look at it. */
function wordsOf(model: QModel, { output, kernel, stride }: QConv2d): number {
  return extentOf(model.tensors[output].shape[2], kernel[1], stride[1]);
}

function stripsOf(model: PlannedModel, layer: QConv2d): Strips {
  const output = model.tensors[layer.output];
  const { shape, isOverInput, turn } = output;
  const height = linesAtOnce(output);
  const width = shape[2];
  const words = wordsOf(model, layer);
  const bytesOf = (lines: number): number =>
    DEPTH_WORD_BYTES * words * extentOf(lines, layer.kernel[0], layer.stride[0]);
  let most = Math.ceil(height / 2);
  while (!isOverInput && turn === undefined && most > 1 && bytesOf(most) > STRIP_BYTES) most--;
  const pieces = Math.ceil(height / (2 * most));
  const lines = Math.ceil(height / (2 * pieces));
  const blocks = (majors: number, minors: number): number => majors * Math.ceil(minors / DEPTH_BLOCK);
  const isDown = blocks(width, lines) < blocks(lines, width);
  // A block of fewer outputs looks at words that are not there.
  const step = isDown ? layer.stride[0] * words : layer.stride[1];
  return {
    lines,
    words,
    isDown,
    bytes: bytesOf(lines) + DEPTH_WORD_BYTES * (DEPTH_BLOCK - 1) * step,
    instructions:
      pieces *
      Math.ceil(shape[1] / height) *
      depthInstructions(
        bytesOf(lines) / DEPTH_WORD_BYTES,
        extentOf(lines, layer.kernel[0], layer.stride[0]),
        isDown ? blocks(width, lines) : blocks(lines, width),
        2 * lines * width,
        isDown ? layer.kernel : [layer.kernel[1], layer.kernel[0]],
        isDown ? layer.stride[0] : layer.stride[1],
      ),
  };
}

/** @returns undefined where a row's scale is none that the kernel has */
export function depthStream(model: PlannedModel, layer: QConv2d, where: string): LayerStream | undefined {
  const pieces: Uint8Array[] = [];
  let fits = true;
  const taps = layer.kernel[0] * layer.kernel[1];
  eachRow(model, layer, (row, weights) => {
    const head = highHead(model, layer, row, weights, 2 ** (LANE_BITS - 1), taps, `${where}, row ${row}`);
    if (head === undefined) fits = false;
    else
      pieces.push(
        head,
        Uint8Array.from(weights, (weight) => weight & 255),
      );
  });
  if (!fits) return undefined;
  const strips = stripsOf(model, layer);
  return {
    kind: KIND_DEPTHWISE,
    bytes: concatBytes(pieces),
    isWide: false,
    windowBytes: ROW_BYTES + taps,
    scratchBytes: strips.bytes,
    instructions: pieces.length * 0.5 * strips.instructions,
  };
}

/** Words of the layer's entry. */
export function depthWords(model: PlannedModel, layer: QConv2d): [offset: number, value: number][] {
  const { lines, words, isDown } = stripsOf(model, layer);
  const input = model.tensors[inputOf(layer)];
  const width = input.shape[2];
  const [down, across] = layer.stride;
  // By lines those above and below the input are there.
  const isByLines = model.tensors[layer.output].turn !== undefined;
  const height = isByLines ? extentOf(2 * lines, layer.kernel[0], down) : input.shape[1];
  const [top, left] = isByLines ? [0, layer.pad[1]] : layer.pad;
  const pads = top + DEPTH_LEFT * left;
  return [
    [LAYER_INPUT_PITCH, pitchAndPlane(input).pitch],
    [LAYER_DEPTH_HEIGHT, layer.kernel[0] + layer.kernel[1] * 2 ** 8 + down * 2 ** 16 + across * 2 ** 24],
    [LAYER_DEPTH_LINES, lines + height * 2 ** 16],
    [
      LAYER_DEPTH_INPUT_WIDTH,
      Math.min(width, words) +
        Number(isDown) * DEPTH_IS_DOWN +
        pads * 2 ** 16 +
        storedZero(model, inputOf(layer)) * 2 ** 24,
    ],
  ];
}

/** Of a layer's entry: bytes from a place of a block to the next, in what is laid out. */
export function depthStep(entry: Entry): number {
  const [, kernel, down, across] = bytesOf(entry.get(LAYER_DEPTH_HEIGHT)!);
  const isDown = (entry.get(LAYER_DEPTH_INPUT_WIDTH)! & DEPTH_IS_DOWN) !== 0;
  return DEPTH_WORD_BYTES * (isDown ? down * extentOf(entry.get(LAYER_OUTPUT_WIDTH)!, kernel, across) : across);
}

/** Of a word. */
export const bytesOf = (word: number): number[] => [0, 8, 16, 24].map((shift) => (word >>> shift) & 0xff);
