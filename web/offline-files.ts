/** Writes the service worker behind the built page: service-worker.ts with the list of what it keeps. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import type { Plugin } from "vite";

/** What is larger is kept when it is first asked for. */
const LARGE_BYTES = 1 << 20;

/** @param source the worker's */
export function offlineFiles(source: string): Plugin {
  let folder = "";
  return {
    name: "mote-offline-files",
    apply: "build",
    configResolved: ({ root, build }) => {
      folder = join(root, build.outDir);
    },
    closeBundle: () => {
      const files = readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
        .sort();
      const hash = createHash("sha256");
      const sizes = new Map(
        files.map((path) => {
          const bytes = readFileSync(join(folder, path));
          hash.update(`${path}\0${bytes.length}\0`).update(bytes);
          return [path, bytes.length];
        }),
      );
      const isLarge = (path: string): boolean => sizes.get(path)! > LARGE_BYTES;
      const head = {
        DIGEST: hash.digest("hex").slice(0, 16),
        FILES: files.filter((path) => !isLarge(path)),
        LARGE_FILES: files.filter(isLarge),
      };
      const lines = Object.entries(head).map(([name, value]) => `const ${name} = ${JSON.stringify(value)};\n`);
      const { outputText } = ts.transpileModule(readFileSync(source, "utf8"), {
        compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, removeComments: true },
      });
      writeFileSync(join(folder, "service-worker.js"), lines.join("") + outputText);
    },
  };
}
