#!/usr/bin/env node
/**
 * Builds build/wasm3/Release/wasm3.node: our binding over wasm3's C sources, with node-gyp.
 * Example: node host/wasm3/build.mjs                              wasm3 0.5.0 out of node_modules
 *          WASM3_DIR=~/src/wasm3 node host/wasm3/build.mjs        any other source tree
 * Plain JavaScript, since it runs before anything is compiled. Quiet unless it fails.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, copyFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));
const work = join(root, "build", "wasm3", "gyp");
const made = join(root, "build", "wasm3", "Release", "wasm3.node");

function fail(message) {
  console.error(`wasm3: ${message}`);
  process.exit(1);
}

/** The folder of m3_env.c: WASM3_DIR, its source/ folder, or the copy that react-native-webassembly carries unchanged. */
function sourceFolder() {
  const given = process.env.WASM3_DIR;
  if (given) {
    const folder = [given, join(given, "source")].find((path) => existsSync(join(path, "m3_env.c")));
    return folder ? resolve(folder) : fail(`no m3_env.c in WASM3_DIR=${given} or its source/ folder`);
  }
  const folder = join(root, "node_modules", "react-native-webassembly", "cpp");
  return existsSync(join(folder, "m3_env.c")) ? folder : fail("the C sources are missing; mend with: npm ci");
}

/**
 * Where Node's headers are: what npm is configured to use, else those installed beside this Node when they are of its
 * version, else undefined: node-gyp then downloads them.
 */
function headerFolder() {
  if (process.env.npm_config_nodedir) return undefined; // node-gyp reads it itself
  const prefix = dirname(dirname(process.execPath));
  const versionFile = join(prefix, "include", "node", "node_version.h");
  if (existsSync(versionFile)) {
    const text = readFileSync(versionFile, "utf8");
    const part = (name) => text.match(new RegExp(`#define NODE_${name}_VERSION (\\d+)`))?.[1];
    if (`v${part("MAJOR")}.${part("MINOR")}.${part("PATCH")}` === process.version) return prefix;
  }
  const asked = spawnSync("npm", ["config", "get", "nodedir"], { encoding: "utf8" });
  const folder = asked.status === 0 ? asked.stdout.trim() : "";
  return folder !== "" && folder !== "undefined" && folder !== "null" ? folder : undefined;
}

/**
 * wasm3 as it comes, floats included, so that the addon runs any module. The hints a release build needs: without -O2 or
 * -O3 gcc makes no tail calls and every wasm op grows the stack.
 */
function gypFile(sources) {
  const here2work = (path) => relative(work, path);
  const wasm3 = readdirSync(sources)
    .filter((name) => /^m3_(?!api_).*\.c$/.test(name))
    .sort()
    .map((name) => here2work(join(sources, name)));
  return {
    targets: [
      {
        target_name: "wasm3",
        sources: [here2work(join(here, "addon.c")), here2work(join(here, "interpreter.c")), ...wasm3],
        include_dirs: [here2work(sources)],
        defines: ["NDEBUG"],
        cflags: ["-O3", "-fvisibility=hidden", "-Wno-unused-parameter"],
        cflags_c: ["-std=gnu11"],
        xcode_settings: { GCC_OPTIMIZATION_LEVEL: "3", GCC_C_LANGUAGE_STANDARD: "gnu11" },
      },
    ],
  };
}

/** One line on what is missing, where that can be told. */
function diagnosis() {
  const missing = [process.env.PYTHON ?? "python3", "make", process.env.CC ?? "cc"].filter(
    (tool) => spawnSync(tool, ["--version"], { stdio: "ignore" }).status !== 0,
  );
  return missing.length > 0
    ? `the addon was not built: no ${missing.join(", no ")}; on Debian and Ubuntu mend with: apt-get install python3 make g++`
    : "the addon was not built: the compiler's messages are above";
}

const nodeGyp = join(root, "node_modules", "node-gyp", "bin", "node-gyp.js");
const gyp = gypFile(sourceFolder());
if (!existsSync(nodeGyp)) fail("node-gyp is missing; mend with: npm ci");
mkdirSync(work, { recursive: true });
writeFileSync(join(work, "binding.gyp"), JSON.stringify(gyp, undefined, 2));
const headers = headerFolder();
const jobs = Math.min(8, availableParallelism());
const built = spawnSync(
  process.execPath,
  [nodeGyp, "rebuild", "--release", `--jobs=${jobs}`, ...(headers ? [`--nodedir=${headers}`] : [])],
  { cwd: work, encoding: "utf8", maxBuffer: 1 << 28 },
);
if (built.status !== 0) {
  process.stderr.write(`${built.stdout}${built.stderr}`.split("\n").slice(-40).join("\n"));
  fail(diagnosis());
}
// A copy under a new name, then a rename: a process that has the old addon loaded keeps its file.
mkdirSync(dirname(made), { recursive: true });
copyFileSync(join(work, "build", "Release", "wasm3.node"), `${made}.tmp`);
renameSync(`${made}.tmp`, made);
