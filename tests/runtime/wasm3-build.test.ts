import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { packageRoot } from "../../host/node/paths.js";

/** A copy of what the addon is built from, in a folder of its own, so that the real one is left alone. */
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mote-wasm3-"));
  writeFileSync(join(root, "package.json"), '{ "type": "module" }');
  cpSync(join(packageRoot, "host", "node", "wasm3"), join(root, "host", "node", "wasm3"), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function build(env: NodeJS.ProcessEnv = {}): { status: number | null; lines: string[] } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "host", "node", "wasm3", "build.mjs")], {
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

  it("needs a C compiler and nothing else: no other program, no headers beside npm's", () => {
    const modules = join(root, "node_modules");
    mkdirSync(modules);
    for (const name of ["node-api-headers", "react-native-webassembly"]) {
      symlinkSync(join(packageRoot, "node_modules", name), join(modules, name));
    }
    const tools = join(root, "tools");
    mkdirSync(tools);
    // Writes down what it is called with; what is not the C compiler is not on the path.
    writeFileSync(join(tools, "cc"), `#!${process.execPath}\n${recorder(join(root, "calls"))}`, { mode: 0o755 });
    expect(build({ PATH: tools, CC: undefined, WASM3_DIR: "" })).toEqual({ status: 0, lines: [] });
    const calls = readFileSync(join(root, "calls"), "utf8").trim().split("\n");
    expect(calls[0]).toBe("--version");
    expect(calls).toHaveLength(2);
    expect(calls[1]).toContain(`-I${join(modules, "node-api-headers", "include")}`);
    expect(calls[1].match(/-I\S+/g)).toHaveLength(2);
    expect(calls[1]).toContain(join(modules, "react-native-webassembly", "cpp", "m3_env.c"));
    expect(calls[1]).not.toContain("m3_api_");
  });

  it("takes CC, its options too", () => {
    symlinkSync(join(packageRoot, "node_modules"), join(root, "node_modules"));
    const compiler = join(root, "my-cc");
    writeFileSync(compiler, `#!${process.execPath}\n${recorder(join(root, "calls"))}`, { mode: 0o755 });
    expect(build({ CC: `${compiler} -m64 -g`, WASM3_DIR: "" })).toEqual({ status: 0, lines: [] });
    expect(readFileSync(join(root, "calls"), "utf8").split("\n")[1]).toMatch(/^-m64 -g -std=gnu11 /);
  });

  it("says what mends a missing compiler, and what does without", () => {
    symlinkSync(join(packageRoot, "node_modules"), join(root, "node_modules"));
    const advice =
      "on Debian and Ubuntu mend with: apt-get install gcc libc6-dev. --engine v8 and --engine reference do without it";
    const lines = (missing: string): string[] => [`wasm3: the addon was not built: ${missing}; ${advice}`];
    expect(build({ CC: "no-such-compiler" })).toEqual({ status: 1, lines: lines("no no-such-compiler") });
    expect(build({ CC: "", PATH: join(root, "empty") })).toEqual({
      status: 1,
      lines: lines("no cc, no gcc, no clang"),
    });
  });

  it("hands on what the compiler says, and leaves no addon behind", () => {
    symlinkSync(join(packageRoot, "node_modules"), join(root, "node_modules"));
    writeFileSync(join(root, "host", "node", "wasm3", "interpreter.c"), "#error of ours");
    const { status, lines } = build({ WASM3_DIR: "" });
    expect(status).toBe(1);
    expect(lines.some((line) => line.includes("error of ours"))).toBe(true);
    expect(lines[lines.length - 1]).toBe("wasm3: the addon was not built: the compiler's messages are above");
    expect(readdirSync(join(root, "build", "wasm3", "Release"))).toEqual([]);
  });
});

/** A program that appends its arguments to a file, and makes the file after -o. */
function recorder(path: string): string {
  return `import { appendFileSync, writeFileSync } from "node:fs";
const words = process.argv.slice(2);
appendFileSync(${JSON.stringify(path)}, words.join(" ") + "\\n");
if (words.includes("-o")) writeFileSync(words[words.indexOf("-o") + 1], "");`;
}

describe("loading the addon", () => {
  /** The compiled binding in a package that has no addon, or a broken one. */
  function load(): string {
    const host = [
      "bytes.js",
      "errors.js",
      "module/leb128.js",
      "module/module-check.js",
      "module/module-outline.js",
      "module/sections.js",
      "node/paths.js",
      "node/wasm3/runtime.js",
    ];
    for (const file of ["assembly/format.js", "assembly/module.js", ...host.map((path) => join("host", path))]) {
      cpSync(join(packageRoot, "dist", file), join(root, "dist", file));
    }
    const module = JSON.stringify(join(root, "dist", "host", "node", "wasm3", "runtime.js"));
    const script = `const { wasm3Version } = await import(${module}); try { wasm3Version(); } catch (e) { console.log(e.code, e.message); }`;
    return spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" }).stdout.trim();
  }

  it("says what mends a missing one", () => {
    expect(load()).toBe(
      "ENGINE wasm3: the addon build/wasm3/Release/wasm3.node is missing; mend with: node host/node/wasm3/build.mjs",
    );
  });

  it("says what mends a broken one", () => {
    mkdirSync(join(root, "build", "wasm3", "Release"), { recursive: true });
    writeFileSync(join(root, "build", "wasm3", "Release", "wasm3.node"), "not an addon");
    expect(load()).toMatch(
      /^ENGINE wasm3: the addon does not load \(.+\); mend with: node host\/node\/wasm3\/build\.mjs$/,
    );
  });
});
