/** Nets in Chromium beside onnxruntime-web: the same machine and browser, a page and one thread each, taken in turn. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Browser } from "playwright-core";
import { runTool } from "../../host/node/firmware/tools.js";
import { builtFile, packageRoot } from "../../host/node/paths.js";
import { synthNet } from "../../host/synth/nets.js";
import { BROWSER, missingBrowser, openBrowser } from "./browser.js";
import { atLeast, atMost, rounded, type BenchOptions, type Figure, type Group } from "./figure.js";
import { floatGraph } from "./float-nets.js";
import { writeRandomNet } from "./onnx-file.js";
import { withRivals } from "./rivals.js";
import { serveFolder } from "./static-server.js";
import { webNets, type WebNet } from "./web-nets.js";
import { axeViolations, drawBytes, firstDigits } from "./web-page.js";
import { openOurs, openRival, PAGE_HEADERS, RIVAL_INSTALL, rivalVersion, type Runner } from "./web-pages.js";

export const webGroup: Group = {
  name: "web",
  summary:
    "the page, and nets in Chromium, one image, one thread, beside onnxruntime-web in build/rivals; MOTE_ZOO for SqueezeNet's weights",
  measure: measureWeb,
};

const RIVAL = "onnxruntime-web";
const QUICK_ROUNDS = 9;
const FULL_ROUNDS = 31;
/** Runs are counted so that a round of either takes about this long, or one run. */
const ROUND_MS = 100;
/** What V8 compiles once it is known to run often is compiled by then. */
const WARM_UP_MS = 500;
const MAX_VGG_MB = 64;

/** Of all its figures. */
export function webIds(): readonly string[] {
  const ofNets = webNets(undefined).flatMap(({ id }) => [`web.${id}.ms`, `web.${id}.ratio`]);
  return ["web.draw.brotli", "web.draw.ms", "web.axe.violations", ...ofNets, "web.vgg16.memory"];
}

async function measureWeb({ full, note }: BenchOptions): Promise<Figure[]> {
  if (missingBrowser.length > 0) {
    note(`no figures, since ${BROWSER} is not installed`);
    return [];
  }
  const version = rivalVersion();
  if (version === undefined) note(`no ratios, since ${RIVAL} is not in build/rivals: ${RIVAL_INSTALL}`);
  const folder = mkdtempSync(builtFile("build/web-bench-"));
  writeFileSync(join(folder, "index.html"), "<!doctype html><title>mote bench</title>\n");
  const server = await serveFolder(packageRoot, { headers: () => PAGE_HEADERS });
  try {
    const browser = await openBrowser();
    try {
      note(`Chromium ${browser.version()}${version === undefined ? "" : `, ${RIVAL} ${version}`}`);
      const page = `${server.url}${relative(packageRoot, folder)}/index.html`;
      const figures = await pageFigures(browser, note);
      for (const net of webNets(process.env.MOTE_ZOO || undefined)) {
        note(net.title);
        figures.push(...(await measureNet({ browser, page, folder, hasRival: version !== undefined, full }, net)));
      }
      return figures;
    } finally {
      await browser.close();
    }
  } finally {
    await server.close();
    rmSync(folder, { recursive: true });
  }
}

/** Of the page in web/. */
async function pageFigures(browser: Browser, note: (text: string) => void): Promise<Figure[]> {
  note("the page");
  await runTool(process.execPath, [builtFile("tools/build.mjs"), "web"]);
  const { engine, model } = drawBytes();
  const bytes = atMost(
    "web.draw.brotli",
    "page, Draw: engine, runtime and model by brotli",
    engine + model,
    "B",
    16_384,
  );
  const times = (await firstDigits(browser, QUICK_ROUNDS)).map(({ fromLoad }) => fromLoad);
  const violations = await axeViolations(browser);
  for (const line of violations) note(line);
  return [
    withRivals(bytes),
    atMost(
      "web.draw.ms",
      "page, Draw: first digit recognised, from the page's load on",
      rounded(median(times)),
      "ms",
      100,
    ),
    atMost(
      "web.axe.violations",
      "page: violations that axe finds, all rooms, desktop and phone",
      violations.length,
      "",
      0,
    ),
  ];
}

interface Place {
  readonly browser: Browser;
  /** Address of an empty page, and the folder that it stands in. */
  readonly page: string;
  readonly folder: string;
  readonly hasRival: boolean;
  readonly full: boolean;
}

async function measureNet({ browser, page, folder, hasRival, full }: Place, net: WebNet): Promise<Figure[]> {
  const [container, onnx] = [`${net.id}.mote`, `${net.id}.onnx`];
  const model = net.model();
  writeFileSync(join(folder, container), model);
  const ours = await openOurs(browser, page, container);
  let theirs: Runner | undefined;
  if (hasRival) {
    const graph = floatGraph(synthNet(net.id));
    writeRandomNet(join(folder, onnx), graph);
    theirs = await openRival(browser, page, onnx, graph.input);
    rmSync(join(folder, onnx));
  }
  const compared = await compare(ours, theirs, full ? FULL_ROUNDS : QUICK_ROUNDS);
  for (const runner of [ours, theirs]) await runner?.close();
  return figuresOf(net, model.length, compared);
}

interface Compared {
  /** Medians, milliseconds. */
  readonly ms: number;
  readonly rivalMs?: number;
  /** Median of the rounds' ratios, which are steadier than the times. */
  readonly ratio?: number;
  readonly bytes: number;
  readonly rivalBytes?: number;
}

async function compare(ours: Runner, theirs: Runner | undefined, rounds: number): Promise<Compared> {
  const times: number[] = [];
  const rivalTimes: number[] = [];
  const count = await warmUp(ours);
  const rivalCount = theirs && (await warmUp(theirs));
  for (let round = 0; round < rounds; round++) {
    times.push(await ours.time(count));
    if (theirs) rivalTimes.push(await theirs.time(rivalCount!));
  }
  const ms = median(times);
  const bytes = await ours.memoryBytes();
  if (theirs === undefined) return { ms, bytes };
  const ratio = median(rivalTimes.map((time, round) => time / times[round]));
  return { ms, bytes, rivalMs: median(rivalTimes), ratio, rivalBytes: await theirs.memoryBytes() };
}

/** @returns how many runs make a round */
async function warmUp(runner: Runner): Promise<number> {
  let count = 1;
  for (const began = performance.now(); performance.now() - began < WARM_UP_MS;) {
    count = Math.max(1, Math.ceil(ROUND_MS / (await runner.time(count))));
  }
  return count;
}

function figuresOf({ id, title, least }: WebNet, fileBytes: number, measured: Compared): Figure[] {
  const { ms, rivalMs, ratio, bytes, rivalBytes } = measured;
  const megabytes = (value: number): number => rounded(value / 1e6);
  /** The rival's as it is measured now, else as it was once. */
  const withRival = (figure: Figure, value: number | undefined): Figure => {
    return value === undefined ? withRivals(figure) : { ...figure, beside: { [RIVAL]: value } };
  };
  const name = `${title}, ${fileBytes.toLocaleString("en")} bytes, in Chromium`;
  const figures = [
    withRival(
      { id: `web.${id}.ms`, name: `${name}: one image`, value: rounded(ms), unit: "ms" },
      rivalMs && rounded(rivalMs),
    ),
  ];
  if (ratio !== undefined) {
    figures.push(atLeast(`web.${id}.ratio`, `${title}: ${RIVAL}'s time by this one`, rounded(ratio), "", least));
  }
  if (id === "vgg16") {
    const memory = atMost("web.vgg16.memory", `${title}: linear memory`, megabytes(bytes), "MB", MAX_VGG_MB);
    figures.push(withRival(memory, rivalBytes && megabytes(rivalBytes)));
  }
  return figures;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
