/** Ops without weights. */
import type { QAdd } from "../ops/add.js";
import type { QAppend } from "../ops/append.js";
import type { QAvgPool } from "../ops/avgpool.js";
import type { QCrop } from "../ops/crop.js";
import type { QLut } from "../ops/lut.js";
import type { QMaxPool } from "../ops/maxpool.js";
import type { QMul } from "../ops/mul.js";
import type { QResize } from "../ops/resize.js";
import { copiedParts } from "../ops/parts.js";
import { table, type Arguments, type LayerCode, type Names } from "./c-code.js";
import { windowsAt, type Place, type Places } from "./place.js";
import { scalingOf } from "./scaling.js";
import { refuseSums } from "./weighted.js";

export function poolCode(
  layer: QMaxPool | QAvgPool,
  { inputs: [from], output, rows }: Places,
  what: string,
): LayerCode {
  const { kernel, stride, pad, clamp } = layer;
  const windows: Arguments = {
    from: windowsAt(from, pad),
    fromPlane: from.plane,
    fromPitch: from.pitch,
    ...sizesOf(output, rows),
    kernelHeight: kernel[0],
    kernelWidth: kernel[1],
    lineStep: stride[0] * from.pitch,
    placeStep: stride[1],
  };
  const loops = (n: Names, before: string, each: string, after: string): string =>
    `for (unsigned c = 0; c < ${n.channels}; c++) {
const uint8_t *line = BYTES + ${n.from} + c * ${n.fromPlane};
uint8_t *to = BYTES + ${n.to} + c * ${n.plane};
for (unsigned y = 0; y < ${n.height}; y++, line += ${n.lineStep}, to += ${n.pitch}) {
for (unsigned x = 0; x < ${n.width}; x++) {
const uint8_t *window = line + x * ${n.placeStep};
${before}for (unsigned ky = 0; ky < ${n.kernelHeight}; ky++, window += ${n.fromPitch}) {
for (unsigned kx = 0; kx < ${n.kernelWidth}; kx++) {
${each}}
}
to[x] = ${after};
}
}
}
`;
  if (layer.op === "maxpool") {
    return {
      key: layer.op,
      what,
      arguments: { ...windows, least: clamp[0] + 128, largest: clamp[1] + 128 },
      body: (n) =>
        loops(
          n,
          `unsigned most = ${n.least};\n`,
          "if (window[kx] > most) most = window[kx];\n",
          `(uint8_t)(most < ${n.largest} ? most : ${n.largest})`,
        ),
      tables: "",
      uses: [],
    };
  }
  const elements = kernel[0] * kernel[1];
  const zeros = elements * from.zero;
  if (255 * elements >= 2 ** 30) refuseSums(what);
  const scaling = scalingOf(
    { multiplier: [layer.multiplier], shift: [layer.shift], clamp },
    output.zero,
    [-zeros, 255 * elements - zeros],
    undefined,
    true,
  );
  return {
    key: `${layer.op} ${scaling.kind}`,
    what,
    arguments: { ...windows, bias: -zeros - scaling.first, ...scaling.arguments },
    body: (n) => loops(n, `int32_t sum = ${n.bias};\n`, "sum += window[kx];\n", scaling.text(n, "sum")),
    tables: "",
    uses: [scaling.uses],
  };
}

export function addCode(layer: QAdd, { inputs: [a, b], output, rows }: Places, what: string): LayerCode {
  const { multipliers, shift, clamp } = layer;
  return {
    key: layer.op,
    what,
    arguments: {
      ...pairOf(a, b, output, rows),
      factorA: multipliers[0],
      factorB: multipliers[1],
      half: 2 ** (shift - 1),
      shift,
      zero: output.zero,
      least: clamp[0] + 128,
      largest: clamp[1] + 128,
    },
    body: (n) =>
      elements(
        n,
        ["a", "b"],
        `const int32_t sum = (a[x] - ${n.zeroA}) * (int32_t)${n.factorA} + (b[x] - ${n.zeroB}) * (int32_t)${n.factorB};
const int32_t value = ${n.zero} + ((sum + (int32_t)${n.half}) >> ${n.shift});
to[x] = (uint8_t)(value < ${n.least} ? ${n.least} : value > ${n.largest} ? ${n.largest} : value);
`,
      ),
    tables: "",
    uses: [],
  };
}

export function mulCode(layer: QMul, { inputs: [a, b], output, rows }: Places, what: string): LayerCode {
  const isGate = b.shape[1] * b.shape[2] < a.shape[1] * a.shape[2];
  const products = [a, b].map(({ zero }) => [-zero, 255 - zero]);
  const corners = products[0].flatMap((x) => products[1].map((y) => x * y));
  const scaling = scalingOf({ multiplier: [layer.multiplier], shift: [layer.shift], clamp: layer.clamp }, output.zero, [
    Math.min(...corners),
    Math.max(...corners),
  ]);
  return {
    key: `${layer.op} ${scaling.kind} ${isGate}`,
    what,
    arguments: {
      ...pairOf(a, b, output, rows),
      bias: -scaling.first,
      ...scaling.arguments,
    },
    body: (n) =>
      elements(
        n,
        ["a", "b"],
        `const int32_t sum = (a[x] - ${n.zeroA}) * (b[${isGate ? "0" : "x"}] - ${n.zeroB}) + ${n.bias};
to[x] = ${scaling.text(n, "sum")};
`,
        isGate,
      ),
    tables: "",
    uses: [scaling.uses],
  };
}

/** @param index of the layer */
export function lutCode(
  { op, table: values }: QLut,
  index: number,
  { inputs: [a], output, rows }: Places,
  what: string,
): LayerCode {
  const name = `layer_${index}_values`;
  return {
    key: op,
    what,
    arguments: { ...from("a", a), ...sizesOf(output, rows), table: { table: name, type: "uint8_t" } },
    body: (n) => elements(n, ["a"], `to[x] = ${n.table}[a[x]];\n`),
    tables: table(
      name,
      Array.from(values, (value) => value + 128),
      "uint8_t",
    ),
    uses: [],
  };
}

export function resizeCode({ op, factor }: QResize, { inputs: [a], output, rows }: Places, what: string): LayerCode {
  return {
    key: op,
    what,
    arguments: { ...from("a", a), ...sizesOf(output, rows), factorY: factor[0], factorX: factor[1] },
    body: (n) =>
      `for (unsigned c = 0; c < ${n.channels}; c++) {
for (unsigned y = 0; y < ${n.height}; y++) {
const uint8_t *a = BYTES + ${n.a} + c * ${n.aPlane} + y / ${n.factorY} * ${n.aPitch};
uint8_t *to = BYTES + ${n.to} + c * ${n.plane} + y * ${n.pitch};
for (unsigned x = 0; x < ${n.width}; x++) {
to[x] = a[x / ${n.factorX}];
}
}
}
`,
    tables: "",
    uses: [],
  };
}

/** Rectangles, one of each input that it takes something of. */
export function copyCode(layer: QCrop | QAppend, { inputs, output }: Places, what: string): LayerCode {
  const shapes = inputs.map(({ shape }) => shape);
  const parts = copiedParts(layer, shapes, output.shape).map(({ input, channel, from: [y, x], to, size }) => {
    const { at, pitch, plane } = inputs[input];
    return {
      from: (at as number) + channel * plane + y * pitch + x,
      fromPitch: pitch,
      fromPlane: plane,
      to: (output.at as number) + to[0] * output.pitch + to[1],
      height: size[0],
      width: size[1],
    };
  });
  const numbered = parts.flatMap((part, index) =>
    Object.entries(part).map(([name, value]) => [`${name}${index}`, value] as const),
  );
  return {
    key: `${layer.op} ${parts.length}`,
    what,
    arguments: {
      ...Object.fromEntries(numbered),
      pitch: output.pitch,
      plane: output.plane,
      channels: output.shape[0],
    },
    body: (n) =>
      `for (unsigned c = 0; c < ${n.channels}; c++) {
${parts
  .map(
    (_, i) => `for (unsigned y = 0; y < ${n[`height${i}`]}; y++) {
memcpy(BYTES + ${n[`to${i}`]} + c * ${n.plane} + y * ${n.pitch}, BYTES + ${n[`from${i}`]} + c * ${n[`fromPlane${i}`]} + y * ${n[`fromPitch${i}`]}, ${n[`width${i}`]});
}
`,
  )
  .join("")}}
`,
    tables: "",
    uses: [],
  };
}

const from = (name: string, { at, pitch, plane }: Place): Arguments => ({
  [name]: at,
  [`${name}Pitch`]: pitch,
  [`${name}Plane`]: plane,
});

const sizesOf = ({ shape, at, pitch, plane }: Place, rows: number): Arguments => ({
  to: at,
  pitch,
  plane,
  channels: shape[0],
  height: rows,
  width: shape[2],
});

/** Two inputs, and the output. */
const pairOf = (a: Place, b: Place, output: Place, rows: number): Arguments => ({
  ...from("a", a),
  ...from("b", b),
  ...sizesOf(output, rows),
  zeroA: a.zero,
  zeroB: b.zero,
});

/** @param isGate whether the last input has an element a channel */
function elements(n: Names, inputs: readonly string[], each: string, isGate = false): string {
  const starts = inputs.map((name) => {
    const line = isGate && name === inputs.at(-1) ? "" : ` + y * ${n[`${name}Pitch`]}`;
    return `const uint8_t *${name} = BYTES + ${n[name]} + c * ${n[`${name}Plane`]}${line};\n`;
  });
  return `for (unsigned c = 0; c < ${n.channels}; c++) {
for (unsigned y = 0; y < ${n.height}; y++) {
${starts.join("")}uint8_t *to = BYTES + ${n.to} + c * ${n.plane} + y * ${n.pitch};
for (unsigned x = 0; x < ${n.width}; x++) {
${each}}
}
}
`;
}
