/** Deep Compression's SqueezeNet without retraining: bytes, and how often it gives the class that its net of real numbers gives. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { planTotal } from "../../host/container/plan.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { argmax } from "../../host/engines/classify.js";
import { fastestEngine } from "../../host/engines/open.js";
import { calibrate } from "../../host/import/calibrate.js";
import { runFloat } from "../../host/import/float-run.js";
import { importedModel } from "../../host/import/import.js";
import { valuesOf } from "../../host/model/geometry.js";
import type { Shape } from "../../host/model/model.js";
import { readPictures } from "../../host/node/data/pictures.js";
import { openEngine } from "../../host/node/engines/open.js";
import { nodeConvolve } from "../../host/node/import/convolve.js";
import { Random } from "../../host/rng.js";
import { reportContainer } from "../../host/report/container.js";
import { atMost, rounded, type Figure } from "./figure.js";
import { lowered } from "./zoo-nets.js";

export const SQUEEZENET = "squeezenet-deep-compression.net";

const MOST_BYTES = 445_000;
/** Those of the net as its graph has it; pools of 3 × 3 by strides of 2 inside convolutions would make 720 millions of them. */
const MOST_MULTIPLICATIONS = 428_000_000;
/** Of blue, green and red: what Caffe's nets take off. */
const MEANS = [104, 117, 123];
const GENERATED = 16;
const SEED = 11;

/** @param folder of photos, or undefined */
export function squeezenetFigures(path: string, folder: string | undefined, note: (text: string) => void): Figure[] {
  const net = lowered(path);
  const shape = net.tensors[net.inputs[0].tensor].shape;
  const photos = folder === undefined ? [] : picturesOf(folder);
  if (photos.length === 0)
    note("no photos, since MOTE_PHOTOS names no folder of PNG or JPEG files: generated pictures in place of them");
  const pixels = photos.length === 0 ? generated(GENERATED, shape) : readPictures(photos, shape);
  const samples = inputsOf(pixels, shape).flatMap((sample) => [sample, mirrored(sample, shape)]);
  const convolve = nodeConvolve();
  // A half of the pictures calibrates, as they are; the others are judged.
  const quantized = calibrate(
    net,
    samples.filter((_, index) => index % 4 === 0).map((sample) => [sample]),
    { range: "percentile", convolve },
  );
  const bytes = writeContainer(importedModel(quantized));
  const container = readContainer(bytes);
  const engine = openEngine(fastestEngine(), bytes);
  const { scale, zeroPoint } = engine.input;
  const judged = samples.filter((_, index) => index % 4 >= 2);
  const agreeing = judged.filter((sample) => {
    const integers = sample.map((real) => Math.min(127, Math.max(-128, Math.round(real / scale) + zeroPoint)));
    return argmax(engine.run(Int8Array.from(integers))) === argmax(runFloat(net, [sample], undefined, convolve)[0]);
  }).length;
  engine.close();
  const kind = photos.length === 0 ? "generated pictures, which are of nothing" : "photos";
  return [
    atMost(
      "big.squeezenet.bytes",
      "Deep Compression's SqueezeNet, not retrained: container",
      bytes.length,
      "B",
      MOST_BYTES,
    ),
    atMost(
      "big.squeezenet.macs",
      `the same: multiplications, with ${planTotal(container.plan).toLocaleString("en")} bytes of linear memory`,
      reportContainer(container).layers.reduce((sum, { macs }) => sum + macs, 0),
      "",
      MOST_MULTIPLICATIONS,
    ),
    {
      id: "big.squeezenet.agreement",
      name: `the same: of ${judged.length} ${kind}, mirrored ones among them, those with the class of the net of real numbers`,
      value: rounded((100 * agreeing) / judged.length),
      unit: "%",
    },
  ];
}

function picturesOf(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => /\.(png|jpe?g)$/i.test(name));
  return names.toSorted().map((name) => join(folder, name));
}

/** From red, green and blue to blue, green and red, less the means. */
function inputsOf(pixels: Uint8Array, shape: Shape): Float32Array[] {
  const size = valuesOf(shape);
  const plane = shape[1] * shape[2];
  return Array.from({ length: pixels.length / size }, (_, sample) =>
    Float32Array.from({ length: size }, (_value, at) => {
      const channel = Math.floor(at / plane);
      return pixels[sample * size + (2 - channel) * plane + (at % plane)] - MEANS[channel];
    }),
  );
}

function mirrored(sample: Float32Array, [, , width]: Shape): Float32Array {
  return sample.map((_, at) => sample[at - (at % width) + width - 1 - (at % width)]);
}

/** Smooth colours with a little noise. */
function generated(count: number, shape: Shape): Uint8Array {
  const random = new Random(SEED);
  const [channels, height, width] = shape;
  const pixels = new Uint8Array(count * valuesOf(shape));
  let at = 0;
  for (let picture = 0; picture < count; picture++) {
    for (let channel = 0; channel < channels; channel++) {
      const [a, b, c, d] = Array.from({ length: 4 }, () => 0.01 + 0.2 * random.uniform());
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const value = 60 * Math.sin(a * x + b * y) + 50 * Math.cos(c * x - d * y) + 10 * random.normal();
          pixels[at++] = Math.min(255, Math.max(0, 128 + value));
        }
      }
    }
  }
  return pixels;
}
