/** Nets of other formats on disk. */
import { describeFile, isOnnx } from "../../data/file-kind.js";
import { MoteError } from "../../errors.js";
import type { ByteSource, ImportedGraph } from "../../import/graph.js";
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
 * An ONNX or TFLite model, with the files beside it that hold an ONNX model's external data.
 * @param bytes of the file where they have been read already
 * @throws MoteError FILE, FORMAT, UNSUPPORTED
 */
export function openGraph(path: string, bytes?: Uint8Array): OpenGraph {
  const file = bytes === undefined ? openFileSource(path) : undefined;
  const source: ByteSource = file ?? { size: bytes!.length, read: (at, length) => bytes!.subarray(at, at + length) };
  const beside = new FilesBeside(path);
  const close = (): void => {
    file?.close();
    beside.close();
  };
  try {
    const graph = isTflite(source.read(0, Math.min(source.size, HEAD_BYTES)))
      ? readTflite(source)
      : readOnnx(source, (name) => beside.open(name));
    return { graph, fileBytes: source.size, close };
  } catch (error) {
    const head = source.read(0, Math.min(source.size, HEAD_BYTES));
    close();
    if (!(error instanceof MoteError) || error.code !== "FORMAT" || isTflite(head) || isOnnx(head)) throw error;
    throw new MoteError("FORMAT", `expected an ONNX or TFLite model; this is ${describeFile(head)}`, { cause: error });
  }
}
