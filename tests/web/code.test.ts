/** *Look*: a net out of a picture of its QR code, from a file and by the camera. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PNG } from "pngjs";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { packageRoot } from "../../host/node/paths.js";
import type { Picture } from "../../host/data/plane.js";
import { encodeQr } from "../../host/qr/encode.js";
import { photographed } from "../../tools/bench/qr-photo.js";
import { bytesText } from "../../web/dom.js";
import { named } from "../firmware/support/native.js";
import { keepShot, missingBrowser, webPage } from "./support.js";

const lenet5 = readFileSync(join(packageRoot, "models/lenet5.mote"));
const digit = readFileSync(join(packageRoot, "examples/digit.png"));
const folder = mkdtempSync(join(tmpdir(), "mote-code-"));
afterAll(() => rmSync(folder, { recursive: true }));

function pngOf({ width, height, rgba }: Picture): Buffer {
  const png = new PNG({ width, height });
  png.data = Buffer.from(rgba);
  return PNG.sync.write(png);
}

const file = (name: string, buffer: Buffer) => ({ name, mimeType: "image/png", buffer });

/** A film of pictures of one size, uncompressed, as Chromium takes it for a camera. */
function filmOf(name: string, pictures: readonly Picture[]): string {
  const [{ width, height }] = pictures;
  const colour = Buffer.alloc((width * height) / 2, 128);
  const frames = pictures.flatMap(({ rgba }) => [
    Buffer.from("FRAME\n"),
    Buffer.from(rgba.filter((_, i) => i % 4 === 0)),
    colour,
  ]);
  const path = join(folder, `${name}.y4m`);
  writeFileSync(path, Buffer.concat([Buffer.from(`YUV4MPEG2 W${width} H${height} F5:1 Ip C420mpeg2\n`), ...frames]));
  return path;
}

/** [height, width] around the picture's middle. */
function frameOf(picture: Picture, width: number, height: number): Picture {
  const rgba = new Uint8Array(4 * width * height).fill(255);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [u, v] = [x + ((picture.width - width) >> 1), y + ((picture.height - height) >> 1)];
      if (u < 0 || u >= picture.width || v < 0 || v >= picture.height) continue;
      rgba.set(
        picture.rgba.subarray(4 * (v * picture.width + u), 4 * (v * picture.width + u) + 4),
        4 * (y * width + x),
      );
    }
  }
  return { width, height, rgba };
}

describe.skipIf(missingBrowser.length > 0)(named("Look, at codes", missingBrowser), () => {
  const { open, closeRooms } = webPage();
  afterEach(closeRooms);

  it("opens the net of a photographed code, which reads a digit, on a phone", async () => {
    const { page, context, server } = await open("look", "phone");
    await page.getByText("This host serves no net for photos.").waitFor();
    const loaded: string[] = [];
    context.on("request", (request) => {
      // Which keeps all files, for when there is no network.
      if (request.serviceWorker() === null) loaded.push(request.url());
    });
    await page.reload();
    await page.getByText("This host serves no net for photos.").waitFor();
    const decoders = (): number => loaded.filter((url) => url.startsWith(`${server.url}assets/decode-`)).length;
    expect([loaded.length > 3, decoders()]).toEqual([true, 0]);
    const photo = photographed(encodeQr(lenet5), { scale: 4, turn: 0.2, noise: 10, shade: 0.3 });
    await page.getByLabel("Picture of a code").setInputFiles(file("code.png", pngOf(photo)));
    await page.getByText("code.png tells 10 classes apart.").waitFor();
    expect(decoders()).toBe(1);
    expect(await page.locator(".facts dd").nth(2).textContent()).toBe(bytesText(lenet5.length));
    await page.getByLabel("Photo", { exact: true }).setInputFiles(file("digit.png", digit));
    await expect.poll(() => page.locator(".answer").textContent()).toBe("7");
    const width = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(width).toBeLessThanOrEqual(0);
    await keepShot(page, "look-code-phone");
  });

  it("says in words what is wrong with a picture, and goes on", async () => {
    const { page } = await open("look", "desktop");
    const codeOf = (bytes: Uint8Array): Buffer => pngOf(photographed(encodeQr(bytes), { scale: 4 }));
    for (const [name, png, message] of [
      ["digit.png", digit, "No QR code can be read in digit.png."],
      ["text.png", codeOf(Buffer.from("https://example.com")), 'its QR code holds text, "https://example.com"'],
      ["cut.png", codeOf(lenet5.subarray(0, 1000)), "STATUS_CRC, the checksum does not match"],
      ["model.png", lenet5, "model.png is no picture that this browser can read."],
    ] as const) {
      await page.getByLabel("Picture of a code").setInputFiles(file(name, png));
      await expect.poll(() => page.getByRole("alert").textContent(), { message: name }).toContain(message);
    }
    expect(await page.locator(".net").textContent()).toBe("No net is open.");
    await page.getByLabel("Picture of a code").setInputFiles(file("code.png", codeOf(lenet5)));
    await page.getByText("code.png tells 10 classes apart.").waitFor();
    expect(await page.getByRole("alert").count()).toBe(0);
  });

  it("says that there is no camera", async () => {
    const { page } = await open("look", "desktop");
    await page.getByRole("button", { name: "Scan a net's code" }).click();
    await expect
      .poll(() => page.getByRole("alert").textContent())
      .toMatch(/^(There is no camera|The camera was not allowed)\.$/);
  });
});

describe.skipIf(missingBrowser.length > 0)(named("Look, at codes by the camera", missingBrowser), () => {
  const photo = frameOf(photographed(encodeQr(lenet5), { scale: 3.5, turn: 0.05, noise: 5 }), 1280, 720);
  const film = filmOf("code", [photo]);
  const { open, closeRooms } = webPage([
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    `--use-file-for-fake-video-capture=${film}`,
  ]);
  afterEach(closeRooms);

  it("opens the net that it sees, and lets go of the camera", async () => {
    const { page } = await open("look", "phone", { permissions: ["camera"] });
    await page.getByText("This host serves no net for photos.").waitFor();
    await page.getByRole("button", { name: "Scan a net's code" }).click();
    await page.getByText("The scanned net tells 10 classes apart.").first().waitFor();
    expect(await page.getByRole("button", { name: "Scan a net's code" }).isVisible()).toBe(true);
    expect(await page.getByText("Drop, paste or choose a photo").isVisible()).toBe(true);
    await page.getByLabel("Photo", { exact: true }).setInputFiles(file("digit.png", digit));
    await expect.poll(() => page.locator(".answer").textContent()).toBe("7");
  });
});

describe.skipIf(missingBrowser.length > 0)(named("Look, at a film of paper and a digit", missingBrowser), () => {
  const [width, height] = [320, 240];
  const paper = { width, height, rgba: new Uint8Array(4 * width * height).fill(255) };
  const small = PNG.sync.read(digit);
  const sevens = frameOf(
    { width: small.width, height: small.height, rgba: small.data.map((value) => value ^ 255) },
    width,
    height,
  );
  // Two seconds of each.
  const film = filmOf("digit", [
    ...Array.from({ length: 10 }, () => paper),
    ...Array.from({ length: 10 }, () => sevens),
  ]);
  const { open, closeRooms } = webPage([
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    `--use-file-for-fake-video-capture=${film}`,
  ]);
  afterEach(closeRooms);

  it("looks on when there is nothing to be read", async () => {
    const { page } = await open("look", "phone", {
      permissions: ["camera"],
      files: { "models/squeezenet.mote": lenet5 },
    });
    await page.getByText("squeezenet.mote tells 10 classes apart.").waitFor();
    await page.getByRole("button", { name: "Use the camera" }).click();
    await page.getByText("no digit found").waitFor();
    expect(await page.locator(".seen").isVisible()).toBe(false);
    await expect.poll(() => page.locator(".seen .answer").textContent(), { timeout: 10_000 }).toBe("7");
    expect(await page.getByRole("button", { name: "Stop the camera" }).isVisible()).toBe(true);
  });
});
