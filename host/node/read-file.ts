import { readFileSync } from "node:fs";
import { MoteError } from "../errors.js";
import { describeSystemError } from "./write-file.js";

/** @throws MoteError FILE that names the path */
export function readFile(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new MoteError("FILE", `${path}: cannot be read: ${describeSystemError(error)}`, { cause: error });
  }
}
