/** Nets of other formats on disk. */
import { extname } from "node:path";
import { memorySource, type ByteSource, type ImportedGraph } from "../../import/graph.js";
import { namesGraph, readGraph } from "../../import/read-graph.js";
import { FilesBeside, openFileSource } from "../file-source.js";

export interface OpenGraph {
  readonly graph: ImportedGraph;
  readonly fileBytes: number;
  /** After this constants that have not been read are out of reach. */
  close(): void;
}

/** As `namesGraph` for a file on disk. */
export function isGraphName(path: string): boolean {
  const beside = new FilesBeside(path);
  try {
    return namesGraph(path, beside);
  } finally {
    beside.close();
  }
}

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
