/** What is done with a filter's taps: place by place, or several places a turn with their sums in registers. */
import type { Axes } from "../model/model.js";
import type { Window } from "../ops/op.js";
import type { Names } from "./c-code.js";

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
  /** Of the sums, from the first element's first place. */
  readonly offsets: readonly number[];
  /** Of each element the sums that it is the largest of. */
  readonly sumsOf: readonly (readonly number[])[];
}

/** @param width elements of a row @returns undefined where a pool is too large */
export function tileOf(pool: Window, stride: Axes, pitch: number, width: number): Tile | undefined {
  if (pool.size[0] * pool.size[1] > MOST_POOLED) return undefined;
  const tiles = Array.from({ length: Math.min(width, MOST_SUMS) }, (_, more) =>
    tileWith(more + 1, pool, stride, pitch),
  );
  const cost = ({ elements, offsets }: Tile): number =>
    Math.ceil(width / elements) * (offsets.length * SUM_COST + TAP_COST);
  const fitting = tiles.filter(({ elements, offsets }) => elements === 1 || offsets.length <= MOST_SUMS);
  return fitting.reduce((best, tile) => (cost(tile) < cost(best) ? tile : best));
}

function tileWith(elements: number, pool: Window, stride: Axes, pitch: number): Tile {
  const offsets: number[] = [];
  const sumsOf = Array.from({ length: elements }, (_, element) => {
    const sums: number[] = [];
    for (let y = 0; y < pool.size[0]; y++) {
      for (let x = 0; x < pool.size[1]; x++) {
        const offset = y * stride[0] * pitch + (element * pool.stride[1] + x) * stride[1];
        if (!offsets.includes(offset)) offsets.push(offset);
        sums.push(offsets.indexOf(offset));
      }
    }
    return sums;
  });
  return { elements, offsets, sumsOf };
}

/** A row's tiles; the last one begins where it ends with the row, and makes some elements anew. */
export function kernelTiles(n: Names, kind: KernelKind, { elements, offsets, sumsOf }: Tile): string {
  const width = Number(n.width);
  const sums = offsets.map((_, sum) => `sum_${sum} = bias`).join(", ");
  const add = (weight: string): string =>
    offsets.map((offset, sum) => `sum_${sum} += ${weight} * p[${offset}];\n`).join("");
  const outputs = sumsOf.map((of, element) => {
    if (of.length === 1) return `to[x + ${element}] = ${kind.scaled(`sum_${of[0]}`)};\n`;
    return (
      `most = ${kind.floor};\n${of.map((sum) => `if (sum_${sum} > most) most = sum_${sum};\n`).join("")}` +
      `to[x + ${element}] = ${kind.scaled("most")};\n`
    );
  });
  const most = sumsOf.some((of) => of.length > 1) ? "int32_t most;\n" : "";
  const body =
    `const uint8_t *from = line + x * ${n.placeStep};\nint32_t ${sums};\n` +
    eachTap(n, kind.isFull, add) +
    most +
    outputs.join("");
  const step =
    width % elements === 0
      ? `for (unsigned x = 0; x < ${width}; x += ${elements}) {\n${body}}\n`
      : `for (unsigned x = 0;;) {\n${body}if (x == ${width - elements}) break;\nx += ${elements};\n` +
        `if (x > ${width - elements}) x = ${width - elements};\n}\n`;
  return lines(n, step);
}

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
${eachTap(n, kind.isFull, (weight) => `sum += ${weight} * *p;\n`)}if (sum > most) most = sum;
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
  return `const int8_t *w = data;
const uint8_t *p = from;
for (unsigned c = 0; c < ${n.channels}; c++, p += ${n.planeGap}) {
for (unsigned ky = 0; ky < ${n.kernelHeight}; ky++, p += ${n.lineGap}) {
for (unsigned kx = 0; kx < ${n.kernelWidth}; kx++, p++, w++) {
${add("*w")}}
}
}
`;
}
