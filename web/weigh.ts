/** Writes bytes.json beside the built page: what *Draw* loads, by brotli. */
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import type { Plugin } from "vite";
import { assetOf } from "./asset.js";

/** Bytes by brotli, each file alone. */
export interface DrawBytes {
  /** What opens and runs models: runtime and WebAssembly. */
  readonly engine: number;
  readonly model: number;
  /** The room's own scripts and styles. */
  readonly room: number;
  /** The page around the rooms. */
  readonly frame: number;
}

/** @param room the module of the room @param model the file of its net */
export function weigh(room: string, model: string): Plugin {
  return {
    name: "mote-weigh",
    apply: "build",
    writeBundle({ dir = "." }, bundle) {
      const files = Object.values(bundle);
      const chunks = files.filter((file) => file.type === "chunk");
      const entry = chunks.find(({ isEntry }) => isEntry)!;
      const first = chunks.find(({ facadeModuleId }) => facadeModuleId?.endsWith(room))!;
      const stylesOf = (chunk: typeof entry): string[] => [...(chunk.viteMetadata?.importedCss ?? [])];
      const isEngine = (path: string): boolean => basename(path).startsWith("mote-");
      const bytesOf = (isMeant: (path: string) => boolean): number =>
        files
          .filter(({ fileName }) => isMeant(fileName))
          .reduce((sum, file) => sum + brotliCompressSync(file.type === "chunk" ? file.code : file.source).length, 0);
      const frame = ["index.html", entry.fileName, ...stylesOf(entry)];
      const own = [first.fileName, ...first.imports, ...stylesOf(first)];
      const bytes: DrawBytes = {
        engine: bytesOf((path) => own.includes(path) && isEngine(path)),
        model: bytesOf((path) => path === assetOf(files, model)),
        room: bytesOf((path) => own.includes(path) && !isEngine(path) && !frame.includes(path)),
        frame: bytesOf((path) => frame.includes(path)),
      };
      writeFileSync(join(dir, "bytes.json"), JSON.stringify(bytes));
    },
  };
}
