/** A layer with weights as the convolution that its kernels compute: its geometry, and the tables that they walk through. */
import type { Conv2dLayer, Shape, WeightedLayer } from "../model/model.js";
import { valuesOf } from "../model/geometry.js";
import { VALUE_BYTES, type Arena } from "./arena.js";
import { writeDescriptor, type Descriptor } from "./descriptors.js";
import type { SharedHeap } from "./heap.js";

/** Outputs of a dense layer whose weights one pass of the input gradient reads: their rows must stay in the first-level cache. */
const DENSE_GRADIENT_CHUNK = 64;

/** Down and across. */
type Pair = readonly [y: number, x: number];

export interface Convolution extends Pick<Conv2dLayer, "kernel" | "groups"> {
  /** Has one position, at which it reads all of its input. */
  readonly isDense: boolean;
  readonly input: Shape;
  readonly stride: Pair;
  /** Zeros above and on the left, and as many below and on the right. */
  readonly pad: Pair;
}

const CONVOLUTIONS: {
  readonly [Op in WeightedLayer["op"]]: (layer: Extract<WeightedLayer, { op: Op }>, input: Shape) => Convolution;
} = {
  conv2d: ({ kernel, stride, pad, groups }, input) => ({
    isDense: false,
    input,
    kernel,
    stride: [stride, stride],
    pad: [pad, pad],
    groups,
  }),
  // Over one position in which every feature is a channel.
  dense: (_layer, input) => ({
    isDense: true,
    input: [valuesOf(input), 1, 1],
    kernel: [1, 1],
    stride: [1, 1],
    pad: [0, 0],
    groups: 1,
  }),
};

export function convolutionOf(layer: WeightedLayer, input: Shape): Convolution {
  const convolution: (layer: never, input: Shape) => Convolution = CONVOLUTIONS[layer.op];
  return convolution(layer as never, input);
}

/** A table in shared memory. */
export interface Table {
  readonly at: number;
  readonly count: number;
}

function writeTable(heap: SharedHeap, words: readonly number[], wordsEach: number): Table {
  const at = heap.allocate(words.length * 4);
  heap.u32(at, words.length).set(words);
  return { at, count: words.length / wordsEach };
}

/** Zeros around the input, so that the kernels need no bounds tests. Byte offsets in a thread's arena. */
export interface PlannedBorder {
  readonly descriptor: Descriptor<"Border">;
  readonly activation: number;
  readonly gradient: number;
}

/** Strides in bytes. */
export interface PlannedConvolution {
  readonly isDense: boolean;
  readonly groups: number;
  /** Output and input channels of one group. */
  readonly groupRows: number;
  readonly groupInputs: number;
  /** Weights of a row: [C_IN / groups, KH, KW]. */
  readonly columns: number;
  readonly positions: number;
  readonly border: PlannedBorder | null;
  readonly xPlane: number;
  readonly xBlock: number;
  readonly outRow: number;
  readonly outBlock: number;
  readonly forwardPositions: Table;
  readonly forwardTaps: number;
  readonly columnOffsets: number;
  readonly inputGradient: boolean;
  readonly backwardPositions: Table;
  readonly backwardTaps: number;
  readonly runs: Table;
}

/**
 * @param blocks of a shard
 * @param inputGradient whether the layers before it want one
 */
export function planConvolution(
  heap: SharedHeap,
  arena: Arena,
  convolution: Convolution,
  [rows, outHeight, outWidth]: Shape,
  blocks: number,
  inputGradient: boolean,
): PlannedConvolution {
  const [channels, height, width] = convolution.input;
  const [kernelHeight, kernelWidth] = convolution.kernel;
  const [strideY, strideX] = convolution.stride;
  const [padY, padX] = convolution.pad;
  const { isDense, groups } = convolution;
  const wideHeight = height + 2 * padY;
  const wideWidth = width + 2 * padX;
  const groupInputs = channels / groups;
  const groupRows = rows / groups;
  const columns = groupInputs * kernelHeight * kernelWidth;
  const xPlane = wideHeight * wideWidth * VALUE_BYTES;
  const outRow = outHeight * outWidth * VALUE_BYTES;

  const columnOffsets: number[] = [];
  for (let c = 0; c < groupInputs; c++) {
    for (let ky = 0; ky < kernelHeight; ky++) {
      for (let kx = 0; kx < kernelWidth; kx++) {
        columnOffsets.push(c * xPlane + (ky * wideWidth + kx) * VALUE_BYTES);
      }
    }
  }
  const forwardPositions: number[] = [];
  for (let oy = 0; oy < outHeight; oy++) {
    for (let ox = 0; ox < outWidth; ox++) {
      const x = (oy * strideY * wideWidth + ox * strideX) * VALUE_BYTES;
      forwardPositions.push((oy * outWidth + ox) * VALUE_BYTES, x, 0, columns);
    }
  }
  const runs: number[] = [];
  const runLength = strideX === 1 ? outWidth : 1;
  for (let p = 0; p < outHeight * outWidth; p += runLength) {
    runs.push(forwardPositions[4 * p], forwardPositions[4 * p + 1], runLength, 0);
  }

  const backwardPositions: number[] = [];
  const backwardTaps: number[] = [];
  if (inputGradient && isDense) {
    for (let row = 0; row < rows; row++) backwardTaps.push(row * columns * 4, row * VALUE_BYTES);
    for (let row = 0; row < rows; row += DENSE_GRADIENT_CHUNK) {
      backwardPositions.push(0, 0, row, Math.min(DENSE_GRADIENT_CHUNK, rows - row));
    }
  } else if (inputGradient) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const firstTap = backwardTaps.length / 2;
        for (let ky = 0; ky < kernelHeight; ky++) {
          for (let kx = 0; kx < kernelWidth; kx++) {
            const oy = (y + padY - ky) / strideY;
            const ox = (x + padX - kx) / strideX;
            if (!Number.isInteger(oy) || !Number.isInteger(ox)) continue;
            if (oy < 0 || ox < 0 || oy >= outHeight || ox >= outWidth) continue;
            backwardTaps.push((ky * kernelWidth + kx) * 4, (oy * outWidth + ox) * VALUE_BYTES);
          }
        }
        const taps = backwardTaps.length / 2 - firstTap;
        if (taps > 0) backwardPositions.push((y * width + x) * VALUE_BYTES, 0, firstTap, taps);
      }
    }
  }

  const planBorder = (): PlannedBorder => {
    const bytes = blocks * channels * xPlane;
    const wide = { wideHeight, wideWidth, top: padY, left: padX };
    const descriptor = writeDescriptor(heap, "Border", { height, width, ...wide });
    return { descriptor, activation: arena.take(bytes), gradient: arena.take(bytes) };
  };
  return {
    isDense,
    groups,
    groupRows,
    groupInputs,
    columns,
    positions: outHeight * outWidth,
    border: padY + padX === 0 ? null : planBorder(),
    xPlane,
    xBlock: channels * xPlane,
    outRow,
    outBlock: rows * outRow,
    forwardPositions: writeTable(heap, forwardPositions, 4),
    forwardTaps: writeTable(
      heap,
      columnOffsets.flatMap((offset, column) => [column * 4, offset]),
      2,
    ).at,
    columnOffsets: writeTable(heap, columnOffsets, 1).at,
    inputGradient,
    backwardPositions: writeTable(heap, backwardPositions, 4),
    backwardTaps: writeTable(heap, backwardTaps, 2).at,
    runs: writeTable(heap, runs, 4),
  };
}
