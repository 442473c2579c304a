/** Checkpoints on disk. */
import { decodeCheckpoint, encodeCheckpoint, type Checkpoint } from "../../train/checkpoint.js";
import { readFile } from "../read-file.js";
import { writeFileAtomic } from "../write-file.js";

/**
 * Writes the whole file or nothing.
 * @throws MoteError FILE; DIVERGED for a number that is not finite, which no file may hold
 */
export function writeCheckpoint(path: string, checkpoint: Checkpoint): void {
  writeFileAtomic(path, encodeCheckpoint(path, checkpoint));
}

/**
 * @throws MoteError FILE when it cannot be read, FORMAT (with the offset) when it is not such a file, MISMATCH when its
 * tensors are not those of its graph
 */
export function readCheckpoint(path: string): Checkpoint {
  return decodeCheckpoint(readFile(path), path);
}
