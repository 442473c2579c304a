import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Keeper, WorkFolder } from "../../compress/work-folder.js";
import { MoteError } from "../../errors.js";
import type { Checkpoint } from "../../train/checkpoint.js";
import { checkWritable } from "../check-writable.js";
import { readCheckpoint, writeCheckpoint } from "../train/checkpoint.js";
import { writeFileAtomic } from "../write-file.js";

const STATE_SUFFIX = ".partial";

/** A work folder on the disk. */
export class DiskWorkFolder implements WorkFolder {
  /** What could not be written yet, by name. */
  private readonly pending = new Map<string, Checkpoint>();

  /**
   * @param onProblem called with the reason when something cannot be written, once until something can
   * @throws MoteError FILE for a folder that nothing can be written to
   */
  constructor(
    readonly path: string,
    private readonly onProblem: (reason: string) => void,
  ) {
    checkWritable(join(path, "checkpoint"));
  }

  read(name: string): Checkpoint | undefined {
    const file = this.file(name);
    return existsSync(file) ? readCheckpoint(file) : undefined;
  }

  finish(name: string, result: Checkpoint): void {
    this.pending.delete(name + STATE_SUFFIX);
    this.pending.set(name, result);
    this.flush();
  }

  keeper(name: string): Keeper {
    return {
      load: () => this.read(name + STATE_SUFFIX),
      save: (state) => {
        this.pending.set(name + STATE_SUFFIX, state);
        this.flush();
      },
    };
  }

  readBytes(name: string): Uint8Array | undefined {
    const file = join(this.path, name);
    return existsSync(file) ? readFileSync(file) : undefined;
  }

  writeBytes(name: string, bytes: Uint8Array): void {
    this.trying(() => writeFileAtomic(join(this.path, name), bytes));
  }

  get isBehind(): boolean {
    return this.pending.size > 0;
  }

  /** In the order in which it came: what follows is worth nothing without what comes before. */
  private flush(): void {
    for (const [name, checkpoint] of this.pending) {
      if (!this.trying(() => writeCheckpoint(this.file(name), checkpoint))) return;
      this.pending.delete(name);
      rmSync(this.file(name + STATE_SUFFIX), { force: true });
    }
  }

  private isTold = false;

  private trying(write: () => void): boolean {
    try {
      write();
      this.isTold = false;
      return true;
    } catch (error) {
      if (!(error instanceof MoteError && error.code === "FILE")) throw error;
      if (!this.isTold) this.onProblem(error.message);
      this.isTold = true;
      return false;
    }
  }

  private file(name: string): string {
    return join(this.path, `${name}.safetensors`);
  }
}
