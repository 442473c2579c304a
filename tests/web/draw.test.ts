/** *Draw*: what is drawn is read, by mouse, finger and keys, and shown layer by layer. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterEach, describe, expect, it } from "vitest";
import { packageRoot } from "../../host/node/paths.js";
import { readRivals } from "../../tools/bench/rivals.js";
import { strokesOf } from "../../web/draw/digits.js";
import { named } from "../firmware/support/native.js";
import { keepShot, missingBrowser, webPage, type ViewportName } from "./support.js";

/** Strokes in hundredths of the pad: smaller, off the middle, and of other hands than the page's own digits. */
const DRAWN: readonly (readonly [digit: string, strokes: readonly string[]])[] = [
  ["7", ["20,20 34,19 48,20 44,32 38,46 33,60"]],
  ["1", ["70,20 69,40 67,60 66,75"]],
  ["0", ["50,30 40,35 36,50 40,65 50,70 60,64 63,50 60,36 50,30"]],
  ["4", ["30,20 28,35 30,48 45,48 62,46", "60,20 59,40 58,60 57,82"]],
];

async function draw(page: Page, viewport: ViewportName, strokes: readonly string[]): Promise<void> {
  const box = (await page.locator(".pad").boundingBox())!;
  const session = await page.context().newCDPSession(page);
  for (const stroke of strokes) {
    const points = stroke.split(" ").map((point) => {
      const [x, y] = point.split(",").map(Number);
      return { x: box.x + (x / 100) * box.width, y: box.y + (y / 100) * box.height };
    });
    if (viewport === "phone") {
      for (const [i, point] of points.entries()) {
        const type = i === 0 ? "touchStart" : "touchMove";
        await session.send("Input.dispatchTouchEvent", { type, touchPoints: [point] });
      }
      await session.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
    } else {
      await page.mouse.move(points[0].x, points[0].y);
      await page.mouse.down();
      for (const { x, y } of points) await page.mouse.move(x, y, { steps: 2 });
      await page.mouse.up();
    }
  }
}

const reads = (page: Page, digit: string): Promise<unknown> => page.waitForSelector(`main[data-digit="${digit}"]`);
/** Colours in each picture of a layer. */
const pictures = (page: Page): Promise<number[]> =>
  page.locator(".layers canvas").evaluateAll((all) =>
    (all as HTMLCanvasElement[]).map((canvas) => {
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      return new Set(new Uint32Array(data.buffer)).size;
    }),
  );

describe.skipIf(missingBrowser.length > 0)(named("Draw", missingBrowser), () => {
  const { open, closeRooms } = webPage();
  afterEach(closeRooms);

  it.each(["desktop", "phone"] as const)("reads strokes, on a %s", async (viewport) => {
    const { page } = await open("draw", viewport);
    await reads(page, "7");
    await page.waitForSelector(".comparison");
    const scrolled = await page.evaluate(() => scrollY);
    for (const [digit, strokes] of DRAWN) {
      await page.getByRole("button", { name: "Clear" }).click();
      await page.waitForSelector("main:not([data-digit])");
      await draw(page, viewport, strokes);
      await reads(page, digit);
      expect(await page.locator(".bars .best th").textContent()).toBe(digit);
    }
    // Touches draw and do not scroll.
    expect(await page.evaluate(() => scrollY)).toBe(scrolled);
    const shares = await page.locator(".bars tbody td:last-child").allTextContents();
    const sum = shares.reduce((total, text) => total + parseFloat(text), 0);
    expect(shares).toHaveLength(10);
    expect(Math.abs(sum - 100)).toBeLessThan(1);
    await expect.poll(() => page.getByRole("status").textContent()).toMatch(/^It looks like a 4, \d+ per cent\.$/);
    await keepShot(page, `draw-${viewport}`);
  });

  it("undoes strokes, writes digits by keys and by buttons, and does so only where the pad has the focus", async () => {
    const { page } = await open("draw", "desktop");
    await reads(page, "7");
    // Without motion a digit is written at once.
    await page.emulateMedia({ reducedMotion: "reduce" });
    await page.keyboard.press("3");
    expect(await page.locator("main").getAttribute("data-digit")).toBe("7");
    await page.emulateMedia({ reducedMotion: "no-preference" });
    await page.locator(".pad").focus();
    for (const digit of ["4", "0", "3"]) {
      await page.keyboard.press(digit);
      await reads(page, digit);
    }
    // What was written makes room for what is drawn.
    await draw(page, "desktop", DRAWN[2][1]);
    await reads(page, "0");
    await page.keyboard.press("Delete");
    await page.waitForSelector("main:not([data-digit])");
    await expect.poll(() => page.getByRole("button", { name: "Undo" }).isDisabled()).toBe(true);
    await draw(page, "desktop", DRAWN[1][1]);
    await reads(page, "1");
    await draw(page, "desktop", ["10,50 90,50"]);
    await page.waitForSelector('main:not([data-digit="1"])');
    await page.keyboard.press("Control+z");
    await reads(page, "1");
    await page.keyboard.press("Backspace");
    await page.waitForSelector("main:not([data-digit])");
    await page.getByRole("button", { name: "Write a 5" }).click();
    await reads(page, "5");
    await expect.poll(() => page.locator(".digit").textContent()).toBe("5");
  });

  it("keeps the keys where a button that was pressed can no longer be", async () => {
    const { page } = await open("draw", "desktop");
    await reads(page, "7");
    for (const name of ["Clear", "Undo"]) {
      await page.getByRole("button", { name, exact: true }).focus();
      await page.keyboard.press("Enter");
      await page.waitForSelector("main:not([data-digit])");
      await page.keyboard.press("1");
      await reads(page, "1");
    }
  });

  it("reads digits where nobody says what they take", async () => {
    const { page, server } = await open("draw", "desktop", { files: { "bytes.json": Buffer.from("<!doctype html>") } });
    await reads(page, "7");
    await expect.poll(() => server.asked.filter((path) => path.endsWith("/bytes.json")).length).toBeGreaterThan(0);
    await page.getByRole("button", { name: "Write a 5" }).click();
    await reads(page, "5");
    expect(await page.getByRole("alert").allTextContents()).toEqual([]);
  });

  it("shows each layer, and nothing of an empty pad", async () => {
    const { page } = await open("draw", "desktop");
    await reads(page, "7");
    const captions = await page.locator(".layers figcaption span").allTextContents();
    expect(captions).toEqual([
      "28 × 28, 784 bytes",
      "8 pictures of 12 × 12, 1,152 bytes",
      "20 pictures of 4 × 4, 320 bytes",
      "48 numbers, 48 bytes",
      "10 numbers, 10 bytes",
    ]);
    for (const colours of await pictures(page)) expect(colours).toBeGreaterThan(4);
    await page.getByRole("button", { name: "Clear" }).click();
    await page.waitForSelector("main:not([data-digit])");
    expect((await pictures(page))[0]).toBe(1);
  });

  it("says what is loaded for it, and what onnxruntime-web would load, as bench/rivals.json has it", async () => {
    const { page, server } = await open("draw", "desktop");
    await page.waitForSelector(".comparison");
    const cells = await page.locator(".sizes td").allTextContents();
    const { figures } = readRivals().find(({ name }) => name === "onnxruntime-web")!;
    expect(cells.slice(1, 4)).toEqual(
      ["web.draw.engine.brotli", "web.draw.model.brotli", "web.draw.brotli"].map(
        (id) => `${(figures[id] / 1e6).toFixed(2)} MB`,
      ),
    );
    const bytes = JSON.parse(readFileSync(join(packageRoot, "build/web/bytes.json"), "utf8")) as Record<string, number>;
    const total = bytes.engine + bytes.model;
    expect(total).toBeGreaterThan(8000);
    expect(total).toBeLessThanOrEqual(16_384);
    expect(cells.at(-1)).toBe(`${(total / 1000).toFixed(1)} KB`);
    await page.getByText("It works offline from now on.").waitFor();
    // Each file once, and nothing of other rooms before the worker for offline use asks for all.
    const before = server.asked.slice(0, server.asked.findIndex((path) => path.endsWith("service-worker.js")) + 1);
    expect(new Set(before).size).toBe(before.length);
    expect(before.filter((path) => path.endsWith(".mote"))).toHaveLength(1);
    await expect
      .poll(() => page.locator(".facts dd").allTextContents())
      .toEqual([
        expect.stringMatching(/^[\d.]+ ms$/),
        "4,336 bytes",
        "2,922 bytes",
        expect.stringMatching(/^[3-9]\d\.\d KB$/),
      ]);
  });
});

it("each digit of the page's own stays on the pad", () => {
  for (let digit = 0; digit < 10; digit++) {
    const points = strokesOf(digit).flat(2);
    expect(Math.min(...points)).toBeGreaterThan(0.05);
    expect(Math.max(...points)).toBeLessThan(0.95);
  }
});
