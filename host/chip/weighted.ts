/** Convolutions and dense layers. A filter's weights are read once into a list of taps, or taken as they come where a layer has one place. */
import { MoteError } from "../errors.js";
import type { Axes, Shape } from "../model/model.js";
import type { QWeightedLayer } from "../ops/index.js";
import { NO_POOL, type Window } from "../ops/op.js";
import { integerType, table, type Arguments, type LayerCode, type Names } from "./c-code.js";
import { codeWeights, type Coded } from "./coding.js";
import { digitsText, mostDigits, planesOf, valuesTable } from "./digits.js";
import type { ChipGoal } from "./goal.js";
import { kernelLoops, kernelTiles, laneTileOf, tileOf } from "./kernels.js";
import { windowsAt, type Places } from "./place.js";
import { scalingOf } from "./scaling.js";

/** What convolutions and dense layers are. */
interface Geometry {
  readonly kernel: Axes;
  readonly stride: Axes;
  readonly pad: Axes;
  readonly groups: number;
  readonly pool: Window;
}

/** Of a sum in 16 bits. */
const MOST_LANE = 32767;
/** Without a multiplier sums grow power by power, with up to 4/3 of what they come to on the way. */
const MOST_PRODUCTS = 1.5 * 2 ** 30;

/** A dense layer is a filter as large as its input. */
function geometryOf(layer: QWeightedLayer, [, height, width]: Shape): Geometry {
  return layer.op === "conv2d"
    ? layer
    : { kernel: [height, width], stride: [1, 1], pad: [0, 0], groups: 1, pool: NO_POOL };
}

/** @param index of the layer @param where for errors and comments */
export function weightedCode(
  layer: QWeightedLayer,
  index: number,
  places: Places,
  goal: ChipGoal,
  where: string,
): LayerCode {
  const { output, rows: height } = places;
  const [from] = places.inputs;
  const [count, , width] = output.shape;
  const columns = layer.weights.length / count;
  const { kernel, stride, pad, groups, pool } = geometryOf(layer, from.shape);
  const coded = codeWeights(layer.weights, columns, goal);
  const { sums, offsets, products } = sumsOf(layer, columns, from.zero, where);
  const name = `layer_${index}`;
  const scaling = scalingOf(layer, output.zero, sums, [`${name}_multipliers`, `${name}_shifts`]);
  const biases = offsets.map((bias) => bias - scaling.first);
  if (biases.some((bias) => Math.abs(bias) >= 2 ** 31)) refuseSums(where);
  // Functions are shared by layers whose tables are of one type.
  const narrowest = biases.every((bias) => Math.abs(bias) < 2 ** 15) ? "int16_t" : "int32_t";
  const isShared = goal !== "speed";
  const biasType = isShared ? narrowest : integerType([-1, ...biases]).type.trim();
  const isOneBias = !isShared && new Set(biases).size === 1;
  const isFull = coded.form === "full";
  const isStraight =
    layer.op === "dense" && from.pitch === from.shape[2] && from.plane === from.shape[1] * from.shape[2];
  const isOnePlace = height * width * pool.size[0] * pool.size[1] === 1;
  // A row of all elements where they stand one behind the other: nothing is to be divided.
  const [kernelHeight, kernelWidth] = isStraight ? [1, columns] : kernel;
  const isDirect = goal !== "flash" && !isFull && isOnePlace && isStraight;
  const tile = goal === "flash" || isDirect ? undefined : tileOf(pool, stride, width);
  const lanes =
    goal === "speed" && tile !== undefined && products <= MOST_LANE ? laneTileOf(pool, stride, width) : undefined;
  const planes = Math.max(1, ...[...new Set(layer.weights)].map(planesOf));
  const digits = tile === undefined || isFull ? 0 : mostDigits(layer.weights, columns);
  const weightType = isFull ? "int8_t" : "uint8_t";
  const tables = [
    table(`${name}_weights`, isFull ? Int8Array.from(coded.bytes) : coded.bytes, weightType),
    ...(coded.values.length === 0
      ? []
      : digits > 0
        ? [valuesTable(`${name}_values`, coded.values)]
        : [table(`${name}_values`, coded.values, "int8_t")]),
    ...(coded.counts.length > 0 ? [table(`${name}_counts`, coded.counts, "uint8_t")] : []),
    ...(isOneBias ? [] : [table(`${name}_bias`, biases, biasType)]),
    ...(scaling.kind === "rows"
      ? [table(`${name}_multipliers`, layer.multiplier, "uint32_t"), table(`${name}_shifts`, layer.shift, "uint8_t")]
      : []),
  ];
  const values: Arguments = {
    data: { table: `${name}_weights`, type: weightType },
    start: coded.start,
    ...(coded.values.length > 0
      ? { values: { table: `${name}_values`, type: digits > 0 ? "tap_value" : "int8_t" } }
      : {}),
    ...(coded.counts.length > 0 ? { counts: { table: `${name}_counts`, type: "uint8_t" }, rice: coded.rice } : {}),
    rows: count,
    columns,
    channels: isStraight ? 1 : from.shape[0] / groups,
    kernelHeight,
    kernelWidth,
    lineGap: isStraight ? 0 : from.pitch - kernelWidth,
    planeGap: isStraight ? 0 : from.plane - kernelHeight * from.pitch,
    from: windowsAt(from, pad),
    to: output.at,
    plane: output.plane,
    pitch: output.pitch,
    height,
    width,
    lineStep: pool.stride[0] * stride[0] * from.pitch,
    placeStep: pool.stride[1] * stride[1],
    poolHeight: pool.size[0],
    poolWidth: pool.size[1],
    poolLine: stride[0] * from.pitch,
    poolPlace: stride[1],
    rowsOfGroup: count / groups,
    groupBytes: (from.shape[0] / groups) * from.plane,
    bias: isOneBias ? biases[0] : { table: `${name}_bias`, type: biasType },
    ...(digits > 0 ? { planes } : {}),
    ...scaling.arguments,
  };
  const body = (n: Names): string => {
    const kind = {
      isFull,
      scaled: (sum: string) => scaling.text(n, sum),
      floor: scaling.kind === "narrow" ? "0" : "INT32_MIN",
    };
    const loop = isDirect
      ? directRow(n, coded, kind.scaled)
      : (isFull ? "" : listText(n, coded, digits > 0)) +
        (digits > 0 ? digitsText(n.planes) : "") +
        `const uint8_t *line = BYTES + ${n.from}${groups > 1 ? ` + row / ${n.rowsOfGroup} * ${n.groupBytes}` : ""};\n` +
        `uint8_t *to = BYTES + ${n.to} + row * ${n.plane};\n` +
        `CHECK(to + (${n.height} - 1) * ${n.pitch} + ${n.width} <= BYTES + sizeof BYTES);\n` +
        (tile === undefined ? kernelLoops(n, kind) : kernelTiles(n, kind, tile, lanes)) +
        (isFull ? `data += ${n.columns};\n` : "");
    return (
      (coded.form === "bits" ? `read_bits(${n.data});\n` : `const ${weightType} *data = ${n.data};\n`) +
      (isFull ? "" : `uint32_t column = ${n.start};\n`) +
      `for (unsigned row = 0; row < ${n.rows}; row++) {\n` +
      `const int32_t bias = ${n.bias}${isOneBias ? "" : "[row]"};\n${loop}}\n`
    );
  };
  return {
    key: JSON.stringify([coded.form, groups > 1, scaling.kind, biasType, isDirect, tile]),
    what: where,
    arguments: values,
    body,
    tables: tables.join(""),
    uses: [scaling.uses, ...(coded.form === "bits" ? ["bits"] : []), ...(lanes === undefined ? [] : ["lanes"])],
    taps: isFull || isDirect ? 0 : Math.max(1, coded.fullest),
    digits,
  };
}

/** Sums over bytes instead of differences to the zero point: what each row begins with, the least and largest that there are of all rows, and how far these may be from where they begin. */
function sumsOf(
  { weights, bias }: QWeightedLayer,
  columns: number,
  zero: number,
  where: string,
): { readonly sums: readonly [number, number]; readonly offsets: readonly number[]; readonly products: number } {
  let [least, largest, products] = [Infinity, -Infinity, 0];
  const offsets = Array.from(bias, (first, row) => {
    let [positive, negative] = [0, 0];
    for (let at = row * columns; at < (row + 1) * columns; at++) {
      if (weights[at] > 0) positive += weights[at];
      else negative += weights[at];
    }
    const offset = first - zero * (positive + negative);
    least = Math.min(least, offset + 255 * negative);
    largest = Math.max(largest, offset + 255 * positive);
    products = Math.max(products, 255 * positive, -255 * negative);
    return offset;
  });
  if (Math.max(-least, largest) >= 2 ** 30 || products >= MOST_PRODUCTS) refuseSums(where);
  return { sums: [least, largest], offsets, products };
}

export function refuseSums(where: string): never {
  throw new MoteError("UNSUPPORTED", `${where}: its sums may go beyond 2^30, expected less for C of its own`);
}

/**
 * The row's weights in turn.
 * @param take what becomes of one, whose value is the expression
 * @param step what becomes of the columns to the next one
 */
function eachWeight(
  n: Names,
  { form }: Coded,
  take: (weight: string) => string,
  step: (columns: string) => string,
): string {
  const more = (most: number): string =>
    `if (gap == ${most}) {\nunsigned more;\ndo {\nmore = *data++;\ngap += more;\n} while (more == 255);\n}\n`;
  const texts = {
    bits: take(`next_value(${n.counts}, ${n.values})`) + step(`next_gap(${n.rice}) + 1`),
    nibbles:
      `const unsigned record = *data++;\n${take(`${n.values}[record & 15]`)}unsigned gap = record >> 4;\n` +
      more(15) +
      step("gap + 1"),
    bytes: `${take("(int8_t)*data++")}unsigned gap = *data++;\n${more(255)}${step("gap + 1")}`,
    full: "",
  };
  return texts[form];
}

/** The row's taps, from TAPS to `end`. Columns become places: rows of the kernel and channels stand apart. */
const listText = (n: Names, coded: Coded, hasDigits: boolean): string =>
  `tap *end = TAPS;
uint32_t at = column, kx = column, ky = 0;
while (column < ${n.columns}) {
while (kx >= ${n.kernelWidth}) {
kx -= ${n.kernelWidth};
at += ${n.lineGap};
if (++ky == ${n.kernelHeight}) {
ky = 0;
at += ${n.planeGap};
}
}
CHECK(end < TAPS + sizeof TAPS / sizeof *TAPS);
CHECK(${n.from} + at < sizeof BYTES);
end->at = (tap_at)at;
${eachWeight(
  n,
  coded,
  (weight) => `end->weight = ${hasDigits && coded.form === "bytes" ? `TAP_WEIGHT(${weight})` : weight};\nend++;\n`,
  (columns) => `const uint32_t step = ${columns};\ncolumn += step;\nkx += step;\nat += step;\n`,
)}}
column -= ${n.columns};
`;

const directRow = (n: Names, coded: Coded, scaled: (sum: string) => string): string =>
  `int32_t sum = bias;
while (column < ${n.columns}) {
${eachWeight(
  n,
  coded,
  (weight) => `sum += TIMES(${weight}, (BYTES + ${n.from})[column]);\n`,
  (columns) => `column += ${columns};\n`,
)}}
column -= ${n.columns};
(BYTES + ${n.to})[row * ${n.plane}] = ${scaled("sum")};
`;
