import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The package's own folder: the same from TypeScript sources under test and from dist/. */
export const packageRoot = ((): string => {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error("mote: no package.json above " + fileURLToPath(import.meta.url));
    folder = parent;
  }
  return folder;
})();

/** The folder of an installed package: below this one's, as in a checkout, or beside it, as npm puts what the tool's package needs. */
export function dependencyFolder(name: string): string {
  const below = join(packageRoot, "node_modules", name);
  const beside = join(dirname(packageRoot), name);
  return !existsSync(below) && existsSync(beside) ? beside : below;
}

/** A file that `npm run build` makes, such as `build/core.wasm` or `dist/host/node/train/worker.js`. */
export function builtFile(relative: string): string {
  return join(packageRoot, relative);
}
