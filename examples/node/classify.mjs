/**
 * Runs a model on a picture: node examples/node/classify.mjs models/lenet5.mote examples/digit.png
 * The picture may have any size; it is light on dark. `mote run` takes any photograph of a digit.
 */
import { readFileSync } from "node:fs";
import { openModel } from "mote-nn";
import { PNG } from "pngjs";

const [modelPath, picturePath] = process.argv.slice(2);
if (picturePath === undefined) {
  console.error("usage: node examples/node/classify.mjs MODEL PICTURE.png");
  process.exit(2);
}

const model = await openModel(readFileSync(modelPath));
const picture = PNG.sync.read(readFileSync(picturePath)); // 4 bytes a pixel, as from a canvas
const predictions = model.classify(picture);
const [best] = predictions;
console.log(`class ${best.label}, ${(100 * best.probability).toFixed(1)} %`);

// The same by hand, for a model of one channel and a picture of its size: elements in, elements out.
const [{ shape, scale, zeroPoint }] = model.inputs;
const [, height, width] = shape;
if (picture.height === height && picture.width === width) {
  const elements = Int8Array.from({ length: height * width }, (_, i) =>
    Math.min(zeroPoint + Math.floor(picture.data[4 * i] / 255 / scale + 0.5), 127),
  );
  console.log(`outputs ${model.run(elements).join(" ")}`);
}
console.log(`bytes of memory ${model.memoryBytes}`);
model.close();
