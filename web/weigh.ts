/** Writes bytes.json beside the built page: what *Draw* loads to run its net, by brotli. */
import { basename } from "node:path";
import { brotliCompressSync } from "node:zlib";
import type { Plugin } from "vite";

/** Bytes by brotli. */
export interface DrawBytes {
  /** What opens and runs models: runtime and WebAssembly. */
  readonly engine: number;
  readonly model: number;
}

export function weigh(): Plugin {
  return {
    name: "mote-weigh",
    apply: "build",
    generateBundle(_, bundle) {
      const bytesOf = (isMeant: (path: string) => boolean): number =>
        Object.values(bundle)
          .filter(({ fileName }) => isMeant(fileName))
          .reduce((sum, file) => sum + brotliCompressSync(file.type === "chunk" ? file.code : file.source).length, 0);
      const bytes: DrawBytes = {
        engine: bytesOf((path) => /^mote-[\w-]+\.js$/.test(basename(path))),
        model: bytesOf((path) => /^lenet5-[\w-]+\.mote$/.test(basename(path))),
      };
      this.emitFile({ type: "asset", fileName: "bytes.json", source: JSON.stringify(bytes) });
    },
  };
}
