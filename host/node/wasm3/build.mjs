#!/usr/bin/env node
/**
 * Builds build/wasm3/Release/wasm3.node: our binding over wasm3's C sources, by the C compiler alone. Node's C interface comes from npm.
 * Example: node host/node/wasm3/build.mjs                              wasm3 0.5.0 out of node_modules
 *          WASM3_DIR=~/src/wasm3 node host/node/wasm3/build.mjs        any other source tree
 *          CC="ccache clang" node host/node/wasm3/build.mjs            another compiler than cc, gcc or clang
 * Plain JavaScript, since it runs before anything is compiled. Quiet unless it fails.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(dirname(here)));
const made = join(root, "build", "wasm3", "Release", "wasm3.node");

function fail(message) {
  console.error(`wasm3: ${message}`);
  process.exit(1);
}

/** The folder of m3_env.c: WASM3_DIR, its source/ folder, the tool's package, or the copy that react-native-webassembly carries unchanged. */
function sourceFolder() {
  const given = process.env.WASM3_DIR;
  if (given) {
    const folder = [given, join(given, "source")].find((path) => existsSync(join(path, "m3_env.c")));
    return folder ? resolve(folder) : fail(`no m3_env.c in WASM3_DIR=${given} or its source/ folder`);
  }
  const folders = [join(root, "wasm3"), join(root, "node_modules", "react-native-webassembly", "cpp")];
  const folder = folders.find((path) => existsSync(join(path, "m3_env.c")));
  return folder ?? fail("the C sources are missing; mend with: npm ci");
}

function headerFolder() {
  // Below a checkout, beside an installed package.
  const folders = [join(root, "node_modules"), dirname(root)].map((path) => join(path, "node-api-headers", "include"));
  const folder = folders.find((path) => existsSync(join(path, "node_api.h")));
  return folder ?? fail("node-api-headers is missing; mend with: npm ci");
}

function runs(command) {
  return spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0;
}

/** The words of CC, or the first compiler that there is. */
function compiler() {
  const given = process.env.CC?.trim().split(/\s+/) ?? [""];
  const names = given[0] === "" ? ["cc", "gcc", "clang"] : [given[0]];
  const name = names.find(runs);
  if (name !== undefined) return [name, ...given.slice(1)];
  return fail(
    `the addon was not built: no ${names.join(", no ")}; on Debian and Ubuntu mend with: apt-get install gcc libc6-dev. ` +
      "--engine v8 and --engine reference do without it",
  );
}

const sources = sourceFolder();
const headers = headerFolder();
const [command, ...words] = compiler();
const wasm3 = readdirSync(sources)
  .filter((name) => /^m3_(?!api_).*\.c$/.test(name))
  .sort()
  .map((name) => join(sources, name));
// Node has the functions of node_api.h and gives them to the addon when it loads it.
const link = process.platform === "darwin" ? ["-bundle", "-undefined", "dynamic_lookup"] : ["-shared"];
try {
  mkdirSync(dirname(made), { recursive: true });
  accessSync(dirname(made), constants.W_OK);
} catch (error) {
  fail(`the addon was not built: ${dirname(made)} cannot be written (${error.code})`);
}
const partial = `${made}.${process.pid}.tmp`;
// Without -O2 or -O3 gcc makes no tail calls and every wasm op grows the stack. WebAssembly's integers wrap, and wasm3 adds them as signed ones.
const options = ["-std=gnu11", "-O3", "-fwrapv", "-fPIC", "-fvisibility=hidden", "-DNDEBUG"];
const includes = [`-I${sources}`, `-I${headers}`];
const files = [join(here, "addon.c"), join(here, "interpreter.c"), ...wasm3];
const built = spawnSync(command, [...words, ...options, ...includes, ...files, ...link, "-o", partial, "-lm"], {
  encoding: "utf8",
  maxBuffer: 1 << 28,
});
if (built.status !== 0) {
  process.stderr.write(`${built.stdout}${built.stderr}`.split("\n").slice(-40).join("\n"));
  fail("the addon was not built: the compiler's messages are above");
}
// Under a new name, then renamed: a process that has the old addon loaded keeps its file.
renameSync(partial, made);
