/**
 * Makes the packages that people install, as `npm pack` does, in build/packages: mote-nn, the runtime, and mote-nn-cli, the command. Each
 * holds what it needs compiled and nothing else; wasm3's C files join the second one here, from the package that brings them.
 * Example: npm run package
 */
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, extname, join, posix } from "node:path";
import { pathToFileURL } from "node:url";
import { isInterpreter, wasm3Folder, wasm3Licence } from "../host/node/firmware/library.js";
import { runTool } from "../host/node/firmware/tools.js";
import { builtFile, packageRoot } from "../host/node/paths.js";

export const RUNTIME_PACKAGE = "mote-nn";
export const TOOL_PACKAGE = "mote-nn-cli";

/** Fields of package.json, the checkout's and a package's. */
interface Manifest {
  readonly version: string;
  readonly license: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  /** What is imported from the runtime, and the files below dist/ that have it. */
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>;
}

/** What a sweep on several machines takes: who wants that installs them beside the command. */
const OPTIONAL = ["bullmq", "ioredis", "aws4fetch"];

/** What is copied as it is for the command, from the checkout. */
const TOOL_FILES = [
  "build/core.wasm",
  "build/core-named.wasm",
  "build/core16.wasm",
  "build/core16-named.wasm",
  "build/simd.wasm",
  "build/fast-named.wasm",
  "build/train.wasm",
  "tools/mote.mjs",
  "host/node/wasm3/addon.c",
  "host/node/wasm3/interpreter.c",
  "host/node/wasm3/interpreter.h",
  "host/node/wasm3/build.mjs",
  "bench/costs.json",
  "bench/device.json",
  "bench/rivals.json",
  ...["common", "boards", "bench"].flatMap((folder) => filesBelow(`firmware-examples/${folder}`)),
  ...filesBelow("models").filter((path) => [".mote", ".json"].includes(extname(path))),
];

/** Writes both packages. @returns the paths of the tarballs @throws MoteError ENGINE where npm fails or wasm3 is missing */
export async function makePackages(): Promise<{ runtime: string; tool: string }> {
  return { runtime: await pack(RUNTIME_PACKAGE, stageRuntime), tool: await pack(TOOL_PACKAGE, stageTool) };
}

async function pack(name: string, stage: (folder: string) => Promise<void>): Promise<string> {
  const folder = builtFile(`build/packages/${name}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await stage(folder);
  cpSync(join(packageRoot, "LICENSE"), join(folder, "LICENSE"));
  const { stdout } = await runTool("npm", ["pack", "--json", "--pack-destination", dirname(folder)], { cwd: folder });
  const [{ filename }] = JSON.parse(stdout) as { filename: string }[];
  return join(dirname(folder), filename);
}

async function stageRuntime(folder: string): Promise<void> {
  const { build } = await import("vite");
  const entries = Object.entries(readManifest().exports).map(([name, paths]) => ({ name, ...paths }));
  for (const { default: path } of entries) {
    // One file each, since Node takes a millisecond or two for a file; bundlers minify it.
    await build({
      configFile: false,
      logLevel: "error",
      build: {
        outDir: folder,
        emptyOutDir: false,
        minify: false,
        // What the docstrings say stands in the types beside it.
        rolldownOptions: { output: { comments: { jsdoc: false } } },
        target: "es2022",
        lib: { entry: builtFile(path), formats: ["es"], fileName: basename(path, ".js") },
      },
    });
  }
  const below = "dist/";
  const types = entries.map((entry) => posix.normalize(entry.types));
  copyModules(folder, types, below);
  cpSync(join(packageRoot, "runtime/README.md"), join(folder, "README.md"));
  writeManifest(folder, ({ version, license }) => ({
    name: RUNTIME_PACKAGE,
    version,
    description: "Runs neural nets of a few kilobytes, bit for bit the same in browsers, Node and on microcontrollers.",
    license,
    type: "module",
    sideEffects: false,
    exports: Object.fromEntries(
      entries.map(({ name, default: path }, i) => {
        return [name, { types: `./${types[i].slice(below.length)}`, default: `./${basename(path)}` }];
      }),
    ),
  }));
}

async function stageTool(folder: string): Promise<void> {
  copyModules(folder, [
    "dist/host/index.js",
    "dist/host/index.d.ts",
    "dist/tools/cli.js",
    "dist/host/node/train/worker.js",
    "dist/host/node/sweep/local-worker.js",
  ]);
  copyModules(folder, ["dist/tools/bench/pack-synthetic.js"]);
  for (const path of TOOL_FILES) copy(path, join(folder, path));
  const wasm3 = wasm3Folder();
  for (const name of readdirSync(wasm3).filter(isInterpreter)) cpSync(join(wasm3, name), join(folder, "wasm3", name));
  writeFileSync(join(folder, "wasm3", "LICENSE"), wasm3Licence());
  cpSync(join(packageRoot, "tools/README.md"), join(folder, "README.md"));
  writeManifest(folder, ({ version, license, engines, dependencies, devDependencies }) => ({
    name: TOOL_PACKAGE,
    version,
    description:
      "Trains, compresses and packs neural nets of a few kilobytes, for microcontrollers, browsers and Node.",
    license,
    type: "module",
    engines,
    bin: { mote: "tools/mote.mjs" },
    exports: { ".": { types: "./dist/host/index.d.ts", default: "./dist/host/index.js" } },
    dependencies,
    peerDependencies: Object.fromEntries(OPTIONAL.map((name) => [name, devDependencies[name]])),
    peerDependenciesMeta: Object.fromEntries(OPTIONAL.map((name) => [name, { optional: true }])),
  }));
}

function writeManifest(folder: string, fields: (checkout: Manifest) => object): void {
  writeFileSync(join(folder, "package.json"), JSON.stringify(fields(readManifest()), undefined, 2) + "\n");
}

/** The checkout's. */
export function readManifest(): Manifest {
  return JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as Manifest;
}

/** Copies compiled modules and all that they import, types for types. @param below what their paths in the package leave out */
function copyModules(folder: string, entries: readonly string[], below = ""): void {
  const found = new Set(entries);
  for (const path of found) {
    const text = readFileSync(builtFile(path), "utf8");
    for (const [, name] of text.matchAll(/(?:\bfrom|\bimport) ?\(?"(\.[^"]+\.js)"/g)) {
      const target = posix.join(posix.dirname(path), name);
      found.add(path.endsWith(".d.ts") ? target.replace(/\.js$/, ".d.ts") : target);
    }
    copy(path, join(folder, path.slice(below.length)));
  }
}

function copy(path: string, target: string): void {
  cpSync(builtFile(path), target);
}

/** Files of the checkout below a folder, by their paths; what builds have left there is not meant. */
function filesBelow(folder: string): string[] {
  return readdirSync(join(packageRoot, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && extname(entry.name) !== ".elf")
    .map((entry) => join(entry.parentPath, entry.name).slice(packageRoot.length + 1));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { runtime, tool } = await makePackages();
  console.log(`${runtime}\n${tool}`);
}
