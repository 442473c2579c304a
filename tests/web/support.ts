/** The built page in Chromium: served as a host does, watched for what it must not do. */
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect } from "vitest";
import { packageRoot } from "../../host/node/paths.js";
import { openBrowser } from "../../tools/bench/browser.js";
import { serveFolder, type StaticServer } from "../../tools/bench/static-server.js";
import { PAGE_FOLDER, VIEWPORTS } from "../../tools/bench/web-page.js";
import { POLICY } from "../../web/policy.js";

export { missingBrowser } from "../../tools/bench/browser.js";

export type ViewportName = keyof typeof VIEWPORTS;

/** Where pictures of the rooms are put. */
const SHOTS = join(packageRoot, "build/web-shots");

/** Builds the page where it is older than its sources. @returns its folder */
export function builtPage(): string {
  const { status, stderr } = spawnSync(process.execPath, [join(packageRoot, "tools/build.mjs"), "web"], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  return PAGE_FOLDER;
}

export interface RoomOptions {
  readonly colorScheme?: "light" | "dark";
  /** Permissions, as of the camera. */
  readonly permissions?: readonly string[];
  /** "block": the page is without what keeps its files, which would answer in the place of routes. */
  readonly serviceWorkers?: "allow" | "block";
  /** What the host serves beside the page, by path in its folder. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
}

/** A room as it is open. */
export interface OpenRoom {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly server: StaticServer;
  /** Requests of other origins, violations of the policy, errors on the console and uncaught: none, where all is well. */
  readonly troubles: string[];
}

/**
 * Serves the page and opens one browser for the tests of a file; call it in a `describe`.
 * @param flags of the browser
 * @returns what opens a room, such as "draw", with the page loaded; it is closed, and its troubles are looked at, by `closeRooms`
 */
export function webPage(flags: readonly string[] = []): {
  readonly open: (room: string, viewport: ViewportName, options?: RoomOptions) => Promise<OpenRoom>;
  /** Closes what is open, and expects that there were no troubles. */
  readonly closeRooms: () => Promise<void>;
} {
  let browser: Browser;
  let folder: string;
  const rooms: OpenRoom[] = [];
  beforeAll(async () => {
    folder = builtPage();
    browser = await openBrowser(flags);
  });
  afterAll(async () => {
    await browser?.close();
    await Promise.all(rooms.map(({ server }) => server.close()));
  });
  return {
    open: async (
      room,
      viewport,
      { colorScheme = "light", permissions = [], serviceWorkers = "allow", files = {} } = {},
    ) => {
      // The page has its policy in itself; workers take theirs from the header of their scripts.
      const headers = (path: string): Record<string, string> =>
        path.endsWith(".js") ? { "content-security-policy": POLICY } : {};
      const server = await serveFolder(folder, { below: "/some/folder/", headers, files });
      const context = await browser.newContext({
        ...VIEWPORTS[viewport],
        colorScheme,
        permissions: [...permissions],
        serviceWorkers,
      });
      const page = await context.newPage();
      const troubles: string[] = [];
      context.on("request", (request) => {
        const url = request.url();
        if (!url.startsWith(server.url) && !/^(blob|data):/.test(url)) troubles.push(`request to ${url}`);
      });
      page.on("console", (message) => {
        // Nobody can tell a browser that a file may be missing.
        if (message.type() === "error" && !message.location().url.includes("/models/")) troubles.push(message.text());
      });
      page.on("pageerror", (error) => troubles.push(error.message));
      await page.addInitScript(() => {
        addEventListener("securitypolicyviolation", (event) =>
          console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
        );
      });
      const opened = { page, context, server, troubles };
      rooms.push(opened);
      await page.goto(`${server.url}#${room}`);
      await page.waitForSelector("main h1");
      return opened;
    },
    closeRooms: async () => {
      const all = rooms.splice(0);
      for (const { context, server } of all) {
        await context.close();
        await server.close();
      }
      expect(all.flatMap(({ troubles }) => troubles)).toEqual([]);
    },
  };
}

/** Holds back what a page without a service worker asks for. @returns what lets it go, and waits until it has come and what follows from it */
export async function hold(page: Page, pattern: RegExp): Promise<() => Promise<void>> {
  let go = (): void => undefined;
  const held = new Promise<void>((resolve) => (go = resolve));
  await page.route(pattern, async (route) => {
    await held;
    await route.continue();
  });
  return async () => {
    const answered = page.waitForResponse(pattern);
    go();
    await (await answered).finished();
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)));
  };
}

/** Keeps a picture of the whole page in build/web-shots. */
export async function keepShot(page: Page, name: string): Promise<void> {
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
}
