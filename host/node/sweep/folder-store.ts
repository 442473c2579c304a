import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { MoteError } from "../../errors.js";
import type { Store } from "../../sweep/store.js";
import { checkWritable } from "../check-writable.js";
import { describeSystemError, writeFileAtomic } from "../write-file.js";

/** A folder, of this machine or one that several see. */
export class FolderStore implements Store {
  /** @throws MoteError FILE for a folder that nothing can be written to */
  constructor(readonly name: string) {
    checkWritable(join(name, "object"));
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    const path = join(this.name, key);
    return this.trying(path, "read", () => {
      try {
        return readFileSync(path);
      } catch (error) {
        // Or removed by another worker just now.
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      }
    });
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    writeFileAtomic(join(this.name, key), bytes);
  }

  async remove(key: string): Promise<void> {
    const path = join(this.name, key);
    this.trying(path, "removed", () => rmSync(path, { force: true }));
  }

  private trying<T>(path: string, what: string, action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw new MoteError("FILE", `${path}: cannot be ${what}: ${describeSystemError(error)}`, { cause: error });
    }
  }
}
