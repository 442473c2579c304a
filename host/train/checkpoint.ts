/**
 * Trained nets as a file: a safetensors file that PyTorch opens as it is, with the graph, the compression, the progress of the
 * run and its data as JSON strings in its metadata. See the section "Format" of the safetensors README.
 *
 *   u64 header length | JSON header, padded with spaces | tensors, one after another
 *
 * Tensors of the net are named as in Net, `conv1.weight`; those of the optimizer `optimizer.conv1.weight.m`. Floats are F32; weights on
 * their integers are I8, in units of the layer's weight scale, behind all floats, which stay aligned.
 */
import { LENGTH_BYTES, readSafetensors } from "../data/safetensors.js";
import { MoteError } from "../errors.js";
import { firstNotFinite } from "../finite.js";
import { memorySource, type ElementType } from "../import/graph.js";
import { isRecord, parseJson } from "../json.js";
import type { Compression, FloatTensor, Graph, Net } from "../model/model.js";
import { own } from "../own.js";
import { parseCompression, parseGraph } from "./metadata.js";
import { parameterShapes } from "../model/shapes.js";
import { parseTrainedOn, type TrainedOn } from "./trained-on.js";
import type { OptimizerState } from "./trainer.js";

/** What a run notes about itself, such as the step it has reached. */
export type TrainProgress = Readonly<Record<string, string | number | boolean>>;

export interface Checkpoint {
  readonly net: Net;
  readonly optimizer?: OptimizerState;
  readonly progress?: TrainProgress;
  /** What it has been trained on, one run after the other. */
  readonly data?: readonly TrainedOn[];
}

const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT;
const SPACE = 0x20;
const OPTIMIZER_PREFIX = "optimizer.";

/** The bytes of the file. @param path for messages @throws MoteError DIVERGED for a number that is not finite, which no file may hold */
export function encodeCheckpoint(path: string, checkpoint: Checkpoint): Uint8Array {
  const { net, optimizer, progress, data } = checkpoint;
  const metadata: Record<string, string> = { "mote.graph": JSON.stringify(net.graph) };
  if (net.compression !== undefined) {
    metadata["mote.compression"] = JSON.stringify(net.compression);
    parseCompression(metadata["mote.compression"], path);
  }
  if (optimizer !== undefined) metadata["mote.optimizer"] = JSON.stringify({ updates: optimizer.updates });
  if (progress !== undefined) metadata["mote.progress"] = JSON.stringify(progress);
  if (data !== undefined && data.length > 0) metadata["mote.data"] = JSON.stringify(data);
  const tensors: [string, FloatTensor][] = [];
  for (const [name, { shape, data, integers }] of net.tensors) {
    const hasScale = integers !== undefined && scaleOf(name, net.compression) !== undefined;
    tensors.push([name, { shape, data, ...(hasScale && { integers }) }]);
  }
  for (const [name, tensor] of optimizer?.tensors ?? []) tensors.push([OPTIMIZER_PREFIX + name, tensor]);

  const isFloat = ([, { integers }]: [string, FloatTensor]): boolean => integers === undefined;
  const ordered = [...tensors.filter(isFloat), ...tensors.filter((tensor) => !isFloat(tensor))];
  const header: Record<string, unknown> = { __metadata__: metadata };
  let dataBytes = 0;
  for (const [name, { shape, data, integers }] of ordered) {
    const wrong = firstNotFinite(data);
    if (wrong >= 0)
      throw new MoteError("DIVERGED", `${path}: not written: ${name}[${wrong}] is ${data[wrong]}, no finite number`);
    const end = dataBytes + (integers?.byteLength ?? data.length * FLOAT_BYTES);
    header[name] = { dtype: integers === undefined ? "F32" : "I8", shape, data_offsets: [dataBytes, end] };
    dataBytes = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(LENGTH_BYTES + headerBytes + dataBytes);
  const view = new DataView(file.buffer);
  view.setBigUint64(0, BigInt(headerBytes), true);
  file.fill(SPACE, LENGTH_BYTES, LENGTH_BYTES + headerBytes);
  file.set(json, LENGTH_BYTES);
  let at = LENGTH_BYTES + headerBytes;
  for (const [, { data, integers }] of ordered) {
    if (integers !== undefined) {
      file.set(new Uint8Array(integers.buffer, integers.byteOffset, integers.length), at);
      at += integers.length;
      continue;
    }
    for (let i = 0; i < data.length; i++, at += FLOAT_BYTES) view.setFloat32(at, data[i], true);
  }
  return file;
}

/**
 * @param file the bytes of a checkpoint
 * @param path for messages
 * @throws MoteError FORMAT (with the offset) when it is not such a file, MISMATCH when its tensors are not those of its graph
 */
export function decodeCheckpoint(file: Uint8Array, path: string): Checkpoint {
  const { metadata, tensors } = parseSafetensors(file, path);
  const text = metadata["mote.graph"];
  if (text === undefined) {
    throw new MoteError(
      "FORMAT",
      `${path}: offset ${LENGTH_BYTES}: the metadata has no mote.graph; mote train writes one`,
    );
  }
  const graph: Graph = parseGraph(text, path);
  const compression: Compression | undefined =
    metadata["mote.compression"] === undefined ? undefined : parseCompression(metadata["mote.compression"], path);
  const netTensors = new Map<string, FloatTensor>();
  for (const [name, shape] of parameterShapes(graph)) {
    const tensor = tensors.get(name);
    if (tensor === undefined)
      throw new MoteError("MISMATCH", `${path}: ${name} is missing, its graph ${graph.name} has it`);
    if (tensor.shape.join() !== shape.join()) {
      throw new MoteError("MISMATCH", `${path}: ${name}: expected shape [${shape}], got [${tensor.shape}]`);
    }
    tensors.delete(name);
    netTensors.set(name, scaled(name, tensor, compression, path));
  }
  const moments = new Map<string, FloatTensor>();
  for (const [name, tensor] of tensors) {
    if (!name.startsWith(OPTIMIZER_PREFIX)) {
      throw new MoteError("MISMATCH", `${path}: tensor ${name} belongs to no layer of its graph ${graph.name}`);
    }
    if (tensor.integers !== undefined) throw new MoteError("FORMAT", `${path}: ${name}: expected dtype F32, got "I8"`);
    moments.set(name.slice(OPTIMIZER_PREFIX.length), tensor);
  }
  const net: Net = { graph, tensors: netTensors, ...(compression && { compression }) };
  const optimizer = parseOptimizer(metadata["mote.optimizer"], moments, path);
  const progress = parseProgress(metadata["mote.progress"], path);
  const trainedOn = metadata["mote.data"];
  return {
    net,
    ...(optimizer && { optimizer }),
    ...(progress && { progress }),
    ...(trainedOn !== undefined && { data: parseTrainedOn(trainedOn, path) }),
  };
}

/** Of the layer whose weight has this name. */
const scaleOf = (name: string, compression: Compression | undefined): number | readonly number[] | undefined =>
  name.endsWith(".weight") ? own(compression?.weightScale ?? {}, name.slice(0, -".weight".length)) : undefined;

/** Weights on their integers, by their layer's scale. */
function scaled(name: string, tensor: FloatTensor, compression: Compression | undefined, path: string): FloatTensor {
  const { shape, integers } = tensor;
  if (integers === undefined) return tensor;
  const scale = scaleOf(name, compression);
  if (scale === undefined) {
    throw new MoteError("MISMATCH", `${path}: ${name} is I8, but mote.compression has no weightScale for its layer`);
  }
  const scales = typeof scale === "number" ? [scale] : scale;
  if (scales.length !== 1 && scales.length !== shape[0]) {
    throw new MoteError(
      "MISMATCH",
      `${path}: ${name} has ${shape[0]} rows, but mote.compression ${scales.length} weightScales for its layer`,
    );
  }
  const columns = integers.length / shape[0];
  const scaleOfRow = (row: number): number => scales[scales.length > 1 ? row : 0];
  const data = Float32Array.from(integers, (q, index) => q * scaleOfRow(Math.floor(index / columns)));
  return { shape, data, integers };
}

function parseOptimizer(
  text: string | undefined,
  tensors: Map<string, FloatTensor>,
  path: string,
): OptimizerState | undefined {
  if (text === undefined) {
    if (tensors.size === 0) return undefined;
    throw new MoteError("FORMAT", `${path}: optimizer tensors without mote.optimizer in the metadata`);
  }
  const value = parseJson(text, path, "mote.optimizer");
  const updates = isRecord(value) ? value.updates : undefined;
  if (typeof updates !== "number" || !Number.isSafeInteger(updates) || updates < 0) {
    throw new MoteError("FORMAT", `${path}: mote.optimizer: expected {"updates": a whole number}, got ${text}`);
  }
  return { updates, tensors };
}

function parseProgress(text: string | undefined, path: string): TrainProgress | undefined {
  if (text === undefined) return undefined;
  const value = parseJson(text, path, "mote.progress");
  const simple = (v: unknown): boolean => ["string", "number", "boolean"].includes(typeof v);
  if (!isRecord(value) || !Object.values(value).every(simple)) {
    throw new MoteError("FORMAT", `${path}: mote.progress: expected an object of strings, numbers and booleans`);
  }
  return value as TrainProgress;
}

const DTYPES: ReadonlyMap<string, ElementType> = new Map([
  ["F32", "float32"],
  ["I8", "int8"],
]);

/** All of it in memory. */
function parseSafetensors(
  file: Uint8Array,
  path: string,
): { metadata: Readonly<Record<string, string>>; tensors: Map<string, FloatTensor> } {
  const { metadata, tensors: stored } = readSafetensors(memorySource(file), path, DTYPES);
  const tensors = new Map<string, FloatTensor>();
  for (const { name, type, shape, offset, bytes } of stored) {
    if (type === "int8") {
      const integers = Int8Array.from(file.subarray(offset, offset + bytes));
      tensors.set(name, { shape, data: new Float32Array(bytes), integers });
      continue;
    }
    const view = new DataView(file.buffer, file.byteOffset + offset, bytes);
    const data = Float32Array.from({ length: bytes / FLOAT_BYTES }, (_, i) => view.getFloat32(i * FLOAT_BYTES, true));
    const wrong = firstNotFinite(data);
    if (wrong >= 0) {
      const at = offset + wrong * FLOAT_BYTES;
      throw new MoteError("FORMAT", `${path}: offset ${at}: ${name}: value ${wrong} is not a finite number`);
    }
    tensors.set(name, { shape, data });
  }
  return { metadata, tensors };
}
