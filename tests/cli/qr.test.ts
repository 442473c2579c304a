/** `mote qr` and `mote run --qr`. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode as encodeJpeg } from "jpeg-js";
import { PNG } from "pngjs";
import { beforeAll, describe, expect, it } from "vitest";
import { writeContainer } from "../../host/container/write.js";
import { packageRoot } from "../../host/node/paths.js";
import { encodeQr } from "../../host/qr/encode.js";
import { qrPixels } from "../../host/qr/draw.js";
import { photographed } from "../../tools/bench/qr-photo.js";
import { syntheticModels } from "../support/models.js";
import { expectOneLine, lastJson, mote, run, scratchFolder } from "./support.js";

const scratch = scratchFolder();
const at = scratch.path;
const lenet5 = join(packageRoot, "models/lenet5.mote");
const digit = join(packageRoot, "examples/digit.png");
const tiny = writeContainer(syntheticModels().find(({ name }) => name === "tiny")!.model);

/** A picture of the bytes' code, as `mote qr` would draw it if it took any bytes. */
function writeCode(name: string, bytes: Uint8Array): string {
  const pixels = qrPixels(encodeQr(bytes), { modulePixels: 3, quietZone: 4 });
  const side = Math.sqrt(pixels.length);
  const png = new PNG({ width: side, height: side });
  pixels.forEach((grey, i) => png.data.fill(grey, 4 * i, 4 * i + 3).fill(255, 4 * i + 3, 4 * i + 4));
  writeFileSync(at(name), PNG.sync.write(png));
  return at(name);
}

beforeAll(() => writeFileSync(at("tiny.mote"), tiny));

describe("mote qr", () => {
  it("draws PNG, SVG and characters, and tells version, modules and margin", async () => {
    const args = ["--module-size", "3", "--quiet-zone", "6", "--json"];
    for (const name of ["code.png", "code.svg"]) {
      const outcome = await mote(["qr", lenet5, "-o", at(name), ...args]);
      expect([outcome.code, lastJson(outcome)]).toEqual([
        0,
        {
          model: lenet5,
          bytes: readFileSync(lenet5).length,
          maxBytes: 2953,
          version: 40,
          level: "L",
          modules: 177,
          recoveredPercent: 7,
          out: at(name),
          pixels: 3 * 189,
        },
      ]);
      expect(outcome.stderr).toMatch(/^margin for error +about 7 % of it may be unreadable$/m);
    }
    expect(PNG.sync.read(readFileSync(at("code.png")))).toMatchObject({ width: 567, height: 567 });
    expect(readFileSync(at("code.svg"), "utf8")).toMatch(/^<svg .* viewBox="0 0 189 189">/);
    const { code, stdout } = await mote(["qr", at("tiny.mote")]);
    expect(code).toBe(0);
    const lines = stdout.split("\n").filter((line) => /^[█▀▄ ]+$/.test(line));
    const { side } = encodeQr(tiny);
    expect(lines.map((line) => line.length)).toEqual(Array(Math.ceil((side + 8) / 2)).fill(side + 8));
    expect(stdout).toContain(`${side} × ${side} modules`);
  });

  it("refuses what makes no code, and writes nothing", async () => {
    const large = join(packageRoot, "models/lenet300-paper.mote");
    const bytes = readFileSync(large).length.toLocaleString("en");
    const out = at("refused.png");
    expectOneLine(
      await mote(["qr", large, "-o", out]),
      new RegExp(`lenet300-paper.mote: its ${bytes} bytes are too many for a QR code, which holds at most 2,953$`),
    );
    const damaged = tiny.slice();
    damaged[damaged.length >> 1] ^= 1;
    writeFileSync(at("damaged.mote"), damaged);
    expectOneLine(await mote(["qr", at("damaged.mote"), "-o", out]), /damaged\.mote: .*(CRC|checksum)/i);
    expectOneLine(
      await mote(["qr", digit, "-o", out]),
      /digit\.png: expected a container, \.mote; this is a PNG picture/,
    );
    expectOneLine(await mote(["qr", at("none.mote"), "-o", out]), /none\.mote: cannot be read: no such file/);
    expectOneLine(await mote(["qr", at("tiny.mote"), "-o", at("code.gif")]), /ends in \.png or \.svg$/, 2);
    for (const flag of [
      ["--module-size", "0"],
      ["--module-size", "25"],
      ["--quiet-zone", "17"],
    ]) {
      expectOneLine(
        await mote(["qr", at("tiny.mote"), ...flag, "-o", out]),
        /expected a whole number, \d+ \.\. \d+\.$/,
        2,
      );
    }
    expect(scratch.names()).not.toContain("refused.png");
  });

  it("says when the terminal is too narrow", async () => {
    const line = `COLUMNS=80 ${process.execPath} ${join(packageRoot, "tools/mote.mjs")} qr ${lenet5}`;
    const { code, stdout } = await run("script", ["-qec", line, "/dev/null"]);
    expect([code, stdout.trim()]).toEqual([
      2,
      "mote: the code takes 185 columns, this terminal has 80; -o code.png or -o code.svg draws it into a file",
    ]);
  });
});

describe("mote run --qr", () => {
  it("gives for a photo of the code, PNG or JPEG, what the model gives", async () => {
    const outcome = await mote(["run", lenet5, digit, "--json"]);
    const { results } = lastJson(outcome);
    const { width, height, rgba } = photographed(encodeQr(readFileSync(lenet5)), { scale: 4, turn: 0.1, noise: 10 });
    const png = new PNG({ width, height });
    png.data = Buffer.from(rgba);
    writeFileSync(at("photo.png"), PNG.sync.write(png));
    writeFileSync(at("photo.jpg"), encodeJpeg({ width, height, data: rgba }, 85).data);
    for (const name of ["photo.png", "photo.jpg"]) {
      const read = await mote(["run", "--qr", at(name), digit, "--json"]);
      expect(read.code, read.stderr).toBe(0);
      expect(lastJson(read)).toMatchObject({ model: at(name), containerBytes: readFileSync(lenet5).length, results });
    }
    const fast = await mote(["run", "--qr", at("photo.png"), digit, "--optimize", "speed", "--json"]);
    expect(lastJson(fast)).toMatchObject({ model: at("photo.png"), results });
  });

  it("says what is wrong with the picture or with what its code holds", async () => {
    const truncated = writeCode("truncated.png", tiny.subarray(0, tiny.length - 3));
    const flipped = writeCode(
      "flipped.png",
      tiny.map((byte, i) => (i === tiny.length >> 1 ? byte ^ 1 : byte)),
    );
    const text = writeCode("text.png", new TextEncoder().encode("https://example.com/\x1b[31m"));
    writeFileSync(at("no.png"), "no picture");
    for (const [path, message] of [
      [digit, /digit\.png: no QR code found in its 28 × 28 pixels; expected/],
      [text, /text\.png: its QR code holds .*; expected a model$/],
      [truncated, /truncated\.png: /],
      [flipped, /flipped\.png: .*(CRC|checksum)/i],
      [at("no.png"), /no\.png: expected a PNG or a JPEG, this is text/],
      [at("none.png"), /none\.png: cannot be read/],
    ] as const) {
      expectOneLine(await mote(["run", "--qr", path, digit, "--json"]), message);
    }
    expectOneLine(await mote(["run", text, digit]), /this is a PNG picture; mote run --qr reads the model/);
  });
});
