/** Files of the built page by what they were made from. */
import type { Rolldown } from "vite";

/** @param source how the path of the source ends @returns the name of the file that it has become @throws Error where there is none */
export function assetOf(files: readonly (Rolldown.OutputAsset | Rolldown.OutputChunk)[], source: string): string {
  for (const file of files) {
    if (file.type === "asset" && file.originalFileNames.some((name) => name.endsWith(source))) return file.fileName;
  }
  throw new Error(`${source} is no file of the page`);
}
