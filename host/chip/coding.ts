/** How a layer's weights stand in flash, and how C reads them: Huffman codes, a byte or two a weight, or all of them. */
import { canonicalCodes, codeLengths } from "../codecs/huffman-codes.js";
import { MAX_CODE_LENGTH } from "../../assembly/format.js";
import type { ChipGoal } from "./goal.js";

/** bits: a Huffman code of the value and a Rice code of the gap behind it. nibbles: gap and index of the value. bytes: both as bytes. full: no gaps. */
export type Form = "bits" | "nibbles" | "bytes" | "full";

export interface Coded {
  readonly form: Form;
  readonly bytes: Uint8Array;
  /** Of bits and nibbles: the values, in the order of their codes. */
  readonly values: readonly number[];
  /** Of bits: how many codes there are of 1, 2, … bits. */
  readonly counts: readonly number[];
  /** Of bits: how many of a gap's bits stand as they are. */
  readonly rice: number;
  /** Column of the first weight, counted through the rows. */
  readonly start: number;
  /** Non-zero weights of the fullest row. */
  readonly fullest: number;
}

/** A gap that fills its field goes on in bytes. */
const NIBBLE_GAP = 15;
const BYTE_GAP = 255;

interface Weight {
  readonly value: number;
  /** Zeros behind it, before the next weight; behind the last one up to the layer's end. */
  readonly gap: number;
}

/** @param weights row-major [rows, columns] @returns what takes the fewest bytes of what serves the goal */
export function codeWeights(weights: Int8Array, columns: number, goal: ChipGoal): Coded {
  const places = [...weights.keys()].filter((at) => weights[at] !== 0);
  const list = places.map((at, index): Weight => {
    return { value: weights[at], gap: (places[index + 1] ?? weights.length) - at - 1 };
  });
  const values = byFrequency(list);
  const perRow = new Map<number, number>();
  for (const at of places) {
    const row = Math.floor(at / columns);
    perRow.set(row, (perRow.get(row) ?? 0) + 1);
  }
  const common = {
    start: places[0] ?? weights.length,
    fullest: [...perRow.values()].reduce((a, b) => Math.max(a, b), 0),
  };
  const none = { values: [], counts: [], rice: 0 };
  const full: Coded = { form: "full", ...none, ...common, bytes: Uint8Array.from(weights) };
  const ways: Coded[] = [full];
  if (goal === "flash") ways.push({ form: "bits", ...common, ...asBits(list, values) });
  else {
    ways.push({ form: "bytes", ...none, ...common, bytes: asBytes(list) });
    if (values.length <= 16) {
      ways.push({ form: "nibbles", ...none, ...common, values, bytes: asNibbles(list, values) });
    }
  }
  // A weight that stands for itself takes its multiplications, be it 0 or not: half of them pay for no more.
  const isDense = list.length * 2 > weights.length;
  return ways
    .filter(({ form }) => form !== "full" || isDense || list.length === 0)
    .reduce((a, b) => (sizeOf(b) < sizeOf(a) ? b : a));
}

/** Bytes of flash. */
export const sizeOf = ({ bytes, values, counts }: Coded): number => bytes.length + values.length + counts.length;

function byFrequency(list: readonly Weight[]): number[] {
  const counts = new Map<number, number>();
  for (const { value } of list) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort(([a, m], [b, n]) => n - m || a - b).map(([value]) => value);
}

/** The rest of a gap in bytes: 255 stands for as many and more to come. */
function* restOf(gap: number, field: number): Generator<number> {
  if (gap < field) return;
  let rest = gap - field;
  for (; rest >= BYTE_GAP; rest -= BYTE_GAP) yield BYTE_GAP;
  yield rest;
}

function asNibbles(list: readonly Weight[], values: readonly number[]): Uint8Array {
  return Uint8Array.from(
    list.flatMap(({ value, gap }) => [
      (Math.min(gap, NIBBLE_GAP) << 4) | values.indexOf(value),
      ...restOf(gap, NIBBLE_GAP),
    ]),
  );
}

function asBytes(list: readonly Weight[]): Uint8Array {
  return Uint8Array.from(list.flatMap(({ value, gap }) => [value, Math.min(gap, BYTE_GAP), ...restOf(gap, BYTE_GAP)]));
}

/** Canonical Huffman codes of the values (RFC 1951, 3.2.2), Rice codes of the gaps (Rice and Plaunt 1971); first bits are a byte's most significant. */
function asBits(
  list: readonly Weight[],
  values: readonly number[],
): Pick<Coded, "bytes" | "values" | "counts" | "rice"> {
  if (list.length === 0) return { bytes: new Uint8Array(0), values: [0], counts: [1], rice: 0 };
  const occurrences = values.map((value) => list.filter((weight) => weight.value === value).length);
  const { lengths } = codeLengths(occurrences, MAX_CODE_LENGTH);
  const codes = canonicalCodes(lengths);
  const order = [...values.keys()].sort((a, b) => lengths[a] - lengths[b] || a - b);
  const counts = Array.from(
    { length: Math.max(...lengths) },
    (_, at) => lengths.filter((length) => length === at + 1).length,
  );
  const riceBits = (k: number): number => list.reduce((sum, { gap }) => sum + (gap >> k) + 1 + k, 0);
  const rice = [0, 1, 2, 3, 4, 5, 6, 7, 8].reduce((a, b) => (riceBits(b) < riceBits(a) ? b : a));
  const bits: number[] = [];
  const write = (value: number, count: number): void => {
    for (let bit = count - 1; bit >= 0; bit--) bits.push((value >> bit) & 1);
  };
  for (const { value, gap } of list) {
    const symbol = values.indexOf(value);
    write(codes[symbol], lengths[symbol]);
    for (let ones = gap >> rice; ones > 0; ones--) bits.push(1);
    bits.push(0);
    write(gap, rice);
  }
  const bytes = new Uint8Array(Math.ceil(bits.length / 8));
  bits.forEach((bit, at) => (bytes[at >> 3] |= bit << (7 - (at & 7))));
  return { bytes, values: order.map((index) => values[index]), counts, rice };
}

/** C that reads them back. */
export const BITS_TEXT = `/* Bits of the weights' codes, a byte's most significant first. Under the bits that are left stands a one. */
static const uint8_t *bits_at;
static unsigned bits_left;

static void read_bits(const uint8_t *from) {
  bits_at = from;
  bits_left = 128;
}

static unsigned next_bit(void) {
  bits_left <<= 1;
  if ((bits_left & 255) == 0) bits_left = *bits_at++ * 2u + 1;
  return bits_left >> 8 & 1;
}

/* A canonical Huffman code: counts[n] codes have n + 1 bits. */
static int8_t next_value(const uint8_t *counts, const int8_t *values) {
  unsigned code = 0;
  for (;;) {
    code = code * 2 + next_bit();
    const unsigned count = *counts++;
    if (code < count) return values[code];
    code -= count;
    values += count;
  }
}

/* A Rice code: ones for the high bits, a zero, the low bits. */
static unsigned next_gap(unsigned low_bits) {
  unsigned gap = 0;
  while (next_bit()) gap++;
  for (; low_bits > 0; low_bits--) gap = gap * 2 + next_bit();
  return gap;
}
`;
