/**
 * Codes of 12 bits throughout, as no encoder would choose them: three bytes a weight through a window of 128, in containers made by
 * hand. Batches must see no more of the window than it has.
 */
import { expect, test } from "vitest";
import * as abi from "../../assembly/abi.js";
import * as format from "../../assembly/format.js";
import { planTotal } from "../../host/container/plan.js";
import { readContainer } from "../../host/container/read.js";
import { BitWriter } from "../../host/codecs/bit-writer.js";
import { openReference } from "../../host/engines/reference.js";
import { leb128 } from "../../host/module/leb128.js";
import { fixCrc } from "../fuzz/mutate.js";
import { MeteredCore } from "../support/metered-core.js";

/** Code lengths 1, 2, … 12, 12: symbol 11 has the code 111111111110, symbol 12 that of ones, in both alphabets. */
const LENGTHS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 12];
const GAP = 11;
const FIRST_WEIGHT = -6;
const RECORD_UNITS = 50;
const TABLE_BYTES = 2 << 12;

/** A dense layer of `rows` rows with `weights` weights each, of 5 and 6 in turn, each behind a gap of 11. */
function denseContainer(rows: number, weights: number): Uint8Array {
  return container(rows, weights * (GAP + 1), LENGTHS, LENGTHS, (section) => {
    for (let i = 0; i < rows * weights; i++) {
      section.write(0x7ff, 12); // the gap's code, from its most significant bit on
      section.write(i % 2 === 0 ? 0x7ff : 0xfff, 12);
    }
  });
}

/** A dense layer of such code lengths, its symbols written by `write`. */
function container(
  rows: number,
  columns: number,
  weightLengths: readonly number[],
  gapLengths: readonly number[],
  write: (section: BitWriter) => void,
): Uint8Array {
  const bytes: number[] = [0x4d, 0x4f, 0x54, format.VERSION, 0, 0, 0, 0];
  const put = (...values: number[]): void => {
    for (const value of values) bytes.push(...leb128(value));
  };
  const units = (of: number): number => Math.ceil(of / format.PLAN_UNIT);
  const scratch = units(4 * rows) + units(2 * columns) + units(2 * TABLE_BYTES) + RECORD_UNITS;
  put(1 << format.OP_DENSE, 1 << format.CODEC_HUFFMAN, 2, 1);
  put(units(format.MIN_WINDOW_BYTES), scratch, units(columns) + units(rows));
  for (const [channels, offset] of [
    [columns, 0],
    [rows, units(columns)],
  ]) {
    put(channels);
    bytes.push(format.FLAG_END, 0, 0, 0x80, 0x3f, 0); // a scale of 1
    put(offset * format.PLAN_UNIT);
  }
  bytes.push(format.OP_DENSE, 0, format.CODEC_HUFFMAN);
  const section = new BitWriter();
  section.write(0, format.BIAS_BITS_WIDTH + format.BIAS_SHIFT_WIDTH);
  section.write(2 ** 30, 31);
  section.write(38, 6); // sums / 256
  section.write(0, 2); // no column map, a grid
  section.write(FIRST_WEIGHT & 255, 8);
  section.write(weightLengths.length - 1, 8);
  for (const length of weightLengths) section.write(length, 4);
  section.write(gapLengths.length - 2, 10);
  for (const length of gapLengths) section.write(length, 4);
  write(section);
  const sectionBytes = section.finish();
  put(sectionBytes.length);
  const file = Uint8Array.from([...bytes, ...sectionBytes]);
  fixCrc(file);
  return file;
}

interface Loaded {
  readonly core: MeteredCore;
  readonly recordsPtr: number;
  readonly arenaPtr: number;
  readonly outputPtr: number;
}

/** Loads a container and begins a run on `input`. */
function begin(container: Uint8Array, input: Int8Array): Loaded {
  const { plan } = readContainer(container);
  const core = new MeteredCore(container);
  let { status } = core.open();
  while (status === abi.STATUS_BUSY) ({ status } = core.step(0));
  expect(status).toBe(abi.STATUS_DONE);
  const arenaPtr = planTotal(plan) - plan.arena;
  core.memory.set(new Uint8Array(input.buffer), arenaPtr);
  expect(core.start().status).toBe(abi.STATUS_BUSY);
  return {
    core,
    recordsPtr: arenaPtr - RECORD_UNITS * format.PLAN_UNIT,
    arenaPtr,
    outputPtr: arenaPtr + plan.offsets[1],
  };
}

function inputOf(weights: number): Int8Array {
  return Int8Array.from({ length: weights * (GAP + 1) }, (_, i) => ((i * 37) % 256) - 128);
}

test("rows of 25 weights are what the reference makes of them", () => {
  // A row is 75 bytes: with 53 left in the window the next one must not be taken to its end.
  const [rows, weights] = [24, 25];
  const container = denseContainer(rows, weights);
  const input = inputOf(weights);
  const { core, outputPtr } = begin(container, input);
  let { status } = core.step(0);
  while (status === abi.STATUS_BUSY) ({ status } = core.step(0));
  expect(status).toBe(abi.STATUS_DONE);
  const output = core.memory.slice(outputPtr, outputPtr + rows);
  expect(new Int8Array(output.buffer)).toEqual(openReference(container).run(input));
});

test("a batch takes a turn for every four bytes in sight, and 32 at most", () => {
  const weights = 100;
  const container = denseContainer(2, weights);
  const { core, recordsPtr, arenaPtr } = begin(container, inputOf(weights));
  const made: number[] = [];
  let status: number = abi.STATUS_BUSY;
  while (status === abi.STATUS_BUSY) {
    // Wrong outputs, but what is not zero afterwards is new.
    core.memory.fill(0, recordsPtr, arenaPtr);
    ({ status } = core.step(0));
    const records = core.memory.subarray(recordsPtr, arenaPtr).filter((_, i) => i % abi.RECORD_BYTES === 0);
    made.push(records.filter((weight) => weight !== 0).length);
  }
  expect(status).toBe(abi.STATUS_DONE);
  // Where a row begins the first turn is a gap alone: 25 turns make 24 records, 23 make 22. At the end of the file there is less in sight.
  expect(made.filter((records) => records > 0)).toEqual([24, 32, 32, 12, 22, 32, 32, 10, 2, 1, 1]);
});

test("codes of no bits make a layer of 2^28 weights of a hundred bytes, whose work is said", () => {
  // 65,535 × 4,096 weights, of 16 units each to decode and one to multiply: 2^32 and more.
  const file = container(65_535, 4096, [1], [1, 0], () => {});
  expect(file.length).toBeLessThan(100);
  const core = new MeteredCore(file);
  let { status } = core.open();
  while (status === abi.STATUS_BUSY) ({ status } = core.step(2 ** 20));
  expect(status).toBe(abi.STATUS_DONE);
  expect(core.word(abi.CONTROL_WORK)).toBe(2 ** 32 - 1);
});
