/** Nets of other formats on disk. */
import { basename, extname } from "node:path";
import { describeFile, isOnnx } from "../../data/file-kind.js";
import { MoteError } from "../../errors.js";
import { readCaffe } from "../../import/caffe.js";
import { isGraphJson, readGraphJson } from "../../import/graph-json.js";
import { readDeepCompression } from "../../import/deep-compression.js";
import { memorySource, type ByteSource, type ImportedGraph, type NamedSource } from "../../import/graph.js";
import { readOnnx } from "../../import/onnx.js";
import { readTflite } from "../../import/tflite.js";
import { FilesBeside, openFileSource } from "../file-source.js";

/** By which a file of another kind is known. */
const HEAD_BYTES = 64;

export interface OpenGraph {
  readonly graph: ImportedGraph;
  readonly fileBytes: number;
  /** After this constants that have not been read are out of reach. */
  close(): void;
}

/** Whether a file's first bytes are a TFLite model's. */
export function isTflite(head: Uint8Array): boolean {
  return head.length >= 8 && new TextDecoder().decode(head.subarray(4, 8)) === "TFL3";
}

/**
 * Whether a file's name says that it is a net of another format, which need not be read to know it and may be larger than a buffer. Of JSON
 * that is a graph, and of safetensors with a graph beside them.
 */
export function isGraphName(path: string): boolean {
  const extension = extname(path);
  if (extension !== ".json" && extension !== ".safetensors")
    return [".onnx", ".caffemodel", ".net"].includes(extension);
  const beside = new FilesBeside(path);
  const json = besideName(path, ".json");
  try {
    return beside.has(json) && isGraphJson(beside.open(json));
  } finally {
    beside.close();
  }
}

const besideName = (path: string, extension: string): string => basename(path, extname(path)) + extension;

/**
 * A net of another format, with the files beside it: an ONNX model's external data, the prototxt of a Caffe net, the weights of a graph.
 * @param bytes of the file where they have been read already
 * @throws MoteError FILE, FORMAT, UNSUPPORTED
 */
export function openGraph(path: string, bytes?: Uint8Array): OpenGraph {
  const file = bytes === undefined ? openFileSource(path) : undefined;
  const source: ByteSource = file ?? memorySource(bytes!);
  const beside = new FilesBeside(path);
  const close = (): void => {
    file?.close();
    beside.close();
  };
  try {
    const graph = readGraph(path, source, beside);
    // A graph in JSON is nothing without its weights.
    return { graph, fileBytes: source.size + (extname(path) === ".json" ? beside.bytes : 0), close };
  } catch (error) {
    close();
    throw error;
  }
}

function readGraph(path: string, source: ByteSource, beside: FilesBeside): ImportedGraph {
  const extension = extname(path);
  const open = (name: string): NamedSource => ({ source: beside.open(name), path: name });
  if (extension === ".caffemodel" || extension === ".net") {
    // By the model's name, or as Caffe's zoo calls them.
    const names = [besideName(path, ".prototxt"), "deploy.prototxt"];
    const prototxt = names.find((name) => beside.has(name));
    if (extension === ".caffemodel") return readCaffe(source, prototxt === undefined ? undefined : open(prototxt));
    if (prototxt !== undefined) return readDeepCompression(source, open(prototxt));
    throw new MoteError("FILE", `${names[0]} is not beside it, and describes the net`);
  }
  if (extension === ".json" || extension === ".safetensors") {
    const json = extension === ".json" ? { source, path } : open(besideName(path, ".json"));
    return readGraphJson(json, (name) => open(name ?? besideName(path, ".safetensors")));
  }
  const head = source.read(0, Math.min(source.size, HEAD_BYTES));
  if (isTflite(head)) return readTflite(source);
  try {
    return readOnnx(source, (name) => beside.open(name));
  } catch (error) {
    if (!(error instanceof MoteError) || error.code !== "FORMAT" || isOnnx(head)) throw error;
    throw new MoteError("FORMAT", `expected an ONNX or TFLite model; this is ${describeFile(head)}`, { cause: error });
  }
}
