/** A fast module seen from outside: its stream, its tensors, its memory. Needs no WebAssembly tools. */
import * as layout from "../../assembly/fast/layout.js";
import * as abi from "../../assembly/abi.js";
import * as format from "../../assembly/format.js";
import {
  BITS_KERNEL,
  BLOCKS_KERNEL,
  DENSE_KERNEL,
  DEPTH_KERNEL,
  GAPS_KERNEL,
  LINES_KERNEL,
  METADATA_SECTION,
  POOL_KERNEL,
  QUADS_KERNEL,
  ROWS_KERNEL,
  STREAM_SECTION,
  SUMS_KERNEL,
  TILES_KERNEL,
  VALUES_KERNEL,
} from "../../assembly/module.js";
import { valuesOf } from "../model/geometry.js";
import type { Shape } from "../model/model.js";
import { readMetadataSection, type Metadata } from "../container/metadata.js";
import {
  expectExports,
  foreignModule,
  initialWord,
  outlineModule,
  type ModuleOutline,
} from "../module/module-outline.js";
import { isSealed } from "../module/seal.js";

/** A tensor of the table. Addresses and steps in bytes. */
export interface FastTensor {
  readonly shape: Shape;
  /** Of the first element inside the border. */
  readonly ptr: number;
  readonly pitch: number;
  readonly plane: number;
  readonly border: number;
  readonly zeroPoint: number;
  /** Of an input or output of the model. */
  readonly scale?: number;
  readonly isState: boolean;
  /** Made some lines at a time, and perhaps never there as a whole. */
  readonly isByLines: boolean;
  /** Of an input that comes by lines: so many at a time, from `ptr` on; else 0. */
  readonly comingLines: number;
}

/** An entry of the layer table that is a layer. */
export interface FastLayer {
  /** KIND_… */
  readonly kind: number;
  /** Index of the tensor that it writes. */
  readonly output: number;
  /** KIND_BITS, KIND_CONV_QUADS and KIND_DENSE_ROWS, whose rows do not say it: weights of a row; of the latter two also with those that fill them up. Else 0. */
  readonly weights: number;
  readonly filledWeights: number;
  /** KIND_DENSE_VALUES: bits of a group's head that are its number of gaps; else 0. */
  readonly groupBits: number;
  /** Addresses in the tensors that it reads; none of a concat's. A crop and an append are copies in front of what does nothing. */
  readonly reads: readonly number[];
}

export interface FastParts extends Metadata {
  /** Contents of the section with the weights, a view of the module's bytes. */
  readonly stream: Uint8Array;
  /** Bytes of the module without the stream. */
  readonly codeBytes: number;
  /** Of these, what linear memory holds to begin with: control block and tables. */
  readonly dataBytes: number;
  /** The inputs, the states, then the outputs of the layers in order. */
  readonly tensors: readonly FastTensor[];
  readonly layers: readonly FastLayer[];
  /** Tensors that are the model's. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Units of a run. */
  readonly work: number;
  /** As it stands behind a container's last layer; perhaps empty. */
  readonly metadata: Uint8Array;
  /** Of the layer table. */
  readonly statesPtr: number;
  readonly windowPtr: number;
  readonly windowBytes: number;
  /** Linear memory in all; behind the window follows the arena, which begins with what kernels lay out. */
  readonly memoryBytes: number;
}

/** Kernels that a host may replace: those of them that a model has layers for. */
export const KERNEL_EXPORTS: readonly string[] = [
  TILES_KERNEL,
  BLOCKS_KERNEL,
  DENSE_KERNEL,
  QUADS_KERNEL,
  GAPS_KERNEL,
  ROWS_KERNEL,
  VALUES_KERNEL,
  BITS_KERNEL,
  DEPTH_KERNEL,
  POOL_KERNEL,
  SUMS_KERNEL,
  LINES_KERNEL,
];

/** Whether bytes are a WebAssembly module with a fast module's stream; the rest of it may still be wrong. */
export function isFastModule(file: Uint8Array): boolean {
  try {
    return outlineModule(file).custom.has(STREAM_SECTION);
  } catch {
    return false;
  }
}

/**
 * Takes apart a module that `fastModule` made.
 * @throws MoteError FORMAT for anything else: not WebAssembly, damaged, or some other module
 */
export function fastParts(wasm: Uint8Array): FastParts {
  const outline = outlineModule(wasm);
  const stream = outline.custom.get(STREAM_SECTION);
  if (stream === undefined) throw foreignModule(`it has no section ${STREAM_SECTION}`);
  expectExports(outline, KERNEL_EXPORTS);
  // Without a stream nothing is read.
  const imports = stream.length > 0 ? "mote.read" : "";
  if (outline.imports.join() !== imports) {
    throw foreignModule(`it imports ${outline.imports.join(", ") || "nothing"}, expected ${imports || "nothing"}`);
  }
  if (!isSealed(wasm)) throw foreignModule("its checksum is missing or wrong");
  const word = (address: number): number => initialWord(outline.segments, address);
  const within = (what: string, value: number, least: number, most: number): number => {
    if (value >= least && value <= most) return value;
    throw foreignModule(`${what} is ${value}, expected ${least === most ? least : `${least} … ${most}`}`);
  };
  const memoryBytes = within("its memory", word(abi.CONTROL_MEMORY_BYTES), abi.PLAN_BASE, format.MAX_BYTES);
  within("what it adds to elements", word(abi.CONTROL_ELEMENT_BIAS), 128, 128);
  within("its stream's length", word(abi.CONTROL_MODEL_BYTES), stream.length, stream.length);
  const tensors = readTensors(outline, memoryBytes, within);
  const layerCount = within("its number of layers", word(abi.CONTROL_LAYER_COUNT), 1, tensors.length - 1);
  const isEnd = (tensor: number): boolean => tensors[tensor].scale !== undefined;
  const indices = [...tensors.keys()];
  const inputs = indices.slice(0, -layerCount).filter(isEnd);
  const outputs = indices.slice(-layerCount).filter(isEnd);
  if (inputs[0] !== 0) throw foreignModule("its tensor 0 is no input");
  if (outputs.length === 0) throw foreignModule("none of its tensors is an output");
  const comesByLines = inputs.some((input) => tensors[input].isByLines);
  if (comesByLines && inputs.length > 1) throw foreignModule("an input of several comes by lines");
  const version = comesByLines ? abi.INTERFACE_VERSION_LINES : abi.INTERFACE_VERSION;
  within("its interface version", word(abi.CONTROL_VERSION), version, version);
  within("its output", word(abi.CONTROL_OUTPUT_TENSOR), outputs[0], outputs[0]);
  const shapesOf = (ends: readonly number[]): Shape[] => ends.map((tensor) => tensors[tensor].shape);
  const layersPtr = within(
    "the address of its layers",
    word(layout.CONTROL_LAYERS_PTR),
    abi.CONTROL_BLOCK_BYTES,
    memoryBytes,
  );
  const windowPtr = within(
    "the address of its window",
    word(layout.CONTROL_WINDOW_PTR),
    abi.CONTROL_BLOCK_BYTES,
    memoryBytes,
  );
  const windowBytes = within("its window", word(layout.CONTROL_WINDOW_BYTES), 1, memoryBytes - windowPtr);
  const metadata = outline.custom.get(METADATA_SECTION) ?? new Uint8Array(0);
  return {
    stream,
    codeBytes: wasm.length - stream.length,
    dataBytes: outline.segments.reduce((sum, { bytes }) => sum + bytes.length, 0),
    tensors,
    layers: readLayers(outline, layersPtr, tensors, layerCount, within),
    inputs,
    outputs,
    work: word(abi.CONTROL_WORK),
    metadata,
    ...readMetadataSection(metadata, { inputs: shapesOf(inputs), outputs: shapesOf(outputs) }),
    statesPtr: word(abi.CONTROL_TENSORS_PTR) + abi.TENSOR_ENTRY_BYTES * tensors.length,
    windowPtr,
    windowBytes,
    memoryBytes,
  };
}

type Within = (what: string, value: number, least: number, most: number) => number;

function readTensors({ segments }: ModuleOutline, memoryBytes: number, within: Within): FastTensor[] {
  const table = initialWord(segments, abi.CONTROL_TENSORS_PTR);
  const count = within("its number of tensors", initialWord(segments, abi.CONTROL_TENSOR_COUNT), 2, format.MAX_TENSORS);
  const given = count - initialWord(segments, abi.CONTROL_LAYER_COUNT);
  const arenaPtr =
    initialWord(segments, layout.CONTROL_WINDOW_PTR) + initialWord(segments, layout.CONTROL_WINDOW_BYTES);
  let scalePtr = initialWord(segments, abi.CONTROL_SCALES);
  return Array.from({ length: count }, (_, index) => {
    const word = (offset: number): number => initialWord(segments, table + index * abi.TENSOR_ENTRY_BYTES + offset);
    const extent = (what: string, offset: number): number =>
      within(`the ${what} of tensor ${index}`, word(offset), 1, format.MAX_DIMENSION);
    const shape: Shape = [
      extent("number of channels", abi.TENSOR_CHANNELS),
      extent("height", abi.TENSOR_HEIGHT),
      extent("width", abi.TENSOR_WIDTH),
    ];
    const state = word(abi.TENSOR_STATE);
    const isByLines = isSet(state, abi.TENSOR_IS_BY_LINES);
    const comingLines = isByLines && index < given ? (state >>> abi.TENSOR_LINES_SHIFT) & 0xff : 0;
    if (isByLines && index < given) {
      within(`lines of tensor ${index}`, comingLines, 1, 0xff);
      within(`the number of elements of tensor ${index}`, valuesOf(shape), 1, format.MAX_TENSOR_BYTES);
    }
    const leastPtr = comingLines > 0 ? arenaPtr : abi.CONTROL_BLOCK_BYTES;
    const ptr = within(`the address of tensor ${index}`, word(abi.TENSOR_PTR), leastPtr, memoryBytes);
    const pitch = within(`the pitch of tensor ${index}`, word(abi.TENSOR_PITCH), shape[2], memoryBytes);
    const lines = comingLines > 0 ? comingLines : isByLines && !isSet(state, abi.TENSOR_IS_END) ? 1 : shape[1];
    const plane = within(`the plane of tensor ${index}`, word(abi.TENSOR_PLANE), lines * pitch, memoryBytes);
    const end = ptr + (shape[0] - 1) * plane + (lines - 1) * pitch + shape[2];
    within(`the end of tensor ${index}`, end, ptr, memoryBytes);
    const zeroPoint = within(`the zero point of tensor ${index}`, word(abi.TENSOR_ZERO_POINT) | 0, -128, 127);
    const tensor = {
      shape,
      ptr,
      pitch,
      plane,
      border: state & abi.TENSOR_BORDER_MASK,
      zeroPoint,
      isState: isSet(state, abi.TENSOR_IS_STATE),
      isByLines,
      comingLines,
    };
    if (!isSet(state, abi.TENSOR_IS_END)) return tensor;
    const scale = float(initialWord(segments, scalePtr));
    scalePtr += 4;
    if (!(scale > 0 && scale < Infinity)) throw foreignModule(`the scale of tensor ${index} is ${scale}`);
    return { ...tensor, scale };
  });
}

const isSet = (word: number, bit: number): boolean => (word & bit) !== 0;

/** Words that lead to tensors, and of which kinds. */
const READS: readonly (readonly [offset: number, has: (kind: number) => boolean])[] = [
  [layout.LAYER_INPUT, (kind) => kind !== layout.KIND_CONCAT],
  [layout.LAYER_OTHER, (kind) => kind === layout.KIND_ADD || kind === layout.KIND_MUL],
];

const BETWEEN_LAYERS: readonly number[] = [
  layout.KIND_BORDER,
  layout.KIND_COPY,
  layout.KIND_LINES,
  layout.KIND_TURN,
  layout.KIND_INPUT,
];

/** The last tensors are the outputs of the layers. */
function readLayers(
  { segments }: ModuleOutline,
  layersPtr: number,
  tensors: readonly FastTensor[],
  count: number,
  within: Within,
): FastLayer[] {
  const layers: FastLayer[] = [];
  /** What is copied in front of the next layer. */
  let copied: number[] = [];
  for (let entry = layersPtr; layers.length < count; entry += layout.LAYER_ENTRY_BYTES) {
    const word = (offset: number): number => initialWord(segments, entry + offset);
    const kind = word(layout.LAYER_KIND);
    if (kind === layout.KIND_COPY) copied.push(word(layout.LAYER_INPUT));
    if (BETWEEN_LAYERS.includes(kind)) continue;
    const output = tensors.length - count + layers.length;
    const stated = [
      word(layout.LAYER_OUTPUT),
      word(layout.LAYER_ROWS),
      word(layout.LAYER_OUTPUT_HEIGHT),
      word(layout.LAYER_OUTPUT_WIDTH),
      word(layout.LAYER_OUTPUT_PITCH),
      word(layout.LAYER_OUTPUT_PLANE),
    ].join();
    const { ptr, shape, pitch, plane } = tensors[output];
    const rows = kind === layout.KIND_CONCAT ? 0 : shape[0];
    if (kind >= layout.KIND_BORDER || stated !== [ptr, rows, shape[1], shape[2], pitch, plane].join()) {
      throw foreignModule(`layer ${layers.length} is not one that it can have`);
    }
    const reads = [...copied, ...READS.flatMap(([offset, has]) => (has(kind) ? word(offset) : []))];
    copied = [];
    const groupBits =
      kind === layout.KIND_DENSE_VALUES ? within("the bits of its groups", word(layout.LAYER_GROUP_BITS), 1, 16) : 0;
    layers.push({ kind, output, reads, groupBits, ...weightsOf(kind, word) });
  }
  return layers;
}

function weightsOf(kind: number, word: (offset: number) => number): Pick<FastLayer, "weights" | "filledWeights"> {
  const filled = (weights: number, turn: number): ReturnType<typeof weightsOf> => ({
    weights,
    filledWeights: Math.ceil(weights / turn) * turn,
  });
  if (kind === layout.KIND_DENSE_ROWS) return filled(word(layout.LAYER_DENSE_INPUTS), layout.DENSE_TURN);
  if (kind === layout.KIND_BITS) {
    const [lines, channels] = [word(layout.LAYER_BITS_WIDTH), word(layout.LAYER_BITS_CHANNELS) % 2 ** 16];
    return { weights: (lines % 2 ** 16) * Math.floor(lines / 2 ** 16) * channels, filledWeights: 0 };
  }
  if (kind !== layout.KIND_CONV_QUADS) return { weights: 0, filledWeights: 0 };
  const counts = word(layout.LAYER_QUAD_COUNT_0);
  const inputs = (counts % 2 ** 16) * Math.floor(counts / 2 ** 16) * (word(layout.LAYER_QUAD_COUNT_2) % 2 ** 16);
  return filled(inputs, layout.QUAD_TURN);
}

function float(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits);
  return view.getFloat32(0);
}
