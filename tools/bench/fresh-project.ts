/** A project as a user begins one: an empty folder, into which a package is installed by what `npm pack` has made. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import { runTool } from "../../host/node/firmware/tools.js";

export interface FreshProject {
  readonly folder: string;
  /** Puts a file into it. */
  readonly write: (path: string, content: string | Uint8Array) => string;
  readonly copy: (source: string, path: string) => void;
  /** Packages installed, and the bytes of all their files. */
  readonly installed: () => { readonly packages: string[]; readonly bytes: number };
  readonly remove: () => void;
}

/** @param tarball of the package @param flags of `npm install` @throws MoteError ENGINE where npm fails */
export async function freshProject(tarball: string, flags: readonly string[] = []): Promise<FreshProject> {
  const folder = mkdtempSync(join(tmpdir(), "mote-package-"));
  const write = (path: string, content: string | Uint8Array): string => {
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
    return target;
  };
  write("package.json", '{ "name": "fresh", "private": true, "type": "module" }\n');
  await runTool("npm", ["install", "--no-audit", "--no-fund", ...flags, tarball], { cwd: folder });
  return {
    folder,
    write,
    copy: (source, path) => cpSync(source, join(folder, path), { recursive: true }),
    installed: () => {
      const files = filesBelow(join(folder, "node_modules"));
      const manifests = files.filter((path) => /node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(path));
      const nameOf = (path: string): string => (JSON.parse(readFileSync(path, "utf8")) as { name: string }).name;
      return { packages: manifests.map(nameOf), bytes: files.reduce((sum, path) => sum + statSync(path).size, 0) };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export interface BuiltPage {
  readonly folder: string;
  /** Paths of all files. */
  readonly files: readonly string[];
  /** Of all files, each compressed alone. */
  readonly brotliBytes: number;
}

/** Builds the project's index.html with Vite for production. Links are relative, and what old browsers need to preload is left out. */
export async function buildPage({ folder }: FreshProject): Promise<BuiltPage> {
  const { build } = await import("vite");
  const outDir = join(folder, "dist");
  await build({
    root: folder,
    base: "./",
    configFile: false,
    logLevel: "error",
    build: { outDir, modulePreload: { polyfill: false } },
  });
  const files = filesBelow(outDir);
  const brotliBytes = files.reduce((sum, path) => sum + brotliCompressSync(readFileSync(path)).length, 0);
  return { folder: outDir, files, brotliBytes };
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
