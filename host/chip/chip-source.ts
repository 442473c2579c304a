/** A whole net as C of its own, C99: its kernels, its tables and its memory, without interpreter or library. */
import { expectIncludable, identifier } from "../c/c-bytes.js";
import type { CSource } from "../c/c-source.js";
import { MoteError } from "../errors.js";
import { modelInputs, outputsOf, statesOf } from "../model/edges.js";
import { activationBits, refuseWide } from "../model/elements.js";
import { tensorBytes } from "../model/geometry.js";
import type { QModel } from "../model/model.js";
import { functionsOfTheirOwn, indented, sharedFunctions, type LayerCode } from "./c-code.js";
import { BITS_TEXT } from "./coding.js";
import type { ChipGoal } from "./goal.js";
import { noMultiplierText } from "./digits.js";
import { LANES_TEXT } from "./kernels.js";
import { layerCode } from "./layers.js";
import { chipMemory, takesRows, type ChipMemory } from "./memory.js";
import { proveMemory } from "./prove.js";
import { rowsText } from "./rows.js";
import { SCALING_TEXTS } from "./scaling.js";
import { selfTestText } from "./self-test.js";

export interface ChipSource extends CSource {
  /** Of static RAM on a part without a multiplier, which takes the most; some hundred bytes of stack come to it. */
  readonly ramBytes: number;
}

/** Static variables beside the memory: a counter of rows; what reads bits, where pointers have 4 bytes. */
const ROW_COUNTER_BYTES = 2;
const BIT_READER_BYTES = 8;

/** Functions that layers call, by the names in `uses`. */
const HELPERS: Readonly<Record<string, string>> = { bits: BITS_TEXT, lanes: LANES_TEXT, ...SCALING_TEXTS };

/**
 * @param name of the files without extension; identifiers are made from it
 * @throws MoteError ARGUMENT for a name that C cannot include, UNSUPPORTED for a layer that has no kernel, sums beyond 2^30, or, for RAM, several inputs or a state;
 *   MISMATCH where the memory cannot be proven
 */
export function chipSource(model: QModel, goal: ChipGoal, name: string): ChipSource {
  expectIncludable(name);
  refuseWide(activationBits(model), "C of its own: ");
  const byRows = goal === "ram";
  if (byRows && !takesRows(model)) {
    throw new MoteError(
      "UNSUPPORTED",
      `--optimize ram: the input comes by rows, expected one input and no state; this net has ${modelInputs(model).length} and ${statesOf(model).length}`,
    );
  }
  const lower = identifier(name);
  // Where taps are kept depends on how many there are, which layers say whatever the memory.
  const tapType = model.tensors.every((tensor) => tensorBytes(tensor) <= 2 ** 16) ? "uint16_t" : "uint32_t";
  const tapBytes = tapType === "uint16_t" ? 4 : 8;
  const layersIn = (memory: ChipMemory) => model.layers.map((_, index) => layerCode(model, memory, index, goal));
  const tapsOf = (layer: LayerCode | undefined): number => layer?.taps ?? 0;
  const drafts = layersIn(chipMemory(model, byRows, []));
  const tapsOfLayers = drafts.map((layer) => tapsOf(layer) * tapBytes);
  const memory = chipMemory(model, byRows, tapsOfLayers);
  proveMemory(model, memory, tapsOfLayers);
  const layers = layersIn(memory);
  const there = layers.filter((layer) => layer !== undefined);
  const functions = goal === "speed" ? functionsOfTheirOwn(there) : sharedFunctions(there);
  const calls = layers.map((layer) => (layer === undefined ? "" : functions.calls[there.indexOf(layer)]));
  const run = layers
    .flatMap((_, layer) => [...bordersOf(model, memory, layer), calls[layer]])
    .filter((line) => line !== "");
  const rest = layers
    .flatMap((_, layer) => (layer < memory.chain.length ? [] : [...bordersOf(model, memory, layer), calls[layer]]))
    .filter((line) => line !== "");
  const states = statesText(model, memory, lower);
  const rows = byRows ? rowsText(model, memory, lower, calls, rest) : undefined;
  const taps = Math.max(0, ...there.map(tapsOf));
  const uses = new Set(there.flatMap((layer) => layer.uses));
  const helpers = Object.entries(HELPERS).flatMap(([helper, text]) => (uses.has(helper) ? [text] : []));
  const digits = Math.max(0, ...there.map((layer) => layer.digits ?? 0));
  const ramBytes =
    memory.bytes +
    digits * (tapBytes / 2) +
    (byRows ? ROW_COUNTER_BYTES * (3 * memory.chain.length + 1) : 0) +
    (uses.has("bits") ? BIT_READER_BYTES : 0);
  const needsFrame = modelInputs(model).some((tensor) => model.tensors[tensor].border > 0);
  const source = `/* ${name}: a net as C of its own, written by \`mote pack --optimize ${goal}\`. Do not edit. */
#include "${name}.h"

#include <string.h>

#ifdef MOTE_CHECKED
#define CHECK(holds) ((holds) ? (void)0 : mote_check_failed(#holds))
#else
#define CHECK(holds) ((void)0)
#endif

${
  taps === 0
    ? ""
    : `/* A weight of the filter that is worked on, and where it reads from the window's first element on. */
typedef ${tapType} tap_at;
typedef struct {
tap_at at;
int16_t weight;
} tap;

`
}static union {
${taps === 0 ? "" : `tap taps[${taps}];\n`}uint8_t bytes[${memory.bytes}];
} memory;
#define BYTES memory.bytes
${taps === 0 ? "" : "#define TAPS memory.taps\n"}
${there.some(({ taps }) => taps !== undefined) ? noMultiplierText(digits) : ""}
${helpers.join("\n")}
${there.map(({ tables }) => tables).join("")}
${rows === undefined ? "" : `${rows.counters}\n`}${functions.text}
${rows === undefined ? `${needsFrame ? FRAME_TEXT : ""}${states.functions}void ${lower}_run(void) {\n${framesText(model, memory)}${run.join("\n")}\n${states.takeOver}}\n` : rows.functions}
${endsText(model, memory, lower, byRows)}
${selfTestText(model, memory, lower, byRows, states.functions === "" ? "" : `${lower}_reset();\n`)}`;
  return {
    header: header(model, memory, name, goal, ramBytes),
    source: indented(source).replace(/\n{3,}/g, "\n\n"),
    ramBytes,
  };
}

/** Of a tensor with a border, all of it before its layer writes the inside; parts of a concatenation have borders of their own. */
function bordersOf(model: QModel, memory: ChipMemory, layer: number): string[] {
  const { op, output } = model.layers[layer];
  const { border, zeroPoint } = model.tensors[output];
  if (border === 0 || op === "concat") return [];
  const { begin, bytes } = memory.tensors[output];
  return [`memset(BYTES + ${begin}, ${zeroPoint + 128}, ${bytes});`];
}

const FRAME_TEXT = `/* The border of an input, around what was written. */
static void frame(uint8_t *at, unsigned channels, unsigned height, unsigned width, unsigned border, int zero) {
const size_t pitch = width + 2 * border;
for (unsigned c = 0; c < channels; c++) {
memset(at, zero, border * pitch);
at += border * pitch;
for (unsigned y = 0; y < height; y++, at += pitch) {
memset(at, zero, border);
memset(at + pitch - border, zero, border);
}
memset(at, zero, border * pitch);
at += border * pitch;
}
}

`;

function framesText(model: QModel, memory: ChipMemory): string {
  const frames = modelInputs(model).map((tensor) => {
    const { shape, border, zeroPoint } = model.tensors[tensor];
    if (border === 0) return "";
    return `frame(BYTES + ${memory.tensors[tensor].begin}, ${[...shape, border, zeroPoint + 128].join(", ")});\n`;
  });
  return frames.join("");
}

/** States take over their sources' elements when a run ends. */
function statesText(model: QModel, memory: ChipMemory, lower: string): { functions: string; takeOver: string } {
  const states = statesOf(model);
  if (states.length === 0) return { functions: "", takeOver: "" };
  const resets = states.map((state) => {
    const { begin, bytes } = memory.tensors[state];
    return `memset(BYTES + ${begin}, ${model.tensors[state].zeroPoint + 128}, ${bytes});\n`;
  });
  const copies = states.map((state) => {
    const { shape, source } = model.tensors[state];
    const [to, from] = [memory.tensors[state], memory.tensors[source!]];
    return `for (unsigned c = 0; c < ${shape[0]}; c++) {
for (unsigned y = 0; y < ${shape[1]}; y++) {
memcpy(BYTES + ${to.begin + to.inside} + c * ${to.plane}u + y * ${to.pitch}u, BYTES + ${from.begin + from.inside} + c * ${from.plane}u + y * ${from.pitch}u, ${shape[2]});
}
}
`;
  });
  return { functions: `void ${lower}_reset(void) {\n${resets.join("")}}\n\n`, takeOver: copies.join("") };
}

const numbered = (stem: string, index: number): string => (index === 0 ? stem : `${stem}_${index}`);

function endsText(model: QModel, memory: ChipMemory, lower: string, byRows: boolean): string {
  const at = (tensor: number): string => {
    const { begin, inside } = memory.tensors[tensor];
    return `memory.bytes + ${begin + inside}`;
  };
  const inputs = byRows
    ? []
    : modelInputs(model).map(
        (tensor, index) => `uint8_t *const ${numbered(`${lower}_input`, index)} = ${at(tensor)};\n`,
      );
  const outputs = outputsOf(model).map(
    (tensor, index) => `const uint8_t *const ${numbered(`${lower}_output`, index)} = ${at(tensor)};\n`,
  );
  return inputs.join("") + outputs.join("");
}

/** Of an input that lies in memory: rows with a border between them stand apart, which a copy of all bytes would miss. */
function inputText(lower: string, index: number): string {
  const input = numbered(`${lower}_input`, index);
  const upper = input.toUpperCase();
  const text = `extern uint8_t *const ${input};

/* Writes the input from its elements as they are in a file: channels, of rows, one behind the other. */
static inline void ${lower}_write_${numbered("input", index)}(const uint8_t *elements) {
for (unsigned c = 0; c < ${upper}_CHANNELS; c++) {
for (unsigned y = 0; y < ${upper}_HEIGHT; y++, elements += ${upper}_WIDTH) {
memcpy(${input} + c * ${upper}_PLANE + y * ${upper}_PITCH, elements, ${upper}_WIDTH);
}
}
}
`;
  return indented(text);
}

function header(model: QModel, memory: ChipMemory, name: string, goal: ChipGoal, ramBytes: number): string {
  const lower = identifier(name);
  const upper = lower.toUpperCase();
  const byRows = goal === "ram";
  const about = (stem: string, tensor: number): string => {
    const { shape, scale, zeroPoint } = model.tensors[tensor];
    const { pitch, plane } = memory.tensors[tensor];
    const sizes = Object.entries({
      CHANNELS: shape[0],
      HEIGHT: shape[1],
      WIDTH: shape[2],
      ...(byRows && tensor === 0 ? {} : { PITCH: pitch, PLANE: plane }),
    });
    return (
      `/* Real number = ${scale} * (element - ${zeroPoint + 128}). */\n` +
      sizes.map(([what, size]) => `#define ${stem}_${what} ${size}u\n`).join("")
    );
  };
  const inputs = modelInputs(model).map(
    (tensor, index) => about(numbered(`${upper}_INPUT`, index), tensor) + (byRows ? "" : inputText(lower, index)),
  );
  const outputs = outputsOf(model).map(
    (tensor, index) =>
      about(numbered(`${upper}_OUTPUT`, index), tensor) +
      `extern const uint8_t *const ${numbered(`${lower}_output`, index)};\n`,
  );
  const calls = byRows
    ? `/* Before the first row of an input. */
void ${lower}_begin(void);
/* The next row: WIDTH elements of the first channel, of the second and so on. Behind the last one, of HEIGHT, the outputs are there. */
void ${lower}_push_row(const uint8_t *row);
`
    : `${statesOf(model).length > 0 ? `/* Before the first run, and to forget what was run before. */\nvoid ${lower}_reset(void);\n` : ""}/* Makes the outputs of the inputs, whose memory it uses: each is to be written before each run. */
void ${lower}_run(void);
`;
  return `/* ${name}: a net as C of its own, written by \`mote pack --optimize ${goal}\`: at most ${ramBytes} bytes of memory, and a stack. */
#ifndef ${upper}_NET_H
#define ${upper}_NET_H

#include <stdint.h>
${byRows ? "" : "#include <string.h>\n"}
#ifdef __cplusplus
extern "C" {
#endif

/* Elements are bytes. That of channel c, row y and column x is the one at c * PLANE + y * PITCH + x. */

${inputs.join("\n")}
${outputs.join("\n")}
${calls}
#ifdef MOTE_SELFTEST
/* Runs the net on made-up inputs. @returns a line that says whether the outputs are the reference's */
const char *${lower}_selftest(void);
#endif
#ifdef MOTE_CHECKED
/* Yours: called where a place in memory or in a table is not what was worked out when packing. */
void mote_check_failed(const char *what);
#endif

#ifdef __cplusplus
}
#endif

#endif
`;
}
