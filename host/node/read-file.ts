import { readFileSync, statSync } from "node:fs";
import { MoteError } from "../errors.js";
import { describeSystemError } from "./write-file.js";

/** @throws MoteError FILE that names the path */
export function readFile(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_FS_FILE_TOO_LARGE") throw new MoteError("FILE", tooLarge(path));
    throw new MoteError("FILE", `${path}: cannot be read: ${describeSystemError(error)}`, { cause: error });
  }
}

function tooLarge(path: string): string {
  return (
    `${path}: has ${statSync(path).size} bytes, at most ${2 ** 31 - 1} are read at once; of a net as .onnx, .caffemodel, or .safetensors ` +
    "with a graph in JSON beside it, weights are read in parts"
  );
}
