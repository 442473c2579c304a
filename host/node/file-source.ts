/** Files too large for one buffer, read where asked. */
import { closeSync, existsSync, openSync, readSync, realpathSync, statSync, type Stats } from "node:fs";
import { dirname, join, sep } from "node:path";
import { MoteError } from "../errors.js";
import type { ByteSource } from "../import/graph.js";
import { describeSystemError } from "./write-file.js";

export interface FileSource extends ByteSource {
  close(): void;
}

/** What one call of the system reads. */
const MAX_READ_BYTES = 2 ** 30;

/** @throws MoteError FILE that names the path, from `read` too */
export function openFileSource(path: string): FileSource {
  const cannot = (error: unknown): never => {
    throw new MoteError("FILE", `${path}: cannot be read: ${describeSystemError(error)}`, { cause: error });
  };
  let file: number;
  let stat: Stats;
  try {
    stat = statSync(path);
    // To open a FIFO would wait for a writer.
    if (!stat.isFile()) throw new Error("not a regular file");
    file = openSync(path, "r");
  } catch (error) {
    return cannot(error);
  }
  return {
    size: stat.size,
    read(offset, length) {
      const bytes = new Uint8Array(length);
      for (let at = 0; at < length;) {
        let got = 0;
        try {
          got = readSync(file, bytes, at, Math.min(length - at, MAX_READ_BYTES), offset + at);
        } catch (error) {
          cannot(error);
        }
        if (got === 0)
          throw new MoteError("FILE", `${path}: ends at byte ${offset + at}, had ${stat.size} when opened`);
        at += got;
      }
      return bytes;
    },
    close: () => closeSync(file),
  };
}

/**
 * Files beside a model, each opened once, by the names that the model has for them.
 * @throws MoteError FILE from `open`, also for a name that leads out of the model's folder through a link
 */
export class FilesBeside {
  private readonly opened = new Map<string, FileSource>();

  constructor(private readonly modelPath: string) {}

  /** Of all that have been opened. */
  get bytes(): number {
    return [...this.opened.values()].reduce((sum, { size }) => sum + size, 0);
  }

  has(name: string): boolean {
    return existsSync(join(dirname(this.modelPath), name));
  }

  open(name: string): ByteSource {
    const known = this.opened.get(name);
    if (known !== undefined) return known;
    const folder = dirname(this.modelPath);
    const path = join(folder, name);
    const source = openFileSource(path);
    if (!realpathSync(path).startsWith(join(realpathSync(folder), sep))) {
      source.close();
      throw new MoteError("FILE", `${path}: is a link that leads out of the model's folder; expected the file itself`);
    }
    this.opened.set(name, source);
    return source;
  }

  close(): void {
    for (const source of this.opened.values()) source.close();
    this.opened.clear();
  }
}
