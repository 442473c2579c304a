/** The Shrink room in a browser: files dropped, good and hostile; the graph by keys; what is downloaded runs. */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Download, Page } from "playwright-core";
import { afterEach, describe, expect, it } from "vitest";
import { Random } from "../../host/rng.js";
import { bake } from "../../host/node/module/bake.js";
import { openEngine } from "../../host/node/engines/open.js";
import { packageRoot } from "../../host/node/paths.js";
import { violationsIn } from "../../tools/bench/web-page.js";
import { mote, scratchFolder } from "../cli/support.js";
import { named } from "../firmware/support/native.js";
import { attribute, edge, floats, model, node } from "../support/onnx.js";
import { hold, keepShot, missingBrowser, webPage, type ViewportName } from "./support.js";

const inRepo = (path: string): string => join(packageRoot, path);
const golden = (name: string): string => inRepo(`tests/golden/import/${name}`);

/** As a user drops files from a folder. */
async function drop(page: Page, paths: readonly string[], bytes?: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const files = paths.map((path) => {
    const content = bytes?.get(path) ?? readFileSync(path);
    return { name: basename(path), base64: Buffer.from(content).toString("base64") };
  });
  await page.evaluate((dropped) => {
    const transfer = new DataTransfer();
    for (const { name, base64 } of dropped) {
      const content = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      transfer.items.add(new File([content], name));
    }
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }, files);
}

async function download(page: Page, name: string): Promise<{ readonly name: string; readonly bytes: Buffer }> {
  const [file]: [Download, void] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("group", { name: "Download" }).getByRole("button", { name, exact: true }).click(),
  ]);
  return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
}

const headline = (page: Page): Promise<string | null> => page.locator(".headline h2").textContent();

describe.skipIf(missingBrowser.length > 0)(named("the Shrink room", missingBrowser), () => {
  const { open, closeRooms } = webPage();
  const scratch = scratchFolder();
  afterEach(closeRooms);

  it("makes of a .tflite what mote pack does, and what it gives to download runs alike", async () => {
    const { page } = await open("shrink", "desktop");
    await drop(page, [golden("conv-int8.tflite")]);
    await page.waitForSelector(".headline");
    expect(await headline(page)).toMatch(/^[\d.]+ times smaller$/);
    const out = scratch.path("net.mote");
    expect((await mote(["pack", golden("conv-int8.tflite"), "-o", out])).code).toBe(0);
    const container = await download(page, ".mote");
    expect(container.name).toBe("conv-int8.mote");
    expect(container.bytes.equals(readFileSync(out))).toBe(true);
    const module = await download(page, ".wasm");
    expect(module.bytes.equals(bake(container.bytes))).toBe(true);
    const [theirs, ours] = [openEngine("v8", module.bytes), openEngine("reference", readFileSync(out))];
    const random = new Random(3);
    const input = Int8Array.from(
      { length: theirs.input.shape.reduce((a, b) => a * b) },
      () => random.integer(256) - 128,
    );
    expect(theirs.run(input)).toEqual(ours.run(input));
    for (const [button, name] of [
      ["C source", "conv-int8-c.zip"],
      ["Report", "conv-int8-report.html"],
      ["JSON", "conv-int8.json"],
    ]) {
      expect((await download(page, button)).name).toBe(name);
    }
    await page.waitForSelector(".boards .fits");
    expect(await page.locator(".boards > li").count()).toBe(5);
    await keepShot(page, "shrink-tflite-desktop");
  });

  it.each(["desktop", "phone"] as ViewportName[])(
    "shows an .onnx with generated samples labelled as such, %s",
    async (viewport) => {
      const { page } = await open("shrink", viewport);
      await page.getByRole("button", { name: "A net of PyTorch, .onnx" }).click();
      await page.waitForSelector(".headline");
      expect(await page.locator(".headline .notice").textContent()).toMatch(/^Generated samples\./);
      const boxes = page.locator(".graph .box");
      expect(await boxes.count()).toBeGreaterThan(10);
      await page.getByRole("button", { name: "As its file has it" }).click();
      expect(await page.locator(".graph .box .title").allTextContents()).toContain("Conv ");
      await keepShot(page, `shrink-onnx-${viewport}`);
      expect(await violationsIn(page)).toEqual([]);
      // Every plot has its figures as a table.
      expect(await page.locator("canvas").count()).toBe(await page.locator(".plot details table").count());
    },
  );

  it("moves and scales the graph by keys, and tells of a box by Enter", async () => {
    const { page } = await open("shrink", "desktop");
    await drop(page, [inRepo("models/lenet5.mote")]);
    await page.waitForSelector(".graph .box");
    const place = (): Promise<string | null> => page.locator(".graph > g").getAttribute("transform");
    const scale = async (): Promise<number> => Number(/scale\((.*)\)/.exec((await place())!)![1]);
    const before = await scale();
    await page.locator(".viewport").focus();
    await page.keyboard.press("+");
    await page.keyboard.press("+");
    expect(await scale()).toBeCloseTo(before * 1.25 ** 2, 3);
    const moved = await place();
    await page.keyboard.press("ArrowLeft");
    expect(await place()).not.toBe(moved);
    expect(await scale()).toBeCloseTo(before * 1.25 ** 2, 3);
    await page.keyboard.press("0");
    const whole = await scale();
    await page.getByRole("button", { name: "Smaller" }).click();
    expect(await scale()).toBeCloseTo(whole / 1.25, 3);
    await page.locator(".viewport").focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    expect(await page.locator(".box-facts h3").textContent()).toBe("conv2d");
    expect(await page.locator(".box-facts dl").textContent()).toContain("multiplications");
    expect(await page.getByLabel("Layer", { exact: true }).inputValue()).toBe("0");
  });

  it("is quantized anew by samples that are dropped afterwards, with fewer values where asked for", async () => {
    const { page } = await open("shrink", "desktop");
    await drop(page, [golden("torch-digits.onnx")]);
    await page.waitForSelector(".headline .notice");
    await drop(page, [inRepo("examples/digit.png")]);
    await page.waitForSelector(".headline:not(:has(.notice))");
    await page.getByLabel("Values of a layer's weights").selectOption("3");
    await expect
      .poll(async () => {
        const cells = page.locator("table:has(th:text-is('values')) tbody tr td:nth-of-type(5)");
        const values = (await cells.allTextContents()).filter(Boolean).map(Number);
        return values.length > 0 && Math.max(...values) <= 8;
      })
      .toBe(true);
  });

  it("says all that stands in the way, and shows where", async () => {
    const { page } = await open("shrink", "phone");
    await drop(page, [golden("refused.onnx")]);
    const alert = page.getByRole("alert");
    await alert.waitFor();
    expect(await alert.locator("li").count()).toBeGreaterThan(1);
    await alert
      .getByRole("button", { name: /^Show / })
      .first()
      .click();
    expect(await page.locator(".box.refused.chosen").count()).toBe(1);
    expect(await page.locator(".box-facts").textContent()).toContain("why not");
    expect(await violationsIn(page)).toEqual([]);
    await keepShot(page, "shrink-refused-phone");
  });

  it("answers hostile files in words, and takes the next one", async () => {
    const { page } = await open("shrink", "desktop");
    const lenet = readFileSync(inRepo("models/lenet5.mote"));
    const broken = Uint8Array.from(lenet);
    broken[40] ^= 0xff;
    const script = Buffer.from('<svg onload="alert(1)">');
    const files = new Map<string, Uint8Array>([
      ["cut.mote", lenet.subarray(0, 500)],
      ["broken.mote", broken],
      ["<img src=x onerror=alert(1)>.onnx", script],
      ["empty.tflite", new Uint8Array()],
      ["deep.onnx", new Uint8Array(20_000).fill(0x3a)],
    ]);
    for (const name of files.keys()) {
      await page.evaluate(() => document.querySelector(".place")!.replaceChildren());
      await drop(page, [name], files);
      const alert = page.getByRole("alert");
      await alert.waitFor();
      expect(await alert.textContent()).toContain(name);
    }
    expect(await page.locator("img").count()).toBe(0);
    await drop(page, [inRepo("models/lenet5.mote")]);
    await page.waitForSelector(".headline");
    expect(await headline(page)).toBe("590 times smaller");
  });

  it("takes no example that comes behind a file of one's own, or behind the room", async () => {
    const { page } = await open("shrink", "desktop", { serviceWorkers: "block" });
    let go = await hold(page, /conv-int8.*\.tflite/);
    await page.getByRole("button", { name: "An int8 net" }).click();
    await drop(page, [inRepo("models/lenet5.mote")]);
    await page.waitForSelector(".headline");
    await go();
    expect(await page.locator(".headline p").first().textContent()).toBe("lenet5");
    go = await hold(page, /torch-blocks.*\.onnx/);
    await page.getByRole("button", { name: "A net of PyTorch" }).click();
    await page.getByRole("link", { name: "Draw" }).click();
    await page.waitForSelector("main.draw h1");
    let started = 0;
    page.on("worker", () => started++);
    await go();
    expect(started).toBe(0);
  });

  it("asks again for a part of the page that did not come", async () => {
    const { page, context, troubles } = await open("shrink", "desktop", { serviceWorkers: "block" });
    const parts = /(core|fast)-named/;
    await context.route(parts, (route) => route.fulfill({ status: 503 }));
    await drop(page, [inRepo("models/lenet5.mote")]);
    await page.getByText("a part of this page could not be loaded (503)").waitFor();
    await context.unroute(parts);
    troubles.length = 0;
    await page.getByRole("button", { name: "Try again" }).click();
    await page.locator(".boards li").first().waitFor();
    const module = await download(page, ".wasm");
    expect(module.bytes.equals(bake(readFileSync(inRepo("models/lenet5.mote"))))).toBe(true);
  });

  it("can be cancelled, and is left without a trace", async () => {
    const { page } = await open("shrink", "desktop");
    // Ten seconds of multiplications.
    const slow = model(
      13,
      edge(11, "x", [1, 16, 256, 256]),
      floats(
        "w",
        [16, 16, 7, 7],
        Array.from({ length: 16 * 16 * 49 }, () => 0.01),
      ),
      node("Conv", ["x", "w"], ["y"], attribute("pads", [3, 3, 3, 3])),
      edge(12, "y", [1, 16, 256, 256]),
    );
    await drop(page, ["slow.onnx"], new Map([["slow.onnx", slow]]));
    await page.getByText(/^Running samples/).waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText(/^Cancelled\./).waitFor();
    // A browser gives it two seconds.
    await expect.poll(() => page.workers().length, { timeout: 20_000 }).toBe(0);
    await drop(page, [inRepo("models/lenet5.mote")]);
    await page.waitForSelector(".headline");
    await page.getByRole("link", { name: "Draw" }).click();
    await page.waitForFunction(() => document.title.startsWith("Draw"));
    await expect.poll(() => page.workers().length, { timeout: 20_000 }).toBe(0);
  });
});
