#!/usr/bin/env node
/**
 * The `mote` command: builds what is missing or out of date, then hands over to dist/tools/cli.js.
 * MOTE_SKIP_BUILD=1 takes what is there, for scripts that call it many times. Plain JavaScript, since it runs before anything
 * is compiled.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Runs build.mjs, which compares digests and is quick when nothing has changed. */
function build(...targets) {
  return spawnSync(process.execPath, [join(root, "tools/build.mjs"), ...targets], { stdio: "inherit" }).status === 0;
}

if (!existsSync(join(root, "node_modules/typescript"))) {
  console.error(`mote: dependencies are missing; run: npm ci (in ${root})`);
  process.exit(1);
}
if (!process.env.MOTE_SKIP_BUILD) buildFor(process.argv.slice(2));

function buildFor([command, ...rest]) {
  const targets = ["core", "fast", "host"];
  if (["train", "compress", "bench"].includes(command)) targets.push("train");
  if (!build(...targets)) process.exit(1);
  // The addon needs a C compiler, which the other engines do without: the engine itself says so if it is missing when asked for.
  const engine = rest.join(" ").match(/--engine[ =](\S+)/)?.[1] ?? "wasm3";
  if (["start", "run", "verify", "bench"].includes(command) && engine === "wasm3") build("wasm3");
}

const { main } = await import("../dist/tools/cli.js");
await main(process.argv);
