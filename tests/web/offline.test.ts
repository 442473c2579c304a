/** The page is kept when it is first opened, and is there without a network: all rooms, and nothing else. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { named } from "../firmware/support/native.js";
import { builtPage, missingBrowser, webPage } from "./support.js";

describe.skipIf(missingBrowser.length > 0)(named("offline", missingBrowser), () => {
  const { open, closeRooms } = webPage();
  afterEach(closeRooms);

  it("works in all rooms after it has been opened once", async () => {
    const { page, context, server, troubles } = await open("draw", "phone");
    await page.getByText("It works offline from now on.").waitFor();
    await context.setOffline(true);
    // What the browser itself may have kept is not meant: the server is gone as well.
    await server.close();
    await page.goto(`${server.url}?from=home#draw`);
    await page.waitForSelector('main[data-digit="7"]');
    await page.getByRole("link", { name: "Look", exact: true }).click();
    await page.getByRole("button", { name: "Try the net that reads digits" }).click();
    await page.getByText("lenet5.mote tells 10 classes apart.").waitFor();
    await expect.poll(() => page.locator(".answer").textContent()).toBe("7");
    await page.getByRole("link", { name: "Shrink", exact: true }).click();
    await page.waitForFunction(() => document.title.startsWith("Shrink"));
    await page.waitForSelector("main.shrink h1");
    expect(troubles).toEqual([]);
  });

  it("gives what comes to the page where there is no room to keep it", async () => {
    const model = Buffer.alloc(300_000, 1);
    const { page, server, context } = await open("draw", "desktop", { files: { "models/large.mote": model } });
    await page.getByText("It works offline from now on.").waitFor();
    const session = await context.newCDPSession(page);
    const { origin } = new URL(server.url);
    await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 100_000 });
    const sizes = await page.evaluate(async () => {
      const worker = await (await fetch("service-worker.js")).text();
      const [large] = JSON.parse(/^const LARGE_FILES = (.*);$/m.exec(worker)![1]) as string[];
      const sizeOf = async (path: string): Promise<number> => (await (await fetch(path)).arrayBuffer()).byteLength;
      return [await sizeOf("models/large.mote"), await sizeOf(large)];
    });
    expect(sizes[0]).toBe(model.length);
    expect(sizes[1]).toBeGreaterThan(1 << 20);
  });

  it("can be installed: a manifest with icons that are there", async () => {
    const { page, server } = await open("draw", "phone");
    const session = await page.context().newCDPSession(page);
    const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
    expect(installabilityErrors).toEqual([]);
    const { errors, url } = await session.send("Page.getAppManifest");
    expect([errors, url]).toEqual([[], `${server.url}manifest.webmanifest`]);
    const manifest = readFileSync(join(builtPage(), "manifest.webmanifest"), "utf8");
    const { icons } = JSON.parse(manifest) as { icons: { src: string }[] };
    expect(icons.length).toBeGreaterThan(0);
    for (const { src } of icons) expect((await fetch(server.url + src)).status, src).toBe(200);
  });

  it("keeps each file of the page, and forgets those of one before", async () => {
    const { page, server } = await open("draw", "desktop");
    await page.getByText("It works offline from now on.").waitFor();
    await page.evaluate(async () => {
      await (await navigator.serviceWorker.ready).unregister();
      for (const name of ["mote-page-before", "of-somebody-else"]) await caches.open(name);
    });
    await page.reload();
    const names = (): Promise<string[]> => page.evaluate(() => caches.keys());
    await expect
      .poll(async () => (await names()).map((name) => name.replace(/[\da-f]{16}/, "…")).sort())
      .toEqual(["mote-page-…", "of-somebody-else"]);
    const kept = await page.evaluate(async () => {
      const [name] = (await caches.keys()).filter((one) => one.startsWith("mote-page-"));
      return (await (await caches.open(name)).keys()).map(({ url }) => url);
    });
    const large = await page.evaluate(async () => (await fetch("service-worker.js")).text());
    const later = JSON.parse(/^const LARGE_FILES = (.*);$/m.exec(large)![1]) as string[];
    const folder = builtPage();
    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => `${entry.parentPath}/${entry.name}`.slice(folder.length + 1))
      .filter((path) => path !== "service-worker.js" && !later.includes(path));
    expect(kept.sort()).toEqual(files.map((path) => server.url + path).sort());
  });
});
