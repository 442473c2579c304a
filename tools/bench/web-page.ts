/** What `mote bench --only web` says of the page itself: bytes, the first digit, accessibility. It takes the built page, build/web. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { packageRoot } from "../../host/node/paths.js";
import type { DrawBytes } from "../../web/weigh.js";
import { serveFolder } from "./static-server.js";

/** Where `node tools/build.mjs web` puts it. */
export const PAGE_FOLDER = join(packageRoot, "build/web");

export const VIEWPORTS = {
  desktop: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
} as const satisfies Record<string, BrowserContextOptions>;

export const ROOMS = ["draw", "shrink", "look"] as const;

/** What *Draw* takes: engine with runtime, and model, are what runs its net; beside them the page's own files. */
export function drawBytes(): DrawBytes {
  return JSON.parse(readFileSync(join(PAGE_FOLDER, "bytes.json"), "utf8")) as DrawBytes;
}

/** Milliseconds from the beginning of the navigation, and from the page's load event, to the first digit read. */
export interface FirstDigit {
  readonly fromStart: number;
  readonly fromLoad: number;
}

/** Opens *Draw* in contexts of their own, so that nothing is kept from one to the next. @returns one a time */
export async function firstDigits(browser: Browser, times: number): Promise<FirstDigit[]> {
  const server = await serveFolder(PAGE_FOLDER);
  const results: FirstDigit[] = [];
  try {
    for (let i = 0; i < times; i++) {
      const context = await browser.newContext(VIEWPORTS.desktop);
      const page = await context.newPage();
      await page.goto(`${server.url}#draw`);
      await page.waitForSelector("main[data-digit]");
      results.push(
        await page.evaluate(() => {
          const [{ loadEventStart }] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
          const [{ startTime }] = performance.getEntriesByName("mote-first-digit");
          return { fromStart: startTime, fromLoad: Math.max(0, startTime - loadEventStart) };
        }),
      );
      await context.close();
    }
  } finally {
    await server.close();
  }
  return results;
}

/** @returns a line for each violation that axe finds in a page as it is now */
export async function violationsIn(page: Page): Promise<string[]> {
  const source = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  // By the debugger's protocol, which no policy of the page forbids.
  await page.evaluate(source);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, help, nodes }) => nodes.map(({ html }) => `${id}: ${help}: ${html}`));
  });
}

/** Of axe's results, what is read. */
interface Violation {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** @returns a line for each violation in all rooms, on a desktop and a phone, light and dark */
export async function axeViolations(browser: Browser): Promise<string[]> {
  const server = await serveFolder(PAGE_FOLDER);
  const lines: string[] = [];
  try {
    for (const [name, viewport] of Object.entries(VIEWPORTS)) {
      for (const colorScheme of ["light", "dark"] as const) {
        const context = await browser.newContext({ ...viewport, colorScheme });
        const page = await context.newPage();
        for (const room of ROOMS) {
          await page.goto(`${server.url}#${room}`);
          await page.waitForSelector(`main.${room} h1`);
          if (room === "draw") await page.waitForSelector(".comparison");
          const found = await violationsIn(page);
          lines.push(...found.map((line) => `${room}, ${name}, ${colorScheme}: ${line}`));
        }
        await context.close();
      }
    }
  } finally {
    await server.close();
  }
  return lines;
}
