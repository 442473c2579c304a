/**
 * A host of Mote's modules in JavaScript, by nothing but WebAssembly's own interface: docs/plugin.md, step by step.
 * Example: node examples/plugin/host.mjs model.wasm inputs.bin outputs.bin 1
 */
import { readFileSync, writeFileSync } from "node:fs";

const [DONE, BUSY] = [0, 1];
const IS_END = 0x200;
const BUDGET = 1 << 16;

const [path, inputPath, outputPath, ofStream = "1"] = process.argv.slice(2);
if (outputPath === undefined) fail("usage: node host.mjs MODULE INPUTS OUTPUTS [RUNS OF A STREAM]");
const module = new WebAssembly.Module(readFileSync(path));

// 1. Instantiate: the import reads the stream, which a packed module does not have.
const [stream = new ArrayBuffer(0)] = WebAssembly.Module.customSections(module, "mote.stream");
const read = (offset, target, length) => {
  if (offset + length > stream.byteLength || target + length > memory.buffer.byteLength) return 1;
  new Uint8Array(memory.buffer, target, length).set(new Uint8Array(stream, offset, length));
  return 0;
};
const { open, start, step, reset, memory } = new WebAssembly.Instance(module, { mote: { read } }).exports;
const word = (address) => new DataView(memory.buffer).getUint32(address, true);

// 2. Open, and step until done.
finish("open", open(memory.buffer.byteLength));
if (word(52) !== 2) fail(`interface version ${word(52)}, expected 2`);

// 3. Find inputs and outputs.
const [table, count, layers, bias] = [word(8), word(12), word(16), word(36)];
const tensors = Array.from({ length: count }, (_, index) => {
  const at = (offset) => word(table + 32 * index + offset);
  return { data: at(0), channels: at(4), height: at(8), width: at(12), pitch: at(16), plane: at(20), state: at(28) };
});
const ends = (from, to) => tensors.slice(from, to).filter(({ state }) => (state & IS_END) !== 0);
const [inputs, outputs] = [ends(0, count - layers), ends(count - layers)];

// 4. Run after run: reset where a stream begins, write the inputs, start and step, read the outputs.
const given = readFileSync(inputPath);
const elementsOf = (list) => list.reduce((sum, { channels, height, width }) => sum + channels * height * width, 0);
const inputBytes = elementsOf(inputs);
if (given.length % inputBytes !== 0) fail(`${given.length} bytes of inputs, expected a multiple of ${inputBytes}`);
const runs = given.length / inputBytes;
const results = new Uint8Array(runs * elementsOf(outputs));
let [from, to] = [0, 0];
for (let run = 0; run < runs; run++) {
  if (run % Number(ofStream) === 0) finish("reset", reset());
  for (const input of inputs) each(input, (bytes, i) => (bytes[i] = given[from++] + bias));
  finish("run", start());
  for (const output of outputs) each(output, (bytes, i) => (results[to++] = bytes[i] - bias));
}
writeFileSync(outputPath, results);

/** Calls `visit` for each element in the order [channels, height, width], with linear memory and its address. */
function each({ data, channels, height, width, pitch, plane }, visit) {
  const bytes = new Uint8Array(memory.buffer);
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) visit(bytes, data + c * plane + y * pitch + x);
    }
  }
}

function finish(what, status) {
  while (status === BUSY) status = step(BUDGET);
  if (status !== DONE) fail(`${what}: status ${status}`);
}

function fail(why) {
  console.error(`host.mjs: ${why}`);
  process.exit(1);
}
