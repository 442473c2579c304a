/** A layer with weights as the convolution that its kernels compute: its geometry, and the tables that they walk through. */
import type { Conv2dLayer, Shape, WeightedLayer } from "../model/model.js";
import { valuesOf } from "../model/geometry.js";
import { axesOf, sidesOf, type Sides } from "../ops/attributes.js";
import { VALUE_BYTES, type Arena } from "./arena.js";
import { planBorder, widened, type PlannedBorder } from "./border.js";
import { writeDescriptor, type Descriptor } from "./descriptors.js";
import type { SharedHeap } from "./heap.js";

/** Outputs of a dense layer whose weights one pass of the input gradient reads: their rows must stay in the first-level cache. */
const DENSE_GRADIENT_CHUNK = 64;
/** From this many positions on, a block of samples is a long enough sum for one tile of the weight gradient. */
const MANY_POSITIONS = 16;
/** Words of a gather position or a sparse run, and of a tap. */
const POSITION_WORDS = 4;
const TAP_WORDS = 2;

/** Down and across. */
type Pair = readonly [y: number, x: number];

export interface Convolution extends Pick<Conv2dLayer, "kernel" | "groups"> {
  /** Has one position, at which it reads all of its input. */
  readonly isDense: boolean;
  readonly input: Shape;
  readonly stride: Pair;
  /** Zeros around the input. */
  readonly pad: Sides;
}

const CONVOLUTIONS: {
  readonly [Op in WeightedLayer["op"]]: (layer: Extract<WeightedLayer, { op: Op }>, input: Shape) => Convolution;
} = {
  conv2d: ({ kernel, stride, pad, groups }, input) => ({
    isDense: false,
    input,
    kernel,
    stride: axesOf(stride),
    pad: sidesOf(pad),
    groups,
  }),
  // Over one position in which every feature is a channel.
  dense: (_layer, input) => ({
    isDense: true,
    input: [valuesOf(input), 1, 1],
    kernel: [1, 1],
    stride: [1, 1],
    pad: [0, 0, 0, 0],
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

/** Strides in bytes. */
interface Geometry {
  readonly groups: number;
  /** Output and input channels of one group. */
  readonly groupRows: number;
  readonly groupInputs: number;
  /** Weights of a row: [C_IN / groups, KH, KW]. */
  readonly columns: number;
  readonly positions: number;
  readonly xPlane: number;
  readonly xBlock: number;
  readonly outRow: number;
  readonly outBlock: number;
}

export interface PlannedConvolution extends Geometry {
  readonly isDense: boolean;
  /** Has one row of weights for each channel of the input, or a few: the kernels for survivors are the faster ones for all weights. */
  readonly isDepthwise: boolean;
  readonly border: PlannedBorder | null;
  readonly columnOffsets: number;
  readonly runs: Table;
  readonly forward: Descriptor<"Gather">;
  readonly parameterGradient: Descriptor<"ParameterGradient">;
  /** One after another they add up the input's gradient; none where the layers before want none. */
  readonly inputGradient: readonly Descriptor<"Gather">[];
}

/**
 * @param blocks of a shard
 * @param inputGradient whether the layers before want one
 */
export function planConvolution(
  heap: SharedHeap,
  arena: Arena,
  convolution: Convolution,
  output: Shape,
  blocks: number,
  inputGradient: boolean,
): PlannedConvolution {
  const [channels, wideHeight, wideWidth] = widened(convolution.input, convolution.pad);
  const [kernelHeight, kernelWidth] = convolution.kernel;
  const [strideY, strideX] = convolution.stride;
  const { isDense, groups } = convolution;
  const [rows, outHeight, outWidth] = output;
  const groupInputs = channels / groups;
  const groupRows = rows / groups;
  const columns = groupInputs * kernelHeight * kernelWidth;
  const positions = outHeight * outWidth;
  const xPlane = wideHeight * wideWidth * VALUE_BYTES;
  const xBlock = channels * xPlane;
  const outRow = positions * VALUE_BYTES;
  const outBlock = rows * outRow;
  const geometry = { groups, groupRows, groupInputs, columns, positions, xPlane, xBlock, outRow, outBlock };

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
  const runs = runsOf(forwardPositions);
  const columnTable = writeTable(heap, columnOffsets, 1);
  const positionTable = writeTable(heap, forwardPositions, POSITION_WORDS);
  const xGroup = groupInputs * xPlane;
  const taps = columnOffsets.flatMap((offset, column) => [column * 4, offset]);
  return {
    ...geometry,
    isDense,
    isDepthwise: groups > 1 && groupInputs === 1,
    border: planBorder(heap, arena, convolution.input, convolution.pad, blocks),
    columnOffsets: columnTable.at,
    runs: writeTable(heap, runs, POSITION_WORDS),
    forward: writeDescriptor(heap, "Gather", {
      groups,
      rows: groupRows,
      outRow,
      outBlock,
      wRow: columns * 4,
      wGroup: groupRows * columns * 4,
      wOuter: 0,
      xGroup,
      xOuter: 0,
      xBlock,
      outer: 1,
      positions: positionTable.at,
      positionCount: positionTable.count,
      taps: writeTable(heap, taps, TAP_WORDS).at,
    }),
    parameterGradient: writeDescriptor(heap, "ParameterGradient", {
      groups,
      rows: groupRows,
      columns,
      outRow,
      outBlock,
      xGroup,
      xBlock,
      columnOffsets: columnTable.at,
      positions: positionTable.at,
      positionCount: positionTable.count,
      blocksPerPass: positions >= MANY_POSITIONS ? 1 : blocks,
    }),
    inputGradient: inputGradient ? planInputGradient(heap, convolution, output, geometry) : [],
  };
}

/** Positions that follow one another in both planes, taken together: a row of the output, all of it where a place looks at itself alone. */
function runsOf(positions: readonly number[]): number[] {
  const runs: number[] = [];
  for (let p = 0; p < positions.length; p += POSITION_WORDS) {
    const last = runs.length - POSITION_WORDS;
    const follows = p > 0 && runs[last + 1] + runs[last + 2] * VALUE_BYTES === positions[p + 1];
    if (follows) runs[last + 2]++;
    else runs.push(positions[p], positions[p + 1], 1, 0);
  }
  return runs;
}

/** The gradient of the input without its border, gathered from that of the output. */
function planInputGradient(
  heap: SharedHeap,
  convolution: Convolution,
  [rows, outHeight, outWidth]: Shape,
  { groups, groupRows, groupInputs, columns, outRow, outBlock }: Geometry,
): readonly Descriptor<"Gather">[] {
  const [channels, height, width] = convolution.input;
  const [kernelHeight, kernelWidth] = convolution.kernel;
  const [strideY, strideX] = convolution.stride;
  const [top, left] = convolution.pad;
  const plane = height * width * VALUE_BYTES;
  const strides = {
    groups,
    rows: groupInputs,
    outRow: plane,
    outBlock: channels * plane,
    wRow: kernelHeight * kernelWidth * 4,
    wGroup: groupRows * columns * 4,
    xGroup: groupRows * outRow,
    xBlock: outBlock,
  };
  const positions: number[] = [];
  const taps: number[] = [];
  if (convolution.isDense) {
    for (let row = 0; row < rows; row++) taps.push(row * columns * 4, row * outRow);
    for (let row = 0; row < rows; row += DENSE_GRADIENT_CHUNK) {
      positions.push(0, 0, row, Math.min(DENSE_GRADIENT_CHUNK, rows - row));
    }
    const table = writeTable(heap, positions, POSITION_WORDS);
    const tapsAt = writeTable(heap, taps, TAP_WORDS).at;
    // A chunk of outputs at a time: what it reads of each column stays in the cache for the next columns.
    return Array.from({ length: table.count }, (_, chunk) =>
      writeDescriptor(heap, "Gather", {
        ...strides,
        wOuter: 0,
        xOuter: 0,
        outer: 1,
        positions: table.at + chunk * POSITION_WORDS * 4,
        positionCount: 1,
        taps: tapsAt,
      }),
    );
  }
  // Most positions have the same taps but for where they begin.
  const firstTaps = new Map<string, number>();
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const seen: (readonly [weight: number, place: number])[] = [];
      for (let ky = 0; ky < kernelHeight; ky++) {
        for (let kx = 0; kx < kernelWidth; kx++) {
          const oy = (y + top - ky) / strideY;
          const ox = (x + left - kx) / strideX;
          if (!Number.isInteger(oy) || !Number.isInteger(ox)) continue;
          if (oy < 0 || ox < 0 || oy >= outHeight || ox >= outWidth) continue;
          seen.push([(ky * kernelWidth + kx) * 4, (oy * outWidth + ox) * VALUE_BYTES]);
        }
      }
      if (seen.length === 0) continue;
      const base = Math.min(...seen.map(([, place]) => place));
      const words = seen.flatMap(([weight, place]) => [weight, place - base]);
      const key = words.join();
      if (!firstTaps.has(key)) {
        firstTaps.set(key, taps.length / TAP_WORDS);
        taps.push(...words);
      }
      positions.push((y * width + x) * VALUE_BYTES, base, firstTaps.get(key)!, seen.length);
    }
  }
  const table = writeTable(heap, positions, POSITION_WORDS);
  return [
    writeDescriptor(heap, "Gather", {
      ...strides,
      wOuter: columns * 4,
      xOuter: outRow,
      outer: groupRows,
      positions: table.at,
      positionCount: table.count,
      taps: writeTable(heap, taps, TAP_WORDS).at,
    }),
  ];
}
