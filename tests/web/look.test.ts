/** *Look*: any net that classifies pictures, on a file or the camera; what is wrong is said in words. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import pngjs from "pngjs";
import { afterEach, describe, expect, it } from "vitest";
import { writeContainer } from "../../host/container/write.js";
import { loadFiles } from "../../host/node/data/load.js";
import { decodePng } from "../../host/node/data/png.js";
import { packageRoot } from "../../host/node/paths.js";
import { Random } from "../../host/rng.js";
import { openModel, type Prediction } from "../../runtime/index.js";
import { openModel as openBySimd } from "../../runtime/simd.js";
import { bytesText } from "../../web/dom.js";
import { fit } from "../../web/look/see.js";
import { named } from "../firmware/support/native.js";
import { buildModel } from "../support/models.js";
import { hold, keepShot, missingBrowser, webPage, type OpenRoom } from "./support.js";

/** Labels are a stranger's text. */
const LABELS = [
  "cat",
  "<b>dog</b>",
  "a rather long name of a thing, as ImageNet has them",
  "boat",
  "tree",
  "hat",
  "cup",
];
const photoNet = writeContainer({
  ...buildModel(11, [3, 8, 6], [{ op: "dense", out: LABELS.length, weights: "any", density: 1 }]),
  labels: LABELS,
  preprocessing: { layout: "planar", colours: "bgr", mean: [104, 117, 123], std: [1, 1, 1] },
});
const vectorNet = writeContainer(buildModel(12, [5, 1, 1], [{ op: "dense", out: 3, weights: "any", density: 1 }]));
const lenet5 = readFileSync(join(packageRoot, "models/lenet5.mote"));

const random = new Random(4);
const image = new pngjs.PNG({ width: 60, height: 45 });
for (let i = 0; i < image.data.length; i++) image.data[i] = i % 4 === 3 ? 255 : random.integer(256);
const photo = pngjs.PNG.sync.write(image);

/** What Node makes of it. */
async function expected(net: Uint8Array, png: Uint8Array): Promise<Prediction[]> {
  const model = await openModel(net);
  return model.classify(fit(decodePng(png, "photo"), model.inputs[0]).pixels).slice(0, 5);
}

const file = (name: string, buffer: Uint8Array) => ({ name, mimeType: "", buffer: Buffer.from(buffer) });

async function expectSight({ page }: OpenRoom, predictions: readonly Prediction[]): Promise<void> {
  const rows = predictions.map(({ label, probability }) => `${label}${(100 * probability).toFixed(1)} %`);
  await expect.poll(() => page.locator(".seen tbody tr").allTextContents()).toEqual(rows);
  await expect
    .poll(() => page.getByRole("status").textContent())
    .toBe(`${predictions[0].label}, ${Math.round(100 * predictions[0].probability)} per cent.`);
}

it("finds the digit in a picture for a net of smaller squares, too, as mote run does", async () => {
  const path = join(packageRoot, "examples/digit.png");
  const shape = [1, 16, 16] as const;
  const net = buildModel(13, shape, [{ op: "dense", out: 10, weights: "any", density: 1 }]);
  const [input] = (await openModel(writeContainer(net))).inputs;
  const { pixels, doubts } = fit(decodePng(readFileSync(path), "digit"), input);
  const digit = loadFiles([path], { shape });
  expect(Array.from(pixels.data.filter((_, i) => i % 4 === 0))).toEqual([...digit.images]);
  expect(doubts).toEqual(digit.doubts![0]);
});

describe.skipIf(missingBrowser.length > 0)(named("Look", missingBrowser), () => {
  // A camera that sees a test picture, and a user who allows it.
  const { open, closeRooms } = webPage(["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]);
  afterEach(closeRooms);

  it("gives for a file and a photo what Node gives, with names, time and memory", async () => {
    const room = await open("look", "desktop");
    const { page } = room;
    await page.getByText("This host serves no net for photos.").waitFor();
    await page
      .getByLabel("Photo", { exact: true })
      .setInputFiles({ ...file("photo.png", photo), mimeType: "image/png" });
    await page.getByLabel("Net", { exact: true }).setInputFiles(file("small.mote", photoNet));
    await expectSight(room, await expected(photoNet, photo));
    expect(await page.locator(".net").textContent()).toBe("small.mote tells 7 classes apart.");
    const facts = await page.locator(".facts dd").allTextContents();
    const { memoryBytes } = await openBySimd(photoNet);
    expect(facts.slice(1)).toEqual([bytesText(memoryBytes), bytesText(photoNet.length), "8 × 6, colour"]);
    expect(facts[0]).toMatch(/^[\d.]+ ms$/);
    await keepShot(page, "look-desktop");
  });

  it("takes the net that the host serves, and what is dropped", async () => {
    const room = await open("look", "desktop", { files: { "models/squeezenet.mote": photoNet } });
    const { page } = room;
    await page.getByText("squeezenet.mote tells 7 classes apart.").waitFor();
    await page.locator("main").evaluate(
      (main, bytes) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([Uint8Array.from(bytes)], "photo.png", { type: "image/png" }));
        main.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
      },
      [...photo],
    );
    await expectSight(room, await expected(photoNet, photo));
  });

  it("shows how it works with the net that reads digits, on a phone", async () => {
    const room = await open("look", "phone");
    const { page } = room;
    await page.getByRole("button", { name: "Try the net that reads digits" }).click();
    await expectSight(room, await expected(lenet5, readFileSync(join(packageRoot, "examples/digit.png"))));
    expect(await page.locator(".answer").textContent()).toBe("7");
    await keepShot(page, "look-phone");
  });

  it("says in words what is wrong with a file, and goes on", async () => {
    const room = await open("look", "desktop");
    const { page } = room;
    const damaged = photoNet.slice();
    damaged[damaged.length >> 1] ^= 1;
    for (const [name, bytes, message] of [
      ["damaged.mote", damaged, "STATUS_CRC, the checksum does not match"],
      ["empty.mote", new Uint8Array(), "the file ends within a field"],
      ["page.mote", Buffer.from("<!doctype html><p>404</p>"), "not a .mote file"],
      ["vector.mote", vectorNet, "this net takes 5 × 1 × 1 and gives 3 numbers; expected one that takes a picture"],
      ["module.wasm", Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0), "not a module that mote pack"],
    ] as const) {
      await page.getByLabel("Net", { exact: true }).setInputFiles(file(name, bytes));
      await expect.poll(() => page.getByRole("alert").textContent(), { message: name }).toContain(message);
      expect(await page.locator(".net").textContent()).toBe("No net is open.");
    }
    const notPicture = { ...file("photo.png", lenet5), mimeType: "image/png" };
    await page.getByLabel("Photo", { exact: true }).setInputFiles(notPicture);
    await expect
      .poll(() => page.getByRole("alert").textContent())
      .toBe("photo.png is no picture that this browser can read.");
    await page.getByLabel("Net", { exact: true }).setInputFiles(file("small.mote", photoNet));
    await page
      .getByLabel("Photo", { exact: true })
      .setInputFiles({ ...file("photo.png", photo), mimeType: "image/png" });
    await expectSight(room, await expected(photoNet, photo));
    expect(await page.getByRole("alert").count()).toBe(0);
  });

  it("looks through the camera from a click on, until the next", async () => {
    const { page } = await open("look", "phone", {
      permissions: ["camera"],
      files: { "models/squeezenet.mote": photoNet },
    });
    await page.getByText("squeezenet.mote tells 7 classes apart.").waitFor();
    const isFilming = (): Promise<boolean> => page.getByRole("button", { name: "Stop the camera" }).isVisible();
    expect(await isFilming()).toBe(false);
    await page.getByRole("button", { name: "Use the camera" }).click();
    await expect.poll(isFilming).toBe(true);
    await expect.poll(() => page.locator(".seen tbody tr").count()).toBe(5);
    await page.getByRole("button", { name: "Stop the camera" }).click();
    expect(await isFilming()).toBe(false);
  });

  /** Pictures of digits, as a browser writes them. */
  const digits = (page: OpenRoom["page"]): Promise<number[][]> =>
    page.evaluate(() => {
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = 400;
      const pen = canvas.getContext("2d")!;
      return ["1", "7"].map((text) => {
        pen.fillStyle = "white";
        pen.fillRect(0, 0, 400, 400);
        pen.fillStyle = "black";
        pen.font = "300px sans-serif";
        pen.fillText(text, 110, 300);
        const [, bytes] = canvas.toDataURL("image/png").split(",");
        return Array.from(atob(bytes), (character) => character.charCodeAt(0));
      });
    });

  it("tells what the last of two pictures shows that come at once", async () => {
    const { page } = await open("look", "desktop", { files: { "models/squeezenet.mote": lenet5 } });
    await page.getByText("squeezenet.mote tells 10 classes apart.").waitFor();
    await page.locator("main").evaluate(
      (main, pictures) => {
        const dataTransfer = new DataTransfer();
        for (const [i, bytes] of pictures.entries()) {
          dataTransfer.items.add(new File([Uint8Array.from(bytes)], `${i}.png`, { type: "image/png" }));
        }
        main.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
      },
      await digits(page),
    );
    await page.getByLabel("The picture 1.png").waitFor();
    await expect.poll(() => page.locator(".answer").textContent()).toBe("7");
    expect(await page.getByLabel("The picture 1.png").count()).toBe(1);
  });

  it("says nothing of a net that is closed, nor of the picture by it", async () => {
    const { page } = await open("look", "desktop", { files: { "models/squeezenet.mote": photoNet } });
    const facts = page.locator(".facts");
    const seen = page.locator(".seen");
    await facts.waitFor();
    await page
      .getByLabel("Photo", { exact: true })
      .setInputFiles({ ...file("photo.png", photo), mimeType: "image/png" });
    await seen.waitFor();
    await page.getByLabel("Net", { exact: true }).setInputFiles(file("cut.mote", photoNet.subarray(0, 900)));
    await page.getByRole("alert").waitFor();
    expect([await facts.isVisible(), await seen.isVisible()]).toEqual([false, false]);
  });

  it("starts no worker once it is left", async () => {
    const { page } = await open("look", "desktop", { serviceWorkers: "block" });
    await page.getByText("This host serves no net for photos.").waitFor();
    const go = await hold(page, /digit.*\.png/);
    await page.getByRole("button", { name: "Try the net that reads digits" }).click();
    await page.getByRole("link", { name: "Draw", exact: true }).click();
    await page.waitForSelector("main.draw h1");
    expect(page.workers()).toHaveLength(0);
    let started = 0;
    page.on("worker", () => started++);
    await go();
    expect(started).toBe(0);
  });

  it("shows what the camera sees without a net, and says when it ends", async () => {
    const { page } = await open("look", "desktop", { permissions: ["camera"] });
    await page.getByText("This host serves no net for photos.").waitFor();
    await page.evaluate(() => {
      const { mediaDevices } = navigator;
      const ask = mediaDevices.getUserMedia.bind(mediaDevices);
      mediaDevices.getUserMedia = async (wanted) => {
        const stream = await ask(wanted);
        Object.assign(window, { track: stream.getTracks()[0] });
        return stream;
      };
    });
    await page.getByRole("button", { name: "Use the camera" }).click();
    await page.getByLabel("What the camera sees").waitFor();
    const view = (): Promise<string> =>
      page.locator(".view").evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
    const first = await view();
    await expect.poll(view).not.toBe(first);
    // Nothing else ends it here as a plug that is pulled does.
    await page.evaluate(() => (window as unknown as { track: EventTarget }).track.dispatchEvent(new Event("ended")));
    await expect.poll(() => page.getByRole("alert").textContent()).toBe("The camera has ended.");
    expect(await page.getByRole("button", { name: "Use the camera" }).isVisible()).toBe(true);
    expect(await page.getByText("Drop, paste or choose a photo").isVisible()).toBe(true);
  });

  it("lets go of the camera when nothing answers", async () => {
    const { page } = await open("look", "desktop", {
      permissions: ["camera"],
      files: { "models/squeezenet.mote": photoNet },
    });
    await page.getByText("squeezenet.mote tells 7 classes apart.").waitFor();
    await page.evaluate(() => {
      const wait = window.setTimeout.bind(window);
      const patience = 30_000;
      const sooner = (then: () => void, ms: number) => wait(then, ms === patience ? 100 : ms);
      Object.assign(window, { setTimeout: sooner });
      Worker.prototype.postMessage = () => undefined;
    });
    await page.getByRole("button", { name: "Use the camera" }).click();
    await expect
      .poll(() => page.getByRole("alert").textContent())
      .toBe("There was no answer for 30 seconds: the net was closed.");
    expect(await page.getByRole("button", { name: "Use the camera" }).isVisible()).toBe(true);
  });

  it("scans on while the host's own net comes", async () => {
    const { page, context } = await open("look", "desktop", { permissions: ["camera"], serviceWorkers: "block" });
    let go = (): void => undefined;
    const held = new Promise<void>((resolve) => (go = resolve));
    await context.route(/models\//, async (route) => {
      await held;
      await route.fulfill({ body: Buffer.from(photoNet) });
    });
    await page.reload();
    await page.getByRole("button", { name: "Scan a net's code" }).click();
    const stop = page.getByRole("button", { name: "Stop scanning" });
    await stop.waitFor();
    go();
    await page.locator(".facts").waitFor();
    expect(await page.locator(".net").textContent()).toContain("Hold the code still");
    await stop.click();
    expect(await page.locator(".net").textContent()).toBe("squeezenet.mote tells 7 classes apart.");
  });

  it("lets go of the camera when the next room cannot be loaded", async () => {
    const { page, context, troubles } = await open("look", "desktop", {
      permissions: ["camera"],
      serviceWorkers: "block",
      files: { "models/squeezenet.mote": photoNet },
    });
    await page.getByText("squeezenet.mote tells 7 classes apart.").waitFor();
    await page.evaluate(() => {
      const stop = MediaStreamTrack.prototype.stop;
      MediaStreamTrack.prototype.stop = function () {
        document.title = "stopped";
        stop.call(this);
      };
    });
    await page.getByRole("button", { name: "Use the camera" }).click();
    await page.getByRole("button", { name: "Stop the camera" }).waitFor();
    await context.route(/assets\//, (route) => route.abort());
    await page.getByRole("link", { name: "Shrink", exact: true }).click();
    await page.getByText("This room could not be loaded").waitFor();
    expect(await page.title()).toBe("stopped");
    await expect.poll(() => page.workers().length).toBe(0);
    troubles.length = 0;
  });
});
