#!/usr/bin/env node
/**
 * Builds what is missing or older than its sources: core.wasm, fast-named.wasm, simd.wasm and train.wasm (asc), the host (tsc), the page (vite), the
 * wasm3 addon (the C compiler).
 * Example: node tools/build.mjs           everything
 *          node tools/build.mjs core host only these
 * Plain JavaScript, since it runs before anything is compiled.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const node = (script, ...args) => [process.execPath, join(root, "node_modules", script), ...args];

/** What both device programs and the host are made from. */
const shared = ["assembly/abi.ts", "assembly/format.ts"];

/** Each target: what has to be built before it, the folders and files it is made from, a file it must leave behind, and the commands. */
const targets = {
  core: {
    sources: [
      "assembly/core",
      "assembly/mote.ts",
      ...shared,
      "asconfig.json",
      "tools/core-text.mjs",
      "tools/shrink.mjs",
    ],
    made: "build/core.wasm",
    // The same sources with int16 elements make core16.wasm. core-named.wasm is what `mote pack --format wasm` specialises: nothing inlined, functions by name. core-growable.wasm, with memory for
    // any plan, is what the runtime has inside.
    commands: [
      ...["core", "core-named", "core-growable", "core16", "core16-named"].map((target) =>
        node("assemblyscript/bin/asc.js", "assembly/core/index.ts", "--target", target),
      ),
      [process.execPath, join(root, "tools/shrink.mjs"), "core", "core16", "core-growable"],
      [process.execPath, join(root, "tools/core-text.mjs"), "core"],
    ],
  },
  fast: {
    sources: ["assembly/fast", "assembly/mote.ts", ...shared, "asconfig.json"],
    made: "build/fast-named.wasm",
    commands: [node("assemblyscript/bin/asc.js", "assembly/fast/index.ts", "--target", "fast-named")],
  },
  simd: {
    sources: ["assembly/simd", "assembly/core", "assembly/mote.ts", ...shared, "asconfig.json", "tools/core-text.mjs"],
    made: "build/simd.wasm",
    commands: [
      node("assemblyscript/bin/asc.js", "assembly/simd/index.ts", "--target", "simd"),
      [process.execPath, join(root, "tools/core-text.mjs"), "simd"],
    ],
  },
  train: {
    sources: ["assembly/train", "asconfig.json"],
    made: "build/train.wasm",
    commands: [node("assemblyscript/bin/asc.js", "assembly/train/index.ts", "--target", "train")],
  },
  host: {
    needs: ["core", "simd"],
    sources: [
      "host",
      "runtime",
      "build/core-text.ts",
      "build/simd-text.ts",
      "tools",
      "examples/autoencoder",
      "examples/gesture",
      "tests/fuzz",
      "tests/support",
      "assembly/fast/layout.ts",
      "assembly/module.ts",
      ...shared,
      "tsconfig.json",
      "tsconfig.build.json",
    ],
    made: "dist/host/index.js",
    commands: [node("typescript/bin/tsc", "-p", "tsconfig.build.json")],
  },
  web: {
    needs: ["core", "simd", "fast", "train"],
    sources: [
      "web",
      "host",
      "runtime",
      "build/core-text.ts",
      "build/simd-text.ts",
      "build/core.wasm",
      "build/core-named.wasm",
      "build/fast-named.wasm",
      "build/train.wasm",
      "tests/golden/import/conv-int8.tflite",
      "tests/golden/import/torch-blocks.onnx",
      "models/lenet5.mote",
      "examples/digit.png",
      "bench/rivals.json",
      "assembly/fast/layout.ts",
      "assembly/module.ts",
      ...shared,
    ],
    made: "build/web/service-worker.js",
    commands: [node("vite/bin/vite.js", "build", "--config", "web/vite.config.ts")],
  },
  wasm3: {
    sources: ["host/node/wasm3"],
    made: "build/wasm3/Release/wasm3.node",
    commands: [[process.execPath, join(root, "host/node/wasm3/build.mjs")]],
  },
};

function filesBelow(path) {
  const full = join(root, path);
  if (!existsSync(full)) return [];
  try {
    return readdirSync(full)
      .sort()
      .flatMap((name) => filesBelow(join(path, name)));
  } catch {
    return [path];
  }
}

/** A digest of names and bytes: unlike times, it survives a fresh clone and a branch change. */
function digest(target) {
  const hash = createHash("sha256")
    .update(process.version)
    .update(process.env.WASM3_DIR ?? "");
  for (const file of [...target.sources.flatMap(filesBelow), "package-lock.json"]) {
    hash
      .update(file)
      .update("\0")
      .update(readFileSync(join(root, file)));
  }
  return hash.digest("hex");
}

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in targets));
if (unknown.length > 0) {
  console.error(`build: no target ${unknown.join(", ")}; there are ${Object.keys(targets).join(", ")}`);
  process.exit(2);
}
mkdirSync(join(root, "build"), { recursive: true });
const needed = asked.flatMap((name) => targets[name].needs ?? []);
const wanted = Object.keys(targets).filter(
  (name) => asked.length === 0 || asked.includes(name) || needed.includes(name),
);
if (wanted.some(isStale)) {
  takeLock();
  for (const name of wanted) if (isStale(name)) build(name);
}

function stampOf(name) {
  return join(root, "build", `.${name}.sha256`);
}

function isStale(name) {
  const made = existsSync(join(root, targets[name].made)) && existsSync(stampOf(name));
  return !made || readFileSync(stampOf(name), "utf8") !== digest(targets[name]);
}

function build(name) {
  const now = digest(targets[name]);
  process.stderr.write(`building ${name} …\n`);
  for (const [command, ...args] of targets[name].commands) {
    const result = spawnSync(command, args, { cwd: root, stdio: ["ignore", process.stderr, process.stderr] });
    if (result.status !== 0) {
      console.error(`build: ${name} failed (${args.join(" ")})`);
      process.exit(1);
    }
  }
  writeFileSync(stampOf(name), now);
}

/** One build at a time: two that start together would write the same files. The lock of a process that has died is taken over. */
function takeLock() {
  const lock = join(root, "build", ".lock");
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" });
      process.on("exit", () => rmSync(lock, { force: true }));
      return;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (!isAlive(lock)) rmSync(lock, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
}

function isAlive(lock) {
  try {
    const holder = Number(readFileSync(lock, "utf8"));
    if (holder > 0) process.kill(holder, 0);
    return true;
  } catch (error) {
    return error.code !== "ESRCH";
  }
}
