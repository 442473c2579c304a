/**
 * Runs a model on a picture: node examples/node/classify.mjs models/lenet5.mote examples/digit.png
 * The picture has the size of the model's input, is light on dark and without colour. `mote run` takes any photograph of a digit.
 */
import { readFileSync } from "node:fs";
import { argmax, openEngine, pixelTable, probability } from "mote";
import { PNG } from "pngjs";

const [modelPath, picturePath] = process.argv.slice(2);
if (picturePath === undefined) {
  console.error("usage: node examples/node/classify.mjs MODEL PICTURE.png");
  process.exit(2);
}

const engine = openEngine("wasm3", readFileSync(modelPath)); // or "v8", which needs no C compiler
const { input, output, labels } = engine;
const [channels, height, width] = input.shape;

const picture = PNG.sync.read(readFileSync(picturePath));
if (channels !== 1 || picture.height !== height || picture.width !== width) {
  const expected = `${channels} × ${height} × ${width}`;
  console.error(`${picturePath}: 1 × ${picture.height} × ${picture.width} pixels, expected ${expected}`);
  process.exit(1);
}

// pngjs gives four bytes a pixel; the model takes one int8 a pixel, at the input's scale and zero point.
const table = pixelTable(input);
const elements = Int8Array.from({ length: height * width }, (_, i) => table[picture.data[4 * i]]);

const logits = engine.run(elements);
const best = argmax(logits);
console.log(`class ${labels?.[best] ?? best}, ${(100 * probability(logits, best, output)).toFixed(1)} %`);
console.log(`outputs ${logits.join(" ")}`);
console.log(`bytes of memory ${engine.linearMemoryBytes}`);
engine.close();
