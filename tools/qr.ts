/** `mote qr`: a model as a QR code, which a camera reads. */
import { extname } from "node:path";
import { Command } from "commander";
import { PNG } from "pngjs";
import { readContainer } from "../host/container/read.js";
import { MoteError } from "../host/errors.js";
import { readFile } from "../host/node/read-file.js";
import { writeFileAtomic } from "../host/node/write-file.js";
import { pictureSide, qrLines, qrPixels, qrSvg, QUIET_ZONE, type Layout } from "../host/qr/draw.js";
import { encodeQr, MAX_QR_BYTES, type QrCode } from "../host/qr/encode.js";
import { grouped, isContainer, namingFile, notOneOf } from "./model-file.js";
import { Output } from "./output.js";
import { wholeNumber } from "./whole-number.js";

interface QrFlags {
  readonly out?: string;
  readonly moduleSize: number;
  readonly quietZone: number;
  readonly json?: boolean;
}

/** Both at their most make a picture that is still read. */
const MAX_MODULE_PIXELS = 24;
const MAX_QUIET_ZONE = 16;
const GREY = 0;

export function qrCommand(): Command {
  return new Command("qr")
    .description("draw a model as a QR code, which mote run --qr and the page read with a camera")
    .argument("<model>", `.mote of at most ${grouped(MAX_QR_BYTES)} bytes`)
    .option("-o, --out <file>", "picture to write, .png or .svg; default: the code goes to the terminal")
    .option("--module-size <pixels>", "side of a module in the picture", wholeNumber(1, MAX_MODULE_PIXELS), 4)
    .option("--quiet-zone <modules>", "light modules around the code", wholeNumber(0, MAX_QUIET_ZONE), QUIET_ZONE)
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText("after", "\nExamples:\n  mote qr models/lenet5.mote -o code.png\n  mote run --qr code.png digit.png")
    .action(qr);
}

function qr(path: string, flags: QrFlags): void {
  const { out, json } = flags;
  const format = out === undefined ? undefined : extname(out).toLowerCase();
  if (format !== undefined && format !== ".png" && format !== ".svg") {
    throw new MoteError("ARGUMENT", `${out}: expected a name that ends in .png or .svg`);
  }
  const output = new Output({ json });
  const file = readFile(path);
  if (!isContainer(path, file)) throw notOneOf(path, file, "a container, .mote");
  const code = namingFile(path, () => {
    const encoded = encodeQr(file);
    readContainer(file); // What is damaged has no use on paper.
    return encoded;
  });
  const layout: Layout = { modulePixels: flags.moduleSize, quietZone: flags.quietZone };
  const picture = format === undefined ? undefined : format === ".svg" ? qrSvg(code, layout) : png(code, layout);
  if (out === undefined) drawOn(output, code, flags.quietZone);
  else writeFileAtomic(out, picture!);
  const side = pictureSide(code, layout);
  output.pairs([
    ["code", `version ${code.version}, level ${code.level}, ${code.side} × ${code.side} modules`],
    ["holds", `${grouped(file.length)} bytes, of ${grouped(MAX_QR_BYTES)} that the largest code holds`],
    ["margin for error", `about ${code.recoveredPercent} % of it may be unreadable`],
    ...(out === undefined ? [] : [["picture", `${out}, ${side} × ${side} pixels`] as const]),
  ]);
  output.json(() => ({
    model: path,
    bytes: file.length,
    maxBytes: MAX_QR_BYTES,
    version: code.version,
    level: code.level,
    modules: code.side,
    recoveredPercent: code.recoveredPercent,
    ...(out === undefined ? {} : { out, pixels: side }),
  }));
}

/** @throws MoteError ARGUMENT when the terminal would break its lines */
function drawOn(output: Output, code: QrCode, quietZone: number): void {
  const lines = qrLines(code, quietZone);
  if (output.isTerminal && output.columns < lines[0].length) {
    throw new MoteError(
      "ARGUMENT",
      `the code takes ${lines[0].length} columns, this terminal has ${output.columns}; -o code.png or -o code.svg draws it into a file`,
    );
  }
  for (const line of lines) output.line(line);
}

function png(code: QrCode, layout: Layout): Buffer {
  const side = pictureSide(code, layout);
  const picture = new PNG({ width: side, height: side, colorType: GREY, inputColorType: GREY });
  picture.data = Buffer.from(qrPixels(code, layout));
  return PNG.sync.write(picture, {
    colorType: GREY,
    inputColorType: GREY,
    deflateLevel: 9,
    filterType: 0,
    deflateStrategy: 0,
  });
}
