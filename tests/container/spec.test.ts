/** The specifications and the code: the worked example (bytes, table of bytes, what it says comes out), read out of the document, and limits. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as abi from "../../assembly/abi.js";
import * as format from "../../assembly/format.js";
import { CODECS } from "../../host/codecs/index.js";
import { crc32 } from "../../host/container/crc32.js";
import { planTotal } from "../../host/container/plan.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { packageRoot } from "../../host/node/paths.js";
import { openReference } from "../../host/engines/reference.js";

const page = (name: string): string => readFileSync(join(packageRoot, "spec", name), "utf8");
const document = page("container.md");
const example = document.slice(document.indexOf("## A whole file"));
const [byteTable, bitTable] = example.split("The section's bits");
const block = (fence: string): string => new RegExp("```" + fence + "\\n([^`]+)```").exec(example)![1];
const numbers = (text: string): number[] => (text.match(/-?\d+/g) ?? []).map(Number);
const bytes = Uint8Array.from(block("hex").trim().split(/\s+/), (hex) => parseInt(hex, 16));

test("the hex is a container with the weights drawn above it", () => {
  const { model, plan } = readContainer(bytes);
  const layer = model.layers[0];
  if (layer.op !== "dense") throw new Error("expected a dense layer");
  expect([...layer.weights]).toEqual(numbers(block("")));
  expect([...layer.bias]).toEqual([12, -20, 8]);
  expect(layer.clamp).toEqual([-10, 127]);
  expect(
    model.tensors.map(({ shape, nominalChannels, border, scale, zeroPoint }) => [
      ...shape,
      nominalChannels,
      border,
      scale,
      zeroPoint,
    ]),
  ).toEqual([
    [8, 1, 1, 8, 0, 0.5, -128],
    [3, 1, 1, 5, 0, 1, -10],
  ]);
  expect(planTotal(plan)).toBe(528);
});

test("the writer makes the same bytes", () => {
  expect(writeContainer(readContainer(bytes).model, { windowBytes: 128 })).toEqual(bytes);
});

test("the table names every byte before the section in its place", () => {
  const rows = [...byteTable.matchAll(/^\| (\d+) \| `([0-9a-f ]+)` \|/gm)];
  let offset = 0;
  for (const [, at, hex] of rows) {
    expect(Number(at)).toBe(offset);
    const expected = hex.split(" ").map((byte) => parseInt(byte, 16));
    expect([...bytes.subarray(offset, offset + expected.length)]).toEqual(expected);
    offset += expected.length;
  }
  const sectionStart = Number(/^\| (\d+) \| `84` … `18`/m.exec(example)![1]);
  expect(offset).toBe(sectionStart);
  expect(bytes.length - sectionStart).toBe(bytes[sectionStart - 1]);
});

test("the codes stand bit by bit where the text says", () => {
  const symbols = [...bitTable.matchAll(/^\| \d+ \| (`[01]+`(?: `[01]+`)*) \|/gm)].map(([, codes]) =>
    codes.replace(/[` ]/g, ""),
  );
  const bits = [...bytes].flatMap((byte) => Array.from({ length: 8 }, (_, i) => (byte >>> i) & 1)).join("");
  const stream = symbols.join("");
  expect(bits.slice(-1 - stream.length)).toBe(stream + "0");
});

test("the CRC and the outputs are those of the text", () => {
  expect(crc32(bytes.subarray(8)).toString(16).toUpperCase()).toBe(/BCC4F9D6/.exec(example)![0]);
  const input = numbers(/With the input ([-\d, ]+)/.exec(example)![1]);
  const output = numbers(/The output is ([-\d, ]+)/.exec(example)![1]);
  expect([...openReference(bytes).run(Int8Array.from(input))]).toEqual(output);
});

/** `65,535` as the document writes it. */
const grouped = (value: number): string => value.toLocaleString("en");

test.each<[string, string]>([
  ["the version", `| 3 | version | u8 | ${format.VERSION}, or ${format.VERSION_WIDE} |`],
  ["the tag of version 5", `the tag \`${format.SMALL_TAG_WIDE.toString(16).toUpperCase()}\``],
  [
    "the multiplier of a sum of int16",
    `−2^${Math.log2(format.MAX_SUM_FACTOR_WIDE)} … 2^${Math.log2(format.MAX_SUM_FACTOR_WIDE)}`,
  ],
  ["the start of what the CRC covers", `of all bytes from offset ${format.CRC_START} to the end`],
  ["the largest file", `MUST be at most 2^${Math.log2(format.MAX_BYTES)}.`],
  ["tensors", `| | tensorCount | varint | T: 2 … ${grouped(format.MAX_TENSORS)} |`],
  ["layers", `| | layerCount | varint | L: 1 … ${grouped(format.MAX_LAYERS)}, less than T |`],
  ["the plan's unit", `memory plan, in units of ${format.PLAN_UNIT} bytes`],
  ["the least window", `units of ${format.PLAN_UNIT} bytes: ≥ ${format.MIN_WINDOW_BYTES / format.PLAN_UNIT} |`],
  ["a record", `the decoded weights of one row, ${abi.RECORD_BYTES} bytes each`],
  [
    "the plan's base",
    `from address ${abi.PLAN_BASE} (below it are the\ncontrol block and the core's static data), after a table of ${abi.TENSOR_ENTRY_BYTES} bytes a tensor`,
  ],
  ["channels", `| channels | varint | 1 … ${grouped(format.MAX_DIMENSION)} |`],
  ["a size", `| height, width | varint each | with bit 4: 1 … ${grouped(format.MAX_DIMENSION)}, not both 1`],
  ["nominal channels", `with bit 5: channels + 1 … ${grouped(format.MAX_DIMENSION)}.`],
  ["a border", `bits 0–3: border, 0 … ${format.MAX_BORDER}.`],
  ["a size's flag", `Bit ${Math.log2(format.FLAG_SIZE)}: has height and width`],
  ["nominal channels' flag", `Bit ${Math.log2(format.FLAG_NOMINAL)}: has nominalChannels`],
  ["an end's flag", `Bit ${Math.log2(format.FLAG_END)}: is an end of the graph`],
  ["a state's flag", `Bit ${Math.log2(format.FLAG_STATE)}: is a state`],
  ["a relu's bit", `| ${Math.log2(format.FORM_RELU)} | clampMin is the output's zero point`],
  ["a clamp's bit", `| ${Math.log2(format.FORM_CLAMP)} | bytes follow`],
  [
    "a section's begin",
    `biasBits (${format.BIAS_BITS_WIDTH} bits, 0 … 32) and biasShift (${format.BIAS_SHIFT_WIDTH} bits)`,
  ],
  ["a tensor's bytes", `bytes, at most 2^${Math.log2(format.MAX_TENSOR_BYTES)}, and MUST end within the arena`],
  [
    "codecs",
    `their codec, ${CODECS.map(({ number, name }) => `${number} ${name}`).join(" or ")}, one of those that the head names; else 0 |\n| ${Math.log2(format.FORM_PER_CHANNEL)} |`,
  ],
  ["a layer's weights", `\`rows × columns\` MUST be at most 2^${Math.log2(format.MAX_LAYER_WEIGHTS)}`],
  ["code lengths", `one for each symbol of the alphabet: 0 (unused) … ${format.MAX_CODE_LENGTH} |`],
  [
    "gap symbols",
    `| gapSymbols − ${format.MIN_GAP_SYMBOLS} | 10 | G: ${format.MIN_GAP_SYMBOLS} … ${grouped(format.MAX_GAP_SYMBOLS)} |`,
  ],
])("the container's page and the code agree on %s", (_name, text) => {
  expect(document).toContain(text);
});

test.each<[string, string]>([
  ["control words", `| ${abi.CONTROL_MODEL_PTR} | model address`],
  ["control words", `| ${abi.CONTROL_MODEL_BYTES} | model length`],
  ["control words", `| ${abi.CONTROL_TENSORS_PTR} | address of the tensor table`],
  ["control words", `| ${abi.CONTROL_TENSOR_COUNT} | tensor count`],
  ["control words", `| ${abi.CONTROL_LAYER_COUNT} | layer count`],
  ["control words", `| ${abi.CONTROL_LAYERS_DONE} | layers done`],
  ["control words", `| ${abi.CONTROL_OUTPUT_TENSOR} | the model's first output tensor`],
  ["control words", `| ${abi.CONTROL_MEMORY_BYTES} | bytes of linear memory`],
  ["control words", `| ${abi.CONTROL_ERROR_OFFSET} | after an error`],
  [
    "control words",
    `| ${abi.CONTROL_VERSION} | version of the interface: ${abi.INTERFACE_VERSION}, ${abi.INTERFACE_VERSION_LINES} of a module whose input comes by lines, or ${abi.INTERFACE_VERSION_WIDE} of one`,
  ],
  ["control words", `| ${abi.CONTROL_METADATA} | after loading a container`],
  ["control words", `| ${abi.CONTROL_WORK} | after loading: the most units`],
  ["control words", `| ${abi.CONTROL_ELEMENT_BIAS} | what is added to an int8 element`],
])("the interface's page and the code agree on %s", (_name, text) => {
  expect(page("interface.md")).toContain(text);
});
