/** What a user of the packages installs, waits for and serves. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { bake } from "../../host/node/module/bake.js";
import { builtFile } from "../../host/node/paths.js";
import { makePackages } from "../package.js";
import { atMost, rounded, type BenchOptions, type Figure, type Group } from "./figure.js";
import { buildPage, freshProject, type BuiltPage, type FreshProject } from "./fresh-project.js";

export const packageGroup: Group = {
  name: "package",
  summary: "mote-nn and mote-nn-cli as npm installs them: bytes, packages, time to open a model, a page by Vite",
  measure: measurePackages,
};

const OPENINGS = 31;
const MODEL = builtFile("models/lenet5.mote");

/** Pages that run lenet5 and do nothing else: a module by what opens modules, the container by what opens any model. */
export const PAGES = {
  module: { entry: "mote-nn/module", model: "lenet5.wasm" },
  any: { entry: "mote-nn", model: "lenet5.mote" },
} as const;

/** Builds one of them, in a folder of that name. */
export async function buildSmallPage(project: FreshProject, name: keyof typeof PAGES): Promise<BuiltPage> {
  const { entry, model } = PAGES[name];
  const container = readFileSync(MODEL);
  project.write(`${name}/${model}`, name === "module" ? bake(container) : container);
  project.write(
    `${name}/index.html`,
    `<!doctype html><meta charset="utf-8"><title>mote</title><p id="out"></p><script type="module" src="main.js"></script>\n`,
  );
  project.write(
    `${name}/main.js`,
    `import { openModel } from "${entry}";
import url from "./${model}?url&no-inline";
const model = await openModel(fetch(url));
document.querySelector("#out").textContent = model.run(new Int8Array(784).fill(-128)).join();
`,
  );
  return buildPage({ ...project, folder: join(project.folder, name) });
}

async function measurePackages({ note }: BenchOptions): Promise<Figure[]> {
  note("packing and installing");
  const { runtime, tool } = await makePackages();
  const user = await freshProject(runtime, ["--offline"]);
  const toolUser = await freshProject(tool, ["--prefer-offline"]);
  try {
    const ofRuntime = user.installed();
    const ofTool = toolUser.installed();
    note("opening a model");
    const openMs = openingMs(user);
    note("building pages");
    const modulePage = await buildSmallPage(user, "module");
    const anyPage = await buildSmallPage(user, "any");
    return [
      atMost("package.runtime.bytes", "mote-nn, unpacked", ofRuntime.bytes, "B", 150_000),
      atMost("package.runtime.packages", "packages that mote-nn installs", ofRuntime.packages.length, "", 1),
      atMost("package.open.ms", "mote-nn: import and open lenet5.mote in Node, over an empty script", openMs, "ms", 40),
      atMost(
        "package.vite.brotli",
        "page that runs lenet5 as a packed module, by Vite, all files by brotli",
        modulePage.brotliBytes,
        "B",
        10_240,
      ),
      {
        id: "package.vite.any.brotli",
        name: "the same with the core for any model, and lenet5.mote",
        value: anyPage.brotliBytes,
        unit: "B",
      },
      atMost("package.tool.packages", "packages that mote-nn-cli installs", ofTool.packages.length, "", 40),
      atMost("package.tool.bytes", "mote-nn-cli, installed with its packages", ofTool.bytes, "B", 150_000_000),
    ];
  } finally {
    user.remove();
    toolUser.remove();
  }
}

/** Medians of whole processes, taken in turn. */
function openingMs(project: FreshProject): number {
  project.copy(MODEL, "lenet5.mote");
  const scripts = [
    project.write("empty.mjs", `import { readFileSync } from "node:fs";\n`),
    project.write(
      "open.mjs",
      `import { readFileSync } from "node:fs";
import { openModel } from "mote-nn";
await openModel(readFileSync("lenet5.mote"));
`,
    ),
  ];
  const times = scripts.map((): number[] => []);
  for (let i = 0; i < OPENINGS; i++) {
    for (const [script, path] of scripts.entries()) {
      const began = performance.now();
      const { status, stderr } = spawnSync(process.execPath, [path], { cwd: project.folder, encoding: "utf8" });
      times[script].push(performance.now() - began);
      if (status !== 0) throw new Error(stderr);
    }
  }
  const [empty, open] = times.map((list) => list.toSorted((a, b) => a - b)[OPENINGS >> 1]);
  return rounded(open - empty);
}
