/** What a user of the packages installs, waits for and serves. */
import { spawnSync } from "node:child_process";
import { builtFile } from "../../host/node/paths.js";
import { makePackages } from "../package.js";
import { atMost, rounded, type BenchOptions, type Figure, type Group } from "./figure.js";
import { buildPage, freshProject, type FreshProject } from "./fresh-project.js";

export const packageGroup: Group = {
  name: "package",
  summary: "mote-nn and mote-nn-cli as npm installs them: bytes, packages, time to open a model, a page by Vite",
  measure: measurePackages,
};

const OPENINGS = 15;
const MODEL = builtFile("models/lenet5.mote");

/** A page that runs a model and does nothing else. */
export const SMALL_PAGE = {
  "index.html": `<!doctype html><meta charset="utf-8"><title>mote</title><p id="out"></p><script type="module" src="main.js"></script>\n`,
  "main.js": `import { openModel } from "mote-nn";
import url from "./lenet5.mote?url&no-inline";
const model = await openModel(fetch(url));
document.querySelector("#out").textContent = model.run(new Int8Array(784).fill(-128)).join(" ");
`,
};

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
    note("building a page");
    for (const [path, text] of Object.entries(SMALL_PAGE)) user.write(path, text);
    const page = await buildPage(user);
    return [
      atMost("package.runtime.bytes", "mote-nn, unpacked", ofRuntime.bytes, "B", 150_000),
      atMost("package.runtime.packages", "packages that mote-nn installs", ofRuntime.packages.length, "", 1),
      atMost("package.open.ms", "mote-nn: import and open lenet5.mote in Node, over an empty script", openMs, "ms", 40),
      atMost(
        "package.vite.brotli",
        "page that runs lenet5.mote, by Vite, all files by brotli",
        page.brotliBytes,
        "B",
        10_240,
      ),
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
