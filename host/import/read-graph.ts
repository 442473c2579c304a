/** Nets of other formats: which one a file is, and what it needs beside it. */
import { describeFile, isOnnx, isTflite } from "../data/file-kind.js";
import { extensionOf, stemOf } from "../data/file-name.js";
import { MoteError } from "../errors.js";
import { readCaffe } from "./caffe.js";
import { readDeepCompression } from "./deep-compression.js";
import { isGraphJson, readGraphJson } from "./graph-json.js";
import type { ByteSource, ImportedGraph, NamedSource } from "./graph.js";
import { readOnnx } from "./onnx.js";
import { readTflite } from "./tflite.js";

/** By which a file of another kind is known. */
const HEAD_BYTES = 64;

/** The files beside a model, by the names that it has for them. */
export interface Beside {
  has(name: string): boolean;
  /** @throws MoteError FILE where it is not there */
  open(name: string): ByteSource;
}

/**
 * Whether a file's name says that it is a net of another format, which need not be read to know it and may be larger than a buffer. Of JSON
 * that is a graph, and of safetensors with a graph beside them.
 */
export function namesGraph(path: string, beside: Beside): boolean {
  const extension = extensionOf(path);
  if (extension !== ".json" && extension !== ".safetensors")
    return [".onnx", ".caffemodel", ".net"].includes(extension);
  const json = besideName(path, ".json");
  return beside.has(json) && isGraphJson(beside.open(json));
}

const besideName = (path: string, extension: string): string => stemOf(path) + extension;

/**
 * An ONNX model may have external data beside it, a Caffe net its prototxt, a graph its weights.
 * @param path for its name, and for messages
 * @throws MoteError FILE, FORMAT, UNSUPPORTED
 */
export function readGraph(path: string, source: ByteSource, beside: Beside): ImportedGraph {
  const extension = extensionOf(path);
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
