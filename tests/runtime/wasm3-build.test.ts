import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { packageRoot } from "../../host/paths.js";

/** A copy of what the addon is built from, in a folder of its own, so that the real one is left alone. */
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mote-wasm3-"));
  writeFileSync(join(root, "package.json"), '{ "type": "module" }');
  cpSync(join(packageRoot, "host", "wasm3"), join(root, "host", "wasm3"), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function build(env: NodeJS.ProcessEnv = {}): { status: number | null; lines: string[] } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "host", "wasm3", "build.mjs")], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  return { status, lines: `${stdout}${stderr}`.split("\n").filter((line) => line !== "") };
}

describe("building the addon", () => {
  it("takes wasm3 from WASM3_DIR's source folder, and says nothing when all is well", () => {
    symlinkSync(join(packageRoot, "node_modules"), join(root, "node_modules"));
    mkdirSync(join(root, "tree"));
    symlinkSync(join(packageRoot, "node_modules", "react-native-webassembly", "cpp"), join(root, "tree", "source"));
    expect(build({ WASM3_DIR: join(root, "tree") })).toEqual({ status: 0, lines: [] });
    const addon = createRequire(import.meta.url)(join(root, "build", "wasm3", "Release", "wasm3.node")) as {
      version: string;
    };
    expect(addon.version).toBe("0.5.0");
  });

  it("says what mends missing sources", () => {
    const missing = build({ WASM3_DIR: join(root, "nowhere") });
    expect(missing.status).toBe(1);
    expect(missing.lines).toEqual([`wasm3: no m3_env.c in WASM3_DIR=${join(root, "nowhere")} or its source/ folder`]);
    const notInstalled = { status: 1, lines: ["wasm3: the C sources are missing; mend with: npm ci"] };
    expect(build({ WASM3_DIR: "" })).toEqual(notInstalled);
  });

  it("says what mends a missing compiler", () => {
    symlinkSync(join(packageRoot, "node_modules"), join(root, "node_modules"));
    const { status, lines } = build({ CC: "no-such-compiler", CXX: "no-such-compiler" });
    expect(status).toBe(1);
    expect(lines[lines.length - 1]).toBe(
      "wasm3: the addon was not built: no no-such-compiler; on Debian and Ubuntu mend with: apt-get install python3 make g++",
    );
  });
});

describe("loading the addon", () => {
  /** The compiled binding in a package that has no addon, or a broken one. */
  function load(): string {
    for (const file of ["errors.js", "paths.js", "wasm3/runtime.js"]) {
      cpSync(join(packageRoot, "dist", "host", file), join(root, "dist", "host", file));
    }
    const module = JSON.stringify(join(root, "dist", "host", "wasm3", "runtime.js"));
    const script = `const { wasm3Version } = await import(${module}); try { wasm3Version(); } catch (e) { console.log(e.code, e.message); }`;
    return spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" }).stdout.trim();
  }

  it("says what mends a missing one", () => {
    expect(load()).toBe(
      "ENGINE wasm3: the addon build/wasm3/Release/wasm3.node is missing; mend with: node tools/build.mjs wasm3",
    );
  });

  it("says what mends a broken one", () => {
    mkdirSync(join(root, "build", "wasm3", "Release"), { recursive: true });
    writeFileSync(join(root, "build", "wasm3", "Release", "wasm3.node"), "not an addon");
    expect(load()).toMatch(/^ENGINE wasm3: the addon does not load \(.+\); mend with: node host\/wasm3\/build\.mjs$/);
  });
});
