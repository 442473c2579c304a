/** Linear memory of a fast module: where everything stands, and what is there from the beginning (SPEC.md, "The fast module"). */
import * as abi from "../../assembly/abi.js";
import * as format from "../../assembly/format.js";
import * as layout from "../../assembly/fast/layout.js";
import { concatBytes } from "../bytes.js";
import { MoteError } from "../errors.js";
import type { QLayer, QModel } from "../model/model.js";
import { ELEMENT_BIAS, layerKind, layerStream, layerWindow } from "./stream.js";
import { fastWork } from "./work.js";
import type { Container } from "../container/read.js";
import { borderBytes, pitchAndPlane } from "../model/geometry.js";
import { inputOf, outputOf } from "../model/edges.js";

/** Addresses and sizes in bytes. */
export interface FastMemory {
  readonly layersPtr: number;
  readonly windowPtr: number;
  readonly windowBytes: number;
  readonly arenaPtr: number;
  /** In all. */
  readonly bytes: number;
}

/** A model as a fast module has it, without the code. */
export interface FastProgram {
  readonly memory: FastMemory;
  /** From address 0: the control block's words. Behind them stands what static data the kernels have. */
  readonly control: Uint8Array;
  /** From PLAN_BASE: the tensor table, then the layer table. */
  readonly tables: Uint8Array;
  readonly stream: Uint8Array;
  /** The layer table, without its end: for choosing code. */
  readonly entries: readonly Entry[];
}

/** Words of an entry in the layer table, by their offset. */
export type Entry = ReadonlyMap<number, number>;

/**
 * Lays out a model. The arena is the container's own, and its window the least that the module's has.
 * @throws MoteError UNSUPPORTED as `layerStream` does, MEMORY for a plan or stream of 2^28 bytes or more
 */
export function fastProgram({ model, plan }: Container): FastProgram {
  const streams = model.layers.map((layer, index) => layerStream(model, layer, index));
  const stream = concatBytes(streams.map(({ bytes }) => bytes));
  const borders = [0, ...model.layers.map(({ output }) => output)].filter((tensor) => model.tensors[tensor].border > 0);
  const entryCount = borders.length + model.layers.length + 1;
  const windowBytes = roundUp(Math.max(plan.window, ...streams.map((one) => one.windowBytes)));
  const memory = placeRegions(model.tensors.length, entryCount, windowBytes, plan.arena);
  for (const [what, bytes] of [
    ["memory plan", memory.bytes],
    ["stream", stream.length],
  ] as const) {
    if (bytes >= format.MAX_BYTES) {
      throw new MoteError(
        "MEMORY",
        `fast module: a ${what} of ${bytes} bytes, expected fewer than ${format.MAX_BYTES}`,
      );
    }
  }
  const firstElement = model.tensors.map(({ border }, index) => {
    return memory.arenaPtr + plan.offsets[index] + borderBytes(pitchAndPlane(model.tensors[index]), border);
  });
  const entries: Entry[] = [];
  const addBorder = (tensor: number): void => {
    if (model.tensors[tensor].border > 0) entries.push(borderEntry(model, tensor, firstElement));
  };
  addBorder(0);
  model.layers.forEach((layer, index) => {
    addBorder(layer.output);
    entries.push(layerEntry(model, layer, firstElement, streams[index].isWide));
  });
  return {
    memory,
    control: controlWords(model, memory, stream.length, fastWork(entries, stream)),
    tables: concatBytes([tensorTable(model, firstElement), layerTable([...entries, END])]),
    stream,
    entries,
  };
}

const END: Entry = new Map([[layout.LAYER_KIND, layout.KIND_END]]);

function placeRegions(tensorCount: number, entryCount: number, windowBytes: number, arenaBytes: number): FastMemory {
  const layersPtr = abi.PLAN_BASE + abi.TENSOR_ENTRY_BYTES * tensorCount;
  const windowPtr = roundUp(layersPtr + layout.LAYER_ENTRY_BYTES * entryCount);
  const arenaPtr = windowPtr + windowBytes;
  return { layersPtr, windowPtr, windowBytes, arenaPtr, bytes: arenaPtr + arenaBytes + layout.ARENA_SLACK_BYTES };
}

function controlWords(model: QModel, memory: FastMemory, streamBytes: number, work: number): Uint8Array {
  const output = outputOf(model);
  const words = new DataView(new ArrayBuffer(CONTROL_BYTES));
  words.setUint32(abi.CONTROL_MODEL_BYTES, streamBytes, true);
  words.setUint32(abi.CONTROL_TENSORS_PTR, abi.PLAN_BASE, true);
  words.setUint32(abi.CONTROL_TENSOR_COUNT, model.tensors.length, true);
  words.setUint32(abi.CONTROL_LAYER_COUNT, model.layers.length, true);
  words.setUint32(abi.CONTROL_OUTPUT_TENSOR, output, true);
  words.setUint32(abi.CONTROL_MEMORY_BYTES, memory.bytes, true);
  words.setUint32(abi.CONTROL_ELEMENT_BIAS, ELEMENT_BIAS, true);
  words.setFloat32(abi.CONTROL_INPUT_SCALE, model.tensors[0].scale, true);
  words.setUint32(layout.CONTROL_LAYERS_PTR, memory.layersPtr, true);
  words.setUint32(layout.CONTROL_WINDOW_PTR, memory.windowPtr, true);
  words.setUint32(layout.CONTROL_WINDOW_BYTES, memory.windowBytes, true);
  words.setFloat32(abi.CONTROL_OUTPUT_SCALE, model.tensors[output].scale, true);
  words.setUint32(abi.CONTROL_WORK, work, true);
  return new Uint8Array(words.buffer);
}

const CONTROL_BYTES = abi.CONTROL_WORK + 4;

function tensorTable(model: QModel, firstElement: readonly number[]): Uint8Array {
  const table = new DataView(new ArrayBuffer(abi.TENSOR_ENTRY_BYTES * model.tensors.length));
  model.tensors.forEach((tensor, index) => {
    const at = abi.TENSOR_ENTRY_BYTES * index;
    const [channels, height, width] = tensor.shape;
    const { pitch, plane } = pitchAndPlane(tensor);
    table.setUint32(at + abi.TENSOR_PTR, firstElement[index], true);
    table.setUint32(at + abi.TENSOR_CHANNELS, channels, true);
    table.setUint32(at + abi.TENSOR_HEIGHT, height, true);
    table.setUint32(at + abi.TENSOR_WIDTH, width, true);
    table.setUint32(at + abi.TENSOR_PITCH, pitch, true);
    table.setUint32(at + abi.TENSOR_PLANE, plane, true);
    table.setInt32(at + abi.TENSOR_ZERO_POINT, tensor.zeroPoint, true);
    table.setUint32(at + abi.TENSOR_STATE, tensor.border, true);
  });
  return new Uint8Array(table.buffer);
}

function layerTable(entries: readonly Entry[]): Uint8Array {
  const table = new DataView(new ArrayBuffer(layout.LAYER_ENTRY_BYTES * entries.length));
  entries.forEach((entry, index) => {
    for (const [offset, word] of entry) table.setUint32(layout.LAYER_ENTRY_BYTES * index + offset, word, true);
  });
  return new Uint8Array(table.buffer);
}

function outputWords(model: QModel, tensor: number, firstElement: readonly number[]): [number, number][] {
  const [channels, height, width] = model.tensors[tensor].shape;
  const { pitch, plane } = pitchAndPlane(model.tensors[tensor]);
  return [
    [layout.LAYER_OUTPUT, firstElement[tensor]],
    [layout.LAYER_OUTPUT_PITCH, pitch],
    [layout.LAYER_OUTPUT_PLANE, plane],
    [layout.LAYER_OUTPUT_HEIGHT, height],
    [layout.LAYER_OUTPUT_WIDTH, width],
    [layout.LAYER_ROWS, channels],
  ];
}

function borderEntry(model: QModel, tensor: number, firstElement: readonly number[]): Entry {
  const { border, zeroPoint } = model.tensors[tensor];
  return new Map([
    ...outputWords(model, tensor, firstElement),
    [layout.LAYER_KIND, layout.KIND_BORDER],
    [layout.LAYER_CLAMP_MIN, zeroPoint + ELEMENT_BIAS],
    [layout.LAYER_CLAMP_MAX, zeroPoint + ELEMENT_BIAS],
    [layout.LAYER_BORDER, border],
  ]);
}

function layerEntry(model: QModel, layer: QLayer, firstElement: readonly number[], isWide: boolean): Entry {
  const input = pitchAndPlane(model.tensors[inputOf(layer)]);
  const { pad, stride, pool } = layerWindow(layer);
  return new Map([
    ...outputWords(model, layer.output, firstElement),
    [layout.LAYER_KIND, layerKind(model, layer)],
    [layout.LAYER_INPUT, firstElement[inputOf(layer)] - borderBytes(input, pad)],
    [layout.LAYER_INPUT_PITCH, input.pitch],
    [layout.LAYER_INPUT_PLANE, input.plane],
    [layout.LAYER_STRIDE, stride],
    [layout.LAYER_POOL, pool.size],
    [layout.LAYER_POOL_STRIDE, pool.stride],
    [layout.LAYER_CLAMP_MIN, layer.clamp[0] + ELEMENT_BIAS],
    [layout.LAYER_CLAMP_MAX, layer.clamp[1] + ELEMENT_BIAS],
    [layout.LAYER_IS_WIDE, isWide ? 1 : 0],
  ]);
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / format.PLAN_UNIT) * format.PLAN_UNIT;
}
