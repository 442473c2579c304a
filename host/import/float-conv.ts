/**
 * Convolutions of real numbers by the kernel that trains them (assembly/train/gather.ts), ten times as fast as plain loops. The kernel's
 * lanes, there eight samples, are here eight places of one image next to each other.
 */
import type { Axes, Shape } from "../model/model.js";
import { writeDescriptor } from "../train/descriptors.js";
import { instantiateKernels, SharedHeap } from "../train/heap.js";
import type { Convolve } from "./float-run.js";
import type { NetConv } from "./net.js";
import { realRows, rowsAtOnce } from "./rows.js";

const LANES = 8;
/** Sums of as many rows as are worked out at once. */
const BLOCK_SUMS = 1 << 20;
/** A position of the kernel: {offset in the sums, offset in the image, first tap, taps}. A tap: {offset in the weights, in the image}. */
const POSITION_WORDS = 4;
const TAP_WORDS = 2;

/**
 * Sums are rounded to float32 after each product and each addition, on every machine alike, and so differ in their last bits from the plain
 * loops'.
 * @param module train.wasm
 */
export function kernelConvolve(module: WebAssembly.Module): Convolve {
  const heap = new SharedHeap();
  const kernels = instantiateKernels(module, heap.memory);
  return (layer, input, from, places, take) => {
    const { groups, weights } = layer;
    const { rows, columns } = weights;
    const geometry = geometryOf(layer, places);
    const { pitch, channelFloats } = geometry;
    // Lines follow one another with what lies between them, so that the last places of one and the first of the next share eight lanes.
    const blocks = Math.ceil(((places[0] - 1) * pitch + places[1]) / LANES);
    const rowsOfGroup = rows / groups;
    const most = Math.min(rowsOfGroup, rowsAtOnce(weights), Math.max(1, Math.floor(BLOCK_SUMS / (blocks * LANES))));

    heap.reset();
    // The last lanes look beyond the last place, and a channel's taps then beyond the image.
    const image = heap.allocate(4 * (from[0] * channelFloats + LANES));
    const [weightsAt, biasAt, sumsAt] = [most * columns, most, most * blocks * LANES].map((n) => heap.allocate(4 * n));
    fillImage(heap.f32(image, from[0] * channelFloats), layer, input, from, geometry);
    const descriptor = writeDescriptor(heap, "Gather", {
      groups: 1,
      rows: most,
      outRow: 4 * blocks * LANES,
      outBlock: 0,
      wRow: 4 * columns,
      wGroup: 0,
      wOuter: 4 * layer.kernel[0] * layer.kernel[1],
      xGroup: 0,
      xOuter: 4 * channelFloats,
      xBlock: 0,
      outer: from[0] / groups,
      ...writeTables(heap, layer, blocks, geometry),
    });
    const rowsField = heap.u32(descriptor, 2);
    const [weightsView, bias] = [heap.f32(weightsAt, most * columns), heap.f32(biasAt, most)];
    for (let first = 0, count: number; first < rows; first += count) {
      const group = Math.floor(first / rowsOfGroup);
      count = Math.min(most, (group + 1) * rowsOfGroup - first);
      weightsView.set(realRows(weights, first, count));
      bias.set(weights.bias.subarray(first, first + count));
      rowsField[1] = count;
      const groupImage = image + 4 * group * (from[0] / groups) * channelFloats;
      kernels.gather(descriptor, sumsAt, weightsAt, groupImage, biasAt, 1);
      for (let row = 0; row < count; row++) {
        take(first + row, heap.f32(sumsAt + 4 * row * blocks * LANES, blocks * LANES), pitch);
      }
    }
  };
}

/** An image for a kernel that moves by more than one place is taken apart into phases, in which it moves by one. */
interface Geometry {
  readonly phases: Axes;
  readonly lines: number;
  /** Of a phase, from a line to the next: what all places look at. */
  readonly pitch: number;
  readonly channelFloats: number;
}

function geometryOf({ kernel, stride }: NetConv, places: Axes): Geometry {
  const phases: Axes = [Math.min(kernel[0], stride[0]), Math.min(kernel[1], stride[1])];
  const lines = places[0] + Math.floor((kernel[0] - 1) / stride[0]);
  const pitch = places[1] + Math.floor((kernel[1] - 1) / stride[1]);
  return { phases, lines, pitch, channelFloats: phases[0] * phases[1] * lines * pitch };
}

/** With its padding, phase after phase of each channel. @param image all zeros */
function fillImage(
  image: Float32Array,
  { stride, pads }: NetConv,
  input: Float32Array | Float64Array,
  [channels, height, width]: Shape,
  { phases, lines, pitch }: Geometry,
): void {
  let at = 0;
  for (let channel = 0; channel < channels; channel++) {
    for (let phaseY = 0; phaseY < phases[0]; phaseY++) {
      for (let phaseX = 0; phaseX < phases[1]; phaseX++) {
        for (let line = 0; line < lines; line++, at += pitch) {
          const y = line * stride[0] + phaseY - pads[0];
          if (y < 0 || y >= height) continue;
          const from = (channel * height + y) * width;
          for (let place = 0, x = phaseX - pads[1]; place < pitch; place++, x += stride[1]) {
            if (x >= 0 && x < width) image[at + place] = input[from + x];
          }
        }
      }
    }
  }
}

/** Where eight places begin, and where a kernel's weights find what they multiply. */
function writeTables(
  heap: SharedHeap,
  { kernel, stride }: NetConv,
  blocks: number,
  { phases, lines, pitch }: Geometry,
): { readonly positions: number; readonly positionCount: number; readonly taps: number } {
  const tapCount = kernel[0] * kernel[1];
  const positions = heap.allocate(4 * POSITION_WORDS * blocks);
  const taps = heap.allocate(4 * TAP_WORDS * tapCount);
  const positionWords = heap.u32(positions, POSITION_WORDS * blocks);
  for (let block = 0; block < blocks; block++) {
    positionWords.set([4 * LANES * block, 4 * LANES * block, 0, tapCount], POSITION_WORDS * block);
  }
  const tapWords = heap.u32(taps, TAP_WORDS * tapCount);
  for (let tap = 0; tap < tapCount; tap++) {
    const [y, x] = [Math.floor(tap / kernel[1]), tap % kernel[1]];
    const phase = (y % stride[0]) * phases[1] + (x % stride[1]);
    const place = (phase * lines + Math.floor(y / stride[0])) * pitch + Math.floor(x / stride[1]);
    tapWords.set([4 * tap, 4 * place], TAP_WORDS * tap);
  }
  return { positions, positionCount: blocks, taps };
}
