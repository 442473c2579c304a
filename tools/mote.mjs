#!/usr/bin/env node
/**
 * The `mote` command: builds what is missing or out of date, then hands over to dist/tools/cli.js. In a checkout that is everything, in the
 * installed package, which comes compiled, the wasm3 addon. MOTE_SKIP_BUILD=1 takes what is there, for scripts that call it many times. Plain
 * JavaScript, since it runs before anything is compiled.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const isCheckout = existsSync(join(root, "tools/build.mjs"));

if (isCheckout && !existsSync(join(root, "node_modules/typescript"))) {
  console.error(`mote: dependencies are missing; run: npm ci (in ${root})`);
  process.exit(1);
}
if (!process.env.MOTE_SKIP_BUILD) buildFor(process.argv.slice(2));

function buildFor([command, ...rest]) {
  // build.mjs compares digests and is quick when nothing has changed.
  const targets = [
    "core",
    "fast",
    "simd",
    "host",
    ...(["train", "compress", "bench", "pack", "evaluate", "report"].includes(command) ? ["train"] : []),
  ];
  if (isCheckout && !run("tools/build.mjs", ...targets)) process.exit(1);
  // The addon needs a C compiler, which the other engines do without: the engine itself says so if it is missing when asked for.
  const engine = rest.join(" ").match(/--engine[ =](\S+)/)?.[1] ?? "wasm3";
  if (!["start", "run", "verify", "bench"].includes(command) || engine !== "wasm3") return;
  if (isCheckout) run("tools/build.mjs", "wasm3");
  else if (!existsSync(join(root, "build/wasm3/Release/wasm3.node"))) run("host/node/wasm3/build.mjs");
}

/** @returns whether the script has ended well */
function run(script, ...args) {
  return spawnSync(process.execPath, [join(root, script), ...args], { stdio: "inherit" }).status === 0;
}

const { main } = await import("../dist/tools/cli.js");
await main(process.argv);
