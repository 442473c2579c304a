/** A fast module seen from outside: its stream, its tensors, its memory. Needs no WebAssembly tools. */
import * as layout from "../../assembly/fast/layout.js";
import * as abi from "../../assembly/abi.js";
import * as format from "../../assembly/format.js";
import { METADATA_SECTION, STREAM_SECTION } from "../../assembly/module.js";
import type { Shape } from "../model/model.js";
import { readMetadataSection } from "../container/metadata.js";
import {
  expectExports,
  foreignModule,
  initialWord,
  outlineModule,
  type ModuleOutline,
} from "../module/module-outline.js";
import { isSealed } from "../module/seal.js";
import { valuesOf } from "../model/geometry.js";

/** A tensor of the table. Addresses and steps in bytes. */
export interface FastTensor {
  readonly shape: Shape;
  /** Of the first element inside the border. */
  readonly ptr: number;
  readonly pitch: number;
  readonly plane: number;
  readonly border: number;
  readonly zeroPoint: number;
}

/** An entry of the layer table that is a layer: not a border's. */
export interface FastLayer {
  /** KIND_… */
  readonly kind: number;
  /** Index of the tensor that it writes. */
  readonly output: number;
}

export interface FastParts {
  /** Contents of the section with the weights, a view of the module's bytes. */
  readonly stream: Uint8Array;
  /** Bytes of the module without the stream. */
  readonly codeBytes: number;
  /** Of these, what linear memory holds to begin with: control block and tables. */
  readonly dataBytes: number;
  readonly tensors: readonly FastTensor[];
  readonly layers: readonly FastLayer[];
  /** Index of the model's output; the input is tensor 0. */
  readonly outputTensor: number;
  /** What stands in memory for an int8 element q is the byte q + elementBias. */
  readonly elementBias: number;
  /** Units of a run. */
  readonly work: number;
  readonly inputScale: number;
  readonly outputScale: number;
  /** As it stands behind a container's last layer; perhaps empty. */
  readonly metadata: Uint8Array;
  /** A name for each output. */
  readonly labels?: readonly string[];
  readonly layersPtr: number;
  readonly windowPtr: number;
  readonly windowBytes: number;
  /** Linear memory in all; the arena is what follows the window. */
  readonly memoryBytes: number;
}

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
  expectExports(outline);
  if (outline.imports.join() !== "mote.read") {
    throw foreignModule(`it imports ${outline.imports.join(", ") || "nothing"}, expected mote.read`);
  }
  if (!isSealed(wasm)) throw foreignModule("its checksum is missing or wrong");
  const word = (address: number): number => initialWord(outline.segments, address);
  const within = (what: string, value: number, least: number, most: number): number => {
    if (value < least || value > most) throw foreignModule(`${what} is ${value}, expected ${least} … ${most}`);
    return value;
  };
  const memoryBytes = within("its memory", word(abi.CONTROL_MEMORY_BYTES), abi.PLAN_BASE, format.MAX_BYTES);
  within("its stream's length", word(abi.CONTROL_MODEL_BYTES), stream.length, stream.length);
  const tensors = readTensors(outline, memoryBytes, within);
  const layersPtr = within("the address of its layers", word(layout.CONTROL_LAYERS_PTR), abi.PLAN_BASE, memoryBytes);
  const windowPtr = within("the address of its window", word(layout.CONTROL_WINDOW_PTR), abi.PLAN_BASE, memoryBytes);
  const windowBytes = within("its window", word(layout.CONTROL_WINDOW_BYTES), 1, memoryBytes - windowPtr);
  const metadata = outline.custom.get(METADATA_SECTION) ?? new Uint8Array(0);
  const outputTensor = within("its output", word(abi.CONTROL_OUTPUT_TENSOR), 0, tensors.length - 1);
  return {
    stream,
    codeBytes: wasm.length - stream.length,
    dataBytes: outline.segments.reduce((sum, { bytes }) => sum + bytes.length, 0),
    tensors,
    layers: readLayers(outline, layersPtr, tensors),
    outputTensor,
    elementBias: within("what it adds to elements", word(abi.CONTROL_ELEMENT_BIAS), 128, 128),
    work: word(abi.CONTROL_WORK),
    inputScale: float(word(abi.CONTROL_INPUT_SCALE)),
    outputScale: float(word(abi.CONTROL_OUTPUT_SCALE)),
    metadata,
    ...readMetadataSection(metadata, valuesOf(tensors[outputTensor].shape)),
    layersPtr,
    windowPtr,
    windowBytes,
    memoryBytes,
  };
}

type Within = (what: string, value: number, least: number, most: number) => number;

function readTensors({ segments }: ModuleOutline, memoryBytes: number, within: Within): FastTensor[] {
  const table = initialWord(segments, abi.CONTROL_TENSORS_PTR);
  const count = within("its number of tensors", initialWord(segments, abi.CONTROL_TENSOR_COUNT), 2, format.MAX_TENSORS);
  return Array.from({ length: count }, (_, index) => {
    const word = (offset: number): number => initialWord(segments, table + index * abi.TENSOR_ENTRY_BYTES + offset);
    const extent = (what: string, offset: number): number =>
      within(`the ${what} of tensor ${index}`, word(offset), 1, format.MAX_DIMENSION);
    const shape: Shape = [
      extent("number of channels", abi.TENSOR_CHANNELS),
      extent("height", abi.TENSOR_HEIGHT),
      extent("width", abi.TENSOR_WIDTH),
    ];
    const ptr = within(`the address of tensor ${index}`, word(abi.TENSOR_PTR), abi.PLAN_BASE, memoryBytes);
    const pitch = within(`the pitch of tensor ${index}`, word(abi.TENSOR_PITCH), shape[2], memoryBytes);
    const plane = within(`the plane of tensor ${index}`, word(abi.TENSOR_PLANE), shape[1] * pitch, memoryBytes);
    const end = ptr + (shape[0] - 1) * plane + (shape[1] - 1) * pitch + shape[2];
    within(`the end of tensor ${index}`, end, ptr, memoryBytes);
    const zeroPoint = within(`the zero point of tensor ${index}`, word(abi.TENSOR_ZERO_POINT) | 0, -128, 127);
    return { shape, ptr, pitch, plane, border: word(abi.TENSOR_STATE) & 0xff, zeroPoint };
  });
}

/** A layer names its output by address; tensors at the same address have different shapes, or are alike. */
function readLayers({ segments }: ModuleOutline, layersPtr: number, tensors: readonly FastTensor[]): FastLayer[] {
  const count = initialWord(segments, abi.CONTROL_LAYER_COUNT);
  const layers: FastLayer[] = [];
  for (let entry = layersPtr; layers.length < count; entry += layout.LAYER_ENTRY_BYTES) {
    const word = (offset: number): number => initialWord(segments, entry + offset);
    const kind = word(layout.LAYER_KIND);
    if (kind === layout.KIND_BORDER) continue;
    const wanted = [
      word(layout.LAYER_OUTPUT),
      word(layout.LAYER_ROWS),
      word(layout.LAYER_OUTPUT_HEIGHT),
      word(layout.LAYER_OUTPUT_WIDTH),
      word(layout.LAYER_OUTPUT_PITCH),
      word(layout.LAYER_OUTPUT_PLANE),
    ].join();
    const output = tensors.findIndex(({ ptr, shape, pitch, plane }) => [ptr, ...shape, pitch, plane].join() === wanted);
    if (kind >= layout.KIND_BORDER || output < 0)
      throw foreignModule(`layer ${layers.length} is not one that it can have`);
    layers.push({ kind, output });
  }
  return layers;
}

function float(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits);
  return view.getFloat32(0);
}
