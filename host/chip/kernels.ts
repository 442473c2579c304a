/** What is done with a filter's taps: place by place, or several places a turn with their sums in registers. */
import type { Axes } from "../model/model.js";
import type { Window } from "../ops/op.js";
import type { Names } from "./c-code.js";
import { digitSums } from "./digits.js";
import { extentOf } from "../model/geometry.js";

/** Sums that a turn keeps. */
const MOST_SUMS = 8;
/** A pool of more places goes place by place. */
const MOST_POOLED = 16;
/** Instructions of a sum, and of a tap beside its sums: about. */
const [SUM_COST, TAP_COST] = [3, 6];

export interface KernelKind {
  /** Whether the weights stand at `data`, all of them; else taps are from TAPS to `end`. */
  readonly isFull: boolean;
  readonly scaled: (sum: string) => string;
  /** The least that a pool begins with. */
  readonly floor: string;
}

/** Elements of a row that are made in a turn, and where their sums begin to read. */
export interface Tile {
  readonly elements: number;
  /** Whether the row is no multiple of it. */
  readonly hasRest: boolean;
  /** Of the sums, from the first element's first place: so many lines that a pool's places stand apart, and bytes. */
  readonly offsets: readonly Axes[];
  /** Of each element the sums that it is the largest of. */
  readonly sumsOf: readonly (readonly number[])[];
}

/** @param width elements of a row @returns undefined where a pool is too large */
export function tileOf(pool: Window, stride: Axes, width: number): Tile | undefined {
  if (pool.size[0] * pool.size[1] > MOST_POOLED) return undefined;
  const tiles = Array.from({ length: Math.min(width, MOST_SUMS) }, (_, more) =>
    tileWith(more + 1, pool, stride, width),
  );
  const cost = ({ elements, offsets }: Tile): number =>
    Math.ceil(width / elements) * (offsets.length * SUM_COST + TAP_COST);
  const fitting = tiles.filter(({ elements, offsets }) => elements === 1 || offsets.length <= MOST_SUMS);
  return fitting.reduce((best, tile) => (cost(tile) < cost(best) ? tile : best));
}

function tileWith(elements: number, pool: Window, stride: Axes, width: number): Tile {
  const offsets: Axes[] = [];
  const sumsOf = Array.from({ length: elements }, (_, element) => {
    const sums: number[] = [];
    for (let y = 0; y < pool.size[0]; y++) {
      for (let x = 0; x < pool.size[1]; x++) {
        const place = (element * pool.stride[1] + x) * stride[1];
        const known = offsets.findIndex((offset) => offset[0] === y && offset[1] === place);
        sums.push(known < 0 ? offsets.push([y, place]) - 1 : known);
      }
    }
    return sums;
  });
  return { elements, hasRest: width % elements !== 0, offsets, sumsOf };
}

/** A row's tiles; the last one begins where it ends with the row, and makes some elements anew. */
export function kernelTiles(n: Names, kind: KernelKind, tile: Tile, lanes: Tile | undefined): string {
  const row = rowOfTiles(n, tile, tileText(n, kind, tile));
  return lines(
    n,
    lanes === undefined
      ? row
      : `#ifdef MOTE_LANES\n${rowOfTiles(n, lanes, laneText(n, kind, lanes))}#else\n${row}#endif\n`,
  );
}

/** @param body for the elements from `x` on, whose windows begin at `from` */
function rowOfTiles(n: Names, { elements, hasRest }: Tile, body: string): string {
  const whole = `const uint8_t *from = line + x * ${n.placeStep};\n${body}`;
  return hasRest
    ? `for (unsigned x = 0;;) {\n${whole}if (x == ${n.width} - ${elements}) break;\nx += ${elements};\n` +
        `if (x > ${n.width} - ${elements}) x = ${n.width} - ${elements};\n}\n`
    : `for (unsigned x = 0; x < ${n.width}; x += ${elements}) {\n${whole}}\n`;
}

function tileText(n: Names, kind: KernelKind, { offsets, sumsOf }: Tile): string {
  const isLiteral = /^\d+$/.test(n.poolLine);
  /** Pointers to lines below the first, where their distance is no number. */
  const lineTexts = [...new Set(offsets.map(([line]) => line))].map((line) =>
    isLiteral || line === 0 ? "" : `const uint8_t *p_${line} = p + ${line} * ${n.poolLine};\n`,
  );
  const places = offsets.map(([line, place]) =>
    isLiteral ? `p[${line * Number(n.poolLine) + place}]` : `p${line === 0 ? "" : `_${line}`}[${place}]`,
  );
  const eachSum = (text: (sum: string, place: string) => string): string =>
    places.map((place, sum) => `${text(`sum_${sum}`, place)};\n`).join("");
  const sums = (first: string): string => `int32_t ${places.map((_, sum) => `sum_${sum} = ${first}`).join(", ")};\n`;
  const outputs = sumsOf.map((of, element) => {
    if (of.length === 1) return `to[x + ${element}] = ${kind.scaled(`sum_${of[0]}`)};\n`;
    return (
      `most = ${kind.floor};\n${of.map((sum) => `if (sum_${sum} > most) most = sum_${sum};\n`).join("")}` +
      `to[x + ${element}] = ${kind.scaled("most")};\n`
    );
  });
  const most = sumsOf.some((of) => of.length > 1) ? "int32_t most;\n" : "";
  const add = (weight: string): string =>
    lineTexts.join("") + eachSum((sum, place) => `${sum} += TIMES(${weight}, ${place})`);
  const products = sums("bias") + eachTap(n, kind.isFull, add);
  return (
    (kind.isFull
      ? products
      : `#ifdef MOTE_NO_MULTIPLIER\n${sums("0")}${digitSums(
          n.planes,
          eachSum((sum) => `${sum} += ${sum}`),
          (sign) => lineTexts.join("") + eachSum((sum, place) => `${sum} ${sign}= ${place}`),
        )}${eachSum((sum) => `${sum} += bias`)}#else\n${products}#endif\n`) +
    most +
    outputs.join("")
  );
}

/** Places that a word of four bytes holds, and words whose sums a turn keeps. */
const [LANES, MOST_WORDS] = [4, 4];

/**
 * A tile of words: their bytes are summed two and two, 16 bits each, in one multiplication.
 * @param width elements of a row
 * @returns undefined where no such tile fits
 */
export function laneTileOf(pool: Window, stride: Axes, width: number): Tile | undefined {
  if (stride[1] !== 1 || pool.size[0] > MOST_WORDS) return undefined;
  const fitting = Array.from({ length: Math.min(width, LANES * MOST_WORDS) }, (_, more) => more + 1).filter(
    (elements) => {
      const columns = extentOf(elements, pool.size[1], pool.stride[1]);
      return columns % LANES === 0 && (columns / LANES) * pool.size[0] <= MOST_WORDS;
    },
  );
  if (fitting.length === 0) return undefined;
  const cost = (elements: number): number => {
    const words = (extentOf(elements, pool.size[1], pool.stride[1]) / LANES) * pool.size[0];
    return Math.ceil(width / elements) * (words * LANES + TAP_COST);
  };
  return tileWith(
    fitting.reduce((best, elements) => (cost(elements) < cost(best) ? elements : best)),
    pool,
    stride,
    width,
  );
}

/** All of a word's bytes are multiplied at once, then its odd ones: what the even ones come to is the difference. */
function laneText(n: Names, kind: KernelKind, { offsets, sumsOf }: Tile): string {
  const names = new Map<string, string>();
  for (const [line, place] of offsets) names.set(`${line} ${place - (place % LANES)}`, "");
  const words = [...names.keys()].map((key) => key.split(" ").map(Number));
  const number = ([line, place]: Axes): number =>
    words.findIndex((word) => word[0] === line && word[1] === place - (place % LANES));
  const sums = words.map((_, word) => `all_${word} = 0, odd_${word} = 0`).join(", ");
  const add = (weight: string): string =>
    words
      .map(
        ([line, place], word) =>
          `x = word_at(p + ${line * Number(n.poolLine) + place});\nall_${word} += x * (uint32_t)${weight};\n` +
          `odd_${word} += (x >> 8 & 0xff00ffu) * (uint32_t)${weight};\n`,
      )
      .join("");
  const lane = (sum: number): string => {
    const word = number(offsets[sum]);
    const at = offsets[sum][1] % LANES;
    const pair = at % 2 === 0 ? `all_${word} - (odd_${word} << 8)` : `odd_${word}`;
    return at < 2 ? `low_lane(${pair})` : `high_lane(${pair})`;
  };
  const outputs = sumsOf.map(([first, ...others], element) => {
    const more = others.map((sum) => `next = ${lane(sum)};\nif (next > most) most = next;\n`);
    return `most = ${lane(first)};\n${more.join("")}to[x + ${element}] = ${kind.scaled("most + bias")};\n`;
  });
  return (
    `uint32_t ${sums};\n${eachTap(n, kind.isFull, (weight) => `uint32_t x;\n${add(weight)}`)}` +
    `int32_t most${sumsOf[0].length > 1 ? ", next" : ""};\n${outputs.join("")}`
  );
}

export const LANES_TEXT = `#if defined(__ARM_FEATURE_UNALIGNED) && !defined(__ARM_BIG_ENDIAN) && !defined(MOTE_LANES)
#define MOTE_LANES
#endif
#ifdef MOTE_LANES
static inline uint32_t word_at(const uint8_t *p) {
uint32_t word;
memcpy(&word, p, sizeof word);
return word;
}

/* Two sums in a word: 16 bits hold each, which was proven when packing. */
static inline int32_t low_lane(uint32_t pair) {
return (int16_t)pair;
}

static inline int32_t high_lane(uint32_t pair) {
return (int16_t)((pair - (uint32_t)low_lane(pair)) >> 16);
}
#endif
`;

/** Place by place: the least code. */
export function kernelLoops(n: Names, kind: KernelKind): string {
  return lines(
    n,
    `for (unsigned x = 0; x < ${n.width}; x++) {
const uint8_t *window = line + x * ${n.placeStep};
int32_t most = ${kind.floor};
for (unsigned y = 0; y < ${n.poolHeight}; y++, window += ${n.poolLine}) {
for (unsigned z = 0; z < ${n.poolWidth}; z++) {
const uint8_t *from = window + z * ${n.poolPlace};
int32_t sum = bias;
${eachTap(n, kind.isFull, (weight) => `sum += TIMES(${weight}, *p);\n`)}if (sum > most) most = sum;
}
}
to[x] = ${kind.scaled("most")};
}
`,
  );
}

const lines = (n: Names, row: string): string =>
  n.height === "1"
    ? `${row}`
    : `for (unsigned i = 0; i < ${n.height}; i++, line += ${n.lineStep}, to += ${n.pitch}) {\n${row}}\n`;

/** @param add what becomes of the weight, for the place at `p` */
function eachTap(n: Names, isFull: boolean, add: (weight: string) => string): string {
  if (!isFull) {
    return `for (const tap *t = TAPS; t != end; t++) {\nconst uint8_t *p = from + t->at;\nconst int32_t w = t->weight;\n${add("w")}}\n`;
  }
  return `const int8_t *weight = data;
const uint8_t *p = from;
for (unsigned c = 0; c < ${n.channels}; c++, p += ${n.planeGap}) {
for (unsigned ky = 0; ky < ${n.kernelHeight}; ky++, p += ${n.lineGap}) {
for (unsigned kx = 0; kx < ${n.kernelWidth}; kx++, p++) {
const int32_t w = *weight++;
${add("w")}}
}
}
`;
}
