/** A file of the browser, read where asked: only a worker can do that without waiting. */
import { memorySource } from "../../host/import/graph.js";
import { MoteError } from "../../host/errors.js";
import type { Dropped } from "./net-file.js";

declare class FileReaderSync {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}

/** Smaller ones are read at once. */
const PIECEWISE_BYTES = 1 << 26;

export function droppedFile(file: File): Dropped {
  const read = (offset: number, length: number): Uint8Array => {
    try {
      return new Uint8Array(new FileReaderSync().readAsArrayBuffer(file.slice(offset, offset + length)));
    } catch (cause) {
      throw new MoteError("FILE", `${file.name}: cannot be read any more; drop it anew`, { cause });
    }
  };
  const { name, size } = file;
  return { name, source: size > PIECEWISE_BYTES ? { size, read } : memorySource(read(0, size)) };
}
