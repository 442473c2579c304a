/** SPEC.md's worked example, read out of the document: its bytes, its table of bytes and what it says comes out. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { crc32 } from "../../host/container/crc32.js";
import { planTotal } from "../../host/container/plan.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { packageRoot } from "../../host/paths.js";
import { openReference } from "../../host/runtime/reference.js";

const document = readFileSync(join(packageRoot, "SPEC.md"), "utf8");
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
  const sectionStart = Number(/^\| (\d+) \| `00` … `03`/m.exec(example)![1]);
  expect(offset).toBe(sectionStart);
  expect(bytes.length - sectionStart).toBe(bytes[sectionStart - 1]);
});

test("the codes stand bit by bit where the text says", () => {
  const symbols = [...bitTable.matchAll(/^\| \d+ \| (`[01]+`(?: `[01]+`)*) \|/gm)].map(([, codes]) =>
    codes.replace(/[` ]/g, ""),
  );
  const bits = [...bytes].flatMap((byte) => Array.from({ length: 8 }, (_, i) => (byte >>> i) & 1)).join("");
  const stream = symbols.join("");
  expect(bits.slice(-4 - stream.length)).toBe(stream + "0000");
});

test("the CRC and the outputs are those of the text", () => {
  expect(crc32(bytes.subarray(9)).toString(16).toUpperCase()).toBe(/BA7A4A8F/.exec(example)![0]);
  const input = numbers(/With the input ([-\d, ]+)/.exec(example)![1]);
  const output = numbers(/The output is ([-\d, ]+)/.exec(example)![1]);
  expect([...openReference(bytes).run(Int8Array.from(input))]).toEqual(output);
});
