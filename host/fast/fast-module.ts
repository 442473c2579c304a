/**
 * Container to fast module: the model laid out when packing, so that the device neither parses nor decodes (SPEC.md, "The fast module").
 * Tables stand in linear memory from the beginning; weights are a stream of plain records in a custom section, which stays in flash. Larger
 * than a container and faster; the results are the same.
 */
import {
  KIND_ADD,
  KIND_AVGPOOL,
  KIND_BITS,
  KIND_BORDER,
  KIND_CONV_BLOCKS,
  KIND_CONV_GAPS,
  KIND_CONV_PLACES,
  KIND_CONV_POOLED,
  KIND_CONV_QUADS,
  KIND_COPY,
  KIND_DENSE,
  KIND_DENSE_ROWS,
  KIND_DENSE_VALUES,
  KIND_DEPTHWISE,
  KIND_INPUT,
  KIND_LINES,
  KIND_LUT,
  KIND_MAXPOOL,
  KIND_MUL,
  KIND_RESIZE,
  KIND_TURN,
  LAYER_CLAMP_MAX,
  LAYER_CLAMP_MIN,
  LAYER_DEPTH_HEIGHT,
  LAYER_INPUT_PITCH,
  LAYER_IS_WIDE,
  LAYER_KIND,
  LAYER_POOL_WIDTH,
  LAYOUT_VERSION,
  PIECE_ELEMENTS,
} from "../../assembly/fast/layout.js";
import {
  BITS_KERNEL,
  BLOCKS_KERNEL,
  DENSE_KERNEL,
  DEPTH_KERNEL,
  GAPS_KERNEL,
  LAYOUT_SECTION,
  LINES_KERNEL,
  POOL_KERNEL,
  QUADS_KERNEL,
  ROWS_KERNEL,
  STREAM_SECTION,
  SUMS_KERNEL,
  TILES_KERNEL,
  VALUES_KERNEL,
} from "../../assembly/module.js";
import { withAlignedSection, withMetadataSection, withSection } from "../module/custom-section.js";
import type { Optimization } from "./optimization.js";
import { depthStep } from "./depthwise.js";
import type { Entry } from "./entry.js";
import type { FastProgram } from "./memory.js";
import { remake, setMemory, type Bodies, type Body, type NamedModule } from "../module/remake.js";
import { sealModule } from "../module/seal.js";

const KERNELS: Omit<NamedModule, "bytes"> = {
  title: "the module of fast kernels",
  target: "fast",
  folder: "assembly/fast/",
  // Nested expressions keep more values waiting than wasm3 has registers: kernels as they are written are 3 % faster.
  passesToSkip: [
    "simplify-locals",
    "simplify-locals-nostructure",
    "simplify-locals-notee",
    "simplify-locals-notee-nostructure",
  ],
};

/**
 * Packs a model that is laid out into a fast module: imports `mote.read` for the stream, has the exports of a core, MVP features only, sealed. The
 * same model and kernels give the same bytes.
 * @param kernels not optimised and with their function names: build/fast-named.wasm
 * @param optimize speed: with a kernel for each pitch of rows; sram: with one for all
 * @throws MoteError ENGINE for other kernels
 */
export function fastModule(
  program: FastProgram,
  kernels: Uint8Array,
  optimize: Exclude<Optimization, "size">,
): Uint8Array {
  const { model, memory, control, tables, stream } = program;
  const kinds = new Set(program.entries.map((entry) => entry.get(LAYER_KIND)!));
  const exportsToDrop = EXPORTED_KERNELS.flatMap(([name, of]) => (of.some((kind) => kinds.has(kind)) ? [] : name));
  const wasm = remake(
    { ...KERNELS, bytes: kernels, exportsToDrop },
    knownBodies(program, MAX_PITCHES[optimize]),
    {},
    (module) => {
      setMemory(module, memory.bytes, [
        { address: 0, bytes: control },
        { address: memory.tablesPtr, bytes: tables },
      ]);
    },
  );
  const versioned = withSection(wasm, LAYOUT_SECTION, Uint8Array.of(LAYOUT_VERSION));
  return sealModule(withMetadataSection(withAlignedSection(versioned, STREAM_SECTION, stream), model));
}

/** With more there is one kernel for all of them. A kernel for the only one is smaller than one for any. */
const MAX_PITCHES = { speed: 4, sram: 1 } as const;
/** What the kernels ask, and the model answers once for all layers. */
function knownBodies({ memory, stream, entries }: FastProgram, maxPitches: number): Bodies {
  const bodies = new Map<string, Body>([
    ["graph/statesPtr", { returns: memory.statesPtr }],
    ["graph/layersPtr", { returns: memory.layersPtr }],
    ["stream/windowPtr", { returns: memory.windowPtr }],
    ["stream/windowBytes", { returns: memory.windowBytes }],
    ["stream/streamBytes", { returns: stream.length }],
  ]);
  /** What the layers of some kinds have in a word, each value once. */
  const values = (kinds: readonly number[], word: number): number[] => {
    const layers = entries.filter((entry) => kinds.includes(entry.get(LAYER_KIND)!));
    return [...new Set(layers.map((entry) => entry.get(word)!))];
  };
  for (const [name, kinds] of IS_KIND) if (values(kinds, LAYER_KIND).length === 0) bodies.set(name, { returns: 0 });
  for (const [name, kinds, word, answer = Number] of ANSWERS) {
    const answers = new Set(values(kinds, word).map(answer));
    if (answers.size === 1) bodies.set(name, { returns: [...answers][0] });
  }
  // A kernel for each pitch finds all the rows of a block or tile at constant offsets: a twelfth to an eighth faster under wasm3, 200 or
  // 400 bytes each.
  for (const [name, kind, parameter, distance] of KERNELS_BY_DISTANCE) {
    const distances = [...new Set(entries.filter((entry) => entry.get(LAYER_KIND) === kind).map(distance))];
    if (distances.length > 0 && distances.length <= maxPitches) bodies.set(name, { parameter, values: distances });
  }
  return bodies;
}

const CONVOLUTIONS = [KIND_CONV_POOLED, KIND_CONV_BLOCKS, KIND_CONV_PLACES];
const QUADS = [KIND_CONV_QUADS, KIND_CONV_GAPS];
const POOLS = [KIND_MAXPOOL, KIND_AVGPOOL];
const SUMS = [KIND_ADD, KIND_MUL];

/** Exports beside the core's, and whose layers they are for. */
const EXPORTED_KERNELS: readonly (readonly [name: string, kinds: readonly number[]])[] = [
  [TILES_KERNEL, [KIND_CONV_POOLED]],
  [BLOCKS_KERNEL, [KIND_CONV_BLOCKS]],
  [DENSE_KERNEL, [KIND_DENSE]],
  [QUADS_KERNEL, [KIND_CONV_QUADS]],
  [GAPS_KERNEL, [KIND_CONV_GAPS]],
  [ROWS_KERNEL, [KIND_DENSE_ROWS]],
  [VALUES_KERNEL, [KIND_DENSE_VALUES]],
  [BITS_KERNEL, [KIND_BITS]],
  [DEPTH_KERNEL, [KIND_DEPTHWISE]],
  [POOL_KERNEL, POOLS],
  [SUMS_KERNEL, SUMS],
  [LINES_KERNEL, [KIND_LINES]],
];

const DENSE = [KIND_DENSE, KIND_DENSE_VALUES, KIND_DENSE_ROWS];

const CLAMPED = [...CONVOLUTIONS, ...QUADS, KIND_BITS, KIND_DEPTHWISE, ...DENSE, ...POOLS, ...SUMS];

/** Functions that say whether an entry is of some kinds. */
const IS_KIND: readonly (readonly [name: string, kinds: readonly number[]])[] = [
  ["graph/isConvPooled", [KIND_CONV_POOLED]],
  ["graph/isConvBlocks", [KIND_CONV_BLOCKS]],
  ["graph/isConvPlaces", [KIND_CONV_PLACES]],
  ["graph/isConvQuads", [KIND_CONV_QUADS]],
  ["graph/isConvGaps", [KIND_CONV_GAPS]],
  ["graph/isDenseRows", [KIND_DENSE_ROWS]],
  ["graph/isDenseValues", [KIND_DENSE_VALUES]],
  ["graph/isBits", [KIND_BITS]],
  ["graph/isDepthwise", [KIND_DEPTHWISE]],
  ["graph/isDense", [KIND_DENSE]],
  ["graph/isPool", POOLS],
  ["graph/isElementwise", SUMS],
  ["graph/isLut", [KIND_LUT]],
  ["graph/isResize", [KIND_RESIZE]],
  ["graph/isBorder", [KIND_BORDER]],
  ["graph/isCopy", [KIND_COPY]],
  ["graph/isLines", [KIND_LINES]],
  ["graph/isTurn", [KIND_TURN]],
  ["graph/isInput", [KIND_INPUT]],
];

/** Functions that return a word of the layer's entry, or what they make of it. */
const ANSWERS: readonly (readonly [
  name: string,
  kinds: readonly number[],
  word: number,
  answer?: (word: number) => number,
])[] = [
  ["row/clampMin", CLAMPED, LAYER_CLAMP_MIN],
  ["row/clampMax", CLAMPED, LAYER_CLAMP_MAX],
  ["kernels/conv-blocks/isWide", [KIND_CONV_BLOCKS], LAYER_IS_WIDE],
  ["kernels/conv-blocks/poolSize", [KIND_CONV_BLOCKS], LAYER_POOL_WIDTH],
  [
    "kernels/depthwise/isThreeWide",
    [KIND_DEPTHWISE],
    LAYER_DEPTH_HEIGHT,
    (word) => Number(((word >>> 8) & 0xff) === 3),
  ],
  ["kernels/elementwise/isProduct", SUMS, LAYER_KIND, (kind) => Number(kind === KIND_MUL)],
  ["kernels/pool/isAverage", POOLS, LAYER_KIND, (kind) => Number(kind === KIND_AVGPOOL)],
  ["kernels/pool/isLong", POOLS, LAYER_POOL_WIDTH, (word) => Number(word % 2 ** 16 > PIECE_ELEMENTS)],
];

/** Kernels of which there is one for each distance, in bytes, that a parameter of theirs says. */
const KERNELS_BY_DISTANCE: readonly (readonly [
  name: string,
  kind: number,
  parameter: number,
  distance: (entry: Entry) => number,
])[] = [
  ["kernels/block/sumBlock", KIND_CONV_BLOCKS, 3, (entry) => entry.get(LAYER_INPUT_PITCH)!],
  ["kernels/conv-pooled/sumTile", KIND_CONV_POOLED, 3, (entry) => entry.get(LAYER_INPUT_PITCH)!],
  ["kernels/depthwise/sumLine", KIND_DEPTHWISE, 2, depthStep],
];
