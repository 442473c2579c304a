/** Accessibility of the rooms as they are opened, by axe; what a room shows later is for its own tests. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser } from "playwright-core";
import { openBrowser } from "../../tools/bench/browser.js";
import { axeViolations, drawBytes, firstDigits, violationsIn } from "../../tools/bench/web-page.js";
import { named } from "../firmware/support/native.js";
import { builtPage, missingBrowser } from "./support.js";

describe.skipIf(missingBrowser.length > 0)(named("the rooms", missingBrowser), () => {
  let browser: Browser;
  beforeAll(async () => {
    builtPage();
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  it("have no violation that axe finds, on a desktop and a phone, light and dark", async () => {
    expect(await axeViolations(browser)).toEqual([]);
  });

  it("would have one for a picture without a name", async () => {
    const page = await browser.newPage();
    await page.setContent(`<html lang="en"><title>t</title><main><h1>h</h1><img src="data:,"></main>`);
    expect(await violationsIn(page)).toEqual([expect.stringMatching(/^image-alt: /)]);
    await page.close();
  });

  it("give the figures of Draw: at most 16,384 bytes, and when the first digit is read", async () => {
    const { engine, model, room, frame } = drawBytes();
    expect(model).toBeGreaterThan(2000);
    expect(engine).toBeGreaterThan(5000);
    expect(room).toBeGreaterThan(1000);
    expect(frame).toBeGreaterThan(1000);
    expect(engine + model).toBeLessThanOrEqual(16_384);
    const [{ fromStart, fromLoad }] = await firstDigits(browser, 1);
    expect(fromStart).toBeGreaterThan(fromLoad);
  });
});
