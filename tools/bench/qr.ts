/** lenet5 out of pictures of its QR code: whether it comes out whole, and runs. */
import { fastestEngine } from "../../host/engines/open.js";
import { inputFiller } from "../../host/engines/fill-input.js";
import { valuesOf } from "../../host/model/geometry.js";
import { loadDataSpec } from "../../host/node/data/inputs.js";
import { openEngine } from "../../host/node/engines/open.js";
import { decodeQr } from "../../host/qr/decode.js";
import { encodeQr } from "../../host/qr/encode.js";
import { atLeast, type BenchOptions, type Figure, type Group } from "./figure.js";
import { shippedModel } from "./models.js";
import { photographed, type View } from "./qr-photo.js";

/** Mild ones: one distortion each, then all at once. */
const VIEWS: Readonly<Record<string, View>> = {
  plain: { scale: 3 },
  turned: { scale: 4, turn: 0.3 },
  tilted: { scale: 5, turn: 0.1, tilt: 0.2 },
  blurred: { scale: 4, turn: 0.1, blur: 1 },
  noisy: { scale: 4, noise: 25 },
  "unevenly lit": { scale: 4, shade: 0.5, noise: 4 },
  all: { scale: 5, turn: 0.2, tilt: 0.15, blur: 0.8, shade: 0.3, noise: 8 },
};
const DIGITS = 20;

export const qrGroup: Group = {
  name: "qr",
  summary: `lenet5 as one QR code: read from ${Object.keys(VIEWS).length} distorted pictures and run on ${DIGITS} digits`,
  measure: measureQr,
};

async function measureQr({ note }: BenchOptions): Promise<Figure[]> {
  const file = shippedModel("lenet5");
  const code = encodeQr(file);
  const expected = outputsOf(file);
  let right = 0;
  for (const [name, view] of Object.entries(VIEWS)) {
    const read = decodeQr(photographed(code, view));
    if (read !== undefined && outputsOf(read).equals(expected)) right++;
    else note(`${name}: not read`);
  }
  const views = Object.keys(VIEWS).length;
  return [
    { id: "codec.qr.version", name: "lenet5.mote as a QR code: version", value: code.version, unit: "" },
    atLeast(
      "codec.qr.pictures",
      `distorted pictures of it, of ${views}, that give a model of the same outputs`,
      right,
      "",
      views,
    ),
    atLeast("codec.qr.runs", "lenet5 runs from every picture of its QR code: 1", right === views ? 1 : 0, "", 1),
  ];
}

/** Of the first test digits. A file that does not open throws. */
function outputsOf(file: Uint8Array): Buffer {
  const engine = openEngine(fastestEngine(), file);
  try {
    const fill = inputFiller(loadDataSpec(`mnist:test:${DIGITS}`), engine.input);
    const input = new Int8Array(valuesOf(engine.input.shape));
    const outputs = Array.from({ length: DIGITS }, (_, i) => {
      fill(i, input);
      engine.reset();
      return engine.run(input).slice();
    });
    return Buffer.concat(outputs.map(({ buffer }) => new Uint8Array(buffer)));
  } finally {
    engine.close();
  }
}
