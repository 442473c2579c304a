/**
 * The work folder of a run: results of finished stages and the state of the one at hand, under names made from all that they depend
 * on. It saves work and is not the result: when it cannot be written, the run goes on with what it has in memory, and tries again.
 */
import type { Checkpoint } from "../train/checkpoint.js";

/** The state of one training, until it is finished. */
export interface Keeper {
  /** What an earlier run left, to go on from. @throws MoteError FILE, FORMAT or MISMATCH for a file that is none of ours */
  load(): Checkpoint | undefined;
  save(state: Checkpoint): void;
}

export interface WorkFolder {
  /** For messages. */
  readonly path: string;
  /** Whether something is in memory only. */
  readonly isBehind: boolean;
  /** A finished result. @throws MoteError FILE, FORMAT or MISMATCH */
  read(name: string): Checkpoint | undefined;
  /** Keeps a finished result; the state on the way to it is of no more use. */
  finish(name: string, result: Checkpoint): void;
  keeper(name: string): Keeper;
  /** Bytes that can be made anew; from afar they take their time. */
  readBytes(name: string): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** They are not tried again. */
  writeBytes(name: string, bytes: Uint8Array): void;
}
