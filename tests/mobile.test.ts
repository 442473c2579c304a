/** The examples for phones: the page of a WebView in Chromium of a phone's size, React Native's module under wasm3. Both answer what the reference answers. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PNG } from "pngjs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { argmax, probability } from "../host/engines/classify.js";
import { pixelTable } from "../host/engines/fill-input.js";
import { openReference } from "../host/engines/reference.js";
import { sealModule } from "../host/module/seal.js";
import { bake } from "../host/node/module/bake.js";
import { fastModule } from "../host/node/fast/fast-module.js";
import { packageRoot } from "../host/node/paths.js";
import { openModel, type Pixels } from "../runtime/index.js";
import { missingBrowser, openBrowser } from "../tools/bench/browser.js";
import { serveFolder } from "../tools/bench/static-server.js";
import { named } from "./firmware/support/native.js";

vi.mock("react-native-webassembly", async () => (await import("./support/react-native.js")).webAssembly());

const container = readFileSync(join(packageRoot, "models/lenet5.mote"));

/** The digit 7 of the examples. */
function digit(): Pixels {
  return PNG.sync.read(readFileSync(join(packageRoot, "examples/digit.png")));
}

describe("examples/react-native", () => {
  const modules = { packed: bake(container), fast: fastModule(container) };
  const native = globalThis.WebAssembly;
  afterAll(() => void (globalThis.WebAssembly = native));

  const open = async (module: Uint8Array): Promise<(picture: Pixels) => string> => {
    const { openDigits } = await import("../examples/react-native/digits.js");
    // What the addon checks modules by; React Native has none of it, nor needs it.
    Object.assign(globalThis.WebAssembly, { validate: native.validate });
    return openDigits(module);
  };

  it.each(["packed", "fast"] as const)(
    "runs a %s module under wasm3, by the package's own JavaScript",
    async (kind) => {
      const digits = await open(modules[kind]);
      const model = openReference(container);
      const table = pixelTable(model.input);
      /** The first `rows` rows of it, so that there is something to doubt. */
      const answers = (rows: number): string[] => {
        const picture = digit();
        picture.data.fill(0, 4 * 28 * rows);
        const logits = model.run(Int8Array.from({ length: 28 * 28 }, (_, i) => table[picture.data[4 * i]]));
        const best = argmax(logits);
        return [digits(picture), `${best}, ${(100 * probability(logits, best, model.output)).toFixed(1)} %`];
      };
      const [found, expected] = answers(28);
      expect(expected.slice(0, 2)).toBe("7,");
      expect(found).toBe(expected);
      const [doubted, doubt] = answers(14);
      expect(doubt).not.toContain("100.0");
      expect(doubted).toBe(doubt);
    },
  );

  it("refuses a damaged module, and one that wasm3 does not take", async () => {
    const damaged = modules.packed.slice();
    damaged[100] ^= 1;
    await expect(open(damaged)).rejects.toMatchObject({ code: "FORMAT" });
    const foreign = sealModule(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 9, 0));
    await expect(open(foreign)).rejects.toMatchObject({
      code: "ENGINE",
      message: expect.stringContaining("Failed to instantiate") as string,
    });
  });
});

describe.skipIf(missingBrowser.length > 0)(named("examples/webview", missingBrowser), () => {
  const folder = mkdtempSync(join(tmpdir(), "mote-webview-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  beforeAll(async () => {
    const { build } = await import("vite");
    await build({ root: join(packageRoot, "examples/webview"), logLevel: "error", build: { outDir: folder } });
  });

  it("reads a digit drawn by finger, and loads nothing but its own files", async () => {
    const server = await serveFolder(folder, { below: "/assets/" });
    const browser = await openBrowser();
    try {
      const page = await browser.newPage({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
      const asked: string[] = [];
      page.on("request", (request) => void asked.push(request.url()));
      await page.goto(`${server.url}index.html`);
      const { x, y, width, height } = (await page.locator("canvas").boundingBox())!;
      await page.mouse.move(x + width / 2, y + height / 4);
      await page.mouse.down();
      await page.mouse.move(x + width / 2, y + (height * 3) / 4, { steps: 5 });
      await page.mouse.up();
      const shown = await page.locator("output").textContent();
      const drawn = await page.evaluate(() => {
        const canvas = document.querySelector("canvas")!;
        const { width, height } = canvas;
        return { width, height, data: [...canvas.getContext("2d")!.getImageData(0, 0, width, height).data] };
      });
      const model = await openModel(container);
      const [{ label, probability }] = model.classify({ ...drawn, data: Uint8ClampedArray.from(drawn.data) });
      expect(label).toBe("1");
      // As far to the right on the canvas as the finger on the screen: in the middle.
      const lit = drawn.data.flatMap((value, i) => (i % 4 === 0 && value > 0 ? [(i / 4) % drawn.width] : []));
      expect(Math.abs(Math.min(...lit) + Math.max(...lit) + 1 - drawn.width)).toBeLessThanOrEqual(2);
      expect(shown).toBe(`${label}, ${(100 * probability).toFixed(1)} %`);
      await page.locator("button").tap();
      expect(await page.locator("output").textContent()).toBe("Draw a digit");
      expect(asked.filter((url) => !url.startsWith(server.url))).toEqual([]);
      expect(asked.filter((url) => url.endsWith(".mote"))).toHaveLength(1);
    } finally {
      await browser.close();
      await server.close();
    }
  });

  it("asks Android for no permission", () => {
    expect(readFileSync(join(packageRoot, "examples/webview/AndroidManifest.xml"), "utf8")).not.toContain("<uses-");
  });
});
